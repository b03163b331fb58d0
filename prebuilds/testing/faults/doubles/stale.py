"""A store whose snapshots are old, or never show some of the states that it went through.

- Only snapshots are old, which are read-only transactions of REPEATABLE_READ. Writes compare with the state of now.
- A state is what one commit left behind. Call `note` after each commit, by any process.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timezone
from typing import cast

import attrs

from prebuilds.decision.models import Build, Preset
from prebuilds.runtime.models import Workspace
from prebuilds.runtime.ports import FleetReads, Isolation, Store, Transaction
from prebuilds.testing.wrapping import TransactionOptions, WrappedStore, WrappedTransaction

_EVER = datetime(1, 1, 2, tzinfo=timezone.utc)


@attrs.frozen(kw_only=True)
class _State:
    """Everything that a plan is made of, as one commit left it."""

    presets: tuple[Preset, ...]
    prebuilds: tuple[Workspace, ...]
    builds: tuple[Build, ...]
    resets: tuple[tuple[str, datetime], ...]
    memberships: tuple[str, ...]
    is_paused: bool

    @classmethod
    def read(cls, reads: FleetReads) -> _State:
        return cls(
            presets=tuple(reads.list_presets()),
            prebuilds=tuple(reads.list_prebuilds()),
            builds=tuple(reads.list_builds(ended_since=_EVER, latest=0)),
            resets=tuple(reads.list_resets()),
            memberships=tuple(reads.list_memberships()),
            is_paused=reads.is_paused(),
        )


class StaleStore(WrappedStore):
    """A `Store` that shows the state of `lag` commits ago, and never a state that a commit in `hides` left behind.

    Commits are counted from 1. The state at the start has number 0, and cannot be hidden.
    """

    def __init__(self, store: Store, *, lag: int = 0, hides: Collection[int] = ()) -> None:
        super().__init__(store)
        self._lag = lag
        self._hides = hides
        self._states: list[_State] = []
        self.note()

    def note(self) -> None:
        """Remember the state of now."""
        with self._store.transaction(isolation=Isolation.REPEATABLE_READ, read_only=True) as tx:
            self._states.append(_State.read(tx))

    def _open(self, options: TransactionOptions) -> AbstractContextManager[Transaction]:
        is_snapshot = options.read_only and options.isolation is Isolation.REPEATABLE_READ
        return self._snapshot(options) if is_snapshot else options.begin(self._store)

    @contextmanager
    def _snapshot(self, options: TransactionOptions) -> Iterator[Transaction]:
        with options.begin(self._store) as tx:
            yield cast(Transaction, _StaleTransaction(tx, self._choose()))

    def _choose(self) -> _State:
        number = max(len(self._states) - 1 - self._lag, 0)
        while number in self._hides and number:
            number -= 1
        return self._states[number]


class _StaleTransaction(WrappedTransaction):
    """Reads one state."""

    def __init__(self, tx: Transaction, state: _State) -> None:
        super().__init__(tx)
        self._state = state

    def list_presets(self, preset_id: str | None = None) -> Sequence[Preset]:
        return [preset for preset in self._state.presets if preset_id in (None, preset.id)]

    def list_prebuilds(self, preset_id: str | None = None) -> Sequence[Workspace]:
        return [workspace for workspace in self._state.prebuilds if preset_id in (None, workspace.preset_id)]

    def list_builds(self, *, ended_since: datetime, latest: int, preset_id: str | None = None) -> Sequence[Build]:  # noqa: ARG002 - more do no harm
        return [build for build in self._state.builds if preset_id in (None, build.preset_id)]

    def list_resets(self, preset_id: str | None = None) -> Sequence[tuple[str, datetime]]:
        return [reset for reset in self._state.resets if preset_id in (None, reset[0])]

    def list_memberships(self) -> Sequence[str]:
        return self._state.memberships

    def is_paused(self) -> bool:
        return self._state.is_paused
