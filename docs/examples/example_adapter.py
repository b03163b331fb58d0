"""A store over tables of its own, with what the library needs and no more: a dict of rows for each table.

Every row is a frozen model, so that a copy of the dicts is a snapshot. With a database, rows are converted to models
where they are read, and back where they are written.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager

from prebuilds import errors, runtime
from prebuilds.runtime.row_transactions import make_transaction
from prebuilds.runtime.workspace_rules import select_claimable

TABLES = ("presets", "workspaces", "builds", "outcomes", "claims", "resets")


class ExampleStore:
    """Begins transactions, one after another. Each works on a copy of the tables, which is kept if the block ends well."""

    max_connections = 1

    def __init__(self, *, timeout=5.0):
        self._tables = {name: {} for name in TABLES}
        self._connection = threading.Lock()
        self._timeout = timeout

    @contextmanager
    def transaction(self, *, isolation=runtime.Isolation.READ_COMMITTED, read_only=False, lease=None):
        with runtime.open_transaction(self), self._connect():
            rows = ExampleRows({name: dict(table) for name, table in self._tables.items()})
            yield make_transaction(rows, read_only=read_only)
            self._tables = rows.tables

    @contextmanager
    def _connect(self):
        if not self._connection.acquire(timeout=self._timeout):
            raise errors.PoolExhaustedError(self.max_connections, self._timeout)
        try:
            yield
        finally:
            self._connection.release()


class ExampleRows:
    """The rows of one transaction. No other runs meanwhile, so that nothing need be locked."""

    def __init__(self, tables):
        self.tables = tables

    # What a plan is made of

    def read_rows(self, selection=runtime.ALL_PRESETS, *, ended_since=None, latest=0):
        rows = runtime.FleetRows(
            presets=self.tables["presets"].values(),
            prebuilds=[row for row in self.tables["workspaces"].values() if row.is_prebuild and not row.deleted],
            builds=self.tables["outcomes"].values(),  # all of them: more do no harm
            resets=self.tables["resets"].items(),
        )
        return rows.select(selection)

    def list_presets(self, preset_id=None):
        return [preset for preset in self.tables["presets"].values() if preset_id in (None, preset.id)]

    # Finding rows

    def lock_preset(self, preset_id, *, exclusive=False):
        return self.tables["presets"].get(preset_id)

    def get_workspaces(self, ids, *, lock=False):
        return [self.tables["workspaces"][name] for name in ids if name in self.tables["workspaces"]]

    def find_builds(self, ids):
        return {name: self.tables["builds"][name] for name in ids if name in self.tables["builds"]}

    def find_claim(self, request_id):
        return self.tables["claims"].get(request_id)

    def lock_claimable(self, request, preset):
        return select_claimable(self.tables["workspaces"].values(), preset, request)

    def is_name_taken(self, owner_id, name):
        rows = self.tables["workspaces"].values()
        return any((row.owner_id, row.name) == (owner_id, name) and not row.deleted for row in rows)

    # Storing rows

    def put_preset(self, preset):
        self.tables["presets"][preset.id] = preset

    def put_reset(self, preset_id, at):
        self.tables["resets"][preset_id] = at

    def put_workspaces(self, workspaces):
        for row in workspaces:
            self.tables["workspaces"][row.id] = row
            self.tables["builds"][row.last_build.id] = row.id

    def remove_workspaces(self, workspaces):
        for row in workspaces:
            del self.tables["workspaces"][row.id], self.tables["builds"][row.last_build.id]

    def add_outcomes(self, builds):
        for build in builds:
            self.tables["outcomes"][build.id] = build
            self.tables["builds"].setdefault(build.id, None)

    def put_claim(self, request, workspace_id):
        self.tables["claims"][request.request_id] = (request, workspace_id)
