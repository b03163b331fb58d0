"""Passes: each takes the lease, reads one moment, plans, and carries out the effects of each preset.

- Presets are independent. A worker carries out the effects of one preset, and a failure stops no other preset.
- The workers of a pass never use more than half of the store's connections, so that claims and messages find one. Work
  left by an earlier pass may briefly use more, once its call has returned.
- After a failed create, the other creates of that preset wait for a later pass, which backs off first. Those that the
  builder is being asked for already are the exception.
- After a call to the builder that timed out, all other calls for that preset wait for a later pass.
"""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from functools import partial

import attrs

from prebuilds.decision.plans.decisions import Decision
from prebuilds.decision.plans.planning import Plan, plan
from prebuilds.decision.plans.withholding import WithheldReason
from prebuilds.errors import ShardedBudgetsError
from prebuilds.runtime.deadlines import DeleteStuck, GiveUpStart
from prebuilds.runtime.fleet_rows import Selection
from prebuilds.runtime.loop.calls.batches import list_batches
from prebuilds.runtime.loop.calls.handover import STOPS, Handover
from prebuilds.runtime.loop.calls.preset_work import PresetWork
from prebuilds.runtime.loop.calls.timed_calls import LimitedCalls
from prebuilds.runtime.loop.effects import CreatePrebuild, Effect, list_effects
from prebuilds.runtime.loop.endings import CAME_IN_TIME, STOPS_CREATES
from prebuilds.runtime.loop.executor import Executor
from prebuilds.runtime.loop.fleet import Fleet, list_retries, read_fleet
from prebuilds.runtime.loop.leasing import HeldLease, make_holder, take_lease
from prebuilds.runtime.loop.options import ReconcilerOptions
from prebuilds.runtime.loop.results import (
    EffectOutcome,
    OutcomeStatus,
    PassStatus,
    PresetResult,
    ReconciliationResult,
    join_results,
)
from prebuilds.runtime.loop.room_waits import RoomWaits
from prebuilds.runtime.loop.schedule_warnings import ScheduleLog
from prebuilds.runtime.loop.timing.follow_ups import list_follow_ups
from prebuilds.runtime.ports import CancelingBuilder, Isolation, Store, WorkspaceBuilder

_log = logging.getLogger(__name__)
_CALLS_PER_WORKER = 4  # a worker waits for one; the others are calls that timed out and still hang
_LEAST_CALLS = 8


