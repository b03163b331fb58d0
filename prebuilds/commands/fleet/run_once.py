"""`run --once`: passes until the pools are full or cannot be filled, and the reasons why they are not.

- There is one more pass after the last build: new prebuilds may have expired before they were ready.
- If a preset's new prebuilds expire before its pool is full, filling it would never end. It is given up, and the others
  go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import attrs

from prebuilds.adapters.local import LocalBuilder
from prebuilds.commands.console.signals import Stop
from prebuilds.decision.plans.decisions import Decision
from prebuilds.decision.state import ReconciliationState
from prebuilds.decision.wording import describe_duration
from prebuilds.runtime.loop.effects import CreatePrebuild, DeletePrebuild
from prebuilds.runtime.loop.reconciler import Reconciler
from prebuilds.runtime.loop.results import OutcomeStatus, PassStatus, ReconciliationResult
from prebuilds.runtime.ports import Clock


@attrs.define
class Filled:
    """The result so far: how the last pass ended, what was created, and which presets were given up."""

    status: PassStatus = PassStatus.RECONCILED
    failures: dict[str, str] = attrs.Factory(dict)
    created: set[str] = attrs.Factory(set)
    expiring: set[str] = attrs.Factory(set)

    def note(self, result: ReconciliationResult) -> None:
        """Record what a pass did."""
        self.status = result.status
        for preset in result:
            effects = [outcome.effect for outcome in preset.select(OutcomeStatus.DONE)]
            deleted = {effect.request.workspace_id for effect in effects if isinstance(effect, DeletePrebuild)}
            if deleted & self.created:
                self.expiring.add(preset.preset_id)
            self.created |= {effect.request.workspace_id for effect in effects if isinstance(effect, CreatePrebuild)}
            for outcome in preset.select(OutcomeStatus.FAILED):
                self.failures[preset.preset_id] = outcome.reason


def fill(reconciler: Reconciler, builder: LocalBuilder, stop: Stop, clock: Clock) -> Filled:
    """Do passes and builds until only the passing of time could change anything, or until a stop is requested."""
    filled, idle = Filled(), 0
    while idle < 2 and not stop.status:  # twice, as the first idle pass may have come before the last build
        result = reconciler.reconcile_all()
        filled.note(result)
        if not _list_busy(result) - filled.expiring:
            break
        wait = builder.work()
        idle = idle + 1 if wait is None and not result.done else 0
        clock.wait(stop.event, wait or timedelta())
    return filled


def _list_busy(result: ReconciliationResult) -> set[str]:
    """The presets for which something was done or is under way."""
    under_way = {decision.preset_id for decision in result.plan or () if _is_under_way(decision.state)}
    return under_way | {preset.preset_id for preset in result if preset.select(OutcomeStatus.DONE)}


def _is_under_way(state: ReconciliationState) -> bool:
    return bool(state.starting or state.stopping or state.deleting)


def list_shortfalls(decisions: Sequence[Decision], filled: Filled) -> Sequence[str]:
    """A line for each preset that is not full, with the reason unless another note gives it."""
    lacking = [decision for decision in decisions if decision.state.eligible < decision.state.desired]
    return [_describe_shortfall(decision, filled) for decision in lacking]


def _describe_shortfall(decision: Decision, filled: Filled) -> str:
    state = decision.state
    reasons = ", ".join(_list_reasons(decision, filled))
    return f"{decision.preset_id}: {state.eligible} of {state.desired} ready{': ' * bool(reasons)}{reasons}."


def _list_reasons(decision: Decision, filled: Filled) -> Iterator[str]:
    preset_id, ttl = decision.preset_id, decision.snapshot.preset.ttl
    if ttl and (preset_id in filled.expiring or decision.state.expired):
        yield f"with a ttl of {describe_duration(ttl)} its prebuilds expire before the pool is full"
    if preset_id in filled.failures:
        yield filled.failures[preset_id]
