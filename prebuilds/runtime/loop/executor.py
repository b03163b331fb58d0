"""The executor: it carries out each effect in its own transaction, and calls the host's builder in between.

- A write is committed before the builder is called. A crash in between leaves a build that was not submitted. The next
  pass hands it over, and the builder accepts each build once.
- A prebuild that cannot be created leaves a failed build, so that the backoff counts it.
- The transaction that writes compares the rows with the plan, and leaves rows alone that have changed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial
from typing import Any

from prebuilds.decision.models import BuildStatus, Transition
from prebuilds.decision.policies.failures import tidy_message
from prebuilds.errors import CallTimedOutError, CommitUnknownError, LeaseLostError, NoRoomError
from prebuilds.runtime.build_reports import finish_build
from prebuilds.runtime.deadlines import DeleteStuck, GiveUpStart, StopStart, delete_stuck, give_up_start
from prebuilds.runtime.logs import log_error
from prebuilds.runtime.loop.effects import (
    AddMembership,
    CancelBuild,
    CancelPending,
    CreatePrebuild,
    DeletePrebuild,
    Effect,
    SetPrebuildStatus,
    SubmitBuild,
)
from prebuilds.runtime.loop.leasing import HeldLease
from prebuilds.runtime.loop.results import EffectOutcome, OutcomeStatus
from prebuilds.runtime.loop.timed_calls import LimitedCalls, PutOffError
from prebuilds.runtime.models import BuildRequest, Counter
from prebuilds.runtime.ports import CancelingBuilder, Clock, Store, Transaction, WorkspaceBuilder

_log = logging.getLogger(__name__)

_SKIPPED_CREATE = "the planned version is no longer active"
_SKIPPED_DELETE = "it is no longer a prebuild, or another build of it is under way"
_SKIPPED_STUCK = "it is ready by now, no longer a prebuild, or another build of it is under way"
_SKIPPED_GIVE_UP = "its start has ended by now, or it is no longer a prebuild"

_KINDS: dict[type[Effect], str] = {
    SubmitBuild: "submit",
    CancelBuild: "cancel",
    SetPrebuildStatus: "mark",
    CancelPending: "cancel pending",
    AddMembership: "add membership",
    CreatePrebuild: "create",
    DeletePrebuild: "delete",
    DeleteStuck: "delete stuck",
    GiveUpStart: "give up",
    StopStart: "stop",
}


class _SkippedError(Exception):
    """The situation has changed since the effect was planned."""


class _HeldError(Exception):
    """The host's builder has no room for a start."""


