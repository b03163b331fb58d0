"""Candidates through the whole loop: staged, filled, promoted, given up (R17)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from prebuilds import Template, Transition
from prebuilds.adapters.memory import MemoryPubSub, MemoryStore
from prebuilds.adapters.sqlite import SQLiteStore
from prebuilds.errors import ActiveVersionError, InvalidValueError, UnknownVersionError
from prebuilds.runtime import PREBUILDS_CHANGED, Claim, Controls, Message, MissReason, OutboxRelay, Store
from prebuilds.testing.clocks import ManualClock
from runtime.world import MINUTE, NOW, TEMPLATE, World, make_preset, make_version

OLD = make_preset(id="web-1", desired_instances=10, parameters={"size": "s"})
NEW = attrs.evolve(OLD, id="web-2", template_version=make_version("v2", is_active=False))


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    with SQLiteStore(tmp_path / "pool.db") as opened:
        yield opened


def count_ready(world: World) -> dict[str, int]:
    ready = [row.preset_id for row in world.list_prebuilds() if row.ready]
    return {preset_id: ready.count(preset_id) for preset_id in ("web-1", "web-2")}


def list_stages(world: World) -> dict[str, str]:
    versions = {preset.id: preset.template_version for preset in world.list_presets()}
    stages = {(True, False): "active", (False, True): "candidate", (False, False): "inactive"}
    return {name: stages[version.is_active, version.is_candidate] for name, version in versions.items()}


def claim_as_a_user(world: World, number: int) -> str | None:
    """By parameters, as a host does. Gives the version of what the user got."""
    preset_id = world.claims.match_preset({"size": "s"}, template_id="t")
    assert preset_id
    workspace = world.claim(f"dev-{number}", preset_id=preset_id).workspace
    return workspace.last_build.template_version_id if workspace else None


def test_a_promotion_costs_no_miss(store: Store) -> None:
    """Field case 10: claims get version 1 until 10:15 and version 2 after. The old prebuilds are deleted then."""
    world = World(OLD, NEW, store=store)
    world.fill()
    assert world.controls.stage("v2") == ("web-2",)
    assert list_stages(world) == {"web-1": "active", "web-2": "candidate"}
    served: list[str | None] = []
    for minute in range(30):  # builds take 12 minutes
        if minute == 15:
            assert count_ready(world)["web-2"] == 10
            assert world.controls.is_filled("v2")
            assert world.controls.promote("v2") == ("web-2",)
        served.append(claim_as_a_user(world, minute) if minute % 3 == 0 else "")
        world.reconcile()
        if minute == 11:
            assert not world.controls.is_filled("v2")
        if minute in (12, 14, 26):
            world.builder.finish()
        world.clock.advance(MINUTE)
    assert [version for version in served if version != ""] == ["v1"] * 5 + ["v2"] * 5
    world.builder.finish()
    world.fill()
    assert {row.preset_id for row in world.list_prebuilds()} == {"web-2"}
    deleted = world.builder.list_taken(Transition.DELETE)
    assert {version for _, version in deleted} == {"v1"}
    assert list_stages(world) == {"web-1": "inactive", "web-2": "active"}


def test_nobody_claims_of_a_candidate(store: Store) -> None:
    """Neither by its id nor by its parameters, though its prebuilds are ready."""
    world = World(NEW, store=store)
    world.controls.stage("v2")
    world.fill()
    assert count_ready(world)["web-2"] == 10
    missed = Claim(preset_id="web-2", reason=MissReason.INACTIVE_PRESET)
    assert world.claim(preset_id="web-2") == missed
    assert world.claims.match_preset({"size": "s"}, template_id="t") is None
    world.controls.promote("v2")
    assert world.claims.match_preset({"size": "s"}, template_id="t") == "web-2"
    assert world.claim(preset_id="web-2").workspace


def test_a_candidate_is_given_up(store: Store) -> None:
    """Its prebuilds are deleted, those that are being started included; the active version's stay."""
    world = World(OLD, NEW, store=store)
    world.fill()
    world.controls.stage("v2")
    world.fill()
    assert world.controls.unstage("v2") == ("web-2",)
    assert list_stages(world) == {"web-1": "active", "web-2": "inactive"}
    assert not world.controls.is_filled("v2")
    world.fill()
    assert [row.preset_id for row in world.list_prebuilds()] == ["web-1"] * 10


