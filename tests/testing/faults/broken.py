"""Stores with one thing wrong each, as a host's may have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import attrs

from prebuilds import BuildStatus
from prebuilds.adapters.memory import MemoryStore
from prebuilds.adapters.memory.transactions import MemoryTransaction
from prebuilds.runtime import (
    ALL_PRESETS,
    PREBUILDS_USER_ID,
    BuildRequest,
    ClaimRequest,
    FleetRows,
    Lease,
    Selection,
    Workspace,
)


class Wrapped:
    """A transaction of which a subclass answers some methods."""

    def __init__(self, tx: MemoryTransaction) -> None:
        self.tx = tx

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tx, name)


class BrokenStore(MemoryStore):
    """A memory store whose transactions are of `kind`."""

    kind: type[Wrapped] = Wrapped

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Any]:
        with super().transaction(**options) as tx:
            yield self.kind(tx)  # type: ignore[arg-type]


class StoreWithoutFencing(MemoryStore):
    """Never looks at a lease's token."""

    @contextmanager
    def transaction(self, *, lease: Lease | None = None, **options: Any) -> Iterator[Any]:  # noqa: ARG002
        with super().transaction(**options) as tx:
            yield tx


class StoreWithoutRollback(MemoryStore):
    """Keeps what was written before an error."""

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Any]:
        error: BaseException | None = None
        with super().transaction(**options) as tx:
            try:
                yield tx
            except BaseException as raised:
                error = raised
        if error:
            raise error


class _DeletesClaimed(Wrapped):
    def insert_deletes(self, requests: Sequence[BuildRequest], *, now: datetime) -> Mapping[str, str]:
        for request in requests:
            workspace = self.tx.get_workspace(request.workspace_id)
            if workspace and not workspace.is_prebuild:
                self.tx.rows.put_workspaces([attrs.evolve(workspace, owner_id=PREBUILDS_USER_ID)])
        return self.tx.insert_deletes(requests, now=now)


class StoreThatDeletesClaimed(BrokenStore):
    """Does not compare the owner."""

    kind = _DeletesClaimed


class _ForgetsRequests(Wrapped):
    def find_claim(self, request_id: str) -> None:
        pass

    def take_prebuild(self, request: ClaimRequest) -> Workspace | None:
        return self.tx.take_prebuild(attrs.evolve(request, request_id=None))


class StoreThatForgetsRequests(BrokenStore):
    """Takes another prebuild when a claim is made again."""

    kind = _ForgetsRequests


class _TakesAny(Wrapped):
    def take_prebuild(self, request: ClaimRequest) -> Workspace | None:
        return self.tx.take_prebuild(attrs.evolve(request, created_since=None))


class StoreThatGivesExpired(BrokenStore):
    """Does not look at the age of what it gives away."""

    kind = _TakesAny


class _LosesFailedDeletes(Wrapped):
    def read_rows(self, selection: Selection = ALL_PRESETS, **options: Any) -> FleetRows:
        rows = self.tx.read_rows(selection, **options)
        prebuilds = [row for row in rows.prebuilds if row.last_build.status is not BuildStatus.FAILED]
        return attrs.evolve(rows, prebuilds=prebuilds)


class StoreThatHidesFailed(BrokenStore):
    """Leaves out prebuilds whose last build failed."""

    kind = _LosesFailedDeletes


class _LosesBudgets(Wrapped):
    def read_rows(self, selection: Selection = ALL_PRESETS, **options: Any) -> FleetRows:
        return attrs.evolve(self.tx.read_rows(selection, **options), budgets=())


class StoreThatHidesBudgets(BrokenStore):
    """Leaves out the budgets."""

    kind = _LosesBudgets
