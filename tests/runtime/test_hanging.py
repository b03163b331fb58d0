"""Submits that hang: they delay no other preset, and each build is handed over once, even if the call ends late."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from queue import SimpleQueue
from typing import Any

import pytest
from typing_extensions import Self

from prebuilds import Budget, BuildStatus, Policy, Transition
from prebuilds.adapters.memory import MemoryPubSub, MemoryStore
from prebuilds.errors import StoreUnavailableError
from prebuilds.runtime import (
    PREBUILDS_CHANGED,
    AddMembership,
    BuildRequest,
    Claims,
    CreatePrebuild,
    EffectOutcome,
    Isolation,
    Message,
    OutcomeStatus,
    PassStatus,
    Reconciler,
    ReconcilerOptions,
    ReconciliationResult,
)
from prebuilds.runtime.fleet_rows import select
from prebuilds.runtime.loop import reconciler
from prebuilds.runtime.loop.calls import timed_calls
from prebuilds.runtime.loop.timing import agenda
from prebuilds.testing import ManualClock, Script, ScriptedBuilder
from runtime.world import HOUR, MINUTE, NOW, SECOND, make_preset

GOOD = ("a", "b", "c")
NAMES = ("a", "bad", "b", "c")
LONG = 60.0


class Trouble:
    """Four presets, and a builder on which every submit for one of them hangs."""

    def __init__(self, max_connections: int) -> None:
        self.clock = ManualClock(NOW)
        self.store = MemoryStore(max_connections=max_connections)
        self.asked: Counter[str] = Counter()
        self.builder = ScriptedBuilder(
            self.store,
            self.clock,
            script=lambda request: Script.HANG if request.preset_id == "bad" else Script.SUCCEED,
            on_submit=lambda request, _: self.asked.update([request.build_id]),
        )
        options = ReconcilerOptions(clock=self.clock, submit_timeout=SECOND / 5)
        self.reconciler = Reconciler(self.store, self.builder, options=options)
        with self.store.transaction() as tx:
            for name in NAMES:
                tx.put_preset(make_preset(id=name, desired_instances=5))

    def round(self) -> ReconciliationResult:
        """A pass, all builds that were taken, and the interval."""
        result = self.reconciler.reconcile_all()
        self.builder.work()
        self.clock.advance(15 * SECOND)
        return result

    def list_ready(self, *names: str) -> list[int]:
        with self.store.transaction(read_only=True) as tx:
            return [sum(prebuild.ready for prebuild in tx.read_rows(select(name)).prebuilds) for name in names]

    def list_bad(self) -> list[BuildStatus]:
        with self.store.transaction(read_only=True) as tx:
            return [prebuild.last_build.status for prebuild in tx.read_rows(select("bad")).prebuilds]

    def put_bad(self, desired: int) -> None:
        with self.store.transaction() as tx:
            tx.put_preset(make_preset(id="bad", desired_instances=desired))

    def release(self) -> None:
        self.builder.release()
        for thread in threading.enumerate():
            if thread.name.startswith("prebuilds: "):
                thread.join(60)


@pytest.fixture(params=[2, 8])
def trouble(request: pytest.FixtureRequest) -> Iterator[Trouble]:
    made = Trouble(request.param)
    yield made
    made.release()


def count_hanging() -> int:
    return sum(thread.name.startswith("prebuilds: ") for thread in threading.enumerate())


def test_other_presets_converge_while_the_submits_of_one_hang(trouble: Trouble) -> None:
    """In one pass, and they stay full while users claim. The one takes its share of threads, and no more."""
    share = {2: 2, 8: 4}[trouble.store.max_connections]
    trouble.round()
    assert trouble.list_ready(*GOOD) == [5, 5, 5]
    claims = Claims(trouble.store, clock=trouble.clock)
    for number in range(10):
        for name in GOOD:
            assert claims.claim(name, owner_id=f"u{number}", name=name).workspace
        trouble.round()
        assert trouble.list_ready(*GOOD) == [5, 5, 5]
    assert count_hanging() == share
    assert max(trouble.asked.values()) == 1
    assert trouble.list_bad() == [BuildStatus.PENDING] * share


def test_a_pass_waits_for_one_submit_of_a_preset_that_hangs(trouble: Trouble) -> None:
    """All others of it are left for later, those of earlier passes and deletes too; then none at all is waited for."""
    results = [trouble.round() for _ in range(6)]
    bad = [[outcome for outcome in read(result, "bad") if is_call(outcome)] for result in results]
    failed = [[o.reason for o in outcomes if o.status is OutcomeStatus.FAILED] for outcomes in bad]
    timed_out = "CallTimedOutError: the builder's submit did not return within 0.2 s"
    share = {2: 2, 8: 4}[trouble.store.max_connections]
    assert failed == [[timed_out]] * share + [[]] * (6 - share)
    assert {outcome.status for outcomes in bad for outcome in outcomes} == {OutcomeStatus.FAILED, OutcomeStatus.SKIPPED}
    reasons = {outcome.reason for outcome in bad[-1]}
    assert reasons == {
        "an earlier call of the builder's submit for this build has not returned",
        f"{share} of its calls to the builder have not returned",
    }


def test_only_one_of_many_hanging_deletes_is_waited_for() -> None:
    """In a pass. The builder is not asked for the others; the next pass asks for another, up to the preset's share."""
    trouble = Trouble(8)
    trouble.builder = ScriptedBuilder(
        trouble.store,
        trouble.clock,
        script=lambda request: Script.HANG if request.transition is Transition.DELETE else Script.SUCCEED,
    )
    options = ReconcilerOptions(clock=trouble.clock, submit_timeout=SECOND / 5)
    trouble.reconciler = Reconciler(trouble.store, trouble.builder, options=options)
    trouble.round()
    trouble.put_bad(0)
    for passes in range(1, 3):
        reasons = Counter(outcome.reason for outcome in read(trouble.round(), "bad"))
        assert reasons == {
            "CallTimedOutError: the builder's submit did not return within 0.2 s": 1,
            "an earlier call of the preset did not return in time": 5 - passes,
            **({"an earlier call of the builder's submit for this build has not returned": 1} if passes > 1 else {}),
        }
        assert Counter(trouble.list_bad()) == {BuildStatus.PENDING: 5}
    trouble.release()
    for _ in range(2):
        trouble.round()
    assert trouble.list_bad() == []


