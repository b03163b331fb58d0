"""Actions: what to do for one preset at one instant (R7 to R10).

- An action says what to do, not why. Counts are in the state, reasons in `explain`.
- Each rule is one small function, which returns no action or one. `calculate_actions` puts them in order.
- Prebuilds are picked oldest first by (created_at, id). The same rows in any order give the same actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from functools import lru_cache

import attrs

from prebuilds.decision.fields import COUNT, DISTINCT_IDS, INSTANT, member_of, optional, to_tuple, to_utc
from prebuilds.decision.lifetimes.victims import select_victims
from prebuilds.decision.models import Prebuild
from prebuilds.decision.policies.policy import Policy
from prebuilds.decision.policies.waiting import calculate_backoff_until, lacks_capacity
from prebuilds.decision.presets import PresetSnapshot, rank_by_age
from prebuilds.decision.state import count_missing, count_surplus_starts
from prebuilds.decision.unchecked import make_factory
from prebuilds.errors import InvalidValueError


class ActionType(Enum):
    """What an action does."""

    CREATE = "create"
    DELETE = "delete"
    BACKOFF = "backoff"
    CANCEL_PENDING = "cancel_pending"


_PAYLOADS = ("create", "delete_ids", "backoff_until")
_NEEDED = {
    ActionType.CREATE: (True, False, False),
    ActionType.DELETE: (False, True, False),
    ActionType.BACKOFF: (False, False, True),
    ActionType.CANCEL_PENDING: (False, False, False),
}


@attrs.frozen(kw_only=True)
class ReconciliationActions:
    """One thing to do for a preset, with the values that its type needs and no others.

    CREATE makes `create` prebuilds. DELETE deletes those of `delete_ids`, in this order. BACKOFF does nothing up to and
    including `backoff_until`. CANCEL_PENDING cancels the newest `cancel` of the pending jobs, or all if that is 0.
    """

    type: ActionType = attrs.field(validator=member_of(ActionType))
    create: int = attrs.field(default=0, validator=COUNT)
    delete_ids: tuple[str, ...] = attrs.field(default=(), converter=to_tuple, validator=DISTINCT_IDS)
    backoff_until: datetime | None = attrs.field(default=None, converter=to_utc, validator=optional(INSTANT))
    cancel: int = attrs.field(default=0, validator=COUNT)

    def __attrs_post_init__(self) -> None:
        payloads = (self.create, self.delete_ids, self.backoff_until)
        given, needed = tuple(map(bool, payloads)), _NEEDED[self.type]
        if given != needed:
            index = next(index for index in range(len(needed)) if given[index] != needed[index])
            allowed = f"{'given' if needed[index] else 'left out'} with the type {self.type.name}"
            raise InvalidValueError("ReconciliationActions", _PAYLOADS[index], payloads[index], allowed)
        if self.cancel and self.type is not ActionType.CANCEL_PENDING:
            allowed = f"left out with the type {self.type.name}"
            raise InvalidValueError("ReconciliationActions", "cancel", self.cancel, allowed)


_make_actions = make_factory(ReconciliationActions, ("type", "create", "delete_ids", "backoff_until", "cancel"))
Actions = tuple[ReconciliationActions, ...]


def calculate_actions(snapshot: PresetSnapshot, policy: Policy) -> Actions:
    """What to do for one preset, in order (R7 to R9, R18)."""
    if not snapshot.preset.is_wanted:
        return (*cancel_pending(snapshot), *delete_everything(snapshot))
    backoff = back_off(snapshot, policy)
    return backoff or (
        *delete_expired(snapshot),
        *delete_stuck(snapshot),
        *delete_extraneous(snapshot, policy),
        *cancel_surplus(snapshot, policy),
        *create_missing(snapshot),
    )


def can_skip_reconciliation(snapshot: PresetSnapshot) -> bool:
    """Whether there is clearly nothing to do: the preset is inactive and has nothing left to clean up."""
    rows = snapshot.running or snapshot.expired or snapshot.stuck
    return not (snapshot.preset.is_wanted or rows or snapshot.pending)


def cancel_pending(snapshot: PresetSnapshot) -> Actions:
    """Cancel the jobs that have not started, if there are any."""
    return (ReconciliationActions(type=ActionType.CANCEL_PENDING),) if snapshot.pending else ()


def cancel_surplus(snapshot: PresetSnapshot, policy: Policy) -> Actions:
    """Cancel the starts that have not begun and are wanted no more, if the policy says so (R18)."""
    if not policy.cancel_surplus or not snapshot.pending:
        return ()
    count = min(snapshot.pending, count_surplus_starts(snapshot))
    return (ReconciliationActions(type=ActionType.CANCEL_PENDING, cancel=count),) if count else ()


def delete_everything(snapshot: PresetSnapshot) -> Actions:
    """Delete every prebuild, expired or not."""
    return _delete(sorted((*snapshot.expired, *snapshot.stuck, *snapshot.running), key=rank_by_age))


def delete_expired(snapshot: PresetSnapshot) -> Actions:
    """Delete the expired prebuilds."""
    return _delete(snapshot.expired)


def delete_stuck(snapshot: PresetSnapshot) -> Actions:
    """Delete the prebuilds that should have been ready by now (R14)."""
    return _delete(snapshot.stuck)


def delete_extraneous(snapshot: PresetSnapshot, policy: Policy) -> Actions:
    """Delete the unexpired prebuilds beyond the target, in the policy's order, and the aging ones that are replaced."""
    return _delete(select_victims(snapshot, policy.victims))


def create_missing(snapshot: PresetSnapshot) -> Actions:
    """Create the missing prebuilds."""
    count = count_missing(snapshot)
    return (make_create(count),) if count else ()


def back_off(snapshot: PresetSnapshot, policy: Policy) -> Actions:
    """Do nothing until the backoff ends, if there is one (R8). A lack of capacity holds creates alone (R19)."""
    until = None if lacks_capacity(snapshot) else calculate_backoff_until(snapshot, policy)
    return (ReconciliationActions(type=ActionType.BACKOFF, backoff_until=until),) if until else ()


def _delete(prebuilds: Sequence[Prebuild]) -> Actions:
    if not prebuilds:
        return ()
    return (_make_actions(ActionType.DELETE, 0, tuple([prebuild.id for prebuild in prebuilds]), None, 0),)


@lru_cache(maxsize=2**10)
def make_create(count: int) -> ReconciliationActions:
    """The action that creates so many prebuilds."""
    return ReconciliationActions(type=ActionType.CREATE, create=count)
