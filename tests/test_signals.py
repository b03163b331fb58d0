"""Ctrl-C, SIGTERM and SIGHUP: no command ends with a traceback, and none keeps a lease."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from command_line import LONG, call, claim_at_last, running, start, write_fleet

from prebuilds.adapters.sqlite import SQLiteStore
from prebuilds.commands.console.signals import CutOff, run_until_signal, stopping
from prebuilds.import_interrupts import is_command
from prebuilds.runtime import ReconcilerOptions

ROOT = Path(__file__).parent.parent
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path / 'pool.db'}"


def has_lease(tmp_path: Path) -> bool:
    with SQLiteStore(tmp_path / "pool.db") as store, store.transaction(read_only=True) as tx:
        return tx.find_lease(ReconcilerOptions().lease_of_shard) is not None


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_stops_the_loop_cleanly(
    number: int, store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """While it waits. That is how it ends, so the exit status is 0; its lease is free for the next, at once."""
    fleet = write_fleet(tmp_path, {"id": "web", "desired_instances": 2})
    with running("--store", store, "--fleet", str(fleet), "--interval", "3600") as (process, output):
        assert output.readline() == "web: create 2\n"
        claim_at_last(store, "dev")
        assert has_lease(tmp_path)
        process.send_signal(number)
        assert process.wait(timeout=LONG) == 0
        assert output.read().splitlines()[-1] == "Stopped."
    assert not has_lease(tmp_path)
    capsys.readouterr()
    assert call(capsys, "run", "--store", store, "--once")[0] == 0


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_filling_of_pools(number: int, store: str, tmp_path: Path) -> None:
    """While it waits for builds: one line, the status of the signal, and the lease given back."""
    fleet = write_fleet(tmp_path, {"id": "web", "desired_instances": 2}, delay_seconds=3600)
    with start("run", "--store", store, "--fleet", str(fleet), "--once") as (process, output):
        assert output.readline() == "web: create 2\n"
        process.send_signal(number)
        assert process.wait(timeout=LONG) == 128 + number
        assert output.read() == "stopped before the pools were full\n"
    assert not has_lease(tmp_path)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(
    "command", [["plan"], ["size", "--lead-time", "5m", "--trace"], ["run", "--store", "sqlite:p.db", "--fleet"]]
)
def test_a_signal_ends_a_command_that_reads(command: list[str], number: int, tmp_path: Path) -> None:
    """A file that never comes: no word, and the status of the signal."""
    pipe = tmp_path / "claims.csv"
    os.mkfifo(pipe)
    with start(*command, str(pipe)) as (process, output):
        writer = open_once_read(pipe, process)
        await_sleep(process)
        process.send_signal(number)
        assert process.wait(timeout=LONG) == 128 + number
        assert output.read() == ""
        os.close(writer)


def open_once_read(pipe: Path, process: subprocess.Popen[str]) -> int:
    """The end of a pipe that is written to, as soon as the process has opened the other one."""
    while process.poll() is None:
        with suppress(OSError):  # nobody reads it yet
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    raise AssertionError(f"it ended before it read: {process.communicate()}")


def await_sleep(process: subprocess.Popen[str]) -> None:
    """Return once the process waits for something. Python acts on a signal that comes between opening a file and the
    first wait for its content only after that wait."""
    stat = Path(f"/proc/{process.pid}/stat")
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "R":
        assert process.poll() is None


@pytest.mark.parametrize("module", ["attrs", "argparse", "rich"])
def test_a_signal_ends_a_command_that_is_being_imported(module: str, tmp_path: Path) -> None:
    """Whichever module it has come to: a module in the place of another says that it is being imported, and waits."""
    (tmp_path / f"{module}.py").write_text("import signal\nprint('importing', flush=True)\nsignal.pause()\n")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    plan = ["plan", str(ROOT / "docs" / "examples" / "fleet.json")]
    with start(*plan, PYTHONPATH=path) as (process, output):
        assert output.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=LONG) in (-signal.SIGINT, 128 + signal.SIGINT)  # a shell calls both of them 130
        assert output.read() == ""


def test_what_is_ignored_stays_ignored(store: str, tmp_path: Path) -> None:
    """SIGHUP under `nohup`."""
    fleet = write_fleet(tmp_path, {"id": "web", "desired_instances": 1})
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # children inherit it
    try:
        with running("--store", store, "--fleet", str(fleet), "--interval", "3600") as (process, output):
            assert output.readline() == "web: create 1\n"
            process.send_signal(signal.SIGHUP)
            claim_at_last(store, "dev")
            assert output.readline() == "web: create 1\n"
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_first_signal_asks_and_a_second_cuts_off(number: int) -> None:
    """What does not stop when it is asked to is ended all the same; then signals do what they did before."""
    handlers = [signal.getsignal(each) for each in SIGNALS]
    asked: list[int] = []

    def hang() -> int:
        with stopping(lambda: asked.append(number)) as stop:
            signal.raise_signal(number)
            assert (asked, stop.status, stop.event.is_set()) == ([number], 128 + number, True)
            signal.raise_signal(number)
        return 0

    assert run_until_signal(hang) == 128 + number
    assert asked == [number]
    assert [signal.getsignal(each) for each in SIGNALS] == handlers


def test_being_cut_off_cannot_be_swallowed_as_an_error() -> None:
    """Like Ctrl-C itself, which libraries know and let pass."""
    assert issubclass(CutOff, KeyboardInterrupt)


def test_a_thread_has_no_signals_to_handle() -> None:
    """A command runs in any thread, as in a host that calls `main` there."""
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(run_until_signal(lambda: 7)))
    thread.start()
    thread.join()
    assert statuses == [7]


@pytest.mark.parametrize(
    ("arguments", "words", "expected"),
    [
        (["-m"], ["python", "-m", "prebuilds"], True),
        (["-m", "plan", "-m"], ["python", "-X", "dev", "-m", "prebuilds", "plan", "-m"], True),
        (["-m"], ["python", "-mprebuilds.lint"], True),
        (["-m", "-m", "prebuilds"], ["python", "-m", "host", "-m", "prebuilds"], False),
        (["-m"], ["python", "-m", "prebuilds_of_ours"], False),
        (["/env/bin/prebuilds", "plan"], ["python", "/env/bin/prebuilds", "plan"], True),
        (["/srv/bin/prebuilds", "plan"], ["python", "/srv/bin/prebuilds", "plan"], False),
        (["-c"], ["python", "-c", "import prebuilds"], False),
        ([""], ["python"], False),
        ([], ["host"], False),
    ],
)
def test_only_our_own_commands_change_what_ctrl_c_does(arguments: list[str], words: list[str], expected: bool) -> None:
    """A program that imports the library keeps its handlers, whatever it is called with."""
    assert is_command(arguments, words, "/env/bin/python") is expected