def test_a_prebuild_serves_on_while_no_call_can_be_made_to_delete_it() -> None:
    """Its delete is not written before it can be handed over, as nobody could claim the prebuild from then on."""
    trouble, hangs = Trouble(8), threading.Event()
    trouble.builder = ScriptedBuilder(
        trouble.store, trouble.clock, script=lambda _: Script.HANG if hangs.is_set() else Script.SUCCEED
    )
    options = ReconcilerOptions(clock=trouble.clock, submit_timeout=SECOND / 5)
    trouble.reconciler = Reconciler(trouble.store, trouble.builder, options=options)
    trouble.round()
    hangs.set()
    trouble.put_bad(9)
    for _ in range(4):
        trouble.round()
    trouble.put_bad(3)
    reasons = Counter(outcome.reason for outcome in read(trouble.round(), "bad"))
    assert reasons["4 of its calls to the builder have not returned"] == 2
    assert Counter(trouble.list_bad()) == {BuildStatus.SUCCEEDED: 5, BuildStatus.PENDING: 4}
    trouble.release()


def read(result: ReconciliationResult, preset_id: str) -> tuple[EffectOutcome, ...]:
    (found,) = (preset for preset in result if preset.preset_id == preset_id)
    return found.outcomes


def is_call(outcome: EffectOutcome) -> bool:
    return hasattr(outcome.effect, "request")


def test_a_late_return_is_noted_and_not_asked_for_again(trouble: Trouble) -> None:
    """Once the submits return, their builds are done, and the pool fills. The builder was asked once for each build."""
    for _ in range(3):
        trouble.round()
    assert trouble.list_ready("bad") == [0]
    trouble.release()
    for _ in range(2):
        trouble.round()
    assert trouble.list_ready(*NAMES) == [5, 5, 5, 5]
    assert set(trouble.asked.values()) == {1}


