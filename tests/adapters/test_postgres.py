"""The PostgreSQL store: who waits for whom, what is passed over, time-outs, lost connections, stored values."""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime, timedelta, timezone
from time import monotonic
from typing import Any

import pytest
from servers import Database

from adapters.examples import NOW, add_preset, add_ready, make_claim, make_delete, make_start
from prebuilds import BuildStatus, InvalidValueError, Preset, Template, TemplateVersion
from prebuilds.adapters.local import LocalBuilder
from prebuilds.errors import (
    ClaimConflictError,
    CommitUnknownError,
    LeaseLostError,
    NameTakenError,
    PoolExhaustedError,
    StoreBusyError,
    StoreClosedError,
    StoreUnavailableError,
    TransactionEndedError,
)
from prebuilds.runtime import (
    SYSTEM_CLOCK,
    BuildReports,
    BuildRequest,
    Claims,
    Controls,
    Counter,
    Isolation,
    Message,
    MetricsCollector,
    OutboxRelay,
    Reconciler,
    Store,
    promotions,
)
from prebuilds.runtime.clocks import choose_clock
from prebuilds.runtime.fleet_rows import select
from prebuilds.runtime.models import PREBUILDS_USER_ID
from prebuilds.testing import ManualClock
from prebuilds.testing.contracts.equipment.requests import delete_one, insert_one

postgres = pytest.importorskip("prebuilds.adapters.postgres")
psycopg = pytest.importorskip("psycopg")
pool = pytest.importorskip("prebuilds.adapters.postgres.connections.pool")

AT_ONCE = postgres.Timeouts(lock=timedelta(milliseconds=20), connection=timedelta(seconds=2))
SECRET = "correct-horse-battery-staple"  # noqa: S105


@pytest.fixture
def store(database: Database) -> Store:
    """A store with one preset."""
    store = database.make_store()
    with store.transaction() as tx:
        add_preset(tx)
    return store


@pytest.fixture
def hasty(database: Database, store: Store) -> Store:  # noqa: ARG001 - it has made the tables
    """Another store of the same tables that hardly waits for locks."""
    return database.make_store(timeouts=AT_ONCE)


def add(store: Store, *numbers: int) -> None:
    """Prebuilds that are ready."""
    with store.transaction() as tx:
        for number in numbers:
            add_ready(tx, number)


def promote(store: Store) -> None:
    """Another version than that of the preset is active now."""
    with store.transaction() as tx:
        add_preset(tx, template_version=TemplateVersion(is_active=False))


def get_names(store: Store) -> dict[str, str]:
    """The owner of each workspace."""
    with store.transaction(read_only=True) as tx:
        found = [tx.get_workspace(f"w{number}") for number in range(10)]
    return {workspace.id: workspace.owner_id for workspace in found if workspace}


@contextmanager
def elsewhere(function: Callable[[], Any]) -> Iterator[Future[Any]]:
    """Call the function in another thread; it has ended when the block has."""
    with ThreadPoolExecutor(1) as executor:
        yield executor.submit(function)


def wait_until(database: Database, condition: str, *, holds: bool = True) -> None:
    """Until this holds of a session of this test, as the server tells it, or of none any more."""
    sql = f"SELECT bool_or({condition}) IS TRUE FROM pg_stat_activity, pg_sleep(0.001) WHERE application_name = %s"
    deadline = monotonic() + 30
    with database.connect() as admin:
        while admin.execute(sql, (database.name,)).fetchone() != (holds,):
            assert monotonic() < deadline, f"{condition} of the sessions never is {holds}"


def wait_until_blocked(database: Database) -> None:
    """Until a session of this test waits for a lock of another."""
    wait_until(database, "wait_event_type = 'Lock'")


# Who waits for whom


