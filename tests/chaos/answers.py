"""What users were answered, from the files that they write, and how fast."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

WINDOW = 2.0  # seconds over which a rate is taken
AS_BEFORE = 0.7  # of the rate of before; the machine is not quiet
_STEP = 0.25


class Answers(NamedTuple):
    """When claims were answered, with the seconds that each took, and when they got a workspace, both sorted; who has
    which; and errors by their kind.
    """

    answered: Sequence[tuple[float, float]]
    served: Sequence[float]
    workspaces: dict[tuple[str, str], str]
    errors: Counter[str]


def read_answers(paths: Iterable[Path]) -> Answers:
    """What the users of all files were answered. A request that was answered twice has its last answer."""
    answered, served, workspaces, errors = [], [], {}, Counter[str]()
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            at, what, *rest = line.split()
            if what == "!":
                errors[rest[0]] += 1
            elif what == "=":
                answered.append((float(at), float(rest[2])))
                if rest[1] != "-":
                    served.append(float(at))
                    workspaces[path.stem, rest[0]] = rest[1]
    return Answers(sorted(answered), sorted(served), workspaces, errors)


def calculate_rate(instants: Sequence[float], begin: float, end: float) -> float:
    """How many there were in a second."""
    return (bisect_left(instants, end) - bisect_left(instants, begin)) / (end - begin)


def calculate_speed(answered: Sequence[tuple[float, float]], begin: float, end: float) -> float:
    """How many claims a user would have answered in a second without a pause between them."""
    seconds = [seconds for at, seconds in answered if begin <= at < end]
    return len(seconds) / sum(seconds) if seconds else 0.0


def find_slowest(answered: Sequence[tuple[float, float]], begin: float, end: float, *, window: float) -> float:
    """The lowest speed over such a window."""
    starts = range(max(int((end - begin) / window), 1))
    return min(calculate_speed(answered, begin + start * window, begin + (start + 1) * window) for start in starts)


def find_recovery(instants: Sequence[float], begin: float, end: float, rate: float) -> float | None:
    """Seconds from `begin` until claims are as fast as `rate`; None if they are not until `end`."""
    at = begin
    while at + WINDOW <= end:
        if calculate_rate(instants, at, at + WINDOW) >= AS_BEFORE * rate:
            return at - begin
        at += _STEP
    return None
