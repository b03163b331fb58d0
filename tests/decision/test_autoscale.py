"""A preset whose target follows what is claimed: floors, holds, words, and when to look again (R21)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decision.examples import INACTIVE, MINUTE, NOW, make_prebuild, make_preset
from decision.test_demand_laws import MODEL
from prebuilds import (
    Build,
    BuildStatus,
    ChangeCause,
    Decision,
    Demand,
    GlobalSnapshot,
    InProgress,
    InvalidSnapshotError,
    InvalidValueError,
    Pending,
    Policy,
    PresetSnapshot,
    Schedule,
    Target,
    TargetSource,
    Transition,
    calculate_backoffs,
    calculate_target,
    dump_snapshot,
    load_snapshot,
    plan,
)
from prebuilds.decision.demand.following import DemandFit
from prebuilds.decision.demand.learning.presets import learn_demand
from prebuilds.decision.demand.looking import count_seconds
from prebuilds.decision.demand.model import DemandModel
from prebuilds.decision.demand.state import start_state
from prebuilds.decision.fields import LAST_NOW
from prebuilds.decision.targets import find_next_demand_change
from prebuilds.testing import strategies

SCALE = MODEL.autoscale
FOLLOWING: dict[str, Any] = {"desired_instances": 0, "autoscale": SCALE}


def make_demand(model: DemandModel = MODEL, *, claims: int = 0, ago: timedelta = 10 * MINUTE) -> Demand:
    """What was claimed in the last hour: all of it at one instant."""
    state = start_state(count_seconds(NOW) - 3600, model.lead, model.timezone)
    demand = Demand(preset_id="p", fit=DemandFit(model, state))
    for _ in range(claims):
        demand = demand.note(NOW - ago, is_hit=True)
    return demand


def decide(demand: Demand | None, *, now: datetime = NOW, policy: Policy | None = None, **rows: Any) -> Decision:
    """The decision for one preset, with `settings` of its own."""
    preset = make_preset(**FOLLOWING | rows.pop("settings", {}))
    running = [make_prebuild(f"w{number}", created_at=NOW - 9 * MINUTE) for number in range(rows.pop("running", 0))]
    snapshot = GlobalSnapshot(presets=[preset], running=running, demand=[demand] if demand else [], **rows)
    return plan(snapshot, now=now, policy=policy or Policy()).decisions[0]


# The target


def test_the_target_is_what_the_claims_ask_for() -> None:
    decision = decide(make_demand(claims=12, ago=timedelta()))
    target = decision.snapshot.target
    assert (target.desired, target.delete_above, target.source) == (10, 10, TargetSource.DEMAND)
    state = decision.state
    assert (state.desired, state.delete_above, state.target_source) == (10, None, TargetSource.DEMAND)
    assert state.demand == 10
    assert state.expected_claims == pytest.approx(2.87, abs=0.01)
    assert state.price == pytest.approx(10**-MODEL.caution, rel=0.1)
    assert decision.explain() == (
        "p: create 10: 10 wanted (2.9 claims expected in 5 min, usual for Mon 10:30: 0.021, today 9.6 times that), "
        "0 running"
    )


def test_what_is_held_stays_and_nothing_is_created_for_it() -> None:
    """The number to create up to, and the number above which to delete, are two."""
    decision = decide(make_demand(claims=12), running=9)
    target = decision.snapshot.target
    assert (target.desired, target.delete_above) == (6, 10)
    assert (decision.actions, decision.state.extraneous, decision.state.delete_above) == ((), 0, 10)
    assert "; 10 held until 10:41), 9 running" in decision.explain()
    assert [len(action.delete_ids) for action in decide(make_demand(claims=12), running=12).actions] == [2]


def test_starts_within_the_hold_are_not_canceled() -> None:
    def cancel(starting: int) -> int:
        starts = InProgress(preset_id="p", transition=Transition.START, count=starting)
        rows: Any = {"in_progress": [starts], "pending": [Pending(preset_id="p", count=starting)]}
        decision = decide(make_demand(claims=12), policy=Policy(cancel_surplus=True), **rows)
        return sum(action.cancel for action in decision.actions)

    assert [cancel(starting) for starting in (6, 10, 12)] == [0, 0, 2]


def test_an_aging_prebuild_stays_while_it_is_held() -> None:
    """As many are replaced as the target needs once they have expired."""
    lifetimes = {"ttl": 10 * MINUTE, "refresh_ahead": 2 * MINUTE}
    decision = decide(make_demand(claims=12), running=9, settings=lifetimes)
    assert decision.state.aging == 9
    assert [(action.create, action.delete_ids) for action in decision.actions] == [(6, ())]


@pytest.mark.parametrize(("own", "source"), [(8, TargetSource.DEMAND), (10, TargetSource.PRESET)])
def test_the_presets_own_count_is_the_floor(own: int, source: TargetSource) -> None:
    """The source is what gives the larger number, the held ones included."""
    target = decide(make_demand(claims=12), settings={"desired_instances": own}).snapshot.target
    assert target == Target(desired=own, source=source, delete_above=10)


def test_an_open_window_is_the_floor() -> None:
    window = Schedule(cron="* 9 * * *", instances=30)
    decision = decide(make_demand(claims=12), settings={"schedules": [window], "timezone": "UTC"})
    assert (decision.state.desired, decision.state.target_source) == (30, TargetSource.SCHEDULE)
    assert decision.explain() == (
        "p: create 30: 30 wanted (window `* 9 * * *`, UTC, until 09:59), demand wants 6 (0.86 claims expected in "
        "5 min, usual for Mon 10:30: 0.021, today 9.6 times that; 10 held until 10:41), 0 running"
    )


def test_schedules_that_cannot_be_used_and_inactive_presets_ignore_demand() -> None:
    broken = decide(make_demand(claims=12), settings={"schedules": [Schedule(cron="* 9 * * *", instances=3)]})
    assert broken.snapshot.target.source is TargetSource.FALLBACK
    assert broken.snapshot.target.desired == 0
    inactive = make_preset(template_version=INACTIVE, **FOLLOWING)
    target = calculate_target(inactive, now=NOW, demand=make_demand(claims=12))
    assert target == Target(desired=0, source=TargetSource.INACTIVE)
    made = plan(GlobalSnapshot(presets=[inactive], demand=[make_demand(claims=12)]), now=NOW)
    assert "as its template version is not the active one" in made.decisions[0].explain()
    assert made.next_change is None


def test_without_claims_the_presets_own_count_stands_and_it_says_so() -> None:
    decision = decide(None, settings={"desired_instances": 3})
    assert (decision.state.desired, decision.state.target_source) == (3, TargetSource.PRESET)
    assert decision.state.demand is None
    assert decision.explain() == ("p: create 3: 3 wanted, as no claims have been learned for its autoscale, 0 running")
    least = decide(None)
    assert (least.state.desired, least.state.target_source) == (1, TargetSource.DEMAND)
    assert least.explain() == (
        "p: create 1: 1 wanted (min_instances, as no claims have been learned for its autoscale), 0 running"
    )
    assert decision.next_change is None


def test_where_history_is_short_it_says_so() -> None:
    short = attrs.evolve(MODEL, share=0.0, days=0.25)
    decision = decide(make_demand(short, claims=12), settings={"desired_instances": 3})
    assert (decision.state.desired, decision.state.target_source) == (3, TargetSource.PRESET)
    assert decision.explain() == (
        "p: create 3: 3 wanted, demand wants 3 (the preset's own count, as 0.25 days of claims are too few), 0 running"
    )


def test_what_does_not_act_is_shown_all_the_same() -> None:
    shadow = {"desired_instances": 3, "autoscale": attrs.evolve(SCALE, acts=False)}
    decision = decide(make_demand(claims=12), settings=shadow)
    assert decision.snapshot.target == Target(desired=3, source=TargetSource.PRESET)
    assert decision.state.demand == 6
    assert "3 wanted, demand does not act, and wants 6 (0.86 claims expected in 5 min" in decision.explain()
    assert decision.next_change is None


# The settings


def test_changed_settings_count_at_once_and_another_lead_time_needs_new_learning() -> None:
    demand = make_demand(claims=12, ago=timedelta())
    narrow = attrs.evolve(SCALE, max_instances=5)
    assert decide(demand, settings={"autoscale": narrow}).state.desired == 5
    high = attrs.evolve(SCALE, min_instances=20)
    assert decide(demand, settings={"autoscale": high}).state.desired == 20
    other = attrs.evolve(SCALE, lead_time=timedelta(minutes=6))
    assert decide(demand, settings={"autoscale": other}).state.demand is None
    unheld = attrs.evolve(SCALE, hold=timedelta())
    assert decide(make_demand(claims=12), settings={"autoscale": unheld}).state.delete_above is None


def test_the_own_count_of_a_short_past_is_the_presets_own() -> None:
    half = attrs.evolve(MODEL, share=0.5, follows_demand=False, single=9, own_count=0)
    assert decide(make_demand(half), settings={"desired_instances": 3}).state.desired == 6


def test_no_count_of_a_preset_may_be_above_what_its_autoscale_allows() -> None:
    """As each of them is a floor."""
    small = attrs.evolve(SCALE, max_instances=3)
    allowed = r"Preset\.autoscale\.max_instances: 3 is not allowed; it must be at least {}, the largest count"
    with pytest.raises(InvalidValueError, match=allowed.format(4)):
        make_preset(desired_instances=4, autoscale=small)
    with pytest.raises(InvalidValueError, match=allowed.format(5)):
        make_preset(desired_instances=0, schedules=[Schedule(cron="* * * * *", instances=5)], autoscale=small)
    assert make_preset(desired_instances=3, autoscale=small).autoscale == small


def test_demand_is_of_its_preset_and_given_once() -> None:
    other = attrs.evolve(make_demand(), preset_id="q")
    with pytest.raises(InvalidValueError, match=r"PresetSnapshot\.demand"):
        PresetSnapshot(preset=make_preset(), now=NOW, demand=other)
    with pytest.raises(InvalidSnapshotError, match=r'demand\[1\]\.preset_id: "q" is given twice'):
        GlobalSnapshot(demand=[other, other])
    assert GlobalSnapshot(demand=[other]).orphan_counts[0].collection == "demand"
    long = attrs.evolve(MODEL, autoscale=attrs.evolve(SCALE, lead_time=timedelta(hours=2)))
    with pytest.raises(InvalidValueError, match=r"DemandFit\.state\.usual: .* 4 numbers"):
        DemandFit(long, make_demand().fit.state)


def test_failures_among_as_many_builds_as_an_autoscale_allows_make_it_back_off() -> None:
    """Its target is not known from builds alone, and its own count may be 0."""
    failed, *others = (
        Build(
            id=f"b{number}",
            preset_id="p",
            status=BuildStatus.SUCCEEDED if number else BuildStatus.FAILED,
            created_at=NOW - 20 * MINUTE + number * MINUTE,
            finished_at=NOW - 10 * MINUTE + number * MINUTE,
        )
        for number in range(5)
    )
    few = attrs.evolve(SCALE, max_instances=4)
    for scale, count in ((SCALE, 1), (few, 0), (attrs.evolve(SCALE, acts=False), 0), (None, 0)):
        preset = make_preset(desired_instances=0, autoscale=scale)
        assert len(calculate_backoffs([failed, *others], [preset], now=NOW)) == count


# When to look again


def test_the_next_change_is_the_first_look_at_which_the_target_differs() -> None:
    demand = make_demand(claims=12)
    decision = decide(demand)
    change = decision.next_change
    assert change is not None
    assert (change.cause, change.subject) == (ChangeCause.DEMAND, "p")
    assert "the target of the preset p is looked at again" in plan_notes(demand)
    at = NOW
    while at < change.at:
        assert decide(demand, now=at).snapshot.target == decision.snapshot.target
        at += MINUTE / 2
    assert decide(demand, now=change.at).snapshot.target != decision.snapshot.target


def plan_notes(demand: Demand) -> str:
    return plan(GlobalSnapshot(presets=[make_preset(**FOLLOWING)], demand=[demand]), now=NOW).notes[-1]


def test_a_target_that_stays_is_looked_at_after_15_looks_and_one_that_cannot_change_never() -> None:
    steady = attrs.evolve(MODEL, weights=(0.0,) * 8 + (2.0,))
    assert decide(make_demand(steady)).next_change_at == NOW + 15 * MINUTE
    for change in ({"follows_demand": False}, {"share": 0.0}):
        assert decide(make_demand(attrs.evolve(steady, **change))).next_change is None
    slow = attrs.evolve(steady, autoscale=attrs.evolve(SCALE, lead_time=timedelta(minutes=17)))
    assert decide(make_demand(slow), settings={"autoscale": slow.autoscale}).next_change_at == NOW + 45 * MINUTE


def test_no_look_is_later_than_any_decision() -> None:
    state = start_state(count_seconds(LAST_NOW) - 60, MODEL.lead, MODEL.timezone)
    demand = Demand(preset_id="p", fit=DemandFit(MODEL, state))
    assert find_next_demand_change(make_preset(**FOLLOWING), demand, LAST_NOW) is None


@given(data=st.data(), later=st.timedeltas(timedelta(), timedelta(hours=5)), share=st.floats(0, 1))
def test_a_demand_may_be_settled_at_any_time(data: st.DataObject, later: timedelta, share: float) -> None:
    """So a loop that keeps it moved on decides as one that does not."""
    now = data.draw(strategies.instants())
    demand = data.draw(strategies.demands(now=now))
    between = demand.settle(now + share * later)
    assert between.settle(now + later) == demand.settle(now + later)
    assert between.find_bounds(now + later) == demand.find_bounds(now + later)


@given(data=st.data())
def test_a_target_stays_within_its_limits(data: st.DataObject) -> None:
    now = data.draw(strategies.instants())
    scale = data.draw(strategies.autoscales())
    preset = make_preset(desired_instances=data.draw(st.integers(0, 5)), autoscale=scale)
    target = calculate_target(preset, now=now, demand=data.draw(strategies.demands(now=now, preset_id="p")))
    least = max(preset.desired_instances, scale.min_instances if scale.acts else 0)
    assert least <= target.desired <= target.delete_above <= scale.max_instances


# As a document


def test_a_dict_with_demand_loads_without_going_through_text() -> None:
    """A dumped snapshot has lists, as JSON has no tuples."""
    snapshot = GlobalSnapshot(presets=[make_preset(**FOLLOWING)], demand=[make_demand(claims=12).settle(NOW)])
    document = dump_snapshot(snapshot)
    assert load_snapshot(document) == snapshot
    assert json.loads(json.dumps(document)) == document


def test_a_document_names_the_place_of_what_is_wrong() -> None:
    preset = {"id": "p", "desired_instances": 0}
    scale = {"hit_rate": 1.5, "lead_time_seconds": 0, "max_instances": 5, "hold": 3}
    document = {
        "presets": [
            {**preset, "autoscale": scale},
            {**preset, "id": "q", "desired_instances": 6, "autoscale": {**scale, "hit_rate": 0.9}},
            {
                "id": "r",
                "desired_instances": 6,
                "autoscale": {"hit_rate": 0.9, "lead_time_seconds": 300, "max_instances": 5},
            },
            {**preset, "id": "s", "autoscale": 3},
        ],
        "demand": [{"preset_id": "p", "fit": {"model": {}, "state": {}}}],
    }
    with pytest.raises(InvalidSnapshotError) as caught:
        load_snapshot(document)
    problems = [problem.partition(": ")[0] for problem in caught.value.problems]
    assert problems == [
        "presets[0].autoscale.hit_rate",
        "presets[0].autoscale.lead_time_seconds",
        "presets[0].autoscale.hold",
        "presets[1].autoscale.lead_time_seconds",
        "presets[1].autoscale.hold",
        "presets[2].autoscale.max_instances",
        "presets[3].autoscale",
        "demand[0].fit.model",
    ]


@pytest.mark.parametrize(("zone", "learned"), [("Europe/Berlin", "Europe/Berlin"), ("", "UTC"), ("nowhere", "UTC")])
def test_a_preset_learns_from_its_own_claims(zone: str, learned: str) -> None:
    """By the clock of its zone, and of UTC where that is unknown. Claims are known up to the end of the past."""
    preset = make_preset(desired_instances=0, autoscale=SCALE, timezone=zone)
    begin = NOW - timedelta(days=2)
    demand = learn_demand(preset, [begin + 7 * MINUTE * number for number in range(300)], begin=begin, end=NOW)
    assert (demand.preset_id, demand.fit.model.autoscale) == (preset.id, SCALE)
    assert demand.fit.model.timezone == learned
    assert demand.settled_at == NOW


def test_a_preset_without_an_autoscale_learns_nothing() -> None:
    with pytest.raises(InvalidValueError, match=r"learn_demand\.preset\.autoscale"):
        learn_demand(make_preset(), [], begin=NOW - MINUTE, end=NOW)
