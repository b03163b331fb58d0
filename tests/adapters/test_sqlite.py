"""The SQLite store: the file and its versions, waiting for others, stored values, and the use of indexes."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from itertools import chain
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.examples import NOW, add_preset, add_ready, make_claim, make_delete, make_start
from prebuilds import BuildStatus, FailureClass, InvalidValueError, PrebuildStatus, Preset, Transition
from prebuilds.adapters.rows import PRESET_COLUMNS
from prebuilds.adapters.sqlite import SQLitePubSub, SQLiteStore
from prebuilds.adapters.sqlite.connections import connection
from prebuilds.adapters.sqlite.connections.connection import Connection, calculate_pause
from prebuilds.adapters.sqlite.tables import rows
from prebuilds.adapters.sqlite.tables.claims import FIRST_BY
from prebuilds.adapters.sqlite.tables.migrations import connect
from prebuilds.adapters.sqlite.tables.plan_reads import OF_ALL, OF_SHARD, OF_SOME
from prebuilds.adapters.sqlite.tables.schema import APPLICATION_ID, VERSIONS
from prebuilds.decision.fields import MAX_COUNT, MAX_DURATION
from prebuilds.errors import (
    PoolExhaustedError,
    ReadOnlyTransactionError,
    StoreBusyError,
    StoreClosedError,
    StoreUnavailableError,
    TransactionEndedError,
    UnsupportedStoreError,
)
from prebuilds.runtime.fleet_rows import ALL_PRESETS, Selection, Shard, hash_preset, select
from prebuilds.runtime.models import PREBUILDS_USER_ID, ClaimOrder, Counter, Message
from prebuilds.runtime.ports import Isolation, Transaction
from prebuilds.testing import strategies
from prebuilds.testing.contracts.equipment.requests import delete_one, insert_one

AT_ONCE = timedelta()
INSTANTS = st.datetimes(timezones=st.just(timezone.utc))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore(path, survives_power_loss=False) as store:
        yield store


@contextmanager
def hold(store: SQLiteStore, *, read_only: bool = False) -> Iterator[Transaction]:
    """A transaction that another thread holds open until the block ends."""
    opened, over = threading.Event(), threading.Event()
    held: list[Transaction] = []

    def run() -> None:
        with store.transaction(read_only=read_only) as tx:
            held.append(tx)
            opened.set()
            over.wait(timeout=60)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert opened.wait(timeout=60)
        yield held[0]
    finally:
        over.set()
        thread.join()


@contextmanager
def open_raw(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        yield raw


def fetch(path: Path, sql: str) -> Any:
    with open_raw(path) as raw:
        return raw.execute(sql).fetchone()[0]


def open_versions(path: Path, *versions: tuple[str, ...]) -> Connection:
    return connect(str(path), seconds=10, survives_power_loss=False, versions=versions)


# The file


def test_a_new_file_is_of_the_last_version(path: Path, store: SQLiteStore) -> None:
    """It is known as ours, of the last version, and has a write-ahead log."""
    pragmas = ("application_id", "user_version", "journal_mode")
    assert [fetch(path, f"PRAGMA {pragma}") for pragma in pragmas] == [APPLICATION_ID, len(VERSIONS), "wal"]
    assert store.max_connections == 8


def test_what_is_committed_is_there_when_the_file_is_opened_again(path: Path) -> None:
    """The file is the store."""
    with SQLiteStore(path) as store, store.transaction() as tx:
        preset = add_preset(tx)
    with SQLiteStore(path) as store, store.transaction(read_only=True) as tx:
        assert tx.list_presets() == (preset,)


@pytest.mark.parametrize(("survives", "level"), [(True, 2), (False, 1)])
def test_commits_wait_for_the_disk_unless_told_not_to(path: Path, *, survives: bool, level: int) -> None:
    """SQLite calls it FULL and NORMAL."""
    with SQLiteStore(path, survives_power_loss=survives) as store, store.session(read_only=True) as statements:
        assert statements.fetch("PRAGMA synchronous") == [(level,)]


def test_a_file_of_a_later_version_is_refused(path: Path) -> None:
    """The error says which version it is of and which are known; the file is left as it was."""
    SQLiteStore(path).close()
    with open_raw(path) as raw:
        raw.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(UnsupportedStoreError, match="of version 99, and this release of prebuilds knows versions up"):
        SQLiteStore(path)
    assert path.read_bytes() == before


def test_a_file_of_another_application_is_refused(path: Path) -> None:
    """Its tables are not ours to add to, even if it counts no versions."""
    with open_raw(path) as raw:
        raw.execute("CREATE TABLE theirs (id)")
    before = path.read_bytes()
    with pytest.raises(UnsupportedStoreError, match="the database of another application"):
        SQLiteStore(path)
    assert path.read_bytes() == before


def test_a_file_that_is_not_a_database_is_refused(path: Path) -> None:
    """The error names the file."""
    path.write_text("what a mess" * 1_000)
    with pytest.raises(UnsupportedStoreError, match=r"store.db cannot be used as a store: file is not a database"):
        SQLiteStore(path)
    with pytest.raises(UnsupportedStoreError, match=r"missing.store.db cannot be used as a store: unable to open"):
        SQLiteStore(path.parent / "missing" / "store.db")


@pytest.mark.parametrize("name", [":memory:", "", b"store.db"])
def test_a_store_is_a_file(name: Any) -> None:
    """Without a file, each connection would have a database of its own."""
    with pytest.raises(InvalidValueError, match=r"SQLiteStore\.path: .* it must be the path of a file"):
        SQLiteStore(name)


@pytest.mark.parametrize(
    ("argument", "value"),
    [("max_connections", 0), ("max_connections", True), ("timeout", timedelta(-1)), ("timeout", 10)],
)
def test_wrong_arguments_are_refused(path: Path, argument: str, value: Any) -> None:
    """The error names the argument and what is allowed, and no file is made."""
    with pytest.raises(InvalidValueError, match=rf"SQLiteStore\.{argument}: "):
        SQLiteStore(path, **{argument: value})
    assert not path.exists()


# Versions


def test_a_file_of_an_earlier_version_is_brought_to_the_last(path: Path) -> None:
    """Each version's statements are run once, on what the one before it has left."""
    with SQLiteStore(path) as store, store.transaction() as tx:
        preset = add_preset(tx)
    second, third = ("ALTER TABLE presets ADD COLUMN icon TEXT",), ("UPDATE presets SET icon = id || '.png'",)
    for versions in ((*VERSIONS, second, third), (*VERSIONS, second, third)):
        connection = open_versions(path, *versions)
        assert connection.execute("SELECT id, icon FROM presets").fetchall() == [(preset.id, "p.png")]
        assert connection.execute("PRAGMA user_version").fetchone() == (len(VERSIONS) + 2,)
        connection.close()


