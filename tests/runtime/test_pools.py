"""The front door: one object wires everything over a store and a builder, and closes what it made."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import servers

from prebuilds import Budget, Policy, Preset, Transition
from prebuilds.adapters.memory import MemoryPubSub, MemoryStore
from prebuilds.adapters.sqlite import SQLiteStore
from prebuilds.errors import AlreadyRunningError, StoreClosedError, UnknownPresetError
from prebuilds.runtime import (
    BuildReports,
    BuildRequest,
    MissReason,
    PassStatus,
    Pools,
    ReconcilerOptions,
    ReconciliationResult,
    Store,
)
from runtime.world import make_preset

LONG = 60.0
NEVER = timedelta(days=1)
OPTIONS = ReconcilerOptions(interval=NEVER, resync=NEVER)


class Builder:
    """Does each build at once."""

    def __init__(self, reports: BuildReports) -> None:
        self._reports = reports

    def submit(self, request: BuildRequest, template_version_id: str, *, timeout: timedelta) -> None:  # noqa: ARG002
        if self._reports.begin(request.build_id):
            self._reports.succeed(request.build_id)
            if request.transition is Transition.START:
                self._reports.make_ready(request.workspace_id)


class Watch:
    """Waits until a store has so many ready prebuilds, looking after each pass."""

    def __init__(self) -> None:
        self._passed = threading.Condition()

    def note(self, _: ReconciliationResult) -> None:
        with self._passed:
            self._passed.notify_all()

    def wait_for(self, store: Store, count: int) -> None:
        with self._passed:
            assert self._passed.wait_for(lambda: count_ready(store) == count, LONG)


def count_ready(store: Store) -> int:
    with store.transaction(read_only=True) as tx:
        return sum(workspace.ready for workspace in tx.read_rows().prebuilds)


def put(store: Store, *presets: Preset) -> None:
    with store.transaction() as tx:
        for preset in presets:
            tx.put_preset(preset)


@contextmanager
def open_memory(_: Path, __: Callable[[], str]) -> Iterator[Store]:
    yield MemoryStore()


@contextmanager
def open_sqlite(folder: Path, _: Callable[[], str]) -> Iterator[Store]:
    with SQLiteStore(folder / "pools.db") as store:
        yield store


@contextmanager
def open_postgres(_: Path, find_dsn: Callable[[], str]) -> Iterator[Store]:
    database = servers.Database(find_dsn())
    try:
        yield database.make_new_store()
    finally:
        database.close()


@pytest.mark.parametrize("open_store", [open_memory, open_sqlite, open_postgres])
def test_a_pool_is_filled_claimed_from_and_refilled_at_once(
    open_store: Callable[..., AbstractContextManager[Store]], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Though the loop looks by itself once a day: the store's own pubsub tells it of the claim."""
    watch = Watch()
    with open_store(tmp_path, lambda: request.getfixturevalue("postgres_dsn")) as store:
        put(store, make_preset())
        with Pools(store, Builder, options=OPTIONS, on_result=watch.note) as pools:
            pools.start()
            watch.wait_for(store, 2)
            claim = pools.claim("p", owner_id="ann", name="dev", request_id="r")
            assert claim.workspace is not None
            assert pools.claim("p", owner_id="ann", name="dev", request_id="r").is_repeated
            watch.wait_for(store, 2)
        assert count_ready(store) == 2  # the store is open


def make_builder(reports: BuildReports) -> Builder:
    return Builder(reports)


@pytest.mark.parametrize("make", [Builder, make_builder])
def test_a_builder_may_be_made_from_the_reports(make: Callable[[BuildReports], Builder]) -> None:
    """By a class or a function; `builder` is what was made."""
    pools = Pools(MemoryStore(), make)
    assert isinstance(pools.builder, Builder)
    pools.close()


def test_a_builder_may_be_given() -> None:
    """It is used as it is."""
    store = MemoryStore()
    builder = Builder(BuildReports(store))
    put(store, make_preset())
    with Pools(store, builder) as pools:
        assert pools.builder is builder
        assert pools.reconciler.reconcile_all().status is PassStatus.RECONCILED
        assert pools.claim("p", owner_id="ann", name="dev").workspace is not None


def test_it_says_what_it_would_do_and_why() -> None:
    """For one preset, and changes nothing."""
    store = MemoryStore()
    put(store, make_preset(), make_preset(id="q"))
    with Pools(store, Builder) as pools:
        assert "p: create 2: 2 wanted, 0 running" in pools.explain("p")
        assert "q: " not in pools.explain("p")
        assert pools.claim("p", owner_id="ann", name="dev").reason is MissReason.NONE_ELIGIBLE
        with pytest.raises(UnknownPresetError):
            pools.explain("r")


