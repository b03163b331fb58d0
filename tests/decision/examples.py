"""Small models that the tests of the decision start from."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from prebuilds import Backoff, GlobalSnapshot, InProgress, Prebuild, Preset, PresetSnapshot, TemplateVersion, Transition

UTC = timezone.utc
NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)  # a Monday
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
INACTIVE = TemplateVersion(is_active=False)


def make_preset(**changes: Any) -> Preset:
    return Preset(**{"id": "p", "desired_instances": 3, **changes})


def make_prebuild(workspace: str, **changes: Any) -> Prebuild:
    return Prebuild(**{"id": workspace, "preset_id": "p", "created_at": NOW - HOUR, "ready": True, **changes})


def make_snapshot(preset: Preset | None = None, **changes: Any) -> PresetSnapshot:
    return PresetSnapshot(**{"preset": preset or make_preset(), "now": NOW, **changes})


def make_backoff(num_failed: int, last_build_at: datetime) -> Backoff:
    return Backoff(preset_id="p", num_failed=num_failed, last_build_at=last_build_at)


def make_in_progress(count: int, transition: Transition = Transition.START, **changes: Any) -> InProgress:
    return InProgress(**{"preset_id": "p", "transition": transition, "count": count, **changes})


def make_fleet(*presets: Preset, **changes: Any) -> GlobalSnapshot:
    return GlobalSnapshot(presets=presets or (make_preset(),), **changes)
