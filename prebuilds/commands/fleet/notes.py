"""What `status` and `run` say below their tables: why presets create nothing, and what is late."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from prebuilds.decision.actions import ActionType
from prebuilds.decision.plans.decisions import Decision
from prebuilds.decision.plans.explaining import explain_withholding
from prebuilds.decision.plans.withholding import WithheldReason
from prebuilds.decision.policies.budgets import Budget
from prebuilds.decision.policies.waiting import can_probe
from prebuilds.decision.targets import describe_fallback
from prebuilds.decision.wording import describe_count, describe_duration, describe_instant

LIMITS_IN_WORDS = {
    "max_starting": "starts under way",
    "max_creates_per_pass": "creates in one pass",
    "max_creates_per_minute": "starts begun in any minute",
    "max_instances": "prebuilds",
}


def list_notes(decision: Decision) -> Sequence[str]:
    """Why a preset creates nothing, and what is wrong with its prebuilds or schedules."""
    waits = [
        f"{decision.preset_id} backs off until {describe_second(action.backoff_until)}."
        for action in decision.actions
        if action.type is ActionType.BACKOFF and action.backoff_until
    ]
    error = decision.state.target_error
    fallback = [f"{describe_fallback(decision.preset_id, error)}."] if error else []
    lateness = ", ".join(_list_late(decision))
    late = [f"{decision.preset_id}: {lateness}."] if lateness else []
    return [*_list_candidates(decision), *_list_limits(decision), *waits, *late, *fallback]


def _list_candidates(decision: Decision) -> Sequence[str]:
    """How far a candidate is (R17)."""
    preset = decision.snapshot.preset
    if not (preset.template_version.is_candidate and preset.is_wanted):
        return []
    state, version = decision.state, preset.template_version.name or preset.template_version.id
    how = "full" if decision.is_filled else f"{state.eligible} of {state.desired} ready"
    return [f"{decision.preset_id} is of the candidate {version}, {how}: nobody can claim it before `promote`."]


def _list_late(decision: Decision) -> Iterator[str]:
    """The stuck, the overdue and the aging prebuilds of a preset."""
    state, preset = decision.state, decision.snapshot.preset
    if state.stuck and preset.ready_deadline:
        yield f"{state.stuck} stuck (not ready {describe_duration(preset.ready_deadline)} after the start)"
    if state.overdue:
        limit = preset.build_deadline
        yield f"{state.overdue} overdue ({f'starts may take {describe_duration(limit)}' if limit else 'given up'})"
    if state.aging and preset.refresh_ahead:
        yield f"{state.aging} aging (to expire within {describe_duration(preset.refresh_ahead)})"


def list_budget_notes(decisions: Iterable[Decision], budgets: Iterable[Budget]) -> Sequence[str]:
    """What waits for each budget, with the budget's limits."""
    waiting: defaultdict[str, list[int]] = defaultdict(list)
    for decision in decisions:
        for withheld in decision.withheld:
            if withheld.reason is WithheldReason.BUDGET:
                waiting[withheld.budget].append(withheld.action.create)
    return [_describe_waiting(budget, waiting[budget.name]) for budget in budgets if budget.name in waiting]


def _describe_waiting(budget: Budget, creates: Sequence[int]) -> str:
    what = f"{describe_count(sum(creates), 'create')} of {describe_count(len(creates), 'preset')}"
    return f"Waiting for the budget {budget.name}, {describe_limits(budget)}: {what}."


def describe_limits(budget: Budget) -> str:
    """The limits of a budget in words: `at most 3 starts under way, 20 creates in one pass`."""
    given = ((getattr(budget, limit), what) for limit, what in LIMITS_IN_WORDS.items())
    return "at most " + ", ".join(f"{value} {what}" for value, what in given if value is not None)


def describe_second(instant: datetime) -> str:
    """The instant, rounded up to whole seconds."""
    begun = instant.replace(microsecond=0)
    return describe_instant(begun if begun == instant else begun + timedelta(seconds=1))


def _list_limits(decision: Decision) -> Sequence[str]:
    """Why the preset creates nothing: its builds keep failing, or there is no capacity."""
    name, snapshot, policy = decision.preset_id, decision.snapshot, decision.policy
    if snapshot.is_hard_limited:
        ends = "a probe succeeds or it is reset" if can_probe(snapshot, policy) else "it is reset"
        why = explain_withholding(snapshot, policy, WithheldReason.HARD_LIMITED)
        return [f"{name} is hard-limited: it creates nothing until {ends}{why}."]
    why = explain_withholding(snapshot, policy, WithheldReason.CAPACITY)
    return [f"{name} creates nothing now{why}."] if why else []
