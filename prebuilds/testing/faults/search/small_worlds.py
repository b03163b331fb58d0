"""Exploring small worlds: one round, with every fault mode at every point.

- A round runs once without a fault, which shows its points; then once for each point and mode.
- Worlds come from small to large, so the first failure is the smallest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

import attrs

from prebuilds.testing.faults.doubles.fault_modes import Fault, FaultMode
from prebuilds.testing.faults.search.running import MakeStore, Run, run_scenario
from prebuilds.testing.faults.worlds.features import Feature, list_acts
from prebuilds.testing.faults.worlds.scenarios import FaultScenario
from prebuilds.testing.faults.worlds.starting_states import CURABLE, HOPELESS, SITUATIONS

OnRun = Callable[[Run], None]
_DAY = 86_400
MOST_SKEW = 900
"""The most seconds that the host's clock is off."""
_ENDING = ("make_unready", "lose", "release", "retire", "forget")
_ACTED = (
    FaultScenario(situations=["claimed"], rounds=2, seed=1, events=_ENDING),
    FaultScenario(situations=["limited"], rounds=2, seed=1, events=["reset"]),
    FaultScenario(situations=["unsubmitted"], seed=1, events=["change"]),
)


@attrs.frozen(kw_only=True)
class Explored:
    """How much of the small worlds was run: `done` of `total` runs, which are all `points` in every mode."""

    worlds: int
    points: int
    total: int
    done: int

    @property
    def share(self) -> float:
        """The share of runs that were made, from 0 to 1."""
        return self.done / self.total if self.total else 1.0

    def __str__(self) -> str:
        return (
            f"{self.points} points of a round in {self.worlds} small worlds x {len(FaultMode)} fault modes: "
            f"{self.done} of {self.total} runs ({self.share:.0%})"
        )


def list_worlds(without: Collection[Feature]) -> Sequence[FaultScenario]:
    """The small worlds for a host that leaves these features out, from small to large:

    each situation alone; a clock that jumps forward, and one that jumps back; a builder that cannot cancel; acts on a
    preset meanwhile; all situations while paused; a budget that two presets share; hopeless presets beside one that
    grows; and all situations at once.
    """
    names = [name for name in CURABLE if SITUATIONS[name].needs not in without]
    paused = [] if Feature.PAUSE in without else [FaultScenario(situations=names, is_paused=True)]
    jumps = [FaultScenario(situations=["grow"], rounds=2, jump=seconds) for seconds in (_DAY, -_DAY)]
    bounded = [] if Feature.BUDGETS in without else [FaultScenario(situations=["grow", "unsubmitted"], budget=1)]
    starving = [FaultScenario(situations=[*HOPELESS, "grow"])]
    acted = [world for world in _ACTED if world.situations[0] in names]
    return [
        *(FaultScenario(situations=[name]) for name in names),
        *jumps,
        FaultScenario(situations=["given_up"], can_cancel=False),
        *acted,
        *paused,
        *bounded,
        *starving,
        FaultScenario(situations=names),
    ]


def list_acts_alone(without: Collection[Feature]) -> Sequence[FaultScenario]:
    """Each act alone, among claims, with a host's clock that is right, far ahead, or far behind."""
    situation, claimants = ("steady", 0) if Feature.CLAIMS in without else ("claimed", 2)
    return [
        FaultScenario(situations=[situation], claimants=claimants, rounds=2, seed=seed, events=[act], host_skew=skew)
        for act in list_acts(without)
        for skew in (0, MOST_SKEW, -MOST_SKEW)
        for seed in (1, 2)
    ]


def explore(
    make_store: MakeStore, worlds: Sequence[FaultScenario], on_run: OnRun, *, most_runs: int | None
) -> Explored:
    """Run each world with every possible fault, or with `most_runs` of these, evenly chosen.

    Raises `BrokenInvariantError` at the first failure.
    """
    plain = [run_scenario(make_store, world) for world in worlds]
    faulty = [attrs.evolve(run.scenario, faults=(fault,)) for run in plain for fault in _list_faults(run)]
    chosen = choose_evenly(faulty, most_runs)
    for run in plain:
        on_run(run)
    for scenario in chosen:
        on_run(run_scenario(make_store, scenario))
    points = sum(len(crossed) for run in plain for crossed in run.points.values())
    return Explored(worlds=len(worlds), points=points, total=len(faulty), done=len(chosen))


def choose_evenly(scenarios: Sequence[FaultScenario], most: int | None) -> Sequence[FaultScenario]:
    """All scenarios, or `most` of them."""
    count = min(most or len(scenarios), len(scenarios))
    return [scenarios[number * len(scenarios) // count] for number in range(count)]


def _list_faults(plain: Run) -> Iterator[Fault]:
    for process, crossed in plain.points.items():
        for point, _ in crossed:
            for mode in FaultMode:
                yield Fault(process=process, point=point, mode=mode)
