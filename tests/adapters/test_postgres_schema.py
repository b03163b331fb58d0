"""The tables on PostgreSQL: how they are made and brought up to date, and the indexes that statements find rows by."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from servers import Database

from adapters.examples import NOW, add_preset, make_claim
from prebuilds import FailureClass
from prebuilds.errors import StoreBusyError, StoreUnavailableError, UnsupportedStoreError
from prebuilds.runtime import ClaimOrder, Claims, Store
from prebuilds.runtime.models import PREBUILDS_USER_ID
from prebuilds.testing.clocks import ManualClock

postgres = pytest.importorskip("prebuilds.adapters.postgres")
psycopg = pytest.importorskip("psycopg")

from prebuilds.adapters.postgres.connections.connecting import make_parameters  # noqa: E402
from prebuilds.adapters.postgres.tables import claims, migrations, notices, outbox, plan_reads, schema  # noqa: E402
from prebuilds.adapters.rows import PRESET_COLUMNS  # noqa: E402

TIMEOUTS = postgres.Timeouts()


# Versions


def migrate(database: Database, *versions: str) -> None:
    migrations.migrate(make_parameters(database.dsn, TIMEOUTS), database.schema, TIMEOUTS, versions)


def query(database: Database, sql: str) -> list[tuple[Any, ...]]:
    with database.connect() as admin:
        admin.execute(f'SET search_path TO "{database.schema}"')
        cursor = admin.execute(sql)
        return cursor.fetchall() if cursor.description else []


def test_processes_that_open_a_new_store_at_once_make_it_once(database: Database) -> None:
    """One of them makes the tables, the others wait for it and find them."""
    with ThreadPoolExecutor(8) as executor:
        stores = list(executor.map(lambda _: database.make_store(), range(8)))
    with stores[0].transaction() as tx:
        add_preset(tx)
    for store in stores:
        with store.transaction(read_only=True) as tx:
            assert len(tx.list_presets()) == 1


def test_a_schema_is_taken_through_every_version_that_it_lacks(database: Database) -> None:
    """Each step is done once, in their order; nothing is lost."""
    first, second, third = "CREATE TABLE a (x integer)", "ALTER TABLE a ADD y integer", "UPDATE a SET y = x"
    database._schemas.append(database.schema)
    migrate(database, first)
    query(database, "INSERT INTO a VALUES (7)")
    migrate(database, first, second, third)
    migrate(database, first, second, third)
    assert query(database, "SELECT x, y FROM a") == [(7, 7)]
    assert query(database, "SELECT version FROM prebuilds_version") == [(3,)]


def test_a_step_that_fails_leaves_the_schema_as_it_was(database: Database) -> None:
    """All steps are one transaction."""
    database._schemas.append(database.schema)
    migrate(database, "CREATE TABLE a (x integer)")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(database, "CREATE TABLE a (x integer)", "CREATE TABLE b ()", "SELECT 1 / 0")
    assert query(database, "SELECT version, to_regclass('b') FROM prebuilds_version") == [(1, None)]
    migrate(database, "CREATE TABLE a (x integer)", "CREATE TABLE b ()")
    assert query(database, "SELECT version, to_regclass('b')::text FROM prebuilds_version") == [(2, "b")]


def test_a_later_version_is_refused(database: Database) -> None:
    """An old release does not know what the tables mean by then; the error says which versions it knows."""
    database.make_store()
    query(database, "UPDATE prebuilds_version SET version = 99")
    with pytest.raises(UnsupportedStoreError, match=f"version 99, .* up to {len(schema.VERSIONS)}"):
        database.make_store()


def test_a_schema_with_tables_of_others_is_refused(database: Database) -> None:
    """And left as it is."""
    database._schemas.append(database.schema)
    query(database, f'CREATE SCHEMA "{database.schema}"')
    query(database, "CREATE TABLE workspaces (mine integer)")
    with pytest.raises(UnsupportedStoreError, match="workspaces"):
        database.make_store()
    assert query(database, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()") == [("workspaces",)]


def test_a_role_that_may_not_make_tables_can_use_them(database: Database) -> None:
    """Once the tables exist. Before that, the error says what is missing."""
    role = database.name.replace("-", "_")
    password = "p"  # noqa: S105
    query(database, f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    try:
        dsn = psycopg.conninfo.make_conninfo(database.dsn, user=role, password=password)
        with pytest.raises(UnsupportedStoreError, match="permission denied"):
            postgres.PostgresStore(dsn, schema=database.schema)
        database.make_store()
        query(database, f'GRANT USAGE ON SCHEMA "{database.schema}" TO {role}')
        query(database, f'GRANT ALL ON ALL TABLES IN SCHEMA "{database.schema}" TO {role}')
        with postgres.PostgresStore(dsn, schema=database.schema) as store:
            with store.transaction() as tx:
                add_preset(tx)
            assert Claims(store).claim("p", owner_id="ann", name="n").workspace is None
    finally:
        query(database, f"DROP OWNED BY {role}")
        query(database, f"DROP ROLE {role}")


def test_a_database_of_another_encoding_is_refused(database: Database) -> None:
    """Another encoding cannot store every text."""
    name = database.name
    query(database, f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    try:
        with pytest.raises(UnsupportedStoreError, match="LATIN1; it must be UTF8"):
            postgres.PostgresStore(psycopg.conninfo.make_conninfo(database.dsn, dbname=name))
    finally:
        query(database, f'DROP DATABASE "{name}" WITH (FORCE)')


def test_waiting_too_long_for_another_process_to_make_the_tables_is_an_error(database: Database) -> None:
    """With an error that says that trying again is safe."""
    timeouts = postgres.Timeouts(statement=timedelta(milliseconds=20))
    with database.connect() as admin, admin.transaction():
        admin.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"prebuilds.migrate:{database.schema}",)
        )
        with pytest.raises((StoreBusyError, StoreUnavailableError)):
            database.make_store(timeouts=timeouts)


def test_the_tables_know_the_prebuilds_user() -> None:
    """Its id stands in indexes and statements as text, so that the one is found for the other."""
    texts = (*schema.VERSIONS, plan_reads.PREBUILDS, *claims.TAKE.values())
    named = {name for text in texts for name in re.findall(r"owner_id (?:=|<>) '(\w+)'", text)}
    assert named == {PREBUILDS_USER_ID}


OF_RELEASE_01 = """
    INSERT INTO presets VALUES (
        'p', '', 3, NULL, NULL, '[]', NULL, 'healthy', '{"cpu": "4"}', 'v1', '', true, '', '', '', '', false, false
    );
    INSERT INTO workspaces
    SELECT
        name, 'n', owner, 'p', '', timestamptz '2026-11-22' + age, true, false, 0, build_id, 1, 'start', 'succeeded',
        version, timestamptz '2026-11-22', timestamptz '2026-11-22 12:00Z', true
    FROM (VALUES
        ('ready', 'prebuilds', interval '3 h', 'b1', 'v1'), ('older', 'prebuilds', interval '2 h', 'b2', 'v0'),
        ('claimed', 'ann', interval '1 h', 'b3', 'v1')
    ) AS given (name, owner, age, build_id, version);
    INSERT INTO builds
    SELECT
        build_id, id, 1, 'p', 'start', 'succeeded', build_version_id, build_created_at, build_finished_at
    FROM workspaces;
    INSERT INTO builds VALUES (
        'b4', NULL, 1, 'p', 'start', 'failed', 'v1', timestamptz '2026-11-22 13:00Z', timestamptz '2026-11-22 13:00Z'
    );
    INSERT INTO claims VALUES ('r', 'p', NULL, 'oldest_first', 'ann', 'n', now(), 'claimed');
