"""Faults: where one strikes, in which way, and what it looks like to the process that it strikes.

- A point is one crossing of a boundary: a transaction of the store, a submit to the builder, a publish. Each process
  counts its own, from 0, over all its lives.
- A process that has crashed does nothing more: whatever it tries on its way down fails without an effect.
"""

from __future__ import annotations

import re
from enum import Enum

import attrs

from prebuilds.decision.fields import COUNT, ID, member_of
from prebuilds.errors import InvalidValueError


class Boundary(Enum):
    """What a process can do to the world outside of it."""

    TRANSACTION = "transaction"
    SUBMIT = "submit"
    PUBLISH = "publish"


class FaultMode(Enum):
    """What goes wrong at a boundary."""

    BEFORE = "before"
    """The process crashes before the effect; an open transaction is rolled back."""
    AFTER = "after"
    """The process crashes after the effect and before it has the answer."""
    ANSWER_LOST = "answer_lost"
    """The effect is there and the process lives, but what it gets is an error."""
    TIMEOUT = "timeout"
    """There is no effect, and what the process gets is a `TimeoutError`."""
    DUPLICATE = "duplicate"
    """The effect is asked for twice, as by a proxy that tries again."""
    PART = "part"
    """Part of a batch: a transaction breaks after its first write; a submit or a publish is the last to go through."""


@attrs.frozen(kw_only=True)
class Fault:
    """One thing that goes wrong: in which process, at which of its points, and how. As text it is `r0@7:after`."""

    process: str = attrs.field(validator=ID)
    point: int = attrs.field(validator=COUNT)
    mode: FaultMode = attrs.field(validator=member_of(FaultMode))

    def __str__(self) -> str:
        return f"{self.process}@{self.point}:{self.mode.value}"

    @classmethod
    def parse(cls, text: str) -> Fault:
        """The fault of this text. Raises `InvalidValueError`."""
        match = re.fullmatch(r"(\w+)@(\d{1,6}):(\w+)", text)
        modes = {mode.value: mode for mode in FaultMode}
        if match is None or match[3] not in modes:
            raise InvalidValueError("Fault", "text", text, f"PROCESS@POINT:MODE, the mode one of {', '.join(modes)}")
        return cls(process=match[1], point=int(match[2]), mode=modes[match[3]])


class CrashedError(BaseException):
    """The process has crashed here. No `except Exception` holds it up."""


class AnswerLostError(ConnectionError):
    """Something was asked for, and nobody knows what became of it."""


class InjectedTimeoutError(TimeoutError):
    """What was asked for did not begin in time."""
