"""Budgets: how many prebuilds a fleet, an organisation or a template may create, and what uses them up (R18).

- A budget bounds creates and never deletes. What users build themselves comes first: prebuilds get what is left.
- Limits of one budget are independent; the tightest counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum

import attrs

from prebuilds.decision.fields import COUNT, ID, INSTANT, POSITIVE, TEXT, member_of, optional, to_utc
from prebuilds.errors import InvalidValueError

MINUTE = timedelta(minutes=1)
LIMITS = ("max_starting", "max_creates_per_pass", "max_creates_per_minute", "max_instances")


class BudgetScope(Enum):
    """Whose prebuilds a budget counts."""

    FLEET = "fleet"
    """All of them."""
    ORGANIZATION = "organization"
    """Those of the organisation whose id is the budget's key."""
    TEMPLATE = "template"
    """Those of the template whose id is the budget's key."""


def name_budget(scope: BudgetScope, key: str) -> str:
    """The name of the budget with this scope and key."""
    return f"{scope.value} {key}" if key else scope.value


@attrs.frozen(kw_only=True)
class Budget:
    """Limits on the creates of a scope. None means no limit; at least one is given.

    `max_starting` bounds the starts under way, `max_creates_per_pass` what one plan creates, `max_creates_per_minute`
    the starts begun in any minute, and `max_instances` all that is there: running, starting, stopping or being deleted.
    `key` is the id of the organisation or the template.
    """

    scope: BudgetScope = attrs.field(default=BudgetScope.FLEET, validator=member_of(BudgetScope))
    key: str = attrs.field(default="", validator=TEXT)
    max_starting: int | None = attrs.field(default=None, validator=optional(COUNT))
    max_creates_per_pass: int | None = attrs.field(default=None, validator=optional(POSITIVE))
    max_creates_per_minute: int | None = attrs.field(default=None, validator=optional(COUNT))
    max_instances: int | None = attrs.field(default=None, validator=optional(COUNT))

    def __attrs_post_init__(self) -> None:
        if (self.scope is BudgetScope.FLEET) is not (self.key == ""):
            allowed = "left out with the scope fleet" if self.key else f"the id of one {self.scope.value}"
            raise InvalidValueError("Budget", "key", self.key, allowed)
        if all(getattr(self, limit) is None for limit in LIMITS):
            raise InvalidValueError("Budget", LIMITS[0], None, f"given, or another of {', '.join(LIMITS[1:])}")

    @property
    def name(self) -> str:
        """`fleet`, or the scope and the key: `template t-web`."""
        return name_budget(self.scope, self.key)

    def has(self, organization_id: str, template_id: str) -> bool:
        """Whether the budget counts what belongs to this organisation and this template."""
        if self.scope is BudgetScope.FLEET:
            return True
        return self.key == (template_id if self.scope is BudgetScope.TEMPLATE else organization_id)


def combine_budgets(own: Sequence[Budget], stored: Sequence[Budget]) -> tuple[Budget, ...]:
    """The budgets of a policy, then those of a store by name. One of the store replaces the policy's of its name."""
    return tuple({budget.name: budget for budget in (*own, *sorted(stored, key=_get_name))}.values())


def _get_name(budget: Budget) -> str:
    return budget.name


@attrs.frozen(kw_only=True)
class Foreground:
    """What users build themselves with a template: how many starts are under way, and how many workspaces there are."""

    organization_id: str = attrs.field(default="", validator=TEXT)
    template_id: str = attrs.field(default="", validator=TEXT)
    starting: int = attrs.field(default=0, validator=COUNT)
    instances: int = attrs.field(default=0, validator=COUNT)


@attrs.frozen(kw_only=True)
class RecentStarts:
    """Starts of a preset's prebuilds that were begun at one instant, whatever became of them."""

    preset_id: str = attrs.field(validator=ID)
    begun_at: datetime = attrs.field(converter=to_utc, validator=INSTANT)
    count: int = attrs.field(validator=COUNT)
