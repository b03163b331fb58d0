"""A simulation as one would write it without a thought for speed, to hold the engine against.

At every round it makes a whole `GlobalSnapshot`, checked in every field, of all presets and all builds that ever were,
and calls `plan`. It wakes at a plan's own `next_change_at`. It knows nothing of the engine but how long builds take.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import attrs

from prebuilds import (
    ActionType,
    Build,
    BuildStatus,
    GlobalSnapshot,
    InProgress,
    Prebuild,
    Preset,
    Transition,
    WithheldReason,
    calculate_backoffs,
    calculate_hard_limited,
    calculate_target,
    plan,
)
from prebuilds.whatif import OnMiss, Promotion
from prebuilds.whatif.simulation.draws import BuildSampler

from .scenarios import Case


class Item:
    """A build, and the prebuild that it becomes."""

    def __init__(self, number: int, preset: Preset, created_at: datetime, ends_at: datetime, *, fails: bool) -> None:
        self.number, self.preset_id, self.created_at, self.ends_at = number, preset.id, created_at, ends_at
        self.fails, self.state = fails, "starting"
        self.id = f"{preset.id}-1{number:09}"

    def make_prebuild(self) -> Prebuild:
        return Prebuild(id=self.id, preset_id=self.preset_id, created_at=self.created_at, ready=True)

    def make_build(self) -> Build:
        status = BuildStatus.FAILED if self.fails else BuildStatus.SUCCEEDED
        return Build(
            id=self.id, preset_id=self.preset_id, status=status, created_at=self.created_at, finished_at=self.ends_at
        )


def list_invalidations(case: Case) -> list[datetime]:
    """Those of the scenario, and the one that the preset knows of, if it is to come and no other takes its place."""
    (preset,), instants = case.scenario.fleet.presets, [one.at for one in case.scenario.invalidations]
    at = preset.last_invalidated_at
    is_own = at is not None and case.trace.begin < at < min([*instants, case.trace.end + timedelta(days=1)])
    return sorted([*instants, *([at] if at and is_own else [])])


class Reference:
    """The simulation of a case of one preset that begins full."""

    def __init__(self, case: Case) -> None:
        self.scenario, (preset,) = case.scenario, case.scenario.fleet.presets
        self.begin, self.end, self.claims = case.trace.begin, case.trace.end, list(case.trace)
        events = [*self.scenario.promotions, *self.scenario.invalidations]
        self.builder = BuildSampler(
            preset.id, self.scenario.find_lead_time(preset.id), self.scenario.failure_rate, case.seed
        )
        self.first = preset
        self.presets = [preset]
        self.items = [
            Item(number, preset, self.begin, self.begin, fails=False)
            for number in range(calculate_target(preset, now=self.begin).desired)
        ]
        for item in self.items:
            item.state = "running"
        self.history: list[Build] = []
        self.waiting: list[datetime] = []
        self.hits: list[bool] = []
        self.waits: list[timedelta] = []
        self.decided: list[Any] = []
        self.events = sorted(events, key=lambda event: (event.at, not isinstance(event, Promotion)))

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
            now = min([wake_at, *self.claims[:1], *self.list_ends(), *(event.at for event in self.events[:1])])
        self.serve_the_rest()
        return self

    def list_ends(self) -> list[datetime]:
        return [item.ends_at for item in self.items if item.state == "starting"]

    def happen(self, now: datetime) -> None:
        while self.events and self.events[0].at == now:
            self.change(self.events.pop(0))
        for item in sorted(self.items, key=lambda item: (item.ends_at, item.number)):
            if item.state == "starting" and item.ends_at == now:
                self.finish(item, now)

    def change(self, event: Any) -> None:
        current = self.presets[-1]
        if not isinstance(event, Promotion):
            self.presets[-1] = attrs.evolve(current, last_invalidated_at=event.at)
        elif current.is_active:
            version = attrs.evolve(current.template_version, is_active=False)
            self.presets[-1] = attrs.evolve(current, template_version=version)
            name = f"{self.presets[0].id} after promotion {len(self.presets)}"
            self.presets.append(attrs.evolve(self.first, id=name, last_invalidated_at=current.last_invalidated_at))

    def finish(self, item: Item, now: datetime) -> None:
        self.history.append(item.make_build())
        if item.fails:
            item.state = "failed"
        elif self.waiting and item.preset_id == self.presets[-1].id:
            item.state = "claimed"
            self.waits.append(now - self.waiting.pop(0))
        else:
            item.state = "running"

    def claim(self, now: datetime) -> None:
        self.claims.pop(0)
        good = self.make_snapshot(now).for_preset(self.presets[-1].id, now).running
        self.hits.append(bool(good))
        if good:
            next(item for item in self.items if item.id == good[0].id).state = "claimed"
        elif self.scenario.on_miss is OnMiss.WAIT:
            self.waiting.append(now)
        else:
            self.waits.append(timedelta(microseconds=self.builder.draw_own()))

    def make_snapshot(self, now: datetime) -> GlobalSnapshot:
        starts = []
        for preset in self.presets:
            count = sum(item.state == "starting" and item.preset_id == preset.id for item in self.items)
            spoken_for = len(self.waiting) if preset is self.presets[-1] else 0
            starts.append(
                InProgress(preset_id=preset.id, transition=Transition.START, count=max(count - spoken_for, 0))
            )
        policy = self.scenario.policy
        return GlobalSnapshot(
            presets=self.presets,
            running=[item.make_prebuild() for item in reversed(self.items) if item.state == "running"],
            in_progress=starts,
            backoffs=calculate_backoffs(self.history, self.presets, now=now, policy=policy),
            hard_limited=calculate_hard_limited(self.history, presets=self.presets, now=now, policy=policy),
        )

    def wake(self, now: datetime) -> datetime:
        """Plan and carry out; gives when to wake next, if nothing happens before."""
        made = plan(self.make_snapshot(now), now=now, policy=self.scenario.policy)
        is_short = False
        for decision in made:
            if decision.actions or decision.withheld:
                self.decided.append((now, decision.preset_id, decision.actions, decision.withheld))
            for action in decision.actions:
                self.carry_out(action, next(one for one in self.presets if one.id == decision.preset_id), now)
                is_short |= action.type is ActionType.CREATE and bool(self.waiting)
            is_short |= any(one.reason is WithheldReason.MAX_CREATES for one in decision.withheld)
        if is_short and self.scenario.interval is None:
            return self.wake(now)
        return made.next_change_at or self.end + timedelta(days=1)

    def carry_out(self, action: Any, preset: Preset, now: datetime) -> None:
        for item in self.items:
            if item.id in action.delete_ids:
                item.state = "deleted"
        for _ in range(action.create):
            lead, fails = self.builder.draw_leads(1)[0], bool(self.builder.draw_failures(1))
            ends_at = now + timedelta(microseconds=lead)
            self.items.append(Item(len(self.items), preset, now, ends_at, fails=fails))

    def serve_the_rest(self) -> None:
        for item in sorted(self.items, key=lambda item: (item.ends_at, item.number)):
            if item.state == "starting" and self.waiting:
                self.finish(item, item.ends_at)
        self.waits += [self.end - at for at in self.waiting]
