"""A miss: why a claim found nothing ready, as facts and in words.

- The timeline shows every fact, and the words are made from facts alone.
- The facts account for a period that ends with the claim, and leave nothing out. Every prebuild that was good at its
  begin, or became good in it, was claimed, expired, outdated or deleted.
- They account for the target too: each missing prebuild is under way, or there is a reason why it is not.
- A fact at an instant holds after everything that happens at that instant.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import attrs

from prebuilds.decision.targets import TargetSource
from prebuilds.decision.wording import describe_count, describe_instant
from prebuilds.whatif.simulation.event_log import HoldReason
from prebuilds.whatif.simulation.lifetimes import LossReason
from prebuilds.whatif.views.rows import describe_about

_LOST = {
    LossReason.EXPIRED: "expired",
    LossReason.OUTDATED: "lost to the promotion",
    LossReason.DELETED: "deleted beyond the target",
}
_HELD = {HoldReason.BUDGET: "a budget is used up", HoldReason.SLOW_START: "starting slowly after a failure"}


@attrs.frozen(kw_only=True)
class TargetStep:
    """The target changed because a window opened or closed, or, if it is `by_demand`, for what was claimed.

    `first_ready_at` is when the first prebuild was ready that was begun since; None if the target fell.
    """

    at: datetime
    before: int
    after: int
    first_ready_at: datetime | None
    by_demand: bool = False


@attrs.frozen(kw_only=True)
class Lost:
    """How many good prebuilds were lost for one reason in a period, and when the last of them was."""

    reason: LossReason
    count: int
    last_at: datetime


@attrs.frozen(kw_only=True)
class Miss:
    """Why a claim found nothing ready: an account of the period after `since`, up to `at`.

    `had + became_ready` is the number of `lost` prebuilds. `under_way - spoken_for + unready + lacking` is at least the
    target.
    """

    preset_id: str
    claim: int
    """The place of the claim in the trace, from 0."""
    at: datetime
    empty_since: datetime
    since: datetime
    had: int
    """How many prebuilds were good at `since`."""
    became_ready: int
    claims: int
    """How many users claimed, including this one."""
    first_claim_at: datetime
    lost: tuple[Lost, ...]
    failed: int
    """How many builds failed."""
    failed_at: datetime | None
    """When the last of them failed."""
    target_steps: tuple[TargetStep, ...]
    promoted_at: tuple[datetime, ...]
    invalidated_at: tuple[datetime, ...]
    target: int
    target_source: TargetSource
    under_way: int
    """How many builds are under way, including those for waiting users."""
    spoken_for: int
    """How many of them are for waiting users."""
    unready: int
    """How many prebuilds take a place although they never become ready."""
    first_ready_at: datetime | None
    """When the first build under way that does not fail is ready."""
    lead_time: timedelta | None
    """How long that build takes from its creation."""
    lacking: int
    """How many prebuilds are missing and not even under way."""
    held_by: HoldReason | None
    """Why the loop creates nothing; None if it may create."""
    held_since: datetime | None
    held_until: datetime | None
    """The last instant of a backoff."""
    num_failed: int
    """How many failed builds the backoff is for."""
    next_round_at: datetime | None
    """When the loop wakes next; None if it wakes at once, or not again before the end."""

    def __str__(self) -> str:
        return "; ".join([self._describe_emptiness(), *self._describe_changes(), *self._describe_supply()])

    def _describe_emptiness(self) -> str:
        span = f" in {describe_about(self.at - self.first_claim_at)}" if self.claims > 1 else ""
        lead = f", lead time {describe_about(self.lead_time)}" if self.lead_time is not None else ""
        return (
            f"{self.preset_id}, {describe_instant(self.at)}: pool empty since {self._show(self.empty_since)}: "
            f"{describe_count(self.claims, 'claim')}{span}, target {self.target}{lead}"
        )

    def _describe_changes(self) -> Iterator[str]:
        for step in self.target_steps:
            verb = "raised" if step.after > step.before else "lowered"
            ready = f", first ready at {self._show(step.first_ready_at)}" if step.first_ready_at else ""
            cause = "demand" if step.by_demand else "window"
            yield f"{cause} {verb} the target from {step.before} to {step.after} at {self._show(step.at)}{ready}"
        for at in self.promoted_at:
            yield f"template promoted at {self._show(at)}"
        for at in self.invalidated_at:
            yield f"prebuilds invalidated at {self._show(at)}"
        for lost in self.lost:
            if lost.reason in _LOST:
                yield f"{lost.count} {_LOST[lost.reason]}{self._describe_last(lost.count, lost.last_at)}"
        if self.failed_at:
            yield f"{describe_count(self.failed, 'build')} failed{self._describe_last(self.failed, self.failed_at)}"

    def _describe_last(self, count: int, at: datetime) -> str:
        return f" at {self._show(at)}" if count == 1 else f", the last at {self._show(at)}"

    def _describe_supply(self) -> Iterator[str]:
        if self.under_way:
            ready = f"the first ready at {self._show(self.first_ready_at)}" if self.first_ready_at else "none succeeds"
            yield f"{self.under_way} under way, {ready}"
        if self.spoken_for:
            yield f"{describe_count(self.spoken_for, 'user')} waiting"
        if self.unready:
            yield f"{self.unready} running but never ready"
        if not self.target:
            source = {
                TargetSource.INACTIVE: "the preset is inactive",
                TargetSource.SCHEDULE: "a window wants none",
                TargetSource.DEMAND: "too few claims were expected",
            }
            yield source.get(self.target_source, "the preset wants none")
        elif self.lacking:
            yield f"{self.lacking} not begun: {self._describe_lack()}"

    def _describe_lack(self) -> str:
        if self.held_by is HoldReason.HARD_LIMITED and self.held_since:
            return f"hard-limited since {self._show(self.held_since)}"
        if self.held_until:
            failures = describe_count(self.num_failed, "failed build")
            return f"backing off until {self._show(self.held_until)} after {failures}"
        if self.held_by in _HELD and self.held_since:
            return f"{_HELD[self.held_by]} since {self._show(self.held_since)}"
        if self.next_round_at:
            return f"the loop wakes next at {self._show(self.next_round_at)}"
        return "the loop wakes no more before the end"

    def _show(self, instant: datetime) -> str:
        """The time of day, with the date if it differs from that of the claim."""
        text = describe_instant(instant).removesuffix(" UTC")
        return text.partition(" ")[2] if instant.date() == self.at.date() else text
