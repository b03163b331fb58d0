"""Laws of every plan, whatever the snapshot, found by Hypothesis."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random

import attrs
from decision.walking import Walk
from hypothesis import assume, given
from hypothesis import strategies as st

from prebuilds import (
    ActionType,
    ChangeCause,
    Decision,
    GlobalSnapshot,
    InProgress,
    Plan,
    Policy,
    Prebuild,
    ReconciliationActions,
    TargetSource,
    Transition,
    calculate_actions,
    calculate_state,
    calculate_target,
    can_skip_reconciliation,
    plan,
)
from prebuilds.decision.policies.waiting import calculate_backoff_until, is_probe_due
from prebuilds.decision.schedules.zones import load_zone
from prebuilds.testing import strategies

MICROSECOND = timedelta(microseconds=1)
World = tuple[datetime, GlobalSnapshot, Policy]


@st.composite
def worlds(draw: st.DrawFn, *, with_orphans: bool = True) -> World:
    """An instant, what is there then, and a policy."""
    now = draw(strategies.instants())
    snapshot = draw(strategies.global_snapshots(now=now, with_orphans=with_orphans))
    return now, snapshot, draw(strategies.policies())


def plan_world(world: World) -> Plan:
    now, snapshot, policy = world
    return plan(snapshot, now=now, policy=policy)


def list_actions(decision: Decision) -> tuple[ReconciliationActions, ...]:
    """Everything that was decided, withheld or not."""
    return (*decision.actions, *(entry.action for entry in decision.withheld))


def merge_creates(actions: Sequence[ReconciliationActions]) -> tuple[ReconciliationActions, ...]:
    """The actions with what is created and what is withheld of it as one create, which comes last."""
    others = [action for action in actions if action.type is not ActionType.CREATE]
    count = sum(action.create for action in actions)
    return (*others, ReconciliationActions(type=ActionType.CREATE, create=count)) if count else tuple(others)


def list_deletes(decision: Decision) -> list[str]:
    return [name for action in list_actions(decision) for name in action.delete_ids]


def count_creates(decision: Decision) -> int:
    return sum(action.create for action in list_actions(decision))


@given(worlds())
def test_same_input_same_plan(world: World) -> None:
    """A plan depends on its arguments and on nothing else, and says the same in words and tables."""
    first, second = plan_world(world), plan_world(copy.deepcopy(world))
    assert first == second
    assert first.explain() == second.explain()
    assert first._repr_html_() == second._repr_html_()
    assert first.next_change == second.next_change


@given(worlds(), st.randoms(use_true_random=False))
def test_any_order_of_rows_gives_the_same_plan(world: World, random: Random) -> None:
    """Presets decided in another order are decided alike; all other rows may come in any order."""
    now, snapshot, policy = world
    shuffled = {
        field.name: random.sample(getattr(snapshot, field.name), len(getattr(snapshot, field.name)))
        for field in attrs.fields(GlobalSnapshot)
    }
    made, other = plan_world(world), plan(GlobalSnapshot(**shuffled), now=now, policy=policy)
    assert {decision.preset_id: decision for decision in made} == {decision.preset_id: decision for decision in other}
    assert made.orphan_counts == other.orphan_counts
    assert plan(GlobalSnapshot(**shuffled | {"presets": snapshot.presets}), now=now, policy=policy) == made


@given(worlds())
def test_inputs_are_left_unchanged(world: World) -> None:
    """No list that is given is sorted in place or changed, and neither is anything in a snapshot."""
    now, snapshot, policy = world
    names = [field.name for field in attrs.fields(GlobalSnapshot)]
    # Turned round, as what sorts in place has done so already when the snapshot was made.
    given_lists = {name: list(reversed(getattr(snapshot, name))) for name in names}
    before = copy.deepcopy((world, given_lists))
    made = plan(GlobalSnapshot(**given_lists), now=now, policy=policy)
    made.explain()
    assert made.next_change_at is None or made.next_change_at > now
    assert (world, given_lists) == before


@given(worlds())
def test_renaming_ids_keeps_the_shape(world: World) -> None:
    """Ids are opaque: new names in the same order give the same plan under the new names."""
    now, snapshot, policy = world
    policy = attrs.evolve(policy, backoff_jitter=0)  # jitter depends on the ids
    snapshot = attrs.evolve(snapshot, presets=[attrs.evolve(each, ttl_jitter=0) for each in snapshot.presets])
    renamed = rename(snapshot, "x-{}".format)
    old, new = plan(snapshot, now=now, policy=policy), plan(renamed, now=now, policy=policy)
    assert [decision.state for decision in old] == [decision.state for decision in new]
    assert [[f"x-{name}" for name in list_deletes(decision)] for decision in old] == list(map(list_deletes, new))
    assert [count_creates(decision) for decision in old] == [count_creates(decision) for decision in new]
    assert old.orphans == new.orphans


def rename(snapshot: GlobalSnapshot, change: Callable[[str], str]) -> GlobalSnapshot:
    """The snapshot with every id of a preset or a prebuild changed."""
    return GlobalSnapshot(
        presets=[attrs.evolve(preset, id=change(preset.id)) for preset in snapshot.presets],
        running=[attrs.evolve(row, id=change(row.id), preset_id=change(row.preset_id)) for row in snapshot.running],
        in_progress=[attrs.evolve(row, preset_id=change(row.preset_id)) for row in snapshot.in_progress],
        pending=[attrs.evolve(row, preset_id=change(row.preset_id)) for row in snapshot.pending],
        backoffs=[attrs.evolve(row, preset_id=change(row.preset_id)) for row in snapshot.backoffs],
        hard_limited=[change(name) for name in snapshot.hard_limited],
        limits=[attrs.evolve(row, preset_id=change(row.preset_id)) for row in snapshot.limits],
        demand=[attrs.evolve(row, preset_id=change(row.preset_id)) for row in snapshot.demand],
    )


def carry_out(snapshot: GlobalSnapshot, made: Plan) -> GlobalSnapshot:
    """What is there once the actions are done and every build in progress has finished."""
    deleted = {name for decision in made for action in decision.actions for name in action.delete_ids}
    canceled = {
        decision.preset_id
        for decision in made
        if any(action.type is ActionType.CANCEL_PENDING for action in decision.actions)
    }
    starts = [
        InProgress(preset_id=decision.preset_id, transition=Transition.START, count=action.create)
        for decision in made
        for action in decision.actions
        if action.create
    ]
    return attrs.evolve(
        snapshot,
        running=[
            *(row for row in snapshot.running if row.id not in deleted),
            *finish([*snapshot.in_progress, *starts], made.now, taken=len(snapshot.running)),
        ],
        in_progress=(),
        pending=[row for row in snapshot.pending if row.preset_id not in canceled],
    )


def finish(rows: list[InProgress], now: datetime, *, taken: int) -> list[Prebuild]:
    """The prebuilds that the starts among these builds become."""
    owners = [row.preset_id for row in rows if row.transition is Transition.START for _ in range(row.count)]
    return [
        Prebuild(id=f"new-{taken}-{number}", preset_id=owner, created_at=now, ready=True)
        for number, owner in enumerate(owners)
    ]


@given(worlds(with_orphans=False))
def test_carrying_out_a_plan_leaves_nothing_to_do(world: World) -> None:
    """With builds finishing in between: once what had been starting is there too, one more round is the last."""
    now, snapshot, policy = world
    # Probes, slow starts, budgets, and what `max_creates` and `max_surge` bound go in rounds.
    policy = attrs.evolve(policy, probe_interval=None, slow_start=False, budgets=(), max_creates=1_000)
    at_once = {"refresh_ahead": None, "max_surge": None}
    snapshot = attrs.evolve(snapshot, presets=[attrs.evolve(each, **at_once) for each in snapshot.presets])
    first = plan(snapshot, now=now, policy=policy)
    after = carry_out(snapshot, first)
    second = plan(after, now=now, policy=policy)
    if not snapshot.in_progress:
        assert_settled(second)
    assert_settled(plan(carry_out(after, second), now=now, policy=policy))


def assert_settled(made: Plan) -> None:
    """Nothing is to be done; a backoff may still hold, and the creates of a limited preset be withheld."""
    for decision in made:
        assert {action.type for action in decision.actions} <= {ActionType.BACKOFF}
        if not list_actions(decision):
            state = decision.state
            assert state.desired <= state.actual <= (state.delete_above or state.desired)


@given(worlds())
def test_creates_never_exceed_the_deficit(world: World) -> None:
    """Nor the target at the same instant; what is starting counts as there."""
    for decision in plan_world(world):
        state = decision.state
        missing = state.desired - (state.actual - state.expired) - state.starting
        surge = decision.snapshot.preset.max_surge
        ahead = state.aging if surge is None else min(state.aging, surge)
        assert count_creates(decision) <= max(missing + ahead, 0)
        assert count_creates(decision) <= state.desired


@given(worlds())
def test_deletes_are_distinct_and_of_that_preset(world: World) -> None:
    """No prebuild is deleted twice, none that is not there, none of another preset."""
    _, snapshot, _ = world
    for decision in plan_world(world):
        names = list_deletes(decision)
        own = {row.id for row in snapshot.running if row.preset_id == decision.preset_id}
        assert len(names) == len(set(names))
        assert set(names) <= own


@given(worlds(), st.integers(1, 5))
def test_raising_the_target_never_adds_deletes(world: World, more: int) -> None:
    """Whoever asks for more prebuilds loses none for it."""
    now, snapshot, policy = world
    raised = [
        attrs.evolve(
            preset,
            desired_instances=preset.desired_instances + more,
            schedules=[attrs.evolve(each, instances=each.instances + more) for each in preset.schedules],
        )
        for preset in snapshot.presets
    ]
    higher = plan(attrs.evolve(snapshot, presets=raised), now=now, policy=policy)
    for before, after in zip(plan_world(world), higher, strict=True):
        assert set(list_deletes(after)) <= set(list_deletes(before))


@given(worlds())
def test_a_decision_does_not_depend_on_other_presets_rows(world: World) -> None:
    """With all other presets and their rows gone it is the same."""
    now, snapshot, policy = world
    for decision in plan_world(world):
        name = decision.preset_id
        alone = GlobalSnapshot(
            presets=[preset for preset in snapshot.presets if preset.id == name],
            running=[row for row in snapshot.running if row.preset_id == name],
            in_progress=[row for row in snapshot.in_progress if row.preset_id == name],
            pending=[row for row in snapshot.pending if row.preset_id == name],
            backoffs=[row for row in snapshot.backoffs if row.preset_id == name],
            hard_limited=[limited for limited in snapshot.hard_limited if limited == name],
            limits=[row for row in snapshot.limits if row.preset_id == name],
            demand=[row for row in snapshot.demand if row.preset_id == name],
        )
        assert plan(alone, now=now, policy=policy).decisions == (decision,)


@given(worlds())
def test_what_can_be_skipped_has_no_actions(world: World) -> None:
    """And the plan is what its parts say one by one."""
    now, snapshot, policy = world
    for decision in plan_world(world):
        single = snapshot.for_preset(decision.preset_id, now)
        actions = calculate_actions(single, policy)
        assert merge_creates(list_actions(decision)) == actions
        if can_skip_reconciliation(single):
            assert actions == ()


@given(worlds())
def test_nothing_is_due_while_paused(world: World) -> None:
    """All that would be done is withheld instead."""
    now, snapshot, policy = world
    for going, paused in zip(plan_world(world), plan(snapshot, now=now, policy=policy, paused=True), strict=True):
        assert paused.actions == ()
        assert merge_creates(list_actions(paused)) == merge_creates(list_actions(going))


@given(worlds(), st.floats(0, 1, exclude_max=True))
def test_nothing_changes_before_the_next_change(world: World, fraction: float) -> None:
    """Any time before it, without new data, the decision is the same; if none comes, for ever."""
    now, snapshot, policy = world
    for decision in plan_world(world):
        end = decision.next_change_at or now + timedelta(days=400)
        for later in (now + fraction * (end - MICROSECOND - now), end - MICROSECOND):
            (again,) = plan(snapshot, now=later, policy=policy).for_preset(decision.preset_id)
            assert again == decision


@given(worlds())
def test_the_cause_of_the_next_change_is_real(world: World) -> None:
    """At that instant the prebuild named has expired, the backoff is over, or another window is open."""
    now, snapshot, policy = world
    for decision in plan_world(world):
        change = decision.next_change
        if change is None or change.cause is ChangeCause.DEMAND:  # a look, at which the target may be the same
            continue
        assert change.at > now
        then = snapshot.for_preset(decision.preset_id, change.at)
        if change.cause is ChangeCause.EXPIRY:
            assert change.subject in {row.id for row in then.expired}
            assert change.subject in {row.id for row in (*decision.snapshot.running, *decision.snapshot.stuck)}
        elif change.cause is ChangeCause.BACKOFF_END:
            assert calculate_backoff_until(decision.snapshot, policy) == change.at - MICROSECOND
            assert calculate_backoff_until(then, policy) is None
        elif change.cause is ChangeCause.PROBE:
            assert (is_probe_due(decision.snapshot, policy), is_probe_due(then, policy)) == (False, True)
        elif change.cause is ChangeCause.AGING:
            assert calculate_state(then).aging > 0
        elif change.cause is ChangeCause.READY_DEADLINE:
            assert change.subject in {row.id for row in decision.snapshot.running}
            assert change.subject in {row.id for row in (*then.stuck, *then.expired)}
        elif change.cause is ChangeCause.BUILD_DEADLINE:
            assert calculate_state(then).overdue > decision.state.overdue
        elif change.cause is ChangeCause.INVALIDATION:
            assert set(then.expired) > set(decision.snapshot.expired)
        else:
            assert then.target != decision.snapshot.target


@given(worlds())
def test_a_target_is_what_the_wall_clock_of_the_zone_says(world: World) -> None:
    """In gaps and folds too: the minute, hour, day and month that a clock there shows decide, and nothing else."""
    now, snapshot, _ = world
    for preset in snapshot.presets:
        target = calculate_target(attrs.evolve(preset, autoscale=None), now=now)
        if target.source not in (TargetSource.SCHEDULE, TargetSource.PRESET) or not preset.schedules:
            continue
        zone, base = load_zone(preset.timezone or ""), preset.desired_instances
        walked = Walk(preset.schedules, preset.precedence, zone, now, days=0, base=base)
        shown = walked.choose(now)
        assert target.desired == (preset.desired_instances if shown is None else preset.schedules[shown].instances)
        assert (target.source is TargetSource.SCHEDULE) is (shown is not None)


@given(worlds())
def test_everything_a_plan_makes_would_pass_its_own_checks(world: World) -> None:
    """A plan makes its values without checking them again; made in the ordinary way they are the same."""
    for decision in plan_world(world):
        for value in (
            decision,
            decision.state,
            *list_actions(decision),
            *decision.withheld,
            decision.snapshot,
            decision.snapshot.target,
        ):
            remade = attrs.evolve(value)
            assert remade == value
            assert repr(remade) == repr(value)


@given(worlds(), st.data())
def test_a_snapshot_of_one_preset_may_be_given_in_any_order(world: World, data: st.DataObject) -> None:
    """Its prebuilds are ranked when it is made, so that whoever makes one by hand gets the same actions."""
    now, snapshot, policy = world
    assume(snapshot.presets)
    single = snapshot.for_preset(data.draw(st.sampled_from(snapshot.presets)).id, now)
    other = attrs.evolve(
        single,
        running=data.draw(st.permutations(single.running)),
        expired=data.draw(st.permutations(single.expired)),
        stuck=data.draw(st.permutations(single.stuck)),
    )
    assert other == single
    assert calculate_actions(other, policy) == calculate_actions(single, policy)
