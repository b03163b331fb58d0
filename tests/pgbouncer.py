"""PgBouncer in transaction mode, in front of a server, for tests. It is Debian's, which its package brings."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

SESSIONS = 3  # with the server, for any number of clients
_NOBODY = 65534  # it refuses to run as root
_WAIT = 15.0  # seconds
_SETTINGS = """
[databases]
* = {server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {sessions}
max_client_conn = 500
pidfile =
"""


def find_pgbouncer() -> str | None:
    """The program, which Debian keeps where only root looks."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def run_pgbouncer(program: str, dsn: str) -> Iterator[str]:
    """The DSN of a PgBouncer before the server at `dsn`."""
    port = _find_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = folder / "pgbouncer.ini"
        server = _describe_server(dsn)
        settings.write_text(_SETTINGS.format(server=server, port=port, sessions=SESSIONS))
        user = _find_user(dsn)
        if user is not None:
            for path in (folder, settings):
                os.chown(path, user, -1)
        with subprocess.Popen([program, str(settings)], user=user) as process:
            try:
                given = make_conninfo(dsn, host="127.0.0.1", port=str(port))
                _wait_for(given, process)
                yield given
            finally:
                process.terminate()


def _describe_server(dsn: str) -> str:
    """The server in the words of the settings; the database's name is left to each client."""
    known = conninfo_to_dict(dsn)
    return " ".join(f"{name}={known[name]}" for name in ("host", "port", "user", "password") if known.get(name))


def _find_user(dsn: str) -> int | None:
    """Whom it runs as when the tests run as root: a user who may use the server's socket, where that is a file."""
    host = Path(str(conninfo_to_dict(dsn).get("host", "")))
    return None if os.geteuid() else host.stat().st_uid or _NOBODY if host.is_dir() else _NOBODY


def _find_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait_for(dsn: str, process: subprocess.Popen[bytes]) -> None:
    deadline = monotonic() + _WAIT
    while process.poll() is None and monotonic() < deadline:
        with suppress(psycopg.OperationalError), psycopg.connect(dsn, connect_timeout=2) as connection:
            connection.execute("SELECT 1")
            return
    raise TimeoutError("PgBouncer does not answer")
