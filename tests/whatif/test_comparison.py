"""Scenarios compared: the same claims and the same luck for all, and how sure the difference is."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from statistics import fmean

import attrs
import pytest

from prebuilds import GlobalSnapshot, diff, plan
from prebuilds.errors import InvalidValueError, UnknownPresetError
from prebuilds.whatif import (
    Comparison,
    LognormalLeadTime,
    Trace,
    compare,
    generate_poisson,
    simulate,
    what_would_change,
)
from prebuilds.whatif.views.intervals import estimate_mean, find_t_quantile

from .scenarios import BEGIN, END, MINUTE, make_preset, make_scenario, make_trace

VARIED = make_scenario(lead_time=LognormalLeadTime(median=5 * MINUTE, p95=15 * MINUTE))
MORE = attrs.evolve(VARIED, fleet=make_preset(desired_instances=6))


def make_claims(seed: int) -> Trace:
    return generate_poisson(40, begin=BEGIN, end=END, seed=seed)


def compare_both() -> Comparison:
    return compare({"today": VARIED, "more": MORE}, make_claims, seeds=range(6))


def test_every_scenario_meets_the_claims_and_the_luck_of_every_seed() -> None:
    """A run is the simulation of its scenario with the seed, and with the seed's claims."""
    comparison = compare_both()
    for name, scenario in (("today", VARIED), ("more", MORE)):
        runs = tuple(simulate(scenario, make_claims(seed), seed=seed).measures for seed in range(6))
        assert comparison.for_scenario(name).runs == runs
    assert [outcome.name for outcome in comparison] == ["today", "more"]


def test_changes_are_taken_seed_by_seed() -> None:
    """The mean change is the change of the means, and its interval that of the differences."""
    today, more = compare_both()
    pairs = [after.hit_rate - before.hit_rate for before, after in zip(today.runs, more.runs, strict=True)]
    change = more.estimate_change("hit_rate", today)
    assert change == estimate_mean(pairs)
    assert change.low <= fmean(pairs) <= change.high
    assert change.low > 0


def test_an_interval_covers_the_mean_as_often_as_it_says() -> None:
    """Of two thousand intervals of five values each, 95 in 100 hold the mean that the values come from."""
    random = Random(1)
    intervals = [estimate_mean([random.gauss(3, 2) for _ in range(5)]) for _ in range(2_000)]
    held = sum(interval.low <= 3 <= interval.high for interval in intervals)
    assert 0.94 < held / len(intervals) < 0.96


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (9, 2.2622), (29, 2.0452), (999, 1.9623)],
)
def test_quantiles_are_those_of_students_t(freedom: int, quantile: float) -> None:
    assert abs(find_t_quantile(freedom) - quantile) < 0.004


def test_a_comparison_without_randomness_says_so() -> None:
    """Intervals of no width are no certainty about other weeks."""
    comparison = compare({"today": make_scenario()}, make_trace(MINUTE), seeds=[1, 2])
    assert comparison.notes[-1] == "Every seed gave the same: these scenarios leave nothing to chance."
    assert len(compare_both().notes) == 1


def test_a_comparison_has_rows_a_table_and_a_chart() -> None:
    """A row for each scenario and measure; the first has no change from itself."""
    vl_convert = pytest.importorskip("vl_convert")
    comparison = compare_both()
    rows = comparison.to_dicts()
    assert [(row["scenario"], row["measure"]) for row in rows[:2]] == [
        ("today", "hit_rate"),
        ("today", "mean_wait_seconds"),
    ]
    assert {row["change"] for row in rows if row["scenario"] == "today"} == {0.0}
    assert len(comparison.to_pandas()) == len(rows) == 2 * 4
    assert "<td>more</td>" in comparison._repr_html_()
    drawn = vl_convert.vegalite_to_svg(comparison.chart().to_json())
    assert all(word in drawn for word in ("today", "more", "hit rate, %", "idle hours"))


def test_what_would_change_is_the_difference_of_two_plans() -> None:
    """Before and after the edit, at one instant."""
    fleet = GlobalSnapshot(presets=[make_preset(), make_preset(id="gpu")])
    edited = GlobalSnapshot(presets=[make_preset(desired_instances=5), make_preset(id="gpu")])
    expected = diff(plan(fleet, now=BEGIN), plan(edited, now=BEGIN))
    assert what_would_change(fleet, {"web": {"desired_instances": 5}}, now=BEGIN) == expected
    assert what_would_change(fleet, lambda _: edited, now=BEGIN) == expected
    assert len(expected) == 1
    with pytest.raises(UnknownPresetError):
        what_would_change(fleet, {"cpu": {}}, now=BEGIN)


def test_a_comparison_that_cannot_be_made_is_refused() -> None:
    """A comparison needs two different seeds and one scenario, and knows its measures and names."""
    for seeds in ([1], [1, 1], "12", 3):
        with pytest.raises(InvalidValueError, match="two or more whole numbers, all different"):
            compare({"today": VARIED}, make_claims, seeds=seeds)  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="a mapping of names to Scenarios"):
        compare({}, make_claims)
    with pytest.raises(InvalidValueError, match="one of today, more"):
        compare_both().for_scenario("yesterday")
    with pytest.raises(InvalidValueError, match="one of hit_rate, mean_wait_seconds"):
        compare_both().for_scenario("today").estimate("luck")


def test_progress_is_shown_when_asked() -> None:
    """And changes nothing."""
    arguments = ({"today": make_scenario()}, make_trace(timedelta()))
    assert compare(*arguments, seeds=[1, 2], progress=True) == compare(*arguments, seeds=[1, 2])
