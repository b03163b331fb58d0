"""Candidates: versions whose presets are filled before users get their prebuilds (R17)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decision.examples import HOUR, MINUTE, NOW, make_fleet, make_in_progress, make_prebuild, make_preset
from prebuilds import (
    InvalidSnapshotError,
    InvalidValueError,
    Plan,
    Policy,
    Prebuild,
    Preset,
    Template,
    TemplateVersion,
    dump_plan,
    dump_snapshot,
    load_snapshot,
    plan,
)
from prebuilds.decision.presets import set_stage
from prebuilds.errors import UnknownVersionError
from prebuilds.testing import strategies

CANDIDATE = TemplateVersion(id="v2", is_active=False, is_candidate=True)


def make_version(name: str, *, is_active: bool = False, is_candidate: bool = False) -> TemplateVersion:
    return TemplateVersion(id=name, template=Template(id="t"), is_active=is_active, is_candidate=is_candidate)


def test_an_active_version_is_no_candidate() -> None:
    """Users get its prebuilds, so there is nothing to promote."""
    with pytest.raises(
        InvalidValueError, match=r"^TemplateVersion\.is_candidate: True is not allowed; it must be False"
    ):
        TemplateVersion(is_candidate=True)


@pytest.mark.parametrize("before", [(True, False), (False, True), (False, False)])
@pytest.mark.parametrize("stage", [(True, False), (False, True), (False, False)])
def test_a_preset_goes_from_any_stage_to_any_other(before: tuple[bool, bool], stage: tuple[bool, bool]) -> None:
    """Active, a candidate, or neither. Nothing else of it changes."""
    first, then = (
        make_preset(template_version=make_version("v2", is_active=active, is_candidate=candidate))
        for active, candidate in (before, stage)
    )
    assert set_stage(first, is_active=stage[0], is_candidate=stage[1]) == then


@pytest.mark.parametrize("gone", ["deleted", "deprecated"])
def test_a_candidate_of_a_template_that_is_gone_is_not_wanted(gone: str) -> None:
    """As its promotion would give users nothing: what there is of it is deleted, and the words say why."""
    version = TemplateVersion(template=Template(**{gone: True}), is_active=False, is_candidate=True)
    (decision,) = plan(make_fleet(make_preset(template_version=version), running=[make_prebuild("w")]), now=NOW)
    assert decision.explain() == f"p: delete 1 (w): the preset is inactive, as its template is {gone}"
    assert not decision.is_filled


@given(st.data())
def test_a_candidate_is_filled_as_if_it_were_active(data: st.DataObject) -> None:
    """Whatever its rows, policy and budgets are: nothing but claims makes a difference between the two."""
    now = data.draw(strategies.instants())
    snapshot = data.draw(strategies.global_snapshots(now=now))
    policy = data.draw(strategies.policies())
    active = attrs.evolve(snapshot, presets=[stage(preset, is_active=True) for preset in snapshot.presets])
    staged = attrs.evolve(snapshot, presets=[stage(preset, is_candidate=True) for preset in snapshot.presets])
    assert describe(plan(staged, now=now, policy=policy)) == describe(plan(active, now=now, policy=policy))


def stage(preset: Preset, *, is_active: bool = False, is_candidate: bool = False) -> Preset:
    version = attrs.evolve(preset.template_version, is_active=is_active, is_candidate=is_candidate)
    return attrs.evolve(preset, template_version=version)


def describe(made: Plan) -> list[Any]:
    decisions = [(one.preset_id, one.actions, one.withheld, one.state, one.next_change, one.is_filled) for one in made]
    return [*decisions, made.next_change]


@given(st.data())
def test_a_full_candidate_is_a_full_pool_after_its_promotion(data: st.DataObject) -> None:
    """`is_filled` promises what the same instant's plan finds once the version is active: as many ready as wanted."""
    now = data.draw(strategies.instants())
    snapshot = data.draw(strategies.global_snapshots(now=now))
    staged = attrs.evolve(snapshot, presets=[stage(preset, is_candidate=True) for preset in snapshot.presets])
    active = attrs.evolve(snapshot, presets=[stage(preset, is_active=True) for preset in snapshot.presets])
    for before, after in zip(plan(staged, now=now), plan(active, now=now), strict=True):
        template = before.snapshot.preset.template_version.template
        is_gone = template.deleted or template.deprecated
        assert before.is_filled == (not is_gone and after.state.eligible >= after.state.desired)


