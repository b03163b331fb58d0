"""Claims and reports on PostgreSQL: their trips, time-outs, who waits for whom, lost connections, expiry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import Database

from adapters.examples import NOW, add_preset, make_claim, make_start
from adapters.statement_counts import counting_trips
from adapters.test_postgres import AT_ONCE, add, elsewhere, get_names, wait_until, wait_until_blocked
from prebuilds import BuildStatus, Preset, TemplateVersion
from prebuilds.decision.presets import calculate_expiry_cutoff
from prebuilds.errors import CommitUnknownError, NameTakenError, StoreBusyError, StoreClosedError
from prebuilds.runtime import BuildReports, Claims, Counter, Message, OutboxRelay, Store, select
from prebuilds.testing.clocks import ManualClock
from prebuilds.testing.contracts.equipment.requests import insert_one

postgres = pytest.importorskip("prebuilds.adapters.postgres")
psycopg = pytest.importorskip("psycopg")

MESSAGE = Message(topic="topic", body="p")
BLOCKED = """(
    SELECT count(*) FROM pg_stat_activity AS waiting
    WHERE waiting.application_name = pg_stat_activity.application_name AND waiting.wait_event_type = 'Lock'
) = {}"""


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


def claim(store: Store, name: str = "mine", **changes: Any) -> str | None:
    """The id of the workspace that a claim got."""
    claims = Claims(store, clock=ManualClock(NOW))
    workspace = claims.claim("p", owner_id="user", name=name, **changes).workspace
    return workspace.id if workspace else None


def test_a_claim_is_one_trip(store: Store) -> None:
    """Whether it takes one, repeats an answer, or misses; a refusal too."""
    add(store, 1, 2)
    claim(store, "first")  # the pool has made a connection
    for name, request_id in (("mine", "r"), ("mine", "r"), ("other", "s")):
        with counting_trips() as seen:
            claim(store, name, request_id=request_id)
        assert len(seen) == 1, seen
    add(store, 3)
    with counting_trips() as seen, pytest.raises(NameTakenError):
        claim(store)
    assert len(seen) == 1


def test_a_claim_sets_nothing_in_its_session(database: Database) -> None:
    """So that PgBouncer may give each claim another session: nothing is prepared, and no setting stays."""
    store = database.make_store(max_connections=1)
    with store.transaction() as tx:
        add_preset(tx)
    names = ("lock_timeout", "statement_timeout", "search_path", "default_transaction_isolation")
    sql = f"SELECT {', '.join(f'current_setting({name!r})' for name in names)}, count(*) FROM pg_prepared_statements"
    for number in range(12):  # psycopg would prepare what it has run five times
        add(store, number)
        assert claim(store, f"mine {number}") == f"w{number}"
        with database.connect() as other, store._pool._get_pool().connection() as connection:
            assert connection.execute(sql).fetchone() == other.execute(sql).fetchone()
            connection.execute("DISCARD ALL")


@pytest.mark.parametrize("level", ["serializable", "repeatable read"])
def test_a_claim_has_its_own_isolation(database: Database, level: str) -> None:
    """Whatever is the default of the database: claims at once do not fail for each other's sake."""
    option = f"-c default_transaction_isolation={level}".replace("e r", "e\\ r")
    dsn = psycopg.conninfo.make_conninfo(database.dsn, options=option)
    with closing(postgres.PostgresStore(dsn, schema=database.make_store().schema)) as store:
        with store.transaction() as tx:
            add_preset(tx)
        add(store, *range(8))
        with ThreadPoolExecutor(8) as executor:
            taken = list(executor.map(lambda number: claim(store, f"mine {number}"), range(8)))
    assert sorted(filter(None, taken)) == [f"w{number}" for number in range(8)]


def test_a_claim_waits_for_a_lock_no_longer_than_it_may(store: Store, database: Database) -> None:
    """For a name that another transaction is taking, by either of the time-outs. Then nothing was taken."""
    add(store, 1, 2)
    short, long = timedelta(milliseconds=30), timedelta(seconds=20)
    with store.transaction() as tx:
        tx.take_prebuild(make_claim())
        for timeouts in (
            postgres.Timeouts(lock=short, statement=long),
            postgres.Timeouts(lock=long, statement=short),
        ):
            impatient = database.make_store(timeouts=timeouts)
            with pytest.raises(StoreBusyError):
                claim(impatient)
    assert claim(store, "other") == "w2"


