"""Sharing budgets: which of the planned creates are done in this pass, and which are withheld (R18).

- Creates are given out one by one, each to the preset that has the smallest share of its target; ties go by id. So no
  preset gets a second prebuild while another, with the same budgets, could have a first.
- A preset that meets a budget that is used up gets no more in this pass. What it lacks is withheld with that budget.
- The time grows with the rows and the creates, by a heap: no preset is looked at twice without getting something. If
  the budgets are enough for all that is wanted, nothing needs to be shared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache
from heapq import heapify, heappop, heapreplace
from operator import attrgetter

from prebuilds.decision.actions import ActionType
from prebuilds.decision.models import Transition
from prebuilds.decision.plans.decisions import Decision, withhold_over_budget
from prebuilds.decision.policies.budgets import MINUTE, Budget, BudgetScope
from prebuilds.decision.presets import PresetSnapshot
from prebuilds.decision.snapshots import GlobalSnapshot
from prebuilds.decision.state import count_in_progress, count_instances, count_starting

_UNLIMITED = 2**31


def share_budgets(
    decisions: Sequence[Decision], snapshot: GlobalSnapshot, budgets: Sequence[Budget], now: datetime
) -> tuple[Decision, ...]:
    """The decisions, with the creates that are over a budget withheld."""
    purses = [_fill_purse(budget, decisions, snapshot, now) for budget in budgets]
    refill_at = min((purse.refill_at for purse in purses if purse.refill_at), default=None)
    find_purses = _make_finder(purses)
    counts = zip(decisions, map(count_creates, decisions), strict=True)
    creating = [(decision, count, find_purses(decision)) for decision, count in counts if count]
    is_enough = _is_enough(creating)
    if is_enough and refill_at is None:
        return tuple(decisions)
    wanting = [_Wanting(*each) for each in creating]
    if is_enough:
        _grant_all(wanting)
    else:
        _grant_all([each for each in wanting if not each.purses])
        _share([each for each in wanting if each.purses], purses)
    granted = {each.decision.preset_id: each for each in wanting}
    return tuple([_grant(one, granted.get(one.preset_id), refill_at) for one in decisions])


def count_creates(decision: Decision) -> int:
    """How many prebuilds a decision creates; a create comes last."""
    last = decision.actions[-1:]
    return last[0].create if last and last[0].type is ActionType.CREATE else 0


class _Purse:
    """What is left of a budget in this pass, and when time alone adds to it, if it would."""

    def __init__(self, budget: Budget, left: int, refill_at: datetime | None) -> None:
        self.budget = budget
        self.left = left
        self.refill_at = refill_at


class _Wanting:
    """A preset that wants to create prebuilds, the purses that it draws from, and what it has been granted."""

    def __init__(self, decision: Decision, wanted: int, purses: Sequence[_Purse]) -> None:
        self.decision = decision
        self.purses = purses
        self.wanted = wanted
        self.granted = 0
        self.refused_by: Budget | None = None
        self._target = decision.snapshot.target.desired
        self._there = len(decision.snapshot.running) + count_starting(decision.snapshot)

    @property
    def share(self) -> float:
        """The share of the target that it has."""
        return (self._there + self.granted) / self._target

    def take(self) -> bool:
        """Take one create from every purse, unless one is empty."""
        for purse in self.purses:
            if purse.left < 1:
                self.refused_by = purse.budget
                return False
        for purse in self.purses:
            purse.left -= 1
        self.granted += 1
        return True


def _make_finder(purses: Sequence[_Purse]) -> Callable[[Decision], Sequence[_Purse]]:
    """A function that tells which purses a decision draws from. Many presets have one template."""

    @cache
    def find(organization_id: str, template_id: str) -> Sequence[_Purse]:
        return [purse for purse in purses if purse.budget.has(organization_id, template_id)]

    def find_of(decision: Decision) -> Sequence[_Purse]:
        template = decision.snapshot.preset.template_version.template
        return find(template.organization_id, template.id)

    return find_of


def _is_enough(creating: Iterable[tuple[Decision, int, Sequence[_Purse]]]) -> bool:
    """Whether every purse has enough for all that want to draw from it."""
    totals = Counter[_Purse]()
    for _, count, purses in creating:
        for purse in purses:
            totals[purse] += count
    return all(total <= purse.left for purse, total in totals.items())


def _grant_all(wanting: Iterable[_Wanting]) -> None:
    for each in wanting:
        each.granted = each.wanted


def _share(wanting: Iterable[_Wanting], purses: Sequence[_Purse]) -> None:
    """Grant creates one by one until each preset has what it wants, or is refused."""
    ranked = sorted(wanting, key=attrgetter("decision.preset_id"))
    heap = [(each.share, place, each) for place, each in enumerate(ranked)]  # places compare faster than ids
    heapify(heap)
    while heap:
        _, place, first = heap[0]
        if not first.take():
            heappop(heap)
            if not any(purse.left > 0 for purse in purses):
                break
        elif first.granted < first.wanted:
            heapreplace(heap, (first.share, place, first))
        else:
            heappop(heap)
    for *_, each in heap:
        each.take()  # nothing, but it notes which budget refuses it


def _grant(decision: Decision, each: _Wanting | None, refill_at: datetime | None) -> Decision:
    """The decision with what it was granted. Budgets refill for all that create, as each may get what others leave."""
    if each is None or (each.granted == each.wanted and refill_at is None):
        return decision
    name = each.refused_by.name if each.refused_by else ""
    return withhold_over_budget(decision, each.granted, name, refill_at)


def _select(budget: Budget, decisions: Iterable[Decision]) -> Sequence[PresetSnapshot]:
    """The presets that the budget counts."""
    snapshots = [decision.snapshot for decision in decisions]
    if budget.scope is BudgetScope.FLEET:
        return snapshots
    pairs = [(snapshot, snapshot.preset.template_version.template) for snapshot in snapshots]
    return [snapshot for snapshot, template in pairs if budget.has(template.organization_id, template.id)]


def _fill_purse(budget: Budget, decisions: Sequence[Decision], snapshot: GlobalSnapshot, now: datetime) -> _Purse:
    own = _select(budget, decisions)
    told = [row for row in snapshot.foreground if budget.has(row.organization_id, row.template_id)]
    left = [_UNLIMITED if budget.max_creates_per_pass is None else budget.max_creates_per_pass]
    if budget.max_starting is not None:
        left.append(budget.max_starting - sum([row.starting for row in told]) - sum(map(count_under_way, own)))
    if budget.max_instances is not None:
        left.append(budget.max_instances - sum([row.instances for row in told]) - sum(map(count_instances, own)))
    return _limit_rate(budget, min(left), own, snapshot, now)


def _limit_rate(
    budget: Budget, left: int, own: Sequence[PresetSnapshot], snapshot: GlobalSnapshot, now: datetime
) -> _Purse:
    """The purse, with no more in it than may still begin in this minute."""
    if budget.max_creates_per_minute is None:
        return _Purse(budget, left, None)
    ids = {each.preset.id for each in own}
    recent = [row for row in snapshot.recent_starts if row.preset_id in ids and row.begun_at > now - MINUTE]
    rate = budget.max_creates_per_minute - sum(row.count for row in recent)
    refill_at = min((row.begun_at for row in recent if row.count), default=None) if rate < left else None
    return _Purse(budget, min(left, rate), refill_at + MINUTE if refill_at else None)


def count_under_way(snapshot: PresetSnapshot) -> int:
    """How many starts of a preset are under way, the overdue ones included."""
    return count_in_progress(snapshot.in_progress, Transition.START)
