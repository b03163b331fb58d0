"""What a store holds at one moment, and what is right for it.

- Nothing here asks the code under test: targets and ages are worked out again, from the rows alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import attrs

from prebuilds.decision.models import BuildStatus, Preset, Transition
from prebuilds.decision.parameters import Parameters
from prebuilds.runtime.models import Workspace
from prebuilds.runtime.ports import Isolation, Store


def count_wanted(preset: Preset) -> int:
    """The target of a preset. Those of situations have no schedules."""
    template = preset.template_version.template
    is_active = preset.template_version.is_active and not template.deleted and not template.deprecated
    return preset.desired_instances if is_active else 0


Made = tuple[str, Parameters]
"""What a workspace is made with: the id of a template version, and parameters."""


def get_made(preset: Preset) -> Made:
    """What a new workspace of the preset is made with."""
    return preset.template_version.id, preset.parameters


def is_fresh(workspace: Workspace, preset: Preset, now: datetime) -> bool:
    """Whether it is young enough (R2). An invalidation in the future does nothing yet."""
    invalidated = preset.last_invalidated_at
    if invalidated is not None and workspace.created_at < invalidated <= now:
        return False
    return not preset.ttl or now - workspace.created_at <= preset.ttl


def is_kept(workspace: Workspace) -> bool:
    """Whether it can be claimed, now or once its start has ended."""
    build = workspace.last_build
    failed = build.status in (BuildStatus.FAILED, BuildStatus.CANCELED)
    return build.transition is Transition.START and not failed and not workspace.deleted


def is_starting(workspace: Workspace) -> bool:
    """Whether its start is under way."""
    build = workspace.last_build
    return build.transition is Transition.START and not build.status.is_final and not workspace.deleted


def is_late(workspace: Workspace, preset: Preset, now: datetime) -> bool:
    """Whether it, or its start, has missed a deadline or was given up before (R14)."""
    build = workspace.last_build
    if build.transition is not Transition.START or workspace.ready:
        return False
    if build.finished_at is None:
        deadline, since = preset.build_deadline, build.created_at
    else:
        deadline, since = preset.ready_deadline, build.finished_at
    return (build.finished_at is None and workspace.retired) or (deadline is not None and now - since >= deadline)


@attrs.frozen(kw_only=True)
class Changed:
    """What two moments differ in: the ids of workspaces, new and gone ones too, and the presets as they are now.

    `preset_ids` are those of the presets, and of the presets of the workspaces.
    """

    workspaces: Sequence[str]
    presets: Sequence[Preset]
    preset_ids: frozenset[str]


@attrs.frozen(kw_only=True)
class StoreContents:
    """What a store holds at one moment: the presets, and every workspace ever seen, both by id."""

    presets: Mapping[str, Preset]
    workspaces: Mapping[str, Workspace]

    def list_changed(self, before: StoreContents) -> Changed:
        """What has changed since then: what is gone first, then in the order of now."""
        gone = [name for name in before.workspaces if name not in self.workspaces]
        others = _list_changed(before.workspaces, self.workspaces)
        presets = [self.presets[name] for name in _list_changed(before.presets, self.presets)]
        rows = (*(before.workspaces[name] for name in gone), *(self.workspaces[name] for name in others))
        owners = {row.preset_id for row in rows} | {preset.id for preset in presets}
        return Changed(workspaces=[*gone, *others], presets=presets, preset_ids=frozenset(owners))

    def count_starting(self) -> int:
        """How many starts are under way, of all presets together."""
        return sum(map(is_starting, self.workspaces.values()))

    def list_prebuilds(self, preset_id: str) -> Sequence[Workspace]:
        """The prebuilds of a preset that are not deleted."""
        prebuilds = (row for row in self.workspaces.values() if row.preset_id == preset_id and row.is_prebuild)
        return [row for row in prebuilds if not row.deleted]


def _list_changed(before: Mapping[str, object], now: Mapping[str, object]) -> Sequence[str]:
    """The names of what is new or other than before. Nearly everything is the very same object."""
    return [name for name, row in now.items() if (old := before.get(name)) is not row and old != row]


def read_contents(store: Store, known: Iterable[str]) -> StoreContents:
    """Read all prebuilds and the `known` workspaces, each by its id."""
    with store.transaction(isolation=Isolation.REPEATABLE_READ, read_only=True) as tx:
        names = dict.fromkeys([*known, *(row.id for row in tx.read_rows().prebuilds)])
        return _make_contents(tx.list_presets(), map(tx.get_workspace, names))


def read_listed(store: Store, known: Iterable[str]) -> StoreContents:
    """The same, but prebuilds are taken as the store lists them, and only the others are read by their ids."""
    with store.transaction(isolation=Isolation.REPEATABLE_READ, read_only=True) as tx:
        listed = {row.id: row for row in tx.read_rows().prebuilds}
        names = dict.fromkeys([*known, *listed])
        return _make_contents(tx.list_presets(), (listed.get(name) or tx.get_workspace(name) for name in names))


def _make_contents(presets: Iterable[Preset], rows: Iterable[Workspace | None]) -> StoreContents:
    return StoreContents(
        presets={preset.id: preset for preset in presets}, workspaces={row.id: row for row in rows if row}
    )
