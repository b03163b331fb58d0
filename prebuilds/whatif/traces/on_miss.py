"""What becomes of a claim that finds no prebuild ready."""

from __future__ import annotations

from enum import Enum
from typing import Any


class OnMiss(Enum):
    """What a user does after a miss. Functions that take a member also take its value, such as `"wait"`."""

    COLD_START = "cold_start"
    """They build a workspace of their own, and the pool stays as it is: a lost sale."""
    WAIT = "wait"
    """They take the next prebuild that becomes ready, and it is replaced at once: a backorder."""


def to_on_miss(value: Any) -> Any:
    """The member with this value. Any other value is returned as it is, for a validator to check."""
    values = {member.value: member for member in OnMiss}
    return values.get(value, value) if isinstance(value, str) else value
