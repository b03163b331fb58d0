"""Leaders: of several reconcilers with the same options, exactly one works, in one process and across forks."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from prebuilds import InvalidValueError
from prebuilds.adapters.memory import MemoryStore
from prebuilds.runtime import BuildRequest, Lease, PassStatus, Reconciler, ReconcilerOptions
from prebuilds.runtime.loop.leasing import HeldLease, take_lease
from prebuilds.testing.clocks import ManualClock
from runtime.world import NOW, SECOND, ScriptedBuilder, World, make_preset

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system forks no processes")


@pytest.mark.parametrize("options", [{}, {"options": ReconcilerOptions()}])
def test_only_one_of_two_reconcilers_in_a_process_works(options: dict[str, ReconcilerOptions]) -> None:
    """With the default options, or sharing one object of them: the second finds the lease taken, even amid a pass."""
    world = World(make_preset(desired_instances=5))
    builders = [ScriptedBuilder(world.reports) for _ in range(2)]
    first, second = (Reconciler(world.store, builder, **options) for builder in builders)
    statuses: list[PassStatus] = []
    builders[0].on_submit = lambda _: statuses.append(second.reconcile_all().status)
    assert first.reconcile_all().status is PassStatus.RECONCILED
    assert statuses == [PassStatus.NOT_LEADER] * 5
    assert len(world.list_prebuilds()) == 5
    assert first.stop()
    assert second.reconcile_all().status is PassStatus.RECONCILED


def test_a_given_holder_is_the_name_on_the_lease() -> None:
    """For hosts that tell their replicas apart themselves."""
    world = World(holder="replica 1")
    world.reconcile()
    assert take_lease(world.store, "prebuilds", "replica 2", world.clock, SECOND) is None
    lease = take_lease(world.store, "prebuilds", "replica 1", world.clock, SECOND)
    assert lease is not None
    assert lease.token == 1


COMMON = """
import os, signal, sys, threading
from datetime import timedelta
from prebuilds import Preset
from prebuilds.adapters.sqlite import SQLitePubSub, SQLiteStore
from prebuilds.runtime import Message, OutboxRelay, PassStatus, Reconciler

class Builder:
    def submit(self, request, template_version_id, *, timeout):
        on_submit()

def on_submit():
    pass

def fork(do):
    pid = os.fork()
    if pid == 0:
        signal.alarm(50)  # nothing of a test that fails stays behind
        try:
            do()
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    return pid

def wait_for(pid):
    assert os.waitpid(pid, 0)[1] == 0

def count():
    with store.transaction(read_only=True) as tx:
        return len(tx.read_rows().prebuilds)

store = SQLiteStore(sys.argv[1])
with store.transaction() as tx:
    tx.put_preset(Preset(id="p", desired_instances=5))
