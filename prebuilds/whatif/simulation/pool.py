"""The live pool: a preset of a simulation and those that succeed it, its builds and its users, while time passes.

- Whoever moves time on says what happens next; here is what then becomes of it.
- A claim takes the oldest good prebuild of the preset that is active. A deletion takes no time.
- A user who waits takes the next prebuild that becomes ready, the first come first. Of the builds under way as many as
  users wait are spoken for: they are no part of the pool any more, so that the loop replaces them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from heapq import heappop, heappush

import attrs

from prebuilds.decision.models import Build, BuildStatus, Prebuild, Preset, Transition
from prebuilds.decision.presets import PresetSnapshot, is_outdated
from prebuilds.decision.targets import calculate_target
from prebuilds.whatif.simulation.build_history import Outcomes
from prebuilds.whatif.simulation.draws import Builder
from prebuilds.whatif.simulation.event_log import Fate, Generation, Ledger
from prebuilds.whatif.simulation.preset import LivePreset, list_edges, succeed
from prebuilds.whatif.simulation.scenario import Scenario
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.traces.ticks import to_instant, to_ticks

NUMBER_BITS = 32  # whole numbers are compared in half the time that pairs are
_NUMBER = 2**NUMBER_BITS - 1
# An `UncheckedFactory` of prebuilds, written out: there is one prebuild to make for almost every claim.
_SETTERS = [getattr(Prebuild, field.name).__set__ for field in attrs.fields(Prebuild)]
_set_id, _set_name, _set_preset_id, _set_template_id, _set_version_id, *_set_rest = _SETTERS
_set_parameters, _set_created_at, _set_ready, _set_retired = _set_rest


class LivePool:
    """What there is of one pool at the instant up to which time has passed. `ledger` has all that happened."""

    def __init__(self, scenario: Scenario, preset: Preset, *, begin: int, end: int, seed: int) -> None:
        self._scenario = scenario
        self._can_wait = scenario.on_miss is OnMiss.WAIT
        self._builder = Builder(preset.id, scenario.find_lead_time(preset.id), scenario.failure_rate, seed)
        self._since = begin
        self._failing: set[int] = set()
        self._given: dict[int, Prebuild] = {}
        self._of_builds: list[LivePreset] = []
        self.edges = list_edges(preset, begin, end)
        self.flights: list[int] = []
        """The builds under way: a heap of their ends and numbers, each as one number that `NUMBER_BITS` part."""
        self.waiting: deque[int] = deque()
        """The ticks at which the users came who wait, the first come first."""
        self.ledger = Ledger()
        self.lives: list[LivePreset] = []
        """The presets of which something is left; the last one is `current`."""
        self._begin(preset, begin)
        self.num_initial = len(self.ledger.created)

    def claim(self, now: int, place: int) -> None:
        """A user claims; `place` is the claim's among all claims."""
        live, ledger = self.current, self.ledger
        number = live.take_oldest(now, ledger.created)
        live.is_changed = True
        if number is not None:
            ledger.gone[number] = now
            ledger.fates[number] = Fate.CLAIMED
            return
        ledger.missed.append(place)
        if self._can_wait:
            self.waiting.append(now)
        else:
            ledger.waits.append(self._builder.draw_own())

    def end_build(self) -> None:
        """The next of the builds under way ends."""
        flight = heappop(self.flights)
        now, number = flight >> NUMBER_BITS, flight & _NUMBER
        live = self._of_builds[number]
        live.under_way -= 1
        live.is_changed = True
        is_failed = number in self._failing
        if live.outcomes and now > self._since:  # what was ready at the begin has no outcome that anybody knows of
            live.outcomes.add(self._make_build(live, number, is_failed=is_failed))
        if is_failed:
            self.ledger.close(number, now, Fate.FAILED)
        elif self.waiting and live is self.current:
            self.ledger.waits.append(now - self.waiting.popleft())
            self.ledger.close(number, now, Fate.AWAITED)
        elif number in self._given:
            self._add_given(live, number, self._given[number])
        else:
            live.add(number, self._make_prebuild(live, number))

    def _add_given(self, live: LivePreset, number: int, prebuild: Prebuild) -> None:
        live.add(number, prebuild)
        if is_outdated(live.preset, prebuild):
            live.outdated += (prebuild,)
            self.ledger.outdated.append(number)

    def create(self, live: LivePreset, count: int, now: int, instant: datetime) -> None:
        """Begin builds, whose ends and failures are drawn."""
        first = self._add_builds(live, now, instant, [now + lead for lead in self._builder.draw_leads(count)])
        self._failing.update([first + place for place in self._builder.draw_failures(count)])

    def delete(self, live: LivePreset, ids: tuple[str, ...], snapshot: PresetSnapshot, now: int) -> None:
        """Delete prebuilds, which the snapshot tells the expired ones of."""
        expired = {row.id for row in snapshot.expired}
        for name, number in live.remove(ids):
            self.ledger.close(number, now, Fate.EXPIRED if name in expired else Fate.DELETED)

    def promote(self, at: int) -> None:
        """The preset becomes inactive, if it is not, and has a successor."""
        old = self.current
        if old.preset.is_active:
            first = self.ledger.presets[0].preset
            known = attrs.evolve(first, last_invalidated_at=old.preset.last_invalidated_at)
            successor = succeed(known, old.place + 1)
            old.deactivate()
            self._add_preset(successor, self._make_outcomes(successor), at)

    def begin_invalidation(self, at: int) -> None:
        """The instant of an invalidation that the preset has known of has come, unless another took its place."""
        live = self.current
        if live.preset.last_invalidated_at == to_instant(at) and live.invalidated_at < at:
            self.invalidate(at)

    def invalidate(self, at: int) -> None:
        """The prebuilds that were created before expire. An invalidation that was yet to come never does (R2)."""
        self.current.invalidate(at)
        self.ledger.invalidations.append(at)

    def forget(self) -> None:
        """Let go of inactive presets of which nothing is left."""
        self.lives = [live for live in self.lives if live is self.current or not live.is_over]

    def finish(self, end: int) -> None:
        """Serve those who still wait at the end with what is under way for them, and note which builds will fail."""
        while self.waiting and self.flights:
            self.end_build()
        self.ledger.waits += [end - claimed for claimed in self.waiting]
        for number in self._failing:
            if self.ledger.fates[number] is None:
                self.ledger.close(number, self.ledger.ended[number], Fate.FAILED)

    def _begin(self, preset: Preset, begin: int) -> None:
        instant = to_instant(begin)
        if self._scenario.starts_full:
            self._add_preset(preset, self._make_outcomes(preset), begin)
            full = [begin] * calculate_target(preset, instant).desired
            self._add_builds(self.current, begin, instant, full)
        else:
            self._begin_with_rows(preset, self._scenario.fleet.for_preset(preset.id, instant), begin)
        while self.flights and self.flights[0] >> NUMBER_BITS <= begin:
            self.end_build()

    def _begin_with_rows(self, preset: Preset, own: PresetSnapshot, begin: int) -> None:
        """What is there already; prebuilds that are not ready become so after a lead time, like builds under way."""
        policy, is_hard_limited, backoff = self._scenario.policy, own.is_hard_limited, own.backoff
        outcomes = Outcomes(preset, policy, is_hard_limited=is_hard_limited, backoff=backoff)
        self._add_preset(preset, outcomes, begin)
        self.current.pending = own.pending
        for row in (*own.expired, *own.running):
            self._given[len(self.ledger.created)] = attrs.evolve(row, ready=True)
            ready = begin + (0 if row.ready else self._builder.draw_leads(1)[0])
            self._add_builds(self.current, to_ticks(row.created_at), row.created_at, [ready])
        starting = sum(row.count for row in own.in_progress if row.transition is Transition.START)
        self.create(self.current, starting, begin, own.now)

    def _make_outcomes(self, preset: Preset) -> Outcomes | None:
        """None where no build fails, as is then known beforehand."""
        if not self._scenario.failure_rate:
            return None
        return Outcomes(preset, self._scenario.policy, is_hard_limited=False, backoff=None)

    def _add_preset(self, preset: Preset, outcomes: Outcomes | None, since: int) -> None:
        self.current = LivePreset(preset, len(self.ledger.presets), outcomes, self.edges, since)
        self.lives.append(self.current)
        self.ledger.presets.append(Generation(since=since, preset=preset))

    def _add_builds(self, live: LivePreset, now: int, instant: datetime, ends: Sequence[int]) -> int:
        first = self.ledger.open(now, instant, ends, live.place)
        self._of_builds += (live,) * len(ends)
        for number, end in enumerate(ends, first):
            heappush(self.flights, end << NUMBER_BITS | number)
        live.under_way += len(ends)
        return first

    def _make_build(self, live: LivePreset, number: int, *, is_failed: bool) -> Build:
        return Build(
            id=live.name_prebuild(number),
            preset_id=live.id,
            template_version_id=live.version_id,
            status=BuildStatus.FAILED if is_failed else BuildStatus.SUCCEEDED,
            created_at=self.ledger.created_at[number],
            finished_at=to_instant(self.ledger.ended[number]),
        )

    def _make_prebuild(self, live: LivePreset, number: int) -> Prebuild:
        prebuild = object.__new__(Prebuild)
        _set_id(prebuild, live.name_prebuild(number))
        _set_name(prebuild, "")
        _set_preset_id(prebuild, live.id)
        _set_template_id(prebuild, live.template_id)
        _set_version_id(prebuild, live.version_id)
        _set_parameters(prebuild, None)
        _set_created_at(prebuild, self.ledger.created_at[number])
        _set_ready(prebuild, True)  # noqa: FBT003
        _set_retired(prebuild, False)  # noqa: FBT003
        return prebuild