class Passes:
    """Does passes, one at a time, until it is stopped."""

    def __init__(
        self, store: Store, builder: WorkspaceBuilder, options: ReconcilerOptions, *, on_end: Callable[[str], None]
    ) -> None:
        self._store = store
        self._builder = builder
        self._options = options
        self._on_end = on_end
        self._workers = max(store.max_connections // 2, 1)
        self._holder = options.holder or make_holder()
        self.is_stopping = False  # not an event, as a signal handler sets it
        self._reset()

    def begin_anew(self) -> None:
        """In a forked child, take another holder name, even if one was given: the parent goes on under that name."""
        self._holder = make_holder()
        self._reset()

    def _reset(self) -> None:
        most = max(_CALLS_PER_WORKER * self._workers, _LEAST_CALLS)
        timeout, clock = self._options.submit_timeout, self._options.clock
        self._calls = LimitedCalls(most=most, timeout=timeout, clock=clock, on_late_end=self._on_end)
        self._passing = threading.Lock()
        self._work = PresetWork(self._workers, self._on_end)
        self._held: HeldLease | None = None
        self._room = RoomWaits(self._options.policy)
        self._schedules = ScheduleLog()
        self._has_budgets = bool(self._options.policy.budgets)

    @property
    def lease_token(self) -> int | None:
        """The token of the lease that this reconciler holds, as far as it knows."""
        held = self._held
        return None if held is None or held.is_lost else held.lease.token

    def keep_lease(self) -> None:
        """Renew the lease in time, or take it if it is free."""
        with self._passing:
            self._take_lease()

    def reconcile(
        self, preset_ids: Collection[str] | None = None, *, patience: timedelta | None = None
    ) -> ReconciliationResult:
        """One pass over all presets, or over some; unknown ones are left out. Raises errors of the store's reads.

        With a `patience` it leaves presets that hang, and `on_end` is called with each of them that ends. Under budgets
        it waits for them, and every pass is over all presets, as what one of them leaves is another's.
        """
        with self._passing:
            began = self._options.clock.monotonic()
            result = self._reconcile(preset_ids, patience)
            elapsed = timedelta(seconds=self._options.clock.monotonic() - began)
            return attrs.evolve(result, elapsed=elapsed)

    def release_lease(self) -> ReconciliationResult:
        """Wait for what is under way. Then, if this reconciler has the lease, let another take it.

        The result has what earlier passes have left.
        """
        with self._passing:
            self._work.finish()
            if self._held and not self._held.is_lost:
                with self._store.transaction() as tx:
                    tx.release_lease(self._held.lease)
            self._held = None
            return self._report_ended(PassStatus.RECONCILED, self._options.clock.now())

    def _reconcile(self, preset_ids: Collection[str] | None, patience: timedelta | None) -> ReconciliationResult:
        if self._has_budgets:
            preset_ids, patience = None, None
        if patience is None:
            self._work.finish()
        now, held = self._options.clock.now(), self._take_lease()
        if held is None:
            return self._report_ended(PassStatus.NOT_LEADER, now)
        # Before the rows are read, so that none is older than the end of the work on its preset.
        ended = self._work.note_ended(preset_ids)
        with _pausing_collector() if preset_ids is None else nullcontext():
            fleet, made = self._plan(now, preset_ids)
        if self._has_budgets and (preset_ids is not None or patience is not None):  # the store has them only now
            return self._reconcile(None, None)
        self._schedules.note(made, is_whole=preset_ids is None)
        if preset_ids is None:
            self._room.forget_others({preset.id for preset in fleet.snapshot.presets})
        # What hung and failed is tried again after a wait, which is the caller's who has patience.
        left_out = self._work.under_way.union(_list_unsettled(ended) if patience else ())
        effects = self._list_effects(fleet, [decision for decision in made if decision.preset_id not in left_out], now)
        carried_out = self._carry_out(effects, held, patience)
        presets = join_results(*self._work.take_ended(), *carried_out)
        return ReconciliationResult(
            status=PassStatus.PAUSED if fleet.is_paused else PassStatus.RECONCILED,
            started_at=now,
            plan=made,
            presets=presets,
            under_way=sorted(self._work.under_way),
            next_changes=self._list_next_changes(fleet, made, presets),
        )

    def _report_ended(self, status: PassStatus, now: datetime) -> ReconciliationResult:
        """A result with nothing but what earlier passes have left and what has ended since."""
        self._work.note_ended()
        presets, under_way = self._work.take_ended(), sorted(self._work.under_way)
        return ReconciliationResult(status=status, started_at=now, presets=presets, under_way=under_way)

    def _plan(self, now: datetime, preset_ids: Collection[str] | None) -> tuple[Fleet, Plan]:
        fleet = self._read_fleet(now, preset_ids)
        self._has_budgets = bool(fleet.policy.budgets)
        if self._has_budgets and self._options.shard:
            raise ShardedBudgetsError([budget.name for budget in fleet.policy.budgets])
        return fleet, plan(fleet.snapshot, now=now, policy=fleet.policy, paused=fleet.is_paused)

    def _take_lease(self) -> HeldLease | None:
        if self._held and not self._held.is_lost and self._held.is_fresh:
            return self._held
        options, clock, duration = self._options, self._options.clock, self._options.lease_duration
        lease = take_lease(self._store, options.lease_of_shard, self._holder, clock, duration)
        longest_call = options.submit_timeout
        self._held = (
            HeldLease(self._store, lease, clock=clock, duration=duration, longest_call=longest_call) if lease else None
        )
        return self._held

    def _read_fleet(self, now: datetime, preset_ids: Collection[str] | None) -> Fleet:
        selection = Selection(preset_ids=preset_ids, shard=self._options.shard)
        with self._store.transaction(isolation=Isolation.REPEATABLE_READ, read_only=True) as tx:
            return read_fleet(tx, now=now, policy=self._options.policy, selection=selection)

    def _list_effects(
        self, fleet: Fleet, decisions: Sequence[Decision], now: datetime
    ) -> Mapping[str, Sequence[Effect]]:
        effects = {decision.preset_id: self._list_effects_of(fleet, decision, now) for decision in decisions}
        return {preset_id: listed for preset_id, listed in effects.items() if listed}

    def _list_effects_of(self, fleet: Fleet, decision: Decision, now: datetime) -> Sequence[Effect]:
        deleting = {workspace.id for workspace in fleet.list_deleting(decision.preset_id)}
        has_room = self._room.has_room(decision.preset_id, deleting, now)
        can_cancel = isinstance(self._builder, CancelingBuilder)
        new_id = self._options.new_id
        return list_effects(fleet, decision, now=now, new_id=new_id, has_room=has_room, can_cancel=can_cancel)

    def _list_next_changes(self, fleet: Fleet, made: Plan, presets: Sequence[PresetResult]) -> Mapping[str, datetime]:
        if fleet.is_paused:
            return {}
        changes = {decision.preset_id: decision.next_change_at for decision in made if decision.next_change_at}
        waits, ends, now = self._calls.find_waits(), self._room.list_ends(), self._options.clock.now()
        unsettled = [preset.preset_id for preset in presets if preset.is_unsettled]
        others = (
            *list_retries(fleet, self._options.policy, made.now),
            *list_follow_ups(presets, fleet.snapshot.presets, now),
            *((decision.preset_id, ends[decision.preset_id]) for decision in made if decision.preset_id in ends),
            *((decision.preset_id, now + self._options.interval) for decision in made if _waits_for_others(decision)),
            *((preset_id, now + waits[preset_id]) for preset_id in unsettled if preset_id in waits),
        )
        for preset_id, at in others:
            changes[preset_id] = min(changes.get(preset_id, at), at)
        return changes

    def _carry_out(
        self, effects: Mapping[str, Sequence[Effect]], held: HeldLease, patience: timedelta | None
    ) -> Sequence[PresetResult]:
        executor = self._make_executor(held)
        tasks = {
            preset_id: partial(self._carry_out_preset, executor, preset_id, listed)
            for preset_id, listed in effects.items()
        }
        return self._work.do(tasks, patience)

    def _make_executor(self, held: HeldLease) -> Executor:
        handover = Handover(self._builder, self._calls, held, width=self._workers, is_stopping=lambda: self.is_stopping)
        return Executor(self._store, handover, lease=held, clock=self._options.clock)

    def _carry_out_preset(self, executor: Executor, preset_id: str, effects: Sequence[Effect]) -> PresetResult:
        began = self._options.clock.monotonic()
        outcomes = tuple(self._carry_out_each(executor, effects))
        elapsed = timedelta(seconds=self._options.clock.monotonic() - began)
        result = PresetResult(preset_id=preset_id, outcomes=outcomes, elapsed=elapsed)
        _tell(result)
        return result

    def _carry_out_each(self, executor: Executor, effects: Sequence[Effect]) -> Iterator[EffectOutcome]:
        stops_creates = ""
        for batch in list_batches(effects):
            is_create = isinstance(batch[0], CreatePrebuild)
            reason = STOPS if self.is_stopping else stops_creates if is_create else ""
            outcomes = _skip(batch, reason) if reason else executor.carry_out(batch)
            if any(outcome.status is OutcomeStatus.HELD for outcome in outcomes):
                self._room.begin(batch[0].preset_id, self._options.clock.now())
            if is_create and not reason:
                stops_creates = _find_stop(outcomes)
            elif any(_has_come_in_time(outcome) for outcome in outcomes):
                stops_creates = CAME_IN_TIME
            yield from outcomes


@contextmanager
def _pausing_collector() -> Iterator[None]:
    """Let the garbage collector rest while rows become models. It took a third of the time, and found no garbage."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _list_unsettled(results: Sequence[PresetResult]) -> Collection[str]:
    return [result.preset_id for result in results if result.is_unsettled]


def _waits_for_others(decision: Decision) -> bool:
    """Whether something was withheld that a later pass may do, though nothing happens to the preset itself."""
    timed = (WithheldReason.HARD_LIMITED, WithheldReason.CAPACITY)  # until a reset, or the decision's own next change
    return any(withheld.reason not in timed for withheld in decision.withheld)


def _find_stop(outcomes: Sequence[EffectOutcome]) -> str:
    """Why the preset creates no more in this pass; empty if it may."""
    return next((STOPS_CREATES[outcome.status] for outcome in outcomes if outcome.status in STOPS_CREATES), "")


def _has_come_in_time(outcome: EffectOutcome) -> bool:
    """Whether a prebuild that was late by the plan is good after all, so that nothing needs to replace it."""
    return isinstance(outcome.effect, DeleteStuck | GiveUpStart) and outcome.status is OutcomeStatus.SKIPPED


def _skip(effects: Sequence[Effect], reason: str) -> Sequence[EffectOutcome]:
    return [EffectOutcome(effect=effect, status=OutcomeStatus.SKIPPED, reason=reason) for effect in effects]


def _tell(result: PresetResult) -> None:
    counts = {status.value: len(result.select(status)) for status in OutcomeStatus}
    fields = {"preset_id": result.preset_id, "elapsed_seconds": result.elapsed.total_seconds(), **counts}
    _log.info("%s: %s", result.preset_id, ", ".join(f"{count} {name}" for name, count in counts.items()), extra=fields)
