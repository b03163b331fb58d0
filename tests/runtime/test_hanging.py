"""Submits that hang: they delay no other preset, and each build is handed over once, even if the call ends late."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest

from prebuilds import BuildStatus, Transition
from prebuilds.adapters.memory import MemoryStore
from prebuilds.runtime import Claims, EffectOutcome, OutcomeStatus, Reconciler, ReconcilerOptions, ReconciliationResult
from prebuilds.runtime.fleet_rows import select
from prebuilds.testing import ManualClock, Script, ScriptedBuilder
from runtime.world import MINUTE, NOW, SECOND, make_preset

GOOD = ("a", "b", "c")
NAMES = ("a", "bad", "b", "c")


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
