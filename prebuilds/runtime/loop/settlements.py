"""Settlements: what the store is told of a batch that was handed over, in one transaction.

- A start is counted once, in the transaction that notes the builder's answer to it.
- A new prebuild that the builder was not asked for is withdrawn. One that was requested before stays, as the builder
  may have taken it then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import attrs

from prebuilds.decision.models import BuildStatus
from prebuilds.decision.policies.failures import tidy_message
from prebuilds.runtime.build_reports import finish_build
from prebuilds.runtime.loop.calls.handover import Answer
from prebuilds.runtime.models import Counter
from prebuilds.runtime.ports import Transaction


@attrs.frozen(kw_only=True)
class Settlement:
    """The answers to write down: builds that were taken or refused, and new ones that were not asked for."""

    taken: Sequence[Answer]
    refused: Sequence[Answer]
    withdrawn: Sequence[Answer]

    @classmethod
    def make(cls, answers: Sequence[Answer], *, is_new: bool) -> Settlement:
        """The settlement of a batch. `is_new` says that its builds were added in this pass."""
        return cls(
            taken=[answer for answer in answers if answer.is_taken],
            refused=[answer for answer in answers if answer.is_refused],
            withdrawn=[answer for answer in answers if is_new and not answer.was_asked],
        )

    @property
    def is_needed(self) -> bool:
        return bool(self.taken or self.refused or self.withdrawn)

    def write(self, tx: Transaction, preset_id: str, *, now: datetime) -> None:
        """Write it down."""
        if self.taken:
            tx.mark_submitted(_list_builds(self.taken))
        if self.withdrawn:
            tx.withdraw_prebuilds(_list_builds(self.withdrawn))
        for answer in self.refused:
            status = BuildStatus.CANCELED if answer.lacks_room else BuildStatus.FAILED
            finish_build(tx, answer.offer.request.build_id, status, now=now, message=describe_error(answer.error))
        starts = sum(answer.offer.is_start for answer in (*self.taken, *self.refused))
        if starts:
            tx.count(preset_id, Counter.CREATED, starts)


def _list_builds(answers: Sequence[Answer]) -> Sequence[str]:
    return [answer.offer.request.build_id for answer in answers]


def describe_error(error: Exception | None) -> str:
    """The error as the message of a build."""
    return tidy_message(f"{type(error).__name__}: {error}")
