"""Caveats: what a history cannot tell, and why a hit rate may not be reached."""

from __future__ import annotations

from collections.abc import Iterator

from prebuilds.decision.wording import describe_count
from prebuilds.whatif.recommendation.backtests import DAYS_TO_TELL_DAYS_APART
from prebuilds.whatif.recommendation.history import DemandHistory
from prebuilds.whatif.recommendation.options import SizingOption
from prebuilds.whatif.recommendation.report import WEEKDAYS

_BATCH = 0.5  # the share of misses in the worst hundredth of hours from which they count as batches
_GROWTH = 1.25


def list_caveats(history: DemandHistory, chosen: SizingOption) -> Iterator[str]:
    """What a user of a recommendation must know, in sentences."""
    yield from _list_unknowns(history)
    yield from _list_limits(history)
    if not chosen.is_reached:
        yield from _list_causes(history, chosen)
    if chosen.schedules and history.lead_hours:
        early = describe_count(history.lead_hours, "hour")
        yield f"Windows that raise the count open {early} early, so that what they add is ready by the hour."


def _list_unknowns(history: DemandHistory) -> Iterator[str]:
    profile = history.profile_week(history.days)
    unknown = [WEEKDAYS[day] for day in range(7) if not profile.is_day_watched(day)]
    if unknown:
        yield f"Unknown: the history has no whole {', '.join(unknown)}; what is kept then is that of the other days."
    elif history.days < DAYS_TO_TELL_DAYS_APART:
        yield f"Unknown: whether days of the week differ, as {history.days} days of history cannot tell."


def _list_limits(history: DemandHistory) -> Iterator[str]:
    """What so many claims can show of the hit rate."""
    claims, goal = len(history.demand.claims), history.hit_rate
    if goal == 1:
        yield f"No history can promise 100 %: this is what {claims:,} claims needed, and later ones may need more."
    elif claims * (1 - goal) < 1:
        few = f"With {claims} claims, fewer than {round(1 / (1 - goal)):,}"
        yield f"{few}, a single miss decides whether the hit rate is reached."


def _list_causes(history: DemandHistory, chosen: SizingOption) -> Iterator[str]:
    """Why backtests may not have reached the hit rate."""
    days = history.days
    if days < DAYS_TO_TELL_DAYS_APART:
        yield f"Short past: {days} days show little of what may come."
    share = _find_batch_share(history, chosen.desired_instances if not chosen.schedules else None)
    if share >= _BATCH:
        yield f"Batches: {share:.0%} of the misses are in the worst hundredth of hours, which no count foresees."
    before, after = _count_per_day(history, 0, days * 2 // 3), _count_per_day(history, days * 2 // 3, days)
    if before and after / before >= _GROWTH:
        yield f"Growth: the last third of the history has {after / before:.1f} times as many claims a day as before."


def _find_batch_share(history: DemandHistory, size: int | None) -> float:
    """The share of a single size's misses that are in the hundredth of hours with most."""
    table = history.table
    count = history.find_smallest(history.days).size if size is None else size
    place = max(place for place, level in enumerate(table.levels) if level <= count)
    missed = sorted(table.missed[place], reverse=True)
    return sum(missed[: max(1, len(missed) // 100)]) / sum(missed) if any(missed) else 0.0


def _count_per_day(history: DemandHistory, begin: int, end: int) -> float:
    profile = history.table.profile(begin, end)
    return 24 * profile.total / hours if (hours := sum(profile.hours)) else 0.0
