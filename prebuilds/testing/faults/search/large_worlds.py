"""Searching large worlds: several reconcilers and claimants at once, old snapshots, lost messages and faults.

Hypothesis makes the scenarios, and shrinks a failure to the smallest scenario that still fails.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from datetime import timedelta
from math import inf

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from prebuilds.errors import BrokenInvariantError
from prebuilds.runtime.clocks import SYSTEM_CLOCK
from prebuilds.testing.faults.doubles.fault_modes import Fault, FaultMode
from prebuilds.testing.faults.doubles.unreliable_pubsub import Delivery
from prebuilds.testing.faults.search.running import MakeStore, run_scenario
from prebuilds.testing.faults.search.small_worlds import MOST_SKEW, OnRun
from prebuilds.testing.faults.worlds.features import Feature, list_acts
from prebuilds.testing.faults.worlds.scenarios import FaultScenario
from prebuilds.testing.faults.worlds.starting_states import CURABLE, FAILING, SITUATIONS

_MOST_POINTS = 20  # for each process, so that most faults come about
_DAY = 86_400  # seconds

_SETTINGS = settings(
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    report_multiple_bugs=False,
    print_blob=False,
)


@st.composite
def scenarios(draw: st.DrawFn, *, without: Collection[Feature] = ()) -> FaultScenario:
    """Scenarios for a host that leaves out the features in `without`. They shrink to one preset, one pass, no fault."""
    names = [name for name in (*CURABLE, *FAILING) if SITUATIONS[name].needs not in without]
    jump = draw(st.sampled_from((0, 0, 0, 120, -120, _DAY, -_DAY)))
    if jump == _DAY:
        # A failure that is noted by such a clock holds its preset for the day (R13). Without a budget the same pass
        # replaces what has failed, so that nothing waits.
        without = {*without, Feature.BUDGETS}
    acts = list_acts(without)
    reconcilers = 1 if Feature.REPLICAS in without else draw(st.integers(1, 3))
    claimants = 0 if Feature.CLAIMS in without else draw(st.integers(0, 3))
    processes = [*(f"r{number}" for number in range(reconcilers)), *(f"c{number}" for number in range(claimants))]
    return FaultScenario(
        situations=draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)),
        reconcilers=reconcilers,
        claimants=claimants,
        rounds=draw(st.integers(1, 3)),
        seed=draw(st.integers(0, 10_000)),
        skew=draw(st.sampled_from((0, 0, 61, 90))) if reconcilers > 1 else 0,
        jump=jump,
        lag=draw(st.sampled_from((0, 0, 0, 1, 2, 5))),
        hides=draw(st.sampled_from((0, 0, 0, 1, 2, 3, 5, 8))),
        budget=0 if Feature.BUDGETS in without else draw(st.sampled_from((0, 0, 1, 2))),
        messages=() if Feature.OUTBOX in without else draw(st.lists(st.sampled_from(Delivery), max_size=2)),
        events=draw(st.lists(st.sampled_from(acts), max_size=2)),
        faults=draw(st.lists(faults(processes), max_size=3)),
        host_skew=draw(st.sampled_from((0, 0, 0)) | st.integers(-MOST_SKEW, MOST_SKEW)),
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
    make_store: MakeStore,
    on_run: OnRun,
    *,
    without: Collection[Feature],
    examples: int,
    first_seed: int,
    shrink_for: timedelta,
    get_time: Callable[[], float] = SYSTEM_CLOCK.monotonic,
) -> None:
    """Run `examples` scenarios. Raises `BrokenInvariantError` for the smallest failure.

    The first failure is reported at once, then shrunk for at most `shrink_for`, by the seconds of `get_time`.
    """
    shrinking = _Shrinking(shrink_for, get_time)

    @seed(first_seed)
    @settings(_SETTINGS, max_examples=max(examples, 1))
    @given(scenarios(without=without))
    def run(scenario: FaultScenario) -> None:
        shrinking.refuse_if_over()
        try:
            on_run(run_scenario(make_store, scenario))
        except BrokenInvariantError as error:
            shrinking.note(error)
            raise

    if examples:
        shrinking.attempt(run)


class _OverError(BaseException):
    """The time is up. Hypothesis lets it pass, as it is no `Exception`."""


class _Shrinking:
    """The failures of one search, and how long to look for smaller ones."""

    def __init__(self, limit: timedelta, get_time: Callable[[], float]) -> None:
        self._seconds = limit.total_seconds()
        self._get_time = get_time
        self._until = inf
        self._failures: list[BrokenInvariantError] = []

    def refuse_if_over(self) -> None:
        """Raises `_OverError` once the time is up."""
        if self._get_time() >= self._until:
            raise _OverError

    def note(self, error: BrokenInvariantError) -> None:
        """Record a failure. Write the first to the standard error output, as shrinking may take a while."""
        if not self._failures:
            self._until = self._get_time() + self._seconds
            sys.stderr.write(f"{error}\n  made smaller for at most {self._seconds:g} s\n")
        self._failures.append(error)

    def attempt(self, run: Callable[[], None]) -> None:
        """Search. Raises the smallest failure, with a note of the first."""
        try:
            run()
        except BrokenInvariantError as error:
            raise self._explain(error) from error.__cause__
        except _OverError:
            smallest = min(self._failures, key=lambda error: len(error.replay))
            raise self._explain(smallest) from smallest.__cause__

    def _explain(self, error: BrokenInvariantError) -> BrokenInvariantError:
        add_note(error, f"first found by: {self._failures[0].replay}")
        return error


def add_note(error: BaseException, note: str) -> None:
    """`BaseException.add_note`, which Python 3.10 does not have."""
    setattr(error, "__notes__", [*getattr(error, "__notes__", ()), note])  # noqa: B010 - it is typed from 3.11 on
