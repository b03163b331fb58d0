"""Stores and pubsubs that break one rule each, to see that the contract's checks find them.

A broken store is the memory store with some methods of its transactions replaced, or with a `transaction` of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime, timedelta
from functools import partial
from threading import Barrier, BrokenBarrierError, current_thread, main_thread
from typing import Any

import attrs

from prebuilds.adapters.memory import MemoryPubSub, MemoryStore
from prebuilds.adapters.memory.transactions import MemoryTransaction
from prebuilds.decision.models import BuildStatus, PrebuildStatus, Preset
from prebuilds.errors import NameTakenError
from prebuilds.runtime.models import BuildRequest, ClaimOrder, ClaimRequest, Lease, Message, Workspace
from prebuilds.runtime.publishing.guard import refuse_in_transaction

TIMEOUT = timedelta(milliseconds=20)
Method = Callable[..., Any]


class BrokenTransaction:
    """A transaction with some methods replaced; each of those is given the real transaction first."""

    def __init__(self, tx: Any, methods: Mapping[str, Method]) -> None:
        self._tx = tx
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        method = self._methods.get(name)
        return partial(method, self._tx) if method else getattr(self._tx, name)


class BrokenStore(MemoryStore):
    """The memory store with broken transactions."""

    def __init__(self, **methods: Method) -> None:
        super().__init__(max_connections=3, timeout=TIMEOUT)
        self._methods = methods

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Any]:
        with super().transaction(**options) as tx:
            yield BrokenTransaction(tx, self._methods)


class LeaselessStore(BrokenStore):
    """Ignores the lease."""

    def transaction(self, **options: Any) -> Any:
        return super().transaction(**options | {"lease": None})


class CommittingStore(BrokenStore):
    """Commits whatever leaves the block."""

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Any]:
        error: BaseException | None = None
        with super().transaction(**options) as tx:
            try:
                yield tx
            except BaseException as raised:
                error = raised
        if error:
            raise error


class ForgetfulStore(BrokenStore):
    """Commits nothing."""

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Any]:
        before = self._committed
        with super().transaction(**options) as tx:
            yield tx
        self._committed = before


class DirtyStore(BrokenStore):
    """Lets readers see what is not committed."""

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Any]:
        before = self._committed
        with super().transaction(**options) as tx:
            if not options.get("read_only"):
                self._committed = tx._tx.tables
            try:
                yield tx
            except BaseException:
                self._committed = before
                raise


class UnsteadyStore(BrokenStore):
    """Lets a reader see what is committed later."""

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Any]:
        with super().transaction(**options) as tx:
            yield _Following(self, tx) if options.get("read_only") else tx


class _Following:
    def __init__(self, store: MemoryStore, tx: Any) -> None:
        self._store = store
        self._tx = tx

    def __getattr__(self, name: str) -> Any:
        self._tx._tx.tables = self._store._committed.fork()
        return getattr(self._tx, name)


class WritableStore(BrokenStore):
    """Lets readers write."""

    def transaction(self, **options: Any) -> Any:
        return super().transaction(**options | {"read_only": False})


class UnguardedStore(BrokenStore):
    """Looks at the lease when a transaction begins, and then lets others take it."""

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Any]:
        with super().transaction(**options) as tx:
            if options.get("lease"):
                self._writing.release()
            try:
                yield tx
            finally:
                if options.get("lease"):
                    self._writing.acquire()


class HangingStore(BrokenStore):
    """Waits for a connection for ever."""

    @contextmanager
    def connection(self) -> Iterator[None]:
        with self._connections:
            yield


class UnwrappedStore(BrokenStore):
    """Does not tell that a transaction is open."""

    @contextmanager
    def transaction(self, *, read_only: bool = False, **_: Any) -> Iterator[Any]:
        with self.connection(), nullcontext() if read_only else self._write_lock():
            draft = MemoryTransaction(self._committed, read_only=read_only)
            yield draft
            self._committed = draft.tables if not read_only else self._committed


class BoundlessStore(BrokenStore):
    """Has more connections than it says."""

    @property
    def max_connections(self) -> int:
        return super().max_connections - 1


class NarrowStore(BrokenStore):
    """Has fewer connections than it says."""

    @property
    def max_connections(self) -> int:
        return super().max_connections + 1


class UnlockedStore(BrokenStore):
    """Lets writers at each other: of two at once, one commits over the other."""

    def __init__(self) -> None:
        super().__init__()
        self._meeting = Barrier(2)

    def _write_lock(self) -> Any:
        return nullcontext()

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Any]:
        with super().transaction(**options) as tx:
            yield tx
            if not options.get("read_only") and current_thread() is not main_thread():
                self._meet()

    def _meet(self) -> None:
        """Wait for another who is about to commit, so that both do; for a while only, as there may be none."""
        try:
            self._meeting.wait(0.5)
        except BrokenBarrierError:
            self._meeting.reset()


class EagerStore(BrokenStore):
    """Publishes before the commit."""

    def __init__(self) -> None:
        self.pubsub = _Open()
        super().__init__(publish_on_commit=lambda _, message: self.pubsub.publish(message))


class _Open(MemoryPubSub):
    """Publishes within transactions too."""

    def publish(self, message: Message) -> None:
        for topic, listener in self._listeners:
            if topic == message.topic:
                listener(message)


# Methods of transactions, each of which breaks a rule


@contextmanager
def keep_messages(tx: MemoryTransaction) -> Iterator[None]:
    """Rolls a nested part back, but for its messages."""
    messages: dict[int, Message] = {}
    try:
        with tx.nested():
            try:
                yield
            finally:
                messages = tx.tables.outbox
    except BaseException:
        tables = tx._own("outbox", "sequences")
        tables.outbox.update(messages)
        tables.sequences["outbox"] = len(messages)
        raise


def delete_claimed(tx: MemoryTransaction, request: BuildRequest, *, now: datetime) -> bool:
    """Deletes without looking at the owner."""
    row = tx.get_workspace(request.workspace_id)
    if row is None or row.is_prebuild:
        return tx.insert_delete(request, now=now)
    tx._put(attrs.evolve(row, owner_id="prebuilds"))
    return tx.insert_delete(request, now=now)


def delete_with_active_version(tx: MemoryTransaction, request: BuildRequest, *, now: datetime) -> bool:
    """Deletes with the version that is active now."""
    added = tx.insert_delete(request, now=now)
    row = tx.get_workspace(request.workspace_id)
    if added and row:
        active = [preset.template_version for preset in tx.list_presets() if preset.is_active]
        version = next(version.id for version in active if version.template.id == row.template_id)
        tx._put(attrs.evolve(row, last_build=attrs.evolve(row.last_build, template_version_id=version)))
    return added


def delete_busy(tx: MemoryTransaction, request: BuildRequest, *, now: datetime) -> bool:
    """Deletes what has a build under way."""
    row = tx.get_workspace(request.workspace_id)
    if row and not row.last_build.status.is_final:
        tx.finish_build(row.last_build.id, BuildStatus.CANCELED, now=now)
    return tx.insert_delete(request, now=now)


def cancel_begun(tx: MemoryTransaction, preset_id: str, *, now: datetime) -> list[str]:
    """Cancels builds that have begun."""
    for row in tx.list_prebuilds(preset_id):
        if row.last_build.status is BuildStatus.RUNNING and row.last_build.number == 1:
            tx._put(attrs.evolve(row, last_build=attrs.evolve(row.last_build, status=BuildStatus.PENDING)))
    return list(tx.cancel_pending(preset_id, now=now))


def cancel_active(tx: MemoryTransaction, preset_id: str, *, now: datetime) -> list[str]:
    """Cancels builds of active presets."""
    preset = next(iter(tx.list_presets(preset_id)), None)
    if preset is None:
        return []
    tx.put_preset(attrs.evolve(preset, template_version=attrs.evolve(preset.template_version, is_active=False)))
    canceled = tx.cancel_pending(preset_id, now=now)
    tx.put_preset(preset)
    return list(canceled)


def create_unpinned(tx: MemoryTransaction, request: BuildRequest, **options: Any) -> bool:
    """Creates with whatever version is asked for."""
    preset = next(iter(tx.list_presets(request.preset_id)), None)
    version = preset.template_version.id if preset else request.template_version_id
    return tx.insert_prebuild(attrs.evolve(request, template_version_id=version), **options)


def create_inactive(tx: MemoryTransaction, request: BuildRequest, **options: Any) -> bool:
    """Creates for presets that are inactive."""
    preset = next(iter(tx.list_presets(request.preset_id)), None)
    if preset is None or preset.is_active:
        return tx.insert_prebuild(request, **options)
    template = attrs.evolve(preset.template_version.template, deleted=False, deprecated=False)
    version = attrs.evolve(preset.template_version, is_active=True, template=template)
    tx.put_preset(attrs.evolve(preset, template_version=version))
    added = tx.insert_prebuild(request, **options)
    tx.put_preset(preset)
    return added


def restart(tx: MemoryTransaction, build_id: str, *, now: datetime) -> bool:
    """Begins builds that have ended."""
    row = tx._find_by_build(build_id)
    if row and row.last_build.status is BuildStatus.CANCELED:
        build = attrs.evolve(row.last_build, status=BuildStatus.PENDING, finished_at=None)
        tx._put(attrs.evolve(row, last_build=build))
    return tx.begin_build(build_id, now=now)


def finish_again(tx: MemoryTransaction, build_id: str, status: BuildStatus, *, now: datetime) -> Workspace | None:
    """Ends builds for a second time."""
    finished = tx.finish_build(build_id, status, now=now)
    return finished or tx._find_by_build(build_id)


def take_newest(tx: MemoryTransaction, take: ClaimRequest) -> Workspace | None:
    """Takes in the wrong order."""
    return tx.take_prebuild(attrs.evolve(take, order=ClaimOrder.NEWEST_FIRST))


def take_unready(tx: MemoryTransaction, take: ClaimRequest) -> Workspace | None:
    """Takes what is not ready."""
    for row in tx.list_prebuilds(take.preset_id):
        tx.mark_ready(row.id)
    return tx.take_prebuild(take)


def take_of_inactive(tx: MemoryTransaction, take: ClaimRequest) -> Workspace | None:
    """Takes of presets that are inactive."""
    preset = next(iter(tx.list_presets(take.preset_id)), None)
    if preset is None:
        return None
    template = attrs.evolve(preset.template_version.template, deleted=False, deprecated=False)
    version = attrs.evolve(preset.template_version, is_active=True, template=template)
    tx.put_preset(attrs.evolve(preset, template_version=version))
    taken = tx.take_prebuild(take)
    tx.put_preset(preset)
    return taken


def take_any_age(tx: MemoryTransaction, take: ClaimRequest) -> Workspace | None:
    """Takes what is too old."""
    return tx.take_prebuild(attrs.evolve(take, created_since=None))


def take_any_name(tx: MemoryTransaction, take: ClaimRequest) -> Workspace | None:
    """Gives a name twice."""
    try:
        return tx.take_prebuild(take)
    except NameTakenError:
        taken = tx.take_prebuild(attrs.evolve(take, name="unheard of"))
        return taken and attrs.evolve(taken, name=take.name)


def take_again(tx: MemoryTransaction, take: ClaimRequest) -> Workspace | None:
    """Ignores that the request id has been used."""
    if take.request_id:
        tx._own("claims").claims.pop(take.request_id, None)
    return tx.take_prebuild(take)


def take_unnoted(tx: MemoryTransaction, take: ClaimRequest) -> Workspace | None:
    """Does not note the claim."""
    return tx.take_prebuild(attrs.evolve(take, request_id=None))


def take_lease_with_one_token(tx: MemoryTransaction, name: str, holder: str, **options: Any) -> Lease | None:
    """Gives everybody the same token."""
    lease = tx.take_lease(name, holder, **options)
    tables = tx._own("tokens", "leases")
    if lease:
        tables.tokens[name] = 1
        tables.leases[name] = attrs.evolve(lease, token=1)
    return lease and attrs.evolve(lease, token=1)


def take_lease_with_new_tokens(tx: MemoryTransaction, name: str, holder: str, **options: Any) -> Lease | None:
    """Gives a holder that has the lease another token."""
    current = tx.tables.leases.get(name)
    if current and current.holder == holder:
        tx.release_lease(current)
    return tx.take_lease(name, holder, **options)


def release_any_lease(tx: MemoryTransaction, lease: Lease) -> None:
    """Releases a lease that another has."""
    tx._own("leases").leases.pop(lease.name, None)


def release_and_forget(tx: MemoryTransaction, lease: Lease) -> None:
    """Releases a lease and forgets its token."""
    tx.release_lease(lease)
    tx._own("tokens").tokens.pop(lease.name, None)


def find_lease_of_any_name(tx: MemoryTransaction, _: str) -> Lease | None:
    """Finds the lease that is there, whatever it is called."""
    return next(iter(tx.tables.leases.values()), None)


def take_held_lease(tx: MemoryTransaction, name: str, holder: str, **options: Any) -> Lease | None:
    """Takes a lease that another holds."""
    current = tx.tables.leases.get(name)
    if current and current.holder != holder:
        tx.release_lease(current)
    return tx.take_lease(name, holder, **options)


def list_healthy_first(tx: MemoryTransaction, preset_id: str | None = None) -> list[Any]:
    """Lists presets that are in order first."""
    return sorted(tx.list_presets(preset_id), key=lambda preset: preset.prebuild_status is PrebuildStatus.HARD_LIMITED)


def list_active(tx: MemoryTransaction, preset_id: str | None = None) -> list[Any]:
    """Lists active presets alone."""
    return [preset for preset in tx.list_presets(preset_id) if preset.is_active]


def put_without_parameters(tx: MemoryTransaction, preset: Preset) -> None:
    """Adds the parameters of a preset to those that it had."""
    known = {name: value for old in tx.list_presets(preset.id) for name, value in old.parameters}
    tx.put_preset(attrs.evolve(preset, parameters=known | dict(preset.parameters)))


def put_without_organization(tx: MemoryTransaction, preset: Preset) -> None:
    """Forgets the name of the organisation."""
    template = attrs.evolve(preset.template_version.template, organization_name="")
    tx.put_preset(attrs.evolve(preset, template_version=attrs.evolve(preset.template_version, template=template)))


def put_new(tx: MemoryTransaction, preset: Preset) -> None:
    """Moves a preset that is replaced to the end."""
    tx._own("presets").presets.pop(preset.id, None)
    tx.put_preset(preset)


def invalidate_all(tx: MemoryTransaction, preset_id: str, *, at: datetime) -> None:
    """Invalidates every preset."""
    del preset_id
    for preset in tx.list_presets():
        tx.set_invalidated(preset.id, at=at)


def reset_once(tx: MemoryTransaction, preset_id: str, *, at: datetime) -> None:
    """Keeps the first reset."""
    if not tx.list_resets(preset_id):
        tx.set_reset(preset_id, at=at)


def reset_any(tx: MemoryTransaction, preset_id: str, *, at: datetime) -> None:
    """Notes resets of presets that are not there."""
    tx._own("resets").resets[preset_id] = at


def pause_for_ever(tx: MemoryTransaction, *, paused: bool) -> None:
    """Cannot resume."""
    tx.set_paused(paused=paused or tx.is_paused())


def list_deleted(tx: MemoryTransaction, preset_id: str | None = None) -> list[Workspace]:
    """Lists prebuilds that are deleted too."""
    rows = tx.tables.workspaces.values()
    return [row for row in rows if row.is_prebuild and preset_id in (None, row.preset_id)]


def list_running(tx: MemoryTransaction, preset_id: str | None = None) -> list[Workspace]:
    """Lists only the prebuilds that run."""
    return [row for row in tx.list_prebuilds(preset_id) if row.is_running]


def create_again(tx: MemoryTransaction, request: BuildRequest, **options: Any) -> bool:
    """Creates with the id of a build that is there."""
    if request.workspace_id not in tx.tables.workspaces:
        tx._own("builds").builds.pop(request.build_id, None)
    return tx.insert_prebuild(request, **options)


def get_prebuild(tx: MemoryTransaction, workspace_id: str) -> Workspace | None:
    """Has no workspaces that were claimed."""
    row = tx.get_workspace(workspace_id)
    return row if row and row.is_prebuild else None


def list_no_latest(tx: MemoryTransaction, *, latest: int, **options: Any) -> Any:
    """Remembers only the builds that ended of late."""
    del latest
    return tx.list_builds(latest=0, **options)


def list_living(tx: MemoryTransaction, **options: Any) -> list[Any]:
    """Forgets the builds of workspaces that have been claimed."""
    owners = {row.last_build.id[:-2]: row.owner_id for row in tx.tables.workspaces.values()}
    return [row for row in tx.list_builds(**options) if owners.get(row.id[:-2], "prebuilds") == "prebuilds"]


def finish_uncounted(tx: MemoryTransaction, build_id: str, status: BuildStatus, *, now: datetime) -> Workspace | None:
    """Does not count deletes that failed."""
    row = tx.finish_build(build_id, status, now=now)
    if row and row.failed_deletes:
        row = attrs.evolve(row, failed_deletes=0)
        tx._put(row)
    return row


def make_anything_ready(tx: MemoryTransaction, workspace_id: str) -> Workspace | None:
    """Makes ready what does not run."""
    row = tx.get_workspace(workspace_id)
    if row is None or row.ready:
        return None
    tx._put(attrs.evolve(row, ready=True))
    return tx.get_workspace(workspace_id)


def delete_those_there(tx: MemoryTransaction, ids: Sequence[int]) -> None:
    """Cannot delete messages that are not there."""
    for number in ids:
        del tx._own("outbox").outbox[number]


def trim_and_publish(tx: MemoryTransaction, message: Message) -> None:
    """Trims what messages say."""
    tx.publish_on_commit(attrs.evolve(message, body=message.body.strip()))


def take_oldest(tx: MemoryTransaction, take: ClaimRequest) -> Workspace | None:
    """Takes in one order alone."""
    return tx.take_prebuild(attrs.evolve(take, order=ClaimOrder.OLDEST_FIRST))


def take_by_age_alone(tx: MemoryTransaction, take: ClaimRequest) -> Workspace | None:
    """Takes the last that was added, of several of one age."""
    ready = [row for row in tx.list_prebuilds(take.preset_id) if row.ready and row.is_running]
    first = min((row.created_at for row in ready), default=None)
    ages = [row for row in ready if row.created_at == first]
    hidden = ages[:-1]
    for row in hidden:
        tx._put(attrs.evolve(row, ready=False))
    taken = tx.take_prebuild(take)
    for row in hidden:
        tx._put(row)
    return taken


def take_of_any_preset(tx: MemoryTransaction, take: ClaimRequest) -> Workspace | None:
    """Takes of another preset if there is none of the one asked for."""
    takes = [take, *(attrs.evolve(take, preset_id=preset.id) for preset in tx.list_presets())]
    return next((taken for taken in map(tx.take_prebuild, takes) if taken), None)


def create_without_parameters(tx: MemoryTransaction, request: BuildRequest, **options: Any) -> bool:
    """Forgets what a prebuild was to be made with."""
    added = tx.insert_prebuild(request, **options)
    row = tx.get_workspace(request.workspace_id)
    if added and row:
        tx._put(attrs.evolve(row, parameters=None))
    return added


def create_with_parameters_of_now(tx: MemoryTransaction, request: BuildRequest, **options: Any) -> bool:
    """Makes a prebuild with what its preset has now."""
    preset = next(iter(tx.list_presets(request.preset_id)), None)
    parameters = preset.parameters if preset else ()
    return tx.insert_prebuild(attrs.evolve(request, parameters=parameters), **options)


def finish_by_any_clock(tx: MemoryTransaction, build_id: str, status: BuildStatus, *, now: datetime) -> Any:
    """Ends a build before it began."""
    row = tx.finish_build(build_id, status, now=now)
    if row:
        row = attrs.evolve(row, last_build=attrs.evolve(row.last_build, finished_at=now))
        tx._put(row)
    return row


def list_latest_of_all(tx: MemoryTransaction, *, ended_since: datetime, latest: int, **options: Any) -> list[Any]:
    """Takes the latest builds that there are, and then looks which of them count."""
    last: set[tuple[str, datetime]] = set()
    for preset_id, rows in tx.tables.outcomes.items():
        last |= {(preset_id, at) for at in sorted({row.created_at for row in rows}, reverse=True)[:latest]}
    counted = tx.list_builds(ended_since=ended_since, latest=1_000, **options)
    return [row for row in counted if (row.preset_id, row.created_at) in last or row.finished_at >= ended_since]


def list_latest_builds(tx: MemoryTransaction, *, ended_since: datetime, latest: int, **options: Any) -> list[Any]:
    """Takes the builds of one pass for several attempts."""
    counted = tx.list_builds(ended_since=ended_since, latest=latest, **options)
    by_preset: dict[str, list[Any]] = {}
    for row in sorted(counted, key=lambda row: (row.created_at, row.id), reverse=True):
        by_preset.setdefault(row.preset_id, []).append(row)
    last = [row for rows in by_preset.values() for row in rows[:latest]]
    return [row for row in counted if row in last or (row.finished_at and row.finished_at >= ended_since)]


def list_of_known_versions(tx: MemoryTransaction, **options: Any) -> list[Any]:
    """Counts the builds of the very version that the preset has, and no others."""
    versions = {preset.id: preset.template_version.id for preset in tx.list_presets()}
    return [row for row in tx.list_builds(**options) if row.template_version_id == versions[row.preset_id]]


def retire_ready(tx: MemoryTransaction, workspace_id: str) -> Workspace | None:
    """Leaves what is given up ready."""
    row = tx.get_workspace(workspace_id)
    retired = tx.retire_prebuild(workspace_id)
    if row and retired:
        retired = attrs.evolve(retired, ready=row.ready)
        tx._put(retired)
    return retired


def release_for_others(tx: MemoryTransaction, workspace_id: str, *, name: str) -> Workspace | None:
    """Gives what was released to the next user."""
    row = tx.release_workspace(workspace_id, name=name)
    if row:
        row = attrs.evolve(row, retired=False)
        tx._put(row)
    return row


def release_anything(tx: MemoryTransaction, workspace_id: str, *, name: str) -> Workspace | None:
    """Gives prebuilds up that nobody had."""
    return tx.release_workspace(workspace_id, name=name) or tx.retire_prebuild(workspace_id)


def forget_anything(tx: MemoryTransaction, workspace_id: str) -> Workspace | None:
    """Forgets prebuilds too."""
    row = tx.get_workspace(workspace_id)
    if row is None or row.deleted:
        return None
    tx._put(attrs.evolve(row, deleted=True))
    return tx.get_workspace(workspace_id)


def make_anything_unready(tx: MemoryTransaction, workspace_id: str) -> Workspace | None:
    """Makes unready what a user has."""
    row = tx.get_workspace(workspace_id)
    if row is None or row.deleted or not row.ready:
        return None
    tx._put(attrs.evolve(row, ready=False))
    return tx.get_workspace(workspace_id)


def take_given_up(tx: MemoryTransaction, take: ClaimRequest) -> Workspace | None:
    """Takes what was given up."""
    for row in tx.list_prebuilds(take.preset_id):
        tx._put(attrs.evolve(row, retired=False, ready=row.ready or row.retired))
    return tx.take_prebuild(take)


def take_of_any_parameters(tx: MemoryTransaction, take: ClaimRequest) -> Workspace | None:
    """Takes what was made with other parameters."""
    return _take_as_if(tx, take, parameters=None)


def take_of_any_version(tx: MemoryTransaction, take: ClaimRequest) -> Workspace | None:
    """Takes what another version made."""
    preset = next(iter(tx.list_presets(take.preset_id)), None)
    if preset is None:
        return None
    unknown = attrs.evolve(preset.template_version, id="")
    tx.put_preset(attrs.evolve(preset, template_version=unknown))
    taken = tx.take_prebuild(take)
    tx.put_preset(preset)
    return taken


def _take_as_if(tx: MemoryTransaction, take: ClaimRequest, **changes: Any) -> Workspace | None:
    """Takes as if every prebuild were another, and leaves them all as they were but for the owner."""
    before = {row.id: row for row in tx.list_prebuilds(take.preset_id)}
    for row in before.values():
        tx._put(attrs.evolve(row, **changes))
    taken = tx.take_prebuild(take)
    for row in before.values():
        tx._put(row)
    if taken:
        taken = attrs.evolve(before[taken.id], owner_id=taken.owner_id, name=taken.name)
        tx._put(taken)
    return taken


def take_of_known_versions(tx: MemoryTransaction, take: ClaimRequest) -> Workspace | None:
    """Takes only what is known to be of the preset's version."""
    preset = next(iter(tx.list_presets(take.preset_id)), None)
    others = [row for row in tx.list_prebuilds() if preset and _is_made_by(row, "") != (not preset.template_version.id)]
    for row in others:
        tx._put(attrs.evolve(row, ready=False))
    taken = tx.take_prebuild(take)
    for row in others:
        tx._put(row)
    return taken


