"""Deadlines of prebuilds and starts (R14)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from decision.examples import (
    HOUR,
    INACTIVE,
    MICROSECOND,
    MINUTE,
    NOW,
    make_backoff,
    make_fleet,
    make_in_progress,
    make_prebuild,
    make_preset,
    make_snapshot,
)
from prebuilds import (
    ActionType,
    Change,
    ChangeCause,
    InProgress,
    InvalidValueError,
    Plan,
    Preset,
    Transition,
    load_snapshot,
    plan,
)

DAY = timedelta(days=1)
QUARTER = 15 * MINUTE
READY = make_preset(desired_instances=1, ready_deadline=QUARTER)
BUILT = make_preset(desired_instances=1, build_deadline=HOUR)


def make_unready(name: str = "a", started_ago: timedelta = 3 * DAY, **changes: Any) -> Any:
    values = {"ready": False, "created_at": NOW - 3 * DAY, "started_at": NOW - started_ago, **changes}
    return make_prebuild(name, **values)


def decide(preset: Preset, **rows: Any) -> Plan:
    return plan(make_fleet(preset, **rows), now=NOW)


def list_actions(made: Plan) -> list[tuple[ActionType, int, tuple[str, ...]]]:
    (decision,) = made
    return [(action.type, action.create, action.delete_ids) for action in decision.actions]


def test_a_prebuild_that_never_becomes_ready_is_deleted_and_replaced() -> None:
    """Field case 2: it is stuck, fills no place, and is neither running nor eligible."""
    made = decide(READY, running=[make_unready()])
    (decision,) = made
    state = decision.state
    assert list_actions(made) == [(ActionType.DELETE, 0, ("a",)), (ActionType.CREATE, 1, ())]
    assert (state.stuck, state.actual, state.expired, state.eligible, state.extraneous) == (1, 0, 0, 0, 0)
    assert decision.explain().splitlines() == [
        "p: delete 1 (a): stuck, not ready 15 min after the start ended, which counts as 1 failed build",
        "p: create 1: 1 wanted, 0 running, 1 stuck",
    ]


def test_a_hung_start_is_replaced_once() -> None:
    """Field case 3: it is overdue and not starting. Once its replacement starts there is nothing to do."""
    hung = make_in_progress(1, began_at=NOW - 3 * DAY)
    made = decide(BUILT, in_progress=[hung])
    (decision,) = made
    assert list_actions(made) == [(ActionType.CREATE, 1, ())]
    assert (decision.state.overdue, decision.state.starting) == (1, 0)
    assert decision.explain() == "p: create 1: 1 wanted, 0 running, 1 overdue"
    assert list_actions(decide(BUILT, in_progress=[hung, make_in_progress(1, began_at=NOW)])) == []


def test_stuck_prebuilds_go_after_the_expired_and_before_those_beyond_the_target() -> None:
    """One that has expired too is expired, and nothing else."""
    preset = make_preset(desired_instances=1, ready_deadline=QUARTER, ttl=4 * DAY)
    rows = [
        make_prebuild("old", created_at=NOW - 5 * DAY),
        make_unready("both", created_at=NOW - 5 * DAY),
        make_unready("stuck"),
        make_prebuild("x", created_at=NOW - 2 * HOUR),
        make_prebuild("y"),
    ]
    made = decide(preset, running=rows)
    assert [names for _, _, names in list_actions(made)] == [("both", "old"), ("stuck",), ("x",)]


@pytest.mark.parametrize(
    ("row", "is_stuck"),
    [
        pytest.param(make_unready(started_ago=QUARTER), True, id="exactly at the deadline"),
        pytest.param(make_unready(started_ago=QUARTER - MICROSECOND), False, id="just before it"),
        pytest.param(make_unready(started_at=None), False, id="unknown start"),
        pytest.param(make_prebuild("a", started_at=NOW - DAY), False, id="ready"),
    ],
)
def test_a_prebuild_is_stuck_from_the_deadline_on(row: Any, is_stuck: bool) -> None:
    """The deadline counts from the end of its start, that instant included; what is unknown is never late."""
    snapshot = make_fleet(READY, running=[row]).for_preset("p", NOW)
    assert (snapshot.stuck, snapshot.running) == (((row,), ()) if is_stuck else ((), (row,)))


@pytest.mark.parametrize(
    ("row", "overdue"),
    [
        pytest.param(make_in_progress(2, began_at=NOW - HOUR), 2, id="exactly at the deadline"),
        pytest.param(make_in_progress(2, began_at=NOW - HOUR + MICROSECOND), 0, id="just before it"),
        pytest.param(make_in_progress(2), 0, id="unknown"),
        pytest.param(make_in_progress(2, overdue=1), 1, id="told by the host"),
        pytest.param(make_in_progress(2, Transition.DELETE, began_at=NOW - DAY), 0, id="a delete"),
    ],
)
def test_a_start_is_overdue_from_the_deadline_on(row: InProgress, overdue: int) -> None:
    """The deadline counts from when it began. The host may count for itself. Only starts have a deadline."""
    (decision,) = decide(BUILT, in_progress=[row])
    starting = row.count - overdue if row.transition is Transition.START else 0
    assert (decision.state.overdue, decision.state.starting) == (overdue, starting)


def test_without_a_deadline_nothing_is_late() -> None:
    """Neither after three days; what the host itself calls overdue still fills no place."""
    rows: dict[str, Any] = {
        "running": [make_unready()],
        "in_progress": [make_in_progress(1, began_at=NOW - 3 * DAY), make_in_progress(2, overdue=2)],
    }
    (decision,) = decide(make_preset(desired_instances=3), **rows)
    assert [action.create for action in decision.actions] == [1]
    assert (decision.state.stuck, decision.state.overdue) == (0, 2)
    assert decision.next_change is None


def test_an_inactive_preset_has_nothing_stuck() -> None:
    """All that it has goes, stuck or not; a snapshot made by hand may still say which are."""
    preset = make_preset(ready_deadline=QUARTER, template_version=INACTIVE)
    made = decide(preset, running=[make_unready("a"), make_prebuild("b")])
    assert list_actions(made) == [(ActionType.DELETE, 0, ("a", "b"))]
    assert made.decisions[0].state.stuck == 0
    assert made.next_change is None


def test_deadlines_are_changes() -> None:
    """The plan differs from the instant at which the next prebuild is stuck, or the next start is overdue."""
    rows = [make_unready("a", QUARTER), make_unready("b", 5 * MINUTE), make_unready("c", 4 * MINUTE)]
    rows += [make_unready("unknown", started_at=None), make_prebuild("ready", started_at=NOW - 14 * MINUTE)]
    (decision,) = decide(READY, running=rows)
    assert decision.next_change == Change(at=NOW + 10 * MINUTE, cause=ChangeCause.READY_DEADLINE, subject="b")
    starts = [make_in_progress(1, began_at=NOW - ago) for ago in (HOUR, 20 * MINUTE, 10 * MINUTE)]
    made = decide(BUILT, in_progress=[*starts, make_in_progress(0, began_at=NOW - 30 * MINUTE)])
    assert made.next_change == Change(at=NOW + 40 * MINUTE, cause=ChangeCause.BUILD_DEADLINE, subject="p")
    assert "2026-11-23 10:10:00 UTC: a start of the preset p is overdue unless it has ended" in made.explain()


def test_what_is_stuck_still_expires() -> None:
    """In a backoff it is kept until then, and its class changes at that instant."""
    preset = make_preset(desired_instances=1, ready_deadline=QUARTER, ttl=4 * DAY)
    (decision,) = decide(preset, running=[make_unready()], backoffs=[make_backoff(3, NOW)])
    assert decision.next_change == Change(at=NOW + 3 * MINUTE + MICROSECOND, cause=ChangeCause.BACKOFF_END, subject="p")
    later = make_preset(desired_instances=1, ready_deadline=QUARTER, ttl=3 * DAY + MINUTE)
    (decision,) = decide(later, running=[make_unready()], backoffs=[make_backoff(3, NOW)])
    assert decision.next_change == Change(at=NOW + MINUTE + MICROSECOND, cause=ChangeCause.EXPIRY, subject="a")


def test_a_prebuild_is_in_one_part_of_a_snapshot() -> None:
    """Running, expired or stuck, and of this preset."""
    row = make_unready()
    with pytest.raises(InvalidValueError, match="distinct prebuilds, none in `running` or `expired`"):
        make_snapshot(running=[row], stuck=[row])
    with pytest.raises(InvalidValueError, match=r"PresetSnapshot\.stuck"):
        make_snapshot(stuck=[make_unready(preset_id="q")])


@pytest.mark.parametrize("name", ["ready_deadline", "build_deadline"])
@pytest.mark.parametrize("value", [timedelta(), -MINUTE, timedelta(days=40_000), 60])
def test_a_deadline_is_a_time_or_none(name: str, value: object) -> None:
    """The error names the field, the value and what is allowed."""
    with pytest.raises(
        InvalidValueError, match=rf"Preset.{name}: .* a timedelta of more than 0 and up to 36525 days, or None"
    ):
        make_preset(**{name: value})


@pytest.mark.parametrize("transition", list(Transition))
def test_no_more_starts_are_overdue_than_there_are(transition: Transition) -> None:
    """And none of a row of stops or deletes."""
    most = 2 if transition is Transition.START else 0
    make_in_progress(2, transition, overdue=most)
    with pytest.raises(InvalidValueError, match=rf"at most {most}, the number of starts"):
        make_in_progress(2, transition, overdue=most + 1)


def test_a_document_may_have_deadlines() -> None:
    """In seconds, as the ttl; a prebuild tells when its start ended, a row of builds how many are overdue."""
    document = {
        "presets": [{"id": "p", "desired_instances": 2, "ready_deadline_seconds": 900, "build_deadline_seconds": 3600}],
        "running": [
            {
                "id": "a",
                "preset_id": "p",
                "created_at": "2026-11-20T09:00:00Z",
                "started_at": "2026-11-20T09:30:00Z",
            }
        ],
        "in_progress": [{"preset_id": "p", "transition": "start", "count": 1, "overdue": 1}],
    }
    snapshot = load_snapshot(document)
    assert snapshot == make_fleet(
        make_preset(desired_instances=2, ready_deadline=QUARTER, build_deadline=HOUR),
        running=[make_prebuild("a", ready=False, created_at=NOW - 3 * DAY - 30 * MINUTE, started_at=NOW - 3 * DAY)],
        in_progress=[make_in_progress(1, overdue=1)],
    )
    (decision,) = plan(snapshot, now=NOW)
    assert (decision.state.stuck, decision.state.overdue) == (1, 1)
