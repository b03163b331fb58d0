"""The engine: runs one pool from begin to end, and lets the production decision decide at every round.

- Of what happens at one instant the order is: promotions and invalidations, ends of builds, claims, the round. Where
  the loop wakes at once, each claim has a round of its own.
- A claim takes the oldest good prebuild of the preset that is active. A deletion takes no time.
- A user who waits takes the next prebuild that becomes ready, the first come first. Of the builds under way as many as
  users wait are spoken for: they are no part of the pool any more, so that the loop replaces them.
- A round is left out when nothing has happened since the last one, which had nothing to do, and time alone changes
  nothing yet (R12): it would decide as that one did. `every_round` leaves none out, and nothing else differs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from heapq import heappop, heappush
from operator import itemgetter

import attrs

from prebuilds.decision.actions import ActionType
from prebuilds.decision.fields import Maker
from prebuilds.decision.models import Build, BuildStatus, Prebuild, Preset, Transition
from prebuilds.decision.planning import Decision, decide
from prebuilds.decision.presets import PresetSnapshot
from prebuilds.decision.targets import calculate_target
from prebuilds.whatif.builder import Builder
from prebuilds.whatif.livepresets import LivePreset, list_edges, name_prebuild, succeed
from prebuilds.whatif.misses import OnMiss
from prebuilds.whatif.outcomes import Outcomes
from prebuilds.whatif.records import NEVER, Fate, Generation, HoldReason, Ledger, PoolRecord, TargetChange
from prebuilds.whatif.scenarios import Invalidation, Promotion, Scenario
from prebuilds.whatif.traces import count_ticks, to_instant, to_ticks

_make_prebuild = Maker(Prebuild)
_make_build = Maker(Build)


class Engine:
    """One pool: a preset of the scenario, those that succeed it, and the claims that they are to serve.

    `claims` are ticks in order, from `begin` to `end`. Run it once, then ask for its record.
    """

    def __init__(
        self, scenario: Scenario, preset: Preset, claims: tuple[int, ...], *, begin: int, end: int, seed: int
    ) -> None:
        self._scenario = scenario
        self._preset_id = preset.id
        self._begin, self._end = begin, end
        self._interval = count_ticks(scenario.interval) if scenario.interval else None
        self._can_wait = scenario.on_miss is OnMiss.WAIT
        self._builder = Builder(preset.id, scenario.find_lead_time(preset.id), scenario.failure_rate, seed)
        self._events = deque(_list_events(scenario, preset))  # each with its tick
        self._edges = list_edges(preset, begin, end)
        self._claims = (*claims, NEVER)
        self._place = 0  # of the next claim
        self._flights: list[tuple[int, int]] = []  # builds under way: a heap of their ends and numbers
        self._failing: set[int] = set()
        self._given: dict[int, Prebuild] = {}
        self._waiting: deque[int] = deque()
        self._ledger = Ledger()
        self._lives: list[LivePreset] = []
        self._of_builds: list[LivePreset] = []
        self._begin_with(preset)
        self._num_initial = len(self._ledger.created)

    def run(self, *, every_round: bool = False) -> Iterator[Decision]:
        """The decisions, round by round, each already carried out when it is given."""
        for now in self._iterate_rounds():
            self._ledger.rounds += 1
            self._pass_time(now)
            for live in self._lives:
                if live.is_changed or live.next_change <= now or every_round:
                    yield self._decide(live, now)
                while live.is_changed and self._interval is None:
                    yield self._decide(live, now)
            if len(self._lives) > 1:
                self._lives = [live for live in self._lives if live is self._current or not live.is_over]
        self._finish()

    def make_record(self) -> PoolRecord:
        """What has happened."""
        ledger = self._ledger
        return PoolRecord(
            preset_id=self._preset_id,
            begin=self._begin,
            end=self._end,
            claims=self._claims[:-1],
            missed=tuple(ledger.missed),
            waits=tuple(ledger.waits),
            unserved=len(self._waiting),
            created=tuple(ledger.created),
            ended=tuple(ledger.ended),
            gone=tuple(ledger.gone),
            fates=tuple(ledger.fates),
            generations=tuple(ledger.generations),
            num_initial=self._num_initial,
            rounds=ledger.rounds,
            presets=tuple(ledger.presets),
            targets=tuple(self._list_targets()),
            holds=tuple(ledger.holds),
            invalidations=tuple(ledger.invalidations),
            interval=self._interval,
            can_wait=self._can_wait,
        )

    def _begin_with(self, preset: Preset) -> None:
        begin = to_instant(self._begin)
        if self._scenario.starts_full:
            self._add_preset(preset, self._make_outcomes(preset))
            full = [self._begin] * calculate_target(preset, begin).desired
            self._add_builds(self._current, self._begin, begin, full)
        else:
            self._begin_with_rows(self._scenario.fleet.for_preset(preset.id, begin))
        self._end_builds(self._begin)

    def _begin_with_rows(self, own: PresetSnapshot) -> None:
        """What is there already; prebuilds that are not ready become so after a lead time, like builds under way."""
        outcomes = Outcomes(own.preset, self._scenario.policy, is_hard_limited=own.is_hard_limited, backoff=own.backoff)
        self._add_preset(own.preset, outcomes)
        self._current.pending = own.pending
        for row in (*own.expired, *own.running):
            self._given[len(self._ledger.created)] = attrs.evolve(row, ready=True)
            ready = self._begin + (0 if row.ready else self._builder.draw_leads(1)[0])
            self._add_builds(self._current, to_ticks(row.created_at), row.created_at, [ready])
        starting = sum(row.count for row in own.in_progress if row.transition is Transition.START)
        self._create(self._current, starting, self._begin, own.now)

    def _make_outcomes(self, preset: Preset) -> Outcomes | None:
        """None where no build fails, as is then known beforehand."""
        if not self._scenario.failure_rate:
            return None
        return Outcomes(preset, self._scenario.policy, is_hard_limited=False, backoff=None)

    def _add_preset(self, preset: Preset, outcomes: Outcomes | None, since: int | None = None) -> None:
        self._current = LivePreset(preset, len(self._ledger.presets), outcomes, self._edges)
        self._lives.append(self._current)
        self._ledger.presets.append(Generation(since=self._begin if since is None else since, preset=preset))

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
        return min(
            self._claims[self._place],
            self._flights[0][0] if self._flights else NEVER,
            self._events[0][0] if self._events else NEVER,
            *(live.next_change for live in self._lives),
        )

    def _pass_time(self, now: int) -> None:
        """Let everything happen up to this tick, which is included."""
        while self._events and self._events[0][0] <= now:
            at, event = self._events.popleft()
            self._serve(at - 1)
            self._carry_out_event(at, event)
        self._serve(now)

    def _serve(self, now: int) -> None:
        """Ends of builds and claims up to this tick; of the claims only one, where each has a round of its own."""
        flights, claims = self._flights, self._claims
        while True:
            ended = flights[0][0] if flights else NEVER
            claimed = claims[self._place]
            if ended <= claimed:
                if ended > now:
                    return
                self._end_build(*heappop(flights))
            elif claimed > now:
                return
            else:
                self._claim(claimed)
                if self._interval is None:
                    return

    def _claim(self, now: int) -> None:
        live, ledger = self._current, self._ledger
        number = live.take_oldest(now, ledger.created)
        live.is_changed = True
        if number is not None:
            ledger.gone[number] = now
            ledger.fates[number] = Fate.CLAIMED
        else:
            ledger.missed.append(self._place)
            if self._can_wait:
                self._waiting.append(now)
            else:
                ledger.waits.append(self._builder.draw_own())
        self._place += 1

    def _end_build(self, now: int, number: int) -> None:
        live = self._of_builds[number]
        live.under_way -= 1
        live.is_changed = True
        is_failed = number in self._failing
        if live.outcomes:
            live.outcomes.add(self._make_build(live, number, is_failed=is_failed))
        if is_failed:
            self._ledger.close(number, now, Fate.FAILED)
        elif self._waiting and live is self._current:
            self._ledger.waits.append(now - self._waiting.popleft())
            self._ledger.close(number, now, Fate.AWAITED)
        else:
            live.add(number, self._given.get(number) or self._make_prebuild(live, number))

    def _make_build(self, live: LivePreset, number: int, *, is_failed: bool) -> Build:
        return _make_build(
            name_prebuild(live.preset, number),
            live.preset.id,
            Transition.START,
            BuildStatus.FAILED if is_failed else BuildStatus.SUCCEEDED,
            self._ledger.created_at[number],
            to_instant(self._ledger.ended[number]),
        )

    def _make_prebuild(self, live: LivePreset, number: int) -> Prebuild:
        preset = live.preset
        return _make_prebuild(
            name_prebuild(preset, number),
            "",
            preset.id,
            preset.template_version.template.id,
            preset.template_version.id,
            self._ledger.created_at[number],
            True,  # noqa: FBT003
        )

    def _end_builds(self, now: int) -> None:
        while self._flights and self._flights[0][0] <= now:
            self._end_build(*heappop(self._flights))

    def _decide(self, live: LivePreset, now: int) -> Decision:
        instant = to_instant(now)
        decision = decide(live.take_snapshot(instant, self._count_spoken_for(live)), self._scenario.policy)
        live.pending = 0  # canceled by this round, or begun
        live.is_changed = False
        live.next_change = min(live.find_next_edge(now), live.find_expiry(decision.snapshot))
        if decision.actions or decision.withheld:
            self._carry_out(live, decision, now, instant)
        if live is self._current:
            self._note_hold(decision, now)
        # With failures in the past, time changes more than R12 can tell of: they are forgotten.
        if self._interval is not None and (decision.actions or decision.withheld or live.outcomes):
            live.is_changed = True
        return decision

    def _count_spoken_for(self, live: LivePreset) -> int:
        return len(self._waiting) if live is self._current else 0

    def _carry_out(self, live: LivePreset, decision: Decision, now: int, instant: datetime) -> None:
        for action in decision.actions:
            if action.type is ActionType.CREATE:
                self._create(live, action.create, now, instant)
                # Who waits has taken some of them, so that there are as many to create again.
                live.is_changed = bool(self._waiting) and live is self._current
            elif action.type is ActionType.DELETE:
                self._delete(live, action.delete_ids, decision.snapshot, now)
            elif action.backoff_until is not None:
                live.next_change = min(live.next_change, to_ticks(action.backoff_until) + 1)

    def _create(self, live: LivePreset, count: int, now: int, instant: datetime) -> None:
        first = self._add_builds(live, now, instant, [now + lead for lead in self._builder.draw_leads(count)])
        for number, is_failing in enumerate(self._builder.draw_failures(count), first):
            if is_failing:
                self._failing.add(number)

    def _add_builds(self, live: LivePreset, now: int, instant: datetime, ends: Sequence[int]) -> int:
        first = self._ledger.open(now, instant, ends, live.place)
        self._of_builds += (live,) * len(ends)
        for number, end in enumerate(ends, first):
            heappush(self._flights, (end, number))
        live.under_way += len(ends)
        return first

    def _delete(self, live: LivePreset, ids: tuple[str, ...], snapshot: PresetSnapshot, now: int) -> None:
        expired = {row.id for row in snapshot.expired}
        for name, number in live.remove(ids):
            self._ledger.close(number, now, Fate.EXPIRED if name in expired else Fate.DELETED)

    def _note_hold(self, decision: Decision, now: int) -> None:
        until = decision.actions[0].backoff_until if decision.actions else None
        backoff = decision.snapshot.backoff
        if until is not None and backoff is not None:
            self._ledger.hold(now, HoldReason.BACKOFF, to_ticks(until), backoff.num_failed)
        elif decision.snapshot.is_hard_limited:
            self._ledger.hold(now, HoldReason.HARD_LIMITED)
        elif self._ledger.is_held:
            self._ledger.hold(now, None)

    def _carry_out_event(self, at: int, event: Promotion | Invalidation) -> None:
        old = self._current
        if isinstance(event, Invalidation):
            old.invalidate(at)
            self._ledger.invalidations.append(at)
        elif old.preset.is_active:
            successor = succeed(self._ledger.presets[0].preset, old.place + 1)
            old.deactivate()
            self._add_preset(successor, self._make_outcomes(successor), at)

    def _finish(self) -> None:
        """What happens after the last round, and to those who still wait: they get what is under way for them."""
        while self._claims[self._place] < NEVER or (self._flights and self._flights[0][0] <= self._end):
            self._pass_time(self._end)
        while self._waiting and self._flights:
            self._end_build(*heappop(self._flights))
        self._ledger.waits += [self._end - claimed for claimed in self._waiting]
        for _, number in self._flights:
            if number in self._failing:
                self._ledger.close(number, self._ledger.ended[number], Fate.FAILED)

    def _list_targets(self) -> Iterator[TargetChange]:
        preset = self._ledger.presets[0].preset
        for at in (self._begin, *self._edges):
            target = calculate_target(preset, to_instant(at))
            yield TargetChange(at=at, desired=target.desired, source=target.source)


def _list_events(scenario: Scenario, preset: Preset) -> list[tuple[int, Promotion | Invalidation]]:
    """What happens to this preset, in order; a promotion comes before an invalidation at the same instant."""
    template = preset.template_version.template.id
    events: list[Promotion | Invalidation] = [
        *(promotion for promotion in scenario.promotions if promotion.template_id == template),
        *(invalidation for invalidation in scenario.invalidations if invalidation.preset_id == preset.id),
    ]
    return sorted(((to_ticks(event.at), event) for event in events), key=itemgetter(0))
