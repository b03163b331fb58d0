"""The injector: counts what one process does to the world, and makes it fail where a fault lies.

- Each process has one `Injector`. All its ports go through it, so it knows every crossing, and whether it has crashed.
- Before each crossing, and each call in a transaction, it gives up its turn: others can act in between.
- Without a fault, everything passes through unchanged.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import NoReturn

from prebuilds.testing.faults.doubles.fault_modes import (
    AnswerLostError,
    Boundary,
    CrashedError,
    Fault,
    FaultMode,
    InjectedTimeoutError,
)
from prebuilds.testing.faults.worlds.scheduling import TurnKeeper


class Injector:
    """The faults of one process, and a record of what it did.

    - `crossed`: every point, with its boundary.
    - `struck`: the faults that came about.
    - `written`: the writes that were committed, except those of the lease.
    - `crossed_inside`: what it called while it had a transaction open.
    - `begun_inside`: how many transactions it began while another was open.
    - `loose_reads`: how many transactions read what a plan is made of without asking for one moment.

    Nothing can be added to the preset `broken_preset`.
    """

    def __init__(
        self,
        process: str,
        faults: Iterable[Fault] = (),
        *,
        turns: TurnKeeper | None = None,
        broken_preset: str | None = None,
    ) -> None:
        self.process = process
        self.points = 0
        self.crossed: list[tuple[int, Boundary]] = []
        self.struck: list[Fault] = []
        self.called: set[str] = set()
        self.written: list[str] = []
        self._of_thread = threading.local()
        self.crossed_inside: list[Boundary] = []
        self.begun_inside = 0
        self.loose_reads = 0
        self.has_crashed = False
        self._faults = {fault.point: fault for fault in faults if fault.process == process}
        self._broken: set[Boundary] = set()
        self._turns = turns
        self.broken_preset = broken_preset

    def restart(self) -> None:
        """Start the process again, with the faults that are still to come."""
        self.has_crashed = False
        self._of_thread = threading.local()
        self._broken.clear()

    @property
    def open_transactions(self) -> int:
        """How many transactions this thread has open. The threads of a process work side by side."""
        return getattr(self._of_thread, "open_transactions", 0)

    @open_transactions.setter
    def open_transactions(self, count: int) -> None:
        self._of_thread.open_transactions = count

    def stop_faults(self) -> None:
        """Let nothing go wrong from here on."""
        self._faults.clear()
        self._broken.clear()

    def pause(self) -> None:
        """Let others act, if there are any."""
        self.refuse_if_crashed()
        if self._turns:
            self._turns.pause(self.process)

    def write_turn(self) -> AbstractContextManager[None]:
        """A context in which no other process has a writing transaction open."""
        return self._turns.write_turn(self.process) if self._turns else nullcontext()

    def connection_turn(self) -> AbstractContextManager[None]:
        """A context in which this process has one of the store's connections; never a second."""
        if self._turns is None or self.open_transactions:
            return nullcontext()
        return self._turns.connection_turn(self.process)

    def refuse_if_crashed(self) -> None:
        """Raise `CrashedError` if the process is down."""
        if self.has_crashed:
            raise CrashedError(self.process)

    def crash(self) -> NoReturn:
        """Take the process down."""
        self.has_crashed = True
        raise CrashedError(self.process)

    def begin(self, boundary: Boundary) -> FaultMode | None:
        """Come to a boundary. Returns the mode of the fault that lies there, if there is one."""
        self.pause()
        self.crossed.append((self.points, boundary))
        fault = self._faults.pop(self.points, None)
        self.points += 1
        if fault:
            self.struck.append(fault)
        if boundary in self._broken:
            raise AnswerLostError(f"{boundary.value}: the connection is gone")
        if fault and fault.mode is FaultMode.TIMEOUT:
            raise InjectedTimeoutError(f"{boundary.value}: not in time")
        return fault.mode if fault else None

    def cross(self, boundary: Boundary, effect: Callable[[], None], lost: type[Exception]) -> None:
        """Cross a boundary where the effect is one call. A lost answer raises `lost`."""
        mode = self.begin(boundary)
        if self.open_transactions:
            self.crossed_inside.append(boundary)
        if mode is FaultMode.BEFORE:
            self.crash()
        effect()
        if mode is FaultMode.DUPLICATE:
            effect()
        elif mode is FaultMode.PART:
            self._broken.add(boundary)
        self.end(mode, boundary, lost)

    def end(self, mode: FaultMode | None, boundary: Boundary, lost: type[Exception]) -> None:
        """Come back from a boundary: with the answer, or with the error of the fault."""
        if mode is FaultMode.AFTER:
            self.crash()
        if mode is FaultMode.ANSWER_LOST:
            raise lost(f"{boundary.value}: the answer was lost")
