"""A simulation has the states of the loop, instant by instant: both are driven by the same claims and compared.

The loop is the real one, over a store in memory, with a clock that stands still between instants. Its builder takes as
long for each start as the simulation supposes, and no time for a delete.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from prebuilds import Policy, Preset, TemplateVersion, Transition, plan
from prebuilds.adapters.memory import MemoryStore
from prebuilds.runtime import (
    BuildReports,
    BuildRequest,
    Claims,
    Reconciler,
    ReconcilerOptions,
    ReconciliationResult,
    read_fleet,
)
from prebuilds.testing.clocks import ManualClock
from prebuilds.whatif import Moment, SimulationResult, Trace, simulate

from .scenarios import BEGIN, END, MINUTE, SECOND, make_preset, make_scenario, presets

POLICY = Policy(backoff_interval=MINUTE, backoff_lookback=30 * MINUTE, failure_hard_limit=2)


class FixedBuilder:
    """Every start takes equally long. If they are to fail, all of them do after the first pass."""

    def __init__(self, reports: BuildReports, clock: ManualClock) -> None:
        self._reports, self._clock = reports, clock
        self.delay, self.fails = timedelta(), False
        self._under_way: dict[str, tuple[datetime, BuildRequest]] = {}

    def submit(self, request: BuildRequest, template_version_id: str, *, timeout: timedelta) -> None:  # noqa: ARG002
        delay = self.delay if request.transition is Transition.START else timedelta()
        self._under_way.setdefault(request.build_id, (self._clock.now() + delay, request))

    def cancel(self, build_id: str, *, timeout: timedelta) -> None:  # noqa: ARG002
        del self._under_way[build_id]
        self._reports.cancel(build_id)

    def list_ends(self) -> list[datetime]:
        return [at for at, _ in self._under_way.values()]

    def work(self) -> None:
        """End what is due by now."""
        for build_id, (at, request) in list(self._under_way.items()):
            if at <= self._clock.now():
                del self._under_way[build_id]
                self._end(request)

    def _end(self, request: BuildRequest) -> None:
        self._reports.begin(request.build_id)
        if self.fails and request.transition is Transition.START:
            self._reports.fail(request.build_id)
        else:
            self._reports.succeed(request.build_id)
            if request.transition is Transition.START:
                self._reports.make_ready(request.workspace_id)


class Loop:
    """The loop over a pool that is full at `begin` and learns of everything at once."""

    def __init__(self, preset: Preset, *, begin: datetime, delay: timedelta, fails: bool) -> None:
        self.clock, self.store = ManualClock(begin), MemoryStore()
        self.builder = FixedBuilder(BuildReports(self.store, clock=self.clock), self.clock)
        self.claims = Claims(self.store, clock=self.clock)
        options = ReconcilerOptions(clock=self.clock, policy=POLICY)
        self.reconciler = Reconciler(self.store, self.builder, options=options)
        with self.store.transaction() as tx:
            tx.put_preset(preset)
        self.wake()
        self.builder.delay, self.builder.fails = delay, fails
        self.hits: list[bool] = []

    def run(self, preset_id: str, trace: Trace) -> Iterator[tuple[Moment, datetime | None]]:
        """The counts whenever something happens, and when time alone changes the decision."""
        claims = list(trace)
        now = trace.begin
        while now <= trace.end:
            self.clock.advance(now - self.clock.now())
            self.builder.work()
            is_due = claims[:1] != [now]
            while claims[:1] == [now] or is_due:
                if not is_due:
                    self.claim(preset_id, claims.pop(0))
                result = self.wake()
                is_due = False
            assert result.plan is not None
            yield self.look(preset_id), result.plan.next_change_at
            now = min([*claims[:1], *self.builder.list_ends(), result.next_change_at or trace.end + MINUTE])

    def claim(self, preset_id: str, at: datetime) -> None:
        name = f"dev {at} {len(self.hits)}"
        self.hits.append(self.claims.claim(preset_id=preset_id, owner_id="ann", name=name).workspace is not None)

    def wake(self) -> ReconciliationResult:
        result = self.reconciler.reconcile_all()
        assert not result.failed
        self.builder.work()
        return result

    def look(self, preset_id: str) -> Moment:
        now = self.clock.now()
        with self.store.transaction(read_only=True) as tx:
            fleet = read_fleet(tx, now=now, policy=POLICY)
        state = plan(fleet.snapshot, now=now, policy=POLICY).for_preset(preset_id).decisions[0].state
        counts = {"running": state.actual, "eligible": state.eligible, "starting": state.starting}
        return Moment(preset_id=preset_id, at=now, target=state.desired, **counts)


def compare(preset: Preset, trace: Trace, *, delay: timedelta = 6 * MINUTE, fails: bool = False) -> SimulationResult:
    """Run both, compare hits, counts and wakes at every instant, and give what was simulated."""
    scenario = make_scenario(fleet=preset, lead_time=delay, failure_rate=float(fails), policy=POLICY)
    simulated = simulate(scenario, trace)
    loop = Loop(preset, begin=trace.begin, delay=delay, fails=fails)
    seen = list(loop.run(preset.id, trace))
    moments = [moment for moment, _ in seen]
    assert drop_repeats(moments) == drop_repeats(simulated.timeline)
    missed = set(simulated.pools[0].missed)
    assert loop.hits == [place not in missed for place in range(len(trace))]
    wakes = {decision.snapshot.now: decision.next_change_at for decision in simulated.log}
    if not fails:  # a failure has the loop wait for more than time
        assert {moment.at: wake for moment, wake in seen} == wakes
    return simulated


def drop_repeats(moments: object) -> list[Moment]:
    """The moments at which a count differs from the one before."""
    kept: list[Moment] = []
    for moment in moments:  # type: ignore[attr-defined]
        if not kept or attrs.evolve(moment, at=kept[-1].at) != kept[-1]:
            kept.append(moment)
    return kept


@pytest.mark.parametrize("ttl", [None, timedelta(hours=5)])
def test_an_invalidation_tonight_is_the_same_in_both(ttl: timedelta | None) -> None:
    """Field case 20: it is 09:00, and the invalidation is at 22:00. Nothing expires before it for it, and then once."""
    begin, tonight = BEGIN.replace(hour=9, minute=0), BEGIN.replace(hour=22, minute=0)
    preset = make_preset(
        desired_instances=2, ttl=ttl, last_invalidated_at=tonight, template_version=TemplateVersion(id="v1")
    )
    offsets = (timedelta(hours=3), timedelta(hours=12, minutes=58), timedelta(hours=13, minutes=3))
    trace = Trace.from_claims([begin + offset for offset in offsets], begin=begin, end=begin + timedelta(hours=15))
    simulated = compare(preset, trace)
    if ttl is None:
        at_night = [(moment.at, moment.eligible, moment.starting) for moment in simulated.timeline][-4:]
        assert at_night == [
            (tonight - 2 * MINUTE, 1, 1),
            (tonight, 0, 2),
            (tonight + 6 * MINUTE, 1, 1),
            (tonight + 10 * MINUTE, 2, 0),  # for the one that was being built when the invalidation came
        ]
        assert (simulated.hits, simulated.expired_unused) == (2, 2)


def test_an_invalidation_in_2099_is_as_good_as_none() -> None:
    """Field case 20."""
    trace = Trace.from_claims([BEGIN + 5 * MINUTE], begin=BEGIN, end=END)
    never = make_preset(last_invalidated_at=BEGIN.replace(year=2099))
    assert list(compare(never, trace).timeline) == list(compare(make_preset(), trace).timeline)


@settings(max_examples=60, deadline=None)
@example(preset=make_preset(build_deadline=5 * MINUTE), seconds=[60], delay=6 * MINUTE, fails=False)
@example(preset=make_preset(last_invalidated_at=BEGIN + 33 * MINUTE), seconds=[33 * 60], delay=SECOND, fails=False)
@example(preset=make_preset(ttl=10 * MINUTE), seconds=[1, 1, 1, 600, 601], delay=4 * MINUTE, fails=True)
@given(
    preset=presets(),
    seconds=st.lists(st.integers(1, 7_200), max_size=12),
    delay=st.sampled_from((SECOND, 4 * MINUTE, 6 * MINUTE)),
    fails=st.booleans(),
)
def test_a_simulation_has_the_states_of_the_loop(
    preset: Preset, seconds: list[int], delay: timedelta, *, fails: bool
) -> None:
    """With a ttl, windows, deadlines and an invalidation that is to come; with builds of which none fails, or all."""
    trace = Trace.from_claims([BEGIN + second * SECOND for second in seconds], begin=BEGIN, end=END)
    compare(preset, trace, delay=delay, fails=fails)
