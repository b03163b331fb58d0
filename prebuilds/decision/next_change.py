"""The next change: when a decision could differ without new data (R12). A host can sleep until then.

- Only time passes: a prebuild outlives its ttl, an invalidation takes effect, a backoff ends, a window opens or closes,
  a probe is due, a deadline passes, a budget refills, a prebuild begins to age, or what is claimed
  at this hour changes the target.
- The instant is the first at which the cause applies, to the microsecond: a prebuild exactly as old as its ttl is still
  good, and a backoff still applies at its last instant.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum

import attrs

from prebuilds.decision.fields import INSTANT, LAST_NOW, instance_of, member_of
from prebuilds.decision.lifetimes.aging import find_first_end
from prebuilds.decision.lifetimes.deadlines import list_build_deadlines, list_ready_deadlines
from prebuilds.decision.models import Prebuild
from prebuilds.decision.policies.policy import Policy
from prebuilds.decision.policies.waiting import calculate_backoff_until, calculate_probe_at
from prebuilds.decision.presets import PresetSnapshot
from prebuilds.decision.state import count_missing
from prebuilds.decision.targets import find_next_demand_change, find_next_target_change

_RESOLUTION = datetime.resolution


class ChangeCause(Enum):
    """Why a decision could differ from some instant on."""

    EXPIRY = "expiry"
    INVALIDATION = "invalidation"
    BACKOFF_END = "backoff_end"
    WINDOW_EDGE = "window_edge"
    PROBE = "probe"
    READY_DEADLINE = "ready_deadline"
    BUILD_DEADLINE = "build_deadline"
    BUDGET_REFILL = "budget_refill"
    AGING = "aging"
    DEMAND = "demand"


@attrs.frozen(kw_only=True)
class Change:
    """When a decision could differ, and why; `subject` is the id of the prebuild or preset that causes it."""

    at: datetime = attrs.field(validator=INSTANT)
    cause: ChangeCause = attrs.field(validator=member_of(ChangeCause))
    subject: str = attrs.field(validator=instance_of(str))


def find_next_change(snapshot: PresetSnapshot, policy: Policy, *, refill_at: datetime | None = None) -> Change | None:
    """The earliest instant after `snapshot.now` at which the decision could differ without new data (R12).

    `refill_at` is when time alone adds to a budget that the preset draws from.
    """
    # If several fall on the same instant, the first in this order is given.
    changes = (
        _find_expiry(snapshot),
        _find_invalidation(snapshot),
        _find_backoff_end(snapshot, policy),
        _find_window_edge(snapshot),
        _find_probe(snapshot, policy),
        _find_ready_deadline(snapshot),
        _find_build_deadline(snapshot),
        _find_refill(snapshot, refill_at),
        _find_aging(snapshot),
        _find_demand(snapshot),
    )
    return min(filter(None, changes), key=_get_at, default=None)


def _get_at(change: Change) -> datetime:
    return change.at


def _make(at: datetime | None, cause: ChangeCause, subject: str) -> Change | None:
    """The change at this instant, if there is one that a decision can be asked for."""
    return Change(at=at, cause=cause, subject=subject) if at is not None and at <= LAST_NOW else None


def _find_expiry(snapshot: PresetSnapshot) -> Change | None:
    rows = (*snapshot.running, *snapshot.stuck) if snapshot.preset.ttl_jitter else _list_oldest(snapshot)
    first = find_first_end(snapshot.preset, rows)
    return _make(_add(first[0], first[1] + _RESOLUTION), ChangeCause.EXPIRY, first[2]) if first else None


def _find_invalidation(snapshot: PresetSnapshot) -> Change | None:
    """A future invalidation, if there is a prebuild that it will expire."""
    at = snapshot.preset.last_invalidated_at
    if at is None or at <= snapshot.now:
        return None
    expires = any(prebuild.created_at < at for prebuild in _list_oldest(snapshot))
    return _make(at, ChangeCause.INVALIDATION, snapshot.preset.id) if expires else None


def _find_backoff_end(snapshot: PresetSnapshot, policy: Policy) -> Change | None:
    until = calculate_backoff_until(snapshot, policy) if snapshot.preset.is_wanted else None
    return _make(_add(until, _RESOLUTION), ChangeCause.BACKOFF_END, snapshot.preset.id) if until else None


def _find_window_edge(snapshot: PresetSnapshot) -> Change | None:
    return _make(find_next_target_change(snapshot.preset, snapshot.now), ChangeCause.WINDOW_EDGE, snapshot.preset.id)


def _find_probe(snapshot: PresetSnapshot, policy: Policy) -> Change | None:
    """When a hard-limited preset may try a create, if it wants one."""
    at = calculate_probe_at(snapshot, policy) if snapshot.preset.is_wanted else None
    if at is None or at <= snapshot.now or not count_missing(snapshot):
        return None
    return _make(at, ChangeCause.PROBE, snapshot.preset.id)


def _find_refill(snapshot: PresetSnapshot, refill_at: datetime | None) -> Change | None:
    return _make(refill_at, ChangeCause.BUDGET_REFILL, snapshot.preset.id)


def _list_oldest(snapshot: PresetSnapshot) -> Sequence[Prebuild]:
    """The oldest good prebuild and the oldest stuck one: one of them is the oldest that has not expired."""
    return (*snapshot.running[:1], *snapshot.stuck[:1])


def _find_aging(snapshot: PresetSnapshot) -> Change | None:
    """When the next prebuild is aging, so that it must be replaced."""
    preset, ahead = snapshot.preset, snapshot.preset.refresh_ahead
    if ahead is None or not preset.is_wanted:
        return None
    aging = {prebuild.id for prebuild in snapshot.aging}
    young = [prebuild for prebuild in snapshot.running if prebuild.id not in aging]
    first = find_first_end(preset, young if preset.ttl_jitter else young[:1])
    return _make(_add(first[0], first[1] - ahead), ChangeCause.AGING, first[2]) if first else None


def _find_demand(snapshot: PresetSnapshot) -> Change | None:
    """When the target may follow the hour of the week, what was claimed lately, or the end of a hold."""
    preset = snapshot.preset
    if preset.autoscale is None:
        return None
    return _make(find_next_demand_change(preset, snapshot.demand, snapshot.now), ChangeCause.DEMAND, preset.id)


def _find_ready_deadline(snapshot: PresetSnapshot) -> Change | None:
    deadline = snapshot.preset.ready_deadline
    if deadline is None:
        return None
    first = min(list_ready_deadlines(snapshot.preset, snapshot.running), default=None)
    return _make(_add(first[0], deadline), ChangeCause.READY_DEADLINE, first[1]) if first else None


def _find_build_deadline(snapshot: PresetSnapshot) -> Change | None:
    preset, deadline = snapshot.preset, snapshot.preset.build_deadline
    if deadline is None:
        return None
    began_at = min(list_build_deadlines(preset, snapshot.in_progress, snapshot.now), default=None)
    return _make(_add(began_at, deadline), ChangeCause.BUILD_DEADLINE, preset.id) if began_at else None


def _add(instant: datetime, duration: timedelta) -> datetime | None:
    """The sum; None if it is too late for any decision, so that it never comes."""
    return instant + duration if duration <= LAST_NOW - instant else None
