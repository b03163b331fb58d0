"""A complete store over tables of its own: dicts of rows, one transaction at a time, messages in a queue.

Every row is a frozen model, so that a copy of the dicts is a snapshot. Rows of a database are converted where these are
read and written. The rules for changes of a workspace are in `prebuilds.runtime.workspace_rules`.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager

import attrs

from prebuilds import BuildStatus, Transition, errors, runtime
from prebuilds.runtime import workspace_rules

TABLES = (
    *("presets", "workspaces", "builds", "history", "claims"),
    *("resets", "members", "counters", "leases", "tokens", "settings"),
)


class ExampleStore:
    """Begins transactions, one after another; messages go to `pubsub` when the transaction has ended."""

    max_connections = 1

    def __init__(self, pubsub, *, timeout=5.0):
        self.pubsub = pubsub
        self._tables = {name: {} for name in TABLES}
        self._connection = threading.Lock()
        self._queue = runtime.MessageQueue(pubsub)
        self._timeout = timeout

    @contextmanager
    def transaction(self, *, isolation=runtime.Isolation.READ_COMMITTED, read_only=False, lease=None):
        with runtime.hold_messages(self, self._queue.send) as held, self._connect():
            tx = ExampleTransaction(self._tables, held, read_only=read_only)
            if lease and tx.rows("tokens").get(lease.name) != lease.token:
                raise errors.LeaseLostError(lease.name, lease.token)
            yield tx
            self._tables = tx.tables

    @contextmanager
    def _connect(self):
        if not self._connection.acquire(timeout=self._timeout):
            raise errors.PoolExhaustedError(self.max_connections, self._timeout)
        try:
            yield
        finally:
            self._connection.release()


class ExampleTransaction:
    """Every role of the ports. It works on a copy of the tables, which the store keeps when the block ends well."""

    def __init__(self, tables, held, *, read_only):
        self.tables = {name: dict(rows) for name, rows in tables.items()}
        self._held = held
        self._read_only = read_only

    def rows(self, table):
        return self.tables[table]

    def write(self, table, key, row):
        if self._read_only:
            raise errors.ReadOnlyTransactionError
        self.tables[table][key] = row

    @contextmanager
    def nested(self):
        before = {name: dict(rows) for name, rows in self.tables.items()}
        try:
            with self._held.nested():
                yield
        except BaseException:
            self.tables = before
            raise

    # What a plan is made of

    def list_presets(self, preset_id=None):
        return [preset for preset in self.rows("presets").values() if preset_id in (None, preset.id)]

    def read_rows(self, selection=runtime.ALL_PRESETS, *, ended_since=None, latest=0):
        has, history = selection.has, self.rows("history").values() if ended_since or latest else ()
        return runtime.FleetRows(
            presets=[preset for preset in self.list_presets() if has(preset.id)],
            prebuilds=[row for row in self._list_prebuilds() if has(row.preset_id)],
            builds=[build for build in history if has(build.preset_id)],  # all of them: more do no harm
            resets=[(name, at) for name, at in self.rows("resets").items() if has(name)],
            memberships=self.rows("members").keys(),
            is_paused=self.rows("settings").get("paused", False),
        )

    def _list_prebuilds(self, preset_id=None):
        alive = [row for row in self.rows("workspaces").values() if row.is_prebuild and not row.deleted]
        return [row for row in alive if preset_id in (None, row.preset_id)]

    # Creating and deleting prebuilds

    def get_workspace(self, workspace_id):
        return self.rows("workspaces").get(workspace_id)

    def insert_prebuild(self, request, *, name, now):
        preset = self.rows("presets").get(request.preset_id)
        if not preset or not preset.is_active or preset.template_version.id != request.template_version_id:
            return False
        if request.workspace_id in self.rows("workspaces") or request.build_id in self.rows("builds"):
            return False
        self._put(
            runtime.Workspace(
                id=request.workspace_id,
                name=name,
                preset_id=preset.id,
                template_id=preset.template_version.template.id,
                parameters=request.parameters,
                created_at=now,
                last_build=workspace_rules.make_build(request, None, now=now),
            )
        )
        return True

    def insert_delete(self, request, *, now):
        row = self.get_workspace(request.workspace_id)
        if not row or row.deleted or not row.is_prebuild or not row.last_build.status.is_final:
            return False
        if request.build_id in self.rows("builds"):
            return False
        self._put(attrs.evolve(row, last_build=workspace_rules.make_build(request, row.last_build, now=now)))
        return True

    def insert_failed_build(self, request, *, now, begun_at=None, message=""):
        if request.build_id not in self.rows("builds"):
            self.write("builds", request.build_id, None)
            build = workspace_rules.make_build(request, None, now=begun_at or now)
            failed = attrs.evolve(build, status=BuildStatus.FAILED, finished_at=now, message=message)
            self._remember(request.preset_id, failed)

    def cancel_pending(self, preset_id, *, now):
        preset = self.rows("presets").get(preset_id)
        if not preset or preset.is_active:
            return []
        found = [row for row in self._list_prebuilds(preset_id) if row.last_build.number == 1]
        canceled = [row for row in found if row.last_build.status is BuildStatus.PENDING]
        for row in canceled:
            ended = workspace_rules.end_build(row, BuildStatus.CANCELED, now=now)
            self._put(attrs.evolve(ended, deleted=True))
        return [row.id for row in canceled]

    def retire_prebuild(self, workspace_id):
        return self._change(workspace_id, workspace_rules.retire_prebuild)

    def release_workspace(self, workspace_id, *, name):
        return self._change(workspace_id, workspace_rules.release_workspace, name=name)

    def forget_workspace(self, workspace_id):
        return self._change(workspace_id, workspace_rules.forget_workspace)

    # How far builds have come

    def mark_submitted(self, build_id):
        row = self._find(build_id)
        if row:
            self._put(attrs.evolve(row, last_build=attrs.evolve(row.last_build, submitted=True)))

    def begin_build(self, build_id, *, now):
        row = self._find(build_id)
        if not row or row.last_build.status is not BuildStatus.PENDING:
            return False
        self._put(attrs.evolve(row, last_build=attrs.evolve(row.last_build, status=BuildStatus.RUNNING)))
        return True

    def finish_build(self, build_id, status, *, now, **why):
        row = self._find(build_id)
        ended = workspace_rules.end_build(row, status, now=now, **why) if row else None
        if ended and ended.last_build.transition is Transition.START:
            self._remember(ended.preset_id, ended.last_build)
        return self._put(ended) if ended else None

    def mark_ready(self, workspace_id):
        return self._change(workspace_id, workspace_rules.make_ready)

    def mark_unready(self, workspace_id):
        return self._change(workspace_id, workspace_rules.make_unready)

    # Giving a prebuild to a user

    def find_claim(self, request_id):
        request, workspace_id = self.rows("claims").get(request_id, (None, None))
        return (request, self.get_workspace(workspace_id)) if request else None

    def take_prebuild(self, request):
        if request.request_id in self.rows("claims"):
            raise errors.ClaimConflictError(request.request_id)
        preset = self.rows("presets").get(request.preset_id)
        found = self._list_prebuilds(request.preset_id) if preset else []
        found = [row for row in found if workspace_rules.is_claimable(row, preset, request.created_since)]
        if not found:
            return None
        owned = [row for row in self.rows("workspaces").values() if row.owner_id == request.owner_id and not row.deleted]
        if request.name in [row.name for row in owned]:
            raise errors.NameTakenError(request.owner_id, request.name)
        found.sort(key=lambda row: (row.created_at, row.id), reverse=request.order is runtime.ClaimOrder.NEWEST_FIRST)
        if request.request_id is not None:
            self.write("claims", request.request_id, (request, found[0].id))
        return self._put(attrs.evolve(found[0], owner_id=request.owner_id, name=request.name))

    # What people set, what is counted, and who may reconcile

    def set_paused(self, *, paused):
        self.write("settings", "paused", paused)

    def set_prebuild_status(self, preset_id, status):
        self._change_preset(preset_id, prebuild_status=status)

    def set_invalidated(self, preset_id, *, at):
        self._change_preset(preset_id, last_invalidated_at=at)

    def set_reset(self, preset_id, *, at):
        if preset_id in self.rows("presets"):
            self.write("resets", preset_id, at)

    def add_membership(self, organization_id):
        self.write("members", organization_id, True)

    def put_preset(self, preset):
        self.write("presets", preset.id, preset)

    def count(self, preset_id, counter):
        self.write("counters", (preset_id, counter), self.rows("counters").get((preset_id, counter), 0) + 1)

    def list_counters(self):
        rows = self.rows("counters").items()
        return [runtime.CounterValue(preset_id=name, counter=counter, value=value) for (name, counter), value in rows]

    def take_lease(self, name, holder, *, now, expires_at):
        current, token = self.rows("leases").get(name), self.rows("tokens").get(name, 0)
        if current and current.holder != holder and current.expires_at > now:
            return None
        if not current or current.holder != holder:
            token += 1
        lease = runtime.Lease(name=name, holder=holder, token=token, expires_at=expires_at)
        self.write("leases", name, lease)
        self.write("tokens", name, token)
        return lease

    def find_lease(self, name):
        return self.rows("leases").get(name)

    def release_lease(self, lease):
        if self.rows("tokens").get(lease.name) == lease.token:
            self.write("leases", lease.name, None)

    # Messages: held here, and queued by the store; there is no outbox

    def publish_on_commit(self, message):
        self._held.add(message)

    def list_messages(self, limit):
        return []

    def delete_messages(self, ids):
        pass

    # What several of these need

    def _put(self, row):
        self.write("workspaces", row.id, row)
        self.write("builds", row.last_build.id, row.id)
        return row

    def _find(self, build_id):
        """The workspace whose last build this is."""
        row = self.get_workspace(self.rows("builds").get(build_id))
        return row if row and row.last_build.id == build_id else None

    def _change(self, workspace_id, change, **options):
        row = self.get_workspace(workspace_id)
        changed = change(row, **options) if row else None
        return self._put(changed) if changed else None

    def _remember(self, preset_id, build):
        self.write("history", build.id, workspace_rules.make_outcome(preset_id, build))

    def _change_preset(self, preset_id, **changes):
        if preset_id in self.rows("presets"):
            self.put_preset(attrs.evolve(self.rows("presets")[preset_id], **changes))


class ExamplePubSub:
    """Hands each message to its listeners at once, in the thread of whoever publishes."""

    def __init__(self):
        self._listeners = ()

    def publish(self, message):
        runtime.refuse_in_transaction()
        for topic, listener in self._listeners:
            if topic == message.topic:
                try:
                    listener(message)
                except Exception:
                    logging.getLogger(__name__).exception("a listener failed")

    def subscribe(self, topic, listener):
        entry = (topic, listener)
        self._listeners += (entry,)

        def end():
            self._listeners = tuple(other for other in self._listeners if other is not entry)

        return end
