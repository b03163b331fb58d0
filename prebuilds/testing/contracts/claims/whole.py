"""Whole claims as `Claims` makes them: in one call if the store has `DirectClaims`, otherwise in a transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import attrs

from prebuilds.decision.lifetimes.aging import has_outlived
from prebuilds.runtime.build_reports import make_change_message
from prebuilds.runtime.claim_answers import Claim, MissReason
from prebuilds.runtime.claims import Claims
from prebuilds.runtime.models import ClaimOrder, Counter
from prebuilds.runtime.ports import Capability, Store
from prebuilds.testing.clocks import ManualClock
from prebuilds.testing.contracts.equipment.checking import Lab, StoreCheck, store_check
from prebuilds.testing.contracts.equipment.error_words import expect
from prebuilds.testing.contracts.equipment.requests import CANDIDATE, INACTIVE, WEB, at, request_claim
from prebuilds.testing.contracts.equipment.scenes import Stage, add, list_ids, put_presets, put_ready
from prebuilds.testing.contracts.equipment.threads import insist

CHECKS: list[StoreCheck] = []
DIRECT = "DirectClaims.claim"
AGE = timedelta(seconds=500)  # of a prebuild made at `at(0)`, when it is claimed
_MICROSECOND = timedelta.resolution


def claim_whole(
    store: Store,
    name: str = "desk",
    *,
    preset_id: str = "web",
    owner_id: str = "alice",
    request_id: str | None = None,
    order: ClaimOrder = ClaimOrder.OLDEST_FIRST,
) -> Claim:
    """Claim at `at(500)`, again while the store is busy."""
    claims = Claims(store, clock=ManualClock(at(0) + AGE), order=order)
    return insist(lambda: claims.claim(preset_id, owner_id=owner_id, name=name, request_id=request_id))


def expect_counters(lab: Lab, expected: Mapping[Counter, int], what: str) -> None:
    """Compare every counter that is not 0, of the one preset, if the store has counters."""
    with lab.store.transaction(read_only=True) as tx:
        seen = {entry.counter: entry.value for entry in tx.list_counters()}
    expect(seen, expected if Capability.COUNTERS in lab.capabilities else {}, what)


def get_id(claim: Claim) -> str | None:
    """The id of the workspace that the claim got."""
    return claim.workspace.id if claim.workspace else None


@store_check(CHECKS, DIRECT, "the claim takes what `ClaimWrites.take_prebuild` would")
def a_whole_claim_takes_the_first(lab: Lab) -> None:
    put_ready(lab.store, "one", "two")
    with lab.store.transaction(read_only=True) as tx:
        before = tx.get_workspace("one")
    claim = claim_whole(lab.store)
    taken = before and attrs.evolve(before, owner_id="alice", name="desk")
    expect(claim, Claim(preset_id="web", workspace=taken), "the claim")
    with lab.store.transaction(read_only=True) as tx:
        expect(tx.get_workspace("one"), taken, "the workspace that was taken")
        expect(list_ids(tx), ["two"], "the ids of the prebuilds left")


@store_check(CHECKS, "ClaimOrder.NEWEST_FIRST", "The last by (created_at, id).")
def a_whole_claim_takes_the_last_if_asked(lab: Lab) -> None:
    put_ready(lab.store, "one", "two")
    expect(get_id(claim_whole(lab.store, order=ClaimOrder.NEWEST_FIRST)), "two", "the id of the newest")


@store_check(CHECKS, DIRECT, "the claim takes what `ClaimWrites.take_prebuild` would")
def a_whole_claim_takes_only_what_fits(lab: Lab) -> None:
    described = attrs.evolve(WEB, parameters={"cpu": "4"})
    other = attrs.evolve(WEB, template_version=attrs.evolve(WEB.template_version, id="v2"))
    with lab.store.transaction() as tx:
        for number, made_of in enumerate((WEB, other)):  # neither fits the preset that is there in the end
            tx.put_preset(made_of)
            add(tx, f"otherwise {number}", Stage.READY, made_of)
        tx.put_preset(described)
        for number, stage in enumerate(Stage):
            add(tx, stage.value, stage, described, seconds=100 if stage is Stage.READY else number)
    taken = [get_id(claim_whole(lab.store, name)) for name in ("desk", "other")]
    expect(taken, ["ready", None], "the ids taken in turn")


@store_check(CHECKS, DIRECT, "no prebuild that has expired at `claimed_at` (R2).")
def what_has_expired_is_not_claimed(lab: Lab) -> None:
    soon, now = at(0) + _MICROSECOND, at(0) + AGE
    cases: tuple[tuple[bool, dict[str, Any]], ...] = (
        (True, {"ttl": AGE}),
        (False, {"ttl": AGE - _MICROSECOND}),
        (True, {"ttl": timedelta()}),
        (True, {"ttl": timedelta(days=36_525)}),
        (True, {"last_invalidated_at": at(0)}),
        (False, {"last_invalidated_at": soon}),
        (False, {"last_invalidated_at": soon, "ttl": AGE}),
        (False, {"last_invalidated_at": at(-1), "ttl": AGE - _MICROSECOND}),
        (False, {"last_invalidated_at": now}),
        (True, {"last_invalidated_at": now + _MICROSECOND}),
    )
    for number, (fits, changes) in enumerate(cases):
        preset = attrs.evolve(WEB, id=f"p{number}", **changes)
        with lab.store.transaction() as tx:
            tx.put_preset(preset)
            add(tx, f"w{number}", Stage.READY, preset)
        expected = f"w{number}" if fits else None
        claim = claim_whole(lab.store, f"desk {number}", preset_id=preset.id)
        expect(get_id(claim), expected, f"the id taken {AGE.seconds} s after it was created, with {changes}")


@store_check(CHECKS, DIRECT, "no prebuild that has expired at `claimed_at` (R2).")
def what_is_past_its_own_ttl_is_not_claimed(lab: Lab) -> None:
    """Own ttls of 400 s to 600 s (R16): about half of the prebuilds have expired after 500 s."""
    for number in range(8):
        name = f"w{number}"
        preset = attrs.evolve(WEB, id=f"p{number}", ttl=timedelta(seconds=600), ttl_jitter=1 / 3)
        with lab.store.transaction() as tx:
            tx.put_preset(preset)
            add(tx, name, Stage.READY, preset)
        expected = None if has_outlived(preset, name, at(0), at(0) + AGE) else name
        claim = claim_whole(lab.store, f"desk {number}", preset_id=preset.id)
        expect(get_id(claim), expected, f"the id taken {AGE.seconds} s after it was created, with own ttls")


@store_check(CHECKS, DIRECT, "The cutoff for that is recorded as the claim's `created_since`; the request has none.")
def a_whole_claim_is_noted(lab: Lab) -> None:
    put_ready(lab.store, "one", "two")
    for request_id, preset, since in (("r", WEB, None), ("s", attrs.evolve(WEB, ttl=2 * AGE), at(0) - AGE)):
        put_presets(lab.store, preset)
        claim = claim_whole(lab.store, request_id, request_id=request_id)
        noted = request_claim(name=request_id, request_id=request_id, created_since=since)
        with lab.store.transaction(read_only=True) as tx:
            expect(tx.find_claim(request_id), (noted, claim.workspace), "find_claim() of the request id")


@store_check(CHECKS, DIRECT, "Otherwise the preset must be active")
def a_claim_that_misses_takes_nothing(lab: Lab) -> None:
    put_ready(lab.store)
    missed = Claim(preset_id="web", reason=MissReason.NONE_ELIGIBLE)
    expect(claim_whole(lab.store, request_id="r"), missed, "the claim of an empty pool")
    put_ready(lab.store, "w")
    for preset in (*INACTIVE, CANDIDATE):
        put_presets(lab.store, preset)
        inactive = Claim(preset_id="web", reason=MissReason.INACTIVE_PRESET)
        expect(claim_whole(lab.store, request_id="r"), inactive, f"the claim of {preset.template_version}")
    expect_counters(lab, {Counter.CLAIM_MISSED: 5}, "the counters")
    put_presets(lab.store, WEB)
    expect(get_id(claim_whole(lab.store, request_id="r")), "w", "the id taken at last, with the same request id,")


@store_check(CHECKS, DIRECT, "`CLAIMED` or `CLAIM_MISSED` is counted.", needs=(Capability.COUNTERS,))
def every_claim_is_counted(lab: Lab) -> None:
    put_ready(lab.store, "one", "two")
    for name in ("desk", "other", "third"):
        claim_whole(lab.store, name, request_id=f"request {name}")
        claim_whole(lab.store, name, request_id=f"request {name}")  # repeats it, but for the last, which misses again
    expect_counters(lab, {Counter.CLAIMED: 2, Counter.CLAIM_MISSED: 2}, "the counters")


@store_check(CHECKS, DIRECT, "The message is sent after the commit if a prebuild was taken.")
def every_claim_is_told(lab: Lab) -> None:
    put_ready(lab.store, "w")
    with lab.store.transaction() as tx:
        tx.publish_on_commit(make_change_message("first"))
    with lab.store.transaction(read_only=True) as tx:
        has_outbox = bool(tx.list_messages(1))
    for _ in range(2):
        claim_whole(lab.store, request_id="r")
    claim_whole(lab.store, "other")
    with lab.store.transaction(read_only=True) as tx:
        messages = [entry.message for entry in tx.list_messages(9)]
    expected = [make_change_message("first"), make_change_message("web")] if has_outbox else []
    expect(messages, expected, "the outbox after a claim, its repetition, and a miss")