def test_a_claim_passes_over_what_another_is_taking(store: Store, hasty: Store) -> None:
    """Claims wait for no other claim: the second gets the next prebuild, and the third none, all at once."""
    add(store, 1, 2)
    with store.transaction() as tx:
        first = tx.take_prebuild(make_claim())
        with hasty.transaction() as other:
            second = other.take_prebuild(make_claim(owner_id="other"))
        with elsewhere(lambda: Claims(hasty, clock=SYSTEM_CLOCK).claim("p", owner_id="third", name="n")) as third:
            assert third.result().workspace is None
    assert [workspace.id for workspace in (first, second) if workspace] == ["w1", "w2"]


def test_a_claim_that_is_rolled_back_leaves_the_prebuild_to_others(store: Store) -> None:
    """Its locks go with it."""
    add(store, 1)
    with suppress(ZeroDivisionError), store.transaction() as tx:
        tx.take_prebuild(make_claim())
        raise ZeroDivisionError
    with store.transaction() as tx:
        assert tx.take_prebuild(make_claim(owner_id="other"))
    assert get_names(store) == {"w1": "other"}


def test_a_claim_passes_over_what_is_being_deleted(store: Store, hasty: Store) -> None:
    """The delete has locked it first, and the claim gets another."""
    add(store, 1, 2)
    with store.transaction() as tx:
        assert delete_one(tx, make_delete(1), now=NOW)
        with hasty.transaction() as other:
            taken = other.take_prebuild(make_claim())
    assert taken is not None
    assert taken.id == "w2"


def test_a_delete_waits_for_a_claim_and_leaves_its_workspace_alone(store: Store, database: Database) -> None:
    """It compares with the state after the claim, not with what it saw first."""
    add(store, 1)

    def delete() -> bool:
        with store.transaction() as tx:
            return delete_one(tx, make_delete(1), now=NOW)

    with ExitStack() as stack, store.transaction() as tx:
        tx.take_prebuild(make_claim())
        deleting = stack.enter_context(elsewhere(delete))
        wait_until_blocked(database)
    assert deleting.result() is False
    assert get_names(store) == {"w1": "user"}


@pytest.mark.parametrize("write", ["create", "claim", "cancel"])
def test_a_change_of_the_preset_waits_for_transactions_that_rely_on_it(store: Store, hasty: Store, write: str) -> None:
    """A create and a claim count on an active preset until they have ended; canceling counts on an inactive one."""
    add(store, 1)
    if write == "cancel":
        promote(store)
    with store.transaction() as tx:
        if write == "create":
            assert insert_one(tx, make_start(2), name="n", now=NOW)
        elif write == "claim":
            assert tx.take_prebuild(make_claim())
        else:
            tx.cancel_pending("p", now=NOW)
        with pytest.raises(StoreBusyError):
            promote(hasty)
    promote(hasty)


@pytest.mark.parametrize("write", ["create", "claim"])
def test_a_transaction_that_waited_for_a_promotion_sees_it(store: Store, database: Database, write: str) -> None:
    """A create of the version that was planned is refused, and a claim finds nothing."""
    add(store, 1)

    def do() -> Any:
        with store.transaction() as tx:
            if write == "create":
                return insert_one(tx, make_start(2), name="n", now=NOW)
            return tx.take_prebuild(make_claim())

    with ExitStack() as stack, store.transaction() as tx:
        add_preset(tx, template_version=TemplateVersion(is_active=False))
        doing = stack.enter_context(elsewhere(do))
        wait_until_blocked(database)
    assert not doing.result()
    assert get_names(store) == {"w1": PREBUILDS_USER_ID}


def test_creates_of_one_preset_do_not_wait_for_each_other(store: Store, hasty: Store) -> None:
    """They share the lock of the preset; so do the counters, which each session has a row of its own for."""
    with store.transaction() as tx:
        assert insert_one(tx, make_start(1), name="n", now=NOW)
        tx.count("p", Counter.CREATED)
        with hasty.transaction() as other:
            assert insert_one(other, make_start(2), name="n", now=NOW)
            other.count("p", Counter.CREATED)
    with store.transaction(read_only=True) as tx:
        assert [(value.preset_id, value.counter, value.value) for value in tx.list_counters()] == [
            ("p", Counter.CREATED, 2)
        ]


