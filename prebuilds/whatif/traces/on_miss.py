"""What becomes of a claim that finds no prebuild ready."""

from __future__ import annotations

from enum import Enum
from typing import Any


class OnMiss(Enum):
    """What a user does who finds no prebuild ready. Its value, such as `"wait"`, is taken in its place everywhere."""

    COLD_START = "cold_start"
    """They build a workspace of their own, and the pool is left as it is: a lost sale."""
    WAIT = "wait"
    """They take the next prebuild that becomes ready, and it is replaced at once: a backorder."""


def to_on_miss(value: Any) -> Any:
    """The member that has this value; whatever else is left for the validator to refuse."""
    values = {member.value: member for member in OnMiss}
    return values.get(value, value) if isinstance(value, str) else value
