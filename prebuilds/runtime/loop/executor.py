"""The executor: it carries out effects in batches, each in transactions of its own, and calls the host's builder in
between.

- Effects of one kind for one preset are written in one transaction, which is committed before the builder is called.
  The calls are `Handover`'s. One more transaction writes down what came of them.
- A crash in between leaves builds that were not submitted. The next pass hands them over, and the builder accepts each
  build once.
- New prebuilds that the builder was not asked for, because another of them was refused, are withdrawn.
- Prebuilds that cannot be added leave one failed build, so that the backoff counts it.
- The transaction that writes compares the rows with the plan, and leaves rows alone that have changed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

from prebuilds.decision.models import BuildStatus
from prebuilds.errors import CommitUnknownError, LeaseLostError, StoreUnavailableError
from prebuilds.runtime.build_reports import finish_build
from prebuilds.runtime.deadlines import DeleteStuck, GiveUpStart, StopStart, delete_stuck, give_up_start
from prebuilds.runtime.logs import log_error
from prebuilds.runtime.loop.calls.handover import Answer, Handover, Offer
from prebuilds.runtime.loop.calls.timed_calls import PutOffError
from prebuilds.runtime.loop.effects import (
    KINDS,
    AddMembership,
    CancelBuild,
    CancelPending,
    CreatePrebuild,
    DeletePrebuild,
    Effect,
    SetPrebuildStatus,
    SubmitBuild,
)
from prebuilds.runtime.loop.endings import (
    DONE,
    FAILED_BEFORE,
    ID_EXISTS,
    LEASE_LOST,
    NOT_DELETABLE,
    PROMOTED,
    Ending,
    get_status,
    stop_creates,
    stop_refused_starts,
)
from prebuilds.runtime.loop.leasing import HeldLease
from prebuilds.runtime.loop.results import EffectOutcome, OutcomeStatus
from prebuilds.runtime.loop.settlements import Settlement, describe_error
from prebuilds.runtime.models import BuildRequest, Counter, NewPrebuild
from prebuilds.runtime.ports import Clock, Store, Transaction

_log = logging.getLogger(__name__)

_OUTAGES = (StoreUnavailableError, CommitUnknownError)
_NOT_STUCK = "it is ready by now, no longer a prebuild, or another build of it is under way"
_NOT_OVERDUE = "its start has ended by now, or it is no longer a prebuild"


class Executor:
    """Carries out effects under a lease."""

    def __init__(self, store: Store, handover: Handover, *, lease: HeldLease, clock: Clock) -> None:
        self._store = store
        self._handover = handover
        self._lease = lease
        self._clock = clock
        self._ways: dict[type, Callable[[Sequence[Any]], Sequence[Ending]]] = {
            SubmitBuild: self._submit_builds,
            CreatePrebuild: self._create_prebuilds,
            DeletePrebuild: self._delete_prebuilds,
            DeleteStuck: self._delete_stuck,
            GiveUpStart: self._give_up_start,
            StopStart: self._stop_start,
        }
        self._writes: dict[type, Callable[[Transaction, Any], object]] = {
            CancelBuild: self._cancel_build,
            SetPrebuildStatus: lambda tx, effect: tx.set_prebuild_status(effect.preset_id, effect.status),
            CancelPending: lambda tx, effect: tx.cancel_pending(effect.preset_id, now=self._clock.now()),
            AddMembership: lambda tx, effect: tx.add_membership(effect.organization_id),
        }

    def carry_out(self, effects: Sequence[Effect]) -> Sequence[EffectOutcome]:
        """Carry out a batch of `list_batches`, and return an outcome for each effect.

        Never raises: an error becomes a failed outcome.
        """
        began = self._clock.monotonic()
        endings = self._try(effects)
        elapsed = timedelta(seconds=self._clock.monotonic() - began)
        return [
            EffectOutcome(
                effect=effect,
                status=ending.status,
                reason=ending.reason,
                is_outage=ending.is_outage,
                elapsed=elapsed,
            )
            for effect, ending in zip(effects, endings, strict=True)
        ]

    def _try(self, effects: Sequence[Effect]) -> Sequence[Ending]:
        if self._lease.is_lost:
            return [LEASE_LOST] * len(effects)
        try:
            self._lease.renew_if_due()
            return self._ways.get(type(effects[0]), self._write)(effects)
        except PutOffError as put_off:
            return [Ending(OutcomeStatus.SKIPPED, str(put_off))] * len(effects)
        except Exception as error:
            return self._end_all(effects, self._fail(effects[0], error))

    def _end_all(self, effects: Sequence[Effect], failed: Ending) -> Sequence[Ending]:
        """The endings of a batch of which nothing was written. Of creates, one counts as failed."""
        if isinstance(effects[0], CreatePrebuild):
            return [failed, *[FAILED_BEFORE] * (len(effects) - 1)]
        return [failed] * len(effects)

    def _fail(self, effect: Effect, error: Exception) -> Ending:
        """Log the failure with ids only, as the parameters of a build may be secret."""
        kind, request = KINDS[type(effect)], getattr(effect, "request", None)
        fields = {"preset_id": effect.preset_id, "effect": kind}
        if request:
            fields |= {"build_id": request.build_id, "workspace_id": request.workspace_id}
        log_error(_log, f"{effect.preset_id}: {kind} failed", error, **fields, level=logging.WARNING)
        if isinstance(error, LeaseLostError):
            self._lease.is_lost = True
        return Ending(OutcomeStatus.FAILED, f"{type(error).__name__}: {error}", isinstance(error, _OUTAGES))

    def _transaction(self) -> AbstractContextManager[Transaction]:
        return self._store.transaction(lease=self._lease.lease)

    def _write(self, effects: Sequence[Effect]) -> Sequence[Ending]:
        with self._transaction() as tx:
            for effect in effects:
                self._writes[type(effect)](tx, effect)
        return [DONE] * len(effects)

    def _cancel_build(self, tx: Transaction, effect: CancelBuild) -> None:
        finish_build(tx, effect.build_id, BuildStatus.CANCELED, now=self._clock.now())

    def _submit_builds(self, effects: Sequence[SubmitBuild]) -> Sequence[Ending]:
        versions = {effect.request.build_id: effect.template_version_id for effect in effects}
        endings = self._hand_over(effects, versions)
        return [endings[effect.request.build_id] for effect in effects]

    def _create_prebuilds(self, effects: Sequence[CreatePrebuild]) -> Sequence[Ending]:
        self._handover.require_builder(effects[0].preset_id)
        try:
            added = self._insert(effects)
        except (LeaseLostError, TimeoutError, CommitUnknownError):
            raise  # not the preset's fault: nothing was written, or the next pass hands it over
        except Exception as error:
            self._note_failure(effects[0], error)
            raise
        versions = {effect.request.build_id: effect.request.template_version_id or "" for effect in effects}
        endings = self._hand_over(effects, {build_id: versions[build_id] for build_id in added})
        left_out = ID_EXISTS if added else PROMOTED
        return [endings.get(effect.request.build_id, left_out) for effect in effects]

    def _insert(self, effects: Sequence[CreatePrebuild]) -> Sequence[str]:
        prebuilds = [NewPrebuild(name=effect.name, request=effect.request) for effect in effects]
        with self._transaction() as tx:
            return tx.insert_prebuilds(prebuilds, now=effects[0].begun_at)

    def _note_failure(self, effect: CreatePrebuild, error: Exception) -> None:
        with self._transaction() as tx:
            tx.insert_failed_build(effect.request, now=effect.begun_at, message=describe_error(error))
            tx.count(effect.preset_id, Counter.FAILED)

    def _delete_prebuilds(self, effects: Sequence[DeletePrebuild]) -> Sequence[Ending]:
        self._handover.require_builder(effects[0].preset_id)
        requests = [effect.request for effect in effects]
        with self._transaction() as tx:
            versions = tx.insert_deletes(requests, now=self._clock.now())
        endings = self._hand_over(effects, versions)
        return [endings.get(request.build_id, NOT_DELETABLE) for request in requests]

    def _delete_stuck(self, effects: Sequence[DeleteStuck]) -> Sequence[Ending]:
        (effect,) = effects
        self._handover.require_builder(effect.preset_id)
        with self._transaction() as tx:
            workspace = delete_stuck(tx, effect, now=self._clock.now())
            if workspace is None:
                raise PutOffError(_NOT_STUCK)
        endings = self._hand_over(effects, {effect.request.build_id: workspace.last_build.template_version_id})
        return tuple(endings.values())

    def _give_up_start(self, effects: Sequence[GiveUpStart]) -> Sequence[Ending]:
        (effect,) = effects
        with self._transaction() as tx:
            if not give_up_start(tx, effect, now=self._clock.now()):
                raise PutOffError(_NOT_OVERDUE)
        return self._stop_start(effects)

    def _stop_start(self, effects: Sequence[GiveUpStart | StopStart]) -> Sequence[Ending]:
        (effect,) = effects
        self._handover.cancel(effect.preset_id, effect.build_id)
        return [DONE]

    def _hand_over(
        self,
        effects: Sequence[SubmitBuild | CreatePrebuild | DeletePrebuild | DeleteStuck],
        versions: Mapping[str, str],
    ) -> Mapping[str, Ending]:
        """Hand over the builds that have a version, write down the answers, and return the endings by build id."""
        by_build = {effect.request.build_id: effect for effect in effects if effect.request.build_id in versions}
        offers = [_make_offer(effect.request, versions) for effect in by_build.values()]
        stops = stop_creates if isinstance(effects[0], CreatePrebuild) else stop_refused_starts
        answers = self._handover.hand_over(effects[0].preset_id, offers, stops=stops)
        ended = map(self._end, by_build.values(), answers)
        endings = dict(zip(by_build, ended, strict=True))
        try:
            self._settle(effects[0], answers)
        except Exception as error:
            failed = self._fail(effects[0], error)
            asked = {answer.offer.request.build_id: failed for answer in answers if answer.was_asked}
            return {**endings, **asked}
        return endings

    def _end(self, effect: Effect, answer: Answer) -> Ending:
        status = get_status(answer)
        if status is OutcomeStatus.FAILED and answer.error:
            return self._fail(effect, answer.error)
        return Ending(status, str(answer.error or ""))

    def _settle(self, effect: Effect, answers: Sequence[Answer]) -> None:
        """Write down what came of the calls."""
        settlement = Settlement.make(answers, is_new=isinstance(effect, CreatePrebuild))
        if settlement.is_needed:
            with self._transaction() as tx:
                settlement.write(tx, effect.preset_id, now=self._clock.now())


def _make_offer(request: BuildRequest, versions: Mapping[str, str]) -> Offer:
    return Offer(request=request, template_version_id=versions[request.build_id])
