"""Claims on SQLite that come at the same time: they share a transaction, and neither fails for the others' sake."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.claimers import fill
from adapters.examples import make_claim
from prebuilds.adapters.memory import MemoryStore
from prebuilds.adapters.sqlite import SQLiteStore
from prebuilds.adapters.sqlite.combined_claims import CombinedClaims
from prebuilds.errors import CommitUnknownError, NameTakenError, ReadOnlyTransactionError, StoreBusyError
from prebuilds.runtime import Claim, Claims, Message, Transaction

PATIENCE = 30.0  # seconds
MESSAGE = Message(topic="topic", body="p")


class Gate:
    """Transactions of a store: each begins when the test lets it, and may fail at its end."""

    def __init__(self, prebuilds: int = 8) -> None:
        self.store = MemoryStore()
        fill(self.store, prebuilds)
        self.began = threading.Semaphore(0)
        self.may_go = threading.Semaphore(0)
        self.count = 0
        self.errors: list[BaseException] = []
        self.early_errors: list[BaseException] = []

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        self.count += 1
        self.began.release()
        assert self.may_go.acquire(timeout=PATIENCE)
        with self.store.transaction() as tx:
            if self.early_errors:
                raise self.early_errors.pop()
            yield tx
            if self.errors:
                raise self.errors.pop()

    def get_owners(self) -> dict[str, str]:
        with self.store.transaction(read_only=True) as tx:
            rows = [tx.get_workspace(f"w{number}") for number in range(8)]
        return {row.id: row.owner_id for row in rows if row and not row.is_prebuild}


def wait_until(holds: Callable[[], bool]) -> None:
    """Until another thread has come so far."""
    event = threading.Event()
    for _ in range(int(PATIENCE * 1_000)):
        if holds():
            return
        event.wait(0.001)
    raise AssertionError("it never came so far")


def begin_first(gate: Gate, claims: CombinedClaims, executor: ThreadPoolExecutor, names: str) -> list[Future[Claim]]:
    """Claims of which the first has begun its transaction, and the others wait for their turn."""
    futures = [executor.submit(claims.claim, make_claim(owner_id=names[0]), MESSAGE)]
    assert gate.began.acquire(timeout=PATIENCE)
    futures += [executor.submit(claims.claim, make_claim(owner_id=name), MESSAGE) for name in names[1:]]
    wait_until(lambda: len(claims._waiting) == len(names) - 1)
    return futures


def get_id(future: Future[Claim]) -> str | None:
    workspace = future.result(timeout=PATIENCE).workspace
    return workspace.id if workspace else None


def test_claims_that_wait_are_made_in_one_transaction() -> None:
    """Five claims, two transactions; each gets its own prebuild, in the order in which they came."""
    gate = Gate()
    claims = CombinedClaims(gate.begin, seconds=PATIENCE)
    with ThreadPoolExecutor(5) as executor:
        futures = begin_first(gate, claims, executor, "abcde")
        gate.may_go.release(2)
        taken = [get_id(future) for future in futures]
    assert sorted(filter(None, taken)) == ["w0", "w1", "w2", "w3", "w4"]
    assert gate.count == 2
    assert sorted(gate.get_owners().values()) == ["a", "b", "c", "d", "e"]


def test_a_claim_that_is_refused_leaves_the_others_alone() -> None:
    """The name is taken for one; the others of its transaction are committed."""
    gate = Gate()
    claims = CombinedClaims(gate.begin, seconds=PATIENCE)
    with ThreadPoolExecutor(4) as executor:
        first, *others = begin_first(gate, claims, executor, "aabc")
        gate.may_go.release(2)
        assert get_id(first) == "w0"
        with pytest.raises(NameTakenError):
            others[0].result(timeout=PATIENCE)
        assert [get_id(future) is not None for future in others[1:]] == [True, True]
    assert sorted(gate.get_owners().values()) == ["a", "b", "c"]


@pytest.mark.parametrize("error", [CommitUnknownError("the disk"), StoreBusyError(1.0)])
def test_an_error_of_the_transaction_is_that_of_all_its_claims(error: Exception) -> None:
    """Nothing was committed for any of them, or nobody knows. Each thread has an error of its own."""
    gate = Gate()
    claims = CombinedClaims(gate.begin, seconds=PATIENCE)
    with ThreadPoolExecutor(3) as executor:
        futures = begin_first(gate, claims, executor, "abc")
        gate.may_go.release()
        assert get_id(futures[0]) == "w0"
        gate.errors.append(error)
        gate.may_go.release()
        raised = [future.exception(timeout=PATIENCE) for future in futures[1:]]
    assert [str(one) for one in raised] == [str(error)] * 2
    assert [type(one) for one in raised] == [type(error)] * 2
    assert raised[0] is not raised[1]
    assert gate.get_owners() == {"w0": "a"}


def test_whoever_waits_too_long_is_told_that_the_store_is_busy() -> None:
    """Nobody makes its claim any more."""
    gate = Gate()
    claims = CombinedClaims(gate.begin, seconds=0.05)
    with ThreadPoolExecutor(2) as executor:
        futures = begin_first(gate, claims, executor, "ab")
        with pytest.raises(StoreBusyError):
            futures[1].result(timeout=PATIENCE)
        gate.may_go.release()
        assert get_id(futures[0]) == "w0"
    assert gate.get_owners() == {"w0": "a"}


def test_an_interrupt_leaves_the_claims_of_others_to_them() -> None:
    """The interrupted thread's own claim is made by nobody."""
    gate = Gate()
    claims = CombinedClaims(gate.begin, seconds=PATIENCE)
    gate.errors.append(KeyboardInterrupt())
    with ThreadPoolExecutor(3) as executor:
        futures = begin_first(gate, claims, executor, "abc")
        gate.may_go.release(2)
        assert isinstance(futures[0].exception(timeout=PATIENCE), KeyboardInterrupt)
        assert all(get_id(future) for future in futures[1:])
    assert sorted(gate.get_owners().values()) == ["b", "c"]


