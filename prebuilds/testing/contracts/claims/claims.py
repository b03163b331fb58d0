"""Claims, one after another: which prebuild is taken, what is recorded, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

import attrs

from prebuilds.decision.lifetimes.aging import calculate_own_ttl
from prebuilds.errors import ClaimConflictError, NameTakenError
from prebuilds.runtime.models import ClaimOrder
from prebuilds.runtime.ports import Store
from prebuilds.testing.contracts.equipment.checking import Lab, StoreCheck, store_check
from prebuilds.testing.contracts.equipment.error_words import expect, expect_raises
from prebuilds.testing.contracts.equipment.requests import (
    CANDIDATE,
    DATA,
    INACTIVE,
    WEB,
    at,
    make_preset,
    request_claim,
)
from prebuilds.testing.contracts.equipment.scenes import (
    Stage,
    add,
    add_ready,
    list_ids,
    put_presets,
    put_ready,
    take_in,
)

CHECKS: list[StoreCheck] = []
_FIRST = "Give the first prebuild that fits `request` its new owner and name, and return it; None if none fits."
_DESCRIBED = (
    "The prebuild matches its preset as it is now (R2), runs, is ready, and was created at `created_since` or "
    "later if that is given."
)


def _take_all(store: Store, order: ClaimOrder, number: int) -> Sequence[str | None]:
    requests = [request_claim(f"user {n}", order=order) for n in range(number)]
    taken = [take_in(store, request) for request in requests]
    return [workspace.id if workspace else None for workspace in taken]


@store_check(CHECKS, "ClaimWrites.take_prebuild", _FIRST)
def a_claim_changes_owner_and_name_alone(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        add(tx, "w", Stage.READY)
        add(tx, "other", Stage.PENDING)
    with lab.store.transaction(read_only=True) as tx:
        before, other = tx.get_workspace("w"), tx.get_workspace("other")
    seen = take_in(lab.store, request_claim())
    expected = before and attrs.evolve(before, owner_id="alice", name="alice-desk")
    expect(seen, expected, "take_prebuild()")
    with lab.store.transaction(read_only=True) as tx:
        expect(tx.get_workspace("w"), expected, "the workspace that was taken")
        expect(tx.read_rows().prebuilds, [other], "the prebuilds then")


@store_check(CHECKS, "ClaimOrder.OLDEST_FIRST", "The first by (created_at, id).")
def the_oldest_is_taken_first(lab: Lab) -> None:
    _put_in_disorder(lab.store)
    expect(_take_all(lab.store, ClaimOrder.OLDEST_FIRST, 6), ["z", "a", "b", "c", "y", None], "the ids in turn")


@store_check(CHECKS, "ClaimOrder.NEWEST_FIRST", "The last by (created_at, id).")
def the_newest_is_taken_first(lab: Lab) -> None:
    _put_in_disorder(lab.store)
    expect(_take_all(lab.store, ClaimOrder.NEWEST_FIRST, 6), ["y", "c", "b", "a", "z", None], "the ids in turn")


def _put_in_disorder(store: Store) -> None:
    """Five prebuilds: three of one age, one a microsecond older and one a microsecond younger."""
    with store.transaction() as tx:
        tx.put_preset(WEB)
        for workspace_id, seconds in (("b", 0), ("y", 0.000_001), ("c", 0), ("z", -0.000_001), ("a", 0)):
            add(tx, workspace_id, Stage.READY, seconds=seconds)


@store_check(CHECKS, "ClaimRequest", _DESCRIBED)
def only_what_is_ready_is_taken(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        for number, stage in enumerate(Stage):  # what is ready is not the oldest
            add(tx, stage.value, stage, seconds=100 if stage is Stage.READY else number)
        before = list_ids(tx)
    expect(_take_all(lab.store, ClaimOrder.OLDEST_FIRST, 3), ["ready", None, None], "the ids taken in turn")
    with lab.store.transaction(read_only=True) as tx:
        expect(list_ids(tx), [name for name in before if name != "ready"], "the ids of the prebuilds left")


@store_check(CHECKS, "ClaimRequest", _DESCRIBED)
def only_the_preset_asked_for_is_taken(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        tx.put_preset(DATA)
        add_ready(tx, "w")
        add(tx, "d", Stage.READY, DATA, seconds=10)
    taken = [take_in(lab.store, request_claim(f"user {n}", preset_id="data")) for n in range(2)]
    expect([workspace and workspace.id for workspace in taken], ["d", None], "the ids taken in turn, of `data`,")
    expect(take_in(lab.store, request_claim(preset_id="unknown")), None, "take_prebuild() of an unknown preset")


@store_check(CHECKS, "ClaimRequest", _DESCRIBED)
def nothing_older_than_asked_for_is_taken(lab: Lab) -> None:
    put_ready(lab.store, "w")
    later = request_claim(created_since=at(0.000_001))
    expect(take_in(lab.store, later), None, "take_prebuild() of what is younger than the only one")
    taken = take_in(lab.store, request_claim(created_since=at(0)))
    expect(taken and taken.id, "w", "the id of what was created just at `created_since`")


@store_check(
    CHECKS,
    "ClaimWrites.take_prebuild",
    "`is_claimable` tells which prebuilds fit: not one that was given up, nor one whose version or parameters "
    "differ from what its preset has now.",
)
def only_what_the_preset_describes_is_taken(lab: Lab) -> None:
    large = attrs.evolve(WEB, parameters={"size": "large"})
    mended = attrs.evolve(make_preset(version_id="v2"), parameters=large.parameters)
    outdated = (mended, WEB, attrs.evolve(large, parameters={"size": "small"}))
    with lab.store.transaction() as tx:
        tx.put_preset(large)
        add(tx, "given up", Stage.RETIRED, large)
        add(tx, "w", Stage.READY, large)
    for preset in outdated:
        with lab.store.transaction() as tx:
            tx.put_preset(preset)
            expect(tx.take_prebuild(request_claim()), None, "take_prebuild(), the preset being another by now,")
    with lab.store.transaction() as tx:
        tx.put_preset(large)
        taken = [tx.take_prebuild(request_claim(user)) for user in ("alice", "bob")]
    expect([row and row.id for row in taken], ["w", None], "the ids taken when the preset was as before")


@store_check(CHECKS, "ClaimWrites.take_prebuild", "`is_claimable` tells which prebuilds fit")
def a_prebuild_of_unknown_version_is_taken(lab: Lab) -> None:
    unknown = make_preset(version_id="")
    for number, (before, after) in enumerate(((unknown, WEB), (WEB, unknown))):
        with lab.store.transaction() as tx:
            tx.put_preset(before)
            add(tx, f"w{number}", Stage.READY, before)
            tx.put_preset(after)
            taken = tx.take_prebuild(request_claim(f"user {number}"))
            what = f"the id taken, made with {before.template_version.id!r}, wanted {after.template_version.id!r}"
            expect(taken and taken.id, f"w{number}", what)


@store_check(
    CHECKS,
    "ClaimWrites.take_prebuild",
    "None that is older at `claimed_at` than its own ttl fits, if its preset has a `ttl_jitter` (R16).",
)
def nothing_is_taken_after_its_own_ttl(lab: Lab) -> None:
    for number, jitter in enumerate((0.01, 0.3, 0.77, 1)):
        preset = attrs.evolve(WEB, ttl=timedelta(hours=1, microseconds=number), ttl_jitter=jitter)
        name = f"w{number}"
        end = at(0) + (calculate_own_ttl(preset, name) or timedelta())
        with lab.store.transaction() as tx:
            tx.put_preset(preset)
            add(tx, name, Stage.READY, preset)
            late = attrs.evolve(request_claim(f"user {number}"), claimed_at=end + timedelta.resolution)
            expect(tx.take_prebuild(late), None, f"take_prebuild() after the own ttl of {name}, of {jitter=},")
            taken = tx.take_prebuild(attrs.evolve(late, claimed_at=end))
            expect(taken and taken.id, name, f"the id taken at the end of the own ttl, of {jitter=},")


@store_check(CHECKS, "ClaimWrites.take_prebuild", "The preset must be active")
def nothing_of_an_inactive_preset_is_taken(lab: Lab) -> None:
    put_ready(lab.store, "w")
    for preset in (*INACTIVE, CANDIDATE):
        put_presets(lab.store, preset)
        expect(take_in(lab.store, request_claim()), None, f"take_prebuild() of {preset.template_version}")
    put_presets(lab.store, WEB)
    taken = take_in(lab.store, request_claim())
    expect(taken and taken.id, "w", "the id taken when the preset was active again")


@store_check(
    CHECKS,
    "ClaimWrites.take_prebuild",
    "Raises `NameTakenError` if the owner has a workspace of this name that is not deleted",
)
def a_name_is_given_once(lab: Lab) -> None:
    put_ready(lab.store, "one", "two", "three")
    take_in(lab.store, request_claim("alice", name="desk"))
    again = request_claim("alice", name="desk", request_id="r")
    error = expect_raises(NameTakenError, lambda: take_in(lab.store, again), "a name was given to its owner again")
    expect((error.owner_id, error.name), ("alice", "desk"), "the owner and name of the error")
    with lab.store.transaction(read_only=True) as tx:
        expect(list_ids(tx), ["three", "two"], "the ids of the prebuilds, after a name was refused,")
        expect(tx.find_claim("r"), None, "the claim of the request that was refused")
    others = [
        take_in(lab.store, request_claim("bob", name="desk")),
        take_in(lab.store, request_claim("alice", name="other")),
    ]
    expect(
        [workspace and workspace.id for workspace in others], ["two", "three"], "another owner, and another name, got"
    )


@store_check(CHECKS, "ClaimWrites.take_prebuild", "The claim is recorded under its request id, if it has one.")
def a_claim_is_noted(lab: Lab) -> None:
    put_ready(lab.store, "one", "two", "three")
    request = request_claim(request_id="r", created_since=at(0), order=ClaimOrder.NEWEST_FIRST)
    taken = take_in(lab.store, request)
    for owner_id in ("bob", "carol"):
        take_in(lab.store, request_claim(owner_id))
    with lab.store.transaction(read_only=True) as tx:
        expect(tx.find_claim("r"), (request, taken), "find_claim() of the request id")
        expect(tx.get_workspace("three"), taken, "the workspace that it got")


@store_check(
    CHECKS,
    "ClaimWrites.find_claim",
    "The claim with this request id, and the workspace that it got; None if there is none.",
)
def no_claim_is_found_that_was_not_made(lab: Lab) -> None:
    put_ready(lab.store)
    request = request_claim(request_id="r")
    expect(take_in(lab.store, request), None, "take_prebuild() with no prebuild there")
    put_ready(lab.store, "w")
    with suppress(KeyError), lab.store.transaction() as tx:
        tx.take_prebuild(request)
        raise KeyError
    with lab.store.transaction(read_only=True) as tx:
        expect(tx.find_claim("r"), None, "find_claim() of a claim that missed, and then was rolled back")
        expect(tx.find_claim("unknown"), None, "find_claim() of an id that never was")
    taken = take_in(lab.store, request)
    expect(taken and taken.id, "w", "the id taken at last, with the same request id,")


@store_check(CHECKS, "ClaimWrites.take_prebuild", "`ClaimConflictError` if the request id is already recorded.")
def a_request_id_claims_once(lab: Lab) -> None:
    put_ready(lab.store, "one", "two")
    request = request_claim(request_id="r")
    taken = take_in(lab.store, request)
    for other in (request, request_claim("bob", request_id="r"), request_claim(name="other", request_id="r")):
        what = "a request id was used for a second claim"
        error = expect_raises(ClaimConflictError, lambda other=other: take_in(lab.store, other), what)  # type: ignore[misc]
        expect(error.request_id, "r", "the request id of the error")
    with lab.store.transaction(read_only=True) as tx:
        expect(list_ids(tx), ["two"], "the ids of the prebuilds, after request ids were refused,")
        expect(tx.find_claim("r"), (request, taken), "find_claim() of the request id, after it was used again,")
