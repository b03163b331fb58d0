"""The loop on keys: which presets a pass reads, and when, over a clock that stands still until the loop waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prebuilds import Schedule
from prebuilds.adapters.memory import MemoryPubSub, MemoryStore
from prebuilds.errors import CommitUnknownError, StoreUnavailableError
from prebuilds.runtime import (
    PREBUILDS_CHANGED,
    CancelPending,
    EffectOutcome,
    Message,
    OutcomeStatus,
    PassStatus,
    PresetResult,
    Reconciler,
    ReconcilerOptions,
    ReconciliationResult,
    Selection,
)
from prebuilds.runtime.loop.timing.agenda import EVERYTHING, Agenda, Timers, calculate_retry
from prebuilds.testing.clocks import ManualClock
from runtime.world import HOUR, MINUTE, NOW, SECOND, World, make_preset

RESYNC = 5 * MINUTE
ALL = "all"
Seen = tuple[timedelta, list[str] | str]


class WatchedStore(MemoryStore):
    """A store that notes which presets each plan reads. Reads raise the `errors` one after another; writes may hang."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[list[str] | str] = []
        self.errors: list[Exception] = []
        self.is_hanging = False
        self.hanging: Exception = TimeoutError("the row is locked")

    def transaction(self, **options: Any) -> Any:
        if options.get("read_only") and self.errors:
            raise self.errors.pop(0)
        return _Watched(super().transaction(**options), self)


class _Watched:
    def __init__(self, inner: Any, store: WatchedStore) -> None:
        self._inner = inner
        self._store = store

    def __enter__(self) -> Any:
        tx = self._inner.__enter__()
        read_rows, read = tx.read_rows, self._store.read

        def note(selection: Selection = Selection(), **options: Any) -> Any:  # noqa: B008 - it is frozen
            if "ended_since" in options:
                read.append(ALL if selection.preset_ids is None else sorted(selection.preset_ids))
            return read_rows(selection, **options)

        def hang(*_: Any, **__: Any) -> None:
            raise self._store.hanging

        tx.read_rows = note
        if self._store.is_hanging:
            tx.insert_prebuilds = hang
        return tx

    def __exit__(self, *error: object) -> Any:
        return self._inner.__exit__(*error)


class Run:
    """A loop that is run until a time, and what its passes read, when. `at` does something at a time."""

    def __init__(self, *presets: Any, **options: Any) -> None:
        self.store = WatchedStore()
        self.world = World(*presets, store=self.store, **options)
        self.pubsub = MemoryPubSub(MemoryStore())
        self.at: dict[timedelta, Callable[[], object]] = {}
        self.results: list[ReconciliationResult] = []
        self.seen: list[Seen] = []
        self.reconciler = Reconciler(
            self.world.store, self.world.builder, options=self._options(), pubsub=self.pubsub, on_result=self._note
        )

    def tell(self, *bodies: str) -> None:
        for body in bodies:
            self.pubsub.publish(Message(topic=PREBUILDS_CHANGED, body=body))

    def run(self, until: timedelta) -> list[Seen]:
        self.at[until] = self.reconciler.request_stop
        self.reconciler.run()
        return self.seen

    def _options(self) -> ReconcilerOptions:
        return attrs.evolve(self.world.options, clock=_Ticking(self.world.clock, self))

    def _note(self, result: ReconciliationResult) -> None:
        self.results.append(result)
        self.seen.append((self.world.clock.now() - NOW, self.store.read[-1]))


class _Ticking:
    """The clock of a loop. While the loop waits, it stops at each time at which something is to be done."""

    def __init__(self, clock: ManualClock, run: Run) -> None:
        self.now, self.monotonic = clock.now, clock.monotonic
        self._clock = clock
        self._run = run

    def wait(self, event: threading.Event, timeout: timedelta) -> bool:
        if event.is_set():
            return True
        end = self._clock.now() + timeout
        due = min((at for at in self._run.at if NOW + at <= end), default=None)
        self._clock.advance((end if due is None else NOW + due) - self._clock.now())
        if due is not None:
            self._run.at.pop(due)()
        return event.is_set()


