"""The carrier: it carries out the effects of one preset, batch by batch, and decides what one batch means for the next.

- After a failed create, the other creates of that preset wait for a later pass, which backs off first. Those that the
  builder is being asked for already are the exception.
- After a call to the builder that timed out, all other calls for that preset wait for a later pass.
- Once the reconciler stops, nothing more begins.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from prebuilds.runtime.deadlines import DeleteStuck, GiveUpStart
from prebuilds.runtime.loop.calls.batches import list_batches
from prebuilds.runtime.loop.calls.handover import STOPS
from prebuilds.runtime.loop.effects import CreatePrebuild, Effect
from prebuilds.runtime.loop.endings import CAME_IN_TIME, STOPS_CREATES
from prebuilds.runtime.loop.executor import Executor
from prebuilds.runtime.loop.results import EffectOutcome, OutcomeStatus, PresetResult
from prebuilds.runtime.ports import Clock

_log = logging.getLogger(__name__)


class Carrier:
    """Carries out the effects of presets during one pass. `on_held` is told which preset waits for room since when."""

    def __init__(
        self,
        executor: Executor,
        *,
        clock: Clock,
        on_held: Callable[[str, datetime], None],
        is_stopping: Callable[[], bool],
    ) -> None:
        self._executor = executor
        self._clock = clock
        self._on_held = on_held
        self._is_stopping = is_stopping

    def carry_out(self, preset_id: str, effects: Sequence[Effect]) -> PresetResult:
        """Carry out the effects of a preset in order. An error becomes a failed outcome."""
        began = self._clock.monotonic()
        outcomes = tuple(self._carry_out_each(effects))
        elapsed = timedelta(seconds=self._clock.monotonic() - began)
        result = PresetResult(preset_id=preset_id, outcomes=outcomes, elapsed=elapsed)
        _tell(result)
        return result

    def _carry_out_each(self, effects: Sequence[Effect]) -> Iterator[EffectOutcome]:
        stops_creates = ""
        for batch in list_batches(effects):
            is_create = isinstance(batch[0], CreatePrebuild)
            reason = STOPS if self._is_stopping() else stops_creates if is_create else ""
            outcomes = _skip(batch, reason) if reason else self._executor.carry_out(batch)
            if any(outcome.status is OutcomeStatus.HELD for outcome in outcomes):
                self._on_held(batch[0].preset_id, self._clock.now())
            if is_create and not reason:
                stops_creates = _find_stop(outcomes)
            elif any(_has_come_in_time(outcome) for outcome in outcomes):
                stops_creates = CAME_IN_TIME
            yield from outcomes


def _find_stop(outcomes: Sequence[EffectOutcome]) -> str:
    """Why the preset creates no more in this pass; empty if it may."""
    return next((STOPS_CREATES[outcome.status] for outcome in outcomes if outcome.status in STOPS_CREATES), "")


def _has_come_in_time(outcome: EffectOutcome) -> bool:
    """Whether a prebuild that was late by the plan is good after all, so that nothing needs to replace it."""
    return isinstance(outcome.effect, DeleteStuck | GiveUpStart) and outcome.status is OutcomeStatus.SKIPPED


def _skip(effects: Sequence[Effect], reason: str) -> Sequence[EffectOutcome]:
    return [EffectOutcome(effect=effect, status=OutcomeStatus.SKIPPED, reason=reason) for effect in effects]


def _tell(result: PresetResult) -> None:
    counts = {status.value: len(result.select(status)) for status in OutcomeStatus}
    fields = {"preset_id": result.preset_id, "elapsed_seconds": result.elapsed.total_seconds(), **counts}
    _log.info("%s: %s", result.preset_id, ", ".join(f"{count} {name}" for name, count in counts.items()), extra=fields)