"""


def test_a_schema_of_release_01_is_read_as_it_was_meant(database: Database) -> None:
    """The parameters of its workspaces are unknown, and none is retired."""
    migrate(database, schema.VERSIONS[0])
    query(database, OF_RELEASE_01)
    with database.make_store().transaction() as tx:
        found = tx.find_claim("r")
        workspaces = [*tx.read_rows().prebuilds, *(found or ())[1:]]
        assert sorted(workspace.id for workspace in workspaces) == ["claimed", "older", "ready"]
        assert [(workspace.parameters, workspace.retired) for workspace in workspaces] == [(None, False)] * 3
        builds = tx.read_rows(ended_since=NOW, latest=3).builds
        assert sorted((build.id, build.template_version_id) for build in builds) == [(f"b{n}", "v1") for n in (1, 3, 4)]
        assert {(build.failure, build.message) for build in builds} == {(FailureClass.TRANSIENT, "")}
        taken = [tx.take_prebuild(make_claim(name=name)) for name in ("first", "second")]
        assert [workspace and workspace.id for workspace in taken] == ["ready", None]


@pytest.mark.parametrize("earlier", range(1, len(schema.VERSIONS)))
def test_a_schema_of_an_earlier_version_makes_whole_claims(database: Database, earlier: int) -> None:
    """With the rows that it had: a request of then is answered again, and what may be claimed is."""
    migrate(database, schema.VERSIONS[0])
    query(database, OF_RELEASE_01)
    migrate(database, *schema.VERSIONS[:earlier])
    claims = Claims(database.make_store(), clock=ManualClock(NOW))
    answers = [claims.claim("p", owner_id="ann", name=name, request_id=name) for name in ("first", "second", "third")]
    got = [(claim.workspace.id if claim.workspace else None, claim.is_repeated) for claim in answers]
    assert got == [("ready", False), (None, False), (None, False)]
    repeated = claims.claim("p", owner_id="ann", name="n", request_id="r")
    assert (repeated.workspace and repeated.workspace.id, repeated.is_repeated) == ("claimed", True)


# Indexes


@pytest.fixture
def busy(database: Database) -> Store:
    """A store with a long past: 5,000 presets, and of a hundred of them 2,000 prebuilds, 100,000 workspaces that were
    claimed or deleted, 50,000 builds, and messages.
    """
    store = database.make_store()
    with store.transaction() as tx:
        add_preset(tx, id="p0")
    columns = ", ".join(PRESET_COLUMNS[1:])
    query(
        database,
        f"INSERT INTO presets (id, {columns}) SELECT 'p' || n, {columns} FROM presets, generate_series(1, 5000) AS n",
    )
    query(
        database,
        """
        INSERT INTO workspaces (
            id, name, owner_id, preset_id, template_id, created_at, ready, deleted,
            build_id, build_transition, build_status, build_version_id, build_created_at, build_finished_at
        )
        SELECT
            'w' || n, 'n' || n, CASE WHEN n % 50 = 0 THEN 'prebuilds' ELSE 'user' || n % 9 END, 'p' || n % 100, 't',
            timestamptz '2026-11-23' - n * interval '1 s', n % 3 > 0, n % 2 = 1,
            'b' || n, 'start', 'succeeded', 'v', timestamptz '2026-11-23', timestamptz '2026-11-23'
        FROM generate_series(1, 100000) AS n
        """,
    )
    query(
        database,
        """
        INSERT INTO builds (id, number, preset_id, transition, status, template_version_id, created_at, finished_at)
        SELECT
            'b' || n, 1, 'p' || n % 100, 'start', 'failed', 'v' || n % 3, timestamptz '2026-11-22' - n * interval '1 s',
            timestamptz '2026-11-23' - n * interval '1 s'
        FROM generate_series(1, 50000) AS n
        """,
    )
    query(database, "UPDATE presets SET template_version_id = 'v1' WHERE id LIKE '%7'")
    query(
        database,
        "INSERT INTO claims SELECT 'r' || n, 'p', NULL, 'oldest_first', 'u', 'n', now(), 'w' || n"
        " FROM generate_series(1, 20000) AS n",
    )
    for table in ("notices (topic, body, published_at) SELECT 't', '', now()", "outbox (topic, body) SELECT 't', ''"):
        query(database, f"INSERT INTO {table} FROM generate_series(1, 20000)")
    query(database, "ANALYZE")
    return store


STATEMENTS: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "prebuilds": (plan_reads.PREBUILDS, {}, {"prebuild_shards"}),
    "prebuilds of a preset": (f"{plan_reads.PREBUILDS} AND preset_id = %(id)s", {"id": "p7"}, {"prebuilds"}),
    "prebuilds of a shard": (plan_reads.OF_SHARD.prebuilds, {"count": 100, "index": 7}, {"prebuild_shards"}),
    "outcomes": (plan_reads.OF_ALL.outcomes, {"since": NOW, "latest": 3}, {"attempts", "outcomes"}),
    "outcomes of a preset": (
        plan_reads.OF_SOME.outcomes,
        {"since": NOW, "latest": 3, "names": ["p7"]},
        {"attempts", "outcomes", "presets_pkey"},
    ),
    "oldest first": (claims.TAKE[ClaimOrder.OLDEST_FIRST], {}, {"presets_pkey", "prebuilds", "workspaces_pkey"}),
    "newest first": (claims.TAKE[ClaimOrder.NEWEST_FIRST], {}, {"presets_pkey", "prebuilds", "workspaces_pkey"}),
    "claims": (claims.FIND, {"request_id": "r7"}, {"requests", "workspaces_pkey"}),
    "notices": (notices.LIST, {"after": 19_990, "limit": 100}, {"notices_pkey"}),
    "old notices": (notices.DELETE, {"retention": timedelta(hours=1), "limit": 9}, {"notices_by_age", "notices_pkey"}),
    "outbox": (outbox.LIST, {"limit": 100}, {"outbox_pkey"}),
}


def test_statements_find_their_rows_by_indexes(busy: Any) -> None:
    """No query reads the whole history, however long it is: left alone, the planner takes the index."""
    request = dict(
        zip(
            claims.CLAIM_COLUMNS,
            claims.flatten_request(make_claim(preset_id="p7", request_id="r")),
            strict=True,
        )
    )
    plans: dict[str, set[str]] = {}
    with busy.session(read_only=True) as statements:
        for name, (sql, parameters, _) in STATEMENTS.items():
            rows = statements.fetch(f"EXPLAIN {sql}", **(parameters or request))
            text = "\n".join(line for (line,) in rows)
            read_whole = set(re.findall(r"Seq Scan on (workspaces|builds|claims|notices|outbox)", text))
            assert read_whole == set(), f"{name}:\n{text}"
            plans[name] = set(re.findall(r"(?:using|Scan on) (\w+)", text)) & set().union(*_INDEXES)
    assert plans == {name: indexes for name, (_, _, indexes) in STATEMENTS.items()}


_INDEXES = [indexes for _, _, indexes in STATEMENTS.values()]


def test_a_claim_takes_no_longer_when_the_store_has_a_history(busy: Any) -> None:
    """The statement reads a few pages of its tables, not thousands, as the server counts them."""
    request = dict(zip(claims.CLAIM_COLUMNS, claims.flatten_request(make_claim(preset_id="p50")), strict=True))
    with busy.session() as statements:
        rows = statements.write(f"EXPLAIN (ANALYZE, BUFFERS) {claims.TAKE[ClaimOrder.OLDEST_FIRST]}", **request)
    text = "\n".join(line for (line,) in rows).partition("Planning:")[0]
    pages = [int(number) for number in re.findall(r"shared hit=(\d+)", text)]
    assert 0 < max(pages) < 100, text


def test_a_whole_claim_finds_its_rows_by_indexes(busy: Any) -> None:
    """The function reads no table from end to end, also when its plans are made for good, at the sixth call."""
    sql = "SELECT outcome FROM claim_prebuild('p50', %(newest)s, 'u', %(name)s, %(request)s, now(), 'topic', 'body')"
    with busy.session() as statements:
        for number in range(14):
            statements.write(sql, name=f"name {number}", newest=number % 2 == 0, request=None)
        assert statements.write(sql, name="other", newest=True, request="r7") == [("conflict",)]
        rows = statements.fetch("SELECT relname FROM pg_stat_xact_user_tables WHERE seq_scan > 0")
        claimed = statements.fetch("SELECT sum(value) FROM counters WHERE counter = 'claimed' AND preset_id = 'p50'")
    assert rows == []
    assert claimed == [(14,)]