def idle(name: str, **changes: Any) -> Any:
    """A preset that needs nothing."""
    return make_preset(id=name, desired_instances=0, **changes)


def at_minutes(*minutes: float) -> list[timedelta]:
    return [minute * MINUTE for minute in minutes]


def test_only_presets_that_something_happened_to_are_read() -> None:
    """All that have come are read at once, however often each was named."""
    run = Run(*map(idle, "abcdef"))
    run.at[MINUTE] = lambda: run.tell("c", "a", "c", "a", "c")
    run.at[2 * MINUTE] = lambda: run.tell("b")
    assert run.run(3 * MINUTE) == [(timedelta(), ALL), (MINUTE, ["a", "c"]), (2 * MINUTE, ["b"])]


def test_a_timer_fires_at_its_instant_for_its_preset_alone() -> None:
    """Here at the edges of windows. Two that are due at the same instant are read together."""
    at_ten = Schedule(cron="* 10 * * *", instances=1)
    at_eleven = Schedule(cron="* 11 * * *", instances=1)
    options = {"timezone": "UTC"}
    presets = [idle("a", schedules=[at_ten], **options), idle("b", schedules=[at_ten], **options), idle("c")]
    run = Run(*presets, idle("d", schedules=[at_eleven], **options), resync=24 * HOUR)
    seen = run.run(2 * HOUR)
    edges = [seen[0], *[(at, read) for at, read in seen if read != ALL]]
    assert edges == [(timedelta(), ALL), (HOUR / 2, ["a", "b"]), (1.5 * HOUR, ["a", "b", "d"])]


def test_everything_is_read_at_each_resync() -> None:
    """Whatever was lost is mended then: here a preset changed, and no message told of it."""
    run = Run(*map(idle, "ab"), resync=RESYNC)
    run.at[MINUTE] = lambda: run.world.put(make_preset(id="a", desired_instances=1))
    assert run.run(11 * MINUTE) == [(at, ALL) for at in at_minutes(0, 5, 10)]
    assert [len(result.done) for result in run.results] == [0, 2, 0]


def test_everything_is_read_after_a_message_for_all() -> None:
    """A pubsub sends it when messages may have been lost. Single events beside it are covered."""
    run = Run(*map(idle, "ab"))
    run.at[MINUTE] = lambda: run.tell("a", "", "b")
    assert run.run(2 * MINUTE) == [(timedelta(), ALL), (MINUTE, ALL)]


def test_the_lease_is_kept_between_passes() -> None:
    """Nothing happens for long, and no other reconciler takes over."""
    run = Run(idle("a"), resync=HOUR)
    rival = Reconciler(run.store, run.world.builder, options=run.world.options)
    statuses: list[PassStatus] = []
    for minute in range(1, 50, 7):
        run.at[minute * MINUTE] = lambda: statuses.append(rival.reconcile_all().status)
    run.run(50 * MINUTE)
    assert statuses == [PassStatus.NOT_LEADER] * 7


def test_everything_is_read_once_the_lease_was_taken_anew() -> None:
    """Another reconciler had it in between, and this one does not know what it missed."""
    run = Run(*map(idle, "ab"), resync=HOUR)

    def rob() -> None:
        with run.store.transaction() as tx:
            lease = tx.find_lease("prebuilds")
            assert lease
            tx.release_lease(lease)
            stolen = tx.take_lease("prebuilds", "thief", now=run.world.clock.now(), expires_at=run.world.clock.now())
            assert stolen

    run.at[MINUTE] = rob
    seen = run.run(5 * MINUTE)
    assert [read for _, read in seen] == [ALL, ALL]
    assert MINUTE <= seen[1][0] <= 2 * MINUTE