def test_a_claim_does_not_wait_for_a_change_of_its_preset(store: Store) -> None:
    """It comes before a promotion that is not committed, and after one that is."""
    add(store, 1, 2)
    with store.transaction() as tx:
        add_preset(tx, template_version=TemplateVersion(is_active=False))
        with elsewhere(lambda: claim(store)) as claiming:
            assert claiming.result(timeout=30) == "w1"
    assert claim(store, "other") is None


def test_a_claim_passes_over_what_others_have_locked(store: Store) -> None:
    """It takes the next, or misses, but does not wait."""
    add(store, 1, 2)
    with store.transaction() as tx:
        tx.retire_prebuild("w1")
        with elsewhere(lambda: [claim(store), claim(store, "other")]) as claiming:
            assert claiming.result(timeout=30) == ["w2", None]


def test_a_name_given_at_once_is_given_once(store: Store, database: Database) -> None:
    """The claim waits for the transaction that takes the name, and then it is taken."""
    add(store, 1, 2)
    with pytest.raises(NameTakenError), elsewhere(lambda: claim(store, request_id="r")) as claiming:  # noqa: PT012
        with store.transaction() as tx:
            tx.take_prebuild(make_claim())
            wait_until_blocked(database)
        claiming.result()
    assert get_names(store)["w2"] == "prebuilds"


def test_a_claim_made_again_at_once_waits_for_the_first(store: Store, database: Database) -> None:
    """It gets the workspace that the first call took, though no other is left."""
    from psycopg import sql

    add(store, 1)
    with ThreadPoolExecutor(2) as executor, database.connect() as other:
        with other.transaction():  # holds what a claim writes last
            other.execute(sql.SQL("LOCK TABLE {}.counters IN SHARE MODE").format(sql.Identifier(database.schema)))
            first = executor.submit(lambda: claim(store, request_id="r"))
            wait_until(database, BLOCKED.format(1))
            second = executor.submit(lambda: claim(store, request_id="r"))
            wait_until(database, BLOCKED.format(2))
        assert [first.result(), second.result()] == ["w1", "w1"]


def test_a_connection_lost_during_a_claim_leaves_the_end_unknown(store: Store, database: Database) -> None:
    """The same call, made again under its request id, finds out."""
    add(store, 1, 2)
    with store.transaction() as tx:
        tx.take_prebuild(make_claim(owner_id="user", name="mine"))
        with elsewhere(lambda: claim(store, request_id="r")) as claiming:
            wait_until_blocked(database)
            database.terminate(state="active")
            with pytest.raises(CommitUnknownError):
                claiming.result()
        tx.release_workspace("w1", name="w1")
    assert [claim(store, request_id="r"), claim(store, request_id="r")] == ["w2", "w2"]


def test_idle_connections_that_died_are_not_used_for_claims(store: Store, database: Database) -> None:
    """As after a restart of the server. Nothing was sent over them, so that nothing is unknown."""
    add(store, 1, 2)
    assert claim(store, request_id="r") == "w1"
    assert database.terminate() >= 1
    assert claim(store, "other", request_id="s") == "w2"


def test_a_closed_store_makes_no_claim(store: Any) -> None:
    """As it begins no transaction."""
    store.close()
    with pytest.raises(StoreClosedError):
        claim(store)


def test_text_that_looks_like_sql_is_text_in_a_claim(store: Store) -> None:
    """psycopg writes it as literals, whatever is in it."""
    add(store, 1, 2)
    odd = "'; DROP TABLE presets; --\\' \"%(name)s %s {} $1 é"
    assert claim(store, odd, request_id=odd) == claim(store, odd, request_id=odd) == "w1"
    with store.transaction(read_only=True) as tx:
        found = tx.find_claim(odd)
    assert found
    assert (found[0].name, found[1].name) == (odd, odd)


@pytest.mark.parametrize("name", ['a "quoted" 100% name', "%s %(x)s"])
def test_the_name_of_a_schema_is_only_a_name(database: Database, name: str) -> None:
    """The claim's statement has it, and psycopg looks for parameters in there."""
    store = database.make_store(schema=f"{database.name} {name}")
    with store.transaction() as tx:
        add_preset(tx)
    add(store, 1)
    assert claim(store) == "w1"


instants = st.timedeltas(timedelta(days=-3), timedelta(days=3)).map(datetime(2026, 3, 29, tzinfo=timezone.utc).__add__)
ttls = st.timedeltas(timedelta(), timedelta(days=7)) | st.timedeltas(timedelta(), timedelta(days=36_525)) | st.none()