OF_RELEASE_01 = """
    INSERT INTO presets VALUES
        ('p', '', 'v1', '', 1, '', '', '', '', 0, 0, 3, NULL, NULL, '[]', NULL, 'healthy', '{"cpu": "4"}', NULL);
    INSERT INTO workspaces VALUES
        ('ready', 'n', 'prebuilds', 'p', '', 10, 1, 0, 0, 1), ('older', 'n', 'prebuilds', 'p', '', 5, 1, 0, 0, 1),
        ('claimed', 'n', 'ann', 'p', '', 1, 1, 0, 0, 1);
    INSERT INTO builds VALUES
        ('b1', 'ready', 1, 'p', 'start', 'succeeded', 'v1', 10, 20, 1),
        ('b2', 'older', 1, 'p', 'start', 'succeeded', 'v0', 5, 20, 1),
        ('b3', 'claimed', 1, 'p', 'start', 'succeeded', 'v1', 1, 20, 1),
        ('b4', NULL, 1, 'p', 'start', 'failed', 'v1', 30, 30, 0);
    INSERT INTO claims VALUES ('r', 'p', NULL, 'oldest_first', 'ann', 'n', 25, 'claimed');
"""


def test_a_file_of_release_01_is_read_as_it_was_meant(path: Path) -> None:
    """The parameters of its workspaces are unknown, and none is retired."""
    open_versions(path, VERSIONS[0]).close()
    with open_raw(path) as raw:
        raw.executescript(OF_RELEASE_01)
    with SQLiteStore(path) as store, store.transaction() as tx:
        found = tx.find_claim("r")
        workspaces = [*tx.read_rows().prebuilds, *(found or ())[1:]]
        assert sorted(workspace.id for workspace in workspaces) == ["claimed", "older", "ready"]
        assert [(workspace.parameters, workspace.retired) for workspace in workspaces] == [(None, False)] * 3
        builds = tx.read_rows(ended_since=NOW, latest=3).builds
        assert sorted((build.id, build.template_version_id) for build in builds) == [(f"b{n}", "v1") for n in (1, 3, 4)]
        assert {(build.failure, build.message) for build in builds} == {(FailureClass.TRANSIENT, "")}
        taken = [tx.take_prebuild(make_claim(name=name)) for name in ("first", "second")]
        assert [workspace and workspace.id for workspace in taken] == ["ready", None]


