"""Checking settings: all findings about presets and budgets, from how long a build takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from prebuilds.decision.fields import MAX_DURATION
from prebuilds.decision.judging.budgets import check_budget
from prebuilds.decision.judging.build_times import check_build_times
from prebuilds.decision.judging.findings import Finding
from prebuilds.decision.judging.targets import check_targets, wants_prebuilds
from prebuilds.decision.models import Preset
from prebuilds.decision.policies.budgets import Budget
from prebuilds.errors import InvalidValueError


def check_settings(
    presets: Iterable[Preset], *, lead_time: timedelta, budgets: Iterable[Budget] = ()
) -> tuple[Finding, ...]:
    """What cannot work about these presets and budgets, if a build takes `lead_time`: first preset by preset.

    With a `lead_time` of 0 nothing is too short for a build. A preset that never wants a prebuild has no findings.
    Raises `InvalidValueError` for a `lead_time` that is no timedelta of 0 or more.
    """
    lead_time, presets = require_build_time("check_settings", lead_time), tuple(presets)
    of_presets = (finding for preset in presets for finding in check_preset(preset, lead_time))
    of_budgets = (finding for budget in budgets for finding in check_budget(budget, presets, lead_time))
    return (*of_presets, *of_budgets)


def check_preset(preset: Preset, lead_time: timedelta) -> Iterator[Finding]:
    """What cannot work about one preset, with a build time that is known to be valid."""
    if wants_prebuilds(preset):
        yield from check_build_times(preset, lead_time)
        yield from check_targets(preset, lead_time)


def require_build_time(place: str, value: object) -> timedelta:
    """How long a build takes."""
    if not isinstance(value, timedelta) or not timedelta() <= value <= MAX_DURATION:
        raise InvalidValueError(place, "lead_time", value, f"a timedelta from 0 to {MAX_DURATION.days} days")
    return value
