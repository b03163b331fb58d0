"""With every policy off, plans are those of version 0.1: compared with its rules R1 to R11, written down once more."""

from __future__ import annotations

from datetime import datetime

import attrs
from hypothesis import given
from hypothesis import strategies as st

from prebuilds import FailureClass, GlobalSnapshot, Policy, Prebuild, Preset, Transition, calculate_target, plan
from prebuilds.decision.presets import is_outdated
from prebuilds.testing import strategies

Actions = list[tuple[str, object]]
OFF = {
    field.name: field.default
    for field in attrs.fields(Preset)
    if field.name in ("ready_deadline", "build_deadline", "ttl_jitter", "refresh_ahead", "max_surge", "autoscale")
}


def decide(snapshot: GlobalSnapshot, preset: Preset, now: datetime, policy: Policy) -> Actions:
    """What version 0.1 decides for one preset, withheld or not."""
    rows = sorted(
        (row for row in snapshot.running if row.preset_id == preset.id), key=lambda row: (row.created_at, row.id)
    )
    if not preset.is_active:
        pending = sum(row.count for row in snapshot.pending if row.preset_id == preset.id)
        return [("cancel", None)] * bool(pending) + [("delete", [row.id for row in rows])] * bool(rows)
    for backoff in snapshot.backoffs:
        if backoff.preset_id == preset.id and backoff.num_failed:
            until = backoff.last_build_at + backoff.num_failed * policy.backoff_interval
            if now <= until:
                return [("backoff", until)]
    expired = [row.id for row in rows if has_expired(preset, row, now)]
    good = [row.id for row in rows if row.id not in expired]
    desired = calculate_target(preset, now=now).desired
    starts = (row for row in snapshot.in_progress if row.transition is Transition.START)
    starting = sum(row.count for row in starts if row.preset_id == preset.id)
    extraneous, missing = good[: max(len(good) - desired, 0)], max(desired - len(good) - starting, 0)
    deletes: Actions = [("delete", names) for names in (expired, extraneous) if names]
    return [*deletes, *([("create", missing)] if missing else [])]


def has_expired(preset: Preset, row: Prebuild, now: datetime) -> bool:
    invalidated = preset.last_invalidated_at
    is_invalidated = invalidated is not None and row.created_at < invalidated <= now
    is_old = bool(preset.ttl) and preset.ttl is not None and now - row.created_at > preset.ttl
    return is_invalidated or is_old or is_outdated(preset, row)


def turn_off(preset: Preset) -> Preset:
    """The preset as version 0.1 has it."""
    version = attrs.evolve(preset.template_version, is_candidate=False)
    return attrs.evolve(preset, template_version=version, **OFF)


@given(st.data())
def test_with_all_policies_off_plans_are_those_of_version_01(data: st.DataObject) -> None:
    """Whatever else the rows tell: when a start ended, when builds began, why they failed, what was limited."""
    now = data.draw(strategies.instants())
    snapshot = data.draw(strategies.global_snapshots(now=now))
    snapshot = attrs.evolve(
        snapshot,
        presets=[turn_off(preset) for preset in snapshot.presets],
        in_progress=[attrs.evolve(row, overdue=0) for row in snapshot.in_progress],
        backoffs=[attrs.evolve(row, failure=FailureClass.TRANSIENT) for row in snapshot.backoffs],
    )
    policy = Policy(backoff_interval=data.draw(strategies.policies()).backoff_interval)
    for preset, decision in zip(snapshot.presets, plan(snapshot, now=now, policy=policy), strict=True):
        found: Actions = []
        creates = 0
        for action in (*decision.actions, *(entry.action for entry in decision.withheld)):
            creates += action.create
            if action.delete_ids:
                found.append(("delete", list(action.delete_ids)))
            elif action.backoff_until:
                found.append(("backoff", action.backoff_until))
            elif not action.create:
                found.append(("cancel", None))
        assert [*found, *([("create", creates)] if creates else [])] == decide(snapshot, preset, now, policy)
        assert (decision.state.stuck, decision.state.overdue, decision.state.aging) == (0, 0, 0)
