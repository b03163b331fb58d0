"""The engine decides as production does: at every round, on the same snapshots, and with the same outcome."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from prebuilds import (
    ActionType,
    Budget,
    Decision,
    GlobalSnapshot,
    RecentStarts,
    Withheld,
    WithheldReason,
    calculate_actions,
    plan,
)
from prebuilds.decision.actions import Actions
from prebuilds.whatif import LognormalLeadTime, OnMiss, SimulationResult, Trace, generate_poisson, simulate, sweep
from prebuilds.whatif.simulation.engine import Engine
from prebuilds.whatif.simulation.shared_rounds import run_engines
from prebuilds.whatif.traces.ticks import to_instant, to_ticks

from .reference import Reference
from .scenarios import BEGIN, BUDGETS, END, MINUTE, Case, cases, make_preset, make_scenario, traces


@settings(max_examples=150)
@given(case=cases())
def test_the_engine_does_what_a_plain_simulation_does(case: Case) -> None:
    """Every hit and wait, and every decision with something to do, is that of `plan` on a whole checked snapshot."""
    result = simulate(case.scenario, case.trace, seed=case.seed)
    plain = Reference(case).run()
    (pool,) = result.pools
    missed = set(pool.missed)
    assert [place not in missed for place in range(result.claims)] == plain.hits
    assert [timedelta(microseconds=wait) for wait in pool.waits] == plain.waits
    decided = [(one.snapshot.now, one.preset_id, one.actions, one.withheld) for one in result.log]
    assert list(iterate_news(decided)) == list(iterate_news(plain.decided))


def iterate_news(decided: list[Any]) -> Iterator[Any]:
    """What is done or held back, without a preset's waits that only repeat its last: it may be asked at any instant."""
    last: dict[str, Any] = {}
    for now, preset_id, actions, withheld in decided:
        is_done = any(action.type is not ActionType.BACKOFF for action in actions)
        if is_news(actions, withheld):
            if is_done or last.get(preset_id) != (actions, withheld):
                yield now, preset_id, actions, withheld
            last[preset_id] = actions, withheld


def is_news(actions: Actions, withheld: tuple[Withheld, ...]) -> bool:
    """Whether something is done or held back. How often a preset is told that a budget is used up does not matter."""
    return bool(actions) or any(one.reason is not WithheldReason.BUDGET for one in withheld)


@settings(max_examples=150)
@given(case=cases())
def test_the_log_is_what_the_decision_gives_for_the_same_snapshots(case: Case) -> None:
    """Each snapshot is one that could be made and checked by hand; what was decided for it is decided again."""
    policy = attrs.evolve(case.scenario.policy, max_creates=1_000, budgets=())
    for decision in simulate(attrs.evolve(case.scenario, policy=policy), case.trace, seed=case.seed).log:
        snapshot = attrs.evolve(decision.snapshot)
        assert snapshot == decision.snapshot
        assert snapshot.target == decision.snapshot.target
        actions = calculate_actions(snapshot, case.scenario.policy)
        withheld = [one for one in actions if one.type is ActionType.CREATE and snapshot.is_hard_limited]
        assert [entry.action for entry in decision.withheld] == withheld
        assert list(decision.actions) == [one for one in actions if one not in withheld]


@settings(max_examples=150)
@given(case=cases())
def test_a_log_has_every_round_of_an_interval(case: Case) -> None:
    """The log leaves no round out in which the preset was there, whether or not there was anything to do."""
    scenario = attrs.evolve(case.scenario, interval=7 * MINUTE, promotions=())
    result = simulate(scenario, case.trace, seed=case.seed)
    rounds = [case.trace.begin + number * 7 * MINUTE for number in range(result.rounds)]
    assert [decision.snapshot.now for decision in result.log] == rounds
    assert rounds[-1] <= case.trace.end < rounds[-1] + 7 * MINUTE


