"""Reading the rows of some presets: all that belongs to them, and nothing of others."""

from __future__ import annotations

import attrs

from prebuilds.decision.policies.budgets import Budget
from prebuilds.runtime.fleet_rows import ALL_PRESETS, FleetRows, Selection, Shard, select
from prebuilds.runtime.ports import Capability, FleetReads
from prebuilds.testing.contracts.equipment.checking import Lab, StoreCheck, store_check
from prebuilds.testing.contracts.equipment.error_words import expect
from prebuilds.testing.contracts.equipment.requests import DATA, WEB, at, make_preset, request_start
from prebuilds.testing.contracts.equipment.scenes import Stage, add, put_presets

CHECKS: list[StoreCheck] = []
_NAMES = ("a", "b", "größe", "preset of a long name", "0")
_SELECTIONS = (
    select("a", "größe"),
    select("0"),
    select("unknown"),
    select(),
    *(Selection(shard=Shard(index=index, count=3)) for index in range(3)),
    Selection(shard=Shard(index=1_023, count=1_024)),
    *(Selection(preset_ids=_NAMES[:3], shard=Shard(index=index, count=2)) for index in range(2)),
)


@store_check(CHECKS, "FleetReads.read_rows", "Rows of other presets are left out")
def a_selection_has_its_own_rows_alone(lab: Lab) -> None:
    _put_rows(lab)
    with lab.store.transaction(read_only=True) as tx:
        whole = _read(tx, ALL_PRESETS)
        for selection in _SELECTIONS:
            expect(_read(tx, selection), whole.select(selection), f"what read_rows({selection}) returns")


@store_check(CHECKS, "FleetReads.read_rows", "`presets` has what `list_presets` returns, in its order.")
def presets_are_read_in_order(lab: Lab) -> None:
    put_presets(lab.store, *map(make_preset, _NAMES))
    with lab.store.transaction(read_only=True) as tx:
        listed = tx.list_presets()
        expect(tx.read_rows().presets, listed, "the presets")
        some = [preset for preset in listed if preset.id in ("0", "b")]
        expect(tx.read_rows(select("b", "0")).presets, some, "the presets `b` and `0`")


@store_check(CHECKS, "FleetReads.read_rows", "Without `ended_since`, only the latest attempts count.")
def the_latest_builds_are_read_without_an_instant(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        tx.put_preset(DATA)
        for seconds in (10, 20):
            tx.insert_failed_build(request_start(f"w{seconds}"), now=at(seconds))
        for latest, expected in ((1, {"w20-1"}), (2, {"w10-1", "w20-1"})):
            seen = {build.id for build in tx.read_rows(latest=latest).builds}
            expect(expected - seen, set(), f"the ids of the latest {latest} builds that were not read")


def _put_rows(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        if Capability.PAUSE in lab.capabilities:
            tx.set_paused(paused=True)
        if Capability.BUDGETS in lab.capabilities:
            tx.put_budget(Budget(max_starting=3))
        tx.add_membership("o")
        for name in _NAMES:
            preset = make_preset(name)
            tx.put_preset(preset)
            add(tx, f"w-{name}", Stage.READY, preset)
            tx.insert_failed_build(request_start(f"f-{name}", preset), now=at(0))
            tx.set_reset(name, at=at(-60))


def _read(reads: FleetReads, selection: Selection) -> FleetRows:
    """What is read, with all that comes in any order sorted."""
    rows = reads.read_rows(selection, ended_since=at(-3600), latest=1)
    return attrs.evolve(
        rows,
        prebuilds=sorted(rows.prebuilds, key=lambda row: row.id),
        builds=sorted(set(rows.builds), key=lambda build: build.id),
        resets=sorted(rows.resets),
        memberships=rows.memberships if Capability.MEMBERSHIPS.is_in(reads) else (),
    )
