"""Judging settings: each finding with its numbers, from the very value on, and nothing about what can work."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import attrs
import pytest

from decision.examples import HOUR, INACTIVE, MICROSECOND, MINUTE, make_preset
from prebuilds import (
    Autoscale,
    Budget,
    BudgetScope,
    Finding,
    FindingKind,
    InvalidValueError,
    Precedence,
    Preset,
    Schedule,
    Severity,
    Template,
    TemplateVersion,
    check_settings,
)

LEAD = 10 * MINUTE
DAY_HOURS = "* 8-18 * * 1-5"


def check(*presets: Preset, budgets: tuple[Budget, ...] = (), lead_time: timedelta = LEAD) -> tuple[Finding, ...]:
    return check_settings(presets, lead_time=lead_time, budgets=budgets)


def list_kinds(*presets: Preset, **given: Any) -> list[str]:
    return [finding.kind.value for finding in check(*presets, **given)]


def schedule(cron: str, instances: int, **changes: Any) -> Schedule:
    return Schedule(cron=cron, instances=instances, **changes)


def make_windows(*schedules: Schedule, desired: int = 0, **changes: Any) -> Preset:
    settings = {"timezone": "Europe/Berlin", "precedence": Precedence.LAST_WINS, **changes}
    return make_preset(desired_instances=desired, schedules=schedules, **settings)


def test_a_finding_says_whose_setting_it_is_and_what_it_needs() -> None:
    """As a whole value, and as a line."""
    (finding,) = check(make_preset(ttl=5 * MINUTE))
    message = (
        "5 min is not longer than a build takes, 10 min: a prebuild ages while it is built, so it expires before "
        "anybody can claim it, and is replaced for ever; make the ttl longer, or leave it out"
    )
    assert finding == Finding(
        kind=FindingKind.TTL_TOO_SHORT,
        preset_id="p",
        setting="ttl",
        given=5 * MINUTE,
        needed=LEAD,
        message=message,
    )
    assert finding.severity is Severity.ERROR
    assert str(finding) == f"error: preset p: ttl: {message}"
    (finding,) = check(make_preset(), budgets=(Budget(max_instances=1),))
    assert str(finding).startswith("error: budget fleet: max_instances: 1 is less than the 3 prebuilds")


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [
        ({"ttl": LEAD}, ["ttl_too_short"]),
        ({"ttl": LEAD + MICROSECOND}, []),
        ({"ttl": timedelta()}, []),
        ({"ttl": 16 * MINUTE, "ttl_jitter": 0.8}, ["ttl_too_short"]),
        ({"ttl": 17 * MINUTE, "ttl_jitter": 0.8}, []),
        ({"build_deadline": LEAD}, ["build_deadline_too_short"]),
        ({"build_deadline": LEAD + MICROSECOND}, []),
        ({"ready_deadline": MINUTE}, []),
        ({"ttl": HOUR, "refresh_ahead": LEAD - MICROSECOND}, ["refresh_ahead_too_short"]),
        ({"ttl": HOUR, "refresh_ahead": LEAD}, []),
        ({"ttl": HOUR, "refresh_ahead": 50 * MINUTE}, ["refresh_ahead_too_long"]),
        ({"ttl": HOUR, "refresh_ahead": 50 * MINUTE - MICROSECOND}, []),
        ({"ttl": HOUR, "refresh_ahead": 2 * HOUR, "max_surge": 3}, ["refresh_ahead_too_long"]),
        ({"ttl": HOUR, "refresh_ahead": 2 * HOUR, "max_surge": 2}, []),
        ({"ttl": HOUR, "refresh_ahead": LEAD, "max_surge": 0}, ["refresh_has_no_room"]),
        ({"refresh_ahead": MINUTE, "max_surge": 0}, []),
        (
            {"ttl": MINUTE, "refresh_ahead": MINUTE, "build_deadline": MINUTE},
            ["build_deadline_too_short", "ttl_too_short"],
        ),
        ({"ttl": MINUTE, "desired_instances": 0}, []),
        ({"ttl": MINUTE, "template_version": INACTIVE}, []),
    ],
)
def test_a_build_must_fit_into_the_times(settings: dict[str, Any], kinds: list[str]) -> None:
    """Each time by itself, to the microsecond; a preset that never wants a prebuild has none to lose."""
    assert list_kinds(make_preset(**settings)) == kinds
    assert list_kinds(make_preset(**settings), lead_time=timedelta()) == [
        kind for kind in kinds if kind == "refresh_has_no_room"
    ]


@pytest.mark.parametrize(
    ("preset", "is_found"),
    [
        (make_windows(schedule("* * * * *", 5), desired=2), True),
        (make_windows(schedule("* * * * *", 5), desired=5), False),
        (make_windows(schedule("* * * * *", 5), desired=2, template_version=INACTIVE), False),
        (make_windows(schedule("* * * * 1-5", 5), schedule("* * * * 6,7", 5), desired=2), True),
        (make_windows(schedule("* * * * 1-5", 5), schedule("* * * * 6,7", 4), desired=2), False),
        (make_windows(schedule("* * * * 1-5", 5), schedule("* 1-23 * * 6,7", 5), desired=2), False),
        (make_windows(schedule("* 8-18 * * *", 5, lead=14 * HOUR), desired=2), True),
        (make_windows(schedule("* 8-18 * * *", 5, lead=13 * HOUR), desired=2), False),
        (make_windows(schedule("* 8 * * 1", 5, lead=timedelta(days=7)), desired=2), True),
        (make_windows(schedule("* * * * *", 5, except_on=[date(2026, 12, 25)]), desired=2), False),
        (make_windows(schedule("* * * * *", 5, starts_on=date(2026, 12, 25)), desired=2), False),
        (make_windows(schedule("* * * 1-11 *", 5), desired=2), False),
        (make_windows(schedule("* * 1-30 * *", 5), desired=2), False),
        (make_windows(schedule("* * * * *", 5), schedule("* * * * *", 5, dates=[date(2026, 12, 25)]), desired=2), True),
        (
            make_windows(schedule("* * * * *", 5), schedule("* * * * *", 0, dates=[date(2026, 12, 25)]), desired=2),
            False,
        ),
        (make_windows(schedule("* * * * *", 5), schedule("61 * * * *", 5), desired=2), False),
    ],
)
def test_a_pool_never_shrinks_where_windows_cover_the_week(preset: Preset, *, is_found: bool) -> None:
    """With one count, above the preset's own. A lead counts, less the hour by which clocks may change."""
    found = [finding for finding in check(preset) if finding.kind is FindingKind.NEVER_SHRINKS]
    assert [(finding.setting, finding.given, finding.needed) for finding in found] == [
        ("desired_instances", 2, 5) for _ in range(is_found)
    ]