@settings(max_examples=150)
@given(case=cases())
def test_leaving_quiet_rounds_out_changes_nothing(case: Case) -> None:
    """What happens is the same, to the microsecond, when every round is run; those left out had nothing to do."""
    begin, end = to_ticks(case.trace.begin), to_ticks(case.trace.end)
    logs, decided = [], []
    for every_round in (True, False):
        (preset,) = case.scenario.fleet.presets
        engine = Engine(case.scenario, preset, case.trace.ticks, begin=begin, end=end, seed=case.seed)
        is_always = every_round and case.scenario.interval is not None
        run = run_engines(case.scenario, [engine], begin=begin, end=end, every_round=is_always)
        decided.append([decision for _, decision in run if decision.actions or decision.withheld])
        logs.append(engine.make_log())
    assert logs[0] == logs[1]
    assert decided[0] == decided[1]


@settings(max_examples=200)
@given(trace=traces(), size=st.integers(0, 5), seconds=st.sampled_from((1, 90, 600)), on_miss=st.sampled_from(OnMiss))
def test_at_once_and_without_failures_it_is_what_a_sweep_says(
    trace: Trace, size: int, seconds: int, on_miss: OnMiss
) -> None:
    """Hits exactly and hours to 1e-9: the two ways to the same answer agree."""
    lead_time = timedelta(seconds=seconds)
    scenario = make_scenario(fleet=make_preset(desired_instances=size), lead_time=lead_time, on_miss=on_miss)
    if on_miss is OnMiss.WAIT and size == 0:
        return  # nothing is ever begun for those who wait, while a sweep orders for each of them
    simulated, swept = simulate(scenario, trace), sweep(trace, lead_time, on_miss=on_miss, sizes=[size]).points[0]
    assert simulated.hits == swept.hits
    assert abs(simulated.idle_hours - swept.idle_hours) < 1e-9
    waited = simulated.mean_wait * simulated.claims / timedelta(hours=1)
    assert abs(waited - swept.wait_hours) < 1e-7


@settings(max_examples=50)
@given(web=cases(), gpu=cases())
def test_presets_of_a_fleet_are_simulated_side_by_side(web: Case, gpu: Case) -> None:
    """Each preset has what it would have had alone, and all of a round are what one plan of the fleet decides."""
    fleet = [web.scenario.fleet.presets[0], attrs.evolve(gpu.scenario.fleet.presets[0], id="gpu")]
    policy = attrs.evolve(web.scenario.policy, budgets=())
    scenario = attrs.evolve(web.scenario, fleet=fleet, promotions=(), interval=7 * MINUTE, policy=policy)
    claims = {"web": web.trace, "gpu": gpu.trace}
    result = simulate(scenario, claims, seed=web.seed)
    for preset in fleet:
        invalidations = [one for one in scenario.invalidations if one.preset_id == preset.id]
        alone = attrs.evolve(scenario, fleet=preset, invalidations=invalidations)
        single = simulate(alone, claims[preset.id], seed=web.seed)
        assert result.for_preset(preset.id).pools == single.pools
        assert result.for_preset(preset.id).log == single.log
    check_rounds(result)


@settings(max_examples=50)
@given(web=cases(), gpu=cases(), budgets=st.sampled_from(BUDGETS))
def test_presets_that_share_budgets_are_simulated_together(web: Case, gpu: Case, budgets: tuple[Budget, ...]) -> None:
    """All decisions of a round are those of one plan of the fleet, no budget is ever exceeded, and no event missed."""
    fleet = [web.scenario.fleet.presets[0], attrs.evolve(gpu.scenario.fleet.presets[0], id="gpu")]
    policy = attrs.evolve(web.scenario.policy, budgets=budgets)
    changes = {"fleet": fleet, "promotions": (), "policy": policy, "starts_full": False}
    scenario = attrs.evolve(web.scenario, **changes, on_miss=OnMiss.COLD_START)
    claims = {"web": web.trace, "gpu": gpu.trace}
    result = simulate(scenario, claims, seed=web.seed)
    assert find_most_starting(result) <= min([one.max_starting for one in budgets if one.max_starting], default=99)
    assert find_most_in_a_minute(result) <= min(
        [one.max_creates_per_minute for one in budgets if one.max_creates_per_minute], default=99
    )
    assert result.for_preset("gpu").log == tuple(one for one in result.log if one.preset_id == "gpu")
    at_once = simulate(attrs.evolve(scenario, interval=None), claims, seed=web.seed)
    decided = {(one.preset_id, one.snapshot.now) for one in at_once.log}
    assert {
        (pool.preset_id, to_instant(at)) for pool in at_once.pools for at in pool.ended if at <= pool.end
    } <= decided
    check_rounds(simulate(attrs.evolve(scenario, interval=7 * MINUTE), claims, seed=web.seed))


