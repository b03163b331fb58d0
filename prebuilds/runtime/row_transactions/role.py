"""What the roles share: the rows, the check that the transaction may write, and one change of one workspace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from prebuilds.errors import ReadOnlyTransactionError
from prebuilds.runtime.models import Workspace
from prebuilds.runtime.ports.capabilities import Capability, find_capabilities
from prebuilds.runtime.ports.rows import Rows

_find_capabilities = lru_cache(find_capabilities)
Guard = Callable[[Workspace], "Workspace | None"]
"""The changed workspace, or None if the change is not allowed."""


class RowRole:
    """A part of a transaction over rows."""

    def __init__(self, rows: Rows, *, read_only: bool = False) -> None:
        self.rows = rows
        self._is_read_only = read_only

    @property
    def capabilities(self) -> frozenset[Capability]:
        """The capabilities of the rows."""
        return _find_capabilities(type(self.rows))

    @property
    def _written(self) -> Rows:
        """The rows, to write to. Raises `ReadOnlyTransactionError`."""
        if self._is_read_only:
            raise ReadOnlyTransactionError
        return self.rows

    def _change(self, workspace_id: str, guard: Guard) -> Workspace | None:
        """Lock a workspace, and store what the guard makes of it. None if there is none, or the guard refuses."""
        for workspace in self._written.get_workspaces([workspace_id], lock=True):
            changed = guard(workspace)
            if changed:
                self.rows.put_workspaces([changed])
            return changed
        return None

    def _change_by_build(self, build_id: str, guard: Guard) -> Workspace | None:
        """The same for the workspace whose last build this is. Earlier builds have ended and change no more."""
        for workspace in self._lock_by_builds([build_id]):
            changed = guard(workspace)
            if changed:
                self.rows.put_workspaces([changed])
            return changed
        return None

    def _lock_by_builds(self, build_ids: Sequence[str]) -> Sequence[Workspace]:
        """Lock the workspaces whose last builds these are."""
        found = self._written.find_builds(build_ids)
        ids = [workspace_id for workspace_id in found.values() if workspace_id is not None]
        rows = self.rows.get_workspaces(ids, lock=True) if ids else ()
        return [row for row in rows if row.last_build.id in found]
