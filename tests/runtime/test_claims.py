"""Claims: at once or not at all, at most once, and only what a decision counts as eligible."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prebuilds import InvalidValueError, Policy, Preset, UnknownPresetError, plan
from prebuilds.errors import ClaimConflictError, NameTakenError
from prebuilds.runtime import (
    PREBUILDS_USER_ID,
    Claim,
    ClaimOrder,
    ClaimRequest,
    Claims,
    Counter,
    MissReason,
    match_preset,
    read_fleet,
)
from runtime.world import HOUR, MINUTE, SECOND, World, make_preset, make_version

MISSED = Claim(preset_id="p", reason=MissReason.NONE_ELIGIBLE)


def test_a_claim_gets_the_oldest_prebuild() -> None:
    """It has a new owner and a new name, keeps running, and is no longer a prebuild. The pool is refilled."""
    world = World()
    world.fill()
    before = world.get("0002")
    claim = world.claim()
    workspace = attrs.evolve(before, owner_id="ann", name="dev")
    assert claim == Claim(preset_id="p", workspace=workspace)
    assert world.get("0002") == workspace
    assert (workspace.is_running, workspace.is_prebuild) == (True, False)
    assert [prebuild.id for prebuild in world.list_prebuilds()] == ["0004"]
    assert world.list_counters()["p", Counter.CLAIMED] == 1
    assert len(world.reconcile().done) == 1


def test_the_order_is_a_choice() -> None:
    """The youngest first, where caches of the template grow stale."""
    world = World()
    world.fill()
    claims = Claims(world.store, clock=world.clock, order=ClaimOrder.NEWEST_FIRST)
    claim = claims.claim("p", owner_id="ann", name="dev")
    assert claim.workspace is not None
    assert claim.workspace.id == "0004"


def test_a_miss_is_an_answer_and_is_counted() -> None:
    """An empty pool. The count helps to size it."""
    world = World()
    assert world.claim() == MISSED
    assert world.claim() == MISSED
    assert world.list_counters() == {("p", Counter.CLAIM_MISSED): 2}


def test_a_prebuild_that_is_not_ready_is_not_claimed() -> None:
    """It runs, but nobody could work in it yet."""
    world = World()
    world.reconcile()
    assert world.claim() == MISSED
    world.builder.finish(ready=False)
    assert world.claim() == MISSED
    assert world.reports.make_ready("0004")
    claim = world.claim()
    assert claim.workspace is not None
    assert claim.workspace.id == "0004"


def test_an_expired_prebuild_is_not_claimed() -> None:
    """At exactly its ttl it still is; what was invalidated is not (R2)."""
    world = World(make_preset(ttl=HOUR))
    world.fill()
    world.clock.advance(HOUR - MINUTE)
    assert world.claim().workspace is not None
    world.clock.advance(timedelta.resolution)
    assert world.claim(name="other") == MISSED
    world = World()
    world.fill()
    world.controls.invalidate("p")
    assert world.claim() == MISSED


@pytest.mark.parametrize(
    "changes",
    [{"is_active": False}, {"template": attrs.evolve(make_version().template, deprecated=True)}],
)
def test_an_inactive_preset_serves_nobody(changes: dict[str, Any]) -> None:
    """Its prebuilds are about to be deleted."""
    world = World()
    world.fill()
    world.put(make_preset(template_version=make_version(**changes)))
    assert world.claim() == Claim(preset_id="p", reason=MissReason.INACTIVE_PRESET)
    assert world.list_counters()["p", Counter.CLAIM_MISSED] == 1


def test_a_retry_under_the_same_request_id_gets_the_same_workspace() -> None:
    """However late, and even if the pool has changed. It is counted once."""
    world = World()
    world.fill()
    first = world.claim(request_id="r-1")
    world.clock.advance(24 * HOUR)
    assert world.claim(request_id="r-1") == attrs.evolve(first, is_repeated=True)
    assert world.list_counters()["p", Counter.CLAIMED] == 1


def test_a_retry_after_a_miss_tries_again() -> None:
    """A miss takes nothing, so there is nothing to repeat."""
    world = World()
    assert world.claim(request_id="r-1") == MISSED
    world.fill()
    claim = world.claim(request_id="r-1")
    assert (claim.workspace is None, claim.is_repeated) == (False, False)


@pytest.mark.parametrize("changes", [{"owner_id": "bob"}, {"name": "other"}, {"preset_id": "q"}])
def test_a_request_id_is_for_one_claim(changes: dict[str, str]) -> None:
    """Used for another preset, user or name it is an error, and nothing is taken."""
    world = World(make_preset(), make_preset(id="q"))
    world.fill()
    world.claim(request_id="r-1")
    with pytest.raises(ClaimConflictError, match="'r-1'"):
        world.claim(request_id="r-1", **changes)
    assert len(world.list_prebuilds()) == 3


def test_two_calls_at_once_under_one_request_id_get_the_same() -> None:
    """The other call commits after this one has looked for it: the store refuses a second, and this one looks again."""
    world = World()
    world.fill()
    with world.store.transaction() as tx:
        cls = type(tx)
    find, first = cls.find_claim, []

    def find_before_the_other(self: Any, request_id: str) -> Any:
        return find(self, request_id) if first else first.append(request_id)

    world.claim(request_id="r-1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cls, "find_claim", find_before_the_other)
        claim = world.claim(request_id="r-1")
    assert claim.is_repeated
    assert claim.workspace is not None
    assert claim.workspace.id == "0002"


def test_a_name_is_taken_once_by_each_user() -> None:
    """Another user may have it. After the error nothing is taken."""
    world = World(make_preset(desired_instances=3))
    world.fill()
    world.claim()
    with pytest.raises(NameTakenError, match="the user 'ann' already has a workspace with the name 'dev'"):
        world.claim()
    assert world.claim(owner_id="bob").workspace is not None
    assert len(world.list_prebuilds()) == 1


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"preset_id": "ghost"}, UnknownPresetError, "ghost"),
        ({"owner_id": PREBUILDS_USER_ID}, InvalidValueError, r"^claim\.owner_id: "),
        ({"owner_id": ""}, InvalidValueError, r"^claim\.owner_id: "),
        ({"name": "a\nb"}, InvalidValueError, r"^claim\.name: "),
        ({"request_id": ""}, InvalidValueError, r"^claim\.request_id: "),
    ],
)
def test_wrong_arguments_are_named(changes: dict[str, str], error: type[Exception], message: str) -> None:
    """Before anything is taken or counted."""
    world = World()
    world.fill()
    with pytest.raises(error, match=message):
        world.claim(**changes)
    assert len(world.list_prebuilds()) == 2
    assert world.list_counters() == {("p", Counter.CREATED): 2}


@given(st.lists(st.sampled_from(["fill", "wait", "fail", "invalidate", "unready"]), max_size=8))
def test_what_is_eligible_is_what_can_be_claimed(steps: list[str]) -> None:
    """So many as the state says, and no more: the two never count differently."""
    world = World(make_preset(ttl=5 * MINUTE, desired_instances=3))
    for step in steps:
        if step == "invalidate":
            world.controls.invalidate("p")
        elif step == "wait":
            world.clock.advance(2 * MINUTE + SECOND)
        else:
            world.reconcile()
            world.builder.finish(succeed=step != "fail", ready=step != "unready")
    with world.store.transaction(read_only=True) as tx:
        snapshot = read_fleet(tx, now=world.clock.now(), policy=Policy()).snapshot
    eligible = plan(snapshot, now=world.clock.now()).decisions[0].state.eligible
    claims = [world.claim(name=f"dev-{number}") for number in range(5)]
    assert sum(claim.workspace is not None for claim in claims) == eligible


def make_presets(**parameters: dict[str, str]) -> list[Preset]:
    return [make_preset(id=name, parameters=given) for name, given in parameters.items()]


def test_the_preset_with_the_largest_subset_of_the_parameters_matches() -> None:
    """Ties go to the lesser id, and a preset without parameters never matches."""
    presets = make_presets(c={"cpu": "4"}, b={"cpu": "4"}, none={}, gpu={"cpu": "4", "gpu": "1"}, big={"cpu": "8"})
    assert match_preset(presets, {"cpu": "4", "gpu": "1", "region": "eu"}) == "gpu"
    assert match_preset(presets, {"cpu": "4", "region": "eu"}) == "b"
    assert match_preset(presets, {"cpu": "2"}) is None
    assert match_preset(presets, {}) is None


def test_a_match_is_looked_for_among_the_active_presets_of_a_template() -> None:
    """Or of those of an organisation. Without either it is refused: the best match could be another tenant's.

    Field case 12.
    """
    other = make_version(template=attrs.evolve(make_version().template, id="u"))
    old = make_version(is_active=False)
    world = World(
        make_preset(id="a", parameters={"cpu": "4"}, template_version=old),
        make_preset(id="b", parameters={"cpu": "4"}, template_version=other),
        make_preset(id="c", parameters={"cpu": "4"}),
    )
    assert world.claims.match_preset({"cpu": "4"}, organization_id="o") == "b"
    assert world.claims.match_preset({"cpu": "4"}, organization_id="p") is None
    with pytest.raises(InvalidValueError, match=r"^match_preset\.template_id: None is not allowed"):
        world.claims.match_preset({"cpu": "4"})
    assert world.claims.match_preset({"cpu": "4"}, template_id="t") == "c"
    assert world.claims.match_preset({"cpu": "4"}, template_id="w") is None


def test_a_claim_request_has_defaults() -> None:
    """The description of a claim, as a store gets it."""
    world = World()
    request = ClaimRequest(preset_id="p", owner_id="ann", name="dev", claimed_at=world.clock.now())
    assert (request.order, request.created_since, request.request_id) == (ClaimOrder.OLDEST_FIRST, None, None)
