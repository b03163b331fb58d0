"""A store may lack a capability: the library does without, or says what it cannot do."""

from __future__ import annotations

import logging

import pytest
from runtime.world import NOW, World, make_preset

from adapters.lacking import LackingStore, make_rows
from prebuilds import Budget, BudgetScope, Policy, Template, TemplateVersion
from prebuilds.adapters.memory import MemoryPubSub, MemoryStore
from prebuilds.errors import InvalidValueError, MissingCapabilityError, ReadOnlyTransactionError
from prebuilds.runtime import AddMembership, OutboxRelay
from prebuilds.runtime.metrics.readings import take_reading
from prebuilds.runtime.ports import Capability, find_capabilities
from prebuilds.testing import Feature, check_claims, check_reconciler, check_store, list_claim_checks
from prebuilds.testing.clocks import ManualClock

FEATURES = {
    Capability.LEASE: (Feature.REPLICAS,),
    Capability.OUTBOX: (Feature.OUTBOX,),
    Capability.PAUSE: (Feature.PAUSE,),
    Capability.BUDGETS: (Feature.BUDGETS,),
    Capability.MEMBERSHIPS: (Feature.MEMBERSHIPS,),
}


@pytest.mark.parametrize("capability", Capability)
def test_a_store_that_lacks_one_keeps_every_other_rule(capability: Capability) -> None:
    """The contract suite leaves out the rules of that capability alone, and the fault kit the features that need it."""
    assert check_store(lambda: LackingStore(capability)).lacking == (capability,)
    needed = [check for check in list_claim_checks() if capability not in check.needs]
    assert check_claims(lambda: LackingStore(capability)).checks == tuple(needed)
    report = check_reconciler(lambda: LackingStore(capability), examples=10, most_runs=20)
    assert report.left_out == FEATURES.get(capability, ())


def test_the_stores_of_the_library_have_all() -> None:
    """A transaction that does not tell has all of them too, as one of a host from before there were capabilities."""
    with MemoryStore().transaction(read_only=True) as tx:
        assert [each for each in Capability if each.is_in(tx)] == list(Capability)
    assert all(capability.is_in(object()) for capability in Capability)


def test_the_loop_runs_without_a_lease_and_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing would keep a second reconciler from working at the same time, so people are told."""
    world = World(store=LackingStore(Capability.LEASE))
    with caplog.at_level(logging.WARNING, logger="prebuilds"):
        assert [len(world.reconcile().done), len(world.reconcile().done)] == [3, 0]
    assert caplog.messages == [
        "LackingStore has no lease: run one reconciler only, as nothing keeps two from working at the same time"
    ]


def test_without_counters_metrics_have_none() -> None:
    """A 0 would say that nothing was claimed."""
    world = World(store=LackingStore(Capability.COUNTERS))
    world.reconcile()
    assert world.claim("dev").workspace is None
    reading = take_reading(world.store, ManualClock(NOW), Policy())
    assert (len(reading.gauges), reading.counters) == (1, {})


def test_without_an_outbox_nothing_waits_to_be_sent() -> None:
    """A relay has nothing to do."""
    world = World(store=LackingStore(Capability.OUTBOX))
    world.controls.invalidate("p")
    assert OutboxRelay(world.store, MemoryPubSub()).flush() == 0


def test_a_pause_that_would_do_nothing_is_refused() -> None:
    """The error names the rows, the capability and the way out; a pool that was never paused can be resumed."""
    world = World(store=LackingStore(Capability.PAUSE))
    world.controls.resume()
    with pytest.raises(MissingCapabilityError) as raised:
        world.controls.pause()
    assert str(raised.value) == (
        "set_paused() needs the capability 'pause', which LackingRows lacks: add the methods of Capability.PAUSE "
        "to its transactions or its rows, or do without"
    )


def test_a_budget_that_would_not_hold_is_refused() -> None:
    """It must not be lost in silence. There is none to remove, and those of the policy hold."""
    world = World(store=LackingStore(Capability.BUDGETS), policy=Policy(budgets=[Budget(max_starting=1)]))
    assert world.controls.remove_budget(BudgetScope.FLEET) is False
    with pytest.raises(MissingCapabilityError, match=r"put_budget\(\) needs the capability 'budgets'"):
        world.controls.set_budget(Budget(max_starting=2))
    world.reconcile()
    assert len(world.list_prebuilds()) == 1


def test_a_part_that_could_not_be_rolled_back_is_refused() -> None:
    """Rather than committed in silence after an error."""
    with LackingStore(Capability.NESTING).transaction() as tx, pytest.raises(MissingCapabilityError, match="nested"):
        tx.nested()


def test_without_memberships_the_loop_joins_no_organization() -> None:
    """The host lets the prebuilds user in."""
    version = TemplateVersion(id="v1", template=Template(id="t", organization_id="org"))
    preset = make_preset(template_version=version)
    joined = [
        [
            outcome
            for outcome in World(preset, store=store).reconcile().done
            if isinstance(outcome.effect, AddMembership)
        ]
        for store in (MemoryStore(), LackingStore(Capability.MEMBERSHIPS))
    ]
    assert [len(outcomes) for outcomes in joined] == [1, 0]


def test_a_reader_is_refused_even_a_write_that_would_do_nothing() -> None:
    """A mistake shows with every store."""
    with LackingStore(*Capability).transaction(read_only=True) as tx, pytest.raises(ReadOnlyTransactionError):
        tx.add_membership("org")


def test_half_a_capability_is_refused() -> None:
    """It is more likely a name that is misspelt, and a lease that is ignored would be found too late."""
    rows = make_rows()
    del rows.release_lease  # type: ignore[attr-defined]
    with pytest.raises(InvalidValueError, match=r"LackingRows\.release_lease: .* the capability 'lease'"):
        find_capabilities(rows)
