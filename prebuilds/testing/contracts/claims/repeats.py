"""Whole claims, one after another and many at once: what is repeated, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from prebuilds.errors import ClaimConflictError, NameTakenError, NestedTransactionError, UnknownPresetError
from prebuilds.runtime.claim_answers import Claim, MissReason
from prebuilds.runtime.models import Counter
from prebuilds.runtime.ports import Store
from prebuilds.testing.contracts.claims.whole import DIRECT, claim_whole, expect_counters, get_id
from prebuilds.testing.contracts.equipment.checking import Lab, StoreCheck, store_check
from prebuilds.testing.contracts.equipment.error_words import expect, expect_raises
from prebuilds.testing.contracts.equipment.requests import INACTIVE, WEB
from prebuilds.testing.contracts.equipment.scenes import list_ids, put_presets, put_ready
from prebuilds.testing.contracts.equipment.threads import race

CHECKS: list[StoreCheck] = []
_THREADS = 8


@store_check(CHECKS, DIRECT, "An earlier claim with the request id is answered again, marked as repeated")
def a_claim_is_repeated(lab: Lab) -> None:
    put_ready(lab.store, "one", "two", "three")
    first = claim_whole(lab.store, request_id="r")
    put_presets(lab.store, INACTIVE[0])
    expect(claim_whole(lab.store, request_id="r"), attrs.evolve(first, is_repeated=True), "the claim made again")
    with lab.store.transaction() as tx:
        tx.release_workspace("one", name="released")
    ended = Claim(preset_id="web", reason=MissReason.RELEASED, is_repeated=True)
    expect(claim_whole(lab.store, request_id="r"), ended, "the claim made again after its workspace was released")
    put_presets(lab.store, WEB)
    claim_whole(lab.store, request_id="s")
    with lab.store.transaction() as tx:
        tx.forget_workspace("two")
    expect(claim_whole(lab.store, request_id="s"), ended, "the claim made again after its workspace was forgotten")
    with lab.store.transaction(read_only=True) as tx:
        expect(list_ids(tx), ["one", "three"], "the ids of the prebuilds left")


@store_check(CHECKS, DIRECT, "`ClaimConflictError` if the request id was used for another preset, owner or name.")
def a_request_id_is_for_one_whole_claim(lab: Lab) -> None:
    put_ready(lab.store, "one", "two")
    claim_whole(lab.store, request_id="r")
    for changes in ({"preset_id": "unknown"}, {"owner_id": "bob"}, {"name": "other"}):
        what = f"a request id was used for a claim with {changes}"
        error = expect_raises(
            ClaimConflictError,
            lambda changes=changes: claim_whole(lab.store, request_id="r", **changes),  # type: ignore[misc]
            what,
        )
        expect(error.request_id, "r", "the request id of the error")
    expect_counters(lab, {Counter.CLAIMED: 1}, "the counters")


@store_check(CHECKS, DIRECT, "Nothing is taken or counted then.")
def a_refused_claim_changes_nothing(lab: Lab) -> None:
    put_ready(lab.store, "one", "two")
    claim_whole(lab.store)
    taken = expect_raises(NameTakenError, lambda: claim_whole(lab.store, request_id="r"), "a name was given again")
    expect((taken.owner_id, taken.name), ("alice", "desk"), "the owner and name of the error")
    expect_raises(
        UnknownPresetError, lambda: claim_whole(lab.store, preset_id="unknown", request_id="r"), "nothing was claimed"
    )
    with lab.store.transaction(read_only=True) as tx:
        expect(tx.find_claim("r"), None, "the claim of the request that was refused")
        expect(list_ids(tx), ["two"], "the ids of the prebuilds left")
    expect_counters(lab, {Counter.CLAIMED: 1}, "the counters")


@store_check(CHECKS, DIRECT, "Also raises what `Store.transaction` does.")
def no_claim_within_a_transaction(lab: Lab) -> None:
    put_ready(lab.store, "w")
    with lab.store.transaction():
        expect_raises(NestedTransactionError, lambda: claim_whole(lab.store), "a claim was made inside a transaction")
    expect(get_id(claim_whole(lab.store)), "w", "the id taken after it")


@store_check(CHECKS, DIRECT, "Of several calls with one request id at once, one makes the claim and the others repeat")
def a_claim_repeated_at_once_is_one(lab: Lab) -> None:
    put_ready(lab.store, "w")
    claims = race([lambda: claim_whole(lab.store, request_id="r")] * _THREADS)
    expect([get_id(claim) for claim in claims], ["w"] * _THREADS, "the ids that calls with one request id got")
    made = [claim for claim in claims if not claim.is_repeated]
    expect(len(made), 1, "the number of claims that are not repeated")


@store_check(CHECKS, DIRECT, "The preset was active, and the prebuild fitted, at one moment during the call.")
def whole_claims_at_once_take_each_prebuild_once(lab: Lab) -> None:
    names = [f"w{number:02}" for number in range(2 * _THREADS)]
    put_ready(lab.store, *names)
    batches = race([_claiming(lab.store, thread) for thread in range(_THREADS)])
    taken = [workspace_id for batch in batches for workspace_id in batch]
    expect(sorted(filter(None, taken)), names, "the ids that threads got, sorted,")
    expected = {Counter.CLAIMED: 2 * _THREADS, Counter.CLAIM_MISSED: _THREADS}
    expect_counters(lab, expected, "the counters, after one claim too many of each thread,")


def _claiming(store: Store, thread: int) -> Callable[[], Sequence[str | None]]:
    return lambda: [get_id(claim_whole(store, f"desk {number}", owner_id=f"user {thread}")) for number in range(3)]
