"""Handing a batch of builds to the host's builder, in groups that grow while it takes them: 1, 2, 4, up to a limit.

- The calls of a group run side by side. A group begins when all calls of the one before have ended.
- Trouble stops the batch: the rest is not asked for. So a template that cannot be built costs one call, not a hundred.
- In one pass, only one call of each preset that does not return is waited for, so that the next pass is not delayed
  further.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import attrs

from prebuilds.decision.models import Transition
from prebuilds.errors import CallTimedOutError, NoRoomError
from prebuilds.runtime.loop.calls.timed_calls import Call, LimitedCalls, PutOffError
from prebuilds.runtime.loop.leasing import HeldLease
from prebuilds.runtime.models import BuildRequest
from prebuilds.runtime.ports import CancelingBuilder, WorkspaceBuilder

_WHAT = "the builder's submit"
HANGS = "an earlier call of the preset did not return in time"
STOPS = "the reconciler stops"


@attrs.frozen(kw_only=True)
class Offer:
    """A build to hand over, and the template version that it runs with."""

    request: BuildRequest
    template_version_id: str

    @property
    def is_start(self) -> bool:
        return self.request.transition is Transition.START


@attrs.frozen(kw_only=True)
class Answer:
    """How handing over a build ended: the builder took it if there is no `error`.

    Without `was_asked` the builder was not asked in this pass, and `error` is a `PutOffError` that says why.
    """

    offer: Offer
    error: Exception | None = None
    was_asked: bool = True

    @property
    def is_taken(self) -> bool:
        return self.error is None

    @property
    def is_refused(self) -> bool:
        """Whether the builder said no. After a time-out nobody knows, so a later pass asks again."""
        return self.was_asked and not self.is_taken and not isinstance(self.error, TimeoutError)

    @property
    def lacks_room(self) -> bool:
        """Whether a start must wait for room. A delete needs no room, so a delete refused for that has failed."""
        return self.is_refused and isinstance(self.error, NoRoomError) and self.offer.is_start

    @property
    def is_put_off(self) -> bool:
        """Whether it only has to wait for a later pass."""
        return isinstance(self.error, PutOffError)


class Handover:
    """Hands builds over during one pass, at most `width` of a preset side by side."""

    def __init__(
        self,
        builder: WorkspaceBuilder,
        calls: LimitedCalls,
        lease: HeldLease,
        *,
        width: int,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._builder = builder
        self._calls = calls
        self._lease = lease
        self._width = width
        self._is_stopping = is_stopping
        self._hanging: set[str] = set()  # presets with a call that did not return during this pass

    def require_builder(self, preset_id: str) -> None:
        """Check that the builder can be called, before a write that needs the call. Raises `PutOffError`."""
        if preset_id in self._hanging:
            raise PutOffError(HANGS)
        self._calls.require_place(preset_id)

    def hand_over(
        self, preset_id: str, offers: Sequence[Offer], *, stops: Callable[[Answer], str | None]
    ) -> Sequence[Answer]:
        """Hand builds of a preset over, in order. Returns an answer for each.

        `stops` says after which answers, and for what reason, the builds that are not under way wait for a later pass.
        """
        answers: list[Answer] = []
        size, taken = 1, 0
        while len(answers) < len(offers):
            reason = next(filter(None, map(stops, answers[-size:])), None) or self._find_obstacle(preset_id)
            if reason:
                return [*answers, *(_wait(offer, reason) for offer in offers[len(answers) :])]
            size = min(taken + 1, self._width)
            group = self._call_group(preset_id, offers[len(answers) : len(answers) + size])
            taken += sum(answer.is_taken for answer in group)
            answers += group
        return answers

    def cancel(self, preset_id: str, build_id: str) -> None:
        """Ask the builder to stop a build, if it can do so. Raises what `LimitedCalls` raises."""
        if isinstance(self._builder, CancelingBuilder):
            self.require_builder(preset_id)
            cancel = partial(self._builder.cancel, build_id, timeout=self._calls.timeout)
            key = f"cancel {build_id}"
            self._calls.end(self._calls.begin("the builder's cancel", cancel, key=key, group=preset_id))

    def _find_obstacle(self, preset_id: str) -> str | None:
        """Why no more calls are made for the preset; None if they are."""
        if preset_id in self._hanging:
            return HANGS
        if self._is_stopping():
            return STOPS
        try:
            self._lease.renew_if_due()
        except Exception as error:
            return f"the lease could not be renewed: {type(error).__name__}: {error}"
        return None

    def _call_group(self, preset_id: str, group: Sequence[Offer]) -> Sequence[Answer]:
        begun = [self._begin(preset_id, offer) for offer in group]  # all begin before the first is waited for
        return [self._end(preset_id, offer, call) for offer, call in zip(group, begun, strict=True)]

    def _begin(self, preset_id: str, offer: Offer) -> Call | PutOffError:
        def submit() -> None:
            self._builder.submit(offer.request, offer.template_version_id, timeout=self._calls.timeout)

        try:
            return self._calls.begin(_WHAT, submit, key=offer.request.build_id, group=preset_id)
        except PutOffError as put_off:
            return put_off

    def _end(self, preset_id: str, offer: Offer, call: Call | PutOffError) -> Answer:
        if isinstance(call, PutOffError):
            return Answer(offer=offer, error=call, was_asked=False)
        try:
            self._calls.end(call)
        except Exception as error:
            if isinstance(error, CallTimedOutError):
                self._hanging.add(preset_id)
            return Answer(offer=offer, error=error)
        return Answer(offer=offer)


def _wait(offer: Offer, reason: str) -> Answer:
    return Answer(offer=offer, error=PutOffError(reason), was_asked=False)