def test_the_loop_looks_again_soon_for_what_hangs(trouble: Trouble) -> None:
    """Within 15 s, however long its interval is."""
    now = trouble.clock.now()
    assert trouble.reconciler.reconcile_all().next_change_at == now + 15 * SECOND


def test_what_is_exhausted_is_logged_once_for_all_passes(trouble: Trouble, caplog: pytest.LogCaptureFixture) -> None:
    """A warning that names the preset, not one for each pass."""
    for _ in range(9):
        trouble.round()
    share = {2: 2, 8: 4}[trouble.store.max_connections]
    told = [record.getMessage() for record in caplog.records if "failed" not in record.getMessage()]
    assert told == [f"bad: {share} of its calls to the builder have not returned; no more are made until one does"]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_builds_that_time_out_again_and_again_wait_longer() -> None:
    """A builder that answers by `TimeoutError` is asked a few times an hour for each build, not at each pass."""
    trouble = Trouble(8)
    trouble.builder = ScriptedBuilder(
        trouble.store,
        trouble.clock,
        script=lambda _: Script.TIME_OUT,
        on_submit=lambda request, _: trouble.asked.update([request.build_id]),
    )
    options = ReconcilerOptions(clock=trouble.clock)
    trouble.reconciler = Reconciler(trouble.store, trouble.builder, options=options)
    asked: list[timedelta] = []
    began = trouble.clock.now()
    first = ""
    while trouble.clock.now() < began + 60 * MINUTE:
        before = trouble.asked.copy()
        trouble.round()
        first = first or next(iter(trouble.asked))
        if trouble.asked[first] > before[first]:
            asked.append(trouble.clock.now() - began - 15 * SECOND)
    waits = [int((later - earlier).total_seconds()) for earlier, later in pairwise(asked)]
    assert waits == [15, 15, 30, 60, 120, 240, 480, 600, 600, 600, 600]


class HeldBuilder:
    """A builder whose submits for the preset `held` return only after `leave`. Each preset has an event for it.

    With an `error` they raise it then.
    """

    def __init__(self) -> None:
        self.asked = Counter[str]()
        self.error: Exception | None = None
        self.begun = {name: threading.Event() for name in ("held", "due")}
        self.leave = threading.Event()

    def submit(self, request: BuildRequest, template_version_id: str, *, timeout: timedelta) -> None:  # noqa: ARG002
        name = request.preset_id or ""
        self.asked[request.build_id] += 1
        self.begun[name].set()
        if name == "held":
            self.leave.wait(LONG)
            if self.error:
                raise self.error


class FailingStore(MemoryStore):
    """A store of which a read of the fleet fails once it `breaks`, and no other read."""

    def __init__(self) -> None:
        super().__init__(max_connections=2)
        self.breaks, self.has_failed = threading.Event(), threading.Event()

    def transaction(self, **options: Any) -> Any:
        if options.get("isolation") is Isolation.REPEATABLE_READ and self.breaks.is_set():
            self.breaks.clear()
            self.has_failed.set()
            raise StoreUnavailableError("the disk is full")
        return super().transaction(**options)


class HeldLoop:
    """A loop in a thread, with a submit that hangs."""

    def __init__(self, policy: Policy = Policy(), *, submit_timeout: timedelta = SECOND * 50) -> None:  # noqa: B008
        self.store, self.builder = FailingStore(), HeldBuilder()
        self.pubsub = MemoryPubSub(self.store)
        self.results = SimpleQueue[ReconciliationResult]()
        self.reconciler = Reconciler(
            self.store,
            self.builder,
            options=ReconcilerOptions(policy=policy, submit_timeout=submit_timeout),
            pubsub=self.pubsub,
            on_result=self.results.put,
        )
        self.thread = threading.Thread(target=self.reconciler.run)

    def want(self, name: str, count: int = 1) -> None:
        """Put the preset, which wants so many prebuilds, and tell the loop."""
        with self.store.transaction() as tx:
            tx.put_preset(make_preset(id=name, desired_instances=count))
        self.pubsub.publish(Message(topic=PREBUILDS_CHANGED, body=name))

    def await_pass(self, name: str) -> set[tuple[str, OutcomeStatus]]:
        """What the next pass that looked at this preset told, and how it ended."""
        return {(preset.preset_id, outcome.status) for preset in self.get(name) for outcome in preset.outcomes}

    def get(self, name: str) -> ReconciliationResult:
        """The result of the next pass that looked at this preset."""
        while True:
            result = self.results.get(timeout=LONG)
            if result.plan and name in {decision.preset_id for decision in result.plan}:
                return result

    def __enter__(self) -> Self:
        self.want("held")
        self.thread.start()
        assert self.builder.begun["held"].wait(LONG)
        return self

    def __exit__(self, *_: object) -> None:
        self.builder.leave.set()
        self.reconciler.stop()
        self.thread.join()


