"""What traces, simulations and pool sizes raise."""

from __future__ import annotations

from collections.abc import Iterable

from prebuilds.errors.base import PrebuildsError, show


class InvalidTraceError(PrebuildsError, ValueError):
    """Claims cannot be read as a trace.

    `problems` has a line for each kind of mistake: the place of the first bad row, how many more there are, and some of
    them.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


class InsufficientHistoryError(PrebuildsError, ValueError):
    """The history is too short for a forecast; `reason` says how long it is and how long it must be."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class UnreachableGoalError(PrebuildsError, LookupError):
    """No pool size that was tried reaches the requested hit rate; `best` is the highest rate found."""

    def __init__(self, hit_rate: float, best: float) -> None:
        super().__init__(hit_rate, best)
        self.hit_rate = hit_rate
        self.best = best

    def __str__(self) -> str:
        return f"no size that was tried has a hit rate of {self.hit_rate:g}; the best of them has {self.best:.6g}"


class UnknownMissError(PrebuildsError, IndexError):
    """A simulation's result has no miss with this number."""

    def __init__(self, index: int, misses: int) -> None:
        super().__init__(index, misses)
        self.index = index
        self.misses = misses

    def __str__(self) -> str:
        return f"there is no miss {show(self.index)}: the result has {self.misses}, numbered from 0"
