"""Deadlines in the loop (R14): what is late, and the failed build that is noted for it.

- A stuck prebuild is deleted, and an overdue start is given up. The same transaction notes a failed build, so that it
  is noted exactly once, wherever a process ends.
- The note has an id that follows from the build's, and begins when the build began: it belongs to the same attempt.
- The note takes the place of the build. So a start that succeeded, but never made its prebuild ready, has failed.
- While a prebuild has a deadline for being ready, and is not ready, nobody knows whether its start was good. Until then
  that start is no part of the history, or the starts after it would hide the failures before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

import attrs

from prebuilds.decision.fields import ID, INSTANT, MAX_TEXT, TEXT, instance_of
from prebuilds.decision.lifetimes.deadlines import is_overdue
from prebuilds.decision.models import Build, BuildStatus, Preset, Transition
from prebuilds.runtime.build_reports import tell_changed
from prebuilds.runtime.fleet_rows import select
from prebuilds.runtime.models import BuildRequest, Workspace
from prebuilds.runtime.models import Counter as MetricCounter
from prebuilds.runtime.ports import FleetReads, Transaction

_SUFFIX = " missed its deadline"


@attrs.frozen(kw_only=True)
class FailureNote:
    """The failed build that is noted for a start that missed a deadline. It began when that start began."""

    request: BuildRequest = attrs.field(validator=instance_of(BuildRequest))
    begun_at: datetime = attrs.field(validator=INSTANT)
    message: str = attrs.field(validator=TEXT)


@attrs.frozen(kw_only=True)
class DeleteStuck:
    """Delete a prebuild that did not become ready in time, and note a failed build, unless it is ready by now."""

    preset_id: str = attrs.field(validator=ID)
    request: BuildRequest = attrs.field(validator=instance_of(BuildRequest))
    note: FailureNote = attrs.field(validator=instance_of(FailureNote))


@attrs.frozen(kw_only=True)
class GiveUpStart:
    """Give up a prebuild whose start is overdue, and note a failed build. If the start has not begun, cancel it.

    Then ask the host's builder to stop it.
    """

    preset_id: str = attrs.field(validator=ID)
    workspace_id: str = attrs.field(validator=ID)
    build_id: str = attrs.field(validator=ID)
    note: FailureNote = attrs.field(validator=instance_of(FailureNote))


@attrs.frozen(kw_only=True)
class StopStart:
    """Ask the host's builder again to stop a start that was given up."""

    preset_id: str = attrs.field(validator=ID)
    build_id: str = attrs.field(validator=ID)


def make_note(workspace: Workspace) -> FailureNote:
    """The note for a workspace whose last build is a start."""
    build = workspace.last_build
    request = BuildRequest(
        build_id=_name_note(build.id),
        workspace_id=workspace.id,
        transition=Transition.START,
        preset_id=workspace.preset_id,
        template_version_id=build.template_version_id,
    )
    message = "the start did not end in time" if is_starting(workspace) else "the prebuild was not ready in time"
    return FailureNote(request=request, begun_at=build.created_at, message=message)


def _name_note(build_id: str) -> str:
    return build_id[: MAX_TEXT - len(_SUFFIX)] + _SUFFIX


def _note_failure(tx: Transaction, note: FailureNote, *, now: datetime) -> None:
    """Note the failed build within a transaction, and count it."""
    tx.insert_failed_build(note.request, now=now, begun_at=note.begun_at, message=note.message)
    tx.count(note.request.preset_id or "", MetricCounter.FAILED)


def read_history(
    reads: FleetReads, builds: Sequence[Build], unready: Sequence[Workspace], *, ended_since: datetime, limit: int
) -> Sequence[Build]:
    """The builds that were read, as far as they are judged.

    Where starts that are not judged may hide failures before them, more builds are read, as many as the limit needs.
    """
    judged = _select_judged(builds, unready)
    doubts = _count_doubts(judged, unready, {build.preset_id for build in builds}) if limit and unready else {}
    if not doubts:
        return judged
    latest = limit + max(doubts.values())
    more = reads.read_rows(select(*doubts), ended_since=ended_since, latest=latest, failing_only=True).builds
    return _select_judged((*builds, *more), unready)


def _select_judged(builds: Sequence[Build], unready: Iterable[Workspace]) -> Sequence[Build]:
    """The builds without those that have a note instead, and without the starts of these unready prebuilds."""
    noted = {build.id for build in builds if build.id.endswith(_SUFFIX)}
    unjudged = {workspace.last_build.id for workspace in unready}
    if not noted and not unjudged:
        return builds
    return [build for build in builds if build.id not in unjudged and _name_note(build.id) not in noted]


def _count_doubts(judged: Iterable[Build], unready: Iterable[Workspace], known: Collection[str]) -> Mapping[str, int]:
    """How many attempts are not judged yet, of each preset with known builds none of which succeeded."""
    succeeded = {build.preset_id for build in judged if build.status is BuildStatus.SUCCEEDED}
    attempts = {(workspace.preset_id, workspace.last_build.created_at) for workspace in unready}
    return Counter(preset_id for preset_id, _ in attempts if preset_id in known and preset_id not in succeeded)


def is_unready(workspace: Workspace, presets: Mapping[str, Preset]) -> bool:
    """Whether it runs, is not ready, and has a deadline for that."""
    if workspace.ready or not workspace.has_started:
        return False
    preset = presets.get(workspace.preset_id)
    return preset is not None and preset.ready_deadline is not None


def is_starting(workspace: Workspace) -> bool:
    """Whether a start of the workspace is under way."""
    build = workspace.last_build
    return build.transition is Transition.START and not build.status.is_final


def is_given_up(workspace: Workspace) -> bool:
    """Whether its start is under way and was given up."""
    return workspace.retired and is_starting(workspace)


def is_late_start(workspace: Workspace, presets: Mapping[str, Preset], now: datetime) -> bool:
    """Whether its start is under way, and is overdue or was given up."""
    preset = presets.get(workspace.preset_id)
    is_late = preset is not None and is_overdue(preset, workspace.last_build.created_at, now)
    return is_starting(workspace) and (is_late or workspace.retired)


def delete_stuck(tx: Transaction, effect: DeleteStuck, *, now: datetime) -> Workspace | None:
    """Add the delete and note the failure within a transaction; None if that must not be, so that it is rolled back."""
    is_inserted = tx.insert_deletes([effect.request], now=now)
    workspace = tx.get_workspace(effect.request.workspace_id) if is_inserted else None
    if workspace is None or workspace.ready:
        return None
    _note_failure(tx, effect.note, now=now)
    tell_changed(tx, workspace)
    return workspace


def give_up_start(tx: Transaction, effect: GiveUpStart, *, now: datetime) -> bool:
    """Give up and note the failure within a transaction; False if that must not be, so that it is rolled back."""
    workspace = tx.retire_prebuild(effect.workspace_id)
    if workspace is None or workspace.last_build.id != effect.build_id or not is_starting(workspace):
        return False
    _note_failure(tx, effect.note, now=now)
    if workspace.last_build.status is BuildStatus.PENDING:
        tx.finish_build(effect.build_id, BuildStatus.CANCELED, now=now)
    return tell_changed(tx, workspace)
