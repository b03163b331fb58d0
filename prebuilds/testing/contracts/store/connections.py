"""Connections: how many transactions can be open, and what is refused while one is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress

from prebuilds.errors import NestedTransactionError, PoolExhaustedError, PublishInTransactionError
from prebuilds.runtime.models import Counter
from prebuilds.runtime.ports import Capability, Store
from prebuilds.runtime.publishing.commit_guard import refuse_in_transaction
from prebuilds.testing.contracts.equipment.checking import Lab, StoreCheck, store_check
from prebuilds.testing.contracts.equipment.error_words import Mismatch, expect, expect_raises
from prebuilds.testing.contracts.equipment.requests import WEB, Undo, make_preset
from prebuilds.testing.contracts.equipment.threads import Worker, hold_open, insist, race

CHECKS: list[StoreCheck] = []


@store_check(CHECKS, "Store.transaction", "`NestedTransactionError` inside another transaction of this store.")
def a_transaction_within_another_is_refused(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        error = expect_raises(
            NestedTransactionError, lambda: _begin(lab.store), "a transaction was begun within another"
        )
        tx.put_preset(WEB)
    _expect_place(error.place)
    with lab.store.transaction() as tx:
        expect(tx.list_presets(), [WEB], "what the outer transaction wrote after the refusal was")


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
    race([_putting(lab.store, [f"{thread}-{number}" for number in range(10)]) for thread in range(8)])
    with lab.store.transaction() as tx:
        expect(len(tx.list_presets()), 80, "8 threads put 10 presets each, and list_presets() then had")
        if Capability.COUNTERS in lab.capabilities:
            seen = [value.value for value in tx.list_counters()]
            expect(seen, [80], "8 threads counted to 10 each, and list_counters() then had")


def _putting(store: Store, preset_ids: Sequence[str]) -> Callable[[], None]:
    def put_one(preset_id: str) -> None:
        with store.transaction() as tx:
            tx.put_preset(make_preset(preset_id))
            tx.count("web", Counter.CREATED)

    def put_all() -> None:
        for preset_id in preset_ids:
            insist(lambda preset_id=preset_id: put_one(preset_id))  # type: ignore[misc]

    return put_all
