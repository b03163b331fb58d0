"""The kinds of trouble. Each lasts for about the seconds that it is given."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random
from time import monotonic, sleep
from typing import NamedTuple

import psycopg

from chaos.crew import LOOPS, Crew
from chaos.server import Server
from chaos.worker import LEASE, SCHEMA

_DOZEN = 12
_IDLE = 300  # connections
_READERS = 4


class Scene(NamedTuple):
    """What trouble can be made with."""

    server: Server
    dsn: str
    crew: Crew
    disk: Path | None
    random: Random


class BrokenPromiseError(Exception):
    """Something did not happen that must happen during the trouble."""


class Scenario(NamedTuple):
    """A kind of trouble, how long it lasts unless another time is given, and what is promised while it lasts."""

    title: str
    make: Callable[[Scene, float], None]
    seconds: float
    least: float = 0.0  # of the speed of before
    needs_disk: bool = False


def _restart(scene: Scene, seconds: float) -> None:
    scene.server.restart(signal.SIGINT)
    sleep(seconds)
    scene.server.restart(signal.SIGQUIT)


def _end_backends(scene: Scene, seconds: float) -> None:
    query = (
        "SELECT pg_terminate_backend(pid) FROM ("
        " SELECT pid FROM pg_stat_activity WHERE application_name = 'prebuilds' ORDER BY random() LIMIT %s) AS ours"
    )
    with scene.server.connect() as admin:
        for _ in _every(0.5, seconds):
            admin.execute(query, (_DOZEN,))


def _kill(scene: Scene, seconds: float) -> None:
    for _ in _every(2.0, seconds):
        scene.crew.kill_one(scene.random)


def _idle_connections(scene: Scene, seconds: float) -> None:
    with ExitStack() as stack:
        for _ in range(_IDLE):
            stack.enter_context(psycopg.connect(scene.dsn))
        sleep(seconds)


def _idle_transaction(scene: Scene, seconds: float) -> None:
    """It has written, and holds the first prebuild of each preset."""
    first = (
        "SELECT DISTINCT ON (preset_id) id FROM workspaces WHERE owner_id = 'prebuilds' AND NOT deleted"
        " ORDER BY preset_id, created_at, id"
    )
    with _opened(scene) as connection:
        connection.execute("CREATE TEMPORARY TABLE held (id text)")
        connection.execute(f"SELECT id FROM workspaces WHERE id IN ({first}) FOR UPDATE")
        sleep(seconds)


def _old_snapshots(scene: Scene, seconds: float) -> None:
    with ExitStack() as stack:
        for _ in range(_READERS):
            connection = stack.enter_context(_opened(scene))
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.execute("SELECT count(*) FROM workspaces")
        sleep(seconds)


def _full_disk(scene: Scene, seconds: float) -> None:
    assert scene.disk
    ballast = scene.disk / "ballast"
    is_full = False
    for _ in _every(0.1, seconds):  # as what the server frees would be room again
        with suppress(OSError), ballast.open("ab", buffering=0) as file:
            while file.write(bytes(4_096)):
                pass
        is_full = is_full or _is_full(scene)
    ballast.unlink()
    if not is_full:
        raise BrokenPromiseError("the disk was never full for the server")


def _is_full(scene: Scene) -> bool:
    with psycopg.connect(scene.dsn) as connection:
        try:
            connection.execute("CREATE TABLE more AS SELECT generate_series(1, 10000)")
        except psycopg.errors.DiskFull:
            return True
        finally:
            connection.rollback()
    return False


def _sleeping_holder(scene: Scene, seconds: float) -> None:
    holder = _find_holder(scene)
    scene.crew.halt(holder)
    sleep(max(seconds, 2 * LEASE.total_seconds()))
    if _find_holder(scene) == holder:
        raise BrokenPromiseError("no other process has taken the lease")
    scene.crew.wake(holder)


def _find_holder(scene: Scene) -> str:
    """The process that has the lease. The name of a holder has the process's id in it."""
    with psycopg.connect(scene.dsn) as connection:
        row = connection.execute(f"SELECT holder FROM {SCHEMA}.leases WHERE holder IS NOT NULL").fetchone()
    assert row
    return next(name for name in LOOPS if str(scene.crew.get_pid(name)) in row[0].split(":"))


@contextmanager
def _opened(scene: Scene) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A transaction that is rolled back in the end."""
    with psycopg.connect(scene.dsn, options=f"-c search_path={SCHEMA}") as connection:
        yield connection
        connection.rollback()


def _every(pause: float, seconds: float) -> Iterator[None]:
    end = monotonic() + seconds
    while monotonic() < end:
        yield
        sleep(pause)


SCENARIOS = {
    "restart": Scenario("the server restarted, then crashed", _restart, 5),
    "backends": Scenario("backends ended by the dozen", _end_backends, 10),
    "kill": Scenario("processes killed again and again", _kill, 20),
    "connections": Scenario("300 idle connections beside", _idle_connections, 10),
    "transaction": Scenario("a transaction left idle", _idle_transaction, 15),
    "snapshots": Scenario("four old snapshots held", _old_snapshots, 120, least=0.5),
    "disk": Scenario("a full disk", _full_disk, 10, needs_disk=True),
    "sleep": Scenario("the lease holder sleeps", _sleeping_holder, 15),
}
