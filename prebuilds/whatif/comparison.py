"""Comparison: several scenarios with the same claims and the same luck, and how their results differ.

- Scenarios share seeds: with the same seed, the n-th build takes equally long in each. So differences come from what
  the scenarios assume. They are taken seed by seed, which narrows their intervals.
- An interval covers the randomness of the seeds alone. To vary the claims too, give a function of the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from prebuilds.decision.fields import to_tuple
from prebuilds.decision.plans.diffing import PlanDiff, diff
from prebuilds.decision.plans.planning import plan
from prebuilds.decision.policies.policy import Policy
from prebuilds.decision.snapshots import GlobalSnapshot
from prebuilds.errors import InvalidValueError
from prebuilds.whatif.simulation.measures import Measures
from prebuilds.whatif.simulation.scenario import Scenario, SnapshotEdit, edit_snapshot
from prebuilds.whatif.simulation.simulating import ClaimTraces, simulate
from prebuilds.whatif.views.charts import load_altair, make_data, show_offline
from prebuilds.whatif.views.intervals import Interval, estimate_mean
from prebuilds.whatif.views.progress import show_progress
from prebuilds.whatif.views.rows import Tabular

if TYPE_CHECKING:
    import altair as alt

_DEFAULT_POLICY = Policy()
_COMPARED: dict[str, Callable[[Measures], float]] = {
    "hit_rate": lambda measures: measures.hit_rate,
    "mean_wait_seconds": lambda measures: measures.mean_wait.total_seconds(),
    "idle_hours": lambda measures: measures.idle_hours,
    "build_hours": lambda measures: measures.build_hours,
}


@attrs.frozen(kw_only=True)
class ScenarioOutcome:
    """The results of one scenario: its measures for each seed, in the order of the seeds."""

    name: str
    runs: tuple[Measures, ...] = attrs.field(repr=False)

    def estimate(self, measure: str) -> Interval:
        """The mean of a measure over the seeds: hit_rate, mean_wait_seconds, idle_hours or build_hours."""
        return estimate_mean(self._list_values(measure))

    def estimate_change(self, measure: str, base: ScenarioOutcome) -> Interval:
        """The mean change of a measure from that of `base`, taken seed by seed."""
        pairs = zip(self._list_values(measure), base._list_values(measure), strict=True)
        return estimate_mean([value - before for value, before in pairs])

    def _list_values(self, measure: str) -> list[float]:
        if measure not in _COMPARED:
            raise InvalidValueError("ScenarioOutcome.estimate", "measure", measure, f"one of {', '.join(_COMPARED)}")
        return [_COMPARED[measure](run) for run in self.runs]


@attrs.frozen(kw_only=True)
class Comparison(Tabular):
    """Scenarios side by side, each compared with the first. Iterating gives the outcomes."""

    seeds: tuple[int, ...]
    outcomes: tuple[ScenarioOutcome, ...]

    def __iter__(self) -> Iterator[ScenarioOutcome]:
        return iter(self.outcomes)

    def __len__(self) -> int:
        return len(self.outcomes)

    def for_scenario(self, name: str) -> ScenarioOutcome:
        """The outcome of the scenario with this name. Raises `InvalidValueError` if there is no such scenario."""
        names = [outcome.name for outcome in self.outcomes]
        if name not in names:
            raise InvalidValueError("Comparison.for_scenario", "name", name, f"one of {', '.join(names)}")
        return self.outcomes[names.index(name)]

    def to_dicts(self) -> list[dict[str, Any]]:
        """A row for each scenario and measure: the mean, and the change from the first scenario, each with its bounds.

        Without claims, there is no row for the hit rate.
        """
        measures = [measure for measure in _COMPARED if measure != "hit_rate" or self._has_claims]
        return [_make_row(outcome, self.outcomes[0], measure) for outcome in self for measure in measures]

    @property
    def notes(self) -> tuple[str, ...]:
        first = self.outcomes[0].name
        told = f"Over {len(self.seeds)} seeds, with intervals of 95 %; changes are from {first}, seed by seed."
        is_certain = all(run == outcome.runs[0] for outcome in self for run in outcome.runs)
        return (told, "Every seed gave the same: these scenarios leave nothing to chance.") if is_certain else (told,)

    def chart(self) -> alt.HConcatChart:
        """An altair chart of the hit rate and the idle hours of each scenario, with their intervals.

        Raises `MissingExtraError` without the extra `notebook`.
        """
        altair = load_altair()
        panels = [_chart_measure(self, "idle_hours", "idle hours", 1)]
        if self._has_claims:
            panels.insert(0, _chart_measure(self, "hit_rate", "hit rate, %", 100))
        whole: alt.HConcatChart = altair.hconcat(*panels)
        return show_offline(whole)

    @property
    def _has_claims(self) -> bool:
        return any(run.claims for outcome in self for run in outcome.runs)


def compare(
    scenarios: Mapping[str, Scenario],
    trace: ClaimTraces | Callable[[int], ClaimTraces],
    *,
    seeds: Iterable[int] = range(10),
    progress: bool = False,
) -> Comparison:
    """Simulate every scenario with every seed, and compare each scenario with the first.

    Takes two seeds or more. `trace` is as for `simulate`, or a function that makes it from a seed. `progress` shows a
    progress bar and needs the extra `cli`.
    """
    chosen = _require_seeds(seeds)
    if not isinstance(scenarios, Mapping) or not scenarios:
        raise InvalidValueError("compare", "scenarios", scenarios, "a mapping of names to Scenarios, with one at least")
    with show_progress("comparing", len(chosen) * len(scenarios), is_shown=progress) as report:
        runs: dict[str, list[Measures]] = {name: [] for name in scenarios}
        for place, seed in enumerate(chosen):
            claims = trace(seed) if callable(trace) else trace
            for index, (name, scenario) in enumerate(scenarios.items()):
                runs[name].append(simulate(scenario, claims, seed=seed).measures)
                report(place * len(scenarios) + index + 1)
    return Comparison(
        seeds=chosen, outcomes=tuple(ScenarioOutcome(name=name, runs=tuple(own)) for name, own in runs.items())
    )


def what_would_change(
    snapshot: GlobalSnapshot, edit: SnapshotEdit, *, now: datetime, policy: Policy = _DEFAULT_POLICY
) -> PlanDiff:
    """Which decisions at `now` would change if the snapshot were edited, and how.

    `edit` has the changed fields of presets by their ids, such as `{"web": {"desired_instances": 5}}`, or is a function
    that returns the edited snapshot. Raises `UnknownPresetError` and `InvalidValueError` for an impossible edit.
    """
    before, after = plan(snapshot, now=now, policy=policy), plan(edit_snapshot(snapshot, edit), now=now, policy=policy)
    return diff(before, after)


def _require_seeds(seeds: Iterable[int]) -> tuple[int, ...]:
    chosen = to_tuple(seeds)
    is_seeds = type(chosen) is tuple and all(type(seed) is int for seed in chosen)
    if not is_seeds or len(set(chosen)) < len(chosen) or len(chosen) < 2:
        raise InvalidValueError("compare", "seeds", seeds, "two or more whole numbers, all different")
    return tuple(chosen)


def _make_row(outcome: ScenarioOutcome, base: ScenarioOutcome, measure: str) -> dict[str, Any]:
    own, change = outcome.estimate(measure), outcome.estimate_change(measure, base)
    return {
        "scenario": outcome.name,
        "measure": measure,
        "mean": own.mean,
        "low": own.low,
        "high": own.high,
        "change": change.mean,
        "change_low": change.low,
        "change_high": change.high,
    }


def _chart_measure(comparison: Comparison, measure: str, title: str, factor: float) -> Any:
    altair = load_altair()
    rows = [
        {"scenario": outcome.name, **{name: factor * value for name, value in attrs.asdict(interval).items()}}
        for outcome, interval in ((outcome, outcome.estimate(measure)) for outcome in comparison)
    ]
    names = [outcome.name for outcome in comparison]
    base = altair.Chart(make_data(rows), width=300, height=40 * len(rows)).encode(
        y=altair.Y("scenario:N", sort=names, title=None)
    )
    scale = altair.Scale(zero=False, nice=True)
    bars = base.mark_rule(strokeWidth=2).encode(x=altair.X("low:Q", scale=scale, title=title), x2="high:Q")
    return bars + base.mark_point(filled=True, size=70).encode(
        x=altair.X("mean:Q", scale=scale, title=title),
        tooltip=["scenario:N", "mean:Q", "low:Q", "high:Q"],
    )
