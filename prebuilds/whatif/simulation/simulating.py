"""Simulation: what a fleet would have done with these claims, decided by the very functions that decide in production.

- The same scenario, claims and seed give the same result, byte for byte.
- A result holds what happened to each claim and each build. All else is worked out of it when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from heapq import merge
from typing import TYPE_CHECKING, Any

import attrs

from prebuilds.decision.describing import describe_instant
from prebuilds.decision.plans.decisions import Decision
from prebuilds.decision.targets import calculate_target, describe_fallback
from prebuilds.errors import InvalidValueError, UnknownMissError, UnknownPresetError, show
from prebuilds.whatif.simulation.engine import Engine
from prebuilds.whatif.simulation.event_log import HoldReason, PoolRecord
from prebuilds.whatif.simulation.measures import Measures, make_row, measure
from prebuilds.whatif.simulation.misses.explainer import Explainer
from prebuilds.whatif.simulation.misses.facts import Miss
from prebuilds.whatif.simulation.scenario import Scenario
from prebuilds.whatif.simulation.timeline import Timeline
from prebuilds.whatif.traces.arguments import require_seed
from prebuilds.whatif.traces.ticks import to_instant, to_ticks
from prebuilds.whatif.traces.trace import Trace
from prebuilds.whatif.views.progress import show_progress
from prebuilds.whatif.views.rows import Rows

if TYPE_CHECKING:
    import altair as alt

Traces = Trace | Mapping[str, Trace]
"""The claims: one trace for a fleet of one preset; for several, a trace for each preset's id that has claims."""


@attrs.frozen(kw_only=True)
class SimulationResult(Measures, Rows):
    """What came of a simulation, of one preset or of several whose numbers are then added up.

    Its rows are the numbers of each preset. `scenario`, `traces` and `seed` are what it was made of.
    """

    scenario: Scenario = attrs.field(repr=False)
    traces: tuple[tuple[str, Trace], ...] = attrs.field(repr=False)
    seed: int
    pools: tuple[PoolRecord, ...] = attrs.field(repr=False)
    """What happened, preset by preset, as plain numbers."""

    @property
    def begin(self) -> datetime:
        return to_instant(_find_span(self.traces)[0])

    @property
    def end(self) -> datetime:
        return to_instant(_find_span(self.traces)[1])

    @property
    def measures(self) -> Measures:
        """The numbers alone."""
        return Measures(**{field.name: getattr(self, field.name) for field in attrs.fields(Measures)})

    @property
    def timeline(self) -> Timeline:
        """The counts of each preset at every instant at which one of them changes."""
        return Timeline(pools=self.pools)

    @cached_property
    def log(self) -> tuple[Decision, ...]:
        """Every decision of every round, those with nothing to do included, in the order of the rounds.

        The simulation is run once more for it, as the same seed gives the same decisions: a log is far larger than all
        else.
        """
        runs = [engine.run(every_round=True) for engine in _make_engines(self)]
        return tuple(merge(*runs, key=lambda decision: decision.snapshot.now))

    def for_preset(self, preset_id: str) -> SimulationResult:
        """The result of this preset alone. Raises `UnknownPresetError`."""
        pools = tuple(record for record in self.pools if record.preset_id == preset_id)
        if not pools:
            raise UnknownPresetError(preset_id)
        return _make_result(self.scenario, self.traces, self.seed, pools)

    def find_miss(self, index: int) -> Miss:
        """Why the so many-th missed claim found nothing ready, as facts.

        Misses are numbered from 0 in the order of the claims; of claims at one instant the presets' order counts, and
        -1 is the last. Raises `UnknownMissError`.
        """
        if type(index) is not int or not -self.misses <= index < self.misses:
            raise UnknownMissError(index, self.misses)
        explainer, place = self._misses[index]
        return explainer.find_miss(place)

    def explain_miss(self, index: int) -> str:
        """The chain of causes for the so many-th missed claim, in plain words, as `find_miss` has them."""
        return str(self.find_miss(index))

    @cached_property
    def _misses(self) -> list[tuple[Explainer, int]]:
        """Who can explain each miss, and its number there."""
        found = [
            (record.claims[claim], order, place, explainer)
            for order, (record, explainer) in enumerate((record, Explainer(record)) for record in self.pools)
            for place, claim in enumerate(record.missed)
        ]
        return [(explainer, place) for _, _, place, explainer in sorted(found, key=lambda miss: miss[:3])]

    def to_dicts(self) -> list[dict[str, Any]]:
        return [{"preset_id": record.preset_id, **make_row(measure([record]))} for record in self.pools]

    @property
    def notes(self) -> tuple[str, ...]:
        limited = [
            f"{record.preset_id} is hard-limited from {describe_instant(to_instant(hold.at))} on: its builds failed."
            for record in self.pools
            for hold in record.holds[-1:]
            if hold.reason is HoldReason.HARD_LIMITED
        ]
        unserved = [f"{self.unserved} users still waited at the end."] if self.unserved else []
        return (*self._list_fallbacks(), *limited, *unserved)

    def _list_fallbacks(self) -> Iterator[str]:
        """A sentence for each preset whose schedules cannot be used, as the loop logs it."""
        simulated = {record.preset_id for record in self.pools}
        for preset in self.scenario.fleet.presets:
            error = calculate_target(preset, self.begin).error if preset.id in simulated else None
            if error:
                yield f"{describe_fallback(preset.id, error)}."

    def chart(self) -> alt.VConcatChart:
        """Target, running and starting prebuilds over time, and the claims with the misses among them, by preset.

        Raises `MissingExtraError` without the extra `notebook`.
        """
        return self.timeline.chart()


