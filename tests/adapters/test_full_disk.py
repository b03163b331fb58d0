"""A disk that is full: an error of the library in one line, nothing lost, and all goes on when there is room."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from queue import Queue
from shutil import which

import pytest
from runtime.world import World
from servers import Database

from adapters.examples import NOW, add_preset, make_start
from prebuilds.adapters.sqlite import SQLiteStore
from prebuilds.errors import StoreUnavailableError
from prebuilds.runtime import Reconciler, ReconcilerOptions
from prebuilds.testing.contracts.equipment.requests import insert_one

FULL = r"store\.db: (database or disk is full|disk I/O error)$"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = which("mount")
    is_able = mount and sys.platform.startswith("linux") and os.geteuid() == 0
    options = ["-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if not (is_able and subprocess.run([mount, *options], check=False).returncode == 0):
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run([which("umount") or "umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Leave no room on the disk; the file that takes it."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65_536, 4_096, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                pass
    return ballast


class Failures(logging.Handler):
    """Tells when something has been logged as having failed, and keeps it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.come = threading.Event()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.come.set()


def test_a_pass_on_a_full_disk_fails_and_the_next_one_goes_on(disk: Path) -> None:
    """Nothing that was there is lost; what could not be written is done when there is room, and no failure counts."""
    with SQLiteStore(disk / "store.db") as store:
        world = World(store=store)
        world.fill()
        before = world.list_prebuilds()
        world.claim()
        ballast = fill(disk)
        for _ in range(3):
            with pytest.raises(StoreUnavailableError, match=FULL):
                world.reconcile()
        with pytest.raises(StoreUnavailableError, match=FULL):
            world.claim("other")
        assert world.list_prebuilds() == before[1:]
        ballast.unlink()
        world.fill()
        assert len(world.list_prebuilds()) == 2
        assert [build.status.value for build in world.list_builds()] == ["succeeded"] * 3


def test_the_loop_outlives_a_full_disk(disk: Path) -> None:
    """It goes on by itself when there is room."""
    failures, submitted = Failures(), Queue[str]()
    logging.getLogger("prebuilds").addHandler(failures)
    with SQLiteStore(disk / "store.db") as store:
        world = World(store=store)
        world.builder.on_submit = lambda request: submitted.put(request.build_id)
        ballast = fill(disk)
        options = ReconcilerOptions(interval=timedelta(milliseconds=20))
        reconciler = Reconciler(store, world.builder, options=options)
        thread = threading.Thread(target=reconciler.run)
        thread.start()
        try:
            assert failures.come.wait(60)
            assert submitted.empty()
            (record, *_) = failures.records
            assert re.search(f"^all presets: the pass failed: StoreUnavailableError: .*{FULL}", record.getMessage())
            ballast.unlink()
            assert len({submitted.get(timeout=60) for _ in range(2)}) == 2
        finally:
            ballast.unlink(missing_ok=True)
            reconciler.stop()
            thread.join()
            logging.getLogger("prebuilds").removeHandler(failures)
    assert {record.exc_info for record in failures.records} == {None}


def test_a_store_that_has_no_room_to_begin_says_so(disk: Path) -> None:
    """No file can be made, and an existing one cannot be opened. Both work once there is room."""
    SQLiteStore(disk / "store.db").close()
    ballast = fill(disk)
    for name in ("store.db", "new store.db"):
        with pytest.raises(StoreUnavailableError, match=FULL):
            SQLiteStore(disk / name)
    ballast.unlink()
    for name in ("store.db", "new store.db"):
        SQLiteStore(disk / name).close()


LIMITED = """
import resource, sys
from prebuilds.adapters.sqlite import SQLiteStore
from prebuilds.errors import CommitUnknownError
from prebuilds.runtime import Message
with SQLiteStore(sys.argv[1]) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, -1))
    try:
        with store.transaction() as tx:
            tx.publish_on_commit(Message(topic="t"))
    except CommitUnknownError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
    with store.transaction() as tx:
        tx.publish_on_commit(Message(topic="u"))
"""


def test_a_disk_that_fails_during_a_commit_leaves_it_open(tmp_path: Path) -> None:
    """A commit that was being written may be found, whole, by the next process that opens the file."""
    path = tmp_path / "store.db"
    done = subprocess.run([sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == f"a commit was cut short, and may have been done: {path}: disk I/O error\n"
    with SQLiteStore(path) as store, store.transaction() as tx:
        assert [entry.message.topic for entry in tx.list_messages(10)] == ["u"]


def test_a_full_disk_of_the_server_undoes_the_transaction(database: Database) -> None:
    """PostgreSQL's own error for it; the connection stays, and the store works on when there is room."""
    store = database.make_store(max_connections=1)
    with closing(database.connect()) as admin:
        admin.execute(f'SET search_path TO "{store.schema}"')
        admin.execute(
            "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;"
            " CREATE TRIGGER fill BEFORE INSERT ON workspaces EXECUTE FUNCTION fill()"
        )
        told = "^the store cannot be used: could not extend file$"
        with pytest.raises(StoreUnavailableError, match=told), store.transaction() as tx:  # noqa: PT012
            add_preset(tx)
            insert_one(tx, make_start(1), name="n", now=NOW)
        admin.execute("DROP TRIGGER fill ON workspaces")
    with store.transaction() as tx:
        assert tx.list_presets() == ()
        add_preset(tx)
        assert insert_one(tx, make_start(1), name="n", now=NOW)