def test_a_version_is_rolled_back(store: Store) -> None:
    """By promoting the one before, which may be staged first; other candidates stay as they are."""
    third = attrs.evolve(NEW, id="web-3", template_version=make_version("v3", is_active=False))
    world = World(OLD, NEW, third, store=store)
    world.controls.stage("v3")
    world.controls.promote("v2")
    assert list_stages(world) == {"web-1": "inactive", "web-2": "active", "web-3": "candidate"}
    world.controls.stage("v1")
    world.fill()
    assert world.controls.is_filled("v1")
    world.controls.promote("v1")
    assert list_stages(world) == {"web-1": "active", "web-2": "inactive", "web-3": "candidate"}
    assert world.controls.promote("v1") == ("web-1",)
    assert list_stages(world) == {"web-1": "active", "web-2": "inactive", "web-3": "candidate"}


def test_all_presets_of_a_version_change_together(store: Store) -> None:
    """In the order of their ids; those of other templates are left alone."""
    small = attrs.evolve(NEW, id="web-2-small", desired_instances=1)
    other = make_version("v1", template=attrs.evolve(TEMPLATE, id="u"))
    world = World(small, NEW, OLD, make_preset(id="other", template_version=other), store=store)
    assert world.controls.promote("v2") == ("web-2", "web-2-small")
    stages = {"web-2-small": "active", "web-2": "active", "web-1": "inactive", "other": "active"}
    assert list_stages(world) == stages


@pytest.mark.parametrize("name", ["stage", "unstage"])
def test_an_active_version_is_not_staged(name: str) -> None:
    """Users get its prebuilds: a second `stage` after the promotion must not take them away."""
    world = World(OLD, NEW)
    with pytest.raises(ActiveVersionError, match=r"^the template version 'v1' is active: users get its prebuilds"):
        getattr(world.controls, name)("v1")
    assert list_stages(world) == {"web-1": "active", "web-2": "inactive"}


@pytest.mark.parametrize("name", ["stage", "unstage", "promote", "is_filled"])
def test_a_version_must_be_known_and_of_one_template(name: str) -> None:
    """Promoting the wrong template's version would delete prebuilds that users need, so nothing is guessed."""
    unnamed = make_version("v7", is_active=False, template=Template())
    other = make_version("v2", is_active=False, template=attrs.evolve(TEMPLATE, id="u"))
    world = World(
        OLD, NEW, make_preset(id="other", template_version=other), make_preset(id="x", template_version=unnamed)
    )
    call = getattr(world.controls, name)
    for version_id, template_id in (("v9", None), ("", None), ("v1", "u")):
        with pytest.raises(UnknownVersionError, match=f"^no preset has the template version '{version_id}'$"):
            call(version_id, template_id=template_id)
    with pytest.raises(InvalidValueError, match=r"template_id: None is not allowed; .* they name \['t', 'u'\]$"):
        call("v2")
    with pytest.raises(InvalidValueError, match=r"template_id: None is not allowed; .* they name \[''\]$"):
        call("v7")
    before = list_stages(world)
    call("v2", template_id="u")
    changed = {preset for preset, stage in list_stages(world).items() if stage != before[preset]}
    assert changed <= {"other"}


def test_the_loop_hears_of_a_promotion_at_once() -> None:
    """Of each preset whose version changed, so that the old prebuilds go and the new are there."""
    store, pubsub = MemoryStore(), MemoryPubSub()
    relay = OutboxRelay(store, pubsub)
    heard: list[Message] = []
    pubsub.subscribe(PREBUILDS_CHANGED, heard.append)
    with store.transaction() as tx:
        for preset in (OLD, NEW):
            tx.put_preset(preset)
    controls = Controls(store, clock=ManualClock(NOW), relay=relay)
    controls.stage("v2")
    assert [message.body for message in heard] == ["web-2"]
    controls.promote("v2")
    assert [message.body for message in heard[1:]] == ["web-1", "web-2"]


def test_a_start_of_a_version_that_is_no_candidate_any_more_is_skipped() -> None:
    """Creates are pinned: the transaction that adds them looks at the stage again."""
    world = World(OLD, NEW)
    world.controls.stage("v2")
    given_up: list[str] = []

    def give_up(_: object) -> None:
        if not given_up:  # at the first start of version 1, when those of version 2 are planned and not added
            given_up.extend(world.controls.unstage("v2"))

    world.builder.on_submit = give_up
    world.reconcile()
    assert given_up == ["web-2"]
    assert {version for _, version in world.builder.list_taken(Transition.START)} == {"v1"}
