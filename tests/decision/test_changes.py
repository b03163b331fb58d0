"""The next change: the earliest instant at which time alone could change a decision (R12)."""

from __future__ import annotations

from datetime import datetime, timedelta

from decision.examples import (
    HOUR,
    INACTIVE,
    MICROSECOND,
    MINUTE,
    NOW,
    UTC,
    make_backoff,
    make_prebuild,
    make_preset,
    make_snapshot,
)
from prebuilds import Change, ChangeCause, Policy, Schedule
from prebuilds.decision.next_change import find_next_change

POLICY = Policy()
EXPIRY = Change(at=NOW + MINUTE + MICROSECOND, cause=ChangeCause.EXPIRY, subject="a")


def test_nothing_changes_without_ttl_backoff_or_windows() -> None:
    """Then a host can sleep until new data comes."""
    assert find_next_change(make_snapshot(running=[make_prebuild("a")]), POLICY) is None


def test_the_oldest_prebuild_expires_first() -> None:
    """A microsecond after the ttl, as exactly at it the prebuild is still good; ids break ties."""
    snapshot = make_snapshot(
        make_preset(ttl=HOUR + MINUTE),
        running=[make_prebuild("c", created_at=NOW), make_prebuild("b"), make_prebuild("a")],
        expired=[make_prebuild("old", created_at=NOW - 9 * HOUR)],
    )
    assert find_next_change(snapshot, POLICY) == EXPIRY


def test_a_backoff_ends_a_microsecond_after_its_last_instant() -> None:
    """While it holds; one that is over or that holds no active preset changes nothing."""
    change = Change(at=NOW + MINUTE + MICROSECOND, cause=ChangeCause.BACKOFF_END, subject="p")
    assert find_next_change(make_snapshot(backoff=make_backoff(1, NOW)), POLICY) == change
    assert find_next_change(make_snapshot(backoff=make_backoff(1, NOW - HOUR)), POLICY) is None
    assert find_next_change(make_snapshot(backoff=make_backoff(0, NOW)), POLICY) is None
    inactive = make_preset(template_version=INACTIVE)
    assert find_next_change(make_snapshot(inactive, backoff=make_backoff(1, NOW)), POLICY) is None


def test_a_future_invalidation_is_a_change() -> None:
    """If there is a prebuild that it will expire; one that has come changes nothing more (field case 20)."""
    tonight = NOW + HOUR
    preset, rows = make_preset(last_invalidated_at=tonight), [make_prebuild("a")]
    change = Change(at=tonight, cause=ChangeCause.INVALIDATION, subject="p")
    assert find_next_change(make_snapshot(preset, running=rows), POLICY) == change
    assert find_next_change(make_snapshot(preset), POLICY) is None
    assert find_next_change(make_snapshot(preset, now=tonight, running=rows), POLICY) is None
    ahead = [make_prebuild("a", created_at=tonight)]
    assert find_next_change(make_snapshot(preset, running=ahead), POLICY) is None
    never = make_preset(last_invalidated_at=datetime.max.replace(tzinfo=UTC))
    assert find_next_change(make_snapshot(never, running=rows), POLICY) is None


def test_a_window_edge_is_a_change() -> None:
    """The target is another one from then on."""
    preset = make_preset(schedules=[Schedule(cron="* 9 * * *", instances=5)], timezone="UTC")
    change = Change(at=NOW + 30 * MINUTE, cause=ChangeCause.WINDOW_EDGE, subject="p")
    assert find_next_change(make_snapshot(preset), POLICY) == change


def test_the_earliest_cause_counts() -> None:
    """Of an expiry, a backoff's end and a window's edge, the first."""
    preset = make_preset(ttl=HOUR + MINUTE, schedules=[Schedule(cron="* 9 * * *", instances=5)], timezone="UTC")
    snapshot = make_snapshot(preset, running=[make_prebuild("a")], backoff=make_backoff(2, NOW))
    assert find_next_change(snapshot, POLICY) == EXPIRY


def test_an_expiry_is_the_cause_when_several_coincide() -> None:
    """Then the backoff's end, then the window's edge."""
    preset = make_preset(ttl=2 * HOUR, schedules=[Schedule(cron="* 9 * * *", instances=5)], timezone="UTC")
    edge = NOW + 30 * MINUTE
    at_edge = {"backoff": make_backoff(1, edge - MINUTE - MICROSECOND)}
    row = make_prebuild("a", created_at=edge - 2 * HOUR - MICROSECOND)
    both, three = make_snapshot(preset, **at_edge), make_snapshot(preset, running=[row], **at_edge)
    assert find_next_change(both, POLICY) == Change(at=edge, cause=ChangeCause.BACKOFF_END, subject="p")
    assert find_next_change(three, POLICY) == Change(at=edge, cause=ChangeCause.EXPIRY, subject="a")


def test_expiry_counts_for_an_inactive_preset_too() -> None:
    """Its state counts the expired, so that the decision differs though the actions may not."""
    preset = make_preset(ttl=HOUR + MINUTE, template_version=INACTIVE)
    assert find_next_change(make_snapshot(preset, running=[make_prebuild("a")]), POLICY) == EXPIRY


def test_what_lies_beyond_the_end_of_time_never_comes() -> None:
    """Neither the expiry nor the backoff's end overflows."""
    late = datetime(9999, 12, 1, tzinfo=UTC)
    preset = make_preset(ttl=timedelta(days=100))
    snapshot = make_snapshot(preset, now=late, running=[make_prebuild("a", created_at=late)])
    assert find_next_change(snapshot, POLICY) is None
    long = Policy(backoff_interval=timedelta(days=36_525))
    assert find_next_change(make_snapshot(backoff=make_backoff(10**6, NOW)), long) is None