def test_a_call_that_is_made_twice_at_once_is_one_claim(store: Store, database: Database) -> None:
    """The second waits for the first, and then gets the same workspace: its name is not taken, it is its own."""
    add(store, 1, 2)
    claims = Claims(store, clock=SYSTEM_CLOCK)
    with ExitStack() as stack, store.transaction() as tx:
        tx.take_prebuild(make_claim(request_id="r"))
        again = stack.enter_context(elsewhere(lambda: claims.claim("p", owner_id="user", name="mine", request_id="r")))
        wait_until_blocked(database)
    claim = again.result()
    assert (claim.is_repeated, claim.workspace and claim.workspace.id) == (True, "w1")
    assert get_names(store) == {"w1": "user", "w2": PREBUILDS_USER_ID}


def test_two_claims_of_one_name_at_once_are_one_too_many(store: Store, database: Database) -> None:
    """The unique index is the hard stop: the second waits for the first, and then the name is taken."""
    add(store, 1, 2)

    def claim() -> None:
        with store.transaction() as tx:
            tx.take_prebuild(make_claim(request_id="other"))

    with ExitStack() as stack, store.transaction() as tx:
        tx.take_prebuild(make_claim(request_id="r"))
        claiming = stack.enter_context(elsewhere(claim))
        wait_until_blocked(database)
    with pytest.raises(NameTakenError):
        claiming.result()


def test_taking_the_lease_waits_for_a_write_under_it(store: Store, hasty: Store) -> None:
    """So that a deposed reconciler cannot commit after another has begun; then its token is good no more."""
    later = NOW + timedelta(minutes=1)
    with store.transaction() as tx:
        lease = tx.take_lease("l", "first", now=NOW, expires_at=NOW)
    assert lease is not None
    with store.transaction(lease=lease) as tx:
        tx.set_paused(paused=True)
        with hasty.transaction(lease=lease):
            pass  # writes under one lease do not wait for each other
        with pytest.raises(StoreBusyError), hasty.transaction() as other:
            other.take_lease("l", "second", now=NOW, expires_at=later)
    with hasty.transaction() as other:
        assert other.take_lease("l", "second", now=NOW, expires_at=later)
    for read_only in (False, True):
        with pytest.raises(LeaseLostError), store.transaction(lease=lease, read_only=read_only):
            pass


# Waiting too long


def test_a_deadlock_is_a_busy_store_for_one_of_two(store: Store) -> None:
    """The server ends one of them, which has written nothing and may try again; the other goes on."""
    with store.transaction() as tx:
        add_preset(tx, id="q")
    together = threading.Barrier(2)

    def write(first: str, second: str) -> str:
        try:
            with store.transaction() as tx:
                tx.set_reset(first, at=NOW)
                together.wait(timeout=30)
                tx.set_reset(second, at=NOW)
        except StoreBusyError:
            return "busy"
        return "done"

    with ThreadPoolExecutor(2) as executor:
        assert sorted(executor.map(write, "pq", "qp")) == ["busy", "done"]


def test_a_snapshot_that_is_too_old_to_write_from_is_a_busy_store(store: Store, hasty: Store) -> None:
    """Another transaction has written to the row since the snapshot."""
    with pytest.raises(StoreBusyError), store.transaction(isolation=Isolation.REPEATABLE_READ) as tx:  # noqa: PT012
        tx.list_presets()
        with hasty.transaction() as other:
            other.set_reset("p", at=NOW)
        tx.set_reset("p", at=NOW)


def test_a_statement_that_takes_too_long_is_a_busy_store(store: Store, database: Database) -> None:
    """The time-out for statements counts waiting for locks too."""
    timeouts = postgres.Timeouts(statement=timedelta(milliseconds=20))
    impatient = database.make_store(timeouts=timeouts)
    with store.transaction() as tx:
        tx.set_reset("p", at=NOW)
        with pytest.raises(StoreBusyError), impatient.transaction() as other:
            other.set_reset("p", at=NOW)


