"""Targets that follow demand in a simulation: those of production, claim by claim (R21)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import attrs
import pytest
from decision.test_demand_laws import MODEL
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from prebuilds import Budget, Demand, GlobalSnapshot, InvalidValueError, Policy, Preset, Schedule, TargetSource
from prebuilds.decision.demand.following import DemandFit
from prebuilds.decision.demand.looking import count_seconds
from prebuilds.decision.demand.state import start_state
from prebuilds.decision.targets import get_demand
from prebuilds.whatif import (
    OnMiss,
    Promotion,
    Scenario,
    SimulationResult,
    Trace,
    generate_poisson,
    learn_demand,
    replay_target,
    simulate,
)
from prebuilds.whatif.simulation.engine import Engine
from prebuilds.whatif.simulation.shared_rounds import run_engines
from prebuilds.whatif.traces.ticks import to_instant, to_ticks

from .scenarios import BEGIN, END, MINUTE, make_preset, make_trace, traces

SCALE = attrs.evolve(MODEL.autoscale, min_instances=0, max_instances=12)
FIT = DemandFit(attrs.evolve(MODEL, autoscale=SCALE, hold=600.0), start_state(count_seconds(BEGIN), MODEL.lead, "UTC"))


def make_fleet(**changes: Any) -> GlobalSnapshot:
    preset = make_preset(**{"desired_instances": 0, "autoscale": SCALE, **changes})
    return GlobalSnapshot(presets=[preset], demand=[Demand(preset_id=preset.id, fit=FIT)])


def run(trace: Trace, fleet: GlobalSnapshot | None = None, **changes: Any) -> SimulationResult:
    scenario = Scenario(**{"fleet": fleet or make_fleet(), "lead_time": 4 * MINUTE, **changes})
    return simulate(scenario, trace)


def list_targets(result: SimulationResult) -> list[tuple[float, int]]:
    """When the target changed, and to what."""
    steps: list[tuple[float, int]] = []
    for change in result.pools[0].targets:
        if not steps or steps[-1][1] != change.desired:
            steps.append((change.at, change.desired))
    return steps


@settings(max_examples=150)
@given(trace=traces(), on_miss=st.sampled_from(OnMiss))
def test_a_simulation_is_what_the_replay_of_the_target_gives(trace: Trace, on_miss: OnMiss) -> None:
    """Every hit, build and delete, and each target at its instant: two ways to the same answer.

    A simulation lets users claim before the target changes at the same instant. So those claims are left out.
    """
    claims = [at for at in trace.ticks if at % 60_000_000]
    assume({at + 240_000_000 for at in claims}.isdisjoint(claims))
    trace = Trace.from_claims([to_instant(at) for at in claims], begin=BEGIN, end=END)
    result = run(trace, on_miss=on_miss)
    replayed = replay_target(trace, 4 * MINUTE, FIT.follow(), on_miss=on_miss)
    steps: list[tuple[float, int]] = []
    for at, low, _ in replayed.steps:
        if not steps or steps[-1][1] != low:
            steps.append((at, low))
    assert list_targets(result) == steps
    assert (result.hits, result.created, result.deleted) == (replayed.hits, replayed.created, replayed.deleted)
    assert result.idle_hours == pytest.approx(replayed.idle_hours, abs=1e-9)


@settings(max_examples=60)
@given(trace=traces(), interval=st.sampled_from((None, 3 * MINUTE)))
def test_leaving_quiet_rounds_out_changes_nothing(trace: Trace, interval: timedelta | None) -> None:
    """Time alone changes the target at a look that the decision before told."""
    fleet = make_fleet()
    scenario = Scenario(fleet=fleet, lead_time=4 * MINUTE, interval=interval)
    begin, end = to_ticks(trace.begin), to_ticks(trace.end)
    logs = []
    for every_round in (True, False):
        engine = Engine(scenario, fleet.presets[0], trace.ticks, begin=begin, end=end, seed=0)
        is_always = every_round and interval is not None
        assert any(True for _ in run_engines(scenario, [engine], begin=begin, end=end, every_round=is_always))
        logs.append(engine.make_log())
    assert logs[0] == logs[1]


TRACE = generate_poisson(30.0, begin=BEGIN, end=END, seed=5)


def test_every_target_is_that_of_a_plan_at_its_instant() -> None:
    """The log has the snapshots that were decided on, each with what was claimed before."""
    result = run(TRACE)
    for decision in result.log:
        demand = decision.snapshot.demand
        assert demand is not None
        assert decision.snapshot.target == attrs.evolve(decision.snapshot).target
        at = to_ticks(decision.snapshot.now)
        claimed = [claim for claim in TRACE.ticks if claim <= at]
        assert demand == settle(claimed, result, at)


def settle(claims: Sequence[int], result: SimulationResult, at: int) -> Demand:
    missed = {TRACE.ticks[place] for place in result.pools[0].missed}
    fleet = make_fleet()
    demand = get_demand(fleet.presets[0], fleet.demand[0])
    assert demand is not None
    for claim in claims:
        demand = demand.note(to_instant(claim), is_hit=claim not in missed)
    return demand.settle(to_instant(at))


def test_what_does_not_act_changes_nothing() -> None:
    preset = make_preset(desired_instances=2)
    plain = run(TRACE, GlobalSnapshot(presets=[preset]))
    shadow = run(TRACE, make_fleet(desired_instances=2, autoscale=attrs.evolve(SCALE, acts=False)))
    assert attrs.evolve(shadow.pools[0], presets=(), targets=()) == attrs.evolve(plain.pools[0], presets=(), targets=())
    assert list_targets(shadow) == list_targets(plain)


def test_a_successor_follows_the_same_demand() -> None:
    template = make_preset().template_version.template.id
    at = BEGIN + (END - BEGIN) / 2
    result = run(TRACE, promotions=[Promotion(at=at, template_id=template)])
    (last,) = [decision for decision in result.log if decision.snapshot.now == at][-1:]
    demand = last.snapshot.demand
    assert demand is not None
    assert demand.preset_id == last.preset_id != "web"
    assert attrs.evolve(last.snapshot) == last.snapshot
    assert demand.fit.state.rates.values[5] > 1


def test_presets_that_share_a_budget_follow_their_own_demand() -> None:
    """Each within its share: what is left goes round."""
    fleet = make_fleet()
    both = GlobalSnapshot(
        presets=[fleet.presets[0], attrs.evolve(fleet.presets[0], id="gpu")],
        demand=[fleet.demand[0], attrs.evolve(fleet.demand[0], preset_id="gpu")],
    )
    tight = Policy(budgets=[Budget(max_instances=3)])
    result = simulate(Scenario(fleet=both, lead_time=4 * MINUTE, policy=tight), {"web": TRACE, "gpu": TRACE})
    there = result.timeline
    assert all(pool.targets[-1].source is TargetSource.DEMAND for pool in result.pools)
    assert there is not None
    assert 0 < result.hits < result.claims


def test_it_says_what_was_learned_and_what_was_not() -> None:
    result = run(TRACE, GlobalSnapshot(presets=make_fleet(desired_instances=2).presets))
    assert result.notes == ("web keeps its own count, as no claims have been learned for its autoscale.",)
    assert list_targets(result) == [(to_ticks(BEGIN), 2)]
    assert run(TRACE).notes == (f"web: {FIT.model.explain()}",)


def test_an_explanation_tells_demand_from_windows() -> None:
    bold = attrs.evolve(FIT, model=attrs.evolve(FIT.model, caution=-0.5))
    fleet = attrs.evolve(make_fleet(), demand=[Demand(preset_id="web", fit=bold)])
    result = run(TRACE, fleet)
    words = [result.explain_miss(place) for place in range(result.misses)]
    assert words[0].endswith("pool empty since 08:30:00: 1 claim, target 0; the preset wants none")
    assert "; demand lowered the target from 1 to 0 at 08:43:00; demand raised the target from 0 to 1 at" in words[3]
    assert not any("window" in word for word in words)
    window = Schedule(cron="30-44 8 * * *", instances=2)
    claims = make_trace(*[16 * MINUTE] * 5)
    windowed = attrs.evolve(fleet, presets=[attrs.evolve(fleet.presets[0], schedules=[window])])
    steps = run(claims, windowed).find_miss(-1).target_steps
    assert [(step.after, step.by_demand) for step in steps] == [(0, False), (1, True), (2, True), (3, True)]


def test_what_was_learned_ends_before_the_claims_begin() -> None:
    """Else it would know what comes."""
    fleet = make_fleet()
    late = attrs.evolve(fleet, demand=[fleet.demand[0].note(BEGIN + MINUTE, is_hit=True)])
    with pytest.raises(InvalidValueError, match=r"fleet\.demand\[0\]: .* must be learned from claims"):
        run(TRACE, late)


def test_a_pool_that_is_too_large_to_simulate_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="each is simulated"):
        run(TRACE, make_fleet(autoscale=attrs.evolve(SCALE, max_instances=10**7)))


@pytest.mark.parametrize(
    ("zone", "learned"), [("Europe/Berlin", "Europe/Berlin"), (None, "UTC"), ("Mars/Olympus", "UTC")]
)
def test_learning_takes_the_presets_own_settings(zone: str | None, learned: str) -> None:
    preset = Preset(id="web", desired_instances=3, timezone=zone, autoscale=SCALE)
    demand = learn_demand(preset, TRACE, begin=TRACE.begin, end=TRACE.end, waits=True)
    model = demand.fit.model
    assert (demand.preset_id, model.timezone, model.own_count, model.autoscale) == ("web", learned, 3, SCALE)
    assert demand.settled_at <= TRACE.end < demand.settled_at + MINUTE
    with pytest.raises(InvalidValueError, match=r"learn_demand\.preset\.autoscale"):
        learn_demand(attrs.evolve(preset, autoscale=None), TRACE, begin=TRACE.begin, end=TRACE.end)
