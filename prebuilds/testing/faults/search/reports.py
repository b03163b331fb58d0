"""The report: what was covered, and what was not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from prebuilds.runtime.loop.effects import (
    AddMembership,
    CancelPending,
    CreatePrebuild,
    DeletePrebuild,
    SetPrebuildStatus,
    SubmitBuild,
)
from prebuilds.runtime.ports import Transaction
from prebuilds.testing.faults.doubles.fault_modes import FaultMode
from prebuilds.testing.faults.search.running import Run
from prebuilds.testing.faults.search.small_worlds import Explored
from prebuilds.testing.faults.worlds.features import Feature
from prebuilds.testing.faults.worlds.invariants import NEEDS, Invariant

_KINDS = (AddMembership, CancelPending, CreatePrebuild, DeletePrebuild, SetPrebuildStatus, SubmitBuild)
_EFFECTS = frozenset(kind.__name__ for kind in _KINDS)
_METHODS = frozenset(name for name in dir(Transaction) if not name.startswith("_"))


class Tally:
    """Adds up the results of runs."""

    def __init__(self) -> None:
        self.runs = 0
        self.most_rounds = 0
        self.struck = dict.fromkeys(FaultMode, 0)
        self.called: set[str] = set()
        self.effects: set[str] = set()

    def add(self, run: Run) -> None:
        """Add one run."""
        self.runs += 1
        self.most_rounds = max(self.most_rounds, run.rounds)
        self.called |= run.called
        self.effects |= run.effects
        for fault in run.struck:
            self.struck[fault.mode] += 1


@attrs.frozen(kw_only=True)
class FaultReport:
    """What was checked. All of it holds, or an error would have been raised. `str` gives a few lines for people.

    - `explored`: the small worlds.
    - `searched`: how many larger scenarios were run.
    - `held`: the invariants that were checked.
    - `laws`: what was tried for an hour.
    - `struck`: how many faults of each mode came about.
    - `most_rounds`: the most passes that it took to put everything in order.
    - `left_out`: the features that the host leaves out.
    - `not_called`, `not_done`: the methods of the ports, and the effects, that no run reached.
    """

    explored: Explored
    searched: int
    held: tuple[Invariant, ...]
    laws: tuple[str, ...]
    struck: tuple[tuple[FaultMode, int], ...]
    most_rounds: int
    left_out: tuple[Feature, ...]
    not_called: tuple[str, ...]
    not_done: tuple[str, ...]

    @classmethod
    def make(
        cls, explored: Explored, searched: int, laws: Sequence[str], tally: Tally, left_out: Sequence[Feature]
    ) -> FaultReport:
        """The report of these runs."""
        return cls(
            explored=explored,
            searched=searched,
            held=tuple(invariant for invariant in Invariant if NEEDS.get(invariant) not in left_out),
            laws=tuple(laws),
            struck=tuple(tally.struck.items()),
            most_rounds=tally.most_rounds,
            left_out=tuple(left_out),
            not_called=tuple(sorted(_METHODS - tally.called)),
            not_done=tuple(sorted(_EFFECTS - tally.effects)),
        )

    def __str__(self) -> str:
        struck = ", ".join(f"{mode.value} {count}" for mode, count in self.struck)
        return "\n".join(
            (
                f"{self.explored}.",
                f"{self.searched} larger scenarios; in order again after {self.most_rounds} rounds at most.",
                f"Faults that came about: {struck}.",
                f"Held: {_list(invariant.name.lower() for invariant in self.held)}.",
                f"Lasting trouble: {_list(self.laws)}.",
                f"Left out by the host: {_list(feature.value for feature in self.left_out)}.",
                f"Not covered: methods {_list(self.not_called)}; effects {_list(self.not_done)}.",
            )
        )


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