"""


def run(path: Path, code: str) -> None:
    """Run this code in a process, which must end well."""
    command = [sys.executable, "-W", "ignore", "-c", COMMON + textwrap.dedent(code), str(path / "store.db")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_fork
@pytest.mark.parametrize("options", ["", ", options=ReconcilerOptions(holder='named')"])
def test_a_forked_child_is_another_reconciler(options: str, tmp_path: Path) -> None:
    """It works in its own pass while the parent looks. The target is never exceeded, under any holder name."""
    code = f"""
    from prebuilds.runtime import ReconcilerOptions
    reconciler = Reconciler(store, Builder(){options})
    begun, begin = os.pipe()
    ended, end = os.pipe()

    def do():
        global on_submit
        os.close(end)  # so that nobody waits for a parent that has failed
        has_begun = []

        def on_submit():
            if not has_begun:
                has_begun.append(True)
                os.write(begin, b".")
                assert os.read(ended, 1)

        assert len(reconciler.reconcile_all().done) == 5

    child = fork(do)
    assert os.read(begun, 1)
    assert reconciler.reconcile_all().status is PassStatus.NOT_LEADER
    os.write(end, b".")
    wait_for(child)
    assert count() == 5
    """
    run(tmp_path, code)


@needs_fork
def test_a_child_does_not_have_the_lease_of_its_parent(tmp_path: Path) -> None:
    """It neither works under that lease nor gives it back."""
    code = """
    reconciler = Reconciler(store, Builder())
    assert reconciler.reconcile_all().status is PassStatus.RECONCILED

    def do():
        assert reconciler.reconcile_all().status is PassStatus.NOT_LEADER
        assert reconciler.stop()

    wait_for(fork(do))
    assert Reconciler(store, Builder()).reconcile_all().status is PassStatus.NOT_LEADER
    assert reconciler.reconcile_all().status is PassStatus.RECONCILED
    """
    run(tmp_path, code)


@needs_fork
def test_a_child_waits_for_no_thread_of_its_parent(tmp_path: Path) -> None:
    """It was forked off while the loop, and a relay, were at work in threads that the child does not have."""
    code = """
    class PubSub:
        def __init__(self):
            self.published = []
            self.hold = threading.Event()
            self.is_held = threading.Event()

        def publish(self, message):
            self.is_held.set()
            assert self.hold.wait(60)
            self.published.append(message.body)

        def subscribe(self, topic, listener):
            return lambda: None

    pubsub = PubSub()
    relay = OutboxRelay(store, pubsub)
    with store.transaction() as tx:
        tx.publish_on_commit(Message(topic="t", body="hello"))
    relaying = threading.Thread(target=relay.flush)
    relaying.start()
    assert pubsub.is_held.wait(60)
    submitting, go_on = threading.Event(), threading.Event()

    def on_submit():
        submitting.set()
        assert go_on.wait(60)

    reconciler = Reconciler(store, Builder(), pubsub=pubsub)
    loop = threading.Thread(target=reconciler.run)
    loop.start()
    assert submitting.wait(60)

    def do():
        assert reconciler.reconcile_all().status is PassStatus.NOT_LEADER
        pubsub.hold.set()
        assert relay.flush() == 1
        assert reconciler.stop(timeout=timedelta(seconds=30))

    child = fork(do)
    wait_for(child)
    pubsub.hold.set()
    go_on.set()
    assert reconciler.stop(timeout=timedelta(seconds=30))
    loop.join()
    relaying.join()
    """
    run(tmp_path, code)


def test_a_call_cannot_outlast_the_lease() -> None:
    """Its time-out is shorter. The error names both."""
    with pytest.raises(InvalidValueError) as caught:
        ReconcilerOptions(lease_duration=30 * SECOND)
    assert str(caught.value) == (
        "ReconcilerOptions.lease_duration: datetime.timedelta(seconds=30) is not allowed; it must be more than "
        "submit_timeout, which is datetime.timedelta(seconds=30): no call may outlast the lease"
    )
    options = ReconcilerOptions(lease_duration=30 * SECOND, submit_timeout=30 * SECOND - timedelta.resolution)
    with pytest.raises(InvalidValueError):
        attrs.evolve(options, submit_timeout=timedelta(seconds=31))


@pytest.mark.parametrize(
    ("longest_call", "renewed_after"), [(SECOND, 50 * SECOND), (50 * SECOND, 50 * SECOND), (90 * SECOND, 10 * SECOND)]
)
def test_a_lease_lasts_as_long_as_a_call_that_begins(longest_call: timedelta, renewed_after: timedelta) -> None:
    """It is renewed at half of its time, and earlier if less is left than a call may take."""
    store, clock = MemoryStore(), ManualClock(NOW)
    duration = 100 * SECOND
    lease = take_lease(store, "l", "h", clock, duration)
    assert lease is not None
    held = HeldLease(store, lease, clock=clock, duration=duration, longest_call=longest_call)
    clock.advance(renewed_after - timedelta.resolution)
    held.renew_if_due()
    assert held.lease.expires_at == NOW + duration
    clock.advance(timedelta.resolution)
    held.renew_if_due()
    assert held.lease.expires_at == NOW + renewed_after + duration


def test_the_lease_is_renewed_before_the_builder_is_called() -> None:
    """Though it was fresh when the effect began, as the store may have taken its time since."""
    world = World(make_preset(desired_instances=1))
    real = world.store.transaction
    rivals: list[Lease | None] = []

    def transaction(**options: Any):  # noqa: ANN202
        world.clock.advance(20 * SECOND if options.get("lease") else timedelta())
        return real(**options)

    def compete(_: BuildRequest) -> None:
        assert world.clock.now() == NOW + 40 * SECOND
        with real() as tx:
            later = NOW + 70 * SECOND  # when the call may still be under way
            rivals.append(tx.take_lease("prebuilds", "rival", now=later, expires_at=later + SECOND))

    world.store.transaction = transaction  # type: ignore[method-assign]
    world.builder.on_submit = compete
    assert world.reconcile().failed == ()
    assert rivals == [None]
