"""A transaction: every role of the ports, over the same connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prebuilds.adapters.sqlite.connections.statements import Statements
from prebuilds.adapters.sqlite.tables.builds import BuildRows
from prebuilds.adapters.sqlite.tables.claims import ClaimRows
from prebuilds.adapters.sqlite.tables.fleet import FleetRows
from prebuilds.adapters.sqlite.tables.outbox import OutboxRows
from prebuilds.adapters.sqlite.tables.settings import CounterRows, LeaseRows, SettingsRows
from prebuilds.adapters.sqlite.tables.workspaces import WorkspaceRows


class SQLiteTransaction:
    """The roles side by side; each method is that of its role."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._add_fleet(statements)
        self._add_workspaces(statements)
        self._add_settings(statements)
        self._add_outbox(statements)

    @contextmanager
    def nested(self) -> Iterator[None]:
        self._statements.run("SAVEPOINT nested")  # the name means the innermost that is open
        try:
            yield
        except BaseException:
            if self._statements.is_open:
                self._statements.run("ROLLBACK TO nested")
                self._statements.run("RELEASE nested")
            raise
        self._statements.run("RELEASE nested")

    def _add_fleet(self, statements: Statements) -> None:
        fleet = FleetRows(statements)
        self.list_presets = fleet.list_presets
        self.list_prebuilds = fleet.list_prebuilds
        self.list_builds = fleet.list_builds
        self.list_resets = fleet.list_resets
        self.list_memberships = fleet.list_memberships
        self.is_paused = fleet.is_paused

    def _add_workspaces(self, statements: Statements) -> None:
        workspaces = WorkspaceRows(statements)
        self.get_workspace = workspaces.get_workspace
        self.insert_prebuild = workspaces.insert_prebuild
        self.insert_delete = workspaces.insert_delete
        self.insert_failed_build = workspaces.insert_failed_build
        self.cancel_pending = workspaces.cancel_pending
        self.retire_prebuild = workspaces.retire_prebuild
        self.release_workspace = workspaces.release_workspace
        self.forget_workspace = workspaces.forget_workspace

        builds = BuildRows(statements)
        self.mark_submitted = builds.mark_submitted
        self.begin_build = builds.begin_build
        self.finish_build = builds.finish_build
        self.mark_ready = builds.mark_ready
        self.mark_unready = builds.mark_unready

        claims = ClaimRows(statements)
        self.find_claim = claims.find_claim
        self.take_prebuild = claims.take_prebuild

    def _add_settings(self, statements: Statements) -> None:
        settings = SettingsRows(statements)
        self.set_paused = settings.set_paused
        self.set_prebuild_status = settings.set_prebuild_status
        self.set_reset = settings.set_reset
        self.set_invalidated = settings.set_invalidated
        self.add_membership = settings.add_membership
        self.put_preset = settings.put_preset

        counters = CounterRows(statements)
        self.count = counters.count
        self.list_counters = counters.list_counters

        leases = LeaseRows(statements)
        self.take_lease = leases.take_lease
        self.find_lease = leases.find_lease
        self.release_lease = leases.release_lease

    def _add_outbox(self, statements: Statements) -> None:
        outbox = OutboxRows(statements)
        self.publish_on_commit = outbox.publish_on_commit
        self.list_messages = outbox.list_messages
        self.delete_messages = outbox.delete_messages