def test_a_standby_tries_to_take_over_at_the_interval() -> None:
    """It reads nothing, and looks at everything once it has the lease."""
    run = Run(idle("a"), resync=HOUR)
    leader = Reconciler(run.store, run.world.builder, options=run.world.options)
    leader.reconcile_all()
    run.store.read.append("nothing")
    run.at[20 * SECOND] = lambda: run.tell("a")
    run.at[40 * SECOND] = leader.stop
    seen = run.run(2 * MINUTE)
    statuses = [result.status for result in run.results]
    assert statuses == [*[PassStatus.NOT_LEADER] * 3, PassStatus.RECONCILED]
    assert seen[-1] == (45 * SECOND, ALL)


def set_paused(run: Run, *, is_paused: bool) -> None:
    """Without a message."""
    with run.store.transaction() as tx:
        tx.set_paused(paused=is_paused)


def test_a_pause_is_noticed_at_once_and_so_is_its_end() -> None:
    """Where messages come. While it lasts, no timer fires."""
    run = Run(make_preset(id="a", ttl=10 * SECOND, desired_instances=1), resync=HOUR)
    run.at[MINUTE] = lambda: (set_paused(run, is_paused=True), run.tell(""))
    run.at[3 * MINUTE] = lambda: (set_paused(run, is_paused=False), run.tell(""))
    run.run(4 * MINUTE)
    paused = [at for at, result in zip(run.seen, run.results, strict=True) if result.status is PassStatus.PAUSED]
    assert paused == [(MINUTE, ALL)]
    assert (3 * MINUTE, ALL) in run.seen


def test_a_pause_that_ended_unnoticed_is_found_by_an_event() -> None:
    """Everything was left alone while it lasted, so everything is looked at."""
    run = Run(*map(idle, "ab"), resync=HOUR)
    set_paused(run, is_paused=True)
    run.at[MINUTE] = lambda: (set_paused(run, is_paused=False), run.tell("b"))
    assert run.run(2 * MINUTE) == [(timedelta(), ALL), (MINUTE, ["b"]), (MINUTE, ALL)]


