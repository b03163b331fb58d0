"""A store whose host stops prebuilds by itself: their last build is then a stop that succeeded.

- No port of ours stops anything. So a stop is kept here, and shown with the rows, until another build is asked for.
- What is stopped is no user's: a claim that would get it gets nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, cast

import attrs

from prebuilds.decision.models import BuildStatus, Transition
from prebuilds.runtime.models import Lease, Take, Workspace
from prebuilds.runtime.ports import Isolation, Store, Transaction


class StoppingStore:
    """A `Store` with what its host has stopped."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stops: dict[str, datetime] = {}

    @property
    def max_connections(self) -> int:
        return self._store.max_connections

    def stop(self, workspace_id: str, *, at: datetime) -> None:
        """Stop a workspace, if it is a prebuild that runs."""
        self._stops.setdefault(workspace_id, at)

    @contextmanager
    def transaction(
        self,
        *,
        isolation: Isolation = Isolation.READ_COMMITTED,
        read_only: bool = False,
        lease: Lease | None = None,
    ) -> Iterator[Transaction]:
        with self._store.transaction(isolation=isolation, read_only=read_only, lease=lease) as tx:
            yield cast(Transaction, _StoppingTransaction(tx, self._stops))


class _IsStoppedError(Exception):
    """What was taken has been stopped."""


class _StoppingTransaction:
    """Shows the stops, and gives what is stopped to nobody; everything else is asked of the transaction itself."""

    def __init__(self, tx: Transaction, stops: Mapping[str, datetime]) -> None:
        self._tx = tx
        self._stops = stops

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._tx, name)
        return method

    def list_prebuilds(self, preset_id: str | None = None) -> Sequence[Workspace]:
        return [self._show(workspace) for workspace in self._tx.list_prebuilds(preset_id)]

    def get_workspace(self, workspace_id: str) -> Workspace | None:
        workspace = self._tx.get_workspace(workspace_id)
        return self._show(workspace) if workspace else None

    def take_prebuild(self, take: Take) -> Workspace | None:
        with suppress(_IsStoppedError), self._tx.nested():
            return self._refuse_stopped(self._tx.take_prebuild(take))
        return None

    def _refuse_stopped(self, workspace: Workspace | None) -> Workspace | None:
        if workspace and workspace.id in self._stops:
            raise _IsStoppedError
        return workspace

    def _show(self, workspace: Workspace) -> Workspace:
        at = self._stops.get(workspace.id)
        if at is None or not workspace.is_prebuild or not workspace.is_running:
            return workspace
        build = attrs.evolve(
            workspace.last_build,
            id=f"{workspace.id}-stop",
            number=workspace.last_build.number + 1,
            transition=Transition.STOP,
            status=BuildStatus.SUCCEEDED,
            created_at=at,
            finished_at=at,
        )
        return attrs.evolve(workspace, last_build=build)
