"""Stores that lack one capability each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from prebuilds.adapters.memory import MemoryStore
from prebuilds.adapters.memory.capabilities import MemoryRows
from prebuilds.adapters.memory.rows import PlainRows
from prebuilds.runtime.ports import Capability

TIMEOUT = timedelta(milliseconds=200)


class LackingStore(MemoryStore):
    """A memory store without these capabilities. Without leases it knows of no lease."""

    def __init__(self, *lacking: Capability) -> None:
        super().__init__(max_connections=3, timeout=TIMEOUT)
        self._lacking = lacking

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Any]:
        if Capability.LEASE in self._lacking:
            options.pop("lease", None)
        with super().transaction(**options) as tx:
            tx.rows.__class__ = make_rows(*self._lacking)  # type: ignore[attr-defined]
            yield tx


def make_rows(*lacking: Capability) -> type:
    """The rows of the memory store, without the methods of these capabilities."""
    hidden = {name for capability in lacking for name in capability.methods}
    kept = {name: value for name, value in vars(MemoryRows).items() if not name.startswith("__") and name not in hidden}
    return type("LackingRows", (PlainRows,), kept)
