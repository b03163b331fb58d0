"""Every error this library raises on purpose.

One root, `PrebuildsError`; each child also derives from the built-in that fits it, so that `except ValueError` and
`except LookupError` work as one would expect. An error keeps what it was made of as attributes, and can be pickled.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

_SHOWN = 80
MAX_PROBLEMS = 1_000  # whoever has more of them has given something else than a snapshot


def shorten(text: str) -> str:
    """The text, with its middle left out when it is too long for a message."""
    if len(text) <= _SHOWN:
        return text
    return f"{text[: _SHOWN - 20]}...{text[-15:]} ({len(text)} characters)"


def show(value: object) -> str:
    """The value as a person should see it in a message: its repr, shortened."""
    try:
        return shorten(repr(value))
    except (ValueError, RecursionError):  # an int of more digits than Python agrees to print, or lists in lists
        return f"a value of type {type(value).__name__}, too large or too deep to print"


class PrebuildsError(Exception):
    """The root of all errors of this library."""


class InvalidValueError(PrebuildsError, ValueError):
    """A model was given a value it does not allow: which model, field and value, and what is allowed."""

    def __init__(self, model: str, field: str, value: object, allowed: str) -> None:
        super().__init__(model, field, value, allowed)
        self.model = model
        self.field = field
        self.value = value
        self.allowed = allowed

    def __str__(self) -> str:
        return f"{self.model}.{self.field}: {show(self.value)} is not allowed; it must be {self.allowed}"


class InvalidCronError(PrebuildsError, ValueError):
    """A cron expression cannot be read as a window; `problems` has one text for each thing wrong with it."""

    def __init__(self, expression: str, problems: tuple[str, ...]) -> None:
        super().__init__(expression, problems)
        self.expression = expression
        self.problems = problems

    def __str__(self) -> str:
        return f"`{shorten(self.expression)}`: {'; '.join(self.problems)}"


class UnknownPresetError(PrebuildsError, LookupError):
    """The snapshot has no preset with this id."""

    def __init__(self, preset_id: str) -> None:
        super().__init__(preset_id)
        self.preset_id = preset_id

    def __str__(self) -> str:
        return f"the snapshot has no preset with the id {show(self.preset_id)}"


class UnknownMissError(PrebuildsError, IndexError):
    """The result of a simulation has no miss with this number."""

    def __init__(self, index: int, misses: int) -> None:
        super().__init__(index, misses)
        self.index = index
        self.misses = misses

    def __str__(self) -> str:
        return f"there is no miss {show(self.index)}: the result has {self.misses}, numbered from 0"


class InvalidSnapshotError(PrebuildsError, ValueError):
    """A snapshot or its document is wrong.

    `problems` has a line for every problem found, led by its path in the document; of thousands it has the first
    thousand and a line that says so.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        distinct = iter(dict.fromkeys(islice(problems, 2 * MAX_PROBLEMS)))
        told = tuple(islice(distinct, MAX_PROBLEMS))
        more = (f"more than {MAX_PROBLEMS} problems; the rest is not told",) if next(distinct, None) else ()
        super().__init__(told + more)
        self.problems = told + more

    def __str__(self) -> str:
        return "\n".join(self.problems)


class InvalidTraceError(PrebuildsError, ValueError):
    """Claims cannot be read as a trace: `problems` has a line for every bad row, led by its place."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        more = len(self.problems) - MAX_PROBLEMS
        left_out = (f"and {more} more, all of them in `problems`",) if more > 0 else ()
        return "\n".join(self.problems[:MAX_PROBLEMS] + left_out)


class InsufficientHistoryError(PrebuildsError, ValueError):
    """The past is too short to tell the future from; `reason` says how much there is and how much is needed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class UnreachableGoalError(PrebuildsError, LookupError):
    """No pool size among those that were tried reaches the hit rate asked for; `best` is the highest of theirs."""

    def __init__(self, hit_rate: float, best: float) -> None:
        super().__init__(hit_rate, best)
        self.hit_rate = hit_rate
        self.best = best

    def __str__(self) -> str:
        return f"no size that was tried has a hit rate of {self.hit_rate:g}; the best of them has {self.best:.6g}"


class MissingExtraError(PrebuildsError, ImportError):
    """A part of the library was used whose extra is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(package, extra)
        self.package = package
        self.extra = extra

    def __str__(self) -> str:
        return f"{self.package} is not installed; it comes with an extra: pip install 'prebuilds[{self.extra}]'"