def test_under_budgets_what_it_says_depends_on_all_presets() -> None:
    """The first of two presets gets the only create, so that the other's is withheld."""
    store = MemoryStore()
    put(store, make_preset(desired_instances=1), make_preset(id="q", desired_instances=1))
    options = ReconcilerOptions(policy=Policy(budgets=[Budget(max_creates_per_pass=1)]))
    with Pools(store, Builder, options=options) as pools:
        assert "withheld (budget fleet): create 1" in pools.explain("q")


def test_budgets_of_the_store_count_in_what_it_says() -> None:
    """They bound what the loop does, though the policy has none."""
    store = MemoryStore()
    put(store, make_preset(desired_instances=1), make_preset(id="q", desired_instances=1))
    with Pools(store, Builder) as pools:
        pools.controls.set_budget(Budget(max_creates_per_pass=1))
        assert "withheld (budget fleet): create 1" in pools.explain("q")


def test_a_loop_is_started_once() -> None:
    """A second `start` is an error, and so is a `start` after `stop`, as there is no way back."""
    with Pools(MemoryStore(), Builder, options=OPTIONS) as pools:
        pools.start()
        with pytest.raises(AlreadyRunningError):
            pools.start()
        pools.stop()
        with pytest.raises(AlreadyRunningError):
            pools.start()


def test_run_ends_when_it_is_asked_to() -> None:
    """From a hook, as from a signal handler. Claims work afterwards."""
    store = MemoryStore()
    put(store, make_preset())

    def end(_: ReconciliationResult) -> None:
        pools.request_stop()

    with Pools(store, Builder, options=OPTIONS, on_result=end) as pools:
        pools.run()
        assert pools.claim("p", owner_id="ann", name="dev").workspace is not None


class Deaf(MemoryPubSub):
    """Nobody can listen."""

    def subscribe(self, topic: str, listener: object) -> Callable[[], None]:  # noqa: ARG002
        raise OSError("no route")


def test_what_ended_the_loop_is_raised_at_the_end() -> None:
    """Once everything is closed. It hides no error of the block."""
    pools = Pools(MemoryStore(), Builder, pubsub=Deaf())
    pools.start()
    with pytest.raises(OSError, match="no route"):
        pools.close()
    broken = Pools(MemoryStore(), Builder, pubsub=Deaf())
    with pytest.raises(KeyError, match="block"):
        fail_within(broken)


def fail_within(pools: Pools) -> None:
    with pools:
        pools.start()
        raise KeyError("block")


def test_closing_from_within_the_loop_does_not_wait_for_itself() -> None:
    """A hook may close everything; the loop's thread then ends."""
    closed = threading.Event()

    def close(_: ReconciliationResult) -> None:
        pools.close()
        closed.set()

    pools = Pools(MemoryStore(), Builder, options=OPTIONS, on_result=close)
    pools.start()
    assert closed.wait(LONG)
    pools.close()


def test_what_was_made_is_closed_and_what_was_given_is_not(tmp_path: Path) -> None:
    """The store's own pubsub and the collector's thread end; a pubsub of the host's, and the store, go on."""
    with SQLiteStore(tmp_path / "pools.db") as store:
        put(store, make_preset(desired_instances=0))
        own, passed = store.make_pubsub(), threading.Event()
        with (
            Pools(store, Builder, options=OPTIONS, pubsub=own) as given,
            Pools(store, Builder, on_result=lambda _: passed.set()) as made,
        ):
            made.start()
            assert passed.wait(LONG)  # it listens then
            assert made.metrics is made.metrics
            assert list_threads() >= {"prebuilds-loop", "prebuilds-metrics", "prebuilds-sqlite-pubsub"}
        assert given.claim("p", owner_id="ann", name="dev").reason is MissReason.NONE_ELIGIBLE
        assert list_threads() & {"prebuilds-loop", "prebuilds-metrics", "prebuilds-sqlite-pubsub"} == set()
        own.subscribe("topic", lambda _: None)
        own.close()
        with pytest.raises(StoreClosedError):
            own.subscribe("topic", lambda _: None)


def test_metrics_that_are_asked_for_too_late_start_no_thread() -> None:
    """All is closed by then."""
    with Pools(MemoryStore(), Builder) as pools:
        pass
    assert pools.metrics is pools.metrics
    assert "prebuilds-metrics" not in list_threads()


def list_threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


class Plain:
    """A store without a pubsub of its own."""

    def __init__(self) -> None:
        store = MemoryStore()
        self.transaction = store.transaction
        self.max_connections = store.max_connections


def test_a_store_without_a_pubsub_does_with_none() -> None:
    """Claims and passes work; nothing wakes the loop."""
    store = Plain()
    put(store, make_preset())
    with Pools(store, Builder) as pools:
        pools.reconciler.reconcile_all()
        assert pools.claim("p", owner_id="ann", name="dev").workspace is not None
