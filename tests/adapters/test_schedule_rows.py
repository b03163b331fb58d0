"""Schedules in SQL stores: one JSON value, which versions before and after dates and leads can read."""

from __future__ import annotations

import json
from datetime import date, timedelta

import attrs
import pytest
from hypothesis import given

from prebuilds import Autoscale, Precedence, Preset, Schedule
from prebuilds.adapters.preset_options import read_options, write_options
from prebuilds.adapters.schedule_rows import flatten_schedules, make_schedules
from prebuilds.testing import strategies

OLD = [{"cron": "* 8-18 * * 1-5", "instances": 5}]
WEEK = (Schedule(cron="* 8-18 * * 1-5", instances=5),)


def test_what_earlier_versions_stored_is_read_and_written_as_they_did() -> None:
    """A list with the expression and the count of each, as long as nothing else is used."""
    assert make_schedules(OLD) == WEEK
    assert flatten_schedules(WEEK) == OLD


def test_only_what_is_used_is_stored() -> None:
    """Dates as text, and a lead to the microsecond."""
    schedules = (
        Schedule(cron="* * * * *", instances=1, starts_on=date(2026, 12, 24), ends_on=date(2026, 12, 26)),
        Schedule(cron="* 9 * * *", instances=2, dates=[date(2026, 7, 27)], except_on=[date(2026, 12, 25)]),
        Schedule(cron="* 8 * * *", instances=3, lead=timedelta(minutes=45, microseconds=1)),
    )
    assert flatten_schedules(schedules) == [
        {"cron": "* * * * *", "instances": 1, "starts_on": "2026-12-24", "ends_on": "2026-12-26"},
        {"cron": "* 9 * * *", "instances": 2, "dates": ["2026-07-27"], "except_on": ["2026-12-25"]},
        {"cron": "* 8 * * *", "instances": 3, "lead_microseconds": 2_700_000_001},
    ]


@given(strategies.schedule_sets())
def test_a_round_trip_through_json_is_exact(schedules: tuple[Schedule, ...]) -> None:
    """For every schedule."""
    assert make_schedules(json.loads(json.dumps(flatten_schedules(schedules)))) == schedules


def test_the_precedence_is_an_option_of_the_preset() -> None:
    """Kept where it is not the default."""
    preset = Preset(id="p", desired_instances=1)
    assert write_options(preset) == {}
    assert write_options(attrs.evolve(preset, precedence=Precedence.LAST_WINS)) == {"precedence": "last_wins"}
    assert read_options({"precedence": "last_wins"}) == {"precedence": Precedence.LAST_WINS}


@pytest.mark.parametrize("hold", [None, timedelta(), timedelta(minutes=15)])
def test_an_autoscale_comes_back_as_it_was(hold: timedelta | None) -> None:
    """Its durations are whole microseconds, as those of the preset."""
    scale = Autoscale(hit_rate=0.99, lead_time=timedelta(seconds=90.5), max_instances=9, hold=hold, acts=False)
    preset = Preset(id="p", desired_instances=1, autoscale=scale)
    assert read_options(json.loads(json.dumps(write_options(preset)))) == {"autoscale": scale}
