"""Endings: how an effect ended, as a status and a reason, before its outcome is told."""

from __future__ import annotations

from typing import NamedTuple

from prebuilds.runtime.loop.calls.handover import Answer
from prebuilds.runtime.loop.results import OutcomeStatus

STOPS_CREATES = {
    OutcomeStatus.FAILED: "an earlier create of the preset failed",
    OutcomeStatus.HELD: "the builder has no room for the preset",
}
"""After which outcome of a create the preset creates no more in this pass, and why."""
CAME_IN_TIME = "a prebuild that was late has come after all"
"""Why a preset creates nothing in a pass that finds it so: the next pass decides anew."""


class Ending(NamedTuple):
    """How an effect ended, why if it was not done, and whether the store was out of reach."""

    status: OutcomeStatus
    reason: str = ""
    is_outage: bool = False


DONE = Ending(OutcomeStatus.DONE)
PROMOTED = Ending(OutcomeStatus.SKIPPED, "the planned version is no longer active")
ID_EXISTS = Ending(OutcomeStatus.SKIPPED, "a workspace or a build with its id exists")
NOT_DELETABLE = Ending(OutcomeStatus.SKIPPED, "it is no longer a prebuild, or another build of it is under way")
FAILED_BEFORE = Ending(OutcomeStatus.SKIPPED, STOPS_CREATES[OutcomeStatus.FAILED])
LEASE_LOST = Ending(OutcomeStatus.SKIPPED, "the lease has been lost")


def get_status(answer: Answer) -> OutcomeStatus:
    """The status that an answer of the builder leads to."""
    if answer.is_taken:
        return OutcomeStatus.DONE
    if answer.is_put_off:
        return OutcomeStatus.SKIPPED
    return OutcomeStatus.HELD if answer.lacks_room else OutcomeStatus.FAILED


def stop_creates(answer: Answer) -> str | None:
    """Why the other creates of the preset wait after this answer; None if they go on."""
    return STOPS_CREATES.get(get_status(answer))


def stop_refused_starts(answer: Answer) -> str | None:
    """The same for builds that were requested before. Of these, only a refused start stops the other starts."""
    return STOPS_CREATES.get(get_status(answer)) if answer.is_refused and answer.offer.is_start else None
