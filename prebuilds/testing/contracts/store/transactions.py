"""Transactions: what is committed, what is rolled back, and what others see of an open one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial

from prebuilds.decision.policies.budgets import Budget, BudgetScope
from prebuilds.errors import ReadOnlyTransactionError
from prebuilds.runtime.models import Counter
from prebuilds.runtime.ports import Capability, Isolation, Store, Transaction
from prebuilds.testing.contracts.equipment.checking import Lab, StoreCheck, store_check
from prebuilds.testing.contracts.equipment.error_words import expect, expect_raises
from prebuilds.testing.contracts.equipment.requests import DATA, WEB, Undo, at, make_preset, request_claim
from prebuilds.testing.contracts.equipment.scenes import Stage, add, list_ids, list_outcomes
from prebuilds.testing.contracts.equipment.threads import begin_elsewhere, get_answer, hold_open

CHECKS: list[StoreCheck] = []


class _Interrupt(BaseException):
    """Leaves a block as Ctrl-C does."""


@store_check(CHECKS, "Store.transaction", "A transaction: committed when its block ends")
def a_block_that_ends_is_committed(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        _write_everything(tx)
    with lab.store.transaction() as tx:
        expect(_read_everything(tx), _pick(tx, _EVERYTHING), "after the commit the next transaction read")


@store_check(CHECKS, "Transaction", "Everything that can be read and written together.")
def a_transaction_reads_what_it_wrote(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        _write_everything(tx)
        expect(_read_everything(tx), _pick(tx, _EVERYTHING), "the transaction read of its own writes")


@store_check(CHECKS, "Store.transaction", "rolled back when an error leaves it.")
def an_error_rolls_everything_back(lab: Lab) -> None:
    nothing = _read_in_new(lab.store)
    for error in (Undo(), _Interrupt()):
        raised: BaseException | None = None
        try:
            with lab.store.transaction() as tx:
                _write_everything(tx)
                raise error
        except (Undo, _Interrupt) as caught:
            raised = caught
        expect(raised, error, "the error that left the block was to come out of it, but what came out")
        expect(_read_in_new(lab.store), nothing, f"after {type(error).__bases__[0].__name__} had left a block")


@store_check(CHECKS, "ports", "all other errors end the transaction with nothing written.")
def a_refused_write_leaves_nothing_of_its_transaction(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        add(tx, "claimed", Stage.CLAIMED)
        add(tx, "w", Stage.READY)
    with suppress(ValueError), lab.store.transaction() as tx:
        tx.put_preset(DATA)
        tx.take_prebuild(request_claim("owner of claimed"))
    with lab.store.transaction() as tx:
        expect(tx.list_presets(), [WEB], "put_preset came before a NameTakenError, and list_presets() then")


@store_check(CHECKS, "Nesting.nested", "an error that leaves it rolls back this part alone.")
def a_nested_part_is_rolled_back_alone(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.put_preset(make_preset("before"))
        with suppress(Undo), tx.nested():
            tx.put_preset(make_preset("inside"))
            _write_everything(tx)
            raise Undo
        expect(_read_everything(tx), {**_pick(tx, _NOTHING), "presets": ["before"]}, "the rest of the transaction read")
        tx.put_preset(make_preset("after"))
    _expect_presets(lab, ["after", "before"])


@store_check(CHECKS, "Nesting.nested", "Committed with the whole.")
def a_nested_part_is_committed_with_the_whole(lab: Lab) -> None:
    with suppress(Undo), lab.store.transaction() as tx:
        with tx.nested():
            tx.put_preset(make_preset("undone with the whole"))
        raise Undo
    with lab.store.transaction() as tx, tx.nested():
        tx.put_preset(make_preset("outer"))
        with suppress(Undo), tx.nested():
            tx.put_preset(make_preset("undone alone"))
            raise Undo
        with tx.nested():
            tx.put_preset(make_preset("inner"))
    _expect_presets(lab, ["inner", "outer"])


def _expect_presets(lab: Lab, expected: Sequence[str]) -> None:
    with lab.store.transaction(read_only=True) as tx:
        expect(sorted(preset.id for preset in tx.list_presets()), expected, "the presets of the parts that stood were")


@store_check(CHECKS, "Isolation.READ_COMMITTED", "Each statement sees what was committed before it.")
def what_is_not_committed_is_not_seen(lab: Lab) -> None:
    nothing = _read_in_new(lab.store)
    with hold_open(lab.store) as held:
        held.call(_write_everything)
        with begin_elsewhere(lambda: _read_in_new(lab.store)) as reading:
            if reading.done():
                expect(reading.result(), nothing, "while the writer was still open another transaction read")
            held.end(Undo())
            expect(get_answer(reading), nothing, "after the writer was rolled back another transaction read")


@store_check(CHECKS, "Isolation.REPEATABLE_READ", "All statements see the same moment.")
def repeatable_reads_see_one_moment(lab: Lab) -> None:
    for read_only in (True, False):
        _check_one_moment(lab.store, f"w-{read_only}", read_only=read_only)


def _check_one_moment(store: Store, workspace_id: str, *, read_only: bool) -> None:
    def write() -> None:
        with store.transaction() as tx:
            tx.put_preset(WEB)
            add(tx, workspace_id, Stage.READY)
            tx.count("web", Counter.CREATED)

    with hold_open(store, isolation=Isolation.REPEATABLE_READ, read_only=read_only) as held:
        before = held.call(_read_everything)
        with begin_elsewhere(write) as writing:
            expect(held.call(_read_everything), before, "a transaction read again, after another had written")
            held.end()
            get_answer(writing)


@store_check(CHECKS, "Isolation.REPEATABLE_READ", "All statements see the same moment.")
def the_moment_is_the_same_for_every_table(lab: Lab) -> None:
    def write() -> None:
        with lab.store.transaction() as tx:
            _write_everything(tx)

    with hold_open(lab.store, isolation=Isolation.REPEATABLE_READ, read_only=True) as held:
        held.call(lambda tx: tx.list_presets())
        with begin_elsewhere(write) as writing:
            seen = held.call(_read_everything)
            expect(
                seen,
                _pick(lab.capabilities, _NOTHING),
                "other tables, read for the first time after another had written, gave",
            )
            held.end()
            get_answer(writing)


@store_check(
    CHECKS,
    "Store.transaction",
    "If it is `read_only`, every write raises `ReadOnlyTransactionError`.",
)
def a_reader_cannot_write(lab: Lab) -> None:
    writes: tuple[Callable[[Transaction], object], ...] = (
        lambda tx: tx.put_preset(WEB),
        lambda tx: tx.set_paused(paused=True),
        lambda tx: tx.put_budget(_BUDGET),
        lambda tx: tx.remove_budget(BudgetScope.FLEET),
        lambda tx: tx.add_membership("o"),
        lambda tx: tx.count("web", Counter.CREATED),
        lambda tx: tx.note_claim("web", at(0), is_hit=True),
        lambda tx: tx.prune_claim_counts(before=at(0)),
        lambda tx: tx.take_lease("loop", "me", now=at(0), expires_at=at(60)),
    )
    for write in writes:
        with lab.store.transaction(read_only=True) as tx:
            expect_raises(ReadOnlyTransactionError, partial(write, tx), "a transaction that is read-only wrote")
    expect(
        _read_in_new(lab.store),
        _pick(lab.capabilities, _NOTHING),
        "after transactions that were read-only a new one read",
    )


def _write_everything(tx: Transaction) -> None:
    """Write something of each kind that stays."""
    tx.put_preset(WEB)
    tx.put_preset(DATA)
    add(tx, "w", Stage.READY)
    tx.set_reset("web", at=at(-1))
    if Capability.PAUSE.is_in(tx):
        tx.set_paused(paused=True)
    if Capability.BUDGETS.is_in(tx):
        tx.put_budget(_BUDGET)
    tx.add_membership("o")
    tx.count("web", Counter.CREATED)
    tx.note_claim("web", at(0), is_hit=True)


_Contents = Mapping[object, object]
_BUDGET = Budget(max_starting=3)
_EVERYTHING: _Contents = {
    "presets": ["data", "web"],
    "prebuilds": ["w"],
    "builds": ["w-1"],
    "resets": [("web", at(-1))],
    Capability.MEMBERSHIPS: ["o"],
    Capability.COUNTERS: [("web", Counter.CREATED, 1)],
    Capability.CLAIM_COUNTS: [("web", 1, 0)],
    Capability.BUDGETS: [_BUDGET],
    Capability.PAUSE: True,
}
_NOTHING: _Contents = {key: [] for key in _EVERYTHING} | {Capability.PAUSE: False}


def _read_everything(tx: Transaction) -> _Contents:
    """What is there of what `_write_everything` writes."""
    rows = tx.read_rows()
    contents = {
        "presets": sorted(preset.id for preset in tx.list_presets()),
        "prebuilds": list_ids(tx),
        "builds": [build.id for build in list_outcomes(tx)],
        "resets": list(rows.resets),
        Capability.MEMBERSHIPS: sorted(rows.memberships),
        Capability.COUNTERS: [(value.preset_id, value.counter, value.value) for value in tx.list_counters()],
        Capability.CLAIM_COUNTS: [(row.preset_id, row.hits, row.misses) for row in tx.list_claim_counts()],
        Capability.BUDGETS: list(rows.budgets),
        Capability.PAUSE: rows.is_paused,
    }
    return _pick(tx, contents)


def _pick(tx: Transaction | Collection[Capability], contents: _Contents) -> _Contents:
    """The contents, without those of capabilities that the store lacks."""
    has = tx if isinstance(tx, Collection) else [each for each in Capability if each.is_in(tx)]
    return {key: value for key, value in contents.items() if key in has or not isinstance(key, Capability)}


def _read_in_new(store: Store) -> _Contents:
    with store.transaction(read_only=True) as tx:
        return _read_everything(tx)
