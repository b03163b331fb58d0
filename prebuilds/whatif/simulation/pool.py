"""One simulated pool: a preset, the presets that succeed it, their builds, and the users who wait.

- The engine decides what happens next. The pool carries it out and records it.
- A start that is given up ends at once, and counts as a failed build; so does a stuck prebuild when it is deleted.
- A claim takes the oldest good prebuild of the active preset. A deletion takes no time.
- Waiting users are served in the order in which they came, each by the next prebuild that becomes ready. For each of
  them one build under way is spoken for. It no longer belongs to the pool, so the loop replaces it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from datetime import datetime
from heapq import heapify, heappop, heappush

import attrs

from prebuilds.decision.models import Build, BuildStatus, Prebuild, Preset, Transition
from prebuilds.decision.presets import PresetSnapshot, is_outdated, set_stage
from prebuilds.decision.targets import calculate_target, get_demand
from prebuilds.decision.unchecked import make_prebuild
from prebuilds.whatif.simulation.build_history import BuildHistory
from prebuilds.whatif.simulation.draws import BuildSampler, Mishap
from prebuilds.whatif.simulation.event_log import NEVER, ActivePreset, EventRecorder, PrebuildOutcome
from prebuilds.whatif.simulation.preset import SimulatedPreset, list_edges, succeed
from prebuilds.whatif.simulation.scenario import Scenario
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.traces.ticks import to_instant, to_ticks

NUMBER_BITS = 32  # one integer compares twice as fast as a pair
_NUMBER = 2**NUMBER_BITS - 1


class SimulatedPool:
    """The state of one pool at the current instant. `recorder` has everything that has happened."""

    def __init__(self, scenario: Scenario, preset: Preset, *, begin: int, end: int, seed: int) -> None:
        self._scenario = scenario
        self._can_wait = scenario.on_miss is OnMiss.WAIT
        self._sampler = BuildSampler(preset.id, scenario.find_lead_time(preset.id), scenario.mishap_rates, seed)
        self._since = begin
        self._mishaps: dict[int, Mishap] = {}
        self._given: dict[int, Prebuild] = {}
        self._of_builds: list[SimulatedPreset] = []
        self.edges = list_edges(preset, begin, end)
        self.demand = get_demand(preset, scenario.fleet.for_preset(preset.id, to_instant(begin)).demand)
        """What was claimed of the preset and its successors (R21)."""
        self.in_flight: list[int] = []
        """The builds under way: a heap of integers, the end of each build above its number in `NUMBER_BITS` bits."""
        self.waiting: deque[int] = deque()
        """When the waiting users came, the first one first."""
        self.recorder = EventRecorder()
        self.presets: list[SimulatedPreset] = []
        """The active preset, `current`, and its candidate. Before them, inactive ones that still have something."""
        self.current: SimulatedPreset
        self.candidate: SimulatedPreset | None = None
        self._begin(preset, begin)
        self.num_initial = len(self.recorder.created)

    def claim(self, now: int, place: int) -> None:
        """Serve a user. `place` is the place of the claim among all claims."""
        simulated, recorder = self.current, self.recorder
        number = simulated.take_oldest(now, recorder.created)
        simulated.is_changed = True
        if self.demand:
            self.demand = self.demand.note(to_instant(now), is_hit=number is not None)
        if number is not None:
            recorder.gone[number] = now
            recorder.outcomes[number] = PrebuildOutcome.CLAIMED
            return
        recorder.missed.append(place)
        if self._can_wait:
            self.waiting.append(now)
        else:
            recorder.waits.append(self._sampler.draw_own())

    def end_build(self) -> None:
        """End the next build under way."""
        build = heappop(self.in_flight)
        now, number = build >> NUMBER_BITS, build & _NUMBER
        simulated = self._of_builds[number]
        del simulated.starts[number]
        simulated.is_changed = True
        mishap = self._mishaps.get(number)
        # Prebuilds that were ready at the start are no news: nothing is known of their builds.
        if now > self._since and (mishap is not Mishap.NEVER_READY or simulated.preset.ready_deadline is None):
            self._note_build(simulated, number, now, is_failed=mishap is Mishap.FAILS)
        if mishap is Mishap.FAILS:
            self.recorder.close(number, now, PrebuildOutcome.FAILED)
        elif mishap is Mishap.NEVER_READY:
            self.recorder.never_ready.add(number)
            simulated.add(number, self._make_prebuild(simulated, number, ready=False))
        elif self.waiting and simulated is self.current:
            self.recorder.waits.append(now - self.waiting.popleft())
            self.recorder.close(number, now, PrebuildOutcome.AWAITED)
        elif number in self._given:
            self._add_given(simulated, number, self._given[number])
        else:
            simulated.add(number, self._make_prebuild(simulated, number, ready=True))

    def _add_given(self, simulated: SimulatedPreset, number: int, prebuild: Prebuild) -> None:
        simulated.add(number, prebuild)
        if is_outdated(simulated.preset, prebuild):
            simulated.outdated += (prebuild,)
            self.recorder.outdated.append(number)

    def create(self, simulated: SimulatedPreset, count: int, now: int, instant: datetime) -> None:
        """Begin builds, and draw their durations and mishaps."""
        ends = [now + lead for lead in self._sampler.draw_leads(count)]
        mishaps = self._sampler.draw_mishaps(count)
        for place, mishap in mishaps.items():
            if mishap is Mishap.HANGS:
                ends[place] = NEVER
        first = self._add_builds(simulated, now, instant, ends)
        self._mishaps.update({first + place: mishap for place, mishap in mishaps.items()})

    def delete(self, simulated: SimulatedPreset, ids: tuple[str, ...], snapshot: PresetSnapshot, now: int) -> None:
        """Delete prebuilds. The snapshot tells which of them have expired, and which are stuck."""
        outcomes = {row.id: PrebuildOutcome.EXPIRED for row in snapshot.expired}
        outcomes.update({row.id: PrebuildOutcome.FAILED for row in snapshot.stuck})
        for name, number in simulated.remove(ids):
            outcome = outcomes.get(name, PrebuildOutcome.DELETED)
            self.recorder.close(number, now, outcome)
            if number in self.recorder.never_ready and simulated.preset.ready_deadline is not None:
                is_failed = outcome is PrebuildOutcome.FAILED  # only now is it known how the start was
                self._note_build(simulated, number, now if is_failed else None, is_failed=is_failed)

    def give_up(self, simulated: SimulatedPreset, numbers: Collection[int], now: int) -> None:
        """End these starts, which are overdue."""
        self.in_flight[:] = [build for build in self.in_flight if build & _NUMBER not in numbers]
        heapify(self.in_flight)
        for number in numbers:
            del simulated.starts[number]
            self.recorder.ended[number] = now
            self.recorder.close(number, now, PrebuildOutcome.FAILED)
            self._note_build(simulated, number, now, is_failed=True)

    def promote(self, at: int) -> None:
        """Make the current preset inactive and begin its successor. Does nothing if it is inactive already."""
        old, candidate = self.current, self.candidate
        if not old.preset.is_active:
            return
        successor = self._make_successor()
        old.deactivate()
        if candidate:
            candidate.activate()
            self.current, self.candidate = candidate, None
            self.recorder.presets[candidate.place] = ActivePreset(since=at, preset=successor)
            self.recorder.hold(at, None)  # that of the old preset; the candidate may have the same, and tells its own
            self._serve_waiting(at)
        else:
            self.current = self._add_preset(successor, self._make_build_history(successor), at)
        self.demand = self.demand and attrs.evolve(self.demand, preset_id=successor.id)

    def stage(self, at: int) -> None:
        """Begin the successor of the current preset, which fills its pool and serves nobody yet (R17)."""
        if self.current.preset.is_active:
            candidate = set_stage(self._make_successor(), is_candidate=True)
            self.candidate = self._add_preset(candidate, self._make_build_history(candidate), at)
            self.recorder.presets[-1] = ActivePreset(since=NEVER, preset=candidate)

    def _make_successor(self) -> Preset:
        first, last_invalidated_at = self.recorder.presets[0].preset, self.current.preset.last_invalidated_at
        return succeed(attrs.evolve(first, last_invalidated_at=last_invalidated_at), self.current.place + 1)

    def _serve_waiting(self, now: int) -> None:
        """Give the waiting users what the promotion found ready."""
        while self.waiting:
            number = self.current.take_oldest(now, self.recorder.created)
            if number is None:
                return
            self.recorder.waits.append(now - self.waiting.popleft())
            self.recorder.close(number, now, PrebuildOutcome.AWAITED)

    def begin_invalidation(self, at: int) -> None:
        """Carry out an invalidation that the preset knew of beforehand, unless another one took its place."""
        simulated = self.current
        if simulated.preset.last_invalidated_at == to_instant(at) and simulated.invalidated_at < at:
            self.invalidate(at)

    def invalidate(self, at: int) -> None:
        """Expire the prebuilds that were created before. It replaces an invalidation that was still to come (R2)."""
        self.current.invalidate(at)
        if self.candidate:
            self.candidate.invalidate(at)
        self.recorder.invalidations.append(at)

    def take_snapshot(self, simulated: SimulatedPreset, instant: datetime) -> PresetSnapshot:
        """One of the presets, for a decision. Users wait, and claim, only at the active one."""
        if simulated is not self.current:
            return simulated.take_snapshot(instant, 0)
        self.demand = self.demand and self.demand.settle(instant)
        return simulated.take_snapshot(instant, len(self.waiting), self.demand)

    def forget(self) -> None:
        """Drop inactive presets that have nothing left."""
        self.presets = [simulated for simulated in self.presets if simulated is self.current or not simulated.is_over]

    def finish(self, end: int) -> None:
        """Serve the users who still wait from the builds under way, and record which builds will fail."""
        while self.waiting and self.in_flight:
            self.end_build()
        self.recorder.waits += [end - claimed for claimed in self.waiting]
        for number, mishap in self._mishaps.items():
            if mishap is Mishap.FAILS and self.recorder.outcomes[number] is None:
                self.recorder.close(number, self.recorder.ended[number], PrebuildOutcome.FAILED)

    def _begin(self, preset: Preset, begin: int) -> None:
        instant = to_instant(begin)
        if self._scenario.starts_full:
            self.current = self._add_preset(preset, self._make_build_history(preset), begin)
            full = [begin] * calculate_target(preset, now=instant, demand=self.demand).desired
            self._add_builds(self.current, begin, instant, full)
        else:
            self._begin_with_rows(preset, self._scenario.fleet.for_preset(preset.id, instant), begin)
        while self.in_flight and self.in_flight[0] >> NUMBER_BITS <= begin:
            self.end_build()

    def _begin_with_rows(self, preset: Preset, own: PresetSnapshot, begin: int) -> None:
        """Begin with the rows of the snapshot. A prebuild that is not ready takes a lead time, as a new build does."""
        build_history = BuildHistory(
            preset,
            self._scenario.policy,
            is_hard_limited=own.is_hard_limited,
            backoff=own.backoff,
            limit=own.limit,
        )
        self.current = self._add_preset(preset, build_history, begin)
        self.current.pending = own.pending
        for row in (*own.expired, *own.running):
            number = len(self.recorder.created)
            self._given[number] = attrs.evolve(row, ready=True)
            self.recorder.given.append((number, row.id))
            ready = begin + (0 if row.ready else self._sampler.draw_leads(1)[0])
            self._add_builds(self.current, to_ticks(row.created_at), row.created_at, [ready])
        starting = sum(row.count for row in own.in_progress if row.transition is Transition.START)
        self.create(self.current, starting, begin, own.now)

    def _make_build_history(self, preset: Preset) -> BuildHistory | None:
        """None if no build ever fails: then there is nothing to remember."""
        if not self._scenario.has_mishaps and preset.build_deadline is None:
            return None
        return BuildHistory(preset, self._scenario.policy, is_hard_limited=False, backoff=None)

    def _add_preset(self, preset: Preset, build_history: BuildHistory | None, since: int) -> SimulatedPreset:
        simulated = SimulatedPreset(preset, len(self.recorder.presets), build_history, self.edges, since)
        self.presets.append(simulated)
        self.recorder.presets.append(ActivePreset(since=since, preset=preset))
        return simulated

    def _add_builds(self, simulated: SimulatedPreset, now: int, instant: datetime, ends: Sequence[int]) -> int:
        first = self.recorder.open(now, instant, ends, simulated.place)
        self._of_builds += (simulated,) * len(ends)
        for number, end in enumerate(ends, first):
            simulated.starts[number] = instant
            if end < NEVER:
                heappush(self.in_flight, end << NUMBER_BITS | number)
        return first

    def _note_build(self, simulated: SimulatedPreset, number: int, now: int | None, *, is_failed: bool) -> None:
        """Add a build to the history, as it ended now, or when it was recorded to end."""
        if simulated.build_history is None:
            return
        build = Build(
            id=simulated.name_prebuild(number),
            preset_id=simulated.id,
            template_version_id=simulated.version_id,
            status=BuildStatus.FAILED if is_failed else BuildStatus.SUCCEEDED,
            created_at=self.recorder.created_at[number],
            finished_at=to_instant(self.recorder.ended[number] if now is None else now),
        )
        simulated.build_history.add(build)

    def _make_prebuild(self, simulated: SimulatedPreset, number: int, *, ready: bool) -> Prebuild:
        created_at, own = self.recorder.created_at[number], (simulated.id, simulated.template_id, simulated.version_id)
        started_at = None if ready else to_instant(self.recorder.ended[number])  # nobody asks it of a ready one
        return make_prebuild(simulated.name_prebuild(number), "", *own, None, created_at, ready, False, started_at)  # noqa: FBT003
