"""A store whose snapshots are old, or never show some of the states that it went through.

- Only snapshots are old: read-only transactions of REPEATABLE_READ. Whatever writes compares with what is there now.
- A state is what one commit left behind. `note` is called after each commit, whoever made it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timezone
from typing import Any, cast

import attrs

from prebuilds.decision.models import Build, Preset
from prebuilds.runtime.models import Lease, Workspace
from prebuilds.runtime.ports import FleetReads, Isolation, Store, Transaction

_EVER = datetime(1, 1, 2, tzinfo=timezone.utc)


@attrs.frozen(kw_only=True)
class _State:
    """Everything that a plan is made of, as it was after one commit."""

    presets: tuple[Preset, ...]
    prebuilds: tuple[Workspace, ...]
    builds: tuple[Build, ...]
    resets: tuple[tuple[str, datetime], ...]
    memberships: tuple[str, ...]
    paused: bool

    @classmethod
    def read(cls, reads: FleetReads) -> _State:
        return cls(
            presets=tuple(reads.list_presets()),
            prebuilds=tuple(reads.list_prebuilds()),
            builds=tuple(reads.list_builds(ended_since=_EVER, latest=0)),
            resets=tuple(reads.list_resets()),
            memberships=tuple(reads.list_memberships()),
            paused=reads.is_paused(),
        )


class StaleStore:
    """A `Store` that shows the state of `lag` commits ago, and never one that a commit of `hides` left.

    Commits are counted from 1; the state that it begins with, which is number 0, cannot be hidden.
    """

    def __init__(self, store: Store, *, lag: int = 0, hides: Collection[int] = ()) -> None:
        self._store = store
        self._lag = lag
        self._hides = hides
        self._states: list[_State] = []
        self.note()

    @property
    def max_connections(self) -> int:
        return self._store.max_connections

    def note(self) -> None:
        """Remember the state that is there now."""
        with self._store.transaction(isolation=Isolation.REPEATABLE_READ, read_only=True) as tx:
            self._states.append(_State.read(tx))

    def transaction(
        self,
        *,
        isolation: Isolation = Isolation.READ_COMMITTED,
        read_only: bool = False,
        lease: Lease | None = None,
    ) -> AbstractContextManager[Transaction]:
        if read_only and isolation is Isolation.REPEATABLE_READ:
            return self._snapshot(lease)
        return self._store.transaction(isolation=isolation, read_only=read_only, lease=lease)

    @contextmanager
    def _snapshot(self, lease: Lease | None) -> Iterator[Transaction]:
        with self._store.transaction(isolation=Isolation.REPEATABLE_READ, read_only=True, lease=lease) as tx:
            yield cast(Transaction, _StaleTransaction(tx, self._choose()))

    def _choose(self) -> _State:
        number = max(len(self._states) - 1 - self._lag, 0)
        while number in self._hides and number:
            number -= 1
        return self._states[number]


class _StaleTransaction:
    """The reads of one state; everything else is asked of the transaction itself."""

    def __init__(self, tx: Transaction, state: _State) -> None:
        self._tx = tx
        self._state = state

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._tx, name)
        return method

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
        return self._state.paused
