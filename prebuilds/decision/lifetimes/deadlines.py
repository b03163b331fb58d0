"""Deadlines: which prebuilds are stuck, and which starts are overdue (R14).

- A prebuild is stuck from `ready_deadline` after its start ended, that instant included, unless it is ready.
- A start is overdue from `build_deadline` after it began, that instant included.
- What is unknown is never late.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from prebuilds.decision.models import InProgress, Prebuild, Preset, Transition


def split_stuck(
    preset: Preset, prebuilds: tuple[Prebuild, ...], now: datetime
) -> tuple[tuple[Prebuild, ...], tuple[Prebuild, ...]]:
    """The other prebuilds and the stuck ones, both in the given order. An inactive preset has no stuck ones."""
    if preset.ready_deadline is None or not preset.is_wanted:
        return prebuilds, ()
    unready = [prebuild for prebuild in prebuilds if not prebuild.ready]  # in most pools few, and fast to find
    stuck = {prebuild.id for prebuild in unready if is_stuck(preset, prebuild, now)}
    if not stuck:
        return prebuilds, ()
    others = [prebuild for prebuild in prebuilds if prebuild.id not in stuck]
    return tuple(others), tuple([prebuild for prebuild in prebuilds if prebuild.id in stuck])


def is_stuck(preset: Preset, prebuild: Prebuild, now: datetime) -> bool:
    """Whether its start ended so long ago that it should be ready, and it is not."""
    deadline, started_at = preset.ready_deadline, prebuild.started_at
    is_late = deadline is not None and started_at is not None and now - started_at >= deadline
    return is_late and not prebuild.ready


def list_ready_deadlines(preset: Preset, prebuilds: Iterable[Prebuild]) -> Iterator[tuple[datetime, str]]:
    """Of each prebuild that is not ready: when its start ended, and its id."""
    if preset.ready_deadline is not None and preset.is_wanted:
        for prebuild in prebuilds:
            if prebuild.started_at is not None and not prebuild.ready:
                yield prebuild.started_at, prebuild.id


def count_overdue(preset: Preset, rows: Sequence[InProgress], now: datetime) -> int:
    """How many starts are overdue, by the rows themselves or by the preset's deadline."""
    return sum([_count_overdue(preset, row, now) for row in rows]) if rows else 0


def _count_overdue(preset: Preset, row: InProgress, now: datetime) -> int:
    return row.count if _is_start(row) and is_overdue(preset, row.began_at, now) else row.overdue


def is_overdue(preset: Preset, began_at: datetime | None, now: datetime) -> bool:
    """Whether a start that began at this instant, and has not ended, is overdue."""
    deadline = preset.build_deadline
    return deadline is not None and began_at is not None and now - began_at >= deadline


def list_build_deadlines(preset: Preset, rows: Iterable[InProgress], now: datetime) -> Iterator[datetime]:
    """When the starts began that are not overdue yet, as far as that is known."""
    for row in rows:
        if row.began_at is not None and _is_start(row) and row.count > _count_overdue(preset, row, now):
            yield row.began_at


def _is_start(row: InProgress) -> bool:
    return row.transition is Transition.START
