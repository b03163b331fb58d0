"""Connections: how many transactions can be open, and what is refused while one is."""

from __future__ import annotations

from contextlib import ExitStack, suppress

from prebuilds.errors import NestedTransactionError, PoolExhaustedError, PublishInTransactionError
from prebuilds.runtime.models import Counter
from prebuilds.runtime.ports import Store
from prebuilds.runtime.publishing.commit_guard import refuse_in_transaction
from prebuilds.testing.contracts.equipment.checking import Lab, StoreCheck, store_check
from prebuilds.testing.contracts.equipment.error_words import Mismatch, expect, expect_raises
from prebuilds.testing.contracts.equipment.scenes import WEB, Undo, put_presets
from prebuilds.testing.contracts.equipment.threads import Worker, hold_open, insist, race

CHECKS: list[StoreCheck] = []


@store_check(CHECKS, "Store.transaction", "`NestedTransactionError` inside another transaction of this store.")
def a_transaction_within_another_is_refused(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        error = expect_raises(
            NestedTransactionError, lambda: _begin(lab.store), "a transaction was begun within another"
        )
        tx.set_paused(paused=True)
    _expect_place(error.place)
    with lab.store.transaction() as tx:
        expect(tx.read_rows().is_paused, True, "what the outer transaction wrote after the refusal was")


@store_check(CHECKS, "PubSub.publish", "Raises `PublishInTransactionError` inside a transaction of any store.")
def publishing_within_a_transaction_is_refused(lab: Lab) -> None:
    for read_only in (False, True):
        with lab.store.transaction(read_only=read_only):
            what = "a message was published in a transaction (does the store wrap it in `open_transaction`?)"
            _expect_place(expect_raises(PublishInTransactionError, refuse_in_transaction, what).place)
        refuse_in_transaction()
    with suppress(Undo), lab.store.transaction():
        raise Undo
    refuse_in_transaction()


def _begin(store: Store) -> None:
    with store.transaction():
        pass


def _expect_place(place: str) -> None:
    if not place.strip():
        raise Mismatch("the error does not name the place where the transaction began")


@store_check(CHECKS, "Store.max_connections", "How many transactions can be open at once.")
def every_connection_can_have_a_transaction(lab: Lab) -> None:
    with ExitStack() as stack:
        for _ in range(lab.store.max_connections):
            stack.enter_context(hold_open(lab.store, read_only=True))


@store_check(CHECKS, "Store.transaction", "Raises `PoolExhaustedError` if no connection becomes free in time")
def one_transaction_too_many_is_refused(lab: Lab) -> None:
    worker = Worker()
    with ExitStack() as stack:
        for _ in range(lab.store.max_connections):
            stack.enter_context(hold_open(lab.store, read_only=True))
        what = f"one more than max_connections={lab.store.max_connections} transactions was begun"
        worker.call(lambda: expect_raises(PoolExhaustedError, lambda: _begin(lab.store), what))
    worker.call(lambda: _begin(lab.store))
    worker.stop()


@store_check(CHECKS, "ports", "Several threads call these methods at the same time, each with its own transaction.")
def threads_lose_no_writes(lab: Lab) -> None:
    def count_once() -> None:
        with lab.store.transaction() as tx:
            tx.count("web", Counter.CREATED)

    def count_to_ten() -> None:
        for _ in range(10):
            insist(count_once)

    put_presets(lab.store, WEB)
    race([count_to_ten] * 8)
    with lab.store.transaction() as tx:
        seen = [value.value for value in tx.list_counters()]
    expect(seen, [80], "8 threads counted to 10 each, and list_counters() then had")