def test_an_interrupt_within_a_shared_transaction_costs_nobody_else_a_claim() -> None:
    """Nothing was committed, and the other thread makes its claim itself."""
    gate = Gate()
    claims = CombinedClaims(gate.begin, seconds=PATIENCE)
    with ThreadPoolExecutor(3) as executor:
        futures = begin_first(gate, claims, executor, "abc")
        gate.may_go.release()
        assert get_id(futures[0]) == "w0"
        gate.early_errors.append(KeyboardInterrupt())
        gate.may_go.release(2)
        outcomes = [future.exception(timeout=PATIENCE) for future in futures[1:]]
    assert sorted(type(error).__name__ for error in outcomes) == ["KeyboardInterrupt", "NoneType"]
    assert len(gate.get_owners()) == 2


def test_after_an_interrupt_of_the_commit_nobody_knows() -> None:
    """The other thread is told so, and makes no second claim."""
    gate = Gate()
    claims = CombinedClaims(gate.begin, seconds=PATIENCE)
    with ThreadPoolExecutor(3) as executor:
        futures = begin_first(gate, claims, executor, "abc")
        gate.may_go.release()
        assert get_id(futures[0]) == "w0"
        gate.errors.append(KeyboardInterrupt())
        gate.may_go.release()
        outcomes = [future.exception(timeout=PATIENCE) for future in futures[1:]]
    assert sorted(type(error).__name__ for error in outcomes) == ["CommitUnknownError", "KeyboardInterrupt"]
    assert gate.count == 2


def test_more_claims_than_one_transaction_makes_are_made_in_several(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also that of the thread whose turn it is, which came last."""
    monkeypatch.setattr("prebuilds.adapters.sqlite.combined_claims._MOST", 2)
    gate = Gate()
    claims = CombinedClaims(gate.begin, seconds=PATIENCE)
    with ThreadPoolExecutor(8) as executor:
        futures = begin_first(gate, claims, executor, "abcdefgh")
        claims._waiting.reverse()
        gate.may_go.release(8)
        taken = [get_id(future) for future in futures]
    assert sorted(filter(None, taken)) == [f"w{number}" for number in range(8)]
    assert gate.count == 5


def test_a_store_that_is_only_read_makes_no_claim(tmp_path: Path) -> None:
    """As it writes nothing else."""
    with SQLiteStore(tmp_path / "store.db") as store:
        fill(store, 1)
    with SQLiteStore(tmp_path / "store.db", read_only=True) as store, pytest.raises(ReadOnlyTransactionError):
        Claims(store).claim("p", owner_id="ann", name="dev")


def test_many_claims_need_one_connection(tmp_path: Path) -> None:
    """They wait for their turn without one, so that readers find one."""
    with SQLiteStore(tmp_path / "store.db", max_connections=1, timeout=timedelta(seconds=PATIENCE)) as store:
        fill(store, 16)
        claims: Any = Claims(store)
        with ThreadPoolExecutor(16) as executor:
            made = list(executor.map(lambda n: claims.claim("p", owner_id=f"user {n}", name="dev"), range(16)))
    assert len({claim.workspace.id for claim in made}) == 16
