"""The five fields of a cron expression: the values that each may have, and how its text is read (R4).

- A field is a circle: a range that runs backwards goes over its end, and a step counts along the range.
- Sunday is 0, and 7 too. Any other number outside its field's range is an error.
"""

from __future__ import annotations

from typing import NamedTuple

from prebuilds.errors import shorten

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_STARS = ("*", "?")
_MOST_DIGITS = 4


class CronField(NamedTuple):
    """One of the fields: its name, its circle of values, and the names of these values, if they have names."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    top: int = 0
    """The largest number that may be written, if it is not `high`; it means a value on the circle."""

    @property
    def size(self) -> int:
        return self.high - self.low + 1

    def read(self, text: str) -> tuple[frozenset[int], bool]:
        """The values that comma-separated terms allow, and whether any term is a star. Raises `ValueError`."""
        terms = [self._read_term(term) for term in text.split(",")]
        return frozenset().union(*(values for values, _ in terms)), any(is_star for _, is_star in terms)

    def _read_term(self, term: str) -> tuple[frozenset[int], bool]:
        body, has_step, step_text = term.partition("/")
        low, high = self._read_bounds(body, is_open=bool(has_step))
        step = _read_number(step_text) if has_step else 1
        if step == 0:
            raise ValueError(f"`{shorten(term)}` has the step 0; it must be 1 or more")
        # As in robfig/cron, `*/2` is not a star: it restricts its field.
        numbers = range(low, high + 1, step)
        return frozenset(numbers if high <= self.high else map(self._turn, numbers)), body in _STARS and step == 1

    def _read_bounds(self, body: str, *, is_open: bool) -> tuple[int, int]:
        """The first and the last number of a term. The last may be past the end of the circle."""
        if body in _STARS:
            return self.low, self.high
        first, is_range, last = body.partition("-")
        low = self._read_value(first)
        if is_range:
            high = self._read_value(last)
            return low, high if low <= high else high + self.size
        # `9/2` is every second value from 9 to the end of the range.
        return (self._turn(low), self.high) if is_open else (low, low)

    def _turn(self, number: int) -> int:
        """The value at which a number past the end of the circle arrives."""
        return self.low + (number - self.low) % self.size

    def _read_value(self, text: str) -> int:
        if text.lower() in self.names:
            return self.low + self.names.index(text.lower())
        value, top = _read_number(text, *self.names), self.top or self.high
        if not self.low <= value <= top:
            hint = ": midnight is 0" if (self.name, value) == ("hour", 24) else ""
            raise ValueError(f"`{shorten(text)}` is not from {self.low} to {top}{hint}")
        return value


def _read_number(text: str, *names: str) -> int:
    if not text:
        raise ValueError("a value is missing")
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        named = f", nor one of {', '.join(names)}" if names else ""
        raise ValueError(f"`{shorten(text)}` is not a number of at most {_MOST_DIGITS} digits{named}")
    return int(text)


CRON_FIELDS = (
    CronField("minute", 0, 59),
    CronField("hour", 0, 23),
    CronField("day-of-month", 1, 31),
    CronField("month", 1, 12, MONTHS),
    CronField("day-of-week", 0, 6, WEEKDAYS, top=7),
)