def test_a_step_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    """It is done whole or not at all, and what came before it stays."""
    SQLiteStore(path).close()
    broken = ("CREATE TABLE half (id)", "a mistake")
    with pytest.raises(UnsupportedStoreError, match='near "a": syntax error'):
        open_versions(path, *VERSIONS, broken)
    assert fetch(path, "SELECT count(*) FROM sqlite_master WHERE name = 'half'") == 0
    SQLiteStore(path).close()


def test_many_may_open_a_new_file_at_once(path: Path) -> None:
    """One of them makes the tables, and the others find them."""
    count, errors = 8, []
    together = threading.Barrier(count)

    def run(number: int) -> None:
        together.wait(timeout=60)
        try:
            with SQLiteStore(path, timeout=timedelta(minutes=1)) as store, store.transaction() as tx:
                add_preset(tx, id=f"p{number}")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert fetch(path, "SELECT count(*) FROM presets") == count


# Connections and waiting


def test_a_connection_that_nobody_returns_in_time_is_an_error(path: Path) -> None:
    """Readers and writers alike wait for one of `max_connections`, and no longer than the time-out."""
    with SQLiteStore(path, max_connections=1, timeout=AT_ONCE) as store:
        for held_read_only in (True, False):
            with hold(store, read_only=held_read_only):
                for read_only in (True, False):
                    with pytest.raises(PoolExhaustedError, match="none of 1 connections became free within 0 s"):
                        store.transaction(read_only=read_only).__enter__()


def test_a_writer_waits_for_the_writer_before_it(path: Path) -> None:
    """Connections may be left, but there is one writer at a time; it holds up no reader."""
    with SQLiteStore(path, timeout=AT_ONCE) as store, hold(store) as tx:
        add_preset(tx)
        with pytest.raises(StoreBusyError, match="held by other writers for 0 s"):
            store.transaction().__enter__()
        with store.transaction(read_only=True) as reader:
            assert reader.list_presets() == ()


def test_waiting_writers_hold_no_connection(path: Path) -> None:
    """However many writers queue, a reader finds a connection at once."""
    with SQLiteStore(path, max_connections=2, survives_power_loss=False) as store:
        with hold(store):
            writers = [threading.Thread(target=write_once, args=(store,)) for _ in range(4)]
            for writer in writers:
                writer.start()
            with store.transaction(read_only=True) as tx:
                assert tx.list_presets() == ()
        for writer in writers:
            writer.join()
        with store.transaction(read_only=True) as tx:
            assert [value.value for value in tx.list_counters()] == [4]


def write_once(store: SQLiteStore) -> None:
    with store.transaction() as tx:
        tx.count("p", Counter.CREATED)


