"""Simulating: runs a scenario on claims, after checking that they fit together.

The same scenario, claims and seed give the same result, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping

from prebuilds.errors import InvalidValueError, UnknownPresetError, show
from prebuilds.whatif.simulation.result import SimulationResult, find_span, make_engines, make_result
from prebuilds.whatif.simulation.scenario import Scenario
from prebuilds.whatif.simulation.shared_rounds import run_engines
from prebuilds.whatif.traces.argument_checks import require_seed
from prebuilds.whatif.traces.ticks import to_instant, to_ticks
from prebuilds.whatif.traces.trace import Trace
from prebuilds.whatif.views.progress import show_progress

ClaimTraces = Trace | Mapping[str, Trace]
"""The claims: a trace for a fleet of one preset; otherwise a mapping from the ids of presets with claims to traces."""


def simulate(scenario: Scenario, trace: ClaimTraces, *, seed: int = 0, progress: bool = False) -> SimulationResult:
    """Simulate what a scenario's fleet would have done with these claims.

    The simulation covers the span of the trace, or of all traces together. `seed` seeds the random draws. `progress`
    shows a progress bar and needs the extra `cli`. Raises `UnknownPresetError` for claims of a preset that is not in
    the fleet, and `InvalidValueError` if the scenario and the claims do not fit together.
    """
    traces = _match_traces(scenario, trace)
    engines = [*make_engines(scenario, traces, require_seed("simulate", seed))]
    begin, end = find_span(traces)
    run = run_engines(scenario, engines, begin=begin, end=end)
    with show_progress("simulating", (end - begin) * len(engines), is_shown=progress) as report:
        reached = dict.fromkeys(engines, 0)
        for engine, decision in run:
            if progress:
                reached[engine] = to_ticks(decision.snapshot.now) - begin
                report(sum(reached.values()))
    return make_result(scenario, traces, seed, tuple(engine.make_log() for engine in engines))


def _match_traces(scenario: Scenario, trace: ClaimTraces) -> tuple[tuple[str, Trace], ...]:
    """The trace of each preset that has claims. Raises an error if they do not fit the scenario."""
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
    _check_instants(scenario, *find_span(traces))
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
    for index, demand in enumerate(scenario.fleet.demand):
        if demand.settled_at > to_instant(begin):
            place = f"scenario.fleet.demand[{index}]"
            allowed = f"learned from claims before {to_instant(begin)}, the start"
            raise InvalidValueError("simulate", place, demand.settled_at, allowed)
    rows = () if scenario.starts_full else scenario.fleet.running
    for index, row in enumerate(rows):
        if to_ticks(row.created_at) >= begin:
            place, allowed = f"scenario.fleet.running[{index}].created_at", f"before {to_instant(begin)}, the start"
            raise InvalidValueError("simulate", place, row.created_at, allowed)
