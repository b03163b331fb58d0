"""Crashes on PostgreSQL: sessions are ended and processes killed around every statement of a pass and of a claim.

A schedule says at which statements, counted from 0, something goes wrong, and how:

- `before`: the session is ended (pg_terminate_backend) or the process killed (SIGKILL) when the statement is due.
- `after`: the statement is done by the server first; its answer is never seen.
- inside: the session is ended within the statement, while it waits for one of the locks in `INSIDE`. A claim is one
  statement, a call of a function, and takes these locks in this order.

Then the faults stop. A pass is tried again until it finds nothing to do, and a claim with its request id until it is
answered. What must hold: every claim has one workspace that no other has and that nobody deletes, the pool is at its
target, what the builder was asked for and what the tables have is the same, and nothing is under way any more.

Run as a program it goes through more than 10,000 schedules and prints how many those were; tests run some of them.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from itertools import accumulate, count, product
from random import Random
from typing import Any, NamedTuple

import psycopg
import servers
from psycopg import sql
from rich.console import Console

from prebuilds import Preset, Template, TemplateVersion, Transition
from prebuilds.adapters.postgres import PostgresStore
from prebuilds.adapters.postgres.connections import single_calls
from prebuilds.adapters.postgres.connections.connecting import Connection
from prebuilds.errors import CommitUnknownError
from prebuilds.runtime import BuildReports, BuildRequest, Claims, Reconciler, ReconcilerOptions
from prebuilds.runtime.fleet_rows import select
from prebuilds.testing.clocks import ManualClock
from prebuilds.testing.contracts.equipment.requests import insert_one

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
RETRY = (TimeoutError, CommitUnknownError)
MODES = ("before", "after")
INSIDE = (
    "claims IN ACCESS EXCLUSIVE",  # the search for an earlier claim
    "presets IN ACCESS EXCLUSIVE",
    "workspaces IN EXCLUSIVE",  # the choice of a prebuild
    "claims IN SHARE",  # the note of the claim
    "workspaces IN SHARE",  # the change of the owner
    "outbox IN SHARE",
    "counters IN SHARE",
)
MAX_ROUNDS = 8
RANDOM = 8_000  # schedules by chance


class Fault(NamedTuple):
    """What goes wrong at which statement."""

    at: int
    mode: str


class Schedule(NamedTuple):
    """The faults of a pass and those of a claim, which is made when the pass has come to the statement `claim_at`."""

    how: str
    reconcile: tuple[Fault, ...] = ()
    claim: tuple[Fault, ...] = ()
    claim_at: int | None = None


class Faults:
    """Watches the statements of one actor at a time, and lets go wrong what is asked for. `blocker` takes locks."""

    def __init__(self, admin: psycopg.Connection[Any], blocker: psycopg.Connection[Any], name: str) -> None:
        self._admin = admin
        self._blocker = blocker
        self._name = name
        self._faults: dict[int, str] = {}
        self._kill: Callable[[Connection], None] = self._terminate
        self._hooks: dict[int, Callable[[], None]] = {}
        self._is_watching = False
        self.seen = 0
        self.ended_inside = 0  # sessions

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Every statement that psycopg runs comes by here, as long as the block lasts."""
        execute, send = psycopg.Cursor.execute, single_calls.send
        psycopg.Cursor.execute = (  # type: ignore[method-assign]
            lambda cursor, *a, **k: self._run(cursor.connection, lambda: execute(cursor, *a, **k))
        )
        single_calls.send = lambda connection, text: self._run(connection, lambda: send(connection, text))
        try:
            yield
        finally:
            psycopg.Cursor.execute, single_calls.send = execute, send  # type: ignore[method-assign]

    @contextmanager
    def watching(
        self, faults: Sequence[Fault], *, kill: bool = False, hook: tuple[int, Callable[[], None]] | None = None
    ) -> Iterator[None]:
        """Count from 0, with these faults. Within it another may be watched, whose statements count for it alone."""
        before = (self._faults, self._kill, self._hooks, self._is_watching, self.seen)
        self._faults = {fault.at: fault.mode for fault in faults}
        self._kill = _kill_process if kill else self._terminate
        self._hooks = dict([hook]) if hook else {}
        self._is_watching, self.seen = True, 0
        try:
            yield
        finally:
            self._faults, self._kill, self._hooks, self._is_watching, seen = before
            self.last, self.seen = self.seen, seen

    def _run(self, connection: Connection, run: Callable[[], Any]) -> Any:
        if not self._is_watching or connection.info.parameter_status("application_name") != self._name:
            return run()
        number, self.seen = self.seen, self.seen + 1
        hook = self._hooks.pop(number, None)
        if hook:
            hook()
        mode = self._faults.pop(number, None)
        if mode == "before":
            self._kill(connection)
        if mode in INSIDE:
            return self._end_inside(connection, mode, run)
        answer = run()
        if mode == "after":
            self._kill(connection)
            connection.close()
            raise psycopg.OperationalError("the answer was lost")
        return answer

    def _end_inside(self, connection: Connection, lock: str, run: Callable[[], Any]) -> Any:
        """Run the statement; if it comes to wait for the lock, its session is ended there."""
        is_done = threading.Event()
        with self._blocker.transaction(), ThreadPoolExecutor(1) as executor:
            self._blocker.execute(f"LOCK TABLE {lock} MODE")
            ending = executor.submit(self._terminate_blocked, connection, is_done)
            try:
                return run()
            finally:
                is_done.set()
                ending.result()

    def _terminate_blocked(self, connection: Connection, is_done: threading.Event) -> None:
        query = "SELECT cardinality(pg_blocking_pids(%s)) > 0"
        while not is_done.is_set():
            if self._admin.execute(query, (connection.info.backend_pid,)).fetchone() == (True,):
                self._terminate(connection)
                self.ended_inside += 1
                return

    def _terminate(self, connection: Connection) -> None:
        pid = (connection.info.backend_pid,)
        self._admin.execute("SELECT pg_terminate_backend(%s)", pid)
        # The server's own wait for the end would look only every tenth of a second.
        while self._admin.execute("SELECT pid FROM pg_stat_activity WHERE pid = %s", pid).fetchone():
            pass


