"""The longest waits. Nothing in this adapter waits for ever."""

from __future__ import annotations

from datetime import timedelta

import attrs

from prebuilds.decision.fields import check

_DAY = timedelta(days=1)
_WAIT = check(
    "a timedelta of 1 ms or more, and of a day at most",
    lambda value: isinstance(value, timedelta) and timedelta(milliseconds=1) <= value <= _DAY,
)


@attrs.frozen(kw_only=True)
class Timeouts:
    """The longest waits of a store, each a timedelta.

    - `connection`: for a connection of the pool, and for the server to accept one.
    - `lock`: for a row that another transaction has locked.
    - `statement`: for one statement, including its locks.
    - `idle`: for the program between two statements. After it the server ends the transaction, so that a hanging
      process does not hold locks for ever.
    """

    connection: timedelta = attrs.field(default=timedelta(seconds=5), validator=_WAIT)
    lock: timedelta = attrs.field(default=timedelta(seconds=5), validator=_WAIT)
    statement: timedelta = attrs.field(default=timedelta(seconds=30), validator=_WAIT)
    idle: timedelta = attrs.field(default=timedelta(seconds=30), validator=_WAIT)


def count_milliseconds(wait: timedelta) -> int:
    """The wait in milliseconds, as PostgreSQL takes it."""
    return wait // timedelta(milliseconds=1)
