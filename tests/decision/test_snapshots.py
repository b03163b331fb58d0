"""Snapshots: rows belong to the preset they name, and expiry is split off (R1, R2)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from decision.examples import (
    HOUR,
    MICROSECOND,
    MINUTE,
    NOW,
    UTC,
    make_backoff,
    make_fleet,
    make_in_progress,
    make_prebuild,
    make_preset,
)
from prebuilds import (
    Backoff,
    GlobalSnapshot,
    InProgress,
    InvalidValueError,
    Orphans,
    Pending,
    Preset,
    PresetSnapshot,
    Target,
    TargetSource,
    TemplateVersion,
    Transition,
    UnknownPresetError,
)


def split(preset: Preset, *ages: timedelta) -> tuple[list[timedelta], list[timedelta]]:
    """The ages of the good prebuilds and of the expired ones."""
    rows = [make_prebuild(f"w{number}", created_at=NOW - age) for number, age in enumerate(ages)]
    snapshot = make_fleet(preset, running=rows).for_preset("p", NOW)
    running, expired = ([NOW - row.created_at for row in rows] for rows in (snapshot.running, snapshot.expired))
    return running, expired


def test_a_preset_gets_the_rows_that_name_it_and_no_others() -> None:
    """In-progress counts and prebuilds of another preset of the same template never leak in."""
    other = {"preset_id": "q"}
    fleet = make_fleet(
        make_preset(ttl=HOUR),
        make_preset(id="q"),
        running=[
            make_prebuild("b"),
            make_prebuild("a"),
            make_prebuild("old", created_at=NOW - 2 * HOUR),
            make_prebuild("c", **other),
        ],
        in_progress=[make_in_progress(2), InProgress(preset_id="q", transition=Transition.START, count=5)],
        pending=[Pending(preset_id="p", count=1), Pending(preset_id="p", count=2), Pending(preset_id="q", count=9)],
        backoffs=[make_backoff(1, NOW)],
        hard_limited=["p"],
    )
    snapshot = fleet.for_preset("p", NOW)
    assert snapshot == PresetSnapshot(
        preset=make_preset(ttl=HOUR),
        now=NOW,
        running=[make_prebuild("a"), make_prebuild("b")],
        expired=[make_prebuild("old", created_at=NOW - 2 * HOUR)],
        in_progress=[make_in_progress(2)],
        pending=3,
        backoff=make_backoff(1, NOW),
        is_hard_limited=True,
    )
    assert snapshot.target == Target(desired=3, source=TargetSource.PRESET)
    assert fleet.for_preset("q", NOW).backoff is None


def test_exactly_at_the_ttl_is_not_expired() -> None:
    """A prebuild has expired when it is older than the ttl, by a microsecond at least."""
    good, late = HOUR, HOUR + MICROSECOND
    assert split(make_preset(ttl=HOUR), good, late) == ([good], [late])


@pytest.mark.parametrize("ttl", [None, timedelta()])
def test_no_ttl_and_zero_mean_for_ever(ttl: timedelta | None) -> None:
    """Without a ttl nothing outlives it."""
    assert split(make_preset(ttl=ttl), 1000 * HOUR) == ([1000 * HOUR], [])


def test_what_was_created_before_an_invalidation_has_expired() -> None:
    """The instant itself is not before it; whichever of ttl and invalidation is the stricter holds."""
    preset = make_preset(last_invalidated_at=NOW - HOUR)
    assert split(preset, HOUR, HOUR + MICROSECOND) == ([HOUR], [HOUR + MICROSECOND])
    both = make_preset(last_invalidated_at=NOW - HOUR, ttl=MINUTE)
    assert split(both, MINUTE, HOUR) == ([MINUTE], [HOUR])


def test_an_invalidation_takes_effect_from_its_instant_on() -> None:
    """A future invalidation has expired nothing yet, not even older prebuilds (field case 20)."""
    ages = [HOUR, MINUTE]
    for ahead, expired in ((MICROSECOND, 0), (1000 * 24 * HOUR, 0), (timedelta(), 2), (-30 * MINUTE, 1)):
        preset = make_preset(last_invalidated_at=NOW + ahead)
        assert split(preset, *ages) == (ages[expired:], ages[:expired])
    late = make_preset(last_invalidated_at=NOW + HOUR, ttl=30 * MINUTE)
    assert split(late, *ages) == ([MINUTE], [HOUR])


V1 = TemplateVersion(id="v1")


@pytest.mark.parametrize(
    ("version", "made_by", "wanted", "made_with", "is_outdated"),
    [
        ("v1", "v1", {}, None, False),
        ("v2", "v1", {}, None, True),
        ("", "v1", {}, None, False),
        ("v2", "", {}, None, False),
        ("v1", "v1", {"region": "eu"}, {"region": "eu"}, False),
        ("v1", "v1", {"region": "us"}, {"region": "eu"}, True),
        ("v1", "v1", {"region": "us"}, {}, True),
        ("v1", "v1", {}, {"region": "eu"}, True),
        ("", "", {"region": "us"}, None, False),
    ],
)
def test_a_prebuild_that_differs_from_its_preset_has_expired(
    version: str, made_by: str, wanted: dict[str, str], made_with: dict[str, str] | None, *, is_outdated: bool
) -> None:
    """Another version or other parameters, where both are known (field case 18)."""
    preset = make_preset(template_version=TemplateVersion(id=version), parameters=wanted)
    row = make_prebuild("w", template_version_id=made_by, parameters=made_with)
    snapshot = make_fleet(preset, running=[row]).for_preset("p", NOW)
    assert (snapshot.running, snapshot.expired) == (((), (row,)) if is_outdated else ((row,), ()))


def test_a_retired_prebuild_has_expired() -> None:
    """At any age, and with any version and parameters."""
    row = make_prebuild("w", retired=True)
    snapshot = make_fleet(running=[row]).for_preset("p", NOW)
    assert (snapshot.running, snapshot.expired) == ((), (row,))


def test_expired_and_outdated_prebuilds_are_oldest_first() -> None:
    """Whichever of the two each of them is; orphans are looked at by nobody."""
    ages = {"d": 4, "c": 3, "b": 2, "a": 1}
    rows = [
        make_prebuild(name, created_at=NOW - age * HOUR, template_version_id="v1" if name in "db" else "v0")
        for name, age in ages.items()
    ]
    stray = make_prebuild("stray", preset_id="gone", template_version_id="v0")
    preset = make_preset(template_version=V1, ttl=3 * HOUR)
    snapshot = make_fleet(preset, running=[*rows, stray]).for_preset("p", NOW)
    assert [row.id for row in snapshot.running] == ["b"]
    assert [row.id for row in snapshot.expired] == ["d", "c", "a"]


def test_a_ttl_longer_than_time_itself_expires_nothing() -> None:
    """Subtracting it from an early instant must not overflow."""
    early = datetime(50, 1, 1, tzinfo=UTC)
    preset = make_preset(ttl=timedelta(days=36_525))
    assert make_fleet(preset, running=[make_prebuild("w", created_at=early)]).for_preset("p", early).expired == ()


def test_rows_that_name_no_preset_are_counted() -> None:
    """Orphans are told by collection and name; nothing is dropped in silence."""
    fleet = make_fleet(
        running=[
            make_prebuild("a", preset_id="y"),
            make_prebuild("b", preset_id="x"),
            make_prebuild("c", preset_id="y"),
        ],
        in_progress=[InProgress(preset_id="x", transition=Transition.STOP, count=7)],
        pending=[Pending(preset_id="x", count=1)],
        backoffs=[Backoff(preset_id="x", num_failed=1, last_build_at=NOW)],
        hard_limited=["x", "p"],
    )
    assert fleet.orphan_counts == (
        Orphans(collection="running", preset_id="x", count=1),
        Orphans(collection="running", preset_id="y", count=2),
        Orphans(collection="in_progress", preset_id="x", count=1),
        Orphans(collection="pending", preset_id="x", count=1),
        Orphans(collection="backoffs", preset_id="x", count=1),
        Orphans(collection="hard_limited", preset_id="x", count=1),
    )


def test_an_unknown_preset_is_a_lookup_error() -> None:
    """It names the id that was asked for."""
    with pytest.raises(UnknownPresetError, match="no preset with the id 'ghost'") as raised:
        GlobalSnapshot().for_preset("ghost", NOW)
    assert isinstance(raised.value, LookupError)
    assert raised.value.preset_id == "ghost"


def test_now_must_be_aware() -> None:
    """A naive instant is refused before anything is decided from it."""
    with pytest.raises(InvalidValueError, match=r"for_preset\.now: datetime"):
        make_fleet().for_preset("p", NOW.replace(tzinfo=None))
    with pytest.raises(InvalidValueError, match=r"iterate_presets\.now"):
        next(make_fleet().iterate_presets(NOW.replace(tzinfo=None)))