def test_a_version_is_filled_when_all_its_presets_are() -> None:
    """Also the one that wants nothing. A version that is neither active nor a candidate is never filled."""
    web = make_preset(id="web", template_version=CANDIDATE, desired_instances=1)
    gpu = make_preset(id="gpu", template_version=CANDIDATE, desired_instances=1)
    none = make_preset(id="none", template_version=CANDIDATE, desired_instances=0)
    old = make_preset(id="old", template_version=make_version("v0"), desired_instances=0)
    rows = [make_prebuild("w", preset_id="web"), make_prebuild("g", preset_id="gpu", ready=False)]
    fleet = make_fleet(web, gpu, none, old, running=rows)
    assert [decision.is_filled for decision in plan(fleet, now=NOW)] == [True, False, True, False]
    assert not plan(fleet, now=NOW).is_filled("v2")
    ready = attrs.evolve(fleet, running=[attrs.evolve(row, ready=True) for row in rows])
    assert plan(ready, now=NOW).is_filled("v2")
    assert not plan(ready, now=NOW).is_filled("v0")
    with pytest.raises(UnknownVersionError, match=r"^no preset has the template version 'v3'$"):
        plan(ready, now=NOW).is_filled("v3")


def test_a_candidate_is_shown_as_one() -> None:
    """In words, in the table, and in the JSON of a plan, which says whether it is full."""
    fleet = make_fleet(make_preset(template_version=CANDIDATE), in_progress=[make_in_progress(1)])
    made = plan(fleet, now=NOW)
    assert made.decisions[0].explain() == "p: create 2: 3 wanted by a candidate, 0 running, 1 starting"
    assert "3 (candidate)" in made._repr_html_()
    assert dump_plan(made)["decisions"][0]["candidate"] == {"is_filled": False}
    full = plan(make_fleet(make_preset(template_version=CANDIDATE, desired_instances=0)), now=NOW)
    assert dump_plan(full)["decisions"][0]["candidate"] == {"is_filled": True}
    assert "candidate" not in dump_plan(plan(make_fleet(), now=NOW))["decisions"][0]


def test_a_candidate_is_kept_in_a_document() -> None:
    """Without candidates a document is as before: the key is written only where it is true."""
    preset = make_preset(template_version=CANDIDATE)
    document = dump_snapshot(make_fleet(preset))
    assert (document["presets"][0]["using_active_version"], document["presets"][0]["is_candidate"]) == (False, True)
    assert load_snapshot(document).presets == (preset,)
    assert "is_candidate" not in dump_snapshot(make_fleet())["presets"][0]


def test_a_document_with_an_active_candidate_is_refused() -> None:
    """By the place and what is allowed."""
    with pytest.raises(InvalidSnapshotError) as caught:
        load_snapshot({"presets": [{"id": "p", "desired_instances": 1, "is_candidate": True}]})
    (problem,) = caught.value.problems
    assert problem.startswith("presets[0].is_candidate: true is not allowed; it must be ")


# Field case 10

TEN = datetime(2026, 11, 23, 10, tzinfo=NOW.tzinfo)


def make_pool(version: str, count: int, created_at: datetime, *, ready: bool = True) -> list[Prebuild]:
    return [
        Prebuild(
            id=f"{version}-{number}",
            preset_id=f"web-{version}",
            template_version_id=version,
            created_at=created_at,
            ready=ready,
        )
        for number in range(count)
    ]


def decide_at(now: datetime, v1: TemplateVersion, v2: TemplateVersion, *rows: Prebuild) -> list[Any]:
    presets = [make_preset(id=f"web-{one.id}", template_version=one, desired_instances=10) for one in (v1, v2)]
    made = plan(make_fleet(*presets, running=rows), now=now)
    return [([(one.create, len(one.delete_ids)) for one in decision.actions], decision.is_filled) for decision in made]


def test_a_promotion_finds_the_pool_of_a_candidate_full() -> None:
    """Field case 10: staged at 10:00, full at 10:12, promoted at 10:15. Only then the old prebuilds go."""
    active, candidate = make_version("v1", is_active=True), make_version("v2", is_candidate=True)
    old, booting = make_pool("v1", 10, TEN - HOUR), make_pool("v2", 10, TEN, ready=False)
    assert decide_at(TEN, active, candidate, *old) == [([], True), ([(10, 0)], False)]
    assert decide_at(TEN + 11 * MINUTE, active, candidate, *old, *booting) == [([], True), ([], False)]
    new = make_pool("v2", 10, TEN)
    assert decide_at(TEN + 12 * MINUTE, active, candidate, *old, *new) == [([], True), ([], True)]
    promoted = make_version("v2", is_active=True)
    assert decide_at(TEN + 15 * MINUTE, make_version("v1"), promoted, *old, *new) == [([(0, 10)], False), ([], True)]


def test_a_candidate_has_deadlines() -> None:
    """What is stuck is replaced, and `next_change_at` tells when."""
    preset = make_preset(template_version=CANDIDATE, ready_deadline=10 * MINUTE, desired_instances=1)
    row = make_prebuild("w", ready=False, started_at=NOW - 4 * MINUTE)
    (decision,) = plan(make_fleet(preset, running=[row]), now=NOW, policy=Policy())
    assert decision.next_change_at == NOW + 6 * MINUTE
    late = plan(make_fleet(preset, running=[row]), now=NOW + 6 * MINUTE)
    assert [action.type.value for action in late.decisions[0].actions] == ["delete", "create"]
    assert late.decisions[0].state.stuck == 1
