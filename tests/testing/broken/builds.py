"""Methods for builds and what is remembered of them that break one rule each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import attrs

from prebuilds.adapters.memory.transactions import MemoryTransaction
from prebuilds.decision.models import BuildStatus, Transition
from prebuilds.runtime.fleet_rows import ALL_PRESETS, FleetRows, Selection
from prebuilds.runtime.models import BuildRequest, Workspace

_EVER = datetime(1, 1, 2, tzinfo=timezone.utc)


def reading(list_builds: Callable[..., Any]) -> Callable[..., FleetRows]:
    """A `read_rows` whose builds this function lists. It gets the bounds by name."""

    def read_rows(tx: MemoryTransaction, selection: Selection = ALL_PRESETS, **bounds: Any) -> FleetRows:
        rows = tx.read_rows(selection, **bounds)
        builds = list_builds(tx, **{"selection": selection, "ended_since": None, "latest": 0, **bounds})
        return attrs.evolve(rows, builds=builds)

    return read_rows


def find_by_build(tx: MemoryTransaction, build_id: str) -> Workspace | None:
    """The workspace whose last build this is."""
    row = tx.get_workspace(tx.rows.find_builds([build_id]).get(build_id) or "")
    return row if row and row.last_build.id == build_id else None


def restart(tx: MemoryTransaction, build_id: str, *, now: datetime) -> bool:
    """Begins builds that have ended."""
    row = find_by_build(tx, build_id)
    if row and row.last_build.status is BuildStatus.CANCELED:
        build = attrs.evolve(row.last_build, status=BuildStatus.PENDING, finished_at=None)
        tx.rows.put_workspaces([attrs.evolve(row, last_build=build)])
    return tx.begin_build(build_id, now=now)


def finish_again(tx: MemoryTransaction, build_id: str, status: BuildStatus, **options: Any) -> Workspace | None:
    """Ends builds for a second time."""
    finished = tx.finish_build(build_id, status, **options)
    return finished or find_by_build(tx, build_id)


def list_no_latest(tx: MemoryTransaction, *, latest: int, **options: Any) -> Any:
    """Remembers only the builds that ended of late."""
    del latest
    return tx.read_rows(**options).builds


def list_failures(tx: MemoryTransaction, *, failing_only: bool = False, **options: Any) -> list[Any]:
    """Reads the failed builds alone where those of failing presets are asked for."""
    builds = tx.read_rows(**options).builds
    return [row for row in builds if not failing_only or row.status is BuildStatus.FAILED]


def list_living(tx: MemoryTransaction, **options: Any) -> list[Any]:
    """Forgets the builds of workspaces that have been claimed."""
    owners = {row.last_build.id[:-2]: row.owner_id for row in tx.rows.tables.workspaces.values()}
    return [row for row in tx.read_rows(**options).builds if owners.get(row.id[:-2], "prebuilds") == "prebuilds"]


def finish_uncounted(tx: MemoryTransaction, build_id: str, status: BuildStatus, **options: Any) -> Workspace | None:
    """Does not count deletes that failed."""
    row = tx.finish_build(build_id, status, **options)
    if row and row.failed_deletes:
        row = attrs.evolve(row, failed_deletes=0)
        tx.rows.put_workspaces([row])
    return row


def finish_without_a_reason(tx: MemoryTransaction, build_id: str, status: BuildStatus, **options: Any) -> Any:
    """Forgets why a build failed."""
    return tx.finish_build(build_id, status, now=options["now"])


def list_latest_with_capacity(
    tx: MemoryTransaction, *, ended_since: datetime | None, latest: int, **options: Any
) -> list[Any]:
    """Lets attempts that failed for want of capacity use up what is asked for."""
    counted = tx.read_rows(ended_since=_EVER, latest=0, **options).builds
    last: set[tuple[str, datetime]] = set()
    for preset_id in {row.preset_id for row in counted}:
        begun = {row.created_at for row in counted if row.preset_id == preset_id}
        last |= {(preset_id, at) for at in sorted(begun, reverse=True)[:latest]}
    return [row for row in counted if (row.preset_id, row.created_at) in last or _has_ended_since(row, ended_since)]


def make_anything_ready(tx: MemoryTransaction, workspace_id: str) -> Workspace | None:
    """Makes ready what does not run."""
    row = tx.get_workspace(workspace_id)
    if row is None or row.ready:
        return None
    tx.rows.put_workspaces([attrs.evolve(row, ready=True)])
    return tx.get_workspace(workspace_id)


def finish_by_any_clock(tx: MemoryTransaction, build_id: str, status: BuildStatus, **options: Any) -> Any:
    """Ends a build before it began."""
    row = tx.finish_build(build_id, status, **options)
    if row:
        row = attrs.evolve(row, last_build=attrs.evolve(row.last_build, finished_at=options["now"]))
        tx.rows.put_workspaces([row])
    return row


def list_latest_of_all(
    tx: MemoryTransaction, *, ended_since: datetime | None, latest: int, **options: Any
) -> list[Any]:
    """Takes the latest builds that there are, and then looks which of them count."""
    last: set[tuple[str, datetime]] = set()
    for preset_id, rows in tx.rows.tables.outcomes.items():
        last |= {(preset_id, at) for at in sorted({row.created_at for row in rows}, reverse=True)[:latest]}
    counted = tx.read_rows(ended_since=ended_since, latest=1_000, **options).builds
    return [row for row in counted if (row.preset_id, row.created_at) in last or _has_ended_since(row, ended_since)]


def list_latest_builds(
    tx: MemoryTransaction, *, ended_since: datetime | None, latest: int, **options: Any
) -> list[Any]:
    """Takes the builds of one pass for several attempts."""
    counted = tx.read_rows(ended_since=ended_since, latest=latest, **options).builds
    by_preset: dict[str, list[Any]] = {}
    for row in sorted(counted, key=lambda row: (row.created_at, row.id), reverse=True):
        by_preset.setdefault(row.preset_id, []).append(row)
    last = [row for rows in by_preset.values() for row in rows[:latest]]
    return [row for row in counted if row in last or _has_ended_since(row, ended_since)]


def _has_ended_since(row: Any, instant: datetime | None) -> bool:
    return instant is not None and row.finished_at >= instant


def list_of_known_versions(tx: MemoryTransaction, **options: Any) -> list[Any]:
    """Counts the builds of the very version that the preset has, and no others."""
    versions = {preset.id: preset.template_version.id for preset in tx.list_presets()}
    return [row for row in tx.read_rows(**options).builds if row.template_version_id == versions[row.preset_id]]


def make_anything_unready(tx: MemoryTransaction, workspace_id: str) -> Workspace | None:
    """Makes unready what a user has."""
    row = tx.get_workspace(workspace_id)
    if row is None or row.deleted or not row.ready:
        return None
    tx.rows.put_workspaces([attrs.evolve(row, ready=False)])
    return tx.get_workspace(workspace_id)


def list_all(tx: MemoryTransaction, *, selection: Selection, **bounds: Any) -> Any:
    """Lists the builds of every preset."""
    del selection
    return tx.read_rows(**bounds).builds


def note_begun_now(tx: MemoryTransaction, request: BuildRequest, *, now: datetime, **_: Any) -> None:
    """Forgets when a start began that missed its deadline."""
    tx.insert_failed_build(request, now=now)


def finish_given_up(tx: MemoryTransaction, build_id: str, status: BuildStatus, **options: Any) -> Workspace | None:
    """Ends a start that was given up like any other."""
    row = tx.finish_build(build_id, status, **options)
    if row and row.retired and row.last_build.transition is Transition.START:
        row = attrs.evolve(row, last_build=attrs.evolve(row.last_build, status=status))
        tx.rows.put_workspaces([row])
    return row
