"""Searching large worlds: several reconcilers and claimants at once, old snapshots, lost messages, faults, with
Hypothesis, which shrinks what it finds to the smallest scenario that still fails."""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from prebuilds.testing.faults.acts import ACTS
from prebuilds.testing.faults.exploring import OnRun
from prebuilds.testing.faults.messages import Delivery
from prebuilds.testing.faults.modes import Fault, FaultMode
from prebuilds.testing.faults.running import MakeStore, run_scenario
from prebuilds.testing.faults.scenarios import Scenario
from prebuilds.testing.faults.situations import CURABLE, SITUATIONS, Feature

_MOST_POINTS = 20  # of one process, so that most faults come about
_ACTS_NEED = {"pause": Feature.PAUSE, "resume": Feature.PAUSE, "reset": Feature.HISTORY}


@st.composite
def scenarios(draw: st.DrawFn, *, without: Collection[Feature] = ()) -> Scenario:
    """Scenarios for a host that leaves these features out. They shrink towards one preset, one pass and no fault."""
    names = [name for name in CURABLE if SITUATIONS[name].needs not in without]
    acts = [name for name in ACTS if _ACTS_NEED.get(name) not in without]
    reconcilers = 1 if Feature.REPLICAS in without else draw(st.integers(1, 3))
    claimants = 0 if Feature.CLAIMS in without else draw(st.integers(0, 3))
    processes = [*(f"r{number}" for number in range(reconcilers)), *(f"c{number}" for number in range(claimants))]
    return Scenario(
        situations=draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)),
        reconcilers=reconcilers,
        claimants=claimants,
        rounds=draw(st.integers(1, 3)),
        seed=draw(st.integers(0, 10_000)),
        skew=draw(st.sampled_from((0, 0, 61, 90))) if reconcilers > 1 else 0,
        jump=draw(st.sampled_from((0, 0, 0, 120, -120, 86_400, -86_400))),
        lag=draw(st.sampled_from((0, 0, 0, 1, 2, 5))),
        hides=draw(st.sampled_from((0, 0, 0, 1, 2, 3, 5, 8))),
        messages=() if Feature.OUTBOX in without else draw(st.lists(st.sampled_from(Delivery), max_size=2)),
        events=draw(st.lists(st.sampled_from(acts), max_size=2)),
        faults=draw(st.lists(faults(processes), max_size=3)),
    )


def faults(processes: Collection[str]) -> st.SearchStrategy[Fault]:
    """Faults at any early point of these processes."""
    return st.builds(
        Fault,
        process=st.sampled_from(sorted(processes)),
        point=st.integers(0, _MOST_POINTS),
        mode=st.sampled_from(FaultMode),
    )


def search(
    make_store: MakeStore, on_run: OnRun, *, without: Collection[Feature], examples: int, first_seed: int
) -> None:
    """Run so many scenarios. Raises `BrokenInvariantError` for the smallest that fails."""

    @seed(first_seed)
    @settings(
        max_examples=max(examples, 1),
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(scenarios(without=without))
    def run(scenario: Scenario) -> None:
        on_run(run_scenario(make_store, scenario))

    if examples:
        run()
