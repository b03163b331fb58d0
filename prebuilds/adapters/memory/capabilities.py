"""What the memory store keeps beside its rows: it has every capability."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from prebuilds.adapters.memory.rows import PlainRows
from prebuilds.decision.policies.budgets import Budget, BudgetScope, name_budget
from prebuilds.runtime.models import ClaimCount, Counter, CounterValue, Lease, Message, OutboxEntry, find_minute


class MemoryRows(PlainRows):
    """`Rows` in dicts, with every capability."""

    @contextmanager
    def nested(self) -> Iterator[None]:
        before = self.tables
        self.tables = before.fork()
        try:
            yield
        except BaseException:
            self.tables = before
            raise

    def set_paused(self, *, paused: bool) -> None:
        self.own("settings").settings["paused"] = paused

    def put_budget(self, budget: Budget) -> None:
        self.own("budgets").budgets[budget.name] = budget

    def remove_budget(self, scope: BudgetScope, key: str = "") -> bool:
        return self.own("budgets").budgets.pop(name_budget(scope, key), None) is not None

    def add_membership(self, organization_id: str) -> None:
        self.own("memberships").memberships[organization_id] = None

    def count(self, preset_id: str, counter: Counter, amount: int = 1) -> None:
        counters = self.own("counters").counters
        counters[preset_id, counter] = counters.get((preset_id, counter), 0) + amount

    def list_counters(self) -> Sequence[CounterValue]:
        counters = self.tables.counters.items()
        return tuple(CounterValue(preset_id=name, counter=counter, value=value) for (name, counter), value in counters)

    def note_claim(self, preset_id: str, at: datetime, *, is_hit: bool) -> None:
        counts, key = self.own("claim_counts").claim_counts, (preset_id, find_minute(at))
        hits, misses = counts.get(key, (0, 0))
        counts[key] = hits + is_hit, misses + (not is_hit)

    def list_claim_counts(self, preset_id: str | None = None, *, since: datetime | None = None) -> Sequence[ClaimCount]:
        return tuple(
            ClaimCount(preset_id=name, minute=minute, hits=hits, misses=misses)
            for (name, minute), (hits, misses) in sorted(self.tables.claim_counts.items())
            if preset_id in (None, name) and (since is None or minute >= since)
        )

    def prune_claim_counts(self, *, before: datetime) -> None:
        tables = self.own("claim_counts")
        tables.claim_counts = {key: counts for key, counts in tables.claim_counts.items() if key[1] >= before}

    def take_lease(self, name: str, holder: str, *, now: datetime, expires_at: datetime) -> Lease | None:
        tables = self.own("leases", "tokens")
        current = tables.leases.get(name)
        is_own = current is not None and current.holder == holder
        if current and not is_own and current.expires_at > now:
            return None
        token = current.token if current and is_own else tables.tokens.get(name, 0) + 1
        lease = Lease(name=name, holder=holder, token=token, expires_at=expires_at)
        tables.leases[name], tables.tokens[name] = lease, token
        return lease

    def find_lease(self, name: str) -> Lease | None:
        return self.tables.leases.get(name)

    def release_lease(self, lease: Lease) -> None:
        tables = self.own("leases")
        if tables.tokens.get(lease.name) == lease.token:
            tables.leases.pop(lease.name, None)

    def publish_on_commit(self, message: Message) -> None:
        tables = self.own("outbox", "sequences")
        number = tables.sequences.get("outbox", 0) + 1
        tables.sequences["outbox"] = number
        tables.outbox[number] = message

    def list_messages(self, limit: int) -> Sequence[OutboxEntry]:
        first = list(self.tables.outbox.items())[:limit]
        return tuple(OutboxEntry(id=number, message=message) for number, message in first)

    def delete_messages(self, ids: Sequence[int]) -> None:
        outbox = self.own("outbox").outbox
        for number in ids:
            outbox.pop(number, None)