class Executor:
    """Carries out effects under a lease."""

    def __init__(
        self, store: Store, builder: WorkspaceBuilder, *, lease: HeldLease, clock: Clock, calls: LimitedCalls
    ) -> None:
        self._store = store
        self._builder = builder
        self._lease = lease
        self._clock = clock
        self._calls = calls
        self._hanging: set[str] = set()  # presets with a call that did not return during this pass
        self._ways: dict[type, Callable[[Any], None]] = {
            SubmitBuild: self._submit_build,
            CancelBuild: self._cancel_build,
            SetPrebuildStatus: self._set_prebuild_status,
            CancelPending: self._cancel_pending,
            AddMembership: self._add_membership,
            CreatePrebuild: self._create_prebuild,
            DeletePrebuild: self._delete_prebuild,
            DeleteStuck: self._delete_stuck,
            GiveUpStart: self._give_up_start,
            StopStart: self._stop_start,
        }

    def carry_out(self, effect: Effect) -> EffectOutcome:
        """Carry out the effect and return its outcome. Never raises: an error becomes a failed outcome."""
        began = self._clock.monotonic()
        status, reason = self._try(effect)
        elapsed = timedelta(seconds=self._clock.monotonic() - began)
        return EffectOutcome(effect=effect, status=status, reason=reason, elapsed=elapsed)

    def _try(self, effect: Effect) -> tuple[OutcomeStatus, str]:
        if self._lease.is_lost:
            return OutcomeStatus.SKIPPED, "the lease has been lost"
        try:
            self._lease.renew_if_due()
            self._ways[type(effect)](effect)
        except (_SkippedError, PutOffError) as skipped:
            return OutcomeStatus.SKIPPED, str(skipped)
        except _HeldError as held:
            return OutcomeStatus.HELD, str(held)
        except Exception as error:
            _tell_failed(effect, error)
            if isinstance(error, LeaseLostError):
                self._lease.is_lost = True
            return OutcomeStatus.FAILED, f"{type(error).__name__}: {error}"
        return OutcomeStatus.DONE, ""

    def _transaction(self) -> AbstractContextManager[Transaction]:
        return self._store.transaction(lease=self._lease.lease)

    def _submit_build(self, effect: SubmitBuild) -> None:
        self._submit(effect.preset_id, effect.request, effect.template_version_id)

    def _cancel_build(self, effect: CancelBuild) -> None:
        with self._transaction() as tx:
            finish_build(tx, effect.build_id, BuildStatus.CANCELED, now=self._clock.now())

    def _set_prebuild_status(self, effect: SetPrebuildStatus) -> None:
        with self._transaction() as tx:
            tx.set_prebuild_status(effect.preset_id, effect.status)

    def _cancel_pending(self, effect: CancelPending) -> None:
        with self._transaction() as tx:
            tx.cancel_pending(effect.preset_id, now=self._clock.now())

    def _add_membership(self, effect: AddMembership) -> None:
        with self._transaction() as tx:
            tx.add_membership(effect.organization_id)

    def _create_prebuild(self, effect: CreatePrebuild) -> None:
        self._require_builder(effect.preset_id)
        try:
            is_inserted = self._insert(effect)
        except (LeaseLostError, TimeoutError, CommitUnknownError):
            raise  # not the preset's fault: nothing was written, or the next pass hands it over
        except Exception as error:
            self._note_failure(effect, error)
            raise
        if not is_inserted:
            raise _SkippedError(_SKIPPED_CREATE)
        self._submit(effect.preset_id, effect.request, effect.request.template_version_id or "")

    def _insert(self, effect: CreatePrebuild) -> bool:
        with self._transaction() as tx:
            is_inserted = tx.insert_prebuild(effect.request, name=effect.name, now=effect.begun_at)
            if is_inserted:
                tx.count(effect.preset_id, Counter.CREATED)
        return is_inserted

    def _note_failure(self, effect: CreatePrebuild, error: Exception) -> None:
        with self._transaction() as tx:
            tx.insert_failed_build(effect.request, now=effect.begun_at, message=_describe(error))
            tx.count(effect.preset_id, Counter.FAILED)

    def _delete_prebuild(self, effect: DeletePrebuild) -> None:
        self._require_builder(effect.preset_id)
        request = effect.request
        with self._transaction() as tx:
            if not tx.insert_delete(request, now=self._clock.now()):
                raise _SkippedError(_SKIPPED_DELETE)
            workspace = tx.get_workspace(request.workspace_id)
        if workspace:
            self._submit(effect.preset_id, request, workspace.last_build.template_version_id)

    def _delete_stuck(self, effect: DeleteStuck) -> None:
        self._require_builder(effect.preset_id)
        with self._transaction() as tx:
            workspace = delete_stuck(tx, effect, now=self._clock.now())
            if workspace is None:
                raise _SkippedError(_SKIPPED_STUCK)
        self._submit(effect.preset_id, effect.request, workspace.last_build.template_version_id)

    def _give_up_start(self, effect: GiveUpStart) -> None:
        with self._transaction() as tx:
            if not give_up_start(tx, effect, now=self._clock.now()):
                raise _SkippedError(_SKIPPED_GIVE_UP)
        self._ask_to_stop(effect.preset_id, effect.build_id)

    def _stop_start(self, effect: StopStart) -> None:
        self._ask_to_stop(effect.preset_id, effect.build_id)

    def _ask_to_stop(self, preset_id: str, build_id: str) -> None:
        """Ask the builder to stop a build, if it can do so."""
        builder = self._builder
        if isinstance(builder, CancelingBuilder):
            self._require_builder(preset_id)
            cancel = partial(builder.cancel, build_id, timeout=self._calls.timeout)
            self._calls.call("the builder's cancel", cancel, key=f"cancel {build_id}", group=preset_id)

    def _require_builder(self, preset_id: str) -> None:
        """Check that the builder can be called, before a write that needs the call. Raises what puts the effect off."""
        self._require_answers(preset_id)
        self._calls.require_place(preset_id)

    def _require_answers(self, preset_id: str) -> None:
        """In one pass, wait for only one hanging call of each preset, so that the next pass is not delayed further."""
        if preset_id in self._hanging:
            raise _SkippedError("an earlier call of the preset did not return in time")

    def _submit(self, preset_id: str, request: BuildRequest, template_version_id: str) -> None:
        def submit() -> None:
            self._builder.submit(request, template_version_id, timeout=self._calls.timeout)

        self._require_answers(preset_id)
        self._lease.renew_if_due()
        try:
            self._calls.call("the builder's submit", submit, key=request.build_id, group=preset_id)
        except (TimeoutError, PutOffError) as error:
            if isinstance(error, CallTimedOutError):
                self._hanging.add(preset_id)
            raise  # nobody knows whether it was accepted, so a later pass submits it again
        except Exception as error:
            self._end_refused(request, error)
            raise
        with self._transaction() as tx:
            tx.mark_submitted(request.build_id)

    def _end_refused(self, request: BuildRequest, error: Exception) -> None:
        """End a build that the builder refused. Raises `_HeldError` if a start only has to wait for room."""
        is_held = _lacks_room(error, request)
        status = BuildStatus.CANCELED if is_held else BuildStatus.FAILED
        with self._transaction() as tx:
            finish_build(tx, request.build_id, status, now=self._clock.now(), message=_describe(error))
        if is_held:
            raise _HeldError(str(error)) from error


def _describe(error: Exception) -> str:
    """The error as the message of a build."""
    return tidy_message(f"{type(error).__name__}: {error}")


def _tell_failed(effect: Effect, error: Exception) -> None:
    """Log the failure with ids only, as the parameters of a build may be secret."""
    kind, request = _KINDS[type(effect)], getattr(effect, "request", None)
    fields = {"preset_id": effect.preset_id, "effect": kind}
    if request:
        fields |= {"build_id": request.build_id, "workspace_id": request.workspace_id}
    log_error(_log, f"{effect.preset_id}: {kind} failed", error, **fields, level=logging.WARNING)


def _lacks_room(error: Exception, request: BuildRequest) -> bool:
    """Whether a start must wait for room. A delete needs no room, so a delete refused for that has failed."""
    return isinstance(error, NoRoomError) and request.transition is Transition.START
