"""Targets: how many prebuilds are wanted, and where the number comes from (R3)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decision.examples import HOUR, INACTIVE, MICROSECOND, NOW, make_preset
from prebuilds import InvalidValueError, Schedule, Target, TargetSource, calculate_target
from prebuilds.decision.schedules.timetables import Timetable, compile_schedules
from prebuilds.decision.targets import find_next_target_change
from prebuilds.testing import strategies

MORNING = Schedule(cron="* 8-11 * * *", instances=7)
EVENING = Schedule(cron="* 18-19 * * *", instances=9)


def test_an_inactive_preset_wants_nothing_and_its_schedules_are_not_read() -> None:
    """Not even a bad schedule is looked at, so nothing is logged about it each round."""
    preset = make_preset(template_version=INACTIVE, schedules=[Schedule(cron="bad", instances=1)])
    assert calculate_target(preset, now=NOW) == Target(desired=0, source=TargetSource.INACTIVE)
    assert find_next_target_change(preset, NOW) is None


def test_without_schedules_the_count_is_the_presets_own() -> None:
    """And it never changes by time."""
    assert calculate_target(make_preset(), now=NOW) == Target(desired=3, source=TargetSource.PRESET)
    assert find_next_target_change(make_preset(), NOW) is None


def test_an_open_window_gives_the_count_and_else_the_preset_does() -> None:
    """In the preset's time zone: at 09:30 UTC it is 10:30 in Berlin."""
    preset = make_preset(schedules=[EVENING, MORNING], timezone="Europe/Berlin")
    target = calculate_target(preset, now=NOW)
    assert (target.desired, target.source, target.error) == (7, TargetSource.SCHEDULE, None)
    assert target.opening is not None
    assert (target.opening.index, target.opening.window.expression) == (1, "* 8-11 * * *")
    assert calculate_target(preset, now=NOW + 2 * HOUR) == Target(desired=3, source=TargetSource.PRESET)
    assert find_next_target_change(preset, NOW) == NOW + timedelta(hours=1, minutes=30)


def test_a_naive_instant_is_refused() -> None:
    """It would be taken for the local time of the machine."""
    with pytest.raises(InvalidValueError, match=r"calculate_target\.now: .* it must be a datetime with a time zone"):
        calculate_target(make_preset(schedules=[MORNING], timezone="UTC"), now=NOW.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("schedules", "zone", "error"),
    [
        ([MORNING], None, "timezone: missing; schedules need the name of a time zone"),
        ([MORNING], "Mars/Olympus", "timezone: 'Mars/Olympus' is not a known time zone"),
        ([Schedule(cron="* 25 * * *", instances=1)], "UTC", "schedules[0]: hour field: `25` is not from 0 to 23"),
        (
            [MORNING, Schedule(cron="* 11 * * *", instances=1), Schedule(cron="x", instances=1)],
            "UTC",
            "schedules[2]: needs 5 fields, has 1; schedules[0] and schedules[1]: "
            "`* 8-11 * * *` and `* 11 * * *` overlap, first on Sun 1 Jan, 11:00-11:59",
        ),
    ],
)
def test_schedules_that_cannot_be_used_fall_back(schedules: list[Schedule], zone: str | None, error: str) -> None:
    """The preset's own count holds, and the target keeps the text of every error."""
    preset = make_preset(schedules=schedules, timezone=zone)
    assert calculate_target(preset, now=NOW) == Target(desired=3, source=TargetSource.FALLBACK, error=error)
    assert find_next_target_change(preset, NOW) is None


@given(
    st.lists(strategies.crons(), min_size=1, max_size=2),
    st.sampled_from(strategies.ZONES),
    strategies.instants(),
    st.lists(st.timedeltas(timedelta(days=-3), timedelta(days=3)), min_size=1, max_size=8),
)
def test_earlier_questions_change_no_answer(crons: list[str], zone: str, now: datetime, moves: list[timedelta]) -> None:
    """An edge is kept until it passes: asked in any order of instants, each gets the edge that is its own."""
    preset = make_preset(schedules=[Schedule(cron=cron, instances=1) for cron in crons], timezone=zone)
    timetable = compile_schedules(preset.schedules, zone)
    for at in (now, *(now + move for move in moves)):
        own = timetable.find_next_edge(at) if isinstance(timetable, Timetable) else None
        assert find_next_target_change(preset, at) == own
        assert own is None or find_next_target_change(preset, own - MICROSECOND) == own
        assert own is None or find_next_target_change(preset, own) != own


def test_an_edge_is_looked_for_once_until_it_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pass asks for it: presets of one timetable share it, and from the edge on it is looked for anew."""
    found: list[datetime] = []
    find_next_edge = Timetable.find_next_edge

    def watch(timetable: Timetable, now: datetime) -> datetime | None:
        found.append(now)
        return find_next_edge(timetable, now)

    monkeypatch.setattr(Timetable, "find_next_edge", watch)
    presets = [make_preset(id=name, schedules=[EVENING], timezone="Asia/Kolkata") for name in ("a", "b")]
    evening = NOW.replace(hour=12, minute=30)
    for at in (NOW, NOW + HOUR, evening - MICROSECOND, evening, evening + HOUR, NOW):
        for preset in presets:
            find_next_target_change(preset, at)
    assert found == [NOW, evening, NOW]
    rare = make_preset(schedules=[Schedule(cron="* * 30 2 *", instances=1)], timezone="Asia/Kolkata")
    assert [find_next_target_change(rare, NOW + day * 24 * HOUR) for day in range(3)] == [None] * 3
    assert found == [NOW, evening, NOW, NOW]