def _kill_process(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Builder:
    """Takes builds, and tells them to whoever reads `log`, also from a process that is killed."""

    def __init__(self, log: Callable[[BuildRequest], None]) -> None:
        self._log = log

    def submit(self, request: BuildRequest, *_: object, timeout: timedelta) -> None:  # noqa: ARG002
        self._log(request)


class World:
    """A preset of its own for each schedule, in one schema."""

    def __init__(self, store: PostgresStore, faults: Faults) -> None:
        self._store = store
        self._faults = faults
        self._numbers = count()

    @property
    def ended_inside(self) -> int:
        """How many sessions were ended within a statement."""
        return self._faults.ended_inside

    def run(self, schedule: Schedule) -> None:
        """Raises `AssertionError` if anything does not hold."""
        Life(self._store, self._faults, f"p{next(self._numbers)}").run(schedule)


class Life:
    """What happens to one preset, which wants two prebuilds, has three, and one of them expired."""

    def __init__(self, store: PostgresStore, faults: Faults, preset_id: str) -> None:
        self._store = store
        self._faults = faults
        self._id = preset_id
        self._clock = ManualClock(NOW)
        self._reports = BuildReports(store, clock=self._clock)
        self._claims = Claims(store, clock=self._clock)
        self._taken: dict[str, tuple[str, Transition]] = {}
        self._done: set[str] = set()
        self._holder = "first"
        self._answers: list[str] = []

    def run(self, schedule: Schedule) -> None:
        self._begin()
        faults = self._faults
        if schedule.how == "kill":
            if schedule.reconcile:
                for fault in schedule.reconcile:
                    self._die(self._reconcile, fault)
                    self._succeed_the_dead()
            for fault in schedule.claim:
                self._die(self._claim, fault)
        else:
            hook = None if schedule.claim_at is None else (schedule.claim_at, lambda: self._claim_with(schedule.claim))
            with faults.watching(schedule.reconcile, hook=hook):
                self._converge()
            if schedule.claim_at is None:
                self._claim_with(schedule.claim)
        self._converge()
        self._claim()
        self._converge()
        self._check()

    def _begin(self) -> None:
        version = TemplateVersion(id="v", template=Template(id="t"))
        preset = Preset(id=self._id, desired_instances=2, ttl=timedelta(hours=1), template_version=version)
        with self._store.transaction() as tx:
            tx.put_preset(preset)
            for number, age in enumerate((90, 30)):
                request = self._make_start(number)
                insert_one(tx, request, name="n", now=NOW - age * MINUTE)
                tx.mark_submitted([request.build_id])
                self._taken[request.build_id] = (request.workspace_id, Transition.START)
        self._finish()

    def _make_start(self, number: int) -> BuildRequest:
        name = f"{self._id} {number}"
        return BuildRequest(
            build_id=f"build {name}",
            workspace_id=name,
            transition=Transition.START,
            preset_id=self._id,
            template_version_id="v",
        )

    def _reconcile(self) -> bool:
        """One pass; whether there was nothing to do."""
        options = ReconcilerOptions(clock=self._clock, holder=self._holder, lease_name=self._id)
        reconciler = Reconciler(self._store, Builder(self._note), options=options)
        result = reconciler.reconcile_preset(self._id)
        return not result.presets

    def _note(self, request: BuildRequest) -> None:
        self._taken[request.build_id] = (request.workspace_id, request.transition)

    def _converge(self) -> None:
        for _ in range(MAX_ROUNDS):
            try:
                is_quiet = self._reconcile()
            except RETRY:
                is_quiet = False
            if self._finish() == 0 and is_quiet:
                return
            self._clock.advance(MINUTE)
        raise AssertionError(f"not at rest after {MAX_ROUNDS} rounds")

    def _finish(self) -> int:
        """The builder does what it has been asked for, undisturbed; how much that was."""
        due = [build_id for build_id in self._taken if build_id not in self._done]
        with self._faults.watching(()):
            for build_id in due:
                self._done.add(build_id)
                workspace_id, transition = self._taken[build_id]
                if self._reports.begin(build_id) and self._reports.succeed(build_id) and transition is Transition.START:
                    self._reports.make_ready(workspace_id)
        return len(due)

    def _claim_with(self, faults: Sequence[Fault]) -> None:
        """Claim, in a thread of its own, as the one that it comes between may have a transaction open."""
        with self._faults.watching(faults), ThreadPoolExecutor(1) as executor:
            executor.submit(self._claim).result()

    def _claim(self) -> None:
        """Claim until there is an answer; there always is a prebuild."""
        for _ in range(MAX_ROUNDS):
            try:
                claim = self._claims.claim(self._id, owner_id="user", name=self._id, request_id=self._id)
            except RETRY:
                continue
            assert claim.workspace is not None, "nothing to claim"
            self._answers.append(claim.workspace.id)
            return
        raise AssertionError(f"no claim after {MAX_ROUNDS} tries")

    def _die(self, act: Callable[[], object], fault: Fault) -> None:
        """Do this in a process that is killed at the fault; what its builder took is heard of."""
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads, none of which matters to the child
            child = os.fork()
        if not child:
            self._run_child(act, fault, writing)
        os.close(writing)
        with os.fdopen(reading) as lines:
            for line in lines:
                build_id, workspace_id, transition = json.loads(line)
                self._taken[build_id] = (workspace_id, Transition(transition))
        os.waitpid(child, 0)

    def _run_child(self, act: Callable[[], object], fault: Fault, writing: int) -> None:
        def note(request: BuildRequest) -> None:
            line = json.dumps([request.build_id, request.workspace_id, request.transition.value])
            os.write(writing, f"{line}\n".encode())

        self._note = note  # type: ignore[method-assign]
        try:
            with self._faults.watching([fault], kill=True):
                act()
        finally:
            os._exit(0)

    def _succeed_the_dead(self) -> None:
        """Another reconciler takes over when the lease of the one that was killed has run out."""
        self._holder += "'"
        self._clock.advance(2 * MINUTE)

    def _check(self) -> None:
        with self._store.transaction(read_only=True) as tx:
            prebuilds = tx.read_rows(select(self._id)).prebuilds
            claim = tx.find_claim(self._id)
            rows = {name: tx.get_workspace(name) for name, _ in self._taken.values()}
        assert claim is not None, "a claim was lost"
        assert set(self._answers) == {claim[1].id}, f"one claim got {set(self._answers)}"
        assert (claim[1].owner_id, claim[1].deleted) == ("user", False), "a claimed workspace is gone"
        assert len(prebuilds) == 2, f"{len(prebuilds)} prebuilds, not 2"
        assert all(row.ready and row.is_running for row in prebuilds), "something is under way"
        known = {name for name, row in rows.items() if row and not row.deleted}
        assert known == {row.id for row in prebuilds} | {claim[1].id}, "an orphan"
        started = [name for name, transition in self._taken.values() if transition is Transition.START]
        assert len(started) == len(set(started)), "a workspace was made twice"
        deleted = {name for name, transition in self._taken.values() if transition is Transition.DELETE}
        assert deleted == {name for name, row in rows.items() if row and row.deleted}, "a delete was lost"


@contextmanager
def open_world(database: servers.Database) -> Iterator[tuple[World, int, int]]:
    """A world, and how many statements a pass and a claim in it have."""
    store = database.make_store(max_connections=2)
    with database.connect() as admin, database.connect() as blocker:
        blocker.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(store.schema)))
        faults = Faults(admin, blocker, database.name)
        with faults.installed():
            world = World(store, faults)
            yield world, *measure(store, faults)


