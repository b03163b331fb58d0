"""Scenarios: everything that a run depends on, in one line of text that you can paste to run it again.

- The same scenario over the same store always gives the same run.
- The text leaves out the defaults: `grow,shrink faults=r0@7:after`.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from prebuilds.decision.fields import COUNT, FLAG, check, to_tuple, tuple_of
from prebuilds.errors import InvalidValueError
from prebuilds.testing.faults.doubles.fault_modes import Fault
from prebuilds.testing.faults.doubles.unreliable_pubsub import Delivery
from prebuilds.testing.faults.worlds.acts import ACTS
from prebuilds.testing.faults.worlds.starting_states import SITUATIONS

_SITUATIONS = check(
    f"one or more of {', '.join(SITUATIONS)}, none twice",
    lambda value: type(value) is tuple and 0 < len(value) == len(set(value)) and set(value) <= SITUATIONS.keys(),
)
_EVENTS = check(f"any of {', '.join(ACTS)}", lambda value: type(value) is tuple and set(value) <= ACTS.keys())
_FEW = check("a whole number from 1 to 3", lambda value: type(value) is int and 1 <= value <= 3)
_AT_MOST_THREE = check("a whole number from 0 to 3", lambda value: type(value) is int and 0 <= value <= 3)
_SECONDS = check("a whole number of seconds", lambda value: type(value) is int and abs(value) <= 10**9)


@attrs.frozen(kw_only=True)
class FaultScenario:
    """A small world, who acts in it, and what goes wrong.

    - `situations`: the presets, each in the situation of its name.
    - `reconcilers`, `claimants`: how many act at once, each for `rounds` passes or claims. `seed` decides their turns.
    - `skew`: the clock of each further reconciler is this many seconds ahead of the one before.
    - `jump`: all these clocks jump by this many seconds after the first pass.
    - `lag`, `hides`: snapshots are `lag` commits old, and never show the state after commit number `hides`.
    - `is_paused`: reconciliation is paused at first.
    - `messages`: what may happen to the messages to the loop.
    - `events`: what people do meanwhile.
    - `faults`: what goes wrong, and where.
    - `budget`: how many starts may be under way at once; 0: any number. It is set until faults stop.
    - `can_cancel`: the builder can stop a start that it has accepted.
    - `host_skew`: the host's clock, which dates builder reports and what people do, is this many seconds ahead.
    """

    situations: tuple[str, ...] = attrs.field(converter=to_tuple, validator=_SITUATIONS)
    reconcilers: int = attrs.field(default=1, validator=_FEW)
    claimants: int = attrs.field(default=0, validator=_AT_MOST_THREE)
    rounds: int = attrs.field(default=1, validator=_FEW)
    seed: int = attrs.field(default=0, validator=COUNT)
    skew: int = attrs.field(default=0, validator=_SECONDS)
    jump: int = attrs.field(default=0, validator=_SECONDS)
    lag: int = attrs.field(default=0, validator=COUNT)
    hides: int = attrs.field(default=0, validator=COUNT)
    is_paused: bool = attrs.field(default=False, validator=FLAG)
    budget: int = attrs.field(default=0, validator=COUNT)
    can_cancel: bool = attrs.field(default=True, validator=FLAG)
    messages: tuple[Delivery, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Delivery))
    events: tuple[str, ...] = attrs.field(default=(), converter=to_tuple, validator=_EVENTS)
    faults: tuple[Fault, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Fault))
    host_skew: int = attrs.field(default=0, validator=_SECONDS)

    def __str__(self) -> str:
        words = [",".join(self.situations)]
        for field in attrs.fields(FaultScenario)[1:]:
            value = getattr(self, field.name)
            if value != field.default:
                words.append(f"{field.name}={_write(value)}")
        return " ".join(words)

    @classmethod
    def parse(cls, text: str) -> FaultScenario:
        """Read a scenario from its text. Raises `InvalidValueError`."""
        situations, *words = text.split() or [""]
        values: dict[str, object] = {}
        for word in words:
            name, _, value = word.partition("=")
            if name not in _READERS:
                raise InvalidValueError(
                    "FaultScenario", "text", word, f"NAME=VALUE, the name one of {', '.join(_READERS)}"
                )
            try:
                values[name] = _READERS[name](value)
            except ValueError as error:
                raise InvalidValueError(
                    "FaultScenario", name, value, f"as in the text of a scenario ({error})"
                ) from error
        return cls(situations=situations.split(","), **values)  # type: ignore[arg-type]


def _write(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(item.value if isinstance(item, Delivery) else str(item) for item in value)
    return str(int(value)) if isinstance(value, bool) else str(value)


def _read_faults(text: str) -> tuple[Fault, ...]:
    return tuple(map(Fault.parse, text.split(",")))


def _read_messages(text: str) -> tuple[Delivery, ...]:
    return tuple(map(Delivery, text.split(",")))


def _read_events(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


_READERS: dict[str, Callable[[str], object]] = {
    "reconcilers": int,
    "claimants": int,
    "rounds": int,
    "seed": int,
    "skew": int,
    "jump": int,
    "lag": int,
    "hides": int,
    "is_paused": lambda text: bool(int(text)),
    "budget": int,
    "can_cancel": lambda text: bool(int(text)),
    "messages": _read_messages,
    "events": _read_events,
    "faults": _read_faults,
    "host_skew": int,
}
