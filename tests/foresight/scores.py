"""Scores: what a policy had on the claims that were held out, beside single sizes in hindsight."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

import attrs

from foresight.cases import Case
from foresight.policies import Policy
from prebuilds.whatif.targets.target_replay import replay_function
from prebuilds.whatif.traces.ticks import TICKS_PER_SECOND

_NOTICED = 0.002
_WEEK = 7 * 86_400 * TICKS_PER_SECOND
_SHORTFALL = 0.003  # of the hit rate, that is not held against a policy


@attrs.frozen(kw_only=True)
class Score:
    """One policy on one case. `saved` is the share of idle hours saved at equal hits."""

    history: str
    lead_minutes: float
    on_miss: str
    goal: float
    policy: str
    is_expected: bool | None
    hit_rate: float
    idle_hours: float
    builds_per_claim: float
    deletes_per_claim: float
    best_size: int
    best_idle_hours: float
    equal_idle_hours: float
    weekly_claims: tuple[int, ...]
    """Claims in each week of what was held out; the last week may be short."""
    weekly_hits: tuple[int, ...]

    @property
    def saved(self) -> float:
        return 1 - self.idle_hours / self.equal_idle_hours if self.equal_idle_hours else 0.0


def score(case: Case, policy: Policy) -> Score:
    """Replay a policy on what was held out."""
    done = replay_function(case.rest, policy.make(), case.on_miss)
    best = case.sizes.find_smallest(case.goal)
    weeks = [(at - case.rest.begin) // _WEEK for at in case.rest.claims]
    count = (case.rest.end - case.rest.begin) // _WEEK + 1
    return Score(
        history=case.history.name,
        lead_minutes=case.lead_time.total_seconds() / 60,
        on_miss=case.on_miss.value,
        goal=case.goal,
        policy=policy.name,
        is_expected=policy.is_expected,
        hit_rate=done.hit_rate,
        idle_hours=done.idle_hours,
        builds_per_claim=done.builds_per_claim,
        deletes_per_claim=done.deletes_per_claim,
        best_size=best.size,
        best_idle_hours=best.idle_hours,
        equal_idle_hours=case.sizes.interpolate_idle(done.hit_rate),
        weekly_claims=_sum_weeks(weeks, [1] * len(weeks), count),
        weekly_hits=_sum_weeks(weeks, done.outcomes, count),
    )


def _sum_weeks(weeks: Sequence[int], counts: Sequence[int], length: int) -> tuple[int, ...]:
    sums = [0] * length
    for week, count in zip(weeks, counts, strict=True):
        sums[week] += count
    return tuple(sums)


def summarize(scores: Iterable[Score], singles: dict[tuple[object, ...], Score]) -> dict[str, Any]:
    """Medians and extremes of one policy for one goal. `singles` are the scores of the single size by their cases."""
    rows = list(scores)
    promised = [row for row in rows if row.is_expected]
    return {
        "cases": len(rows),
        "saved": median(row.saved for row in rows),
        "least_saved": min(row.saved for row in rows),
        "hit_rate": median(row.hit_rate for row in rows),
        "reached": sum(map(_is_reached, rows)),
        "promised": len(promised),
        "promised_and_reached": sum(map(_is_reached, promised)),
        "dominated": sum(_is_dominated(row, singles[find_key(row)]) for row in rows),
        "builds_per_claim": median(row.builds_per_claim for row in rows),
        "most_builds_per_claim": max(row.builds_per_claim for row in rows),
        "deletes_per_claim": median(row.deletes_per_claim for row in rows),
    }


def _is_reached(row: Score) -> bool:
    return row.hit_rate >= row.goal - _SHORTFALL


def find_key(row: Score) -> tuple[object, ...]:
    """What tells a case from the others."""
    return row.history, row.lead_minutes, row.on_miss, row.goal


def _is_dominated(row: Score, single: Score) -> bool:
    """Whether a policy had both fewer hits than the single size that was tuned on the past, and more idle hours."""
    return row.hit_rate < single.hit_rate - _NOTICED and row.idle_hours > single.idle_hours
