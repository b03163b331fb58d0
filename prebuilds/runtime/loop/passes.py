"""Passes: each takes the lease, reads one moment, plans, and carries out the effects of each preset.

- Presets are independent. A worker carries out the effects of one preset, and a failure stops no other preset.
- The workers of a pass never use more than half of the store's connections, so that claims and messages find one. Work
  left by an earlier pass may briefly use more, once its call has returned.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from functools import partial

import attrs

from prebuilds.decision.plans.decisions import Decision
from prebuilds.decision.plans.planning import Plan, plan
from prebuilds.errors import ShardedBudgetsError
from prebuilds.runtime.fleet_rows import Selection
from prebuilds.runtime.loop.calls.handover import Handover
from prebuilds.runtime.loop.calls.preset_work import PresetWork
from prebuilds.runtime.loop.calls.timed_calls import LimitedCalls
from prebuilds.runtime.loop.carrier import Carrier
from prebuilds.runtime.loop.effect_lists import list_effects
from prebuilds.runtime.loop.effects import Effect
from prebuilds.runtime.loop.executor import Executor
from prebuilds.runtime.loop.fleet import Fleet, list_retries
from prebuilds.runtime.loop.fleet_reading import read_fleet
from prebuilds.runtime.loop.leasing import HeldLease, make_holder, take_lease
from prebuilds.runtime.loop.options import ReconcilerOptions
from prebuilds.runtime.loop.results import PassStatus, PresetResult, ReconciliationResult, join_results
from prebuilds.runtime.loop.schedule_warnings import ScheduleLog
from prebuilds.runtime.loop.timing.claim_pruning import ClaimPruning
from prebuilds.runtime.loop.timing.follow_ups import find_earliest, list_follow_ups, list_looks
from prebuilds.runtime.loop.timing.room_waits import RoomWaits
from prebuilds.runtime.ports import CancelingBuilder, Isolation, Store, WorkspaceBuilder

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
        self._pruning = ClaimPruning(self._store, self._options)
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

    def forget_claims(self) -> None:
        """Delete old counts of claims, once an hour."""
        self._pruning.prune_if_due()

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
                    self._pruning.prune_within(tx)
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
            next_changes=self._find_next_changes(fleet, made, presets),
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

    def _find_next_changes(self, fleet: Fleet, made: Plan, presets: Sequence[PresetResult]) -> Mapping[str, datetime]:
        if fleet.is_paused:
            return {}
        now, interval, policy = self._options.clock.now(), self._options.interval, self._options.policy
        waits, ends = self._calls.find_waits(), self._room.list_ends()
        others = list_looks(made, presets, now=now, interval=interval, call_waits=waits, room_ends=ends)
        retries = list_retries(fleet, policy, made.now)
        return find_earliest([*others, *retries, *list_follow_ups(presets, fleet.snapshot.presets, now)])

    def _carry_out(
        self, effects: Mapping[str, Sequence[Effect]], held: HeldLease, patience: timedelta | None
    ) -> Sequence[PresetResult]:
        carrier = self._make_carrier(held)
        tasks = {preset_id: partial(carrier.carry_out, preset_id, listed) for preset_id, listed in effects.items()}
        return self._work.do(tasks, patience)

    def _make_carrier(self, held: HeldLease) -> Carrier:
        clock, is_stopping = self._options.clock, lambda: self.is_stopping
        handover = Handover(self._builder, self._calls, held, width=self._workers, is_stopping=is_stopping)
        executor = Executor(self._store, handover, lease=held, clock=clock)
        return Carrier(executor, clock=clock, on_held=self._room.begin, is_stopping=is_stopping)


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
