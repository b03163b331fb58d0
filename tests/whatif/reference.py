"""A simulation as one would write it without a thought for speed, to hold the engine against.

At every round it makes a whole `GlobalSnapshot`, checked in every field, of all presets and all builds that ever were,
and calls `plan`. It wakes at a plan's own `next_change_at`, and at the deadline of each start. It knows nothing of the
engine but how long builds take.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import attrs

from prebuilds import (
    ActionType,
    Build,
    BuildStatus,
    Decision,
    GlobalSnapshot,
    InProgress,
    Prebuild,
    Preset,
    RecentStarts,
    Transition,
    WithheldReason,
    calculate_backoffs,
    calculate_hard_limited,
    calculate_target,
    plan,
)
from prebuilds.whatif import OnMiss
from prebuilds.whatif.simulation.draws import BuildSampler, Mishap

from .scenarios import MINUTE, Case

NEVER = datetime(2999, 1, 1, tzinfo=timezone.utc)


class Item:
    """A build, and the prebuild that it becomes."""

    def __init__(
        self, number: int, preset: Preset, created_at: datetime, ends_at: datetime, mishap: Mishap | None
    ) -> None:
        self.number, self.preset_id, self.created_at = number, preset.id, created_at
        self.ends_at = NEVER if mishap is Mishap.HANGS else ends_at
        self.mishap, self.state = mishap, "starting"
        self.id = f"{preset.id}-1{number:09}"

    def make_prebuild(self) -> Prebuild:
        return Prebuild(
            id=self.id,
            preset_id=self.preset_id,
            created_at=self.created_at,
            ready=self.mishap is None,
            started_at=self.ends_at,
        )

    def make_build(self, *, failed_at: datetime | None = None) -> Build:
        is_failed = self.mishap is Mishap.FAILS or failed_at is not None
        return Build(
            id=self.id,
            preset_id=self.preset_id,
            status=BuildStatus.FAILED if is_failed else BuildStatus.SUCCEEDED,
            created_at=self.created_at,
            finished_at=failed_at or self.ends_at,
        )


def list_invalidations(case: Case) -> list[datetime]:
    """Those of the scenario, and the one that the preset knows of, if it is to come and no other takes its place."""
    (preset,), instants = case.scenario.fleet.presets, [one.at for one in case.scenario.invalidations]
    at = preset.last_invalidated_at
    is_own = at is not None and case.trace.begin < at < min([*instants, case.trace.end + timedelta(days=1)])
    return sorted([*instants, *([at] if at and is_own else [])])


def set_stage(preset: Preset, *, is_active: bool = True, is_candidate: bool = False) -> Preset:
    version = attrs.evolve(preset.template_version, is_active=is_active, is_candidate=is_candidate)
    return attrs.evolve(preset, template_version=version)


class Reference:
    """The simulation of a case of one preset that begins full."""

    def __init__(self, case: Case) -> None:
        self.scenario, (preset,) = case.scenario, case.scenario.fleet.presets
        self.begin, self.end, self.claims = case.trace.begin, case.trace.end, list(case.trace)
        promotions = sorted(self.scenario.promotions, key=lambda promotion: promotion.at)
        stages = [(one.staged_at, self.stage) if one.staged_at else None for one in promotions]
        pairs = zip(stages, [(one.at, self.promote) for one in promotions], strict=True)
        promoted = [event for pair in pairs for event in pair if event]
        invalidated = [(one.at, self.invalidate) for one in self.scenario.invalidations]
        self.builder = BuildSampler(
            preset.id, self.scenario.find_lead_time(preset.id), self.scenario.mishap_rates, case.seed
        )
        self.first = preset
        self.presets = [preset]
        self.items = [
            Item(number, preset, self.begin, self.begin, None)
            for number in range(calculate_target(preset, now=self.begin).desired)
        ]
        self.num_initial = len(self.items)
        for item in self.items:
            item.state = "running"
        self.history: list[Build] = []
        self.held: set[str] = set()
        self.waiting: list[datetime] = []
        self.hits: list[bool] = []
        self.waits: list[timedelta] = []
        self.decided: list[Any] = []
        self.events = sorted([*promoted, *invalidated], key=lambda event: event[0])

    def run(self) -> Reference:
        interval, now, wake_at = self.scenario.interval, self.begin, self.begin
        while now <= self.end:
            self.happen(now)
            is_due = now == wake_at if interval else self.claims[:1] != [now]
            while self.claims and self.claims[0] == now:
                self.claim(now)
                if interval is None:
                    wake_at = self.wake(now)
            if is_due:
                next_change = self.wake(now)
                wake_at = now + interval if interval else next_change
            now = min([wake_at, *self.claims[:1], *self.list_ends(), *(at for at, _ in self.events[:1])])
        self.serve_the_rest()
        return self

    def list_ends(self) -> list[datetime]:
        return [item.ends_at for item in self.items if item.state == "starting"]

    def happen(self, now: datetime) -> None:
        while self.events and self.events[0][0] == now:
            _, change = self.events.pop(0)
            change(now)
        for item in sorted(self.items, key=lambda item: (item.ends_at, item.number)):
            if item.state == "starting" and item.ends_at == now:
                self.finish(item, now)

    @property
    def current(self) -> Preset:
        return next(preset for preset in reversed(self.presets) if not preset.template_version.is_candidate)

    def invalidate(self, now: datetime) -> None:
        since = self.presets.index(self.current)
        self.presets[since:] = [attrs.evolve(preset, last_invalidated_at=now) for preset in self.presets[since:]]

    def stage(self, _: datetime) -> None:
        if self.current.is_active:
            self.add_successor(is_active=False, is_candidate=True)

    def promote(self, now: datetime) -> None:
        current = self.current
        if not current.is_active:
            return
        if current is self.presets[-1]:
            self.add_successor()
        old, successor = self.presets[-2:]
        self.presets[-2:] = [set_stage(old, is_active=False), set_stage(successor, is_active=True)]
        while self.waiting and self.take(now):
            self.waits.append(now - self.waiting.pop(0))

    def add_successor(self, **stage: bool) -> None:
        name = f"{self.presets[0].id} after promotion {len(self.presets)}"
        successor = attrs.evolve(self.first, id=name, last_invalidated_at=self.current.last_invalidated_at)
        self.presets.append(set_stage(successor, **stage))

    def finish(self, item: Item, now: datetime) -> None:
        if item.mishap is not Mishap.NEVER_READY or self.first.ready_deadline is None:
            self.history.append(item.make_build())
        if item.mishap is Mishap.FAILS:
            item.state = "failed"
        elif item.mishap is Mishap.NEVER_READY:
            item.state = "running"
        elif self.waiting and item.preset_id == self.current.id:
            item.state = "claimed"
            self.waits.append(now - self.waiting.pop(0))
        else:
            item.state = "running"

    def claim(self, now: datetime) -> None:
        self.claims.pop(0)
        self.hits.append(self.take(now))
        if self.hits[-1]:
            return
        if self.scenario.on_miss is OnMiss.WAIT:
            self.waiting.append(now)
        else:
            self.waits.append(timedelta(microseconds=self.builder.draw_own()))

    def take(self, now: datetime) -> bool:
        """Take the oldest good prebuild of the active preset, if there is one."""
        good = [row for row in self.make_snapshot(now).for_preset(self.current.id, now).running if row.ready]
        if good:
            next(item for item in self.items if item.id == good[0].id).state = "claimed"
        return bool(good)

    def make_snapshot(self, now: datetime) -> GlobalSnapshot:
        starts = []
        for preset in self.presets:
            own = [item for item in self.items if item.state == "starting" and item.preset_id == preset.id]
            spoken_for = len(self.waiting) if preset is self.current else 0
            starts += [
                InProgress(preset_id=preset.id, transition=Transition.START, count=1, began_at=item.created_at)
                for item in own[: max(len(own) - spoken_for, 0)]
            ]
        policy = self.scenario.policy
        return GlobalSnapshot(
            presets=self.presets,
            running=[item.make_prebuild() for item in reversed(self.items) if item.state == "running"],
            in_progress=starts,
            backoffs=calculate_backoffs(self.history, self.presets, now=now, policy=policy),
            hard_limited=calculate_hard_limited(self.history, presets=self.presets, now=now, policy=policy),
            recent_starts=[
                RecentStarts(preset_id=item.preset_id, begun_at=item.created_at, count=1)
                for item in self.items
                if item.number >= self.num_initial and now - MINUTE < item.created_at <= now
            ],
        )

    def wake(self, now: datetime, only: set[str] | None = None) -> datetime:
        """Plan and carry out; gives when to wake next, if nothing happens before.

        A preset for which more is to be done at once is planned again, and with it those that a budget held back.
        """
        made = plan(self.make_snapshot(now), now=now, policy=self.scenario.policy)
        short: set[str] = set()
        for decision in made:
            if only is None or decision.preset_id in only:
                short |= {decision.preset_id} if self.do(decision, now) else set()
        short |= self.give_up(now)
        if short and self.scenario.interval is None:
            return self.wake(now, short | self.held)
        return min([made.next_change_at or NEVER, *self.list_deadlines()])

    def list_deadlines(self) -> list[datetime]:
        """When each start would be overdue, whether the plan knew of it or not."""
        deadline = self.first.build_deadline
        return [item.created_at + deadline for item in self.items if deadline and item.state == "starting"]

    def do(self, decision: Decision, now: datetime) -> bool:
        """Carry out a decision; whether the preset must be looked at again at once."""
        if decision.actions or decision.withheld:
            self.decided.append((now, decision.preset_id, decision.actions, decision.withheld))
        self.held -= {decision.preset_id}
        if any(one.reason is WithheldReason.BUDGET for one in decision.withheld):
            self.held.add(decision.preset_id)
        preset = next(one for one in self.presets if one.id == decision.preset_id)
        stuck, is_short = {row.id for row in decision.snapshot.stuck}, False
        for action in decision.actions:
            self.carry_out(action, preset, stuck, now)
            is_short |= action.type is ActionType.DELETE and bool(stuck)
            if action.type is ActionType.CREATE:
                is_short |= bool(decision.withheld) or bool(self.waiting)
        return is_short

    def give_up(self, now: datetime) -> set[str]:
        """End the overdue starts, each as a failed build, and say which presets had some."""
        deadline = self.first.build_deadline
        late = [
            item for item in self.items if deadline and item.state == "starting" and now - item.created_at >= deadline
        ]
        for item in late:
            item.state = "failed"
            self.history.append(item.make_build(failed_at=now))
        return {item.preset_id for item in late}

    def carry_out(self, action: Any, preset: Preset, stuck: set[str], now: datetime) -> None:
        for item in self.items:
            if item.id in action.delete_ids:
                item.state = "deleted"
                if item.mishap is Mishap.NEVER_READY and self.first.ready_deadline is not None:
                    self.history.append(item.make_build(failed_at=now if item.id in stuck else None))
        for _ in range(action.create):
            lead, mishap = self.builder.draw_leads(1)[0], self.builder.draw_mishaps(1).get(0)
            self.items.append(Item(len(self.items), preset, now, now + timedelta(microseconds=lead), mishap))

    def serve_the_rest(self) -> None:
        for item in sorted(self.items, key=lambda item: (item.ends_at, item.number)):
            if item.state == "starting" and item.ends_at < NEVER and self.waiting:
                self.finish(item, item.ends_at)
        self.waits += [self.end - at for at in self.waiting]
