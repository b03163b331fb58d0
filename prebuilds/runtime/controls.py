"""Controls: how people steer the loop, from any process. Each is one transaction and wakes the reconciler.

Clocks differ. An invalidation or a reset covers everything that exists when it commits, even if a fast clock dated it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from prebuilds.decision.models import PrebuildStatus, Preset
from prebuilds.decision.policies.budgets import Budget, BudgetScope, combine_budgets
from prebuilds.decision.policies.policy import Policy
from prebuilds.decision.state import is_filled
from prebuilds.errors import UnknownWorkspaceError, WrongOwnerError
from prebuilds.runtime.build_reports import PREBUILDS_CHANGED, give_up, make_change_message, tell_changed
from prebuilds.runtime.clocks import SYSTEM_CLOCK, choose_clock
from prebuilds.runtime.fleet_rows import select
from prebuilds.runtime.loop.effects import make_name
from prebuilds.runtime.loop.fleet_reading import read_fleet
from prebuilds.runtime.models import Message, Workspace
from prebuilds.runtime.ports import Clock, Isolation, Store, Transaction
from prebuilds.runtime.preset_lookup import is_of, require_preset
from prebuilds.runtime.promotions import list_of_version, promote, require_version, set_candidate
from prebuilds.runtime.publishing.relays import Relay, change_and_flush

_T = TypeVar("_T")


class Controls:
    """Pauses the loop, sets budgets, resets and invalidates presets, promotes versions, and ends single workspaces.

    With a `relay` the loop hears of each change at once.
    """

    def __init__(self, store: Store, *, clock: Clock = SYSTEM_CLOCK, relay: Relay | None = None) -> None:
        self._store = store
        self._clock = choose_clock(store, clock)
        self._relay = relay

    def pause(self) -> None:
        """Pause until `resume`: no reconciler creates or deletes anything. Claims are still served."""
        self._change_for_all(lambda tx: tx.set_paused(paused=True))

    def resume(self) -> None:
        """End the pause."""
        self._change_for_all(lambda tx: tx.set_paused(paused=False))

    def list_budgets(self) -> Sequence[Budget]:
        """The budgets of the store, by name."""
        with self._store.transaction(read_only=True) as tx:
            return combine_budgets((), tx.read_rows(select()).budgets)

    def set_budget(self, budget: Budget) -> None:
        """Add a budget to the store, or replace the one with its scope and key. The next pass keeps to it.

        It takes the place of a budget of the policy with the same scope and key. Reconcilers of shards refuse to work
        while there is one.
        """
        self._change_for_all(lambda tx: tx.put_budget(budget))

    def remove_budget(self, scope: BudgetScope, key: str = "") -> bool:
        """Remove a budget from the store. False if there was none; one of the policy itself stays."""
        return self._change_for_all(lambda tx: tx.remove_budget(scope, key))

    def invalidate(self, preset_id: str) -> None:
        """Expire every prebuild that the preset has now, so that it is replaced.

        This replaces an invalidation planned for later. Raises `UnknownPresetError`.
        """
        now = self._clock.now()
        self._change(lambda tx: _invalidate(tx, preset_id, now))

    def reset(self, preset_id: str) -> None:
        """Forget the failures of a preset. Its hard limit and its backoff end, and it creates again at once.

        Raises `UnknownPresetError`.
        """
        now = self._clock.now()
        self._change(lambda tx: _reset(tx, [require_preset(tx, preset_id)], now))

    def reset_all(self, *, template_id: str | None = None) -> Sequence[str]:
        """Forget the failures of all presets, or of one template's, for example after an outage. Returns their ids."""
        now = self._clock.now()

        def reset_all(tx: Transaction) -> Sequence[str]:
            presets = [preset for preset in tx.list_presets() if is_of(preset, template_id=template_id)]
            _reset(tx, presets, now)
            return tuple(preset.id for preset in presets)

        return self._change(reset_all)

    def stage(self, version_id: str, *, template_id: str | None = None) -> Sequence[str]:
        """Make a template version a candidate: its presets are filled, and nobody can claim their prebuilds (R17).

        The store has a preset for each version beside the others, under an id of its own. Returns the ids of those of
        this version. Raises `UnknownVersionError`, `ActiveVersionError`, `InvalidValueError` unless the version is one
        of a single template, and `StoreBusyError` if another call stages or promotes at the same time.
        """
        return self._change_version(lambda tx: set_candidate(tx, version_id, template_id, is_candidate=True))

    def unstage(self, version_id: str, *, template_id: str | None = None) -> Sequence[str]:
        """Give up a candidate: its prebuilds are deleted. Returns and raises the same as `stage`."""
        return self._change_version(lambda tx: set_candidate(tx, version_id, template_id, is_candidate=False))

    def is_filled(self, version_id: str, *, template_id: str | None = None) -> bool:
        """Whether promoting this version now finds the pools of its presets full.

        Raises `UnknownVersionError`, and `InvalidValueError` unless the version is one of a single template.
        """
        now = self._clock.now()
        with self._store.transaction(isolation=Isolation.REPEATABLE_READ, read_only=True) as tx:
            own = list_of_version(require_version(tx, version_id, template_id=template_id), version_id)
            fleet = read_fleet(tx, now=now, policy=Policy(), selection=select(*own))
        return all(is_filled(snapshot) for snapshot in fleet.snapshot.iterate_presets(now))

    def promote(self, version_id: str, *, template_id: str | None = None) -> Sequence[str]:
        """Make a template version the active one. From now on users get its prebuilds.

        The presets of the version that was active become inactive, and their prebuilds are deleted. Other candidates
        stay. A version that was not staged can be promoted too; its pools are empty. Returns and raises the same as
        `stage`, but for `ActiveVersionError`.
        """
        return self._change_version(lambda tx: promote(tx, version_id, template_id))

    def retire(self, workspace_id: str) -> bool:
        """Give up a prebuild: no user gets it, and it is deleted and replaced. False if it was already given up.

        Raises `UnknownWorkspaceError`, and `WrongOwnerError` for a workspace that a user has.
        """
        now = self._clock.now()

        def retire(tx: Transaction) -> bool:
            is_given_up = give_up(tx, workspace_id, now=now)
            workspace = _require_workspace(tx, workspace_id)
            if not workspace.is_prebuild and not workspace.deleted:
                raise WrongOwnerError(workspace_id, f"is of the user {workspace.owner_id}: release it instead")
            return is_given_up

        return self._change(retire)

    def release(self, workspace_id: str) -> bool:
        """Take a claimed workspace back from its user and have a build delete it. Its name is free at once.

        False if this was done before. Raises `UnknownWorkspaceError`, and `WrongOwnerError` for a prebuild.
        """
        name = make_name(workspace_id)
        return self._change(lambda tx: _end(tx, workspace_id, tx.release_workspace(workspace_id, name=name)))

    def forget(self, workspace_id: str) -> bool:
        """Note that the host has deleted a claimed workspace itself. Nothing more is done to it. Its name is free.

        False if this was noted before. Raises `UnknownWorkspaceError`, and `WrongOwnerError` for a prebuild.
        """
        return self._change(lambda tx: _end(tx, workspace_id, tx.forget_workspace(workspace_id)))

    def _change(self, change: Callable[[Transaction], _T]) -> _T:
        return change_and_flush(self._store, self._relay, change)

    def _change_version(self, change: Callable[[Transaction], _T]) -> _T:
        """Of two changes at once of a template's versions, the second fails, as it would undo half of the first."""
        return change_and_flush(self._store, self._relay, change, isolation=Isolation.REPEATABLE_READ)

    def _change_for_all(self, change: Callable[[Transaction], _T]) -> _T:
        """Change what concerns every preset, and tell the loop so."""

        def change_and_tell(tx: Transaction) -> _T:
            changed = change(tx)
            tx.publish_on_commit(Message(topic=PREBUILDS_CHANGED))
            return changed

        return self._change(change_and_tell)


