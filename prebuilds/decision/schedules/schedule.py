"""Schedules: a count of prebuilds for a window in time, and which comes first where several are open (R3, R20).

- Dates are local: they are read by the clock of the preset's time zone.
- Dates are kept sorted, each once, so that equal schedules are equal however they were written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from enum import Enum
from typing import Any

import attrs

from prebuilds.decision.fields import COUNT, CRON, DATE, DATES, check, optional, to_tuple
from prebuilds.errors import InvalidValueError

_MAX_LEAD = timedelta(days=7)
_LEAD = check(
    f"a timedelta from 0 to {_MAX_LEAD.days} days",
    lambda value: isinstance(value, timedelta) and timedelta() <= value <= _MAX_LEAD,
)


class Precedence(Enum):
    """What happens where the windows of two schedules overlap. A schedule for dates always comes before others."""

    FALL_BACK = "fall_back"
    """None of the preset's schedules can be used: it falls back to its own count."""
    LAST_WINS = "last_wins"
    """The one that stands last among the preset's schedules counts."""


def to_precedence(value: Any) -> Any:
    """The member with this value. Anything else is returned as it is, for the validator to refuse."""
    named = {member.value: member for member in Precedence}
    return named.get(value, value) if isinstance(value, str) else value


def _to_dates(value: Any) -> Any:
    dates = to_tuple(value)
    is_sortable = type(dates) is tuple and all(type(element) is date for element in dates)
    return tuple(sorted(set(dates))) if is_sortable else dates


@attrs.frozen(kw_only=True, cache_hash=True, repr=False)  # every decision looks schedules up in a cache
class Schedule:
    """How many prebuilds to keep while the window of `cron` is open, in the time zone of the preset (R3, R4, R20).

    The expression is parsed when a decision needs it, so that one bad schedule never stops another preset.
    `check_schedules` finds its problems beforehand.

    The window is open only from the date `starts_on` until the end of the date `ends_on`, or only on the `dates`, and
    never on the dates of `except_on`. It opens earlier by `lead`, up to 7 days, so that what it adds is ready when the
    hours of the window begin; the lead may begin on a date before.
    """

    cron: str = attrs.field(validator=CRON)
    instances: int = attrs.field(validator=COUNT)
    starts_on: date | None = attrs.field(default=None, validator=optional(DATE))
    ends_on: date | None = attrs.field(default=None, validator=optional(DATE))
    dates: tuple[date, ...] = attrs.field(default=(), converter=_to_dates, validator=DATES)
    except_on: tuple[date, ...] = attrs.field(default=(), converter=_to_dates, validator=DATES)
    lead: timedelta = attrs.field(default=timedelta(), validator=_LEAD)

    def __attrs_post_init__(self) -> None:
        problems = list(self._find_problems())
        if problems:
            names = " and ".join(name for name, _, _ in problems)
            values = [value for _, value, _ in problems]
            allowed = "; and ".join(allowed for _, _, allowed in problems)
            raise InvalidValueError("Schedule", names, values if len(values) > 1 else values[0], allowed)

    def _find_problems(self) -> Iterator[tuple[str, object, str]]:
        if self.dates and (self.starts_on or self.ends_on):
            yield "dates", _show(self.dates), "empty, as starts_on or ends_on is given"
        if self.starts_on and self.ends_on and self.ends_on < self.starts_on:
            yield "ends_on", str(self.ends_on), f"the date of starts_on, {self.starts_on}, or a later one"

    def __repr__(self) -> str:
        """As it was made, without what has its default."""
        fields = [field for field in attrs.fields(Schedule) if getattr(self, field.name) != field.default]
        return f"Schedule({', '.join(f'{field.name}={getattr(self, field.name)!r}' for field in fields)})"

    @property
    def is_for_dates(self) -> bool:
        """Whether it is for `dates`, or from `starts_on` to `ends_on`, and not for every week. Then it comes first."""
        return bool(self.dates or (self.starts_on and self.ends_on))


def _show(dates: Iterable[date]) -> list[str]:
    return [str(day) for day in dates]
