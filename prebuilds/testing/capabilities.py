"""Which capabilities a store has, as its transactions tell."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, nullcontext
from typing import Any

from prebuilds.runtime.ports import Capability, Store


def list_capabilities(store: Store) -> frozenset[Capability]:
    """The capabilities of a store."""
    with store.transaction(read_only=True) as tx:
        return frozenset(capability for capability in Capability if capability.is_in(tx))


def list_capabilities_of(make_store: Callable[[], Store]) -> frozenset[Capability]:
    """The capabilities of the stores that a factory makes. The one that is asked is closed, if it has a `close`."""
    store: Any = make_store()
    with closing(store) if hasattr(store, "close") else nullcontext():
        return list_capabilities(store)
