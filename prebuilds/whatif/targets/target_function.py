"""Target functions: targets that follow claims.

Instants are seconds since 1970 in UTC, and calls come in the order of time.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Protocol, runtime_checkable

from prebuilds.whatif.traces.ticks import TICKS_PER_SECOND


@runtime_checkable
class TargetFunction(Protocol):
    """A target that follows claims."""

    def note(self, at: float, *, is_hit: bool) -> None:
        """Take note of a claim, after it was a hit or a miss."""
        ...

    def bounds(self, now: float) -> tuple[int, int]:
        """The number of prebuilds to create up to, and the number above which to delete; equal for a plain target."""
        ...

    def until(self, now: float) -> float:
        """The next instant at which `bounds` may differ though nobody claims; infinity if there is none."""
        ...


class ConstantTarget:
    """The same target at all times."""

    def __init__(self, size: int) -> None:
        self._bounds = (size, size)

    def note(self, at: float, *, is_hit: bool) -> None:
        """A constant follows nothing."""

    def bounds(self, now: float) -> tuple[int, int]:  # noqa: ARG002
        return self._bounds

    def until(self, now: float) -> float:  # noqa: ARG002
        return inf


def note_past(target: TargetFunction, ticks: Iterable[int]) -> None:
    """Let a target know the claims of the past, all of them as hits."""
    for at in ticks:
        target.note(at / TICKS_PER_SECOND, is_hit=True)
