"""The commands on a store, as a person uses them: what they print, their exit status, and that they stop cleanly."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from command_line import LONG, call, claim_at_last, running, start, write_fleet
from rights import as_nobody, make_shelf

from prebuilds.adapters.sqlite import SQLiteStore
from prebuilds.commands.fleet.files import choose_invalidation

LEADER = re.compile(
    r"Another `run` is working on this store: [^:]+:(?P<process>\d+):\S+, "
    r"until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC at least\."
)
ROOT = Path(__file__).parent.parent
POOL = ROOT / "docs" / "examples" / "pool.json"
HEADER = ["preset", "want", "ready", "run", "start", "del", "made", "claimed", "missed", "failed"]


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path / 'pool.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def any_store(request: pytest.FixtureRequest, store: str) -> str:
    """A new store of each kind."""
    if request.param == "sqlite":
        return store
    return str(request.getfixturevalue("database").make_url())


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """A fleet file whose builds take no time."""
    return write_fleet(tmp_path, {"id": "web", "desired_instances": 2}, {"id": "gpu", "desired_instances": 1})


def read_rows(text: str) -> dict[str, list[int]]:
    """The numbers of each preset in a table."""
    lines = [line.split() for line in text.splitlines()]
    begin = lines.index(HEADER)
    return {name: [int(cell) for cell in cells] for name, *cells in lines[begin + 1 :] if not name.endswith(":")}


def test_a_fleet_comes_up_a_claim_is_served_and_the_pool_refills(
    any_store: str, fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What README shows first, step by step."""
    store = any_store
    status, out, err = call(capsys, "run", "--store", store, "--fleet", str(fleet), "--once")
    assert (status, err) == (0, "")
    assert out.splitlines()[:2] == ["gpu: create 1", "web: create 2"]
    assert read_rows(out) == {"gpu": [1, 1, 1, 0, 0, 1, 0, 0, 0], "web": [2, 2, 2, 0, 0, 2, 0, 0, 0]}
    claim = ("claim", "web", "--store", store, "--owner", "ann", "--name", "dev", "--request-id", "r-1")
    status, out, err = call(capsys, *claim)
    found = re.fullmatch(r"web: ann has dev now \(workspace (\S+)\)\n", out)
    assert found
    assert (status, err) == (0, "")
    assert call(capsys, *claim) == (0, f"web: ann has dev now, as before (workspace {found[1]})\n", "")
    _, out, _ = call(capsys, "run", "--store", store, "--once")
    assert out.splitlines()[0] == "web: create 1"
    assert read_rows(out)["web"] == [2, 2, 2, 0, 0, 3, 1, 0, 0]
    assert read_rows(call(capsys, "status", "--store", store)[1]) == read_rows(out)