def _invalidate(tx: Transaction, preset_id: str, now: datetime) -> None:
    """Give up every prebuild, whatever its date. Date the invalidation as early as possible, as `now` may be ahead."""
    require_preset(tx, preset_id)
    tx.set_invalidated(preset_id, at=now)  # before reading anything: adding a prebuild now waits for this
    prebuilds = tx.read_rows(select(preset_id)).prebuilds
    latest = max((workspace.created_at for workspace in prebuilds), default=now)
    if latest < now:
        tx.set_invalidated(preset_id, at=latest)
    for workspace in prebuilds:
        tx.retire_prebuild(workspace.id)
    tx.publish_on_commit(make_change_message(preset_id))


def _reset(tx: Transaction, presets: Iterable[Preset], now: datetime) -> None:
    for preset in presets:
        is_limited = preset.prebuild_status is PrebuildStatus.HARD_LIMITED
        # Before reading anything: adding a prebuild now waits for this.
        tx.set_prebuild_status(preset.id, PrebuildStatus.HEALTHY if is_limited else preset.prebuild_status)
        begun = _list_begun(tx, preset.id, now)
        if begun:
            tx.set_reset(preset.id, at=max(begun))
        tx.publish_on_commit(make_change_message(preset.id))


def _list_begun(tx: Transaction, preset_id: str, now: datetime) -> Sequence[datetime]:
    """When the builds began that a reset forgives, and when the preset was last reset.

    `now` is not used as a bound. It may be ahead, and would then forgive failures that are still to come.
    """
    rows = tx.read_rows(select(preset_id), ended_since=now, latest=1)
    begun = [workspace.last_build.created_at for workspace in rows.prebuilds]
    begun += [build.created_at for build in rows.builds]
    return [*begun, *(at for _, at in rows.resets)] if begun else ()


def _end(tx: Transaction, workspace_id: str, ended: Workspace | None) -> bool:
    """Tell the loop that a workspace was taken from its user; refuse a workspace that no user had."""
    workspace = _require_workspace(tx, workspace_id)
    if ended is None and workspace.is_prebuild and not workspace.deleted and not workspace.retired:
        raise WrongOwnerError(workspace_id, "is a prebuild that nobody has claimed: retire it instead")
    return tell_changed(tx, ended)


def _require_workspace(tx: Transaction, workspace_id: str) -> Workspace:
    workspace = tx.get_workspace(workspace_id)
    if workspace is None:
        raise UnknownWorkspaceError(workspace_id)
    return workspace
