"""Claims by the minute: what a target that follows demand is learned from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from prebuilds.runtime.models import ClaimCount
from prebuilds.runtime.ports import Store
from prebuilds.testing.contracts.claims.whole import AGE, claim_whole
from prebuilds.testing.contracts.equipment.checking import Lab, StoreCheck, store_check
from prebuilds.testing.contracts.equipment.error_words import expect
from prebuilds.testing.contracts.equipment.requests import DATA, WEB, at
from prebuilds.testing.contracts.equipment.scenes import put_presets, put_ready

CHECKS: list[StoreCheck] = []
_MINUTE = timedelta(minutes=1)
_FIRST = at(0).replace(second=0, microsecond=0)


def _note(store: Store, *claims: tuple[str, timedelta, bool]) -> None:
    for preset_id, after, is_hit in claims:
        with store.transaction() as tx:
            tx.note_claim(preset_id, _FIRST + after, is_hit=is_hit)


def _count(preset_id: str, minute: int, hits: int, misses: int) -> ClaimCount:
    return ClaimCount(preset_id=preset_id, minute=_FIRST + minute * _MINUTE, hits=hits, misses=misses)


def _expect(store: Store, expected: Sequence[ClaimCount], what: str) -> None:
    with store.transaction(read_only=True) as tx:
        expect(list(tx.list_claim_counts()), list(expected), what)


@store_check(CHECKS, "ClaimCountWrites.note_claim", "Count a claim in its minute")
def claims_are_counted_by_the_minute(lab: Lab) -> None:
    put_presets(lab.store, WEB, DATA)
    last = _MINUTE - timedelta.resolution
    _note(lab.store, ("web", last, True), ("web", timedelta(), True), ("web", last, False), ("web", _MINUTE, True))
    _note(lab.store, ("data", 2 * _MINUTE, False))
    expected = [_count("data", 2, 0, 1), _count("web", 0, 2, 1), _count("web", 1, 1, 0)]
    _expect(lab.store, expected, "list_claim_counts()")


@store_check(CHECKS, "ClaimCountWrites.list_claim_counts", "Ordered by preset, then by time.")
def claim_counts_are_in_order(lab: Lab) -> None:
    put_presets(lab.store, WEB, DATA)
    _note(lab.store, *[(name, minute * _MINUTE, False) for minute in (3, 1, 2) for name in ("web", "data")])
    expected = [_count(name, minute, 0, 1) for name in ("data", "web") for minute in (1, 2, 3)]
    _expect(lab.store, expected, "list_claim_counts()")


@store_check(
    CHECKS,
    "ClaimCountWrites.list_claim_counts",
    "The minutes with a claim, of one preset or of all, that begin at `since` or later.",
)
def claim_counts_are_chosen(lab: Lab) -> None:
    put_presets(lab.store, WEB, DATA)
    _note(lab.store, *[(name, minute * _MINUTE, True) for name in ("web", "data") for minute in (2, 0, 1)])
    with lab.store.transaction() as tx:
        tx.note_claim("web", _FIRST + _MINUTE, is_hit=False)  # seen in its own transaction too
        own = tx.list_claim_counts("web", since=_FIRST + _MINUTE)
        expect(list(own), [_count("web", 1, 1, 1), _count("web", 2, 1, 0)], "list_claim_counts('web', since=...)")
        late = tx.list_claim_counts(since=_FIRST + 2 * _MINUTE)
        expect(list(late), [_count("data", 2, 1, 0), _count("web", 2, 1, 0)], "list_claim_counts(since=...)")


@store_check(CHECKS, "ClaimCountWrites.prune_claim_counts", "Forget the minutes that begin earlier.")
def old_claim_counts_are_forgotten(lab: Lab) -> None:
    """And what is kept stays as it is, however often."""
    put_presets(lab.store, WEB, DATA)
    _note(lab.store, *[("web", minute * _MINUTE, is_hit) for minute in range(4) for is_hit in (True, False)])
    for _ in range(2):
        with lab.store.transaction() as tx:
            tx.prune_claim_counts(before=_FIRST + 2 * _MINUTE)
        _note(lab.store, ("web", 3 * _MINUTE, True))
    _expect(lab.store, [_count("web", 2, 1, 1), _count("web", 3, 3, 1)], "list_claim_counts() after pruning")


@store_check(CHECKS, "ClaimCountWrites.note_claim", "`is_hit` says whether it got a prebuild.")
def a_whole_claim_is_counted_in_its_minute(lab: Lab) -> None:
    """Once, however often the request is repeated."""
    put_ready(lab.store, "one")
    for name, request_id in (("desk", "r"), ("desk", "r"), ("chair", None), ("table", None)):
        claim_whole(lab.store, name, request_id=request_id)
    minute = (at(0) + AGE).replace(second=0, microsecond=0)
    _expect(lab.store, [ClaimCount(preset_id="web", minute=minute, hits=1, misses=2)], "after a hit and two misses")
