"""Leases: one holder at a time, tokens that only grow, and no write under an old token."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from prebuilds.errors import LeaseLostError
from prebuilds.runtime.models import Lease
from prebuilds.runtime.ports import Capability, Store
from prebuilds.testing.contracts.equipment.checking import Lab, StoreCheck, store_check
from prebuilds.testing.contracts.equipment.error_words import Mismatch, expect, expect_raises
from prebuilds.testing.contracts.equipment.requests import DATA, WEB, at
from prebuilds.testing.contracts.equipment.threads import begin_elsewhere, get_answer, hold_open, race

CHECKS: list[StoreCheck] = []
_LEASE = (Capability.LEASE,)
_FENCED = "With a `lease`, raises `LeaseLostError` unless its token is still the last one given out"


def _take(store: Store, holder: str, now: float, *, name: str = "loop") -> Lease | None:
    """Take the lease at `at(now)`, for a minute."""
    with store.transaction() as tx:
        return tx.take_lease(name, holder, now=at(now), expires_at=at(now + 60))


def _require(store: Store, holder: str, now: float, *, name: str = "loop") -> Lease:
    """The same, when nobody else can have it. Compares everything except the token."""
    lease = _take(store, holder, now, name=name)
    if lease is None:
        raise Mismatch(f"{holder} was refused the lease {name!r}, which was free or expired")
    expect(lease, Lease(name=name, holder=holder, token=lease.token, expires_at=at(now + 60)), "the lease taken")
    return lease


def _find(store: Store, name: str) -> Lease | None:
    with store.transaction(read_only=True) as tx:
        return tx.find_lease(name)


def _release(store: Store, lease: Lease) -> None:
    with store.transaction() as tx:
        tx.release_lease(lease)


@store_check(
    CHECKS,
    "LeaseWrites.take_lease",
    "The lease for this holder until `expires_at`; None while another holds one that expires after `now`.",
)
def a_lease_is_held_until_it_expires(lab: Lab) -> None:
    _require(lab.store, "one", 0)
    expect(_take(lab.store, "two", 59.999), None, "another took the lease before it expired, and got")
    _require(lab.store, "two", 60)
    expect(_take(lab.store, "one", 61), None, "the first, deposed, took the lease back, and got")


@store_check(CHECKS, "LeaseWrites.take_lease", "A holder that already has it keeps its token.")
def a_holder_keeps_its_token(lab: Lab) -> None:
    first = _require(lab.store, "one", 0)
    second = _require(lab.store, "one", 30)
    expect(second.token, first.token, "the token of a holder that took its lease again")
    expect(_take(lab.store, "two", 70), None, "another took the lease that had been prolonged, and got")


@store_check(CHECKS, "LeaseWrites.take_lease", "Any other gets a token larger than all before.")
def tokens_grow(lab: Lab) -> None:
    tokens = [_require(lab.store, holder, 100 * number).token for number, holder in enumerate(("a", "b", "a", "c"))]
    expect(tokens, sorted(set(tokens)), "the tokens of holders in turn")


@store_check(CHECKS, "LeaseWrites.take_lease", "The lease for this holder until `expires_at`")
def leases_of_other_names_are_independent(lab: Lab) -> None:
    _require(lab.store, "one", 0)
    other = _require(lab.store, "two", 0, name="other")
    _require(lab.store, "three", 100)
    _expect_accepted(lab.store, other)


@store_check(CHECKS, "LeaseWrites.release_lease", "Let others take the lease now")
def a_released_lease_is_free(lab: Lab) -> None:
    lease = _require(lab.store, "one", 0)
    _release(lab.store, lease)
    _release(lab.store, lease)
    _require(lab.store, "two", 1)


@store_check(CHECKS, "LeaseWrites.release_lease", "Its token is never given out again.")
def the_token_of_a_released_lease_stays_used(lab: Lab) -> None:
    tokens = []
    for holder in ("one", "two", "two"):
        lease = _require(lab.store, holder, 0)
        tokens.append(lease.token)
        _release(lab.store, lease)
    expect(tokens, sorted(set(tokens)), "the tokens of leases that were each released")


@store_check(CHECKS, "LeaseWrites.release_lease", "Does nothing if it was taken since.")
def releasing_a_lost_lease_frees_nothing(lab: Lab) -> None:
    lost = _require(lab.store, "one", 0)
    _require(lab.store, "two", 60)
    _release(lab.store, lost)
    expect(_take(lab.store, "three", 61), None, "a lost lease was released, and a third took the lease, and got")


@store_check(
    CHECKS,
    "LeaseWrites.find_lease",
    "The lease as it was last taken, even if it has expired. None if it was never taken or has been released.",
)
def a_lease_can_be_found(lab: Lab) -> None:
    lease = _require(lab.store, "one", 0)
    expect(_find(lab.store, "other"), None, "a lease that was never taken")
    expect(_find(lab.store, "loop"), lease, "the lease that was taken")
    taken = _require(lab.store, "two", 60)
    expect(_find(lab.store, "loop"), taken, "the lease that was taken last")
    _release(lab.store, taken)
    expect(_find(lab.store, "loop"), None, "a lease that was released")


@store_check(CHECKS, "Store.transaction", "rolled back when an error leaves it.", needs=_LEASE)
def a_lease_that_was_rolled_back_is_not_held(lab: Lab) -> None:
    with suppress(KeyError), lab.store.transaction() as tx:
        tx.take_lease("loop", "one", now=at(0), expires_at=at(60))
        raise KeyError
    _require(lab.store, "two", 1)


@store_check(
    CHECKS,
    "Store.transaction",
    _FENCED,
    needs=_LEASE,
)
def a_deposed_holder_is_refused(lab: Lab) -> None:
    lost = _require(lab.store, "one", 0)
    _expect_accepted(lab.store, lost)
    current = _require(lab.store, "two", 60)
    for read_only in (False, True):
        error = expect_raises(
            LeaseLostError,
            _writing(lab.store, lost, read_only=read_only),
            f"a transaction was begun with a lost lease, {read_only=}",
        )
        expect((error.name, error.token), (lost.name, lost.token), "the error's lease")
    with lab.store.transaction() as tx:
        expect(tx.list_presets("web"), [], "presets that a deposed holder wrote")
    _expect_accepted(lab.store, current)


@store_check(
    CHECKS,
    "Store.transaction",
    _FENCED,
    needs=_LEASE,
)
def a_token_that_was_never_given_out_is_refused(lab: Lab) -> None:
    lease = _require(lab.store, "one", 0)
    for name, token in (("loop", lease.token + 1), ("other", lease.token)):
        forged = Lease(name=name, holder="one", token=token, expires_at=at(60))
        what = f"a transaction was begun with a lease {name!r} of a token that nobody was given"
        expect_raises(LeaseLostError, _writing(lab.store, forged), what)


@store_check(
    CHECKS,
    "Store.transaction",
    "Another holder that wants the lease waits until the transaction has ended.",
    needs=_LEASE,
)
def no_lease_is_taken_during_a_write_under_it(lab: Lab) -> None:
    lease = _require(lab.store, "one", 0)
    with hold_open(lab.store, lease=lease) as held:
        held.call(lambda tx: tx.put_preset(WEB))
        with begin_elsewhere(lambda: _require(lab.store, "two", 60)) as taking:
            if taking.done():
                raise Mismatch("another had taken the lease before a transaction under it ended")
            held.end()
            taken = get_answer(taking)
    expect(taken.token > lease.token, True, "whether the next holder's token is larger")
    with lab.store.transaction(lease=taken) as tx:
        expect(tx.list_presets(), [WEB], "what was written under the lease, in time,")


@store_check(CHECKS, "LeaseWrites", "Who may reconcile.")
def one_of_many_gets_the_lease(lab: Lab) -> None:
    leases = race([_taking(lab.store, f"holder {number}") for number in range(8)])
    holders = [lease.holder for lease in leases if lease]
    if len(holders) != 1:
        raise Mismatch(f"8 threads took a lease at once, and {len(holders)} got it: {holders}")


def _taking(store: Store, holder: str) -> Callable[[], Lease | None]:
    return lambda: _take(store, holder, 0)


def _writing(store: Store, lease: Lease, *, read_only: bool = False) -> Callable[[], None]:
    def write() -> None:
        with store.transaction(lease=lease, read_only=read_only) as tx:
            if not read_only:
                tx.put_preset(WEB)

    return write


def _expect_accepted(store: Store, lease: Lease) -> None:
    """A transaction under the lease goes through. It may have expired, if nobody else has taken it."""
    with store.transaction(lease=lease) as tx:
        tx.put_preset(DATA)