@pytest.fixture
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciler, "_PATIENCE", SECOND / 20)


@pytest.mark.usefixtures("_short_patience")
def test_a_preset_that_is_due_later_does_not_wait_for_one_that_hangs() -> None:
    """The loop goes on after a moment. The one that hangs is left out, even if it wants more by now.

    Once its submit returns, that is noted at once, though nothing else happens. The builder is asked once for each.
    """
    with HeldLoop() as held:
        assert held.await_pass("held") == set()
        held.want("due")
        assert held.builder.begun["due"].wait(20)
        assert held.await_pass("due") == {("due", OutcomeStatus.DONE)}
        held.want("held", 2)
        assert held.await_pass("held") == set()
        assert sum(held.builder.asked.values()) == 2
        held.builder.leave.set()
        assert held.await_pass("held") == {("held", OutcomeStatus.DONE)}
    assert set(held.builder.asked.values()) == {1}


@pytest.mark.usefixtures("_short_patience")
def test_a_result_is_not_lost_if_the_next_read_fails(caplog: pytest.LogCaptureFixture) -> None:
    """A later pass has it."""
    caplog.set_level("CRITICAL")
    with HeldLoop() as held:
        assert held.await_pass("held") == set()
        held.store.breaks.set()
        held.builder.leave.set()
        assert held.store.has_failed.wait(LONG)
        held.want("held")
        assert held.await_pass("held") == {("held", OutcomeStatus.DONE)}


@pytest.mark.usefixtures("_short_patience")
def test_a_reconciler_that_was_deposed_tells_how_its_work_ended() -> None:
    """Though it may no longer read or write: the builder has taken the build, and noting that has failed."""
    with HeldLoop() as held:
        assert held.await_pass("held") == set()
        with held.store.transaction() as tx:
            lease = tx.find_lease("prebuilds")
            assert lease
            tx.release_lease(lease)
            assert tx.take_lease("prebuilds", "thief", now=lease.expires_at, expires_at=lease.expires_at + HOUR)
        held.builder.leave.set()
        result = held.results.get(timeout=LONG)
        assert (result.status, result.plan) == (PassStatus.NOT_LEADER, None)
        assert [outcome.status for outcome in read(result, "held")] == [OutcomeStatus.DONE, OutcomeStatus.FAILED]


@pytest.mark.usefixtures("_short_patience")
def test_a_preset_is_in_a_result_once() -> None:
    """With what an earlier pass began first, and then what this one did."""
    with HeldLoop() as held:
        assert held.get("held").under_way == ("held",)
        held.want("held", 2)
        assert held.get("held").under_way == ("held",)
        held.builder.leave.set()
        result = held.get("held")
        (preset,) = result
        kinds = [type(outcome.effect) for outcome in preset.outcomes]
        assert (preset.preset_id, kinds) == ("held", [AddMembership, CreatePrebuild, CreatePrebuild])
        assert result.under_way == ()
        _, first, second = preset.outcomes
        assert preset.elapsed >= first.elapsed + second.elapsed