def _is_made_by(row: Workspace, version: str) -> bool:
    return row.last_build.template_version_id == version


def take_under_the_old_name(tx: MemoryTransaction, take: ClaimRequest) -> Workspace | None:
    """Leaves the workspace its name."""
    name = {row.id: row.name for row in tx.list_prebuilds()}
    taken = tx.take_prebuild(take)
    if taken:
        tx._put(attrs.evolve(taken, name=name[taken.id]))
    return taken


# Pubsubs


class DeafPubSub(MemoryPubSub):
    """Lets a listener that fails stop the others, and its publisher."""

    def publish(self, message: Message) -> None:
        refuse_in_transaction()
        for topic, listener in self._listeners:
            if topic == message.topic:
                listener(message)


class SilentPubSub(MemoryPubSub):
    """Does not log what listeners raise."""

    def publish(self, message: Message) -> None:
        refuse_in_transaction()
        for topic, listener in self._listeners:
            if topic == message.topic:
                with suppress(Exception):
                    listener(message)


class CarelessPubSub(MemoryPubSub):
    """Publishes within transactions."""

    def publish(self, message: Message) -> None:
        for topic, listener in self._listeners:
            if topic == message.topic:
                with suppress(LookupError):
                    listener(message)


class GossipingPubSub(MemoryPubSub):
    """Tells everybody everything."""

    def subscribe(self, topic: str, listener: Callable[[Message], None]) -> Callable[[], None]:
        ends = [super(GossipingPubSub, self).subscribe(name, listener) for name in (topic, f"{topic}.more")]
        return lambda: [end() for end in ends] and None


class ClingingPubSub(MemoryPubSub):
    """Never lets a listener go."""

    def subscribe(self, topic: str, listener: Callable[[Message], None]) -> Callable[[], None]:
        super().subscribe(topic, listener)
        return lambda: None


class RepeatingPubSub(MemoryPubSub):
    """Tells newcomers what was published before."""

    def __init__(self) -> None:
        super().__init__()
        self._past: list[Message] = []

    def publish(self, message: Message) -> None:
        self._past.append(message)
        super().publish(message)

    def subscribe(self, topic: str, listener: Callable[[Message], None]) -> Callable[[], None]:
        for message in self._past:
            if message.topic == topic:
                listener(message)
        return super().subscribe(topic, listener)


class SwappingPubSub(MemoryPubSub):
    """Turns each pair of messages round."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[Message] = []

    def publish(self, message: Message) -> None:
        self._kept.append(message)
        if message.body == "end" or len(self._kept) == 2:
            for kept in self._kept if message.body == "end" else self._kept[::-1]:
                super().publish(kept)
            self._kept.clear()


class MarkingPubSub(MemoryPubSub):
    """Changes what messages say."""

    def publish(self, message: Message) -> None:
        super().publish(attrs.evolve(message, body=message.body.upper()))
