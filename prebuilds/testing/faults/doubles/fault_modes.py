"""Faults: where one strikes, how, and which error the process sees.

- A point is one crossing of a boundary: a transaction of the store, a submit to the builder, a publish. Each process
  counts its own points from 0, and goes on counting after a crash.
- A crashed process can do nothing more: all that it tries on its way down fails without effect.
"""

from __future__ import annotations

import re
from enum import Enum

import attrs

from prebuilds.decision.fields import COUNT, ID, member_of
from prebuilds.errors import InvalidValueError


class Boundary(Enum):
    """A way in which a process acts on the outside world."""

    TRANSACTION = "transaction"
    SUBMIT = "submit"
    PUBLISH = "publish"


class FaultMode(Enum):
    """What goes wrong at a boundary."""

    BEFORE = "before"
    """The process crashes before the effect; an open transaction is rolled back."""
    AFTER = "after"
    """The process crashes after the effect, before it has the answer."""
    ANSWER_LOST = "answer_lost"
    """The effect is there and the process lives, but it gets an error."""
    TIMEOUT = "timeout"
    """There is no effect, and the process gets a `TimeoutError`."""
    DUPLICATE = "duplicate"
    """The effect is requested twice, as by a proxy that retries."""
    PART = "part"
    """Part of a batch: a transaction breaks after its first write; a submit or a publish is the last to get through."""


@attrs.frozen(kw_only=True)
class Fault:
    """One failure: in which process, at which of its points, and how. As text: `r0@7:after`."""

    process: str = attrs.field(validator=ID)
    point: int = attrs.field(validator=COUNT)
    mode: FaultMode = attrs.field(validator=member_of(FaultMode))

    def __str__(self) -> str:
        return f"{self.process}@{self.point}:{self.mode.value}"

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read a fault from its text. Raises `InvalidValueError`."""
        match = re.fullmatch(r"(\w+)@(\d{1,6}):(\w+)", text)
        modes = {mode.value: mode for mode in FaultMode}
        if match is None or match[3] not in modes:
            raise InvalidValueError("Fault", "text", text, f"PROCESS@POINT:MODE, the mode one of {', '.join(modes)}")
        return cls(process=match[1], point=int(match[2]), mode=modes[match[3]])


class CrashedError(BaseException):
    """The process has crashed here. No `except Exception` catches it."""


class AnswerLostError(ConnectionError):
    """The answer was lost: the effect may be there or not."""


class InjectedTimeoutError(TimeoutError):
    """The effect did not begin in time."""
