"""How sizing shows itself: rows, tables, charts, and the command."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from prebuilds.cli import main
from prebuilds.errors import InsufficientHistoryError
from prebuilds.whatif import Curve, Recommendation, Trace, generate_profile, judge, recommend, sweep
from prebuilds.whatif.views.rows import describe_value

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
    assert set(written) == {"kind", "desired_instances", "timezone", "schedules", "options", "notes"}
    assert (written["kind"], len(written["options"][1]["schedules"])) == ("single size", 1)
    assert [option["kind"] for option in written["options"]] == ["single size", "schedules"]
    assert written["options"][1]["saved_at_equal_hits"] > 0.2
    assert written["notes"][-2].startswith("Held out from 2026-11-16 00:00:00 UTC")
    assert "vega" in chart.read_text()


def test_the_command_compares_autoscale(capsys: pytest.CaptureFixture[str]) -> None:
    """With or without schedules beside it."""
    assert main([*OPTIONS, "--autoscale", "--format", "json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert [option["kind"] for option in written["options"]] == ["single size", "autoscale"]
    assert main([*OPTIONS, "--autoscale", "--windows", "1"]) == 0
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()[1:4]] == [
        "single size",
        "schedules",
        "autoscale",
    ]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--preset", "nobody"], "no claims of the preset nobody"),
        (["--windows", "2", "--timezone", "Mars"], "argument --timezone: 'Mars' is not a known time zone"),
        (["--until", "2030-01-01T00:00:00Z"], "--until is 2030-01-01T00:00:00Z; the claims are from 2026-10-26"),
        (["--lead-time", "999999999d"], "argument --lead-time: '999999999d' is longer than 36525d"),
        (["--lead-time", f"{'9' * 9}d{'9' * 9}h"], "is longer than 36525d"),
        (["--hit-rate", "0"], "argument --hit-rate: '0' is not a number above 0, up to 1"),
        (["--hit-rate", "nan"], "argument --hit-rate: 'nan' is not a number from 0 to 1"),
        (["--windows", "25"], "argument --windows: '25' is not a whole number from 0 to 24"),
        (["--chart", ".html"], "argument --chart: '.html' does not end in .html or .svg"),
        (["--thin", "9" * 5_000], "is not a whole number from 1 to 2147483647"),
        (["--column", "when"], "line 1"),
        (["--trace", "nowhere.csv"], "nowhere.csv: No such file or directory"),
    ],
)
def test_a_wrong_question_is_answered_with_what_is_wrong(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, the last on standard error, with the exit status 2; in the words of the command line."""
    assert problem in fail(capsys, *OPTIONS, *arguments)[-1]


