"""The command line as a user runs it: its output, its exit status, and its errors for bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from prebuilds import Policy, dump_plan, load_document, plan
from prebuilds.cli import main

ROOT = Path(__file__).parent.parent
FLEET = str(ROOT / "docs" / "examples" / "fleet.json")


def run(*arguments: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, its output as text."""
    done = subprocess.run(
        [sys.executable, "-m", "prebuilds", *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        cwd=ROOT,
        env=os.environ | environment,
        timeout=120,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def fail(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """The lines on standard error of a call that fails on bad input."""
    try:
        status = main(["plan", *arguments])
    except SystemExit as stop:
        status = int(stop.code or 0)
    output = capsys.readouterr()
    assert (status, output.out) == (2, "")
    return output.err.splitlines()


def test_the_example_shows_every_action_and_every_caveat() -> None:
    """Create, delete, back off, cancel; a fallback, a hard limit and an orphan: all in one believable fleet."""
    document = load_document(FLEET)
    assert document.now is not None
    assert document.backoff_interval is not None
    written = dump_plan(
        plan(document.snapshot, now=document.now, policy=Policy(backoff_interval=document.backoff_interval))
    )
    decisions = written["decisions"]
    assert {action["type"] for decision in decisions for action in decision["actions"]} == {
        "create",
        "delete",
        "backoff",
        "cancel_pending",
    }
    assert {entry["reason"] for decision in decisions for entry in decision["withheld"]} == {"hard_limited"}
    assert {decision["state"]["target_source"] for decision in decisions} == {
        "inactive",
        "preset",
        "schedule",
        "fallback",
    }
    assert written["orphans"] == 1
    printed = run("plan", FLEET, "--format", "json")
    assert (printed.returncode, json.loads(printed.stdout), printed.stderr) == (0, written, "")


def test_a_table_is_printed_plainly_where_there_is_no_terminal() -> None:
    """In 79 columns and without colours, whatever the environment says; each note is one line below."""
    printed = run("plan", FLEET, COLUMNS="40")
    lines = printed.stdout.splitlines()
    assert printed.returncode == 0
    assert lines[0].split() == ["preset", "want", "run", "old", "ready", "start", "actions"]
    assert lines[1].split() == "backend-large 5 (schedule) 3 1 2 1 delete 1, create 2".split()  # noqa: SIM905
    (backoff,) = [number for number, line in enumerate(lines) if line.startswith("mobile ")]
    assert lines[backoff].endswith("back off until 2026-11-23 ")
    assert lines[backoff + 1].strip() == "09:34:00 UTC"
    assert len(lines) == 1 + 7 + 2 + 3
    assert max(map(len, lines[:-3])) <= 79
    assert "\x1b" not in printed.stdout


def test_an_id_stays_whole_where_there_is_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """However long it is, so that a tool that reads the table finds it."""
    name = "a-preset-with-a-name-" + 5 * "that-goes-on-"
    path = tmp_path / "fleet.json"
    path.write_text(json.dumps({"presets": [{"id": name, "desired_instances": 1}]}))
    assert main(["plan", str(path), "--now", "2026-11-23T09:24:05Z"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == [name, "1"]


def test_text_is_the_plans_own_explanation() -> None:
    """Read from standard input here."""
    printed = run("plan", "-", "--format", "text", stdin=Path(FLEET).read_bytes())
    assert printed.returncode == 0
    assert (
        "backend-large: create 2: 5 wanted (window `* 8-18 * * 1-5`, Europe/Berlin, until 18:59), "
        "2 running, 1 expired, 1 starting\n"
    ) in printed.stdout


def test_strict_refuses_schedules_that_cannot_be_used(capsys: pytest.CaptureFixture[str]) -> None:
    """With exit status 3, the same answer, and a line on standard error; of the presets that are shown alone."""
    plain, strict = (main(["plan", FLEET, "--format", "json", *options]) for options in ([], ["--strict"]))
    output = capsys.readouterr()
    assert (plain, strict) == (0, 3)
    first = output.out[: len(output.out) // 2]
    assert output.out == 2 * first
    (line,) = output.err.splitlines()
    assert line.startswith(f"{FLEET}: data-gpu keeps its own count, as its schedules cannot be used: schedules[0] and ")
    assert main(["plan", FLEET, "--strict", "--preset", "backend-large"]) == 0
    assert main(["plan", FLEET, "--strict", "--preset", "data-gpu"]) == 3
    assert main(["plan", "missing.json", "--strict"]) == 2


def test_options_win_over_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    """The instant, the interval, the pause, and which preset is shown."""
    options = ["--now", "2026-11-23T09:24:05Z", "--backoff-interval", "2.5", "--preset", "mobile", "--paused"]
    assert main(["plan", FLEET, "--format", "text", *options]) == 0
    assert capsys.readouterr().out == (
        "At 2026-11-23 09:24:05 UTC, 1 preset:\n"
        "mobile: withheld (paused): back off until 2026-11-23 09:24:05 UTC: 2 failed builds, "
        "the last at 2026-11-23 09:24:00 UTC, and a wait of 2.5 s for each\n"
        "Reconciliation is paused: nothing is to be done.\n"
        "1 row of running left alone: there is no preset intern-sandbox.\n"
        "Next change 2026-11-23 09:24:05.000001 UTC: the backoff of the preset mobile ends.\n"
    )


def test_without_an_instant_the_clock_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A document that brings none is decided as of now, with the usual interval."""
    path = tmp_path / "fleet.json"
    path.write_text('{"presets": [{"id": "p", "desired_instances": 1}]}')
    assert main(["plan", str(path), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["decisions"][0]["actions"] == [{"type": "create", "create": 1}]


BAD: list[tuple[str, bytes | str, list[str]]] = [
    ("an empty file", b"", ["document: not JSON: the document is empty"]),
    ("truncated JSON", b'{"presets": [{"id"', ["document: not JSON: line 1, column 19: Expecting ':' delimiter"]),
    (
        "a naive datetime",
        b'{"running": [{"id": "w", "preset_id": "p", "created_at": "2026-01-01T00:00:00"}]}',
        [
            'running[0].created_at: "2026-01-01T00:00:00" has no time zone; '
            "write an RFC 3339 instant such as 2026-01-31T09:30:00Z"
        ],
    ),
    (
        "a negative count",
        b'{"presets": [{"id": "p", "desired_instances": -1}]}',
        ["presets[0].desired_instances: -1 is not allowed; it must be a whole number from 0 to 2147483647"],
    ),
    (
        "duplicate preset ids, and something else",
        b'{"presets": [{"id": "p", "desired_instances": 1}, {"id": "p", "desired_instances": null}]}',
        [
            "presets[1].desired_instances: null is not allowed; it must be a whole number from 0 to 2147483647",
            'presets[1].id: "p" is given twice, first by presets[0]',
        ],
    ),
    (
        "a cron of 10,000 characters",
        b'{"presets": [{"id": "p", "desired_instances": 1, "schedules": [{"cron": "* '
        + b"1," * 4_999
        + b'", "instances": 1}]}]}',
        [
            f'presets[0].schedules[0].cron: "* {"1," * 28}1...{"1," * 7}" '
            "(10002 characters) is not allowed; it must be five cron fields, in at most 500 characters"
        ],
    ),
]


@pytest.mark.parametrize(("content", "problems"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_documents_are_reported_in_one_line_for_each_problem(
    content: bytes, problems: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2, nothing on standard output, and the file and the path in it for each problem."""
    path = tmp_path / "fleet.json"
    path.write_bytes(content)
    assert fail(capsys, str(path)) == [f"{path}: {problem}" for problem in problems]


@pytest.mark.parametrize(
    "unit",
    [bytes(range(256)), b"[", b"{", b'"', b"1", b"[1,", b'{"presets":', b"\x00"],
    ids=lambda unit: repr(unit[:12]),
)
def test_fifty_megabytes_of_garbage_are_one_problem(
    unit: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of any kind: no hang, no traceback, no flood."""
    path = tmp_path / "garbage"
    path.write_bytes(unit * (50 * 2**20 // len(unit)))
    (line,) = fail(capsys, str(path))
    assert line.startswith(f"{path}: document: not ")
    assert len(line) < 300


def test_a_file_of_garbage_is_given_up_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of millions of wrong rows the first thousand are listed."""
    path = tmp_path / "garbage"
    path.write_text(f'{{"presets": [{"1," * 2_000_000}1]}}')
    assert len(fail(capsys, str(path))) == 1_001


def test_a_path_that_is_not_a_file_is_reported_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory, or nothing at all."""
    assert fail(capsys, str(tmp_path)) == [f"{tmp_path}: Is a directory"]
    assert fail(capsys, str(tmp_path / "none")) == [f"{tmp_path / 'none'}: No such file or directory"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--now", "2026-01-01"], "argument --now: '2026-01-01' is not an RFC 3339 instant such as"),
        (["--now", "0001-01-01T00:00:00Z"], "plan.now: "),
        (
            ["--backoff-interval", "-1"],
            "argument --backoff-interval: '-1' is not 0 or a number of seconds from 0.000001",
        ),
        (
            ["--backoff-interval", "nan"],
            "argument --backoff-interval: 'nan' is not 0 or a number of seconds from 0.000001",
        ),
        (["--backoff-interval", "1e-7"], "argument --backoff-interval: '1e-7' is not 0 or a number of seconds from"),
        (["--preset", "ghost"], "there is no preset with the id 'ghost'"),
        (["--format", "yaml"], "argument --format: invalid choice: 'yaml'"),
    ],
)
def test_bad_options_are_named(arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With the value and what is allowed."""
    assert problem in fail(capsys, FLEET, *arguments)[-1]


def test_a_reader_that_goes_away_is_no_error() -> None:
    """`plan ... | head -1` ends without a traceback."""
    command = f"{sys.executable} -m prebuilds plan {FLEET} --format json | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True, cwd=ROOT, timeout=60)  # noqa: S607
    assert (done.stdout, done.stderr) == (b"{\n", b"")


@pytest.mark.parametrize("form", ["table", "json", "text"])
def test_names_that_the_terminal_cannot_show_are_spelt_out(form: str) -> None:
    """Rather than with a traceback."""
    fleet = '{"presets": [{"id": "caf\u00e9", "desired_instances": 1}]}'.encode()
    printed = run("plan", "-", "--format", form, stdin=fleet, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (printed.returncode, printed.stderr) == (0, "")
    assert "caf\\xe9" in printed.stdout or "caf\\u00e9" in printed.stdout


@pytest.mark.parametrize(
    ("redirection", "problem"),
    [
        ("<&-", "-: standard input is closed"),
        (">&-", "standard output is closed"),
        (">/dev/full", "standard output: No space left on device"),
    ],
)
def test_streams_that_fail_are_named(redirection: str, problem: str) -> None:
    """Standard input that is closed, and output that cannot be written: not the file is to blame."""
    file = "-" if redirection.startswith("<") else FLEET
    command = f"{sys.executable} -m prebuilds plan {file} --format json {redirection}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False, cwd=ROOT, timeout=60)  # noqa: S607
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().splitlines()[0] == problem


def test_without_rich_the_error_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table needs it; the other formats do not."""
    monkeypatch.setitem(sys.modules, "rich", None)
    assert main(["plan", FLEET, "--format", "text"]) == 0
    capsys.readouterr()
    assert fail(capsys, FLEET) == ["rich is not installed; it comes with an extra: pip install 'prebuilds[cli]'"]


def test_help_says_what_the_command_does() -> None:
    """For the whole and for the command."""
    assert "show what to create and delete for a snapshot, and why" in run("--help").stdout
    assert "seconds to wait for each failed build" in run("plan", "--help").stdout


def test_ids_are_printed_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What looks like markup of the table's library is text."""
    path = tmp_path / "fleet.json"
    path.write_text('{"presets": [{"id": "[red]p[/red]", "desired_instances": 1}]}')
    assert main(["plan", str(path)]) == 0
    assert "[red]p[/red]" in capsys.readouterr().out