def test_another_process_that_writes_for_too_long_is_an_error(path: Path) -> None:
    """Nothing is written; a reader is not disturbed."""
    with SQLiteStore(path, timeout=AT_ONCE) as store, open_raw(path) as raw:
        raw.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError, match="held by other writers for 0 s"):
            store.transaction().__enter__()
        with store.transaction(read_only=True) as tx:
            assert tx.list_presets() == ()


def test_a_writer_continues_when_another_process_is_done(
    path: Path, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks again and again, and finds the file free."""
    pauses: list[float] = []
    with open_raw(path) as raw:
        raw.execute("BEGIN IMMEDIATE")

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                raw.execute("COMMIT")

        monkeypatch.setattr(connection, "sleep", pause)
        with store.transaction() as tx:
            add_preset(tx)
    assert len(pauses) == 3


def test_the_longer_a_writer_has_waited_the_more_often_it_tries() -> None:
    """Until the wait is so long that trying often would be a waste."""
    assert [calculate_pause(waited) for waited in (0, 0.02, 0.1, 0.9, 1, 60)] == [
        *(0.002, 0.002),
        *(0.0003, 0.0003),
        *(0.005, 0.005),
    ]


def test_no_more_connections_are_opened_than_allowed(path: Path) -> None:
    """Those that read and those that write are kept apart while there is room, and turned over when there is not."""
    with SQLiteStore(path, max_connections=2) as store:
        for read_only in (True, False, True, False):
            with store.transaction(read_only=read_only) as tx:
                tx.read_rows()
        assert sorted(connection.is_read_only for connection in store._pool._all) == [False, True]
        with hold(store, read_only=True), store.transaction(read_only=True) as tx:
            tx.read_rows()
        assert [connection.is_read_only for connection in store._pool._all] == [True, True]


def test_a_closed_store_is_closed(path: Path) -> None:
    """Open transactions go on to their end, and no new one begins. Closing again does nothing."""
    store = SQLiteStore(path)
    with store.transaction() as tx:
        store.close()
        add_preset(tx)
    for read_only in (True, False):
        with pytest.raises(StoreClosedError, match="it is closed"):
            store.transaction(read_only=read_only).__enter__()
    store.close()
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]
    assert fetch(path, "SELECT count(*) FROM presets") == 1


# Transactions


def test_a_transaction_that_reads_cannot_write(store: SQLiteStore) -> None:
    """SQLite itself refuses, so that the check covers every method. Later transactions can write."""
    with store.transaction() as tx:
        add_preset(tx)
    with store.transaction(read_only=True) as tx:
        with pytest.raises(ReadOnlyTransactionError):
            add_ready(tx, 1)
        with pytest.raises(ReadOnlyTransactionError):
            tx.take_lease("loop", "me", now=NOW, expires_at=NOW)
        assert tx.read_rows().prebuilds == ()
    with store.transaction() as tx:
        add_ready(tx, 1)


def test_a_reader_sees_the_moment_it_began_at(store: SQLiteStore) -> None:
    """Not that of its first read."""
    with hold(store, read_only=True) as reader:
        with store.transaction(isolation=Isolation.REPEATABLE_READ) as tx:
            add_preset(tx)
        assert reader.list_presets() == ()


def test_a_transaction_is_of_no_use_after_its_end(store: SQLiteStore) -> None:
    """Its connection may be another's by then."""
    with store.transaction() as tx:
        add_preset(tx)
    with pytest.raises(TransactionEndedError, match="the transaction has already ended"):
        tx.list_presets()


def test_a_full_disk_undoes_the_transaction(path: Path, store: SQLiteStore) -> None:
    """Also where a nested part is left by the error; nothing is written after it, and the store works on."""
    with store.transaction() as tx:
        add_preset(tx)
    (connection,) = [connection for connection in store._pool._all if not connection.is_read_only]
    connection.execute(f"PRAGMA max_page_count = {fetch(path, 'PRAGMA page_count') + 2}")
    for fill in (fill_nested, fill_and_go_on):
        with pytest.raises((StoreUnavailableError, TransactionEndedError)), store.transaction() as tx:
            fill(tx)
    with store.transaction() as tx:
        assert tx.list_messages(10) == ()
        tx.publish_on_commit(Message(topic="small"))


TOO_LARGE = Message(topic="t", body="x" * 1_000_000)


def fill_nested(tx: Transaction) -> None:
    tx.publish_on_commit(Message(topic="first"))
    with tx.nested():
        tx.publish_on_commit(TOO_LARGE)


def fill_and_go_on(tx: Transaction) -> None:
    with pytest.raises(StoreUnavailableError, match=r"store\.db: database or disk is full$"):
        tx.publish_on_commit(TOO_LARGE)
    tx.publish_on_commit(Message(topic="lost"))  # SQLite has rolled back, and would commit this on its own


def test_the_numbers_of_the_outbox_are_never_used_twice(path: Path) -> None:
    """Deleting sent messages must not hit newer ones, even if the table was empty in between."""
    numbers: list[int] = []
    for _ in range(3):
        with SQLiteStore(path) as store, store.transaction() as tx:
            tx.publish_on_commit(Message(topic="t"))
            numbers += [entry.id for entry in tx.list_messages(10)]
            tx.delete_messages(numbers)
    assert numbers == [1, 2, 3]


def test_no_build_ends_before_it_was_created(store: SQLiteStore) -> None:
    """The reporter's clock may be behind. With an end before its beginning the build could not be read again."""
    with store.transaction() as tx:
        add_preset(tx)
        insert_one(tx, make_start(1), name="n", now=NOW)
        tx.finish_build("b1", BuildStatus.FAILED, now=NOW - timedelta(hours=1))
        assert [build.finished_at for build in tx.read_rows(ended_since=NOW, latest=0).builds] == [NOW]


def test_a_build_ends_with_a_final_status(store: SQLiteStore) -> None:
    """Another is an error of the caller."""
    with pytest.raises(InvalidValueError, match=r"status: <BuildStatus.RUNNING"), store.transaction() as tx:
        tx.finish_build("b1", BuildStatus.RUNNING, now=NOW)


def test_a_naive_instant_is_refused(store: SQLiteStore) -> None:
    """As everywhere; the error names the argument."""
    with pytest.raises(InvalidValueError, match="ended_since"), store.transaction() as tx:
        tx.read_rows(ended_since=datetime(2026, 1, 1), latest=0)  # noqa: DTZ001 - that is the point


def test_the_unique_indexes_stand_behind_claims(path: Path, store: SQLiteStore) -> None:
    """Even whoever writes to the file by other means cannot note two claims of one request, or of one workspace, nor
    give an owner two workspaces of one name.
    """
    with store.transaction() as tx:
        add_preset(tx)
        add_ready(tx, 1)
        add_ready(tx, 2)
        tx.take_prebuild(make_claim(request_id="r"))
    with open_raw(path) as raw:
        for request_id, workspace_id in (("r", "w2"), ("other", "w1")):
            sql = 'INSERT INTO claims SELECT ?, preset_id, created_since, "order", owner_id, name, 0, ? FROM claims'
            with pytest.raises(sqlite3.IntegrityError, match="UNIQUE constraint failed: claims"):
                raw.execute(sql, (request_id, workspace_id))
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE constraint failed: workspaces"):
            raw.execute("UPDATE workspaces SET owner_id = 'user', name = 'mine' WHERE id = 'w2'")


# What is kept


@given(st.lists(INSTANTS, min_size=1))
@example([datetime.min.replace(tzinfo=timezone.utc), datetime.max.replace(tzinfo=timezone.utc)])
def test_instants_are_kept_to_the_microsecond_and_in_order(instants: list[datetime]) -> None:
    """Every instant that a datetime can hold, before 1970 too."""
    numbers = [rows.write_instant("at", instant) for instant in instants]
    assert [rows.read_instant(number) for number in numbers] == instants
    assert [rows.read_instant(number) for number in sorted(numbers)] == sorted(instants)


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cf")), max_size=20)


@given(
    preset=strategies.presets(now=NOW),
    texts=st.tuples(TEXTS, TEXTS),
    parameters=st.dictionaries(TEXTS, TEXTS, max_size=3),
    ttl=st.none() | st.timedeltas(timedelta(), MAX_DURATION),
    desired=st.integers(0, MAX_COUNT),
    invalidated=st.none() | INSTANTS,
)
def test_presets_are_kept_whole(  # noqa: PLR0917 - the edges of several fields
    preset: Preset,
    texts: tuple[str, str],
    parameters: dict[str, str],
    ttl: timedelta | None,
    desired: int,
    invalidated: datetime | None,
) -> None:
    """Every field comes back unchanged, with any text and at the edges of its range."""
    template = attrs.evolve(preset.template_version.template, organization_id=texts[0], organization_name=texts[1])
    given_preset = attrs.evolve(
        preset,
        name=texts[0],
        template_version=attrs.evolve(preset.template_version, name=texts[1], template=template),
        parameters=parameters,
        ttl=ttl,
        desired_instances=desired,
        autoscale=preset.autoscale and attrs.evolve(preset.autoscale, max_instances=MAX_COUNT),
        last_invalidated_at=invalidated,
    )
    with closing(sqlite3.connect(":memory:")) as raw:
        raw.create_function("hash_preset", 1, hash_preset)
        for statement in chain(*VERSIONS):
            raw.execute(statement)
        places = ", ".join("?" for _ in PRESET_COLUMNS)
        raw.execute(
            f"INSERT INTO presets ({rows.LISTED_PRESET_COLUMNS}) VALUES ({places})",
            rows.write_preset(given_preset),
        )
        (row,) = raw.execute(f"SELECT {rows.LISTED_PRESET_COLUMNS} FROM presets")
    kept = rows.read_preset(row)
    assert kept == given_preset
    assert kept.is_active is given_preset.is_active


def test_replacing_a_preset_keeps_its_reset(store: SQLiteStore) -> None:
    """The reset is the reconciler's, and no field of the preset."""
    with store.transaction() as tx:
        add_preset(tx)
        tx.set_reset("p", at=NOW)
        add_preset(tx, desired_instances=9, prebuild_status=PrebuildStatus.HARD_LIMITED)
        assert tx.read_rows().resets == (("p", NOW),)
        assert [preset.desired_instances for preset in tx.list_presets()] == [9]


# Indexes


_SCANS = (  # of the prebuilds that there are, however many were claimed and deleted
    "SCAN workspaces USING INDEX prebuilds",
    "SCAN workspaces USING INDEX prebuild_shards",
    "SCAN workspaces USING COVERING INDEX prebuild_shards",
)


def run_everything(store: SQLiteStore) -> None:
    """Every method of a transaction, so that it runs its statements."""
    with store.transaction() as tx:
        add_preset(tx)
        add_ready(tx, 1)
        add_ready(tx, 2)
        insert_one(tx, make_start(3), name="n", now=NOW)
        insert_one(tx, make_start(4), name="n", now=NOW)
        tx.insert_failed_build(make_start(5), now=NOW)
        tx.take_prebuild(make_claim(request_id="r"))
        tx.take_prebuild(make_claim(name="other", order=ClaimOrder.NEWEST_FIRST))
        tx.find_claim("r")
        tx.mark_submitted(["b3"])
        tx.begin_build("b3", now=NOW)
        tx.finish_build("b3", BuildStatus.FAILED, now=NOW)
        delete_one(tx, make_delete(3), now=NOW)
        tx.finish_build("d", BuildStatus.SUCCEEDED, now=NOW)
        for selection in (ALL_PRESETS, select("p"), Selection(shard=Shard(index=0, count=2))):
            tx.read_rows(selection, ended_since=NOW, latest=3)
        tx.list_presets("p")
        tx.set_reset("p", at=NOW)
        tx.set_invalidated("p", at=NOW)
        tx.set_prebuild_status("p", PrebuildStatus.HEALTHY)
        tx.count("p", Counter.CREATED)
        add_preset(tx, template_version=attrs.evolve(tx.list_presets()[0].template_version, is_active=False))
        assert tx.cancel_pending("p", now=NOW) == ("w4",)
        tx.mark_unready("w2")
        tx.retire_prebuild("w2")
        tx.release_workspace("w1", name="n")
        tx.forget_workspace("w2")
        lease = tx.take_lease("loop", "me", now=NOW, expires_at=NOW)
        assert lease
        tx.release_lease(lease)
        tx.publish_on_commit(Message(topic="t"))
        tx.delete_messages([entry.id for entry in tx.list_messages(10)])
    SQLitePubSub(store).publish(Message(topic="t"))


def test_no_statement_reads_a_whole_table_that_grows(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each finds its rows of workspaces, builds and claims by an index, and none sorts what the index has in order."""
    statements: dict[str, tuple[Any, ...]] = {}
    execute = Connection.execute

    def record(self: Connection, sql: str, parameters: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        statements[sql] = parameters
        return execute(self, sql, parameters)

    monkeypatch.setattr(Connection, "execute", record)
    run_everything(store)
    monkeypatch.undo()
    assert len(statements) > 35
    with store.session(read_only=True) as session:
        for sql, parameters in statements.items():
            if not sql.strip().startswith(("SELECT", "WITH", "UPDATE", "DELETE")):
                continue
            plan = [row[3] for row in session.fetch(f"EXPLAIN QUERY PLAN {sql}", *parameters)]
            scanned = [step for step in plan if re.match("SCAN (workspaces|builds|claims|notices)", step)]
            assert [step for step in scanned if step not in _SCANS] == [], sql
            assert not [step for step in plan if "TEMP B-TREE" in step], sql


@pytest.mark.parametrize(
    ("sql", "names"), [(OF_ALL.outcomes, ()), (OF_SOME.outcomes, ('["p"]',)), (OF_SHARD.outcomes, (2, 0))]
)
def test_past_builds_are_looked_up_attempt_by_attempt(store: SQLiteStore, sql: str, names: tuple[str, ...]) -> None:
    """However long a preset's history is, only the builds that count and the recent ones are read."""
    with store.session(read_only=True) as session:
        plan = [row[3] for row in session.fetch(f"EXPLAIN QUERY PLAN {sql}", *names, 2, 0, 1, 0)]
    assert [step for step in plan if "builds" in step or "latest" in step] == [
        "SEARCH builds USING INDEX attempts (preset_id=? AND template_version_id>?)",
        "SEARCH builds USING INDEX attempts (preset_id=? AND template_version_id=? AND created_at>?)",
        "SEARCH latest USING INDEX attempts (preset_id=? AND template_version_id=? AND created_at>?)",
        "SEARCH builds USING INDEX outcomes (preset_id=? AND finished_at>?)",
    ]


@pytest.mark.parametrize("order", ClaimOrder)
def test_claims_take_the_first_of_an_index(store: SQLiteStore, order: ClaimOrder) -> None:
    """However many prebuilds a preset has, a claim looks at one, from either end."""
    with store.session(read_only=True) as session:
        sql = FIRST_BY[order]
        plan = [row[3] for row in session.fetch(f"EXPLAIN QUERY PLAN {sql}", *[None] * sql.count("?"))]
    assert plan[0] == "SEARCH workspaces USING INDEX prebuilds (preset_id=? AND ready=? AND created_at>?)"


def test_the_indexes_know_the_prebuilds_user() -> None:
    """Its id stands in the text of indexes and statements, as an index on a part of a table needs it."""
    assert PREBUILDS_USER_ID == "prebuilds"
    assert {Transition.START.value, BuildStatus.FAILED.value, BuildStatus.SUCCEEDED.value} == {
        "start",
        "failed",
        "succeeded",
    }
