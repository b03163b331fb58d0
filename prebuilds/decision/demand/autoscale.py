"""The setting of a preset whose target follows demand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import attrs

from prebuilds.decision.fields import COUNT, FLAG, POSITIVE, check, optional
from prebuilds.errors import InvalidValueError

_MOST_LEAD = timedelta(days=1)
_MOST_HOLD = timedelta(days=7)

_RATE = check("a number above 0 and below 1", lambda value: type(value) is float and 0 < value < 1)
_LEAD = check("a timedelta from 1 second to 1 day", lambda value: _is_between(value, timedelta(seconds=1), _MOST_LEAD))
_HOLD = check("a timedelta from 0 to 7 days", lambda value: _is_between(value, timedelta(), _MOST_HOLD))


def _is_between(value: object, least: timedelta, most: timedelta) -> bool:
    return isinstance(value, timedelta) and least <= value <= most


@attrs.frozen(kw_only=True)
class Autoscale:
    """What a target that follows demand must reach, and its limits (R21).

    `hit_rate` is the share of claims that should find a prebuild ready. `lead_time` is how long a prebuild takes to
    become ready. The target stays from `min_instances` to `max_instances`. It rises at once, and falls to the highest
    target of the last `hold`; if that is None, fitting chooses it, so that few prebuilds are deleted unclaimed. With
    `acts` False it only shows what it would do.
    """

    hit_rate: float = attrs.field(validator=_RATE)
    lead_time: timedelta = attrs.field(validator=_LEAD)
    min_instances: int = attrs.field(default=0, validator=COUNT)
    max_instances: int = attrs.field(validator=POSITIVE)
    hold: timedelta | None = attrs.field(default=None, validator=optional(_HOLD))
    acts: bool = attrs.field(default=True, validator=FLAG)

    def __attrs_post_init__(self) -> None:
        if self.min_instances > self.max_instances:
            allowed = f"at least min_instances, which is {self.min_instances}"
            raise InvalidValueError("Autoscale", "max_instances", self.max_instances, allowed)

    def clamp(self, count: int) -> int:
        """The count, within the limits."""
        return min(self.max_instances, max(self.min_instances, count))

    def require_room(self, counts: Iterable[int]) -> None:
        """Raise `InvalidValueError` for a preset with a count above `max_instances`, as its counts are floors."""
        most = max(counts)
        if most > self.max_instances:
            allowed = f"at least {most}, the largest count of the preset and its schedules"
            raise InvalidValueError("Preset", "autoscale.max_instances", self.max_instances, allowed)
