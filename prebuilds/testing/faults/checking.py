"""Checking a reconciler over a host's own store: small worlds whole, larger ones by chance, lasting trouble by hours.

Everything that is decided by chance follows from `seed`: the same call does the same again.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from prebuilds.errors import InvalidValueError
from prebuilds.testing.faults.search.exploring import choose_evenly, explore, list_acts_alone, list_worlds
from prebuilds.testing.faults.search.lasting import LAWS, list_laws, run_law
from prebuilds.testing.faults.search.reports import FaultReport, Tally
from prebuilds.testing.faults.search.running import MakeStore, run_scenario
from prebuilds.testing.faults.search.searching import search
from prebuilds.testing.faults.worlds.scenarios import FaultScenario
from prebuilds.testing.faults.worlds.situations import Feature

_MINUTE = timedelta(minutes=1)


def check_reconciler(
    make_store: MakeStore,
    *,
    without: Collection[Feature] = (),
    examples: int = 100,
    most_runs: int | None = None,
    seed: int = 0,
    shrink_for: timedelta = _MINUTE,
) -> FaultReport:
    """Hold the loop over this store to what must hold of it, whatever goes wrong.

    `make_store` gives a new, empty store each time; one that has a `close` is closed. Every point of a round is tried
    with every fault mode, or `most_runs` of these if that is less, then every act of a person alone, or as many, then
    `examples` larger scenarios. Features in `without` are those that the host leaves out. Raises
    `BrokenInvariantError`, which has the line to run the smallest failure again. A larger scenario that fails is told
    at once to the standard error output, and then made smaller for as long as `shrink_for`. For a test:

        def test_our_store() -> None:
            print(check_reconciler(OurStore, without=[Feature.HISTORY]))
    """
    left_out = [feature for feature in Feature if feature in set(without)]
    if len(left_out) < len(set(without)):
        raise InvalidValueError("check_reconciler", "without", without, "a collection of Feature")
    if not isinstance(shrink_for, timedelta) or shrink_for < timedelta():
        raise InvalidValueError("check_reconciler", "shrink_for", shrink_for, "a timedelta of 0 or more")
    tally = Tally()
    explored = explore(make_store, list_worlds(left_out), tally.add, most_runs=most_runs)
    for scenario in choose_evenly(list_acts_alone(left_out), most_runs):
        tally.add(run_scenario(make_store, scenario))
    laws = list_laws(left_out)
    for law in laws:
        run_law(make_store, law)
    before = tally.runs
    search(make_store, tally.add, without=left_out, examples=examples, first_seed=seed, shrink_for=shrink_for)
    return FaultReport.make(explored, tally.runs - before, [law.name for law in laws], tally, left_out)


def replay_reconciler(make_store: MakeStore, text: str) -> None:
    """Run one scenario again: the line that a failure of `check_reconciler` ends with. Raises as that does."""
    if text in LAWS:
        run_law(make_store, LAWS[text])
    else:
        run_scenario(make_store, FaultScenario.parse(text))
