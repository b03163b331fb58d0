"""A store whose snapshots are old, or never show some of the states that it went through.

- Only snapshots are old, which are read-only transactions of REPEATABLE_READ. Writes compare with the state of now.
- A state is what one commit left behind. Call `note` after each commit, by any process.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timezone
from typing import cast

from prebuilds.decision.models import Preset
from prebuilds.runtime.fleet_rows import ALL_PRESETS, FleetRows, Selection
from prebuilds.runtime.ports import Isolation, Store, Transaction
from prebuilds.testing.wrapping import TransactionOptions, WrappedStore, WrappedTransaction

_EVER = datetime(1, 1, 2, tzinfo=timezone.utc)


class StaleStore(WrappedStore):
    """A `Store` that shows the state of `lag` commits ago, and never a state that a commit in `hides` left behind.

    Commits are counted from 1. The state at the start has number 0, and cannot be hidden.
    """

    def __init__(self, store: Store, *, lag: int = 0, hides: Collection[int] = ()) -> None:
        super().__init__(store)
        self._lag = lag
        self._hides = hides
        self._states: list[FleetRows] = []
        self.note()

    def note(self) -> None:
        """Remember the state of now."""
        with self._store.transaction(isolation=Isolation.REPEATABLE_READ, read_only=True) as tx:
            self._states.append(tx.read_rows(ended_since=_EVER))

    def _open(self, options: TransactionOptions) -> AbstractContextManager[Transaction]:
        is_snapshot = options.read_only and options.isolation is Isolation.REPEATABLE_READ
        return self._snapshot(options) if is_snapshot else options.begin(self._store)

    @contextmanager
    def _snapshot(self, options: TransactionOptions) -> Iterator[Transaction]:
        with options.begin(self._store) as tx:
            yield cast(Transaction, _StaleTransaction(tx, self._choose()))

    def _choose(self) -> FleetRows:
        number = max(len(self._states) - 1 - self._lag, 0)
        while number in self._hides and number:
            number -= 1
        return self._states[number]


class _StaleTransaction(WrappedTransaction):
    """Reads one state."""

    def __init__(self, tx: Transaction, state: FleetRows) -> None:
        super().__init__(tx)
        self._state = state

    def read_rows(
        self,
        selection: Selection = ALL_PRESETS,
        *,
        ended_since: datetime | None = None,  # noqa: ARG002 - more builds do no harm
        latest: int = 0,  # noqa: ARG002
        failing_only: bool = False,  # noqa: ARG002
    ) -> FleetRows:
        return self._state.select(selection)

    def list_presets(self, preset_id: str | None = None) -> Sequence[Preset]:
        return [preset for preset in self._state.presets if preset_id in (None, preset.id)]
