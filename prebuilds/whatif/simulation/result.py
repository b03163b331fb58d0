"""The result of a simulation: its numbers, and what is worked out from its event logs on request."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from prebuilds.decision.plans.decisions import Decision
from prebuilds.decision.targets import calculate_target, describe_fallback, get_demand
from prebuilds.decision.wording import describe_instant
from prebuilds.errors import UnknownMissError, UnknownPresetError
from prebuilds.whatif.simulation.engine import Engine
from prebuilds.whatif.simulation.event_log import EventLog, HoldReason
from prebuilds.whatif.simulation.measures import Measures, make_row, measure
from prebuilds.whatif.simulation.misses.explainer import MissExplainer
from prebuilds.whatif.simulation.misses.facts import Miss
from prebuilds.whatif.simulation.scenario import Scenario
from prebuilds.whatif.simulation.shared_rounds import run_engines
from prebuilds.whatif.simulation.timelines.timeline import Timeline
from prebuilds.whatif.traces.ticks import to_instant, to_ticks
from prebuilds.whatif.traces.trace import Trace
from prebuilds.whatif.views.rows import Tabular

if TYPE_CHECKING:
    import altair as alt


@attrs.frozen(kw_only=True)
class SimulationResult(Measures, Tabular):
    """The result of a simulation, with the numbers of all presets together.

    Its rows have the numbers of each preset. `scenario`, `traces` and `seed` are what was simulated.
    """

    scenario: Scenario = attrs.field(repr=False)
    traces: tuple[tuple[str, Trace], ...] = attrs.field(repr=False)
    seed: int
    pools: tuple[EventLog, ...] = attrs.field(repr=False)
    """The event log of each preset's pool."""

    @property
    def begin(self) -> datetime:
        return to_instant(find_span(self.traces)[0])

    @property
    def end(self) -> datetime:
        return to_instant(find_span(self.traces)[1])

    @property
    def measures(self) -> Measures:
        """The numbers without the rest of the result."""
        return Measures(**{field.name: getattr(self, field.name) for field in attrs.fields(Measures)})

    @property
    def timeline(self) -> Timeline:
        """The counts of each preset at every instant at which one of them changes."""
        return Timeline(pools=self.pools)

    @cached_property
    def log(self) -> tuple[Decision, ...]:
        """Every decision of every round, in order, including those with nothing to do.

        The log is far larger than the rest of a result, so it is not kept: asking for it runs the simulation again. The
        same seed gives the same decisions.
        """
        chosen = {log.preset_id for log in self.pools}
        engines = [*make_engines(self.scenario, self.traces, self.seed)]
        if not self.scenario.policy.budgets:  # no pool affects another
            engines = [engine for engine in engines if engine.preset_id in chosen]
        begin, end = find_span(self.traces)
        run = run_engines(self.scenario, engines, begin=begin, end=end, every_round=True)
        decisions = [decision for engine, decision in run if engine.preset_id in chosen]
        return tuple(sorted(decisions, key=lambda decision: decision.snapshot.now))

    def for_preset(self, preset_id: str) -> SimulationResult:
        """The result of one preset. Raises `UnknownPresetError` if it was not simulated."""
        pools = tuple(log for log in self.pools if log.preset_id == preset_id)
        if not pools:
            raise UnknownPresetError(preset_id)
        return make_result(self.scenario, self.traces, self.seed, pools)

    def find_miss(self, index: int) -> Miss:
        """The facts about why a missed claim found nothing ready.

        Misses are numbered from 0 in the order of their claims; at the same instant, the order of the presets counts.
        -1 is the last miss. Raises `UnknownMissError` for a number that no miss has.
        """
        if type(index) is not int or not -self.misses <= index < self.misses:
            raise UnknownMissError(index, self.misses)
        explainer, place = self._misses[index]
        return explainer.find_miss(place)

    def explain_miss(self, index: int) -> str:
        """The facts that `find_miss` gives, as a sentence."""
        return str(self.find_miss(index))

    @cached_property
    def _misses(self) -> list[tuple[MissExplainer, int]]:
        """For each miss, the explainer of its pool and its number in that pool."""
        found = [
            (log.claims[claim], order, place, explainer)
            for order, (log, explainer) in enumerate((log, MissExplainer(log)) for log in self.pools)
            for place, claim in enumerate(log.missed)
        ]
        return [(explainer, place) for _, _, place, explainer in sorted(found, key=lambda miss: miss[:3])]

    def to_dicts(self) -> list[dict[str, Any]]:
        return [{"preset_id": log.preset_id, **make_row(measure([log]))} for log in self.pools]

    @property
    def notes(self) -> tuple[str, ...]:
        limited = [
            f"{log.preset_id} is hard-limited from {describe_instant(to_instant(hold.at))} on: its builds failed."
            for log in self.pools
            for hold in log.holds[-1:]
            if hold.reason is HoldReason.HARD_LIMITED
        ]
        unserved = [f"{self.unserved} users still waited at the end."] if self.unserved else []
        return (*self._list_fallbacks(), *self._list_learned(), *limited, *unserved)

    def _list_learned(self) -> Iterator[str]:
        """What was learned before, for each preset with an autoscale."""
        for log in self.pools:
            own = self.scenario.fleet.for_preset(log.preset_id, self.begin)
            demand = get_demand(own.preset, own.demand)
            if demand:
                yield f"{log.preset_id}: {demand.fit.model.explain()}"
            elif own.preset.autoscale:
                yield f"{log.preset_id} keeps its own count, as no claims have been learned for its autoscale."

    def _list_fallbacks(self) -> Iterator[str]:
        """A sentence for each preset whose schedules cannot be used, as the loop logs it."""
        simulated = {log.preset_id for log in self.pools}
        for preset in self.scenario.fleet.presets:
            error = calculate_target(preset, now=self.begin).error if preset.id in simulated else None
            if error:
                yield f"{describe_fallback(preset.id, error)}."

    def chart(self) -> alt.VConcatChart:
        """A chart of each preset: target, running and starting prebuilds over time, and the claims, with misses marked.

        Raises `MissingExtraError` without the extra `notebook`.
        """
        return self.timeline.chart()


def make_result(
    scenario: Scenario, traces: tuple[tuple[str, Trace], ...], seed: int, pools: tuple[EventLog, ...]
) -> SimulationResult:
    """The result with these event logs, and the numbers that they come to."""
    measures = attrs.asdict(measure(pools))
    return SimulationResult(**measures, scenario=scenario, traces=traces, seed=seed, pools=pools)


def find_span(traces: tuple[tuple[str, Trace], ...]) -> tuple[int, int]:
    """The ticks of the first start and of the last end of these traces."""
    return min(to_ticks(trace.begin) for _, trace in traces), max(to_ticks(trace.end) for _, trace in traces)


def make_engines(scenario: Scenario, traces: tuple[tuple[str, Trace], ...], seed: int) -> Iterator[Engine]:
    """An engine for each preset of the scenario."""
    begin, end = find_span(traces)
    claims = {preset_id: trace.ticks for preset_id, trace in traces}
    for preset in scenario.fleet.presets:
        yield Engine(scenario, preset, claims.get(preset.id, ()), begin=begin, end=end, seed=seed)
