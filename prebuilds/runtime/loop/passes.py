"""Passes: each takes the lease, reads one moment, plans, and carries out the effects of each preset.

- Presets are independent. A worker carries out the effects of one preset, and a failure stops no other preset.
- Workers never use more than half of the store's connections, so that claims and messages always find one.
- After a failed create, the other creates of that preset wait for a later pass, which backs off first.
- After a call to the builder that timed out, all other calls for that preset wait for a later pass.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import attrs

from prebuilds.decision.plans.decisions import Decision
from prebuilds.decision.plans.planning import Plan, plan
from prebuilds.errors import UnknownPresetError
from prebuilds.runtime.fleet_rows import Selection
from prebuilds.runtime.loop.effects import CreatePrebuild, Effect, list_effects
from prebuilds.runtime.loop.executor import Executor
from prebuilds.runtime.loop.fleet import Fleet, find_next_retry_at, read_fleet
from prebuilds.runtime.loop.leasing import HeldLease, make_holder, take_lease
from prebuilds.runtime.loop.options import ReconcilerOptions
from prebuilds.runtime.loop.results import EffectOutcome, OutcomeStatus, PassStatus, PresetResult, ReconciliationResult
from prebuilds.runtime.loop.room_waits import RoomWaits
from prebuilds.runtime.loop.schedule_warnings import ScheduleLog
from prebuilds.runtime.loop.timed_calls import LimitedCalls
from prebuilds.runtime.ports import Isolation, Store, WorkspaceBuilder

_log = logging.getLogger(__name__)
_CALLS_PER_WORKER = 4  # a worker waits for one; the others are calls that timed out and still hang
_LEAST_CALLS = 8
_STOPS_CREATES = {
    OutcomeStatus.FAILED: "an earlier create of the preset failed",
    OutcomeStatus.HELD: "the builder has no room for the preset",
}


class Passes:
    """Does passes, one at a time, until it is stopped."""

    def __init__(self, store: Store, builder: WorkspaceBuilder, options: ReconcilerOptions) -> None:
        self._store = store
        self._builder = builder
        self._options = options
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
        self._calls = LimitedCalls(most=most, timeout=self._options.submit_timeout, clock=self._options.clock)
        self._passing = threading.Lock()
        self._held: HeldLease | None = None
        self._room = RoomWaits(self._options.policy)
        self._schedules = ScheduleLog()

    def reconcile(self, preset_id: str | None = None) -> ReconciliationResult:
        """One pass over all presets, or over one. Raises `UnknownPresetError`, and errors of the store's reads."""
        with self._passing:
            began, started_at = self._options.clock.monotonic(), self._options.clock.now()
            result = self._reconcile(started_at, preset_id)
            elapsed = timedelta(seconds=self._options.clock.monotonic() - began)
            return attrs.evolve(result, elapsed=elapsed)

    def release_lease(self) -> None:
        """If this reconciler has the lease, let another take it."""
        with self._passing:
            if self._held and not self._held.is_lost:
                with self._store.transaction() as tx:
                    tx.release_lease(self._held.lease)
            self._held = None

    def _reconcile(self, now: datetime, preset_id: str | None) -> ReconciliationResult:
        held = self._take_lease()
        if held is None:
            return ReconciliationResult(status=PassStatus.NOT_LEADER, started_at=now)
        fleet = self._read_fleet(now, preset_id)
        made = plan(fleet.snapshot, now=now, policy=self._options.policy, paused=fleet.is_paused)
        self._schedules.note(made, is_whole=preset_id is None)
        return ReconciliationResult(
            status=PassStatus.PAUSED if fleet.is_paused else PassStatus.RECONCILED,
            started_at=now,
            plan=made,
            presets=self._carry_out(self._list_effects(fleet, made), held),
            next_change_at=self._find_next_change(fleet, made),
        )

    def _take_lease(self) -> HeldLease | None:
        options, clock, duration = self._options, self._options.clock, self._options.lease_duration
        lease = take_lease(self._store, options.lease_of_shard, self._holder, clock, duration)
        longest_call = options.submit_timeout
        self._held = (
            HeldLease(self._store, lease, clock=clock, duration=duration, longest_call=longest_call) if lease else None
        )
        return self._held

    def _read_fleet(self, now: datetime, preset_id: str | None) -> Fleet:
        with self._store.transaction(isolation=Isolation.REPEATABLE_READ, read_only=True) as tx:
            ids = None if preset_id is None else (preset_id,)
            selection = Selection(preset_ids=ids, shard=self._options.shard)
            fleet = read_fleet(tx, now=now, policy=self._options.policy, selection=selection)
        if preset_id is not None and not fleet.snapshot.presets:
            raise UnknownPresetError(preset_id)
        return fleet

    def _list_effects(self, fleet: Fleet, made: Plan) -> Mapping[str, Sequence[Effect]]:
        effects = {decision.preset_id: self._list_effects_of(fleet, decision, made.now) for decision in made}
        return {preset_id: listed for preset_id, listed in effects.items() if listed}

    def _list_effects_of(self, fleet: Fleet, decision: Decision, now: datetime) -> Sequence[Effect]:
        deleting = {workspace.id for workspace in fleet.list_deleting(decision.preset_id)}
        has_room = self._room.has_room(decision.preset_id, deleting, now)
        return list_effects(fleet, decision, now=now, new_id=self._options.new_id, has_room=has_room)

    def _find_next_change(self, fleet: Fleet, made: Plan) -> datetime | None:
        if fleet.is_paused:
            return None
        room = [self._room.find_end(decision.preset_id) for decision in made]
        wait = self._calls.find_wait()
        instants = (
            made.next_change_at,
            find_next_retry_at(fleet, self._options.policy, made.now),
            self._options.clock.now() + wait if wait else None,
            *room,
        )
        return min((at for at in instants if at), default=None)

    def _carry_out(self, effects: Mapping[str, Sequence[Effect]], held: HeldLease) -> Sequence[PresetResult]:
        if not effects:
            return ()
        executor = Executor(self._store, self._builder, lease=held, clock=self._options.clock, calls=self._calls)
        with ThreadPoolExecutor(self._workers, thread_name_prefix="prebuilds") as workers:
            return tuple(workers.map(lambda item: self._carry_out_preset(executor, *item), effects.items()))

    def _carry_out_preset(self, executor: Executor, preset_id: str, effects: Sequence[Effect]) -> PresetResult:
        began = self._options.clock.monotonic()
        outcomes = tuple(self._carry_out_each(executor, effects))
        elapsed = timedelta(seconds=self._options.clock.monotonic() - began)
        result = PresetResult(preset_id=preset_id, outcomes=outcomes, elapsed=elapsed)
        _tell(result)
        return result

    def _carry_out_each(self, executor: Executor, effects: Sequence[Effect]) -> Iterator[EffectOutcome]:
        stops_creates = ""
        for effect in effects:
            is_create = isinstance(effect, CreatePrebuild)
            if self.is_stopping:
                yield _skip(effect, "the reconciler stops")
            elif is_create and stops_creates:
                yield _skip(effect, stops_creates)
            else:
                outcome = executor.carry_out(effect)
                if outcome.status is OutcomeStatus.HELD:
                    self._room.begin(effect.preset_id, self._options.clock.now())
                if is_create:
                    stops_creates = _STOPS_CREATES.get(outcome.status, "")
                yield outcome


def _skip(effect: Effect, reason: str) -> EffectOutcome:
    return EffectOutcome(effect=effect, status=OutcomeStatus.SKIPPED, reason=reason)


def _tell(result: PresetResult) -> None:
    counts = {status.value: len(result.select(status)) for status in OutcomeStatus}
    fields = {"preset_id": result.preset_id, "elapsed_seconds": result.elapsed.total_seconds(), **counts}
    _log.info("%s: %s", result.preset_id, ", ".join(f"{count} {name}" for name, count in counts.items()), extra=fields)