def measure(store: PostgresStore, faults: Faults) -> tuple[int, int]:
    """The statements of a pass that has most to do, and of a claim."""
    life = Life(store, faults, "measured")
    life._begin()
    with faults.watching(()):
        life._reconcile()
    reconcile = faults.last
    life._converge()
    with faults.watching(()):
        life._claim()
    return reconcile, faults.last


def list_faults(most: int, modes: Sequence[str] = MODES) -> list[Fault]:
    return [Fault(at, mode) for at in range(most) for mode in modes]


def list_single(reconcile: int, claim: int) -> Iterator[Schedule]:
    """One fault, at every statement, in every way."""
    for how in ("terminate", "kill"):
        for fault in list_faults(reconcile):
            yield Schedule(how, reconcile=(fault,))
        for fault in list_faults(claim):
            yield Schedule(how, claim=(fault,))
    for fault in list_faults(claim, INSIDE):
        yield Schedule("terminate", claim=(fault,))
    for at in range(reconcile):
        yield Schedule("terminate", claim_at=at)


def list_all(reconcile: int, claim: int) -> Iterator[Schedule]:
    """Those, then two and three faults at every combination of statements, and in the end some of each, by chance."""
    yield from list_single(reconcile, claim)
    for first, second in product(list_faults(reconcile), repeat=2):
        yield Schedule("terminate", reconcile=(first, _later(first, second)))
    for faults in product(list_faults(claim, (*MODES, *INSIDE)), repeat=3):
        yield Schedule("terminate", claim=_one_after_another(faults))
    for first, second in product(list_faults(claim), repeat=2):
        yield Schedule("kill", claim=(first, second))
    for first, second in product(list_faults(reconcile)[::3], list_faults(reconcile)[::3]):
        yield Schedule("kill", reconcile=(first, second))
    for at, faults in product(range(reconcile), product(list_faults(claim), repeat=2)):
        yield Schedule("terminate", claim=_one_after_another(faults), claim_at=at)
    yield from list_random(reconcile, claim, Random(1))


