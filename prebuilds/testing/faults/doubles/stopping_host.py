"""A store whose host stops prebuilds by itself: their last build is then a stop that succeeded.

- None of our ports stops anything. So the stops are kept here, and shown with the rows until another build is added.
- A stopped prebuild goes to no user: a claim that would take it gets nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import cast

import attrs

from prebuilds.decision.models import BuildStatus, Transition
from prebuilds.runtime.fleet_rows import ALL_PRESETS, FleetRows, Selection, select
from prebuilds.runtime.models import ClaimRequest, Workspace
from prebuilds.runtime.ports import Store, Transaction
from prebuilds.runtime.workspace_rules import select_claimable
from prebuilds.testing.wrapping import TransactionOptions, WrappedStore, WrappedTransaction


class StoppingStore(WrappedStore):
    """A `Store` with what its host has stopped."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._stops: dict[str, datetime] = {}

    def stop(self, workspace_id: str, *, at: datetime) -> None:
        """Stop a workspace, if it is a running prebuild."""
        self._stops.setdefault(workspace_id, at)

    @contextmanager
    def _open(self, options: TransactionOptions) -> Iterator[Transaction]:
        with options.begin(self._store) as tx:
            yield cast(Transaction, _StoppingTransaction(tx, self._stops))


class _StoppingTransaction(WrappedTransaction):
    """Shows the stops, and lets no user take a stopped prebuild."""

    def __init__(self, tx: Transaction, stops: Mapping[str, datetime]) -> None:
        super().__init__(tx)
        self._stops = stops

    def read_rows(
        self,
        selection: Selection = ALL_PRESETS,
        *,
        ended_since: datetime | None = None,
        latest: int = 0,
        failing_only: bool = False,
    ) -> FleetRows:
        rows = self._tx.read_rows(selection, ended_since=ended_since, latest=latest, failing_only=failing_only)
        has_stopped = any(row.id in self._stops for row in rows.prebuilds)
        return attrs.evolve(rows, prebuilds=map(self._show, rows.prebuilds)) if has_stopped else rows

    def get_workspace(self, workspace_id: str) -> Workspace | None:
        workspace = self._tx.get_workspace(workspace_id)
        return self._show(workspace) if workspace else None

    def take_prebuild(self, request: ClaimRequest) -> Workspace | None:
        return None if self._is_stopped(request) else self._tx.take_prebuild(request)

    def _is_stopped(self, request: ClaimRequest) -> bool:
        """Whether the claim would take a prebuild that has been stopped."""
        for preset in self._tx.list_presets(request.preset_id) if self._stops else ():
            first = select_claimable(self._tx.read_rows(select(preset.id)).prebuilds, preset, request)
            return first is not None and first.id in self._stops
        return False

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
