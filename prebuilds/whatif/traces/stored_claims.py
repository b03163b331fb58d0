"""Claims that a store has counted by the minute, as ticks.

Where in its minute a claim came is not known. The claims of a minute are spread over it evenly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from prebuilds.whatif.traces.ticks import TICKS_PER_SECOND, to_ticks

MINUTE = 60 * TICKS_PER_SECOND


class _ClaimCount(Protocol):
    @property
    def preset_id(self) -> str: ...
    @property
    def minute(self) -> datetime: ...
    @property
    def hits(self) -> int: ...
    @property
    def misses(self) -> int: ...


@runtime_checkable
class ClaimStore(Protocol):
    """A store of the library, as far as its counts of claims are read. A transaction has `list_claim_counts`."""

    def transaction(self, *, read_only: bool = ...) -> AbstractContextManager[Any]: ...


def read_stored_claims(store: ClaimStore) -> dict[str, list[int]]:
    """The claims of each preset, hits and misses alike."""
    with store.transaction(read_only=True) as tx:
        counts: Iterable[_ClaimCount] = tx.list_claim_counts()
    groups: dict[str, list[int]] = {}
    for count in counts:
        groups.setdefault(count.preset_id, []).extend(_spread(to_ticks(count.minute), count.hits + count.misses))
    return groups


def _spread(minute: int, number: int) -> Iterator[int]:
    return (minute + (2 * place + 1) * MINUTE // (2 * number) for place in range(number))
