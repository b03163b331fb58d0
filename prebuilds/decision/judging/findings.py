"""Findings: settings that are valid but cannot work.

- A finding is a fact that a simulation of the same settings shows, and never a matter of taste.
- An error does harm whatever the claims are. A warning does harm at times, or is probably not what was meant.
"""

from __future__ import annotations

from datetime import timedelta
from enum import Enum

import attrs

from prebuilds.decision.fields import instance_of, member_of
from prebuilds.decision.models import Preset
from prebuilds.decision.policies.budgets import Budget

FindingValue = int | float | timedelta


class Severity(Enum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"


class FindingKind(Enum):
    """What is wrong."""

    TTL_TOO_SHORT = "ttl_too_short"
    """Prebuilds expire before they are ready."""
    BUILD_DEADLINE_TOO_SHORT = "build_deadline_too_short"
    """Every start is given up."""
    REFRESH_AHEAD_TOO_SHORT = "refresh_ahead_too_short"
    """Prebuilds expire before their replacements are ready."""
    REFRESH_AHEAD_TOO_LONG = "refresh_ahead_too_long"
    """Prebuilds are being replaced as soon as they are ready."""
    REFRESH_HAS_NO_ROOM = "refresh_has_no_room"
    """No prebuild is ever replaced ahead, as a `max_surge` of 0 or a budget leaves no room for it."""
    NEVER_SHRINKS = "never_shrinks"
    """The windows cover the whole week with one count, and the preset's own, smaller count never applies."""
    OPENS_EMPTY = "opens_empty"
    """No prebuild is ready when the target rises from 0."""
    BUDGET_BELOW_FLOORS = "budget_below_floors"
    """A budget allows fewer prebuilds than its presets want at all times."""
    BUDGET_CREATES_NOTHING = "budget_creates_nothing"
    """A limit of 0 on creates, while presets want prebuilds."""
    BUDGET_TOO_SLOW = "budget_too_slow"
    """A budget allows fewer creates than the ttls alone need."""
    BUDGET_TOO_SLOW_FOR_CLAIMS = "budget_too_slow_for_claims"
    """A budget allows fewer creates than the claims need."""
    TARGET_TOO_SMALL = "target_too_small"
    """Too many claims find nothing ready, as the target cannot keep up with them."""
    EMPTY_WHEN_CLAIMED = "empty_when_claimed"
    """Too many claims come while the target is 0."""

    @property
    def severity(self) -> Severity:
        return Severity.WARNING if self in _WARNINGS else Severity.ERROR


_WARNINGS = frozenset({FindingKind.REFRESH_HAS_NO_ROOM, FindingKind.NEVER_SHRINKS, FindingKind.OPENS_EMPTY})


@attrs.frozen(kw_only=True)
class Finding:
    """A setting that cannot work.

    It concerns a preset, or a budget by its name; the other of the two is empty. `setting` is the field at fault, such
    as `ttl` or `schedules[0].lead`. `given` is its value, or what comes of it, and `needed` is the bound that it must
    reach; `message` says which way, and what to do.
    """

    kind: FindingKind = attrs.field(validator=member_of(FindingKind))
    preset_id: str = attrs.field(default="", validator=instance_of(str))
    budget: str = attrs.field(default="", validator=instance_of(str))
    setting: str = attrs.field(validator=instance_of(str))
    given: FindingValue
    needed: FindingValue
    message: str = attrs.field(validator=instance_of(str))

    @property
    def severity(self) -> Severity:
        return self.kind.severity

    def __str__(self) -> str:
        whose = f"preset {self.preset_id}" if self.preset_id else f"budget {self.budget}"
        return f"{self.severity.value}: {whose}: {self.setting}: {self.message}"


def find_in(
    owner: Preset | Budget, setting: str, kind: FindingKind, values: tuple[FindingValue, FindingValue], message: str
) -> Finding:
    """A finding about a preset or a budget. `values` are what is given, and what is needed."""
    given, needed = values
    preset_id, budget = (owner.id, "") if isinstance(owner, Preset) else ("", owner.name)
    return Finding(
        kind=kind, preset_id=preset_id, budget=budget, setting=setting, given=given, needed=needed, message=message
    )