def test_a_transaction_that_is_idle_for_too_long_is_ended(store: Store, database: Database) -> None:
    """By the server, so that its locks go; nothing was written, and that is known even at the commit."""
    sleepy = database.make_store(timeouts=postgres.Timeouts(idle=timedelta(milliseconds=20)))
    for statement in (lambda tx: tx.read_rows().is_paused, lambda _: None):
        with pytest.raises(StoreUnavailableError), sleepy.transaction() as tx:  # noqa: PT012
            tx.set_paused(paused=True)
            wait_until(database, "state LIKE 'idle in%%'", holds=False)
            statement(tx)
        with store.transaction() as tx:
            assert tx.read_rows().is_paused is False


def test_time_outs_are_set_for_the_transaction_alone(database: Database) -> None:
    """So that they hold behind PgBouncer, which may give the next transaction another session."""
    timeouts = postgres.Timeouts(
        lock=timedelta(seconds=3), statement=timedelta(seconds=4), idle=timedelta(milliseconds=5_500)
    )
    store = database.make_store(timeouts=timeouts, max_connections=1)
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "search_path")
    columns = ", ".join(f"current_setting('{name}')" for name in names)
    with store.session() as statements:
        inside = statements.fetch_one(f"SELECT {columns}, (SELECT count(*) FROM pg_prepared_statements)")
    with database.connect() as other, store._pool._get_pool().connection() as connection:
        outside = connection.execute(f"SELECT {columns}").fetchone()
        assert outside == other.execute(f"SELECT {columns}").fetchone()
    assert inside == ("3s", "4s", "5500ms", f'"{store.schema}", pg_temp', 0)


def test_a_session_that_is_reset_between_transactions_works_too(database: Database) -> None:
    """As PgBouncer may do: no statement is prepared in a session, and nothing set."""
    store = database.make_store(max_connections=1)
    for number in range(12):  # psycopg would prepare what it has run five times
        with store.transaction() as tx:
            add_preset(tx)
            add_ready(tx, number)
            tx.read_rows()
        with store._pool._get_pool().connection() as connection:
            assert connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
            connection.execute("DISCARD ALL")
    with store.transaction(read_only=True) as tx:
        assert len(tx.read_rows().prebuilds) == 12


def test_with_all_connections_in_use_the_pool_is_exhausted(database: Database) -> None:
    """The error says how many there are, and how long was waited."""
    store = database.make_store(max_connections=1, timeouts=postgres.Timeouts(connection=timedelta(milliseconds=50)))

    def begin() -> None:
        with store.transaction():
            pass

    with store.transaction(), elsewhere(begin) as beginning, pytest.raises(PoolExhaustedError, match=r"1 .*0\.05 s"):
        beginning.result()


# Lost connections


def test_a_session_that_is_ended_has_written_nothing(store: Store, database: Database) -> None:
    """Between two statements: it may be tried again, and the next transaction finds another connection."""
    with pytest.raises(StoreUnavailableError, match="administrator"), store.transaction() as tx:  # noqa: PT012
        tx.set_paused(paused=True)
        assert database.terminate(state="idle in transaction") == 1
        tx.set_reset("p", at=NOW)
    with store.transaction() as tx:
        assert tx.read_rows().is_paused is False


def test_a_connection_lost_at_the_commit_leaves_the_end_unknown(store: Store, database: Database) -> None:
    """The commit may have been done. A transaction that only read has lost nothing, and its error says to try again."""
    for read_only, error in ((False, CommitUnknownError), (True, StoreUnavailableError)):
        with pytest.raises(error), store.transaction(read_only=read_only) as tx:  # noqa: PT012
            tx.list_presets()
            database.terminate(state="idle in transaction")


@pytest.mark.parametrize("code", ["53100", "25006"], ids=["full disk", "no primary"])
def test_what_the_server_refuses_at_the_commit_was_not_done(store: Any, database: Database, code: str) -> None:
    """The last writes go with the commit. An answer that they failed says that nothing was committed."""
    with database.connect() as admin:
        admin.execute(f"SET search_path = {database.schema!r}".replace("'", '"'))
        admin.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$"
        )
        admin.execute("CREATE TRIGGER refuse BEFORE INSERT ON counters EXECUTE FUNCTION refuse()")
    with pytest.raises(StoreUnavailableError), store.transaction() as tx:  # noqa: PT012
        tx.set_paused(paused=True)
        tx.count("p", Counter.CREATED)
    with store.transaction(read_only=True) as tx:
        assert tx.read_rows().is_paused is False


