"""The engine: runs one pool from begin to end, and lets the production decision decide at every round.

- Of what happens at one instant the order is: promotions and invalidations, ends of builds, claims, the round. Where
  the loop wakes at once, each claim has a round of its own.
- A round is left out when nothing has happened since the last one, which had nothing to do, and time alone changes
  nothing yet (R12): it would decide as that one did. `every_round` leaves none out, and nothing else differs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime
from operator import itemgetter

from prebuilds.decision.actions import ActionType
from prebuilds.decision.models import Preset
from prebuilds.decision.plans.decisions import Decision, WithheldReason, decide
from prebuilds.decision.targets import calculate_target
from prebuilds.whatif.simulation.event_log import NEVER, HoldReason, PoolRecord, TargetChange
from prebuilds.whatif.simulation.pool import NUMBER_BITS, LivePool
from prebuilds.whatif.simulation.preset import LivePreset
from prebuilds.whatif.simulation.scenario import Invalidation, Promotion, Scenario
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.traces.ticks import count_ticks, to_instant, to_ticks


class Engine:
    """One pool and the claims that it is to serve. Run it once, then ask for its record.

    `claims` are ticks in order, from `begin` to `end`.
    """

    def __init__(
        self, scenario: Scenario, preset: Preset, claims: tuple[int, ...], *, begin: int, end: int, seed: int
    ) -> None:
        self._scenario = scenario
        self._preset = preset
        self._begin, self._end = begin, end
        self._interval = count_ticks(scenario.interval) if scenario.interval else None
        self._events = deque(_list_events(scenario, preset, begin))
        self._claims = (*claims, NEVER)
        self._place = 0  # of the next claim
        self._rounds = 0
        self._pool = LivePool(scenario, self._preset, begin=begin, end=end, seed=seed)

    def run(self, *, every_round: bool = False) -> Iterator[Decision]:
        """The decisions, round by round, each already carried out when it is given."""
        pool = self._pool
        for now in self._iterate_rounds():
            self._rounds += 1
            self._pass_time(now)
            for live in pool.lives:
                if live.is_changed or live.next_change <= now or every_round:
                    yield self._decide(live, now)
                while live.is_changed and self._interval is None:
                    yield self._decide(live, now)
            if len(pool.lives) > 1:
                pool.forget()
        self._finish()

    def make_record(self) -> PoolRecord:
        """What has happened."""
        pool, ledger = self._pool, self._pool.ledger
        return PoolRecord(
            preset_id=self._preset.id,
            begin=self._begin,
            end=self._end,
            claims=self._claims[:-1],
            missed=tuple(ledger.missed),
            waits=tuple(ledger.waits),
            unserved=len(pool.waiting),
            created=tuple(ledger.created),
            ended=tuple(ledger.ended),
            gone=tuple(ledger.gone),
            fates=tuple(ledger.fates),
            generations=tuple(ledger.generations),
            outdated=tuple(ledger.outdated),
            num_initial=pool.num_initial,
            rounds=self._rounds,
            presets=tuple(ledger.presets),
            targets=tuple(self._list_targets()),
            holds=tuple(ledger.holds),
            invalidations=tuple(ledger.invalidations),
            interval=self._interval,
            can_wait=self._scenario.on_miss is OnMiss.WAIT,
        )

    def _iterate_rounds(self) -> Iterator[int]:
        """The ticks at which the loop wakes."""
        if self._interval is not None:
            yield from range(self._begin, self._end + 1, self._interval)
            return
        now = self._begin
        while now <= self._end:
            yield now
            now = self._find_next_moment()

    def _find_next_moment(self) -> int:
        """When something happens next, or time alone changes a decision."""
        pool = self._pool
        return min(
            self._claims[self._place],
            pool.flights[0] >> NUMBER_BITS if pool.flights else NEVER,
            next((at for at, event in self._events if event), NEVER),
            *[live.next_change for live in pool.lives],
        )

    def _pass_time(self, now: int) -> None:
        """Let everything happen up to this tick, which is included."""
        while self._events and self._events[0][0] <= now:
            at, event = self._events.popleft()
            self._serve(at - 1)
            if event is None:
                self._pool.begin_invalidation(at)
            elif isinstance(event, Promotion):
                self._pool.promote(at)
            else:
                self._pool.invalidate(at)
        self._serve(now)

    def _serve(self, now: int) -> None:
        """Ends of builds and claims up to this tick; of the claims only one, where each has a round of its own."""
        pool, flights, claims, place = self._pool, self._pool.flights, self._claims, self._place
        claimed = claims[place]
        while True:
            ended = flights[0] >> NUMBER_BITS if flights else NEVER
            if ended <= claimed:
                if ended > now:
                    break
                pool.end_build()
            elif claimed > now:
                break
            else:
                pool.claim(claimed, place)
                place += 1
                claimed = claims[place]
                if self._interval is None:
                    break
        self._place = place

    def _decide(self, live: LivePreset, now: int) -> Decision:
        instant = to_instant(now)
        spoken_for = len(self._pool.waiting) if live is self._pool.current else 0
        decision = decide(live.take_snapshot(instant, spoken_for), self._scenario.policy)
        is_quiet = not (decision.actions or decision.withheld)
        # With failures in the past, time changes more than R12 can tell of: they are forgotten.
        live.is_changed = self._interval is not None and not (is_quiet and live.outcomes is None)
        snapshot = decision.snapshot
        changes = (live.find_next_edge(now), live.find_expiry(snapshot), live.find_invalidation(snapshot))
        live.next_change = min(changes)
        live.pending = 0  # canceled by this round, or begun
        if not is_quiet:
            self._carry_out(live, decision, now, instant)
        if live is self._pool.current:
            self._note_hold(decision, now)
        return decision

    def _carry_out(self, live: LivePreset, decision: Decision, now: int, instant: datetime) -> None:
        pool = self._pool
        for action in decision.actions:
            if action.type is ActionType.CREATE:
                pool.create(live, action.create, now, instant)
                if self._is_short(live, decision):
                    live.is_changed = True
            elif action.type is ActionType.DELETE:
                pool.delete(live, action.delete_ids, decision.snapshot, now)
            elif action.backoff_until is not None:
                live.next_change = min(live.next_change, to_ticks(action.backoff_until) + 1)

    def _is_short(self, live: LivePreset, decision: Decision) -> bool:
        """Whether there is more to create: users who wait have taken some, or a pass creates no more at once."""
        is_capped = any(withheld.reason is WithheldReason.MAX_CREATES for withheld in decision.withheld)
        return is_capped or (bool(self._pool.waiting) and live is self._pool.current)

    def _note_hold(self, decision: Decision, now: int) -> None:
        ledger, backoff = self._pool.ledger, decision.snapshot.backoff
        until = decision.actions[0].backoff_until if decision.actions else None
        if decision.snapshot.is_hard_limited:  # which outlasts a backoff
            ledger.hold(now, HoldReason.HARD_LIMITED)
        elif until is not None and backoff is not None:
            ledger.hold(now, HoldReason.BACKOFF, to_ticks(until), backoff.num_failed)
        elif ledger.is_held:
            ledger.hold(now, None)

    def _finish(self) -> None:
        """What happens after the last round."""
        flights = self._pool.flights
        while self._claims[self._place] < NEVER or (flights and flights[0] >> NUMBER_BITS <= self._end):
            self._pass_time(self._end)
        self._pool.finish(self._end)

    def _list_targets(self) -> Iterator[TargetChange]:
        for at in (self._begin, *self._pool.edges):
            target = calculate_target(self._preset, to_instant(at))
            yield TargetChange(at=at, desired=target.desired, source=target.source)


_Event = Promotion | Invalidation | None
"""None is the instant of the invalidation that the preset knows of from the begin."""


def _list_events(scenario: Scenario, preset: Preset, begin: int) -> list[tuple[int, _Event]]:
    """What happens to this preset, in order; a promotion comes before an invalidation at the same instant."""
    template = preset.template_version.template.id
    promotions = [one for one in scenario.promotions if one.template_id == template]
    invalidations = [one for one in scenario.invalidations if one.preset_id == preset.id]
    known = preset.last_invalidated_at
    own: list[tuple[int, _Event]] = [(to_ticks(known), None)] if known and to_ticks(known) > begin else []
    events: list[tuple[int, _Event]] = [
        *((to_ticks(promotion.at), promotion) for promotion in promotions),
        *((to_ticks(invalidation.at), invalidation) for invalidation in invalidations),
    ]
    return sorted([*events, *own], key=itemgetter(0))
