"""`check` on the command line: every problem of a fleet file at once, and no false alarm."""

from __future__ import annotations

import io
import json
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given

from prebuilds import FindingKind, GlobalSnapshot, Schedule, Severity, check_schedules, dump_snapshot
from prebuilds.cli import main
from prebuilds.commands.fleet.checking import Problem, find_problems, read_checked
from prebuilds.testing import strategies

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=timezone.utc)
PROPORTION = "20 times the file's median count but at least 100 and at most 10000"
CLOSED = {"timezone": "UTC", "desired_instances": 0}
EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"


def make(*presets: dict[str, Any], **builder: object) -> dict[str, Any]:
    """A fleet file with these presets, whose ids are counted, and which want 2 unless they say otherwise."""
    rows = [{"id": f"p{place}", "desired_instances": 2, **preset} for place, preset in enumerate(presets)]
    return {"builder": builder, "snapshot": {"presets": rows}}


def find(document: object) -> tuple[Problem, ...]:
    return find_problems(read_checked(document))


def check(*presets: dict[str, Any], **builder: object) -> list[str]:
    return [str(problem) for problem in find(make(*presets, **builder))]


def test_all_problems_are_reported_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its file, its place, the value and what is allowed; a field that cannot be read hides no other."""
    file = tmp_path / "fleet.json"
    document = make(
        {
            "timezone": "europe/berlin",
            "schedules": [{"cron": "60 22-6 * * *", "instances": 3}, {"cron": "0 * 9 * * *", "instances": 1}],
        },
        {"desired_instances": -2, "ttl_seconds": 60},
        {"desired_instances": 1_000_000_000},
        {"schedules": [{"cron": "* 9 * * *", "instances": 5_000}]},
        {"timezone": "UTC", "schedules": [{"cron": f"* {hours} * 2 *", "instances": 1} for hours in ("1", "2", "1-2")]},
        {"timezone": "UTC", "schedules": [{"cron": "* * 30 feb *", "instances": 1}], "id": 7},
        {"timezone": "UTC", "schedules": [{"cron": "* * * * 1", "instances": 1, "dates": ["2026-07-28"]}]},
        {"timezone": "UTC", "schedules": [{"cron": "* * * * 1", "instances": 1, "lead_seconds": 7 * 86_400 + 1}]},
        speed=2,
        delay_seconds=300,
    )
    file.write_text(json.dumps(document))
    assert main(["check", str(file)]) == 1
    output = capsys.readouterr()
    overlap = "overlap, first on Sun 1 Feb"
    assert output.err == ""
    assert [line.removeprefix(f"{file}: ") for line in output.out.splitlines()] == [
        "snapshot.presets[1].desired_instances: -2 is not allowed; it must be a whole number from 0 to 2147483647",
        "snapshot.presets[5].id: 7 is not allowed; it must be text of 1 to 500 characters, none of them a control "
        "character",
        "snapshot.presets[7].schedules[0].lead_seconds: 604801 is not allowed; it must be seconds, from 0 to 7 days",
        "builder.speed: unknown key",
        "snapshot.presets[0].timezone: 'europe/berlin' is not a known time zone: the nearest name is Europe/Berlin "
        "(preset p0)",
        'snapshot.presets[0].schedules[0].cron: "60 22-6 * * *": minute field: `60` is not from 0 to 59 (preset p0)',
        'snapshot.presets[0].schedules[1].cron: "0 * 9 * * *": needs 5 fields, has 6: leave out the seconds '
        "(preset p0)",
        "snapshot.presets[1].ttl_seconds: 1 min is not longer than a build takes, 5 min: a prebuild ages while it is "
        "built, so it expires before anybody can claim it, and is replaced for ever; make the ttl longer, or leave it "
        "out (preset p1)",
        "snapshot.presets[2].desired_instances: 1000000000 is out of proportion; it must be a number from 0 to 100, "
        f"{PROPORTION} (preset p2)",
        "snapshot.presets[3].timezone: missing; schedules need the name of a time zone (preset p3)",
        "snapshot.presets[3].schedules[0].instances: 5000 is out of proportion; it must be a number from 0 to 100, "
        f"{PROPORTION} (preset p3)",
        f"snapshot.presets[4].schedules: schedules[0] and schedules[2]: `* 1 * 2 *` and `* 1-2 * 2 *` {overlap}, "
        "01:00-01:59; no hour may be in two windows (preset p4)",
        f"snapshot.presets[4].schedules: schedules[1] and schedules[2]: `* 2 * 2 *` and `* 1-2 * 2 *` {overlap}, "
        "02:00-02:59; no hour may be in two windows (preset p4)",
        "snapshot.presets[5].schedules[0].cron: `* * 30 feb *` never opens; it must have a date that exists (preset ?)",
        "snapshot.presets[6].schedules[0].cron: `* * * * 1` never opens; it must have one of the schedule's own dates "
        "(preset p6)",
    ]


def test_json_has_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The path, the message and the preset's id, each by itself; a bare snapshot has no prefix."""
    file = tmp_path / "fleet.json"
    file.write_text(
        json.dumps({"presets": [{"id": "web", "desired_instances": 1, "timezone": "Mars/Olympus"}], "x": 1})
    )
    assert main(["check", str(file), "--format", "json"]) == 1
    message, error = "'Mars/Olympus' is not a known time zone", {"severity": "error", "finding": ""}
    assert json.loads(capsys.readouterr().out) == {
        "file": str(file),
        "problems": [
            {"path": "x", "message": "unknown key", "preset_id": "", **error},
            {"path": "presets[0].timezone", "message": message, "preset_id": "web", **error},
        ],
    }


