"""The state of a preset: counts for people, logs and metrics (R6). No decision depends on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from prebuilds.decision.fields import AMOUNT, TOTAL, instance_of, member_of, optional
from prebuilds.decision.lifetimes.deadlines import count_overdue
from prebuilds.decision.lifetimes.victims import calculate_surplus, limit_surge
from prebuilds.decision.models import InProgress, Prebuild, Transition
from prebuilds.decision.presets import PresetSnapshot
from prebuilds.decision.targets import TargetSource, get_demand
from prebuilds.decision.unchecked import make_factory


@attrs.frozen(kw_only=True)
class ReconciliationState:
    """How many prebuilds a preset has, should have, and has in progress.

    `actual` counts all running prebuilds but the stuck ones, `expired` the expired ones, `eligible` those that a user
    could have now, or after the promotion of a candidate (R17), and `extraneous` the unexpired ones that go, as they
    are beyond `desired` or replaced. `starting` counts the starts but the overdue ones. `stuck` and `overdue` count
    those (R14), and `aging` the good ones that are replaced ahead (R16). `target_source` and `target_error` say where
    `desired` comes from.

    `delete_above` is what unexpired prebuilds may be there before they go, if that is more than `desired`. For a preset
    with an `autoscale`, `demand` is what the claims alone ask for, whether it acts or not, `expected_claims` how many
    are expected in the next lead time, and `price` the claims per idle hour that a prebuild must be worth (R21). These
    three move all the time, so they are not compared.
    """

    actual: int = attrs.field(validator=TOTAL)
    expired: int = attrs.field(validator=TOTAL)
    desired: int = attrs.field(validator=TOTAL)
    eligible: int = attrs.field(validator=TOTAL)
    extraneous: int = attrs.field(validator=TOTAL)
    starting: int = attrs.field(validator=TOTAL)
    stopping: int = attrs.field(validator=TOTAL)
    deleting: int = attrs.field(validator=TOTAL)
    target_source: TargetSource = attrs.field(validator=member_of(TargetSource))
    target_error: str | None = attrs.field(default=None, validator=optional(instance_of(str)))
    stuck: int = attrs.field(default=0, validator=TOTAL)
    overdue: int = attrs.field(default=0, validator=TOTAL)
    aging: int = attrs.field(default=0, validator=TOTAL)
    delete_above: int | None = attrs.field(default=None, validator=optional(TOTAL))
    demand: int | None = attrs.field(default=None, validator=optional(TOTAL), eq=False)
    expected_claims: float | None = attrs.field(default=None, validator=optional(AMOUNT), eq=False)
    price: float | None = attrs.field(default=None, validator=optional(AMOUNT), eq=False)


_COUNTS = ("actual", "expired", "desired", "eligible", "extraneous", "starting", "stopping", "deleting")
_LATER_COUNTS = ("stuck", "overdue", "aging", "delete_above", "demand", "expected_claims", "price")
_make_state = make_factory(ReconciliationState, (*_COUNTS, "target_source", "target_error", *_LATER_COUNTS))


def calculate_state(snapshot: PresetSnapshot) -> ReconciliationState:
    """The counts of one preset at one instant (R6)."""
    is_wanted, target = snapshot.preset.is_wanted, snapshot.target
    return _make_state(
        len(snapshot.running) + len(snapshot.expired),
        len(snapshot.expired),
        target.desired,
        count_eligible(snapshot.running) if is_wanted else 0,
        count_extraneous(snapshot) if is_wanted else 0,
        count_starting(snapshot),
        count_in_progress(snapshot.in_progress, Transition.STOP),
        count_in_progress(snapshot.in_progress, Transition.DELETE),
        target.source,
        target.error,
        len(snapshot.stuck),
        count_overdue(snapshot.preset, snapshot.in_progress, snapshot.now),
        len(snapshot.aging),
        target.delete_above if target.delete_above > target.desired else None,
        *_list_demand(snapshot),
    )


def _list_demand(snapshot: PresetSnapshot) -> tuple[int | None, float | None, float | None]:
    """What the claims ask for, how many are expected, and the price; None if nothing is known of them."""
    known = get_demand(snapshot.preset, snapshot.demand)
    look = known.look(snapshot.now) if known else None
    return (look.wanted, look.expected, look.price) if look else (None, None, None)


def count_eligible(running: Iterable[Prebuild]) -> int:
    """How many of these unexpired prebuilds a user could have now."""
    return sum([prebuild.ready for prebuild in running])


def is_filled(snapshot: PresetSnapshot) -> bool:
    """Whether the pool is full: as many prebuilds are ready as the target asks for. That of an inactive preset is not.

    If the preset is a candidate, promoting its version now finds the pool full (R17).
    """
    return snapshot.preset.is_wanted and count_eligible(snapshot.running) >= snapshot.target.desired


def count_extraneous(snapshot: PresetSnapshot) -> int:
    """How many unexpired prebuilds there are beyond the target, without aging ones that wait for a replacement."""
    surplus = calculate_surplus(snapshot)
    return surplus.replaced + surplus.beyond


def count_missing(snapshot: PresetSnapshot) -> int:
    """How many prebuilds are missing from the target, and how many more are needed to replace aging ones.

    Those that are starting count as present.
    """
    return max(_count_needed_starts(snapshot) - count_starting(snapshot), 0)


def count_surplus_starts(snapshot: PresetSnapshot) -> int:
    """How many starts are under way beyond those that are needed, or held, beside what runs."""
    held = snapshot.target.delete_above - snapshot.target.desired
    return max(count_starting(snapshot) - max(_count_needed_starts(snapshot) + held, 0), 0)


def _count_needed_starts(snapshot: PresetSnapshot) -> int:
    """How many starts the target and the replacements of aging prebuilds need; negative if too many run."""
    surge = limit_surge(snapshot, len(snapshot.aging)) if snapshot.aging else 0
    return snapshot.target.desired - len(snapshot.running) + surge


def count_surge_room(snapshot: PresetSnapshot) -> int | None:
    """How many prebuilds may be added within `max_surge` above the target; None if nothing bounds them (R18)."""
    most = snapshot.preset.max_surge
    return None if most is None else max(snapshot.target.desired + most - count_instances(snapshot), 0)


def count_instances(snapshot: PresetSnapshot) -> int:
    """How many prebuilds there are: running, starting, stopping or being deleted."""
    running = len(snapshot.running) + len(snapshot.expired) + len(snapshot.stuck)
    return running + sum([row.count for row in snapshot.in_progress]) if snapshot.in_progress else running


def count_starting(snapshot: PresetSnapshot) -> int:
    """How many prebuilds are starting and fill a place: all but the overdue ones."""
    rows = snapshot.in_progress
    if not rows:
        return 0
    return count_in_progress(rows, Transition.START) - count_overdue(snapshot.preset, rows, snapshot.now)


def count_in_progress(rows: Sequence[InProgress], transition: Transition) -> int:
    """How many prebuilds are going through this transition."""
    return sum([row.count for row in rows if row.transition is transition]) if rows else 0
