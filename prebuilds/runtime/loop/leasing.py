"""Holding a lease: it is taken once, renewed in time, and known as lost when a write is refused."""

from __future__ import annotations

import logging
import os
import socket
import threading
from datetime import timedelta
from functools import lru_cache
from uuid import uuid4

from prebuilds.errors import LeaseLostError
from prebuilds.runtime.models import Lease
from prebuilds.runtime.ports import Capability, Clock, Store

_log = logging.getLogger(__name__)


def make_holder() -> str:
    """A unique name for this reconciler: host, process, and a random part."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"[-200:]


class HeldLease:
    """A lease that this process holds, for all its threads.

    It is renewed when half of its `duration` has passed, or earlier if less time is left than the longest call takes.
    """

    def __init__(
        self, store: Store, lease: Lease, *, clock: Clock, duration: timedelta, longest_call: timedelta
    ) -> None:
        self._store = store
        self._clock = clock
        self._duration = duration
        self._least = max(duration / 2, longest_call)
        self._renewing = threading.Lock()
        self._taken_at = clock.monotonic()
        self.lease = lease
        self.is_lost = False

    @property
    def is_fresh(self) -> bool:
        """Whether it need not be renewed yet. Its age counts too, in case the wall clock goes back."""
        age = timedelta(seconds=self._clock.monotonic() - self._taken_at)
        return self.lease.expires_at - self._clock.now() > self._least and age < self._duration / 2

    def renew_if_due(self) -> None:
        """Renew the lease if needed, before a call. Raises `LeaseLostError` if another holder has taken it."""
        with self._renewing:
            if self.lease.expires_at - self._clock.now() > self._least:
                return
            renewed = take_lease(self._store, self.lease.name, self.lease.holder, self._clock, self._duration)
            if renewed is None or renewed.token != self.lease.token:
                raise LeaseLostError(self.lease.name, self.lease.token)
            self.lease = renewed
            self._taken_at = self._clock.monotonic()


@lru_cache(1_000)  # once for each reconciler
def _tell_unguarded(store: str, holder: str) -> None:
    what = "%s has no lease: run one reconciler only, as nothing keeps two from working at the same time"
    _log.warning(what, store, extra={"store": store, "holder": holder})


def take_lease(store: Store, name: str, holder: str, clock: Clock, duration: timedelta) -> Lease | None:
    """Take the lease from now on for `duration`. Returns None while another holds it.

    A store without leases refuses nobody; a warning says so.
    """
    now = clock.now()
    with store.transaction() as tx:
        if not Capability.LEASE.is_in(tx):
            _tell_unguarded(type(store).__name__, holder)
        return tx.take_lease(name, holder, now=now, expires_at=now + duration)