@pytest.mark.usefixtures("_short_patience")
def test_a_preset_that_hung_and_failed_waits_before_it_is_tried_again() -> None:
    """Its end is told at once. The pass that tells it asks for nothing more."""
    with HeldLoop() as held:
        assert held.await_pass("held") == set()
        held.want("held", 2)
        assert held.get("held").under_way == ("held",)  # so that no event is left that would ask again
        held.builder.error = TimeoutError("nobody answers")
        held.builder.leave.set()
        while not (result := held.get("held")).presets:
            assert result.under_way == ("held",)
        assert [outcome.status for outcome in read(result, "held")] == [OutcomeStatus.DONE, OutcomeStatus.FAILED]
        assert sum(held.builder.asked.values()) == 1


@pytest.mark.usefixtures("_short_patience")
def test_the_loop_looks_at_a_preset_at_once_when_a_late_call_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though no message comes, and its timer is far away."""
    monkeypatch.setattr(agenda, "RETRY", HOUR)
    monkeypatch.setattr(timed_calls, "_LONGEST_WAIT", HOUR)
    monkeypatch.setattr(timed_calls, "SOON", HOUR)
    with HeldLoop(submit_timeout=SECOND / 5) as held:
        while not (result := held.get("held")).presets:
            pass
        assert [outcome.status for outcome in read(result, "held")] == [OutcomeStatus.DONE, OutcomeStatus.FAILED]
        held.builder.leave.set()
        assert held.await_pass("held") == {("held", OutcomeStatus.DONE)}
        assert sum(held.builder.asked.values()) == 1


def test_a_preset_that_fails_does_not_wait_for_the_calls_of_another() -> None:
    """It is looked at again by its own failures, not whenever another may have ended."""
    trouble = Trouble(8)
    scripts = {"bad": Script.HANG, "a": Script.REFUSE}
    trouble.builder = ScriptedBuilder(
        trouble.store, trouble.clock, script=lambda request: scripts.get(request.preset_id or "", Script.SUCCEED)
    )
    options = ReconcilerOptions(clock=trouble.clock, submit_timeout=SECOND / 5, interval=HOUR)
    trouble.reconciler = Reconciler(trouble.store, trouble.builder, options=options)
    now = trouble.clock.now()
    changes = trouble.reconciler.reconcile_all().next_changes
    assert changes == {"bad": now + 15 * SECOND}
    trouble.release()


@pytest.mark.usefixtures("_short_patience")
def test_a_loop_that_stops_waits_for_what_is_under_way() -> None:
    """Its effect is written before the lease is given back, and told in a last result."""
    with HeldLoop() as held:
        held.want("due")
        assert held.builder.begun["due"].wait(20)
        assert held.await_pass("due") == {("due", OutcomeStatus.DONE)}
        held.reconciler.request_stop()
        held.builder.leave.set()
        held.thread.join(LONG)
        last = held.results.get(timeout=LONG)
        assert {(last.status, preset.preset_id) for preset in last} == {(PassStatus.RECONCILED, "held")}
    with held.store.transaction(read_only=True) as tx:
        assert [row.last_build.submitted for row in tx.read_rows(select("held")).prebuilds] == [True]


@pytest.mark.usefixtures("_short_patience")
def test_under_budgets_a_pass_waits_for_what_hangs() -> None:
    """What it creates uses up a budget, so no other plan is made meanwhile."""
    with HeldLoop(Policy(budgets=[Budget(max_instances=9)])) as held:
        held.want("due")
        assert not held.builder.begun["due"].wait(0.3)
        held.builder.leave.set()
        assert held.builder.begun["due"].wait(LONG)


@pytest.mark.usefixtures("_short_patience")
def test_a_budget_that_is_set_during_a_hang_is_kept() -> None:
    """The first pass that reads it waits for what hangs, reads everything again, and tells how the work ended."""
    with HeldLoop() as held:
        assert held.await_pass("held") == set()
        with held.store.transaction() as tx:
            tx.put_budget(Budget(max_instances=1))
        held.want("due")
        assert not held.builder.begun["due"].wait(0.3)
        held.builder.leave.set()
        assert held.await_pass("due") == {("held", OutcomeStatus.DONE)}
    assert not held.builder.begun["due"].is_set(), "`held` uses up the budget"