def test_the_examples_raise_no_false_alarm(capsys: pytest.CaptureFixture[str]) -> None:
    """The one overlap that is there on purpose is found, and nothing else."""
    assert main(["check", str(EXAMPLES / "pool.json")]) == 0
    assert capsys.readouterr().out == f"{EXAMPLES / 'pool.json'}: no problems\n"
    assert main(["check", str(EXAMPLES / "pool.json"), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["problems"] == []
    assert main(["check", str(EXAMPLES / "fleet.json"), "--format", "json"]) == 1
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert (problem["path"], problem["preset_id"]) == ("snapshot.presets[3].schedules", "data-gpu")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "document: not JSON: the document is empty"),
        (b"[]", "snapshot: [] is not allowed; it must be an object"),
        (b'{"presets": {}}', "presets: {} is not allowed; it must be a list"),
        (b'{"presets": [7]}', "presets[0]: 7 is not allowed; it must be an object"),
        (b'{"builder": 5, "snapshot": {}}', "builder: 5 is not allowed; it must be an object"),
        (b'{"snapshot": null}', "snapshot: null is not allowed; it must be an object"),
    ],
)
def test_content_that_is_not_a_fleet_is_a_problem(
    content: bytes, line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read from standard input here, where an answer can be given too."""
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    assert main(["check", "-"]) == 1
    assert capsys.readouterr() == (f"-: {line}\n", "")


def test_a_missing_file_is_an_error_and_not_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "missing.json"]) == 2
    assert capsys.readouterr() == ("", "missing.json: No such file or directory\n")


@pytest.mark.parametrize(("ttl", "problems"), [(None, 0), (0, 0), (0.5, 1), (90, 1), (90.000001, 0)])
def test_a_ttl_must_be_longer_than_a_build(ttl: float | None, problems: int) -> None:
    """A prebuild that is as old as its ttl when it becomes ready would be replaced for ever."""
    assert len(check({"ttl_seconds": ttl}, delay_seconds=90)) == problems
    assert check({"ttl_seconds": ttl}) == []


@pytest.mark.parametrize(
    ("settings", "paths"),
    [
        ({"build_deadline_seconds": 90}, ["build_deadline_seconds"]),
        ({"build_deadline_seconds": 91}, []),
        ({"refresh_ahead_seconds": 89, "ttl_seconds": 200}, ["refresh_ahead_seconds"]),
        ({"refresh_ahead_seconds": 90, "ttl_seconds": 200}, []),
        ({"refresh_ahead_seconds": 110, "ttl_seconds": 200}, ["refresh_ahead_seconds"]),
        ({"refresh_ahead_seconds": 90, "ttl_seconds": 200, "max_surge": 0}, ["max_surge"]),
        ({"schedules": [{"cron": "* 8-18 * * *", "instances": 2}], **CLOSED}, ["lead_seconds"]),
        ({"schedules": [{"cron": "* 20-6 * * *", "instances": 0}], "timezone": "UTC"}, ["desired_instances"]),
    ],
)
def test_findings_are_told_with_their_place(settings: dict[str, Any], paths: list[str]) -> None:
    """As the document has it, with durations in seconds."""
    problems = find(make(settings, delay_seconds=90))
    assert [problem.path.rpartition(".")[2] for problem in problems] == paths


@pytest.mark.parametrize(
    ("counts", "most"),
    [
        ([2, 5, 100], None),
        ([2, 5, 101], 100),
        ([0, 0, 0, 100], None),
        ([30, 40, 800], None),
        ([30, 40, 801], 800),
        ([2_000, 3_000, 9_000], None),
        ([10_000], None),
        ([10_001], 10_000),
        ([1_000_000_000, 1_000_000_000], 10_000),
    ],
)
def test_counts_are_judged_by_the_others(counts: list[int], most: int | None) -> None:
    """Up to 100 are always right, more than 10,000 never; between them 20 times the median of all but 0 is."""
    told = [
        f"snapshot.presets[{place}].desired_instances: {count} is out of proportion; it must be a number from 0 to "
        f"{most}, {PROPORTION} (preset p{place})"
        for place, count in enumerate(counts)
        if most is not None and count > most
    ]
    assert check(*({"desired_instances": count} for count in counts)) == told


@given(strategies.global_snapshots(now=NOW))
def test_a_snapshot_has_the_problems_of_its_schedules(snapshot: GlobalSnapshot) -> None:
    """No snapshot raises another alarm, but for a window that never opens, and a zone that only schedules need.

    As it is not known how long a build takes, findings are warnings alone.
    """
    found = find(dump_snapshot(snapshot))
    told = [problem for problem in found if not problem.finding and "never opens" not in problem.message]
    assert {problem.severity for problem in found if problem.finding} <= {Severity.WARNING}
    never = Schedule(cron="* * 30 2 *", instances=1)
    assert [problem.preset_id for problem in told] == [
        preset.id
        for preset in snapshot.presets
        for _ in check_schedules(
            preset.schedules or ([never] if preset.timezone else []), preset.timezone, preset.precedence
        )
    ]


BUSY = {"id": "web", "desired_instances": 1}
LIMITED = {"budgets": [{"max_instances": 5}, {"max_starting": 1, "scope": "template", "key": "t"}]}


def write(folder: Path, document: object, claims: str = "") -> list[str]:
    """A fleet file and a file of claims, as the arguments of `check`."""
    fleet, trace = folder / "fleet.json", folder / "claims.csv"
    fleet.write_text(json.dumps(document))
    trace.write_text(claims)
    return ["check", str(fleet), *(["--trace", str(trace)] if claims else [])]


def list_rows(*presets: str) -> str:
    """A claim every 2 minutes from 08:00 to 09:59 for each of these presets."""
    instants = [f"2026-11-23T{8 + minute // 60:02}:{minute % 60:02}:00Z" for minute in range(0, 120, 2)]
    return "claimed_at,preset_id\n" + "".join(f"{instant},{name}\n" for instant in instants for name in presets)


def test_a_warning_does_not_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told with the word, and with its severity in JSON; `--lead-time` comes before the builder's delay."""
    document = make({"schedules": [{"cron": "* 8-18 * * 1-5", "instances": 5}], **CLOSED}, delay_seconds=0)
    arguments = write(tmp_path, document)
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"{arguments[1]}: no problems\n"
    assert main([*arguments, "--lead-time", "5m"]) == 0
    told = (
        "nothing is ready for 5 min from Mon 08:00 on, as the target was 0 before and a build takes 5 min; make it 5 "
        "min or longer"
    )
    path = "snapshot.presets[0].schedules[0].lead_seconds"
    assert capsys.readouterr().out == f"{arguments[1]}: {path}: warning: {told} (preset p0)\n"
    assert main([*arguments, "--lead-time", "5m", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["problems"] == [
        {"path": path, "message": told, "preset_id": "p0", "severity": "warning", "finding": "opens_empty"}
    ]


def test_budgets_are_checked_at_their_places(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = write(tmp_path, {**make({"desired_instances": 4}, {"desired_instances": 4}), **LIMITED})
    assert main([*arguments, "--format", "json"]) == 1
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert (problem["path"], problem["finding"]) == ("budgets[0].max_instances", "budget_below_floors")


def test_claims_are_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One claim in 2 minutes takes 5 places where a build takes 10; a lower goal is content with less."""
    arguments = write(tmp_path, {"snapshot": {"presets": [BUSY]}, **LIMITED}, list_rows("web"))
    assert main([*arguments, "--lead-time", "10m"]) == 1
    assert capsys.readouterr().out == (
        f"{arguments[1]}: snapshot.presets[0].desired_instances: 48 of 60 claims (80%) find nothing ready, as the "
        "target is 1 and a build takes 10 min; 5 at all times would serve 90% at once (preset web)\n"
    )
    assert main([*arguments, "--lead-time", "10m", "--hit-rate", "0.2"]) == 0
    assert main([*arguments, "--lead-time", "1m"]) == 0


@pytest.mark.parametrize(
    ("rows", "options", "line"),
    [
        (
            "claimed_at\n2026-11-23T08:00:00Z\n",
            ("--lead-time", "5m"),
            "no column preset_id, and the fleet has 2 presets",
        ),
        (list_rows("api"), ("--lead-time", "5m"), "api"),
        (list_rows("web"), (), "--trace needs --lead-time, as the file does not say how long a build takes"),
        ("claimed_at,preset_id\nsoon,web\n", ("--lead-time", "5m"), "claims.csv: "),
    ],
)
def test_claims_that_do_not_fit_are_an_error(
    rows: str, options: tuple[str, ...], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2, and what is wrong, on standard error."""
    document = {"snapshot": {"presets": [BUSY, {**BUSY, "id": "gpu"}]}}
    assert main([*write(tmp_path, document, rows), *options]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert line in output.err


def test_one_preset_may_be_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Then the claims of a file without a column are its own."""
    rows = "\n".join(["claimed_at", *(row.partition(",")[0] for row in list_rows("web").splitlines()[1:])])
    arguments = write(tmp_path, {"snapshot": {"presets": [{**BUSY, "id": "gpu"}, BUSY]}}, rows)
    assert main([*arguments, "--lead-time", "10m", "--preset", "web", "--format", "json"]) == 1
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert (problem["path"], problem["preset_id"]) == ("snapshot.presets[1].desired_instances", "web")


def test_a_file_that_cannot_be_read_meets_no_claims(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only what could be read is checked by itself."""
    arguments = write(tmp_path, {"snapshot": {"presets": [{**BUSY, "desired_instances": -1}]}}, list_rows("web"))
    assert main([*arguments, "--lead-time", "10m"]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_the_page_has_every_finding_with_its_severity() -> None:
    """In the order of the members."""
    page = (EXAMPLES.parent / "decide" / "checking.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert [(row[0].strip("|` "), row[1]) for row in rows] == [
        (kind.value, kind.severity.value) for kind in FindingKind
    ]
