"""The difference between two plans: what would change if the second replaced the first.

Decisions are compared by what they say. Rows in another order are not a change.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from prebuilds.decision.fields import ID, instance_of, optional, to_tuple, tuple_of
from prebuilds.decision.plans.decisions import Decision
from prebuilds.decision.plans.html_tables import render_table
from prebuilds.decision.plans.planning import Plan


@attrs.frozen(kw_only=True)
class DecisionChange:
    """One preset whose decision differs; `before` or `after` is None if that plan does not have the preset."""

    preset_id: str = attrs.field(validator=ID)
    before: Decision | None = attrs.field(validator=optional(instance_of(Decision)))
    after: Decision | None = attrs.field(validator=optional(instance_of(Decision)))

    def explain(self) -> str:
        """The change in plain words, on three lines."""
        return f"{self.preset_id}\n  before: {_describe(self.before)}\n  after:  {_describe(self.after)}"


@attrs.frozen(kw_only=True)
class PlanDiff:
    """All presets whose decision differs: those of the second plan in its order, then those only in the first."""

    changes: tuple[DecisionChange, ...] = attrs.field(
        default=(), converter=to_tuple, validator=tuple_of(DecisionChange)
    )
    notes: tuple[str, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(str))
    """Differences between the whole plans: a pause, and rows that name no preset."""

    def __iter__(self) -> Iterator[DecisionChange]:
        return iter(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    def explain(self) -> str:
        """Every change in plain words."""
        changes = [change.explain() for change in self] or ["No decision changes."]
        return "\n".join([*changes, *self.notes])

    def _repr_html_(self) -> str:
        rows = [(change.preset_id, _describe(change.before), _describe(change.after)) for change in self]
        return render_table(("preset", "before", "after"), rows, self.notes)


def diff(before: Plan, after: Plan) -> PlanDiff:
    """What would change if `after` replaced `before`, preset by preset."""
    old = {decision.preset_id: decision for decision in before}
    new = {decision.preset_id: decision for decision in after}
    return PlanDiff(
        changes=tuple(
            DecisionChange(preset_id=preset_id, before=old.get(preset_id), after=new.get(preset_id))
            for preset_id in {**new, **old}
            if old.get(preset_id) != new.get(preset_id)
        ),
        notes=(
            *(f"before: {note}" for note in before.caveats if note not in after.caveats),
            *(f"after:  {note}" for note in after.caveats if note not in before.caveats),
        ),
    )


def _describe(decision: Decision | None) -> str:
    return "no such preset" if decision is None else "; ".join(decision.why)