def test_idle_connections_that_died_cause_no_error(store: Store, database: Database) -> None:
    """As after a restart of the server: the transaction begins on a live connection, as nothing has been done yet."""

    def read() -> None:
        with store.transaction() as tx:
            tx.list_presets()
            together.wait(timeout=30)

    together = threading.Barrier(4)
    for _ in range(2):
        with ThreadPoolExecutor(4) as executor:
            for future in [executor.submit(read) for _ in range(4)]:
                future.result()
        assert database.terminate() >= 4
    assert get_names(store) == {}


FIRST_ACTS: dict[str, Callable[[Any], object]] = {
    "a read": lambda tx: tx.list_presets(),
    "all rows": lambda tx: tx.read_rows(),
    "a write": lambda tx: tx.set_paused(paused=True),
    "a batch": lambda tx: tx.insert_deletes([], now=NOW),
}


@pytest.mark.parametrize("act", FIRST_ACTS.values(), ids=FIRST_ACTS)
def test_connections_that_the_network_lost_cause_no_error(
    act: Callable[[Any], object], store: Any, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their end shows when something is sent. The transaction begins on a live one, as nothing has been done yet."""
    monkeypatch.setattr(pool, "has_unread", lambda _: False)
    lose_idle_connections(store, database)
    with store.transaction() as tx:
        act(tx)
        tx.count("p", Counter.CREATED)
    with store.transaction(read_only=True) as tx:
        assert [(entry.counter, entry.value) for entry in tx.list_counters()] == [(Counter.CREATED, 1)]


def test_a_commit_over_a_connection_that_the_network_lost_is_unknown(
    store: Any, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it is in the first message. One that has only read begins again."""
    monkeypatch.setattr(pool, "has_unread", lambda _: False)
    lose_idle_connections(store, database)
    with pytest.raises(CommitUnknownError), store.transaction() as tx:
        tx.mark_submitted(["b1"])
    with store.transaction(read_only=True):
        pass


def lose_idle_connections(store: Any, database: Database) -> None:
    """All connections of the store's pool: there are three."""
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(store.session(read_only=True)).fetch("SELECT 1")
    assert database.terminate() >= 3


def test_a_server_that_cannot_be_reached_is_reported_without_the_dsn(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the error, nor its cause, nor any log shows the password."""
    caplog.set_level(logging.DEBUG)
    dsn = f"postgresql://me:{SECRET}@127.0.0.1:1/db"
    with pytest.raises(StoreUnavailableError, match="refused") as caught:
        postgres.PostgresStore(dsn)
    assert SECRET not in describe(caught.value) + caplog.text


@pytest.mark.parametrize("dsn", [SECRET, f"password={SECRET} bad", f"postgresql://{SECRET}@@@::/?=", 7, None])
def test_a_dsn_that_cannot_be_read_is_not_shown(dsn: Any) -> None:
    """libpq would repeat a part of it."""
    with pytest.raises(InvalidValueError, match=r"PostgresStore\.dsn") as caught:
        postgres.PostgresStore(dsn)
    assert SECRET not in describe(caught.value)


def describe(error: BaseException) -> str:
    """The error and its causes, as a traceback shows them."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{error!r} {error}" + (describe(cause) if cause else "")


def test_a_standby_is_no_server_to_write_to(database: Database) -> None:
    """After a failover, connections to the old primary are closed, so that the pool finds the new one."""
    store = database.make_store(max_connections=1)
    with store.transaction() as tx:
        tx.set_paused(paused=True)
    with store._pool._get_pool().connection() as connection:
        before = connection.info.backend_pid
        connection.execute("SET default_transaction_read_only = on")
    with pytest.raises(StoreUnavailableError), store.transaction() as tx:
        tx.set_paused(paused=False)
    with store.transaction() as tx:
        tx.set_paused(paused=False)
    with store._pool._get_pool().connection() as connection:
        assert connection.info.backend_pid != before


def test_a_forked_process_has_its_own_connections(database: Database) -> None:
    """Even where a transaction is open; and its end does not end those of its parent."""
    code = """
        import os, sys
        from prebuilds.adapters.postgres import PostgresStore
        store = PostgresStore(sys.argv[1], schema=sys.argv[2])
        def is_paused():
            with store.transaction() as tx:
                return tx.read_rows().is_paused
        with store.transaction() as outer:
            outer.set_paused(paused=True)
            child = os.fork()
            if not child:
                import contextvars
                os._exit(contextvars.Context().run(is_paused))
            print(os.waitpid(child, 0)[1], outer.read_rows().is_paused)
        child = os.fork()
        if not child:
            os._exit(is_paused())
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), is_paused())
    """
    arguments = ["-W", "ignore", "-c", textwrap.dedent(code), database.dsn, database.make_store().schema]
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["0", "True", "1", "True"]


# Ends of transactions


def test_an_error_that_was_caught_is_raised_again_at_the_end(store: Store) -> None:
    """PostgreSQL has given the transaction up, so that ending it well would be a lie."""
    add(store, 1, 2)
    with store.transaction() as tx:
        tx.take_prebuild(make_claim())
    with pytest.raises(psycopg.errors.UniqueViolation), store.transaction() as tx, suppress(NameTakenError):  # noqa: PT012
        tx.set_paused(paused=True)
        tx.take_prebuild(make_claim())
    with store.transaction() as tx:
        assert tx.read_rows().is_paused is False


def test_what_a_nested_part_leaves_for_its_end_can_be_left_behind(store: Store, hasty: Store) -> None:
    """A write that goes with what comes next fails within its part at the latest."""
    with store.transaction() as tx:
        add_ready(tx, 1)
    with store.transaction() as tx:
        assert tx.retire_prebuild("w1")
        with hasty.transaction() as other:
            with pytest.raises(StoreBusyError), other.nested():
                other.mark_submitted(["b1"])
            other.set_paused(paused=True)
    with store.transaction(read_only=True) as tx:
        assert tx.read_rows().is_paused


def test_an_error_in_a_nested_part_can_be_left_behind(store: Store) -> None:
    """Even an error of the server; the statements before and after the part are committed."""
    add(store, 1, 2)
    with store.transaction() as tx:
        tx.take_prebuild(make_claim(request_id="r"))
        with pytest.raises(NameTakenError), tx.nested():
            tx.take_prebuild(make_claim())
        with pytest.raises(ClaimConflictError), tx.nested():
            tx.take_prebuild(make_claim(name="other", request_id="r"))
        tx.set_paused(paused=True)
    with store.transaction() as tx:
        assert tx.read_rows().is_paused is True
    assert get_names(store) == {"w1": "user", "w2": PREBUILDS_USER_ID}


def test_a_transaction_that_has_ended_does_nothing(store: Store) -> None:
    """Another transaction may have its connection by then."""
    with store.transaction() as tx:
        pass
    with pytest.raises(TransactionEndedError):
        tx.list_presets()


def test_a_store_that_is_closed_begins_nothing(database: Database) -> None:
    """Closing twice is closing once."""
    with database.make_store() as store:
        pass
    store.close()
    with pytest.raises(StoreClosedError), store.transaction():
        pass


@pytest.mark.parametrize(
    "options",
    [{"max_connections": 0}, {"max_connections": True}, {"schema": ""}, {"schema": "ä" * 32}, {"schema": "a\0b"}],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    """Before any connection is made; a longer name of a schema would be cut off by the server."""
    with pytest.raises(InvalidValueError, match=f"PostgresStore.{next(iter(options))}"):
        postgres.PostgresStore("host=127.0.0.1 port=1", **options)


@pytest.mark.parametrize("field", ["connection", "lock", "statement", "idle"])
@pytest.mark.parametrize("value", [timedelta(), timedelta(days=2), 5])
def test_time_outs_that_cannot_be_are_refused(field: str, value: Any) -> None:
    """None waits for ever: to PostgreSQL, 0 is no time-out at all."""
    with pytest.raises(InvalidValueError, match=rf"Timeouts\.{field}"):
        postgres.Timeouts(**{field: value})


# What is kept


def test_schemas_are_separate_whatever_their_names(database: Database) -> None:
    """The name is quoted."""
    names = [f'{database.name}"; DROP SCHEMA public; --', f"{database.name}%s", f"{database.name} größe"]
    stores = [database.make_store(schema=name) for name in names]
    for number, store in enumerate(stores):
        with store.transaction() as tx:
            add_preset(tx, id=f"p{number}")
    for number, store in enumerate(stores):
        with store.transaction(read_only=True) as tx:
            assert [preset.id for preset in tx.list_presets()] == [f"p{number}"]


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Adak"])
def test_instants_are_kept_whatever_the_time_zone_of_the_session(database: Database, zone: str) -> None:
    """From the first to the last that there are, to the microsecond."""
    database.dsn += f" options='-c timezone={zone}'"
    store = database.make_store()
    for year_month_day in ((1, 1, 1), (1969, 12, 31, 23, 59, 59, 999_999), (9999, 12, 31, 23, 59, 59, 999_999)):
        instant = datetime(*year_month_day, tzinfo=timezone.utc)  # type: ignore[misc, arg-type]
        with store.transaction() as tx:
            add_preset(tx, last_invalidated_at=instant)
            assert tx.list_presets()[0].last_invalidated_at == instant


def test_text_that_looks_like_sql_is_text(store: Store) -> None:
    """Values are bound, never a part of a statement."""
    name = "'; DROP TABLE presets; -- %s %(name)s $1 \\"
    with store.transaction() as tx:
        preset = add_preset(tx, id=name, name=name, parameters={name: name})
        assert insert_one(tx, make_start(1, preset_id=name), name=name, now=NOW)
        tx.publish_on_commit(Message(topic=name, body=name))
    with store.transaction(read_only=True) as tx:
        assert list(tx.list_presets(name)) == [preset]
        assert [workspace.name for workspace in tx.read_rows(select(name)).prebuilds] == [name]


def test_ids_are_ordered_by_their_code_points(store: Store) -> None:
    """In any collation of the database: of two prebuilds of one age, the smaller id is claimed first (R10)."""
    names = ["a", "B", "ä", "Z", "\U0001f600", "ｱ"]
    with store.transaction() as tx:
        for name in names:
            insert_one(tx, make_start(1, build_id=f"b{name}", workspace_id=name), name=name, now=NOW)
            tx.finish_build(f"b{name}", BuildStatus.SUCCEEDED, now=NOW)
            tx.mark_ready(name)
    taken = []
    with store.transaction() as tx:
        while workspace := tx.take_prebuild(make_claim(name=f"n{len(taken)}")):
            taken.append(workspace.id)
    assert taken == sorted(names)


def test_errors_survive_being_pickled() -> None:
    """As those of the whole library do."""
    for error in (StoreUnavailableError("why"), CommitUnknownError("why")):
        again = pickle.loads(pickle.dumps(error))  # noqa: S301
        assert (type(again), str(again), again.problem) == (type(error), str(error), "why")


# The loop


class Sampler:
    """A builder and a pubsub that record, at every call, the open transactions of this test."""

    def __init__(self, database: Database) -> None:
        self._admin = database.connect()
        self._name = database.name
        self.build_ids: list[str] = []
        self.messages: list[Message] = []
        self.open: list[object] = []

    def submit(self, request: BuildRequest, *_: object, timeout: timedelta) -> None:  # noqa: ARG002
        self.build_ids.append(request.build_id)
        self._sample()

    def publish(self, message: Message) -> None:
        self.messages.append(message)
        self._sample()

    def subscribe(self, *_: object) -> Callable[[], None]:
        raise NotImplementedError

    def _sample(self) -> None:
        sql = "SELECT state, query FROM pg_stat_activity WHERE application_name = %s AND xact_start IS NOT NULL"
        self.open += self._admin.execute(sql, (self._name,)).fetchall()

    def close(self) -> None:
        self._admin.close()


def test_two_connections_do_for_a_thousand_presets(database: Database) -> None:
    """A pass over all of them ends with all prebuilds made: the pool is never exhausted, and no transaction is open
    while the builder is called, or a message published.
    """
    store = database.make_store(max_connections=2)
    with store.transaction() as tx:
        for number in range(1_000):
            add_preset(tx, id=f"p{number}", desired_instances=1)
    with closing(Sampler(database)) as sampler:
        result = Reconciler(store, sampler).reconcile_all()
        reports = BuildReports(store, clock=SYSTEM_CLOCK)
        ended = [reports.succeed(build_id) for build_id in sampler.build_ids[:100]]
        assert OutboxRelay(store, sampler).flush() == sum(ended) == 100
    assert (len(result.done), result.failed, result.skipped) == (1_000, (), ())
    assert (len(sampler.build_ids), len(sampler.messages), sampler.open) == (1_000, 100, [])


def test_the_servers_clock_replaces_the_machines_alone(store: Store) -> None:
    """All parts of a program share one; a clock that the program gives is left as it is."""
    given = ManualClock(NOW)
    assert choose_clock(store, SYSTEM_CLOCK) is choose_clock(store, SYSTEM_CLOCK) is not SYSTEM_CLOCK
    assert choose_clock(store, given) is given
    with store.transaction(read_only=True):
        assert abs(choose_clock(store, SYSTEM_CLOCK).now() - SYSTEM_CLOCK.now()) < timedelta(minutes=1)


@pytest.mark.parametrize("kind", [BuildReports, Claims, Controls, MetricsCollector])
def test_everything_that_a_host_makes_follows_the_server(store: Store, kind: Any) -> None:
    """In each class alike, and in a reconciler and the builder for trying things out."""
    servers = choose_clock(store, SYSTEM_CLOCK)
    assert kind(store)._clock is servers
    builder = LocalBuilder(store, clock=SYSTEM_CLOCK, delay=timedelta())
    assert (builder._clock, Reconciler(store, builder)._options.clock) == (servers, servers)


def test_a_store_that_cannot_be_opened_leaves_no_session(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if the server is lost after the tables were looked at, when it is asked for its time."""
    database.make_store().close()
    kept: list[Any] = []

    def ask(statements: Any) -> None:
        kept.append(statements)  # as a traceback would keep it
        raise StoreUnavailableError("the server is lost")

    monkeypatch.setattr("prebuilds.adapters.postgres.store.read_time", ask)
    with pytest.raises(StoreUnavailableError):
        postgres.PostgresStore(database.dsn, schema=database.schema)
    wait_until(database, "true", holds=False)
    assert kept


def test_of_two_promotions_at_once_one_fails(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be repeated. Otherwise both would be active, as each promotion sees the presets as they were before."""
    store, elsewhere = database.make_store(), database.make_store()
    with store.transaction() as tx:
        for number in (1, 2, 3):
            version = TemplateVersion(id=f"v{number}", template=Template(id="t"), is_active=False, is_candidate=True)
            tx.put_preset(Preset(id=f"p{number}", desired_instances=1, template_version=version))
    read = promotions.require_version

    def read_before_another(*given: Any, **options: Any) -> Any:
        found = read(*given, **options)
        monkeypatch.undo()
        Controls(elsewhere).promote("v3")
        return found

    monkeypatch.setattr(promotions, "require_version", read_before_another)
    with pytest.raises(StoreBusyError):
        Controls(store).promote("v2")
    with store.transaction(read_only=True) as tx:
        active = [preset.id for preset in tx.list_presets() if preset.is_active]
    assert active == ["p3"]
    Controls(store).promote("v2")
    with store.transaction(read_only=True) as tx:
        assert [preset.id for preset in tx.list_presets() if preset.is_active] == ["p2"]
