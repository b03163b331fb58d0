"""What the tables have: the pools, and who has which workspace."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic, sleep

import psycopg

from chaos.worker import PRESETS, SCHEMA
from prebuilds import Preset
from prebuilds.adapters.postgres import PostgresStore

TARGET = 25  # prebuilds of each preset
_SAMPLE = 0.5  # seconds
_LARGEST = f"""
    SELECT coalesce(max(number), 0) FROM (
        SELECT count(*) AS number FROM {SCHEMA}.workspaces
        WHERE owner_id = 'prebuilds' AND NOT deleted AND build_transition = 'start'
        AND build_status IN ('pending', 'running', 'succeeded') GROUP BY preset_id
    ) AS pools
"""
_FULL = f"""
    SELECT count(*) FILTER (WHERE ready), count(*) FROM {SCHEMA}.workspaces WHERE owner_id = 'prebuilds' AND NOT deleted
"""


def make_pools(dsn: str) -> None:
    """The tables, and the presets in them."""
    with PostgresStore(dsn, schema=SCHEMA) as store, store.transaction() as tx:
        for preset_id in PRESETS:
            tx.put_preset(Preset(id=preset_id, desired_instances=TARGET))


def wait_until_full(dsn: str, seconds: float) -> bool:
    """Whether all pools came to their targets within this time, with nothing under way."""
    deadline = monotonic() + seconds
    while monotonic() < deadline:
        with suppress(psycopg.OperationalError), psycopg.connect(dsn) as connection:
            if connection.execute(_FULL).fetchone() == (TARGET * len(PRESETS),) * 2:
                return True
        sleep(_SAMPLE)
    return False


def list_owned(dsn: str) -> dict[tuple[str, str], str]:
    """Users' workspaces by their owner and name."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(f"SELECT owner_id, name, id FROM {SCHEMA}.workspaces WHERE owner_id <> 'prebuilds'")
        return {(owner_id, name): workspace_id for owner_id, name, workspace_id in rows}


class Watch:
    """Looks again and again how large the largest pool is."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self.largest = 0
        self.is_over = threading.Event()

    def run(self) -> None:
        while not self.is_over.wait(_SAMPLE):
            with suppress(psycopg.OperationalError), psycopg.connect(self._dsn, connect_timeout=2) as connection:
                row = connection.execute(_LARGEST).fetchone()
                self.largest = max(self.largest, row[0] if row else 0)


@contextmanager
def watching(dsn: str) -> Iterator[Watch]:
    """A watch that looks until the block ends."""
    watch = Watch(dsn)
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        yield watch
    finally:
        watch.is_over.set()
        thread.join()