def fail(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """The lines on standard error of a call that fails as a wrong question does."""
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = int(stop.code or 0)
    output = capsys.readouterr()
    assert (status, output.out) == (2, "")
    return output.err.splitlines()


@pytest.mark.parametrize("content", [b"", b"claimed_at\n", b"\x1f\x8b\x08", gzip.compress(b"claimed_at")[:-9]])
def test_a_file_that_is_not_really_compressed_is_named(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Empty, not compressed, cut off in its head or at its end: one line that begins with the file."""
    file = tmp_path / "claims.csv.gz"
    file.write_bytes(content)
    (problem,) = fail(capsys, "size", "--trace", str(file), "--lead-time", "5m")
    assert problem.startswith(f"{file}: ")


def test_a_file_of_several_presets_is_not_a_pool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without `--preset` they are listed; the claims of one preset alone need no name."""
    (problem,) = fail(capsys, "size", "--trace", CLAIMS, "--lead-time", "5m")
    listed = "backend-large, backend-small, data-gpu, mobile"
    assert problem == f"{CLAIMS}: it has claims of 4 presets; choose one with --preset: {listed}"
    file = tmp_path / "claims.csv"
    file.write_text("claimed_at,preset_id\n2026-11-09T09:00:00Z,web\n2026-11-09T09:01:00Z,web\n")
    assert main(["size", "--trace", str(file), "--lead-time", "5m"]) == 0
    assert "Keep 2." in capsys.readouterr().out


def test_claims_in_local_time_need_a_zone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Field case 32: without it, one line says what to add, and how many rows need it."""
    file = tmp_path / "claims.csv"
    file.write_text("claimed_at\n" + "2026-11-26 22:02:36.346652\n" * 30)
    (problem,) = fail(capsys, "size", "--trace", str(file), "--lead-time", "5m")
    assert problem.startswith(f"{file}: line 2: '2026-11-26 22:02:36.346652' has no time zone; name it with `timezone`")
    assert "29 more rows like this" in problem
    assert main(["size", "--trace", str(file), "--lead-time", "5m", "--timezone", "Europe/Berlin"]) == 0
    assert "Keep 30." in capsys.readouterr().out


def test_what_a_terminal_shows_fits_its_width(capsys: pytest.CaptureFixture[str]) -> None:
    """79 columns hold the tables of sizes and of windows."""
    for given in ([], ["--windows", "3"]):
        assert main([*OPTIONS, *given]) == 0
        lines = capsys.readouterr().out.splitlines()
        rows = next(place for place, line in enumerate(lines) if line.startswith(("Keep", "Take")))
        assert max(map(len, lines[:rows])) <= 79


def test_there_is_no_share_of_no_claims(capsys: pytest.CaptureFixture[str]) -> None:
    """No 100 % in a table or a report, and a chart that would be empty is an error."""
    curve = sweep(Trace.from_claims([], begin=BEGIN, end=BEGIN + timedelta(days=1)), LEAD_TIME)
    assert curve.to_dicts() == [{"size": 0, "hit_rate": None, "misses": 0, "idle_hours": 0.0, "mean_wait": timedelta()}]
    with pytest.raises(InsufficientHistoryError, match="needs claims, and there were none"):
        curve.chart()
    assert main([*OPTIONS, "--until", "2026-10-26T02:49:32Z"]) == 0
    assert "100" not in capsys.readouterr().out


def test_a_report_of_no_claims_says_so(made: Recommendation) -> None:
    empty = Trace.from_claims([], begin=BEGIN, end=BEGIN + timedelta(days=1))
    (told,) = judge(made, empty, LEAD_TIME).notes
    assert told.startswith("Held out from 2026-03-02 00:00:00 UTC to 2026-03-03 00:00:00 UTC: no claims, ")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s"),
        (0.0123456, "0.012 s"),
        (1.2999999, "1.3 s"),
        (59.99, "1 min"),
        (300, "5 min"),
        (392.4, "6 min 32 s"),
        (7_512, "2 h 5 min"),
        (86_399, "1 d"),
        (2_395_776, "27 d 17 h"),
    ],
)
def test_durations_are_shown_to_a_sensible_digit(seconds: float, told: str) -> None:
    """Of microseconds nobody wants to read."""
    assert describe_value(timedelta(seconds=seconds)) == told


def test_a_page_opens_without_the_network(tmp_path: Path) -> None:
    """Field case 15: the scripts are in the page. It loads none, and no module, from anywhere."""
    page = tmp_path / "chart.html"
    assert main([*OPTIONS, "--chart", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"<(?:script|link|iframe)\b[^>]*(?:src|href)=", text)
    assert not re.findall(r"\bimport\s*\(?[^;(]{0,200}?[\"']https?:|https?://[^\"']*(?:jsdelivr|unpkg|cdnjs)", text)
    assert "vega-embed" in text


def test_a_notebook_shows_a_chart_without_the_network(curve: Curve) -> None:
    """As a picture, until a user chooses a renderer; a chart that is made of it does so too."""
    altair = pytest.importorskip("altair")
    for chart in (curve.chart(), curve.chart().properties(title="mine")):
        (kind, picture), *others = chart._repr_mimebundle_().items()
        assert (kind, picture[:4], others) == ("image/svg+xml", "<svg", [])
    with altair.renderers.enable("json"):
        assert "image/svg+xml" not in str(curve.chart()._repr_mimebundle_())
    assert altair.renderers.active == "default"


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