@pytest.mark.parametrize(
    ("preset", "found"),
    [
        (make_windows(schedule(DAY_HOURS, 5)), [("schedules[0].lead", timedelta(), "10 min from Mon 08:00")]),
        (
            make_windows(schedule(DAY_HOURS, 5, lead=4 * MINUTE)),
            [("schedules[0].lead", 4 * MINUTE, "6 min from Mon 08:00")],
        ),
        (make_windows(schedule(DAY_HOURS, 5, lead=LEAD)), []),
        (make_windows(schedule(DAY_HOURS, 5), desired=1), []),
        (make_windows(schedule("* 20-6 * * *", 0), desired=4), [("desired_instances", timedelta(), "from Sun 07:00")]),
        (
            make_windows(schedule("* 8-9 * * *", 1), schedule("* 9-10 * * 3", 2), schedule("* 12 * * 0", 3)),
            [
                ("schedules[2].lead", timedelta(), "from Sun 12:00"),
                ("schedules[0].lead", timedelta(), "from Sun 08:00"),
            ],
        ),
        (
            make_windows(schedule("* 8-11 * * *", 4, lead=HOUR), schedule("* 6-8 * * *", 0)),
            [("schedules[0].lead", timedelta(), "from Sun 09:00")],
        ),
        (make_windows(schedule("5-59 * * * *", 5)), []),
        (make_windows(schedule("10-59 * * * *", 5)), [("schedules[0].lead", timedelta(), "from Sun 00:10")]),
        (make_windows(schedule(DAY_HOURS, 0)), []),
        (make_windows(schedule("* * * 6 *", 5)), []),
        (make_windows(schedule(DAY_HOURS, 5, dates=[date(2026, 12, 25)])), []),
        (
            make_windows(schedule(DAY_HOURS, 5, except_on=[date(2026, 12, 25)])),
            [("schedules[0].lead", timedelta(), "")],
        ),
        (make_windows(schedule("* * * * *", 5)), []),
    ],
)
def test_a_pool_opens_empty_where_the_target_rises_from_0(
    preset: Preset, found: list[tuple[str, timedelta, str]]
) -> None:
    """Once for each window, where it is first in the week; not where builds of the time before may be left."""
    opened = [finding for finding in check(preset) if finding.kind is FindingKind.OPENS_EMPTY]
    assert [(finding.setting, finding.given, finding.needed) for finding in opened] == [
        (setting, lead, LEAD) for setting, lead, _ in found
    ]
    assert all(words in finding.message for finding, (_, _, words) in zip(opened, found, strict=True))
    assert all(finding.severity is Severity.WARNING for finding in opened)
    assert list_kinds(preset, lead_time=timedelta()) == [
        finding.kind.value for finding in check(preset) if finding.kind is FindingKind.NEVER_SHRINKS
    ]