@pytest.fixture
def berlin(database: Database) -> Iterator[Any]:
    """A store whose sessions live in a zone that changes to summer time on 29 March 2026."""
    dsn = psycopg.conninfo.make_conninfo(database.dsn, options="-c timezone=Europe/Berlin")
    with postgres.PostgresStore(dsn, schema=database.make_store().schema) as store:
        yield store


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(now=instants, ttl=ttls, invalidated=st.none() | instants)
def test_a_claim_expires_prebuilds_as_a_decision_does(
    berlin: Any, now: datetime, ttl: timedelta | None, invalidated: datetime | None
) -> None:
    """To the microsecond, also across a change to summer time in the session's zone."""
    preset = Preset(id="p", desired_instances=1, ttl=ttl, last_invalidated_at=invalidated)
    name = uuid4().hex
    with berlin.transaction() as tx:
        tx.put_preset(preset)
        insert_one(tx, make_start(0, build_id=name, workspace_id=name), name=name, now=now)
        tx.finish_build(name, BuildStatus.SUCCEEDED, now=now)
        tx.mark_ready(name)
    request = make_claim(name=name, request_id=name, claimed_at=now)
    made = berlin.claim(request, message=MESSAGE)
    with berlin.transaction(read_only=True) as tx:
        found = tx.find_claim(name)
    cutoff = calculate_expiry_cutoff(preset, now)
    assert found == (attrs.evolve(request, created_since=cutoff), made.workspace)


# Reports


@pytest.mark.parametrize(
    ("report", "most"),
    [
        (lambda reports: reports.begin("b1"), 2),
        (lambda reports: reports.succeed("b1"), 3),
        (lambda reports: reports.fail("b1"), 3),
        (lambda reports: reports.cancel("b1"), 3),
        (lambda reports: reports.make_ready("w2"), 3),
        (lambda reports: reports.make_unready("w3"), 3),
        (lambda reports: reports.lose("w3"), 3),
        (lambda reports: reports.lose("w1"), 4),  # whose start is canceled too
    ],
)
def test_a_report_is_three_trips(store: Store, report: Callable[[BuildReports], bool], most: int) -> None:
    """Its counters and its message go with the commit."""
    add(store, 3)
    with store.transaction() as tx:
        for number in (1, 2):
            insert_one(tx, make_start(number), name=f"prebuild {number}", now=NOW)
        tx.finish_build("b2", BuildStatus.SUCCEEDED, now=NOW)
    with counting_trips() as seen:
        assert report(BuildReports(store, clock=ManualClock(NOW)))
    assert len(seen) == most, seen


def test_a_relay_makes_few_trips(store: Store) -> None:
    """Reading the outbox, publishing and deleting are a transaction each, for up to a hundred messages together."""
    with store.transaction() as tx:
        for number in range(20):
            tx.publish_on_commit(Message(topic="topic", body=str(number)))
    with closing(postgres.PostgresPubSub(store, listen=False)) as pubsub, counting_trips() as seen:
        assert OutboxRelay(store, pubsub).flush() == 20
    assert len(seen) == 5, seen


def test_what_goes_with_the_commit_is_seen_before_it(store: Store) -> None:
    """By the transaction itself, in its order; a nested part that is rolled back loses its own alone."""
    with store.transaction() as tx:
        tx.count("p", Counter.CREATED)
        tx.publish_on_commit(MESSAGE)
        with suppress(KeyError), tx.nested():
            tx.count("p", Counter.CREATED)
            tx.publish_on_commit(MESSAGE)
            raise KeyError
        with tx.nested():
            tx.count("p", Counter.FAILED)
        assert {value.counter: value.value for value in tx.list_counters()} == {Counter.CREATED: 1, Counter.FAILED: 1}
        assert [entry.message for entry in tx.list_messages(9)] == [MESSAGE]


def test_what_goes_with_the_commit_may_fail(store: Store, hasty: Store) -> None:
    """Then nothing is committed, and the store is busy: for a counter, another transaction has the row."""
    with store.session() as statements:  # type: ignore[attr-defined]
        statements.write("LOCK TABLE counters IN SHARE MODE")
        with pytest.raises(StoreBusyError), hasty.transaction() as tx:  # noqa: PT012
            tx.set_paused(paused=True)
            tx.count("p", Counter.CREATED)
    with store.transaction(read_only=True) as tx:
        assert (tx.read_rows(select()).is_paused, list(tx.list_counters())) == (False, [])