def check_rounds(result: SimulationResult) -> None:
    """Together, the decisions of a round are what one plan of the fleet decides."""
    by_round: dict[datetime, list[Decision]] = {}
    for decision in result.log:
        by_round.setdefault(decision.snapshot.now, []).append(decision)
    for now, decisions in by_round.items():
        snapshot = attrs.evolve(rebuild(decisions), recent_starts=list_recent_starts(result, now))
        assert list(plan(snapshot, now=now, policy=result.scenario.policy)) == decisions


def list_recent_starts(result: SimulationResult, now: datetime) -> list[RecentStarts]:
    begun = [
        (pool.preset_id, to_instant(created)) for pool in result.pools for created in pool.created[pool.num_initial :]
    ]
    return [RecentStarts(preset_id=one, begun_at=at, count=1) for one, at in begun if now - MINUTE < at < now]


def find_most_starting(result: SimulationResult) -> int:
    """The largest number of builds under way at a time."""
    spans = [span for pool in result.pools for span in zip(pool.created, pool.ended, strict=True)]
    return max([sum(begin <= at < end for begin, end in spans) for at, _ in spans], default=0)


def find_most_in_a_minute(result: SimulationResult) -> int:
    """The largest number of builds that began in any minute."""
    begun = [created for pool in result.pools for created in pool.created]
    return max([sum(at - 60_000_000 < other <= at for other in begun) for at in begun], default=0)


def rebuild(decisions: list[Decision]) -> GlobalSnapshot:
    """The fleet that these decisions are about."""
    snapshots = [one.snapshot for one in decisions]
    return GlobalSnapshot(
        presets=[one.preset for one in snapshots],
        running=[row for one in snapshots for row in (*one.running, *one.expired, *one.stuck)],
        in_progress=[row for one in snapshots for row in one.in_progress],
        backoffs=[one.backoff for one in snapshots if one.backoff],
        hard_limited=[one.preset.id for one in snapshots if one.is_hard_limited],
    )


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Another process, which hashes differently, gives the same result."""
    code = (
        "import pickle, hashlib; from tests.whatif.scenarios import *; from prebuilds.whatif import *;"
        "case = make_scenario(lead_time=LognormalLeadTime(median=MINUTE, p95=9 * MINUTE), failure_rate=0.2);"
        "trace = generate_poisson(60, begin=BEGIN, end=END, seed=4);"
        "result = simulate(case, trace, seed=5);"
        "print(hashlib.sha256(pickle.dumps((result, result.log, result.to_dicts()))).hexdigest(), repr(result))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            text=True,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
    assert "SimulationResult(claims=" in printed.pop()


def test_another_seed_gives_another_result() -> None:
    """Chance has a part in a scenario that leaves something to it."""
    varied = make_scenario(lead_time=LognormalLeadTime(median=6 * MINUTE, p95=20 * MINUTE))
    trace = generate_poisson(60, begin=BEGIN, end=END, seed=4)
    assert simulate(varied, trace, seed=1).pools != simulate(varied, trace, seed=2).pools


def test_common_random_numbers() -> None:
    """With the same seed, the n-th build takes equally long in two scenarios that differ in everything else."""
    lead_time = LognormalLeadTime(median=6 * MINUTE, p95=20 * MINUTE)
    trace = generate_poisson(30, begin=BEGIN, end=END, seed=4)
    leads = []
    for changes in ({"interval": MINUTE}, {"failure_rate": 0.1, "on_miss": "wait"}):
        (pool,) = simulate(make_scenario(lead_time=lead_time, **changes), trace, seed=7).pools
        pairs = list(zip(pool.created, pool.ended, strict=True))[pool.num_initial :]
        leads.append([ended - created for created, ended in pairs])
    assert len(leads[0]) != len(leads[1])
    shared = min(map(len, leads))
    assert shared > 20
    assert leads[0][:shared] == leads[1][:shared]