def test_a_claim_that_gets_nothing_says_why(store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 1 when the answer is no, 2 when the question was wrong."""
    fleet = write_fleet(
        tmp_path, {"id": "web", "desired_instances": 0}, {"id": "old", "desired_instances": 1, "deleted": True}
    )
    call(capsys, "run", "--store", store, "--fleet", str(fleet), "--once")
    claim = ("--store", store, "--owner", "ann", "--name", "dev")
    assert call(capsys, "claim", "web", *claim) == (1, "web: no prebuild is ready\n", "")
    assert call(capsys, "claim", "old", *claim) == (1, "old: the preset is inactive\n", "")
    assert call(capsys, "claim", "ghost", *claim) == (2, "", "there is no preset with the id 'ghost'\n")


def test_people_tell_the_loop_what_to_do(store: str, fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pause, resume, invalidate and reset."""
    call(capsys, "run", "--store", store, "--fleet", str(fleet), "--once")
    assert call(capsys, "pause", "--store", store)[:2] == (0, "Paused: nothing is created or deleted until `resume`.\n")
    assert call(capsys, "invalidate", "web", "--store", store)[0] == 0
    _, out, _ = call(capsys, "run", "--store", store, "--once")
    assert out.splitlines()[0] == "Paused: nothing is created or deleted until `resume`."
    assert out.splitlines()[-2:] == ["Reconciliation is paused: nothing is to be done.", "web: 0 of 2 ready."]
    assert call(capsys, "resume", "--store", store)[:2] == (0, "Resumed.\n")
    assert call(capsys, "run", "--store", store, "--once")[1].splitlines()[0] == "web: delete 2, create 2"
    assert call(capsys, "reset", "web", "--store", store)[0] == 0
    for command in ("invalidate", "reset"):
        assert call(capsys, command, "ghost", "--store", store)[::2] == (2, "there is no preset with the id 'ghost'\n")


def test_a_promotion_finds_a_full_pool(store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`status` tells how far a candidate is. Its claims miss until `promote`, which deletes the old prebuilds."""
    old = {"id": "web-1", "desired_instances": 2, "template_id": "t", "template_version_id": "v1"}
    new = {**old, "id": "web-2", "template_version_id": "v2", "using_active_version": False}
    call(capsys, "run", "--store", store, "--fleet", str(write_fleet(tmp_path, old, new)), "--once")
    expected = "v2 is a candidate: web-2 will be filled, and cannot be claimed until `promote`.\n"
    assert call(capsys, "stage", "v2", "--store", store) == (0, expected, "")
    note = "web-2 is of the candidate v2, 0 of 2 ready: nobody can claim it before `promote`."
    assert note in call(capsys, "status", "--store", store)[1].splitlines()
    assert call(capsys, "run", "--store", store, "--once")[1].splitlines()[0] == "web-2: create 2"
    claim = ("claim", "web-2", "--store", store, "--owner", "ann", "--name", "dev")
    assert call(capsys, *claim) == (1, "web-2: the preset is inactive\n", "")
    note = "web-2 is of the candidate v2, full: nobody can claim it before `promote`."
    assert note in call(capsys, "status", "--store", store)[1].splitlines()
    expected = "v2 is active: users get prebuilds of web-2, full. The old version's will be deleted.\n"
    assert call(capsys, "promote", "v2", "--template", "t", "--store", store) == (0, expected, "")
    assert call(capsys, *claim)[0] == 0
    assert call(capsys, "run", "--store", store, "--once")[1].splitlines()[:2] == ["web-1: delete 2", "web-2: create 1"]
    expected = "v1 is active: users get prebuilds of web-1, not full yet. The old version's will be deleted.\n"
    assert call(capsys, "promote", "v1", "--store", store) == (0, expected, "")


def test_a_candidate_can_be_given_up(store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By `unstage`, or by a fleet file that has it no more. An unknown or an active version is refused."""
    old = {"id": "web-1", "desired_instances": 1, "template_id": "t", "template_version_id": "v1"}
    new = {**old, "id": "web-2", "template_version_id": "v2", "using_active_version": False, "is_candidate": True}
    call(capsys, "run", "--store", store, "--fleet", str(write_fleet(tmp_path, old, new)), "--once")
    expected = "v2 is no candidate: the prebuilds of web-2 will be deleted.\n"
    assert call(capsys, "unstage", "v2", "--store", store) == (0, expected, "")
    assert call(capsys, "run", "--store", store, "--once")[1].splitlines()[0] == "web-2: delete 1"
    call(capsys, "stage", "v2", "--store", store)
    fleet = write_fleet(tmp_path, old)
    out = call(capsys, "run", "--store", store, "--fleet", str(fleet), "--once")[1]
    assert "candidate" not in out
    assert call(capsys, "stage", "v3", "--store", store)[::2] == (2, "no preset has the template version 'v3'\n")
    status, _, err = call(capsys, "stage", "v1", "--store", store)
    assert (status, err.split(":")[0]) == (2, "the template version 'v1' is active")


def test_the_fleet_file_is_the_whole_fleet(store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A preset that is gone from it becomes inactive, records of the others are kept, and running rows are ignored."""
    fleet = write_fleet(tmp_path, {"id": "web", "desired_instances": 1}, {"id": "gpu", "desired_instances": 1})
    call(capsys, "run", "--store", store, "--fleet", str(fleet), "--once")
    call(capsys, "invalidate", "web", "--store", store)
    presets = [{"id": "web", "desired_instances": 1}]
    running = [{"id": "w", "preset_id": "web", "created_at": "2026-11-23T09:30:00Z"}]
    fleet.write_text(json.dumps({"presets": presets, "running": running}))
    status, out, err = call(capsys, "run", "--store", store, "--fleet", str(fleet), "--once")
    assert (status, err) == (0, "Only the presets in the file are used; ignored: running.\n")
    assert out.splitlines()[:2] == ["gpu: delete 1", "web: delete 1, create 1"]
    assert read_rows(out) == {"gpu": [0, 0, 0, 0, 0, 1, 0, 0, 0], "web": [1, 1, 1, 0, 0, 2, 0, 0, 0]}


@pytest.mark.parametrize(
    ("document", "problems"),
    [
        ({"builder": {"delay_seconds": -1, "speed": 2}, "snapshot": {"presets": [{"id": ""}]}}, 4),
        ({"builder": [], "snapshot": {}}, 1),
        ([], 1),
        ({"presets": 1}, 1),
    ],
)
def test_a_wrong_fleet_file_is_reported_with_all_its_problems(
    document: object, problems: int, store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each with the file and its path in it, and before the store is touched."""
    path = tmp_path / "fleet.json"
    path.write_text(json.dumps(document))
    status, out, err = call(capsys, "run", "--store", store, "--fleet", str(path), "--once")
    assert (status, out, len(err.splitlines())) == (2, "", problems)
    assert all(line.startswith(f"{path}: ") for line in err.splitlines())
    assert not (tmp_path / "pool.db").exists()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["status", "--store", "mysql:x"], "argument --store: 'mysql:x' is not sqlite:FILE or postgresql://..."),
        (["status", "--store", "sqlite:"], "argument --store: 'sqlite:' is not sqlite:FILE or postgresql://..."),
        (
            ["status", "--store", "postgres:secret"],
            "argument --store: postgres:... is not sqlite:FILE or postgresql://...",
        ),
        (["status"], "the following arguments are required: --store"),
        (["run", "--store", "sqlite:x", "--interval", "0"], "argument --interval: '0' is not a number of seconds from"),
        (["run", "--store", "sqlite:x", "--lease", "x"], "argument --lease: 'x' is not a number of seconds from"),
        (["run", "--store", "sqlite:x", "--metrics-port", "65536"], "'65536' is not a port from 0 to 65535"),
        (["status", "--store", "sqlite:/nowhere/pool.db"], "/nowhere/pool.db"),
    ],
)
def test_wrong_options_are_named(arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With the value and what is allowed."""
    status, out, err = call(capsys, *arguments)
    assert (status, out) == (2, "")
    assert problem in err


def test_a_file_that_is_not_a_store_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And left as it is."""
    path = tmp_path / "pool.db"
    path.write_text("my thesis" * 1000)
    status, out, err = call(capsys, "status", "--store", f"sqlite:{path}")
    assert (status, out) == (2, "")
    assert err.startswith(f"{path} cannot be used as a store: ")
    assert path.read_text() == "my thesis" * 1000


def test_a_claim_of_another_process_wakes_it(store: str, fleet: Path) -> None:
    """The pool refills at once, and not at the interval."""
    with running("--store", store, "--fleet", str(fleet), "--interval", "3600") as (_, output):
        assert [output.readline() for _ in range(2)] == ["gpu: create 1\n", "web: create 2\n"]
        for number in range(5):
            claim_at_last(store, f"dev-{number}")
            assert output.readline() == "web: create 1\n"


def test_schedules_that_cannot_be_used_are_reported_while_it_runs(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Field case 26: with the preset and the reason, once, however many passes there are. `status` always shows it."""
    schedules = [{"cron": "* * * * 1-5", "instances": 2}, {"cron": "* * * * 6-8", "instances": 1}]
    fleet = write_fleet(tmp_path, {"id": "web", "desired_instances": 3, "timezone": "UTC", "schedules": schedules})
    with running("--store", store, "--fleet", str(fleet), "--interval", "0.01") as (process, output):
        assert output.readline() == (
            "WARNING web keeps its own count, as its schedules cannot be used: schedules[1]: day-of-week field: `8` is "
            "not from 0 to 7\n"
        )
        assert output.readline() == "web: create 3\n"
        claim_at_last(store, "dev")
        assert output.readline() == "web: create 1\n"
        process.send_signal(signal.SIGINT)
        assert output.read() == "Stopped.\n"
    capsys.readouterr()
    assert "\nweb keeps its own count, as its schedules cannot be used: " in call(capsys, "status", "--store", store)[1]


def test_a_second_run_waits_until_the_first_has_stopped(store: str, fleet: Path) -> None:
    """One works, the other leaves it alone, says so, and takes over."""
    arguments = ("--store", store, "--fleet", str(fleet), "--interval", "0.1")
    with running(*arguments) as (first, output):
        assert output.readline() == "gpu: create 1\n"
        with running(*arguments) as (_, other):
            assert LEADER.fullmatch(other.readline().removesuffix(" This one waits to take over.\n"))
            first.send_signal(signal.SIGINT)
            assert first.wait(timeout=LONG) == 0
            assert other.readline() == "Running again.\n"


def test_run_once_says_when_another_run_is_at_work(store: str, fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By its process, and until when. It fills nothing, so its exit status is 1."""
    with running("--store", store, "--fleet", str(fleet)) as (process, output):
        assert output.readline() == "gpu: create 1\n"
        status, out, _ = call(capsys, "run", "--store", store, "--once")
        found = LEADER.fullmatch(out.splitlines()[0])
        assert (status, found and int(found["process"])) == (1, process.pid)


def test_what_expires_before_it_is_ready_is_reported(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Field case 27: it looks again after the last build, gives the preset up, fills the others, and says so."""
    short = {"id": "web", "desired_instances": 2, "ttl_seconds": 0.01}
    fleet = write_fleet(tmp_path, short, {"id": "gpu", "desired_instances": 1}, delay_seconds=0.05)
    status, out, err = call(capsys, "run", "--store", store, "--fleet", str(fleet), "--once")
    assert (status, err) == (1, "")
    assert out.splitlines()[:3] == ["gpu: create 1", "web: create 2", "web: delete 2, create 2"]
    assert read_rows(out)["gpu"][:2] == [1, 1]
    assert out.splitlines()[-1] == (
        "web: 0 of 2 ready: with a ttl of 0.01 s its prebuilds expire before the pool is full."
    )


def test_a_pool_that_cannot_be_filled_makes_the_answer_no(
    store: str, fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """While paused nothing is created: exit status 1 if something is missing, 0 if nothing is."""
    call(capsys, "run", "--store", store, "--fleet", str(fleet), "--once")
    call(capsys, "pause", "--store", store)
    assert call(capsys, "run", "--store", store, "--once")[0] == 0
    call(capsys, "claim", "web", "--store", store, "--owner", "ann", "--name", "dev")
    status, out, _ = call(capsys, "run", "--store", store, "--once")
    assert (status, out.splitlines()[-2:]) == (
        1,
        ["Reconciliation is paused: nothing is to be done.", "web: 1 of 2 ready."],
    )


def test_metrics_are_for_this_machine_alone(store: str, fleet: Path) -> None:
    """Field case 16: on the loopback address unless another is named."""
    arguments = ["run", "--store", store, "--fleet", str(fleet), "--metrics-port", "0"]
    with start(*arguments) as (_, output):
        found = re.fullmatch(r"Metrics on (http://127\.0\.0\.1:(\d+)/metrics)\n", output.readline())
        assert found
        with urllib.request.urlopen(found[1], timeout=LONG) as answer:  # noqa: S310
            assert b"coderd_prebuilt_workspaces_desired" in answer.read()
        with pytest.raises(ConnectionRefusedError):  # an address of this machine too, on Linux
            socket.create_connection(("127.0.0.2", int(found[2])), timeout=LONG)
    with start(*arguments, "--metrics-address", "127.0.0.2") as (_, output):
        assert re.fullmatch(r"Metrics on http://127\.0\.0\.2:\d+/metrics\n", output.readline())


def test_a_port_that_is_taken_is_named(store: str, fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Field case 16: with the address, and so is an address that there is not."""
    run = ("run", "--store", store, "--fleet", str(fleet))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        told = f"cannot serve metrics on 127.0.0.1:{port}: Address already in use\n"
        assert call(capsys, *run, "--metrics-port", port) == (2, "", told)
    status, out, err = call(capsys, *run, "--metrics-port", "0", "--metrics-address", "no.such.host.invalid")
    assert (status, out) == (2, "")
    assert err.startswith("cannot serve metrics on no.such.host.invalid:0: ")
    told = "--metrics-address needs --metrics-port\n"
    assert call(capsys, *run, "--metrics-address", "127.0.0.1") == (2, "", told)


NOW = datetime(2026, 11, 23, 9, 30, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("hours", "oldest", "kept"),
    [
        ([], None, None),
        ([-1], None, -1),
        ([-2, -1], -3, -1),  # the later one covers the earlier
        ([3], -1, 3),
        ([-1, 3], -2, -1),  # what was made before it must go first
        ([-1, 3], -1, 3),  # nothing was, so that it is done with
        ([-1, 3], None, 3),
        ([0, 3], -1, 0),  # it has come at its very instant
        ([2, 3], -1, 2),  # both are to come: the first
    ],
)
def test_a_preset_keeps_the_invalidation_that_comes_first(
    hours: list[int], oldest: int | None, kept: int | None
) -> None:
    """Of those that have something left to do, in hours from now; one that was noted and one of the file alike."""
    instants = [NOW + hour * HOUR for hour in hours]
    began = None if oldest is None else NOW + oldest * HOUR
    expected = None if kept is None else NOW + kept * HOUR
    for given in (instants, instants[::-1]):
        assert choose_invalidation(given, oldest=began, now=NOW) == expected


def test_an_invalidation_of_the_file_does_not_hide_one_that_was_noted(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What people invalidated goes, and what the file plans is noted beside it."""
    preset = {"id": "web", "desired_instances": 1}
    fleet = write_fleet(tmp_path, preset)
    run = ("run", "--store", store, "--fleet", str(fleet), "--once")
    call(capsys, *run)
    call(capsys, "pause", "--store", store)
    call(capsys, "invalidate", "web", "--store", store)
    write_fleet(tmp_path, {**preset, "last_invalidated_at": "2126-11-23T22:00:00Z"})
    assert call(capsys, *run)[2] == ""
    call(capsys, "resume", "--store", store)
    assert call(capsys, "run", "--store", store, "--once")[1].splitlines()[0] == "web: delete 1, create 1"
    assert read_invalidation(tmp_path) == datetime(2126, 11, 23, 22, tzinfo=timezone.utc)


def test_an_invalidation_of_the_file_waits_for_one_before_it(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """While prebuilds are there that the one before expired, it keeps the room; people hear that the other waits."""
    preset = {"id": "web", "desired_instances": 1}
    fleet = write_fleet(tmp_path, preset)
    run = ("run", "--store", store, "--fleet", str(fleet), "--once")
    call(capsys, *run)
    call(capsys, "pause", "--store", store)
    write_fleet(tmp_path, {**preset, "last_invalidated_at": f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%S.%fZ}"})
    call(capsys, *run)
    write_fleet(tmp_path, {**preset, "last_invalidated_at": "2126-11-23T22:00:00Z"})
    _, _, err = call(capsys, *run)
    assert re.fullmatch(
        r"web: its invalidation at 2126-11-23 22:00:00 UTC was not recorded, because the one at [-0-9 :.]+ UTC "
        r"comes first; load the file again after that\.\n",
        err,
    )
    call(capsys, "resume", "--store", store)
    assert call(capsys, "run", "--store", store, "--once")[1].splitlines()[0] == "web: delete 1, create 1"
    assert call(capsys, *run)[2] == ""
    assert read_invalidation(tmp_path) == datetime(2126, 11, 23, 22, tzinfo=timezone.utc)


def read_invalidation(tmp_path: Path) -> datetime | None:
    with SQLiteStore(tmp_path / "pool.db") as opened, opened.transaction(read_only=True) as tx:
        return tx.list_presets()[0].last_invalidated_at


@pytest.fixture
def shelf() -> Iterator[Path]:
    """A folder that can be protected."""
    with make_shelf() as folder:
        yield folder


def test_a_store_that_may_not_be_written_can_be_read(
    shelf: Path, fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A protected file or folder, with and without a `run` at work on it. The file does not change."""
    path = shelf / "pool.db"
    store = f"sqlite:{path}"
    call(capsys, "run", "--store", store, "--fleet", str(fleet), "--once")
    expected = call(capsys, "status", "--store", store)
    before = path.read_bytes()
    shelf.chmod(0o555)
    path.chmod(0o444)
    with as_nobody():
        assert call(capsys, "status", "--store", store) == expected
        status, out, err = call(capsys, "pause", "--store", store)
        assert (status, out, len(err.splitlines())) == (2, "", 1)
        assert str(path) in err
    assert (path.read_bytes(), list(shelf.iterdir())) == (before, [path])
    shelf.chmod(0o755)
    path.chmod(0o644)
    with SQLiteStore(path) as opened:
        shelf.chmod(0o555)
        with as_nobody():
            assert call(capsys, "status", "--store", store) == expected
        with opened.transaction() as tx:
            tx.set_paused(paused=True)
        with as_nobody():
            assert "Reconciliation is paused" in call(capsys, "status", "--store", store)[1]


COMMANDS = (
    "status",
    "pause",
    "resume",
    "budget list",
    "budget set --max-starting 3",
    "budget remove",
    "invalidate web",
    "reset --all",
    "stage v2",
    "unstage v2",
    "promote v2",
    "retire w",
    "release w",
    "claim web --owner ann --name dev",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_store_that_is_not_there_is_not_made(
    command: str, any_store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By any command but `run`: the error says where it was looked for, and a second look finds no more."""
    for _ in range(2):
        status, out, err = call(capsys, *command.split(), "--store", any_store)
        assert (status, out) == (2, "")
        assert re.fullmatch(r"there is no store in \S+.*; `run` makes one\n", err)
    path = Path(any_store.partition(":")[2])
    assert not path.exists()


def test_an_empty_file_is_not_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And stays empty."""
    path = tmp_path / "pool.db"
    path.touch()
    assert call(capsys, "status", "--store", f"sqlite:{path}")[0] == 2
    assert call(capsys, "pause", "--store", f"sqlite:{path}")[0] == 2
    assert path.read_bytes() == b""


def list_prebuilds(tmp_path: Path) -> list[str]:
    """The ids of all unclaimed prebuilds."""
    with SQLiteStore(tmp_path / "pool.db") as store, store.transaction(read_only=True) as tx:
        return [workspace.id for workspace in tx.read_rows().prebuilds]


def test_a_claimed_workspace_is_released(
    store: str, tmp_path: Path, fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Field case 24: by the id that `claim` prints; the name is free at once, and the workspace is deleted."""
    call(capsys, "run", "--store", store, "--fleet", str(fleet), "--once")
    claim = ("claim", "web", "--store", store, "--owner", "ann", "--name", "dev", "--request-id", "r-1")
    first = call(capsys, *claim)[1].split()[-1].rstrip(")")
    release = ("release", first, "--store", store)
    assert call(capsys, *release) == (0, f"{first}: released; it will be deleted, and its name is free.\n", "")
    assert call(capsys, *release) == (0, f"{first}: was already released.\n", "")
    assert call(capsys, *claim) == (1, "web: the workspace of this request has been released\n", "")
    second = call(capsys, *claim[:-1], "r-2")[1].split()[-1].rstrip(")")
    assert second != first
    forget = ("release", second, "--forget", "--store", store)
    assert call(capsys, *forget) == (0, f"{second}: forgotten; its name is free.\n", "")
    assert call(capsys, "run", "--store", store, "--once")[0] == 0
    assert {first, second}.isdisjoint(list_prebuilds(tmp_path))


def test_a_prebuild_is_retired(store: str, tmp_path: Path, fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is deleted and replaced. A user's workspace has to be released instead, and an unknown id is named."""
    call(capsys, "run", "--store", store, "--fleet", str(fleet), "--once")
    retired = list_prebuilds(tmp_path)[0]
    retire = ("retire", retired, "--store", store)
    assert call(capsys, *retire) == (0, f"{retired}: retired; it will be deleted and replaced.\n", "")
    assert call(capsys, *retire) == (0, f"{retired}: was already retired.\n", "")
    status, out, _ = call(capsys, "run", "--store", store, "--once")
    assert (status, out.splitlines()[0].partition(": ")[2]) == (0, "delete 1, create 1")
    assert retired not in list_prebuilds(tmp_path)
    claim = ("claim", "gpu", "--store", store, "--owner", "ann", "--name", "dev")
    claimed = call(capsys, *claim)[1].split()[-1].rstrip(")")
    for command, workspace in (("retire", claimed), ("release", list_prebuilds(tmp_path)[0]), ("retire", "ghost")):
        status, out, err = call(capsys, command, workspace, "--store", store)
        assert (status, out, len(err.splitlines())) == (2, "", 1)
        assert workspace in err


def list_reset(tmp_path: Path) -> list[str]:
    """The ids of the presets that have ever been reset."""
    with SQLiteStore(tmp_path / "pool.db") as store, store.transaction(read_only=True) as tx:
        return sorted(preset_id for preset_id, _ in tx.read_rows().resets)


def test_an_outage_is_forgotten_for_all(store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Field case 25: for every preset, or for those of a template. An unknown template is named."""
    presets = [{"id": name, "template_id": name[0], "desired_instances": 1} for name in ("a1", "a2", "b1")]
    fleet = write_fleet(tmp_path, *presets)
    call(capsys, "run", "--store", store, "--fleet", str(fleet), "--once")
    reset = ("reset", "--store", store)
    assert call(capsys, *reset, "--template", "a") == (0, "2 presets: earlier failures no longer count.\n", "")
    assert list_reset(tmp_path) == ["a1", "a2"]
    assert call(capsys, *reset, "--all") == (0, "3 presets: earlier failures no longer count.\n", "")
    assert list_reset(tmp_path) == ["a1", "a2", "b1"]
    assert call(capsys, *reset, "--template", "c") == (2, "", "there is no preset of the template 'c'\n")
    for wrong in ([], ["a1", "--all"], ["--all", "--template", "a"]):
        assert call(capsys, *reset, *wrong)[0] == 2


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (">/dev/full", "standard output: No space left on device\n"),
        ("| true", ""),
        (">&-", "standard output is closed\n"),
    ],
)
def test_a_run_goes_on_when_nobody_reads(
    output: str, said: str, store: str, fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It prints only the reason: the pools matter more than the output."""
    command = f"{sys.executable} -m prebuilds run --store {store} --fleet {fleet} --once {output}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False, text=True, timeout=LONG)  # noqa: S607
    assert done.stderr == said
    assert read_rows(call(capsys, "status", "--store", store)[1])["web"][:2] == [2, 2]


def test_a_size_is_found_from_the_claims_that_the_store_has_counted(
    store: str, fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No export by hand; without claims, or without any source of them, it says what is missing."""
    size = ("size", "--lead-time", "5m", "--store", store, "--format", "json")
    call(capsys, "run", "--store", store, "--fleet", str(fleet), "--once")
    assert call(capsys, *size) == (2, "", "the store: no claims\n")
    for name in ("a", "b", "c"):
        call(capsys, "claim", "web", "--store", store, "--owner", "ann", "--name", name)
    status, out, err = call(capsys, *size)
    assert (status, err) == (0, "")
    assert json.loads(out)["size"] == 3
    missing = "size needs the claims: --trace FILE, or --store URL for those that a store has counted\n"
    assert call(capsys, *size[:3]) == (2, "", missing)