@pytest.mark.parametrize(
    ("schedules", "ttl", "is_found"),
    [
        ([schedule("* 8-18 * * *", 5)], 12 * HOUR, True),
        ([schedule("* 8-18 * * *", 5)], 13 * HOUR, False),
        ([schedule("* 8-18 * * *", 5)], 12 * HOUR + 59 * MINUTE, True),
        ([schedule("* 8-18 * * 1-5", 5)], 60 * HOUR, True),
        ([schedule("* 8-18 * * 1-5", 5)], 61 * HOUR, False),
        ([schedule("* 8-18 * * 1-5", 3)], 900 * HOUR, True),
        ([schedule("* 19-7 * * *", 0)], 11 * HOUR, False),
        ([schedule("* * * 6 *", 5)], HOUR, False),
    ],
)
def test_a_refresh_is_for_prebuilds_that_reach_their_ttl(
    schedules: list[Schedule], ttl: timedelta, *, is_found: bool
) -> None:
    """In a stretch of the week in which the target stays the same: where it falls, prebuilds go before they expire."""
    preset = make_windows(*schedules, desired=3, ttl=ttl, refresh_ahead=MINUTE)
    for settings, kind in [({}, "refresh_ahead_too_short"), ({"max_surge": 0}, "refresh_has_no_room")]:
        assert (kind in list_kinds(attrs.evolve(preset, **settings))) is is_found


def make_member(template: str, **changes: Any) -> Preset:
    version = TemplateVersion(template=Template(id=template, organization_id="o"))
    return make_preset(template_version=version, **changes)


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        ({"max_instances": 5}, [("budget_below_floors", 5, 6)]),
        ({"max_instances": 6}, []),
        ({"max_starting": 0, "max_creates_per_minute": 0}, [("budget_creates_nothing", 0, 1)] * 2),
        ({"max_creates_per_pass": 1}, []),
        ({"max_starting": 1, "max_creates_per_minute": 1}, []),
    ],
)
def test_a_budget_must_allow_what_is_wanted_at_all_times(
    limits: dict[str, int], found: list[tuple[str, int, int]]
) -> None:
    """Of its scope alone: the least of each preset's counts, nothing for one that is inactive."""
    windows = {"timezone": "UTC", "schedules": [schedule(DAY_HOURS, 1)]}
    presets = [
        make_member("t", id="a", desired_instances=5),
        make_member("t", id="b", desired_instances=4, **windows),
        make_member("u", id="c", desired_instances=90),
        make_preset(
            id="d", desired_instances=90, template_version=TemplateVersion(template=Template(id="t"), is_active=False)
        ),
    ]
    budget = Budget(scope=BudgetScope.TEMPLATE, key="t", **limits)
    told = [(finding.kind.value, finding.given, finding.needed) for finding in check(*presets, budgets=(budget,))]
    assert told == found
    assert check(*presets[2:3], budgets=(budget,)) == ()


def test_an_autoscale_moves_the_counts_between_its_limits() -> None:
    """Its floor is the larger of its own and the preset's; its windows have no findings, unless it only looks."""
    scale = Autoscale(hit_rate=0.9, lead_time=LEAD, min_instances=2, max_instances=6)
    windows = make_windows(schedule(DAY_HOURS, 5), autoscale=scale)
    for preset, floor in [(make_preset(autoscale=scale), 3), (windows, 2)]:
        assert list_kinds(preset, budgets=(Budget(max_instances=floor),)) == []
        assert list_kinds(preset, budgets=(Budget(max_instances=floor - 1),)) == ["budget_below_floors"]
    looking = make_windows(schedule(DAY_HOURS, 5), autoscale=attrs.evolve(scale, acts=False))
    assert list_kinds(looking) == ["opens_empty"]
    broken = make_windows(schedule("61 * * * *", 5), desired=1, autoscale=scale)
    assert list_kinds(broken, budgets=(Budget(max_instances=1),)) == []
    refreshed = make_preset(autoscale=scale, ttl=HOUR, refresh_ahead=2 * HOUR, max_surge=5)
    assert list_kinds(refreshed) == []
    assert list_kinds(attrs.evolve(refreshed, max_surge=6)) == ["refresh_ahead_too_long"]


