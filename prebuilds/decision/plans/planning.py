"""A plan: one decision for each preset of a snapshot, at one instant.

A plan is a pure function of snapshot, instant, policy and pause. The same rows in any order give the same plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import attrs

from prebuilds.decision.fields import FLAG, NOW, require_instant, to_tuple, to_utc, tuple_of
from prebuilds.decision.next_change import Change
from prebuilds.decision.plans.decisions import Decision, decide
from prebuilds.decision.plans.explaining import describe_action, describe_change, describe_orphans
from prebuilds.decision.plans.html_tables import render_table
from prebuilds.decision.plans.sharing import share_budgets
from prebuilds.decision.policies.policy import Policy
from prebuilds.decision.snapshots import GlobalSnapshot, Orphans
from prebuilds.decision.targets import TargetSource, describe_fallback
from prebuilds.decision.wording import describe_count, describe_instant
from prebuilds.errors import InvalidValueError, UnknownPresetError, UnknownVersionError
from prebuilds.renames import OldAttribute, rename_fields


@rename_fields(paused="is_paused", orphaned="orphan_counts")
@attrs.frozen(kw_only=True)
class Plan:
    """The decisions for all presets of a snapshot, in the presets' order, and the rows that name no preset."""

    now: datetime = attrs.field(converter=to_utc, validator=NOW)
    is_paused: bool = attrs.field(default=False, validator=FLAG)
    decisions: tuple[Decision, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Decision))
    orphan_counts: tuple[Orphans, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Orphans))

    def __iter__(self) -> Iterator[Decision]:
        return iter(self.decisions)

    def __len__(self) -> int:
        return len(self.decisions)

    @property
    def orphans(self) -> int:
        """How many rows of the snapshot name no known preset (R1); `orphan_counts` says which."""
        return sum(orphans.count for orphans in self.orphan_counts)

    @property
    def next_change(self) -> Change | None:
        """When the first of the decisions could differ without new data, and why (R12)."""
        changes = [decision.next_change for decision in self.decisions if decision.next_change]
        return min(changes, key=lambda change: change.at, default=None)

    @property
    def next_change_at(self) -> datetime | None:
        """The instant of `next_change` alone."""
        change = self.next_change
        return change.at if change else None

    def for_preset(self, preset_id: str) -> Plan:
        """The plan with only this preset's decision. Raises `UnknownPresetError`."""
        decisions = tuple(decision for decision in self.decisions if decision.preset_id == preset_id)
        if not decisions:
            raise UnknownPresetError(preset_id)
        return attrs.evolve(self, decisions=decisions)

    def is_filled(self, version_id: str) -> bool:
        """Whether promoting this template version now finds the pools of all its presets full (R17).

        Raises `UnknownVersionError` if no preset of the plan has this version.
        """
        own = [decision for decision in self if decision.snapshot.preset.template_version.id == version_id]
        if not own:
            raise UnknownVersionError(version_id)
        return all(decision.is_filled for decision in own)

    def explain(self) -> str:
        """The whole plan in plain words, a line for each action of each decision."""
        title = f"At {describe_instant(self.now)}, {describe_count(len(self), 'preset')}:"
        return "\n".join([title, *(decision.explain() for decision in self), *self.notes])

    @property
    def notes(self) -> tuple[str, ...]:
        """What concerns the whole plan: a pause, rows that name no preset, and when it changes next."""
        change = self.next_change
        next_one = f"Next change {describe_change(change)}." if change else "No change by time alone."
        return (*self.caveats, next_one)

    @property
    def caveats(self) -> tuple[str, ...]:
        """The part of `notes` that keeps the plan from being complete: a pause, and rows that name no preset."""
        paused = ["Reconciliation is paused: nothing is to be done."] if self.is_paused else []
        return (*paused, *(f"{describe_orphans(orphans)}." for orphans in self.orphan_counts))

    hindrances = OldAttribute("Plan.hindrances", "caveats")

    def _repr_html_(self) -> str:
        return render_table(TABLE_HEADERS, [list_cells(decision) for decision in self], list_notes(self))


TABLE_HEADERS = ("preset", "desired", "actual", "expired", "eligible", "starting", "actions")


def list_cells(decision: Decision) -> tuple[str, ...]:
    """A decision as cells of a table, under `TABLE_HEADERS`."""
    state = decision.state
    is_plain = state.target_source is TargetSource.PRESET
    sources = [] if is_plain else [state.target_source.value]
    sources += ["candidate"] if decision.snapshot.preset.template_version.is_candidate else []
    desired = f"{state.desired} ({', '.join(sources)})" if sources else f"{state.desired}"
    done = [describe_action(action) for action in decision.actions]
    withheld = [f"withheld ({entry.label}): {describe_action(entry.action)}" for entry in decision.withheld]
    counts = (state.actual, state.expired, state.eligible, state.starting)
    return (decision.preset_id, desired, *map(str, counts), ", ".join([*done, *withheld]) or "nothing")


def list_notes(plan: Plan) -> tuple[str, ...]:
    """What a table of the plan does not show: unusable schedules, and the notes on the whole plan."""
    fallbacks = [
        f"{describe_fallback(decision.preset_id, decision.state.target_error)}."
        for decision in plan
        if decision.state.target_error
    ]
    return (*fallbacks, *plan.notes)


_DEFAULT_POLICY = Policy()


def plan(snapshot: GlobalSnapshot, *, now: datetime, policy: Policy = _DEFAULT_POLICY, paused: bool = False) -> Plan:
    """Decide for every preset of the snapshot, as of `now`.

    `now` is an aware datetime. While `paused`, every action is withheld. Creates of a hard-limited preset are always
    withheld, and so are creates beyond `policy.max_creates` and beyond the budgets (R18). A decision under a budget
    depends on all presets that share it. The time grows with the number of rows and creates. Raises
    `InvalidValueError` for a `now` that is naive or out of range.
    """
    now = require_instant("plan", "now", now)
    if not isinstance(policy, Policy):
        raise InvalidValueError("plan", "policy", policy, "a Policy")
    decisions = tuple([decide(preset, policy, paused=paused) for preset in snapshot.iterate_presets(now)])
    return Plan(
        now=now,
        is_paused=paused,
        decisions=share_budgets(decisions, snapshot, policy.budgets, now) if policy.budgets else decisions,
        orphan_counts=snapshot.orphan_counts,
    )
