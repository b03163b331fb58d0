"""Stores in front of other stores: what the wrappers of the contract suites and of the fault kit share.

- A wrapped store has the connections of the store behind it, and begins its transactions there.
- A wrapped transaction passes every call on, unless it answers the call itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import attrs

from prebuilds.runtime.models import Lease
from prebuilds.runtime.ports import Capability, Isolation, Store, Transaction


@attrs.frozen(kw_only=True)
class TransactionOptions:
    """What one call of `Store.transaction` asks for."""

    isolation: Isolation = Isolation.READ_COMMITTED
    read_only: bool = False
    lease: Lease | None = None

    def begin(self, store: Store) -> AbstractContextManager[Transaction]:
        """Ask this store for it."""
        return store.transaction(isolation=self.isolation, read_only=self.read_only, lease=self.lease)


class WrappedStore(ABC):
    """A `Store` in front of another. A subclass says in `_open` what its transactions are."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def max_connections(self) -> int:
        return self._store.max_connections

    def transaction(
        self,
        *,
        isolation: Isolation = Isolation.READ_COMMITTED,
        read_only: bool = False,
        lease: Lease | None = None,
    ) -> AbstractContextManager[Transaction]:
        return self._open(TransactionOptions(isolation=isolation, read_only=read_only, lease=lease))

    @abstractmethod
    def _open(self, options: TransactionOptions) -> AbstractContextManager[Transaction]: ...


class WrappedTransaction:
    """A transaction in front of another. A subclass has methods of its own, or changes all of them in `_wrap`."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset(capability for capability in Capability if capability.is_in(self._tx))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return self._wrap(name, getattr(self._tx, name))

    def _wrap(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:  # noqa: ARG002 - for those who override it
        return method
