"""Claims that come at the same time are made in one transaction: they share the lock of the file, and the commit.

- A thread adds its claim to those that wait, and then waits for its turn. Who has the turn makes all claims that wait.
- A claim that is refused writes nothing, so the others are committed. Any other error ends the transaction, and all of
  its claims fail alike.
- A thread that is interrupted leaves the claims of others to them; if it was committing, nobody knows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from copy import copy

from prebuilds.errors import ClaimConflictError, CommitUnknownError, NameTakenError, StoreBusyError, UnknownPresetError
from prebuilds.runtime.claim_answers import Claim
from prebuilds.runtime.claims import claim_within
from prebuilds.runtime.forks import follow_forks
from prebuilds.runtime.models import ClaimRequest, Message
from prebuilds.runtime.ports import Transaction

_REFUSALS = (UnknownPresetError, NameTakenError, ClaimConflictError)
_MOST = 100  # claims in one transaction


class _Call:
    """A claim that waits, or its answer."""

    def __init__(self, request: ClaimRequest, message: Message) -> None:
        self.request = request
        self.message = message
        self.claim: Claim | None = None
        self.error: BaseException | None = None

    @property
    def is_done(self) -> bool:
        return self.claim is not None or self.error is not None

    def make(self, tx: Transaction) -> None:
        """Make the claim; a refusal is its answer."""
        try:
            self.claim = claim_within(tx, self.request, self.message)
        except _REFUSALS as error:
            self.error = error

    def answer(self) -> Claim:
        """The claim. Raises its error."""
        if self.claim is None:
            raise self.error or RuntimeError("the claim was not made")
        return self.claim


class CombinedClaims:
    """Makes claims in transactions that `begin` gives. A claim waits for its turn for `seconds` at most."""

    def __init__(self, begin: Callable[[], AbstractContextManager[Transaction]], *, seconds: float) -> None:
        self._begin = begin
        self._seconds = seconds
        self._reset()
        follow_forks(self, CombinedClaims._reset)

    def claim(self, request: ClaimRequest, message: Message) -> Claim:
        """Make a claim, together with others that wait. Raises what a transaction raises, and refusals of the claim."""
        call = _Call(request, message)
        with self._adding:
            self._waiting.append(call)
        with self._turn(call):
            while not call.is_done:  # it may be beyond the most claims of one transaction
                self._make_all(call)
        return call.answer()

    def _reset(self) -> None:
        self._adding, self._turns = threading.Lock(), threading.Lock()
        self._waiting: list[_Call] = []
        self._is_committing = False

    @contextmanager
    def _turn(self, call: _Call) -> Iterator[None]:
        turns = self._turns
        try:
            has_turn = turns.acquire(timeout=self._seconds)
        except BaseException:
            self._withdraw(call)
            raise
        if not has_turn:
            if self._withdraw(call):
                raise StoreBusyError(self._seconds)
            turns.acquire()  # another thread is making the claim, and ends in time
        try:
            yield
        finally:
            turns.release()

    def _withdraw(self, call: _Call) -> bool:
        """Let nobody make the claim. False if another thread has begun to."""
        with self._adding:
            is_waiting = call in self._waiting
            if is_waiting:
                self._waiting.remove(call)
            return is_waiting

    def _make_all(self, own: _Call) -> None:
        with self._adding:
            calls, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
        self._is_committing = False
        try:
            with self._begin() as tx:
                for call in calls:
                    call.make(tx)
                self._is_committing = True
        except BaseException as error:
            self._fail(calls, own, error)

    def _fail(self, calls: Sequence[_Call], own: _Call, error: BaseException) -> None:
        """Give the error to all claims of the transaction. Raises an interrupt, which is this thread's alone."""
        is_interrupt = not isinstance(error, Exception)
        shared = CommitUnknownError("the thread that made the claim was interrupted") if is_interrupt else error
        is_undone = is_interrupt and not self._is_committing
        for call in calls:
            call.claim, call.error = None, None if is_undone else copy(shared)
        if is_undone:
            with self._adding:
                self._waiting[:0] = [call for call in calls if call is not own]
        if is_interrupt:
            raise error