@pytest.mark.parametrize(
    ("schedules", "is_wanted"),
    [
        ([schedule(DAY_HOURS, 2)], True),
        ([schedule(DAY_HOURS, 0)], False),
        ([schedule(DAY_HOURS, 2), schedule("* * * * *", 0)], False),
        ([schedule("* * * * *", 0), schedule(DAY_HOURS, 2)], True),
        ([schedule("* * * * *", 0), schedule(DAY_HOURS, 2, dates=[date(2026, 12, 28)])], True),
        ([schedule("* * * 6 *", 2)], True),
        ([schedule("61 * * * *", 2)], False),
    ],
)
def test_a_limit_of_0_harms_what_is_ever_wanted(schedules: list[Schedule], *, is_wanted: bool) -> None:
    """If only in a window; not in one that a later one always hides. The same presets have times to judge."""
    preset = make_windows(*schedules, ttl=MINUTE)
    kinds = list_kinds(preset, budgets=(Budget(max_starting=0),))
    assert ("budget_creates_nothing" in kinds) is is_wanted
    assert ("ttl_too_short" in kinds) is is_wanted


def test_unusable_schedules_count_as_the_presets_own_count() -> None:
    """As the target does (R3)."""
    preset = make_windows(schedule("61 * * * *", 0), desired=4)
    assert list_kinds(preset, budgets=(Budget(max_instances=3),)) == ["budget_below_floors"]


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        ({"max_starting": 4}, [("max_starting", 4, 5)]),
        ({"max_starting": 5}, []),
        ({"max_creates_per_minute": 1}, []),
        ({"max_creates_per_minute": 1, "max_starting": 1}, [("max_starting", 1, 5)]),
    ],
)
def test_a_budget_must_allow_what_the_ttls_need(limits: dict[str, int], found: list[tuple[str, int, int]]) -> None:
    """30 prebuilds with a ttl of an hour are 30 builds of 10 minutes an hour: 5 at a time, one in 2 minutes."""
    presets = [make_preset(id="a", desired_instances=30, ttl=HOUR), make_preset(id="b", desired_instances=90)]
    told = check(*presets, budgets=(Budget(**limits),))
    assert [(finding.setting, finding.given, finding.needed) for finding in told] == found
    assert {finding.kind for finding in told} <= {FindingKind.BUDGET_TOO_SLOW}


def test_a_budget_counts_creates_by_the_minute() -> None:
    """130 prebuilds an hour are more than 2 a minute. One that expires before it is built is built no more often."""
    preset, budget = make_preset(desired_instances=130, ttl=HOUR), Budget(max_creates_per_minute=2)
    assert [(finding.setting, finding.needed) for finding in check(preset, budgets=(budget,))] == [
        ("max_creates_per_minute", 3)
    ]
    short = make_preset(desired_instances=20, ttl=MINUTE)
    assert list_kinds(short, budgets=(budget,)) == ["ttl_too_short"]


@pytest.mark.parametrize(
    ("settings", "is_found"),
    [
        ({"ttl": HOUR, "refresh_ahead": LEAD}, True),
        ({"ttl": HOUR, "refresh_ahead": LEAD, "max_surge": 1}, True),
        ({"ttl": HOUR}, False),
        ({"refresh_ahead": LEAD}, False),
    ],
)
def test_a_budget_must_leave_room_for_a_replacement(settings: dict[str, Any], *, is_found: bool) -> None:
    """If prebuilds are to be replaced ahead; with exactly what is wanted, none ever is."""
    exact, roomy = Budget(max_instances=3), Budget(max_instances=4)
    found = check(make_preset(**settings), budgets=(exact,))
    assert [(finding.kind.value, finding.budget, finding.given, finding.needed) for finding in found] == [
        ("refresh_has_no_room", "fleet", 3, 4) for _ in range(is_found)
    ]
    assert check(make_preset(**settings), budgets=(roomy,)) == ()


@pytest.mark.parametrize("lead_time", [None, 5, timedelta(seconds=-1), timedelta(days=40_000)])
def test_the_time_of_a_build_is_a_timedelta(lead_time: Any) -> None:
    with pytest.raises(InvalidValueError, match=r"check_settings.lead_time: .* a timedelta from 0 to 36525 days"):
        check(make_preset(), lead_time=lead_time)
