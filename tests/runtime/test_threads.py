"""Reconcilers beside asyncio: they take no thread from it, and it can always stop them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from prebuilds.adapters.memory import MemoryPubSub, MemoryStore
from prebuilds.errors import AlreadyRunningError
from prebuilds.runtime import (
    SYSTEM_CLOCK,
    PassStatus,
    Reconciler,
    ReconcilerOptions,
    ReconciliationResult,
    Shard,
    run_in_threads,
)
from runtime.world import World, make_preset

LONG = 60.0


def make_reconciler(
    world: World, passed: Callable[[ReconciliationResult], None] = lambda _: None, **options: object
) -> Reconciler:
    settings = ReconcilerOptions(interval=timedelta(days=1), clock=SYSTEM_CLOCK, **options)  # type: ignore[arg-type]
    return Reconciler(world.store, world.builder, options=settings, on_result=passed)


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        await asyncio.wait_for(main(), LONG)

    asyncio.run(limited())


def list_loops() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prebuilds-loop"]


def test_any_number_run_and_stop_though_no_thread_of_asyncio_is_free() -> None:
    """Six of them, beside a default executor whose only thread hangs."""
    names = [f"p{number}" for number in range(30)]
    world = World(*(make_preset(id=name, desired_instances=1) for name in names))
    passed, leave = threading.Semaphore(0), threading.Event()
    reconcilers = [
        make_reconciler(world, lambda _: passed.release(), shard=Shard(index=index, count=6)) for index in range(6)
    ]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        hanging = loop.run_in_executor(None, leave.wait, LONG)
        async with run_in_threads(*reconcilers):
            assert len(list_loops()) == 6
            for _ in reconcilers:
                assert passed.acquire(timeout=LONG)
        assert list_loops() == []
        leave.set()
        await hanging

    run(main)
    assert sorted(prebuild.preset_id for prebuild in world.list_prebuilds()) == sorted(names)
    rivals = [make_reconciler(world, shard=Shard(index=index, count=6)) for index in range(6)]
    assert {rival.reconcile_all().status for rival in rivals} == {PassStatus.RECONCILED}


def test_they_end_when_the_application_fails() -> None:
    """Its own error is the one that is raised."""

    async def main() -> None:
        with pytest.raises(OSError, match="no socket"):
            async with run_in_threads(make_reconciler(World())):
                raise OSError("no socket")
        assert list_loops() == []

    run(main)


def test_they_end_when_the_application_is_canceled() -> None:
    """For example by Ctrl-C. The code after the block waits until they have ended."""
    statuses: list[PassStatus] = []
    world = World()

    async def serve() -> None:
        async with run_in_threads(make_reconciler(world)):
            await asyncio.sleep(LONG)

    async def main() -> None:
        task = asyncio.create_task(serve())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        statuses.append(make_reconciler(world).reconcile_all().status)

    run(main)
    assert (list_loops(), statuses) == ([], [PassStatus.RECONCILED])


class DeafPubSub(MemoryPubSub):
    """Cannot be listened to."""

    def subscribe(self, topic: str, listener: object) -> Callable[[], None]:
        raise ConnectionRefusedError(f"{topic} of {listener is not None}")


def test_a_reconciler_that_cannot_run_is_logged_at_once_and_raised_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others go on until then."""
    world = World()
    passed, told = threading.Event(), threading.Event()
    messages: list[str] = []

    def tell(text: str, *values: object) -> None:
        messages.append(text % values)
        told.set()

    monkeypatch.setattr("prebuilds.runtime.pools.loop_thread._log.exception", tell)
    deaf = Reconciler(world.store, world.builder, pubsub=DeafPubSub(MemoryStore()))

    async def serve() -> None:
        async with run_in_threads(deaf, make_reconciler(world, lambda _: passed.set())):
            assert told.wait(LONG)
            assert passed.wait(LONG)

    async def main() -> None:
        with pytest.raises(ConnectionRefusedError):
            await serve()
        assert (list_loops(), messages) == (
            [],
            ["a reconciler ended: ConnectionRefusedError: prebuilds.changed of True"],
        )

    run(main)


def test_a_reconciler_that_runs_already_is_not_run_twice() -> None:
    """It is an error, as of `run`."""
    reconciler = make_reconciler(World())

    async def main() -> None:
        with pytest.raises(AlreadyRunningError):
            async with run_in_threads(reconciler, reconciler):
                pass

    run(main)


def test_no_process_is_kept_alive_by_them() -> None:
    """An application that is ended without stopping them ends; their lease runs out as after a crash."""
    code = """
    import asyncio, threading
    from prebuilds.adapters.memory import MemoryStore
    from prebuilds.runtime import Reconciler, run_in_threads

    passed = threading.Event()

    async def main():
        await run_in_threads(Reconciler(MemoryStore(), None, on_result=lambda _: passed.set())).__aenter__()
        assert passed.wait(60)
        loop.stop()

    loop = asyncio.new_event_loop()
    task = loop.create_task(main())
    loop.run_forever()
    print("ended", flush=True)
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "ended\n")
