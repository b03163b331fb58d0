"""The loop logs schedules that cannot be used (field case 26): once for each preset, and again at each change."""

from __future__ import annotations

import logging

import attrs
import pytest

from prebuilds import GlobalSnapshot, Preset, Schedule, plan
from prebuilds.runtime.loop.schedule_warnings import ScheduleLog
from runtime.world import NOW, World, make_preset

OFFICE = Schedule(cron="* 8-18 * * 1-5", instances=2)
BAD = Schedule(cron="* * * * 6-8", instances=1)
UNUSABLE = (
    "p keeps its own count, as its schedules cannot be used: schedules[1]: day-of-week field: `8` is not from 0 to 7"
)


def make(*schedules: Schedule, **changes: str) -> Preset:
    return make_preset(schedules=schedules, timezone="UTC", **changes)


@pytest.fixture
def world(caplog: pytest.LogCaptureFixture) -> World:
    caplog.set_level(logging.INFO, "prebuilds.runtime.loop.schedule_warnings")
    return World(make(OFFICE, BAD), make(OFFICE, id="q"))


def list_lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """What has been logged since this was asked last."""
    records = [record for record in caplog.records if record.name == "prebuilds.runtime.loop.schedule_warnings"]
    caplog.clear()
    return [(record.levelname, record.getMessage()) for record in records]


def test_it_is_reported_once_when_it_begins(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Not at every pass. The record has the preset and the reason as fields."""
    world.reconcile()
    (record,) = [record for record in caplog.records if record.name == "prebuilds.runtime.loop.schedule_warnings"]
    assert (vars(record)["preset_id"], vars(record)["schedule_error"]) == ("p", UNUSABLE.partition("used: ")[2])
    assert list_lines(caplog) == [("WARNING", UNUSABLE)]
    world.reconcile()
    world.reconciler.reconcile_preset("p")
    world.reconciler.reconcile_preset("q")
    world.reconcile()
    assert list_lines(caplog) == []


def test_it_is_reported_again_when_it_changes_and_when_it_ends(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A repaired schedule is logged once, and logged again if it breaks again."""
    world.reconcile()
    list_lines(caplog)
    for preset, lines in (
        (attrs.evolve(make(OFFICE, BAD), timezone="utc"), 1),
        (make(OFFICE), 1),
        (make(), 0),
        (make(OFFICE, BAD), 1),
    ):
        world.put(preset)
        world.reconcile()
        told = list_lines(caplog)
        world.reconcile()
        assert (len(told), list_lines(caplog)) == (lines, [])
    world.put(make(OFFICE))
    world.reconciler.reconcile_preset("p")
    assert list_lines(caplog) == [("INFO", "p: its schedules can be used again")]


def test_a_preset_that_is_gone_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    """Only a plan of the whole fleet shows it; a plan of another preset does not."""
    log = ScheduleLog()
    both, other, none = (
        plan(GlobalSnapshot(presets=presets), now=NOW)
        for presets in ([make(BAD), make(OFFICE, id="q")], [make(OFFICE, id="q")], [])
    )
    log.note(both, is_whole=True)
    log.note(other, is_whole=False)
    log.note(both, is_whole=True)
    assert len(list_lines(caplog)) == 1
    log.note(none, is_whole=True)
    assert list_lines(caplog) == []
    log.note(both, is_whole=True)
    assert len(list_lines(caplog)) == 1


def test_a_preset_that_comes_back_is_reported_again(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The schedules of an inactive preset are not read, so nothing is wrong with them."""
    world.reconcile()
    world.promote(make(OFFICE, BAD))
    world.reconcile()
    list_lines(caplog)
    world.put(make(OFFICE, BAD))
    world.reconcile()
    assert list_lines(caplog) == [("WARNING", UNUSABLE)]
