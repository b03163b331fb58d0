"""How sizing shows itself: rows, tables, charts, and the command."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from prebuilds.cli import main
from prebuilds.whatif import Curve, Recommendation, generate_profile, recommend, sweep

CLAIMS = str(Path(__file__).parent.parent.parent / "docs" / "examples" / "claims.csv.gz")
OPTIONS = ("size", "--trace", CLAIMS, "--preset", "backend-large", "--lead-time", "5m")
BEGIN = datetime(2026, 3, 2, tzinfo=timezone.utc)
LEAD_TIME = timedelta(minutes=5)


@pytest.fixture(scope="module")
def curve() -> Curve:
    trace = generate_profile([1.0] * 8 + [20.0] * 16, begin=BEGIN, end=BEGIN + timedelta(days=5), seed=1)
    return sweep(trace, LEAD_TIME)


@pytest.fixture(scope="module")
def made() -> Recommendation:
    trace = generate_profile([1.0] * 8 + [20.0] * 16, begin=BEGIN, end=BEGIN + timedelta(days=5), seed=1)
    return recommend(trace, LEAD_TIME)


def test_rows_are_the_same_in_every_view(curve: Curve) -> None:
    """A dict for each size, a data frame of them, and a table with the notes."""
    rows = curve.to_dicts()
    assert [row["size"] for row in rows] == list(range(len(curve)))
    assert list(curve.to_pandas()["misses"]) == [row["misses"] for row in rows]
    html = curve._repr_html_()
    assert html.count("<tr>") == len(rows) + 1
    assert "each size measured on all of them" in html
    assert repr(curve).startswith("Curve(on_miss=<OnMiss.COLD_START: 'cold_start'>")


def test_charts_can_be_drawn(curve: Curve, made: Recommendation) -> None:
    """As SVG, with a title on each axis and the size that was asked for marked."""
    vl_convert = pytest.importorskip("vl_convert")
    drawn = vl_convert.vegalite_to_svg(curve.chart(hit_rate=0.99).to_json())
    chosen = curve.smallest(hit_rate=0.99)
    for text in ("prebuilds that stand idle, on average", "claims that find one ready (%)", f"{chosen.size} for 0.99"):
        assert text in drawn
    heat = vl_convert.vegalite_to_svg(made.chart().to_json())
    for text in ("hour of the day (UTC)", "needed in the past", "to be kept", "Mon", "Sun", "prebuilds"):
        assert text in heat
    assert "0.99" not in vl_convert.vegalite_to_svg(curve.chart().to_json())


def test_a_recommendation_explains_itself(made: Recommendation) -> None:
    """Windows, the base, the report and what the history does not tell."""
    lines = made.explain().splitlines()
    assert lines[0] == "Keep, by the clock of UTC:"
    assert lines[len(made.schedules) + 1].endswith("at all other times" if made.schedules else "at all times")
    assert "Unknown: the history has no whole Sat, Sun" in made.explain()
    assert made._repr_html_().count("<tr>") == len(made.schedules) + 2


def test_the_command_names_the_size(capsys: pytest.CaptureFixture[str]) -> None:
    """As text and as JSON."""
    assert main([*OPTIONS]) == 0
    assert "Keep 5." in capsys.readouterr().out
    assert main([*OPTIONS, "--format", "json", "--on-miss", "wait"]) == 0
    assert json.loads(capsys.readouterr().out)["size"] == 5


def test_the_command_recommends_and_judges(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Schedules and the report, with what came later judged; the chart in a file."""
    chart = tmp_path / "chart.html"
    until = ["--until", "2026-11-16T00:00:00Z", "--chart", str(chart)]
    assert main([*OPTIONS, "--windows", "1", "--format", "json", *until]) == 0
    written = json.loads(capsys.readouterr().out)
    assert set(written) == {"desired_instances", "timezone", "schedules", "notes"}
    assert len(written["schedules"]) == 1
    assert written["notes"][-2].startswith("Held out from 2026-11-16 00:00:00 UTC")
    assert "vega" in chart.read_text()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--preset", "nobody"], "no claims of the preset nobody"),
        (["--windows", "2", "--timezone", "Mars"], "recommend.timezone: 'Mars' is not allowed"),
        (["--until", "2030-01-01T00:00:00Z"], "the span of the trace"),
        (["--column", "when"], "line 1"),
        (["--trace", "nowhere.csv"], "nowhere.csv: No such file or directory"),
    ],
)
def test_a_wrong_question_is_answered_with_what_is_wrong(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, with the exit status 2."""
    assert main([*OPTIONS, *arguments]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert problem in output.err


@pytest.mark.parametrize(("package", "call"), [("pandas", "to_pandas()"), ("altair", "chart()")])
def test_without_the_extra_the_error_names_it(package: str, call: str) -> None:
    """What draws, and data frames, come with `notebook`."""
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from datetime import timedelta; from prebuilds.whatif import predict\n"
        f"predict(1, timedelta(minutes=5)).{call}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert f"{package} is not installed; it comes with an extra: pip install 'prebuilds[notebook]'" in done.stderr