def simulate(scenario: Scenario, trace: Traces, *, seed: int = 0, progress: bool = False) -> SimulationResult:
    """What a scenario's fleet would have done with these claims.

    It runs over the span of the trace, or of all traces together. `seed` decides what the scenario leaves to chance.
    `progress` shows a bar, which needs the extra `cli`. Raises `UnknownPresetError` for claims of a preset that the
    fleet does not have, and `InvalidValueError` for what does not fit together.
    """
    traces = _match_traces(scenario, trace)
    blank = _make_result(scenario, traces, require_seed("simulate", seed), ())
    begin, end = _find_span(traces)
    pools = []
    with show_progress("simulating", (end - begin) * len(scenario.fleet.presets), is_shown=progress) as report:
        for place, engine in enumerate(_make_engines(blank)):
            for decision in engine.run():
                if progress:
                    report((end - begin) * place + to_ticks(decision.snapshot.now) - begin)
            pools.append(engine.make_record())
    return _make_result(scenario, traces, seed, tuple(pools))


def _make_result(
    scenario: Scenario, traces: tuple[tuple[str, Trace], ...], seed: int, pools: tuple[PoolRecord, ...]
) -> SimulationResult:
    measures = attrs.asdict(measure(pools))
    return SimulationResult(**measures, scenario=scenario, traces=traces, seed=seed, pools=pools)


def _match_traces(scenario: Scenario, trace: Traces) -> tuple[tuple[str, Trace], ...]:
    """A trace for each preset that has claims, checked to fit the scenario."""
    if not isinstance(scenario, Scenario):
        raise InvalidValueError("simulate", "scenario", scenario, "a Scenario")
    ids = [preset.id for preset in scenario.fleet.presets]
    if isinstance(trace, Trace) and len(ids) == 1:
        trace = {ids[0]: trace}
    if not isinstance(trace, Mapping) or not trace or not all(isinstance(one, Trace) for one in trace.values()):
        allowed = "a Trace" if len(ids) == 1 else f"a mapping of preset ids, such as {show(ids[0])}, to Traces"
        raise InvalidValueError("simulate", "trace", trace, allowed)
    for preset_id in trace:
        if preset_id not in ids:
            raise UnknownPresetError(preset_id)
    traces = tuple(trace.items())
    _check_instants(scenario, *_find_span(traces))
    return traces


def _check_instants(scenario: Scenario, begin: int, end: int) -> None:
    span = f"from {to_instant(begin)} to {to_instant(end)}, the span of the trace"
    instants = {
        **{f"promotions[{index}]": promotion.at for index, promotion in enumerate(scenario.promotions)},
        **{f"invalidations[{index}]": invalidation.at for index, invalidation in enumerate(scenario.invalidations)},
    }
    for place, at in instants.items():
        if not begin <= to_ticks(at) <= end:
            raise InvalidValueError("simulate", f"scenario.{place}.at", at, span)
    rows = () if scenario.starts_full else scenario.fleet.running
    for index, row in enumerate(rows):
        if to_ticks(row.created_at) >= begin:
            place, allowed = f"scenario.fleet.running[{index}].created_at", f"before {to_instant(begin)}, the begin"
            raise InvalidValueError("simulate", place, row.created_at, allowed)


def _find_span(traces: tuple[tuple[str, Trace], ...]) -> tuple[int, int]:
    return min(to_ticks(trace.begin) for _, trace in traces), max(to_ticks(trace.end) for _, trace in traces)


def _make_engines(result: SimulationResult) -> Iterator[Engine]:
    """An engine for each preset of the scenario, or for those that the result has pools of."""
    begin, end = _find_span(result.traces)
    claims = {preset_id: trace.ticks for preset_id, trace in result.traces}
    chosen = {record.preset_id for record in result.pools}
    for preset in result.scenario.fleet.presets:
        if not chosen or preset.id in chosen:
            own = claims.get(preset.id, ())
            yield Engine(result.scenario, preset, own, begin=begin, end=end, seed=result.seed)