def test_a_failing_preset_waits_longer_each_time_and_holds_no_other() -> None:
    """5 s, 10 s, 20 s, 40 s, 80 s, and 160 s; others are read when something happens to them, without it."""
    run = Run(make_preset(id="bad", desired_instances=1), idle("good"), resync=24 * HOUR, interval=HOUR)
    run.store.is_hanging = True
    for minute in range(1, 8):
        run.at[minute * MINUTE + SECOND] = lambda: run.tell("good")
    seen = run.run(8 * MINUTE)
    bad = [at for at, read in seen if read == ["bad"]]
    assert [at // SECOND for at in bad] == [5, 15, 35, 75, 155, 315]
    assert [at for at, read in seen if read == ["good"]] == [minute * MINUTE + SECOND for minute in range(1, 8)]


def make_result(*under_way: str, failed: Sequence[str] = (), done: Sequence[str] = ()) -> ReconciliationResult:
    """A pass in which something failed or was done for some presets, and others are under way."""
    ends = [*((name, OutcomeStatus.FAILED) for name in failed), *((name, OutcomeStatus.DONE) for name in done)]
    presets = [PresetResult(preset_id=name, outcomes=[make_outcome(status)]) for name, status in ends]
    return ReconciliationResult(status=PassStatus.RECONCILED, started_at=NOW, presets=presets, under_way=under_way)


def make_outcome(status: OutcomeStatus) -> EffectOutcome:
    return EffectOutcome(effect=CancelPending(preset_id="bad"), status=status)


def test_a_preset_that_hangs_before_it_fails_waits_longer_each_time_too() -> None:
    """A pass that leaves it out, be it over this preset or over everything, does not count as success."""
    agenda, waits = Agenda(ManualClock(NOW)), []
    agenda.plan_whole(HOUR)
    for preset_ids in (["bad"], None, ["good"], ["bad", "good"]):
        agenda.note(make_result("bad"), preset_ids)
        agenda.note(make_result(failed=["bad"]), ["bad"])
        waits.append(agenda.find_next())
    assert waits == [5, 10, 20, 40]


@pytest.mark.parametrize("preset_ids", [None, ["bad"]])
@pytest.mark.parametrize("under_way", [[], ["bad"]])
def test_a_preset_that_hung_and_succeeded_begins_anew(preset_ids: list[str] | None, under_way: list[str]) -> None:
    """Even if it hangs again already."""
    agenda = Agenda(ManualClock(NOW))
    agenda.plan_whole(HOUR)
    agenda.note(make_result(failed=["bad"]), ["bad"])
    agenda.note(make_result(*under_way, done=["bad"]), preset_ids)
    agenda.note(make_result(failed=["bad"]), ["bad"])
    assert agenda.find_next() == 5


@pytest.mark.parametrize("error", [StoreUnavailableError("the disk is full"), CommitUnknownError("the server ended")])
def test_an_outage_of_the_store_is_no_failure_of_a_preset(error: Exception) -> None:
    """Its wait does not grow, so that the pools come back soon after an outage, however long that was."""
    run = Run(make_preset(id="p", desired_instances=1), resync=24 * HOUR, interval=HOUR)
    run.store.is_hanging, run.store.hanging = True, error
    assert [at // SECOND for at, _ in run.run(31 * SECOND)] == [0, 5, 10, 15, 20, 25, 30]


def test_a_failure_after_an_outage_is_the_first(caplog: pytest.LogCaptureFixture) -> None:
    """It waits for 5 s, and the next one for 10 s, as if the outage had not been."""
    caplog.set_level("CRITICAL")
    run = Run(make_preset(id="p", desired_instances=1), resync=24 * HOUR, interval=HOUR)
    run.store.is_hanging, run.store.hanging = True, StoreUnavailableError("the disk is full")

    def lock() -> None:
        run.store.hanging = TimeoutError("the row is locked")

    run.at[12 * SECOND] = lock
    assert [at // SECOND for at, _ in run.run(51 * SECOND)] == [0, 5, 10, 15, 20, 30, 50]


def test_a_preset_that_no_longer_fails_begins_anew() -> None:
    """Its next failure waits for 5 s again."""
    run = Run(make_preset(id="p", desired_instances=1), resync=24 * HOUR, interval=HOUR)
    run.store.is_hanging = True

    def mend() -> None:
        run.store.is_hanging = False

    def break_again() -> None:
        run.world.put(make_preset(id="p", desired_instances=2))
        run.store.is_hanging = True
        run.tell("p")

    run.at[30 * SECOND] = mend
    run.at[60 * SECOND] = break_again
    seconds = [at // SECOND for at, _ in run.run(2 * MINUTE)]
    assert seconds == [0, 5, 15, 35, 60, 65, 75, 95]


def test_presets_that_could_not_be_read_are_tried_again_soon() -> None:
    """After 5 s, and together; nothing else is read for it."""
    run = Run(*map(idle, "abc"))

    def break_and_tell() -> None:
        run.store.errors.append(OSError("the disk is full"))
        run.tell("a", "b")

    run.at[MINUTE] = break_and_tell
    assert run.run(2 * MINUTE) == [(timedelta(), ALL), (MINUTE + 5 * SECOND, ["a", "b"])]


def test_without_a_pubsub_everything_is_read_at_the_interval() -> None:
    """As nothing tells it of changes, whatever `resync` is."""
    world = World(idle("a"), interval=20 * SECOND)
    times: list[datetime] = []

    def note(result: ReconciliationResult) -> None:
        times.append(result.started_at)
        if len(times) == 3:
            reconciler.request_stop()

    reconciler = Reconciler(world.store, world.builder, options=world.options, on_result=note)
    reconciler.run()
    assert times == [NOW, NOW + 20 * SECOND, NOW + 40 * SECOND]


def test_several_presets_can_be_reconciled_by_hand() -> None:
    """They are read and planned at once; unknown ones are left out."""
    world = World(*map(idle, "abc"), store=WatchedStore())
    result = world.reconciler.reconcile_presets(["c", "ghost", "a", "a"])
    assert isinstance(world.store, WatchedStore)
    assert world.store.read == [["a", "c", "ghost"]]
    assert [decision.preset_id for decision in result.plan or ()] == ["a", "c"]


def test_a_pass_tells_when_to_look_at_each_preset_again() -> None:
    """Of those that it was over, as far as there is such an instant; the earliest is `next_change_at`."""
    world = World(
        make_preset(id="a", ttl=HOUR), make_preset(id="b", ttl=2 * HOUR), make_preset(id="c"), idle("d", ttl=HOUR)
    )
    world.fill()
    ends = {"a": NOW + HOUR + timedelta.resolution, "b": NOW + 2 * HOUR + timedelta.resolution}
    result = world.reconcile()
    assert (result.next_changes, result.next_change_at) == (ends, ends["a"])
    assert world.reconciler.reconcile_preset("b").next_changes == {"b": ends["b"]}
    assert world.reconciler.reconcile_preset("c").next_change_at is None


@pytest.mark.parametrize(
    ("times", "seconds"), [(1, 5), (2, 10), (3, 20), (4, 40), (5, 80), (6, 160), (7, 300), (1_000, 300)]
)
def test_the_wait_of_a_failing_preset_is_bounded(times: int, seconds: int) -> None:
    """So that what was mended is found without a reset."""
    assert calculate_retry(times) == seconds * SECOND


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abc"), st.none() | st.integers(0, 20)),
        st.tuples(st.just("take"), st.just(""), st.integers(0, 20)),
        st.tuples(st.just("replace"), st.just(""), st.dictionaries(st.sampled_from("abc"), st.integers(0, 20))),
    )
)


@given(ACTS)
def test_timers_are_a_mapping_from_presets_to_instants(acts: list[tuple[str, str, Any]]) -> None:
    """Setting one replaces it, whatever was in the heap before; each fires once, and none too early or too late."""
    timers, model = Timers(), dict[str, float]()
    for act, name, value in acts:
        if act == "put":
            timers.put(name, value)
            model.pop(name, None)
            model.update({} if value is None else {name: value})
        elif act == "replace":
            timers.replace(value)
            model = dict(value)
        else:
            due = {known for known, instant in model.items() if instant <= value}
            assert timers.take(value) == due
            model = {known: instant for known, instant in model.items() if known not in due}
        assert timers.find_next() == min(model.values(), default=None)


@given(st.lists(st.sampled_from(["a", "b", "c", EVERYTHING])))
def test_the_queue_has_each_preset_once(events: list[str]) -> None:
    """Or everything alone. What was taken is no longer in it."""
    agenda = Agenda(ManualClock(NOW))
    agenda.take()
    agenda.plan_whole(HOUR)
    for event in events:
        agenda.add(event)
    assert agenda.take() == (frozenset([EVERYTHING]) if EVERYTHING in events else frozenset(events))
    assert agenda.take() == frozenset()


def test_events_of_many_threads_are_all_kept() -> None:
    """None is lost between those who add and the one who takes."""
    agenda, names = Agenda(ManualClock(NOW)), [f"p{number}" for number in range(2_000)]
    agenda.take()
    agenda.plan_whole(HOUR)
    taken: set[str] = set()
    threads = [
        threading.Thread(target=lambda part=part: [agenda.add(name) for name in names[part::4]]) for part in range(4)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken |= agenda.take()
    assert taken | agenda.take() == set(names)


def count_by(reads: list[Seen]) -> Mapping[str, int]:
    """How often each preset was read by name."""
    names = [name for _, read in reads if read != ALL for name in read]
    return {name: names.count(name) for name in names}


def test_cost_follows_change_and_not_size() -> None:
    """Of 300 presets, three change for a while: the passes read these three, each once for all of its events."""
    run = Run(*(idle(f"p{number}") for number in range(300)), resync=HOUR)
    for second in range(1, 61):
        run.at[second * SECOND] = lambda: run.tell("p7", "p8", "p7", "p9", "p9")
    seen = run.run(2 * MINUTE)
    assert [read for _, read in seen].count(ALL) == 1
    assert count_by(seen) == {"p7": 60, "p8": 60, "p9": 60}
    assert len(seen) == 61
