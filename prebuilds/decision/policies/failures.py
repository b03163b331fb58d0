"""Failures: why a build failed, what its message may hold, and how the wait after failures grows (R19)."""

from __future__ import annotations

from enum import Enum

from prebuilds.decision.fields import MAX_TEXT, UNPRINTABLE


class FailureClass(Enum):
    """Why a build failed, which tells whether to try again."""

    CONFIGURATION = "configuration"
    """No retry helps, as with a broken template. The preset is hard-limited at once."""
    CAPACITY = "capacity"
    """There is no room now, as with a quota. Creates are held and tried again later; this never limits a preset."""
    TRANSIENT = "transient"
    """Anything else. The preset backs off, and is hard-limited after several failed attempts in a row."""


class BackoffKind(Enum):
    """How the wait after failures grows."""

    LINEAR = "linear"
    """By one interval with each failed build (R8)."""
    EXPONENTIAL = "exponential"
    """To twice as long with each failed attempt, up to a cap."""


def tidy_message(text: str) -> str:
    """The text as a message may hold it: on one line, without control characters, and cut where it is too long."""
    line = " ".join(UNPRINTABLE.sub(" ", text).split())
    return line if len(line) <= MAX_TEXT else f"{line[: MAX_TEXT - 3]}..."
