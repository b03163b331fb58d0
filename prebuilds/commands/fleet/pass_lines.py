"""What `run` prints about each pass: a line for each preset, and one when the loop pauses or goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta

from prebuilds.commands.console.streams import say
from prebuilds.commands.fleet.notes import describe_second
from prebuilds.runtime.loop.effects import CancelPending, CreatePrebuild, DeletePrebuild, Effect, SetPrebuildStatus
from prebuilds.runtime.loop.results import OutcomeStatus, PassStatus, PresetResult, ReconciliationResult
from prebuilds.runtime.ports import Store

_VERBS: dict[type[Effect], str] = {
    CreatePrebuild: "create",
    DeletePrebuild: "delete",
    CancelPending: "cancel pending",
    SetPrebuildStatus: "mark",
}


class Teller:
    """Prints what passes do. With `is_waiting` it says that the loop waits to take over from another."""

    def __init__(self, store: Store, lease_name: str, *, is_waiting: bool) -> None:
        self._store = store
        self._lease_name = lease_name
        self._is_waiting = is_waiting
        self._status = PassStatus.RECONCILED
        self.on_elapsed: Callable[[timedelta], None] = lambda _: None

    def tell(self, result: ReconciliationResult) -> None:
        self.on_elapsed(result.elapsed)
        if result.status is not self._status:
            self._status = result.status
            say(self._describe_status())
        for preset in result:
            for line in _describe(preset):
                say(line)

    def _describe_status(self) -> str:
        if self._status is PassStatus.PAUSED:
            return "Paused: nothing is created or deleted until `resume`."
        if self._status is PassStatus.RECONCILED:
            return "Running again."
        return self._describe_leader() + " This one waits to take over." * self._is_waiting

    def _describe_leader(self) -> str:
        with self._store.transaction(read_only=True) as tx:
            lease = tx.find_lease(self._lease_name)
        if lease is None:  # released since the pass
            return "Another `run` was working on this store just now."
        until = describe_second(lease.expires_at)
        return f"Another `run` is working on this store: {lease.holder}, until {until} at least."


def _describe(preset: PresetResult) -> Iterator[str]:
    counts = Counter(
        _VERBS[type(outcome.effect)] for outcome in preset.select(OutcomeStatus.DONE) if type(outcome.effect) in _VERBS
    )
    if counts:
        yield f"{preset.preset_id}: {', '.join(f'{verb} {count}' for verb, count in counts.items())}"
    for outcome in preset.select(OutcomeStatus.FAILED):
        yield f"{preset.preset_id}: failed: {outcome.reason}"