def list_random(reconcile: int, claim: int, random: Random) -> Iterator[Schedule]:
    """Up to three faults of a pass and up to three of a claim that comes after it or in between."""
    in_pass, in_claim = list_faults(reconcile), list_faults(claim, (*MODES, *INSIDE))
    for _ in range(RANDOM):
        is_between = random.random() < 0.5  # where the pass may hold a lock that is in `INSIDE`
        faults = random.choices(list_faults(claim) if is_between else in_claim, k=random.randrange(4))
        yield Schedule(
            "terminate",
            reconcile=_one_after_another(random.choices(in_pass, k=random.randrange(4))),
            claim=_one_after_another(faults),
            claim_at=random.randrange(reconcile) if is_between else None,
        )


def _one_after_another(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    """The faults, each counted from the statement after the one before."""
    return tuple(accumulate(faults, _later))


def _later(first: Fault, second: Fault) -> Fault:
    """The second fault, counted from the statement after the first."""
    return second._replace(at=first.at + 1 + second.at)


def main() -> int:
    logging.disable()  # all that goes wrong is told of there
    console = Console(width=None if sys.stdout.isatty() else 120)
    counts: dict[str, int] = {}
    with servers.run_server(servers.FAST) as dsn:
        database = servers.Database(dsn)
        with open_world(database) as (world, reconcile, claim), console.status("crashing"):
            for schedule in list_all(reconcile, claim):
                try:
                    world.run(schedule)
                except AssertionError as error:
                    console.print(f"{schedule}: {error}", highlight=False)
                    return 1
                counts[schedule.how] = counts.get(schedule.how, 0) + 1
        database.close()
    console.print(f"a pass has {reconcile} statements, a claim {claim}", highlight=False)
    for how, name in (("terminate", "sessions ended (pg_terminate_backend)"), ("kill", "processes killed (SIGKILL)")):
        console.print(f"{counts[how]:,} schedules with {name}", highlight=False)
    console.print(f"{sum(counts.values()):,} schedules: no double claim, none lost, no orphan", highlight=False)
    return 0


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    sys.exit(main())
