"""The engine runs one pool from begin to end. At every round, `decide` makes the decision, as it does in production.

- An engine runs its pool alone, with `run`. Pools that share budgets take their rounds together: see `shared_rounds`.
- Events at the same instant happen in this order: candidates staged, promotions and invalidations, ends of builds,
  claims, the round. If the scenario has no interval, each claim gets a round of its own.
- The engine skips a round that would decide as the last one did: that one had nothing to do, nothing has happened
  since, and time alone changes nothing yet (R12). With `every_round` it skips none; nothing else differs.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice, takewhile

from prebuilds.decision.actions import ActionType
from prebuilds.decision.models import Preset
from prebuilds.decision.plans.decisions import Decision, decide
from prebuilds.decision.plans.withholding import WithheldReason
from prebuilds.decision.policies.budgets import MINUTE, RecentStarts
from prebuilds.decision.presets import PresetSnapshot
from prebuilds.decision.targets import Target, calculate_target
from prebuilds.whatif.simulation.event_log import NEVER, EventLog, HoldReason, TargetChange
from prebuilds.whatif.simulation.events import Staging, list_events
from prebuilds.whatif.simulation.pool import NUMBER_BITS, SimulatedPool
from prebuilds.whatif.simulation.preset import SimulatedPreset
from prebuilds.whatif.simulation.scenario import Promotion, Scenario
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.traces.ticks import count_ticks, to_instant, to_ticks

_LATER = (
    WithheldReason.MAX_CREATES,
    WithheldReason.MAX_SURGE,
    WithheldReason.SLOW_START,
    WithheldReason.BUDGET,
)
"""Why a later pass may create more, though nothing else happens."""

_HOLDS = {
    WithheldReason.BUDGET: HoldReason.BUDGET,
    WithheldReason.SLOW_START: HoldReason.SLOW_START,
}


class Engine:
    """One pool and its claims. Run it once, then ask for its event log.

    `claims` are ticks in order, from `begin` to `end`.
    """

    def __init__(
        self, scenario: Scenario, preset: Preset, claims: tuple[int, ...], *, begin: int, end: int, seed: int
    ) -> None:
        self._scenario = scenario
        self.preset_id = preset.id
        self._preset = preset
        self._begin, self._end = begin, end
        self._interval = count_ticks(scenario.interval) if scenario.interval else None
        self._events = deque(list_events(scenario, preset, begin))
        self._claims = (*claims, NEVER)
        self._place = 0  # of the next claim
        self._rounds = 0
        self._targets: list[TargetChange] = []
        """What was decided on, for a preset with an autoscale: only its claims tell it."""
        self._pool = SimulatedPool(scenario, self._preset, begin=begin, end=end, seed=seed)

    def run(self, *, every_round: bool = False) -> Iterator[Decision]:
        """Yield the decision of each round after carrying it out."""
        for now in self._iterate_rounds():
            self.begin_round(now)
            due = [each for each in self.presets if every_round or each.is_due(now) or self.can_forget(each)]
            while due:
                for simulated in due:
                    yield self._decide(simulated, now)
                due = [each for each in due if each.is_changed] if self._interval is None else []
            self.end_round()
        self.finish()

    def can_forget(self, simulated: SimulatedPreset) -> bool:
        """Whether failures may be forgotten by now. Without an interval any event is the one that may find it so."""
        return self._interval is None and simulated.build_history is not None

    @property
    def presets(self) -> Sequence[SimulatedPreset]:
        """The active preset, its candidate, and those before that still have prebuilds or builds."""
        return self._pool.presets

    def begin_round(self, now: int) -> None:
        """Let everything happen up to a round."""
        self._rounds += 1
        self._pass_time(now)

    def end_round(self) -> None:
        """Forget the presets that are over."""
        if len(self._pool.presets) > 1:
            self._pool.forget()

    def make_log(self) -> EventLog:
        """Everything that has happened, once the engine has run."""
        pool = self._pool
        return EventLog(
            **pool.recorder.list_columns(),
            preset_id=self.preset_id,
            begin=self._begin,
            end=self._end,
            claims=self._claims[:-1],
            unserved=len(pool.waiting),
            num_initial=pool.num_initial,
            rounds=self._rounds,
            targets=tuple(self._list_targets()) if self._preset.autoscale is None else tuple(self._targets),
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
            now = self.find_next_moment()

    def find_next_moment(self) -> int:
        """The tick of the next event, or at which time alone changes a decision."""
        pool = self._pool
        return min(
            self._claims[self._place],
            pool.in_flight[0] >> NUMBER_BITS if pool.in_flight else NEVER,
            next((at for at, event in self._events if event), NEVER),
            *[simulated.next_change for simulated in pool.presets],
        )

    def _pass_time(self, now: int) -> None:
        """Let everything happen up to and including this tick."""
        while self._events and self._events[0][0] <= now:
            at, event = self._events.popleft()
            self._serve(at - 1)
            if event is None:
                self._pool.begin_invalidation(at)
            elif isinstance(event, Staging):
                self._pool.stage(at)
            elif isinstance(event, Promotion):
                self._pool.promote(at)
            else:
                self._pool.invalidate(at)
        self._serve(now)

    def _serve(self, now: int) -> None:
        """End builds and serve claims up to this tick; only one claim if each gets a round of its own."""
        pool, in_flight, claims, place = self._pool, self._pool.in_flight, self._claims, self._place
        claimed = claims[place]
        while True:
            ended = in_flight[0] >> NUMBER_BITS if in_flight else NEVER
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

    def _decide(self, simulated: SimulatedPreset, now: int) -> Decision:
        decision = decide(self.take_snapshot(simulated, now), self._scenario.policy)
        self.carry_out(simulated, decision, now)
        return decision

    def take_snapshot(self, simulated: SimulatedPreset, now: int) -> PresetSnapshot:
        """One of the presets, for a decision."""
        return self._pool.take_snapshot(simulated, to_instant(now))

    def list_recent_starts(self, preset_id: str, now: int) -> Sequence[RecentStarts]:
        """The starts that were begun in the last minute, as those of this preset."""
        pool, instant = self._pool, to_instant(now)
        begun = islice(reversed(pool.recorder.created_at), len(pool.recorder.created_at) - pool.num_initial)
        counts = Counter(takewhile(lambda at: at > instant - MINUTE, begun))
        return [RecentStarts(preset_id=preset_id, begun_at=at, count=count) for at, count in counts.items()]

    def carry_out(self, simulated: SimulatedPreset, decision: Decision, now: int) -> None:
        """Do what was decided, and note when the preset must be decided on again."""
        is_quiet = not (decision.actions or decision.withheld)
        # Time also lets old failures be forgotten, which R12 does not cover.
        simulated.is_changed = self._interval is not None and not (is_quiet and simulated.build_history is None)
        simulated.next_change = simulated.find_next_change(decision.snapshot, now)
        is_timed = decision.snapshot.limit or decision.refill_at or simulated.is_timed
        if is_timed and decision.next_change_at:
            simulated.next_change = min(simulated.next_change, to_ticks(decision.next_change_at))
        simulated.pending = 0  # this round has canceled them, or they have begun
        if not is_quiet:
            self._do(simulated, decision, now, decision.snapshot.now)
        overdue = simulated.list_overdue(decision.snapshot.now)
        if overdue:
            self._pool.give_up(simulated, overdue, now)
            simulated.is_changed = True
        simulated.next_change = min(simulated.next_change, simulated.find_build_deadline())
        if simulated is self._pool.current:
            self._note_hold(decision, now)
            self._note_target(decision.snapshot.target, now)

    def _do(self, simulated: SimulatedPreset, decision: Decision, now: int, instant: datetime) -> None:
        pool = self._pool
        for action in decision.actions:
            if action.type is ActionType.CREATE:
                pool.create(simulated, action.create, now, instant)
                if self._is_short(simulated, decision):
                    simulated.is_changed = True
            elif action.type is ActionType.DELETE:
                pool.delete(simulated, action.delete_ids, decision.snapshot, now)
                if any(withheld.reason is WithheldReason.MAX_SURGE for withheld in decision.withheld):
                    simulated.is_changed = True  # what is gone leaves room
                # What was replaced makes room for the next replacement, and what was stuck is a failed build.
                if simulated.has_lifetimes or decision.snapshot.stuck:
                    simulated.is_changed = True
            elif action.backoff_until is not None:
                simulated.next_change = min(simulated.next_change, to_ticks(action.backoff_until) + 1)

    def _is_short(self, simulated: SimulatedPreset, decision: Decision) -> bool:
        """Whether more must be created: waiting users took some, or a pass may not create more at once."""
        is_capped = any(withheld.reason in _LATER for withheld in decision.withheld)
        return is_capped or (bool(self._pool.waiting) and simulated is self._pool.current)

    def _note_hold(self, decision: Decision, now: int) -> None:
        recorder, backoff = self._pool.recorder, decision.snapshot.backoff
        until = decision.actions[0].backoff_until if decision.actions else None
        if decision.snapshot.is_hard_limited:  # a hard limit outlasts a backoff
            recorder.hold(now, HoldReason.HARD_LIMITED)
        elif until is not None and backoff is not None:
            recorder.hold(now, HoldReason.BACKOFF, to_ticks(until), backoff.num_failed)
        elif (reason := _find_hold(decision)) or recorder.is_held:
            recorder.hold(now, reason)

    def _note_target(self, target: Target, now: int) -> None:
        last = self._targets[-1] if self._targets else None
        if self._preset.autoscale and (last and (last.desired, last.source)) != (target.desired, target.source):
            self._targets.append(TargetChange(at=now, desired=target.desired, source=target.source))

    def finish(self) -> None:
        """Let happen what comes after the last round."""
        in_flight = self._pool.in_flight
        while self._claims[self._place] < NEVER or (in_flight and in_flight[0] >> NUMBER_BITS <= self._end):
            self._pass_time(self._end)
        self._pool.finish(self._end)

    def _list_targets(self) -> Iterator[TargetChange]:
        for at in (self._begin, *self._pool.edges):
            target = calculate_target(self._preset, now=to_instant(at))
            yield TargetChange(at=at, desired=target.desired, source=target.source)


def _find_hold(decision: Decision) -> HoldReason | None:
    """Why nothing, or not all, was created, if only something else than this pool can change that."""
    return next((_HOLDS[withheld.reason] for withheld in decision.withheld if withheld.reason in _HOLDS), None)
