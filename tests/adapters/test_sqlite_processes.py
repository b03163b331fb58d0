"""One file and several processes: claims, forks, and processes that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import pytest

from adapters.claimers import fill, run_processes
from adapters.examples import NOW, add_preset
from prebuilds.adapters.sqlite import SQLiteStore
from prebuilds.runtime.models import Counter as Counted

PREBUILDS = 1_000
COMMON = """
import os, sys, threading
from prebuilds import Preset
from prebuilds.adapters.sqlite import SQLiteStore
from prebuilds.adapters.sqlite.connections import pool
from prebuilds.errors import ForkedStoreError
from prebuilds.runtime.models import Counter

path = sys.argv[1]

def write(store, name):
    with store.transaction() as tx:
        tx.count(name, Counter.CREATED)

def run_child(do):
    pid = os.fork()
    if pid == 0:
        try:
            do()
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
"""


def run(path: Path, code: str) -> str:
    """What a process that runs this code prints; it must end well."""
    command = [sys.executable, "-W", "ignore", "-c", COMMON + textwrap.dedent(code), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def list_counted(path: Path) -> dict[str, int]:
    with SQLiteStore(path) as store, store.transaction(read_only=True) as tx:
        return {value.preset_id: value.value for value in tx.list_counters()}


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system forks no processes")


def test_64_claimers_of_8_processes_take_each_of_1000_prebuilds_once(tmp_path: Path) -> None:
    """No prebuild is claimed twice and none is lost. Each miss is counted."""
    path = tmp_path / "store.db"
    with SQLiteStore(path, survives_power_loss=False) as store:
        fill(store, PREBUILDS)
    got = run_processes(path, processes=8, threads=8)
    claimed = Counter(workspace_id for claimer in got for workspace_id in claimer.workspace_ids)
    assert claimed == Counter(f"w{number}" for number in range(PREBUILDS))
    with SQLiteStore(path) as store, store.transaction(read_only=True) as tx:
        assert tx.read_rows().prebuilds == ()
        counted = {value.counter: value.value for value in tx.list_counters()}
    assert counted == {Counted.CLAIMED: PREBUILDS, Counted.CLAIM_MISSED: 64}


def test_many_processes_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    """One of them makes the tables, and the others find them."""
    path = tmp_path / "store.db"
    code = "write(SQLiteStore(path), 'p')"
    command = [sys.executable, "-c", COMMON + code, str(path)]
    processes = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait(timeout=60) for process in processes] == [0] * 4
    assert list_counted(path) == {"p": 4}


@needs_fork
def test_a_forked_child_opens_its_own_connections(tmp_path: Path) -> None:
    """Parent and child both go on with the store, and neither knows of the other's locks."""
    path = tmp_path / "store.db"
    code = """
    store = SQLiteStore(path)
    write(store, "parent")
    inherited = list(store._pool._all)

    def do():
        assert store._pool._all == []
        write(store, "child")
        write(SQLiteStore(path), "child")
        assert not set(inherited) & set(store._pool._all)

    run_child(do)
    run_child(do)
    write(store, "parent")
    store.close()
    """
    run(path, code)
    assert list_counted(path) == {"parent": 2, "child": 4}


@needs_fork
def test_a_fork_waits_for_the_transactions_of_other_threads(tmp_path: Path) -> None:
    """They end, none begins before the child is there, and writers that queued meanwhile are served after it."""
    path = tmp_path / "store.db"
    code = """
    store = SQLiteStore(path, max_connections=2)
    opened, fork_begins = threading.Event(), threading.Event()
    os.register_at_fork(before=fork_begins.set)  # of these the last to be registered is the first to be called

    def hold():
        with store.transaction() as tx:
            tx.count("thread", Counter.CREATED)
            opened.set()
            fork_begins.wait(60)

    threads = [threading.Thread(target=hold), threading.Thread(target=write, args=(store, "queued"))]
    for thread in threads:
        thread.start()
        opened.wait(60)
    run_child(lambda: write(store, "child"))
    for thread in threads:
        thread.join()
    store.close()
    """
    run(path, code)
    assert list_counted(path) == {"thread": 1, "queued": 1, "child": 1}


@needs_fork
def test_a_child_of_an_open_transaction_cannot_use_the_file(tmp_path: Path) -> None:
    """Neither that transaction, nor another, nor another store of the file; the parent's is as it was."""
    path = tmp_path / "store.db"
    code = """
    pool._FORK_SECONDS = 0
    store = SQLiteStore(path)

    def refuse(do):
        try:
            do()
        except ForkedStoreError as error:
            print(error)
        else:
            raise AssertionError(do)

    with store.transaction() as tx:
        tx.count("parent", Counter.CREATED)

        def do():
            refuse(tx.list_counters)
            refuse(lambda: tx.count("child", Counter.CREATED))
            refuse(lambda: SQLiteStore(path))
            store.close()

        run_child(do)
    """
    told = run(path, code).splitlines()
    assert told == [f"{path} was in use when this process was forked; fork while none of its transactions is open"] * 3
    assert list_counted(path) == {"parent": 1}


@needs_fork
def test_a_child_never_commits_what_its_parent_has_open(tmp_path: Path) -> None:
    """Coming to the end of the block is an error there, and no second commit."""
    path = tmp_path / "store.db"
    code = """
    pool._FORK_SECONDS = 0
    store = SQLiteStore(path)
    try:
        with store.transaction() as tx:
            tx.count("p", Counter.CREATED)
            pid = os.fork()
    except ForkedStoreError:
        os._exit(0 if pid == 0 else 1)
    assert pid
    assert os.waitpid(pid, 0)[1] == 0
    """
    run(path, code)
    assert list_counted(path) == {"p": 1}


def test_a_killed_process_loses_nothing_that_it_committed(tmp_path: Path) -> None:
    """It leaves no partial writes, and does not block the next process, whether it waits for the disk or not."""
    path = tmp_path / "store.db"
    code = """
    store = SQLiteStore(path, survives_power_loss=False)
    write(store, "committed")
    with store.transaction() as tx:
        tx.count("open", Counter.CREATED)
        print("ready", flush=True)
        threading.Event().wait(60)
    """
    command = [sys.executable, "-c", COMMON + textwrap.dedent(code), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert list_counted(path) == {"committed": 1}
    with SQLiteStore(path) as store, store.transaction() as tx:
        add_preset(tx, last_invalidated_at=NOW)
