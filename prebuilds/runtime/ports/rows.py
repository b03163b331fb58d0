"""The row port: the few methods from which the library makes a whole transaction.

- It only finds, locks and stores rows. `RowTransaction` adds every rule about how a workspace may change.
- Rows that are locked stay as they are until the transaction ends: others that would change them wait, or fail. A store
  that runs one writing transaction at a time need not lock anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from prebuilds.decision.models import Build, Preset
from prebuilds.runtime.fleet_rows import ALL_PRESETS, FleetRows, Selection
from prebuilds.runtime.models import ClaimRequest, Workspace


class Rows(Protocol):
    """The rows of a store, as one transaction sees them.

    They may have the methods of capabilities too, such as those of `LeaseWrites`. These calls are passed on.
    """

    def read_rows(
        self, selection: Selection = ALL_PRESETS, *, ended_since: datetime | None = None, latest: int = 0
    ) -> FleetRows:
        """As `FleetReads.read_rows`. Of the builds in `add_outcomes`, `select_outcomes` finds those that count; more do
        no harm. Rows leave out `is_paused`, `budgets` and `memberships` if they lack the capability.
        """
        ...

    def list_presets(self, preset_id: str | None = None) -> Sequence[Preset]:
        """As `FleetReads.list_presets`."""
        ...

    def lock_preset(self, preset_id: str, *, exclusive: bool = False) -> Preset | None:
        """The preset, locked; None if there is none with this id.

        Many transactions may hold the lock at once, unless one asks for it `exclusive`, to change the preset.
        """
        ...

    def get_workspaces(self, ids: Sequence[str], *, lock: bool = False) -> Sequence[Workspace]:
        """The workspaces with these ids, in any order, and locked if asked for. Unknown ids are left out."""
        ...

    def find_builds(self, ids: Sequence[str]) -> Mapping[str, str | None]:
        """The workspace id of each of these builds that was ever stored, last or not, by build id. It is None for a
        build without a workspace.
        """
        ...

    def lock_claimable(self, request: ClaimRequest, preset: Preset) -> Workspace | None:
        """The first workspace of `preset` that a claim may take, locked; None if there is none.

        `select_claimable` finds it among the preset's prebuilds. Pass over a row that another transaction has locked,
        or wait for it and look again.
        """
        ...

    def is_name_taken(self, owner_id: str, name: str) -> bool:
        """Whether this owner has a workspace of this name that is not deleted."""
        ...

    def put_workspaces(self, workspaces: Sequence[Workspace]) -> None:
        """Add each workspace with its last build, or replace the rows with their ids.

        Raises `NameTakenError` if another transaction has given the owner a workspace of this name.
        """
        ...

    def remove_workspaces(self, workspaces: Sequence[Workspace]) -> None:
        """Remove workspaces, each with its last build, which is its only one."""
        ...

    def add_outcomes(self, builds: Sequence[Build]) -> None:
        """Remember start builds that succeeded or failed. Some of them have no workspace."""
        ...

    def find_claim(self, request_id: str) -> tuple[ClaimRequest, str] | None:
        """The claim with this request id, and the id of its workspace."""
        ...

    def put_claim(self, request: ClaimRequest, workspace_id: str) -> None:
        """Record a claim under its request id. Raises `ClaimConflictError` if another transaction has recorded one."""
        ...

    def put_preset(self, preset: Preset) -> None:
        """Add a preset, or replace the one with its id, which keeps its place in the order."""
        ...

    def put_reset(self, preset_id: str, at: datetime) -> None:
        """Note when a preset was last reset."""
        ...
