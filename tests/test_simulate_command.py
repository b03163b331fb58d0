"""`simulate` on the command line: its tables, its JSON, its charts, and how it takes bad input."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from prebuilds import Autoscale, GlobalSnapshot, Preset, dump_snapshot, load_snapshot
from prebuilds.cli import main
from prebuilds.whatif import Scenario, learn_demand, read_traces, simulate

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"
FLEET, CLAIMS = str(EXAMPLES / "fleet.json"), str(EXAMPLES / "claims.csv.gz")
UNTIL = datetime(2026, 11, 16, tzinfo=timezone.utc)
BASE = ["simulate", FLEET, "--lead-time", "6m", "--interval", "1h"]


def fail(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """The lines on standard error of a call that fails as bad input does."""
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = int(stop.code or 0)
    output = capsys.readouterr()
    assert (status, output.out) == (2, "")
    return output.err.splitlines()


def test_json_has_the_numbers_of_the_simulation(capsys: pytest.CaptureFixture[str]) -> None:
    """Durations in seconds, and the misses explained that were asked for."""
    assert main([*BASE, "--trace", CLAIMS, "--format", "json", "--explain", "2", "--seed", "4"]) == 0
    printed = json.loads(capsys.readouterr().out)
    scenario = Scenario(fleet=load_snapshot(FLEET).presets, lead_time=timedelta(minutes=6), interval=timedelta(hours=1))
    result = simulate(scenario, read_traces(CLAIMS), seed=4)
    rows = [
        {name: value.total_seconds() if isinstance(value, timedelta) else value for name, value in row.items()}
        for row in result.to_dicts()
    ]
    assert printed["presets"] == rows
    assert printed["explanations"] == [result.explain_miss(0), result.explain_miss(1)]
    assert (printed["seed"], printed["begin"]) == (4, "2026-10-26T02:49:32Z")


OVERLAP = (
    "data-gpu keeps its own count, as its schedules cannot be used: schedules[0] and schedules[1]: "
    "`* 7-19 * * mon-fri` and `* 9-11 * * fri,sat` overlap, first on Fri 1 Jan, 09:00-09:59."
)


def test_a_table_has_a_line_for_each_preset_and_one_for_all(capsys: pytest.CaptureFixture[str]) -> None:
    """What users met, and below what it took; each fits 79 columns. Of no claims there is no hit rate.

    Below them is a note on schedules that cannot be used (field case 26).
    """
    assert main([*BASE, "--trace", CLAIMS]) == 0
    users, (*builds, note) = (part.splitlines() for part in capsys.readouterr().out.split("\n\n"))
    assert note == OVERLAP
    for lines in (users, builds):
        names = [preset.id for preset in load_snapshot(FLEET).presets]
        assert [line.split()[0] for line in lines] == ["preset", *names, "all"]
        assert max(map(len, lines)) <= 79
    assert [line for line in users if "100" in line] == []  # as three presets have no claims


@pytest.mark.parametrize(("preset", "notes"), [("data-gpu", [OVERLAP]), ("backend-large", [])])
def test_json_has_the_notes(preset: str, notes: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """On the presets that were simulated, and on no other."""
    assert main([*BASE, "--trace", CLAIMS, "--preset", preset, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == notes


def test_the_result_of_one_preset_has_the_notes_on_it_alone() -> None:
    """Taken out of the result of a fleet too."""
    scenario = Scenario(fleet=load_snapshot(FLEET).presets, lead_time=timedelta(minutes=6), interval=timedelta(hours=1))
    result = simulate(scenario, read_traces(CLAIMS))
    assert [result.for_preset(name).notes for name in ("data-gpu", "docs")] == [(OVERLAP,), ()]


def test_claims_without_a_preset_belong_to_the_one_that_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file with instants alone needs `--preset`, where the fleet has several."""
    file = tmp_path / "claims.csv"
    file.write_text("at\n2026-11-09T09:00:00Z\n2026-11-09T10:00:00Z\n")
    assert main([*BASE, "--trace", str(file), "--column", "at", "--preset", "docs"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == ["docs", "2"]
    (problem,) = fail(capsys, *BASE, "--trace", str(file), "--column", "at")
    assert problem == f"{file}: it has no column preset_id, and the fleet has 7 presets; choose one with --preset"


@pytest.mark.parametrize(("name", "beginning"), [("chart.svg", "<svg"), ("chart.html", "<!DOCTYPE html>")])
def test_the_chart_is_written(tmp_path: Path, name: str, beginning: str) -> None:
    pytest.importorskip("vl_convert")
    file = tmp_path / name
    assert main([*BASE, "--trace", CLAIMS, "--preset", "data-gpu", "--chart", str(file)]) == 0
    assert file.read_text(encoding="utf-8").lstrip().startswith(beginning)


def test_bad_input_is_reported_line_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every bad row with its line, files that are not there, and options that cannot be."""
    bad = tmp_path / "bad.csv"
    bad.write_text("claimed_at,preset_id\nnoon,web\n2026-11-09T09:00:00Z,\n2026-11-09,web\n")
    problems = fail(capsys, *BASE, "--trace", str(bad))
    assert problems == [
        f"{bad}: line 2: 'noon' is not an RFC 3339 instant such as 2026-01-31T09:30:00Z; "
        "1 more row like this: line 4: '2026-11-09'",
        f"{bad}: line 3: preset_id is missing",
    ]
    assert fail(capsys, *BASE, "--trace", str(tmp_path / "none.csv")) == [
        f"{tmp_path}/none.csv: No such file or directory"
    ]
    assert "no claims of the preset web" in fail(capsys, *BASE, "--trace", CLAIMS, "--preset", "web")[0]
    assert "'nobody'" in fail(capsys, *BASE, "--trace", CLAIMS, "--preset", "nobody")[0]
    for option, value, told in (
        ("--lead-time", "5", "'5' is not a duration such as 5m, 90s, 1h30m or 2d"),
        ("--failure-rate", "2", "'2' is not a number from 0 to 1"),
        ("--interval", "0s", "argument --interval: '0s' is shorter than 1s"),
        ("--lead-time", "999999999d", "'999999999d' is longer than 36525d"),
        ("--seed", "9" * 5_000, "is not a whole number from -9223372036854775807 to 9223372036854775807"),
        ("--explain", "-1", "'-1' is not a whole number from 0 to 2147483647"),
        ("--timezone", "Mars", "'Mars' is not a known time zone"),
        ("--chart", "chart.png", "'chart.png' does not end in .html or .svg"),
    ):
        assert told in fail(capsys, *BASE, "--trace", CLAIMS, option, value)[-1]
    there = str(tmp_path / "none" / "chart.html")
    assert fail(capsys, *BASE, "--trace", CLAIMS, "--preset", "docs", "--chart", there)[-1].startswith(CLAIMS)
    given = (*BASE, "--trace", CLAIMS, "--preset", "mobile", "--chart", there)
    assert fail(capsys, *given) == [f"{there}: No such file or directory"]


def test_presets_learn_from_the_claims_before_an_instant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The later ones are simulated; what a fleet file has learned is kept without it."""
    scale = Autoscale(hit_rate=0.9, lead_time=timedelta(minutes=5), max_instances=30)
    web = Preset(id="backend-large", desired_instances=0, autoscale=scale)
    claims = read_traces(CLAIMS)["backend-large"]
    past, later = claims.split_at(UNTIL)
    learned = GlobalSnapshot(presets=[web], demand=[learn_demand(web, past, begin=past.begin, end=past.end)])
    expected = simulate(Scenario(fleet=learned, lead_time=timedelta(minutes=5)), later)
    (tmp_path / "later.csv").write_text("\n".join(["claimed_at", *(claim.isoformat() for claim in later)]))
    for snapshot, arguments in (
        (GlobalSnapshot(presets=[web]), [CLAIMS, "--preset", "backend-large", "--until", UNTIL.isoformat()]),
        (learned, [str(tmp_path / "later.csv")]),
    ):
        (tmp_path / "fleet.json").write_text(json.dumps(dump_snapshot(snapshot)), encoding="utf-8")
        call = ["simulate", str(tmp_path / "fleet.json"), "--lead-time", "5m", "--format", "json"]
        assert main([*call, "--trace", *arguments]) == 0
        printed = json.loads(capsys.readouterr().out)
        assert printed["presets"][0]["claims"] == expected.claims
        assert abs(printed["presets"][0]["misses"] - expected.misses) <= 1  # the other file begins with a claim
        assert printed["notes"] == list(expected.notes)
        assert printed["notes"][0].startswith("backend-large: No promise of 0.9 (short past)")


def test_an_instant_outside_the_claims_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = fail(capsys, *BASE, "--trace", CLAIMS, "--until", "2030-01-01T00:00:00Z")
    assert line.startswith(f"{CLAIMS}: --until is 2030-01-01T00:00:00Z; the claims are from 2026-10-26T02:49:32Z to ")
