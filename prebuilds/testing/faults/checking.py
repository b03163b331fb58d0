"""Checking a reconciler over a host's own store: small worlds whole, larger ones by chance, lasting trouble by hours.

All chance follows from `seed`: the same call does the same again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

from prebuilds.errors import InvalidValueError
from prebuilds.runtime.ports import Capability
from prebuilds.testing.capabilities import list_capabilities_of
from prebuilds.testing.faults.search.large_worlds import search
from prebuilds.testing.faults.search.outages import LAWS, list_laws, run_law
from prebuilds.testing.faults.search.reports import FaultReport, Tally
from prebuilds.testing.faults.search.running import MakeStore, run_scenario
from prebuilds.testing.faults.search.small_worlds import choose_evenly, explore, list_acts_alone, list_worlds
from prebuilds.testing.faults.worlds.features import Feature
from prebuilds.testing.faults.worlds.scenarios import FaultScenario

_MINUTE = timedelta(minutes=1)
_NEEDS = {
    Feature.REPLICAS: Capability.LEASE,
    Feature.OUTBOX: Capability.OUTBOX,
    Feature.PAUSE: Capability.PAUSE,
    Feature.BUDGETS: Capability.BUDGETS,
    Feature.MEMBERSHIPS: Capability.MEMBERSHIPS,
}
"""The capability that a feature needs."""


def check_reconciler(
    make_store: MakeStore,
    *,
    without: Collection[Feature] = (),
    examples: int = 100,
    most_runs: int | None = None,
    seed: int = 0,
    shrink_for: timedelta = _MINUTE,
) -> FaultReport:
    """Check that the loop over this store keeps every invariant, whatever goes wrong.

    `make_store` gives a new, empty store at each call; a store with a `close` is closed. `without` has the features
    that the host leaves out; those that need a capability which the store lacks are left out too. There are three
    steps:

    1. Every point of a round, with every fault mode; at most `most_runs` runs.
    2. Every act of a person, alone; at most `most_runs` runs. Then the laws of lasting trouble.
    3. `examples` larger scenarios.

    Raises `BrokenInvariantError`, with the line that runs the smallest failure again. The first larger scenario that
    fails is written to the standard error output at once, and then shrunk for at most `shrink_for`. For a test:

        def test_our_store() -> None:
            print(check_reconciler(OurStore, without=[Feature.HISTORY]))
    """
    if not set(without) <= set(Feature):
        raise InvalidValueError("check_reconciler", "without", without, "a collection of Feature")
    if not isinstance(shrink_for, timedelta) or shrink_for < timedelta():
        raise InvalidValueError("check_reconciler", "shrink_for", shrink_for, "a timedelta of 0 or more")
    left_out = _list_left_out(make_store, without)
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


def _list_left_out(make_store: MakeStore, without: Collection[Feature]) -> Sequence[Feature]:
    try:
        lacking = set(Capability) - list_capabilities_of(make_store)
    except Exception:  # the runs meet it too, and report it with the line to run it again
        lacking = set()
    return [feature for feature in Feature if feature in without or _NEEDS.get(feature) in lacking]


def replay_reconciler(make_store: MakeStore, text: str) -> None:
    """Run one scenario again: a failure of `check_reconciler` ends with the line that does it. Raises the same."""
    if text in LAWS:
        run_law(make_store, LAWS[text])
    else:
        run_scenario(make_store, FaultScenario.parse(text))
