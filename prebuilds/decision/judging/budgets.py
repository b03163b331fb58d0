"""Budgets that are too small for what their presets want at all times (R18).

- Of each preset its *floor* counts: the lowest of its counts, so that the sum is wanted at every instant.
- A prebuild lives no longer than its ttl. So a pool of 10 with a ttl of an hour needs 10 creates an hour, even if
  nobody claims.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from math import ceil

from prebuilds.decision.fields import MAX_DURATION
from prebuilds.decision.judging.build_times import lives_to_expire
from prebuilds.decision.judging.findings import Finding, FindingKind, find_in
from prebuilds.decision.judging.targets import list_counts, wants_prebuilds
from prebuilds.decision.models import Preset
from prebuilds.decision.policies.budgets import MINUTE, Budget
from prebuilds.decision.wording import describe_duration

HOUR = timedelta(hours=1)


def check_budget(budget: Budget, presets: Sequence[Preset], lead_time: timedelta) -> Iterator[Finding]:
    """What is too small about a budget for those of these presets that it counts."""
    own = [preset for preset in presets if is_in_scope(budget, preset)]
    floors = sum(map(find_floor, own))
    yield from _check_instances(budget, own, floors)
    if any(map(wants_prebuilds, own)):
        yield from _check_creates(budget)
    if floors:
        yield from _check_starting(budget, own, lead_time)
        yield from _check_rate(budget, own, lead_time)


def is_in_scope(budget: Budget, preset: Preset) -> bool:
    """Whether the budget counts the prebuilds of this preset."""
    template = preset.template_version.template
    return budget.has(template.organization_id, template.id)


def find_floor(preset: Preset) -> int:
    """How many prebuilds the preset wants at all times."""
    return min(list_counts(preset))


def _check_instances(budget: Budget, presets: Sequence[Preset], floors: int) -> Iterator[Finding]:
    most = budget.max_instances
    if most is None:
        return
    if most < floors:
        message = (
            f"{most} is less than the {floors} prebuilds that its presets want at all times, so they are never all "
            f"there; allow {floors} or more, or lower the counts"
        )
        yield find_in(budget, "max_instances", FindingKind.BUDGET_BELOW_FLOORS, (most, floors), message)
    elif most == floors and any(map(_is_refreshed, presets)):
        message = (
            f"{most} is just what its presets want at all times, which leaves no room for a replacement, so "
            f"refresh_ahead does nothing; allow {floors + 1} or more"
        )
        yield find_in(budget, "max_instances", FindingKind.REFRESH_HAS_NO_ROOM, (most, floors + 1), message)


def _is_refreshed(preset: Preset) -> bool:
    """Whether its prebuilds are replaced ahead, as far as its own settings go."""
    return bool(preset.refresh_ahead and preset.max_surge != 0 and find_floor(preset)) and lives_to_expire(preset)


def _check_creates(budget: Budget) -> Iterator[Finding]:
    for limit in ("max_starting", "max_creates_per_minute"):
        if getattr(budget, limit) == 0:
            message = "0 allows no create, so its presets never get the prebuilds that they want; allow 1 or more"
            yield find_in(budget, limit, FindingKind.BUDGET_CREATES_NOTHING, (0, 1), message)


def _check_starting(budget: Budget, presets: Sequence[Preset], lead_time: timedelta) -> Iterator[Finding]:
    most, rate = budget.max_starting, _calculate_rate(presets, lead_time)
    needed = rate * (lead_time / HOUR)
    if most and needed > most:
        message = (
            f"{most} allows {_show(most / (lead_time / HOUR))} builds an hour, as each takes "
            f"{describe_duration(lead_time)}, and the ttls alone need {_show(rate)}, so pools are never full; allow "
            f"{ceil(needed)} or more, or make the ttls longer"
        )
        yield find_in(budget, "max_starting", FindingKind.BUDGET_TOO_SLOW, (most, ceil(needed)), message)


def _check_rate(budget: Budget, presets: Sequence[Preset], lead_time: timedelta) -> Iterator[Finding]:
    most, needed = budget.max_creates_per_minute, _calculate_rate(presets, lead_time) * (MINUTE / HOUR)
    if most and needed > most:
        message = (
            f"{most} is less than the {_show(needed)} creates a minute that the ttls alone need, so pools are never "
            f"full; allow {ceil(needed)} or more, or make the ttls longer"
        )
        yield find_in(budget, "max_creates_per_minute", FindingKind.BUDGET_TOO_SLOW, (most, ceil(needed)), message)


def _calculate_rate(presets: Sequence[Preset], lead_time: timedelta) -> float:
    """How many creates an hour keep the floors up, as prebuilds expire. None expires before it is built."""
    lives = [(find_floor(preset), max(preset.ttl or MAX_DURATION, lead_time)) for preset in presets]
    return sum(floor / (life / HOUR) for floor, life in lives if life < MAX_DURATION)


def _show(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
