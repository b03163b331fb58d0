"""Invariants: what must hold in every run, whatever goes wrong in it."""

from __future__ import annotations

from enum import Enum

from prebuilds.testing.faults.worlds.features import Feature


class Invariant(Enum):
    """What must hold. The value says it in words."""

    ATOMIC = "a transaction that breaks leaves nothing behind"
    NOTED_ONCE = "a prebuild or a start that missed its deadline counts as one failed build, not more and not less"
    DEADLINES = "once faults stop, what missed its deadline is gone within a few rounds"
    CONVERGES = "once faults stop, every pool is at its target within a few rounds"
    QUIET = "a pass that finds everything in order writes nothing, the lease apart"
    NO_LEAK = "nothing that the builder made is without a row, and no row without what it stands for"
    KEEPS_CLAIMED = "a claimed workspace is never deleted, nor taken from its owner"
    ONE_PER_CLAIM = "a claim gets one workspace at most, and the same one when it is made again"
    ELIGIBLE = "a claim takes the oldest prebuild that is ready, unexpired and made as its active preset is now"
    WITHIN_TARGET = "a preset never has more prebuilds and starts than its target, but those it began with"
    BUDGETS = "no more starts are under way than a budget allows, but those it began with"
    PINNED = (
        "a start runs with the version and the parameters of its preset as that was at one moment, and with the same "
        "when it is submitted again, a delete with the version that made the workspace"
    )
    OUTSIDE = "no transaction is open when the builder or the pubsub is called"
    ONE_MOMENT = "a plan is made of rows that were read in one moment"
    ONE_CONNECTION = "a pass takes no more than half of the connections"
    PAUSED = "while reconciliation is paused nothing is written, the lease apart"
    BOUNDED = "failures slow down what is tried again"
    NO_STARVATION = "a preset that fails holds up no other"
    KEEPS_NEEDED = (
        "a prebuild that is good, and one of no more than the target, is not deleted, whatever the clock does"
    )
    ANSWERS = "no process ends by an error"
    WAKES = "a message that is delivered makes the loop look at once"


NEEDS = {
    Invariant.KEEPS_CLAIMED: Feature.CLAIMS,
    Invariant.ONE_PER_CLAIM: Feature.CLAIMS,
    Invariant.ELIGIBLE: Feature.CLAIMS,
    Invariant.PAUSED: Feature.PAUSE,
    Invariant.WAKES: Feature.OUTBOX,
    Invariant.BUDGETS: Feature.BUDGETS,
    Invariant.NOTED_ONCE: Feature.HISTORY,
    Invariant.DEADLINES: Feature.HISTORY,
}
"""The feature that an invariant needs; it says nothing about a host without it."""


class Violated(Exception):  # noqa: N818 - it becomes a BrokenInvariantError, with the line to run it again
    """An invariant does not hold."""

    def __init__(self, invariant: Invariant, seen: str) -> None:
        super().__init__(invariant, seen)
        self.invariant = invariant
        self.seen = seen
