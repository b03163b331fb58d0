"""Laws of the policies beyond the original: classes of rows, own ttls, and probes."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs
from hypothesis import assume, given
from hypothesis import strategies as st

from prebuilds import GlobalSnapshot, InProgress, Policy, PresetSnapshot, Transition, calculate_state, plan
from prebuilds.decision.lifetimes.aging import calculate_own_ttl
from prebuilds.decision.state import count_instances
from prebuilds.testing import strategies

DAY = timedelta(days=1)


@st.composite
def snapshots(draw: st.DrawFn) -> tuple[datetime, GlobalSnapshot]:
    """An instant, and what is there then."""
    now = draw(strategies.instants(max_value=datetime.fromisoformat("2099-12-01T00:00:00+00:00")))
    return now, draw(strategies.global_snapshots(now=now))


def list_parts(snapshot: PresetSnapshot) -> list[str]:
    """The ids in all parts of a snapshot that prebuilds are split into."""
    return [row.id for part in (snapshot.running, snapshot.expired, snapshot.stuck) for row in part]


@given(snapshots())
def test_every_row_is_in_exactly_one_class(world: tuple[datetime, GlobalSnapshot]) -> None:
    """Running, expired or stuck; starting, overdue, stopping or deleting. The counts add up to all there is."""
    now, snapshot = world
    for preset in snapshot.presets:
        own, state = snapshot.for_preset(preset.id, now), calculate_state(snapshot.for_preset(preset.id, now))
        assert sorted(list_parts(own)) == sorted(row.id for row in snapshot.running if row.preset_id == preset.id)
        under_way = state.starting + state.overdue + state.stopping + state.deleting
        assert under_way == sum(row.count for row in snapshot.in_progress if row.preset_id == preset.id)
        assert count_instances(own) == state.actual + state.stuck + under_way
        assert {row.id for row in own.aging} <= {row.id for row in own.running}


@given(snapshots(), st.timedeltas(timedelta(), DAY))
def test_a_prebuild_expires_at_its_own_ttl_however_often_it_is_planned(
    world: tuple[datetime, GlobalSnapshot], later: timedelta
) -> None:
    """The jitter depends on the id alone: what has expired stays so, and what is good expires after its own ttl."""
    now, snapshot = world
    for preset in snapshot.presets:
        before, after = (snapshot.for_preset(preset.id, at) for at in (now, now + later))
        assert {row.id for row in before.expired} <= {row.id for row in after.expired}
        for row in (*before.running, *before.stuck):
            ttl = calculate_own_ttl(preset, row.id)
            is_invalidated = preset.last_invalidated_at is not None and (
                row.created_at < preset.last_invalidated_at <= now + later
            )
            has_outlived = ttl is not None and now + later - row.created_at > ttl
            assert (row in after.expired) == (has_outlived or is_invalidated)


@given(snapshots(), st.data())
def test_a_probe_is_one_create_and_never_doubled(world: tuple[datetime, GlobalSnapshot], data: st.DataObject) -> None:
    """A limited preset creates at most one, and none while a start is under way, however often it is planned."""
    now, snapshot = world
    policy = data.draw(strategies.policies())
    assume(snapshot.limits)
    for row in snapshot.limits:
        first = _count_creates(snapshot, row.preset_id, now, policy)
        assert first <= 1
        begun = InProgress(preset_id=row.preset_id, transition=Transition.START, count=1, began_at=now)
        after = attrs.evolve(snapshot, in_progress=[*snapshot.in_progress, begun])
        preset = next((each for each in snapshot.presets if each.id == row.preset_id), None)
        if preset is not None and preset.build_deadline != timedelta():
            assert _count_creates(after, row.preset_id, now, policy) == 0


def _count_creates(snapshot: GlobalSnapshot, preset_id: str, now: datetime, policy: Policy) -> int:
    made = plan(snapshot, now=now, policy=policy)
    return sum(action.create for decision in made if decision.preset_id == preset_id for action in decision.actions)
