"""What a transaction does in the methods of a capability that its rows lack.

- Reads find nothing, and writes that nobody has to rely on do nothing.
- A write that would break a promise if it did nothing raises `MissingCapabilityError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NoReturn

from prebuilds.decision.policies.budgets import Budget, BudgetScope
from prebuilds.errors import MissingCapabilityError
from prebuilds.runtime.models import ClaimCount, Counter, CounterValue, Lease, Message, OutboxEntry
from prebuilds.runtime.ports.capabilities import Capability
from prebuilds.runtime.ports.rows import Rows

_TOKEN = 1  # of a lease that nobody else is refused


class LackingRows:
    """The methods of all capabilities, for rows that lack them."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def take_lease(self, name: str, holder: str, *, now: datetime, expires_at: datetime) -> Lease:  # noqa: ARG002
        return Lease(name=name, holder=holder, token=_TOKEN, expires_at=expires_at)

    def find_lease(self, _name: str) -> Lease | None:
        return None

    def release_lease(self, _lease: Lease) -> None:
        pass

    def publish_on_commit(self, _message: Message) -> None:
        pass

    def list_messages(self, _limit: int) -> Sequence[OutboxEntry]:
        return ()

    def delete_messages(self, _ids: Sequence[int]) -> None:
        pass

    def count(self, _preset_id: str, _counter: Counter, amount: int = 1) -> None:
        pass

    def list_counters(self) -> Sequence[CounterValue]:
        return ()

    def note_claim(self, _preset_id: str, _at: datetime, *, is_hit: bool) -> None:
        pass

    def list_claim_counts(
        self,
        _preset_id: str | None = None,
        *,
        since: datetime | None = None,  # noqa: ARG002
    ) -> Sequence[ClaimCount]:
        return ()

    def prune_claim_counts(self, *, before: datetime) -> None:
        pass

    def nested(self) -> NoReturn:
        self._refuse(Capability.NESTING, "nested()")

    def set_paused(self, *, paused: bool) -> None:
        if paused:
            self._refuse(Capability.PAUSE, "set_paused()")

    def put_budget(self, _budget: Budget) -> NoReturn:
        self._refuse(Capability.BUDGETS, "put_budget()")

    def remove_budget(self, _scope: BudgetScope, _key: str = "") -> bool:
        return False

    def add_membership(self, _organization_id: str) -> None:
        pass

    def _refuse(self, capability: Capability, needs: str) -> NoReturn:
        raise MissingCapabilityError(type(self._rows).__name__, capability.value, needs)
