"""History: backoffs and hard limits from past builds (R13)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decision.examples import HOUR, MICROSECOND, MINUTE, NOW, SECOND, make_preset
from prebuilds import (
    Backoff,
    Build,
    BuildStatus,
    FailureClass,
    InvalidValueError,
    Policy,
    Schedule,
    TemplateVersion,
    Transition,
    calculate_backoffs,
    calculate_hard_limited,
)
from prebuilds.testing import strategies

FAILED, SUCCEEDED = BuildStatus.FAILED, BuildStatus.SUCCEEDED


def make_build(number: int, status: BuildStatus, *, ago: int = 0, **changes: object) -> Build:
    """A build that ended so many minutes ago, an hour after it began."""
    ended = NOW - ago * MINUTE
    values = {"id": f"b{number}", "preset_id": "p", "created_at": ended - HOUR, "finished_at": ended}
    return Build(**values | {"status": status} | changes)  # type: ignore[arg-type]


def calculate(*builds: Build, desired: int = 3, **changes: object) -> tuple[Backoff, ...]:
    return calculate_backoffs(builds, [make_preset(desired_instances=desired, **changes)], now=NOW)


def limit(*builds: Build, **changes: object) -> tuple[str, ...]:
    return calculate_hard_limited(builds, now=NOW, **changes)  # type: ignore[arg-type]


def test_failures_within_the_look_back_make_a_backoff() -> None:
    """It counts them all, and runs from the end of the last, however long ago that build began."""
    builds = [make_build(1, FAILED, ago=5), make_build(2, SUCCEEDED, ago=3), make_build(3, FAILED, ago=20)]
    assert calculate(*builds) == (Backoff(preset_id="p", num_failed=2, last_build_at=NOW - 5 * MINUTE),)


def test_failures_older_than_the_look_back_are_forgotten() -> None:
    """Exactly at the look-back a failure still counts."""
    assert len(calculate(make_build(1, FAILED, ago=60))) == 1
    late = make_build(1, FAILED, finished_at=NOW - HOUR - MICROSECOND, created_at=NOW - 2 * HOUR)
    assert calculate(late) == ()


def test_only_the_last_builds_make_a_backoff() -> None:
    """As many as the preset keeps: enough successes since end it, though the failure is recent."""
    builds = [make_build(9, FAILED, ago=9), make_build(1, SUCCEEDED, ago=1), make_build(2, SUCCEEDED, ago=2)]
    assert len(calculate(*builds, desired=3)) == 1
    assert calculate(*builds, desired=2) == ()


def test_all_failures_in_the_look_back_count_once_there_is_a_backoff() -> None:
    """The last N builds decide whether to back off, the look-back for how long."""
    builds = [make_build(number, FAILED, ago=number) for number in range(1, 8)]
    assert calculate(*builds, desired=1) == (Backoff(preset_id="p", num_failed=7, last_build_at=NOW - MINUTE),)


def test_a_base_of_zero_with_a_schedule_backs_off() -> None:
    """N is the larger of the preset's own count and the target that its open window sets."""
    schedules = [Schedule(cron="* 9 * * *", instances=1)]
    failure = make_build(1, FAILED, ago=1)
    assert len(calculate(failure, desired=0, schedules=schedules, timezone="UTC")) == 1
    assert calculate(failure, desired=0) == ()


@pytest.mark.parametrize(
    "build",
    [
        make_build(1, BuildStatus.CANCELED),
        make_build(1, BuildStatus.RUNNING, finished_at=None),
        make_build(1, FAILED, transition=Transition.DELETE),
        make_build(1, FAILED, preset_id="q"),
        make_build(1, FAILED, template_version_id="v0"),
    ],
)
def test_only_outcomes_of_the_presets_start_builds_count(build: Build) -> None:
    """Not one that was canceled, one that runs, a failed delete, another preset's, or another version's."""
    preset = make_preset(template_version=TemplateVersion(id="v1"))
    assert calculate_backoffs([build], [preset], now=NOW) == ()
    assert "p" not in limit(build, presets=[preset], policy=Policy(failure_hard_limit=1))


@pytest.mark.parametrize("ahead", [MICROSECOND, 2 * SECOND, 15 * MINUTE])
def test_an_outcome_dated_by_a_fast_clock_counts_from_now_on(ahead: timedelta) -> None:
    """It has been seen, so it has happened (field case 17). Only a replay of the past hides what came later."""
    failure = make_build(1, FAILED, created_at=NOW - MINUTE, finished_at=NOW + ahead)
    once = Policy(failure_hard_limit=1)
    assert calculate(failure) == (Backoff(preset_id="p", num_failed=1, last_build_at=NOW),)
    assert limit(failure, policy=once) == ("p",)
    assert calculate_backoffs([failure], [make_preset()], now=NOW, is_replay=True) == ()
    assert limit(failure, policy=once, is_replay=True) == ()


def test_a_build_begun_before_the_clock_was_set_back_delays_nothing() -> None:
    """Else the backoff would last until that instant has come, however far ahead it lies."""
    ahead = NOW + 24 * HOUR
    assert calculate(make_build(1, FAILED, created_at=ahead, finished_at=ahead)) == ()
    assert len(calculate(make_build(1, FAILED, created_at=NOW, finished_at=ahead))) == 1


def test_a_reset_ends_the_backoff_of_a_failure_dated_a_day_ahead() -> None:
    """Without one it holds for that day, as it counts from each `now` on. The reset is dated by the right clock."""
    failure = make_build(1, FAILED, created_at=NOW - MINUTE, finished_at=NOW + 24 * HOUR)
    for passed in (timedelta(), 12 * HOUR, 24 * HOUR):
        now = NOW + passed
        (backoff,) = calculate_backoffs([failure], [make_preset()], now=now)
        assert backoff.last_build_at == now
        assert calculate_backoffs([failure], [make_preset()], now=now, resets={"p": NOW}) == ()


def test_a_fixed_version_starts_with_a_clean_slate() -> None:
    """What another version did says nothing about it; going back brings that back (field case 22)."""
    failures = [make_build(number, FAILED, ago=number, template_version_id="v1") for number in range(3)]
    for version, num_failed, limited in (("v1", [3], ("p",)), ("v2", [], ()), ("", [3], ("p",))):
        preset = make_preset(template_version=TemplateVersion(id=version))
        backoffs = calculate_backoffs(failures, [preset], now=NOW)
        assert [backoff.num_failed for backoff in backoffs] == num_failed
        assert limit(*failures, presets=[preset]) == limited


def test_builds_begun_in_one_pass_are_one_attempt() -> None:
    """A pool that fails as a whole has failed once, and one success in the pass is enough for the attempt."""
    begun = [NOW - number * HOUR for number in range(1, 4)]
    failures = [
        make_build(10 * place + number, FAILED, created_at=at, finished_at=at + MINUTE)
        for place, at in enumerate(begun)
        for number in range(3)
    ]
    assert limit(*failures[:6]) == ()
    assert limit(*failures) == ("p",)
    success = make_build(99, SUCCEEDED, created_at=begun[1], finished_at=begun[1] + SECOND)
    assert limit(*failures, success) == ()


def test_attempts_are_ranked_by_when_they_began() -> None:
    """By the loop's own clock: a slow failure that was begun before a success does not come after it."""
    slow = [make_build(n, FAILED, created_at=NOW - (9 - n) * HOUR, finished_at=NOW) for n in range(3)]
    success = make_build(9, SUCCEEDED, created_at=NOW - HOUR, finished_at=NOW - 59 * MINUTE)
    assert limit(*slow) == ("p",)
    assert limit(*slow, success) == ()


def test_backoffs_come_in_the_order_of_the_presets() -> None:
    """One for each preset that has one."""
    builds = [make_build(1, FAILED, preset_id="a"), make_build(2, FAILED, preset_id="b")]
    backoffs = calculate_backoffs(builds, [make_preset(id=name) for name in "bxa"], now=NOW)
    assert [backoff.preset_id for backoff in backoffs] == ["b", "a"]


def test_a_preset_is_hard_limited_when_its_last_builds_all_failed() -> None:
    """However long ago: the limit has no look-back, and one success in between lifts it."""
    failures = [make_build(number, FAILED, ago=1_000 * number) for number in range(1, 4)]
    assert limit(*failures) == ("p",)
    assert limit(*failures[:2]) == ()
    assert limit(*failures, make_build(9, SUCCEEDED, ago=2_500)) == ()
    assert limit(*failures, make_build(9, SUCCEEDED, ago=9_000)) == ("p",)


def test_a_limit_of_zero_limits_nothing() -> None:
    """It switches the hard limit off."""
    failures = [make_build(number, FAILED) for number in range(9)]
    assert limit(*failures, policy=Policy(failure_hard_limit=0)) == ()


def test_a_hard_limit_can_be_reset() -> None:
    """Only builds created after the reset count, so that the preset gets all its tries again."""
    failures = [make_build(number, FAILED, ago=number) for number in range(3)]
    first = min(build.created_at for build in failures)
    assert limit(*failures, resets={"p": first - MICROSECOND, "q": NOW}) == ("p",)
    assert limit(*failures, resets={"p": first}) == ()
    assert limit(*failures, resets={"q": NOW, "p": first - MICROSECOND}) == ("p",)
    with pytest.raises(InvalidValueError, match=r"^calculate_hard_limited\.resets\['q'\]"):
        limit(*failures, resets={"q": NOW.replace(tzinfo=None)})


def test_a_reset_ends_the_backoff_too() -> None:
    """The preset creates at once; failures that come after it count again."""
    failures = [make_build(1, FAILED, ago=5), make_build(2, FAILED, ago=3)]
    reset_at = failures[0].created_at
    counts = [
        [found.num_failed for found in calculate_backoffs(failures, [make_preset()], now=NOW, resets={"p": at})]
        for at in (reset_at - MICROSECOND, reset_at, failures[1].created_at)
    ]
    assert counts == [[2], [1], []]
    with pytest.raises(InvalidValueError, match=r"^calculate_backoffs\.resets\['p'\]"):
        calculate_backoffs(failures, [make_preset()], now=NOW, resets={"p": NOW.replace(tzinfo=None)})


def test_a_reset_forgives_its_own_preset_alone() -> None:
    """Another preset's failures stay; the ids come sorted."""
    builds = [make_build(number, FAILED, ago=number, preset_id=name) for name in "ba" for number in range(3)]
    assert limit(*builds) == ("a", "b")
    assert limit(*builds, resets={"b": NOW}) == ("a",)


def test_the_policy_says_how_many_and_how_far_back() -> None:
    """Another limit and another look-back than the usual ones."""
    failures = [make_build(number, FAILED, ago=90 + number) for number in range(2)]
    assert limit(*failures) == ()
    assert limit(*failures, policy=Policy(failure_hard_limit=2)) == ("p",)
    assert calculate(*failures) == ()
    policy = Policy(backoff_lookback=2 * HOUR)
    assert len(calculate_backoffs(failures, [make_preset()], now=NOW, policy=policy)) == 1


def test_a_build_that_is_given_twice_counts_once() -> None:
    """A join may well repeat it."""
    failure = make_build(1, FAILED)
    assert limit(failure, failure, failure) == ()
    assert calculate(failure, failure)[0].num_failed == 1


def test_the_larger_of_base_and_target_decides_how_many_builds_are_looked_at() -> None:
    """A window that asks for fewer does not hide a failure."""
    schedules = [Schedule(cron="* 9 * * *", instances=1)]
    builds = [make_build(1, SUCCEEDED, ago=1), make_build(2, FAILED, ago=2)]
    assert len(calculate(*builds, desired=2, schedules=schedules, timezone="UTC")) == 1


def test_builds_that_ended_together_are_ranked_by_id() -> None:
    """The greater id counts as the later one, in any order of the builds."""
    builds = [make_build(1, FAILED), make_build(2, SUCCEEDED)]
    assert calculate(*builds, desired=1) == calculate(*builds[::-1], desired=1) == ()


BUILDS = st.integers(0, 8).flatmap(
    lambda count: st.tuples(*(strategies.builds(now=NOW, preset_id="p", id=f"b{number}") for number in range(count)))
)


@given(BUILDS, st.randoms(use_true_random=False), st.integers(0, 4))
def test_history_does_not_depend_on_the_order_of_builds(
    builds: tuple[Build, ...], random: object, desired: int
) -> None:
    """The same builds in any order give the same backoff and the same limit."""
    shuffled = list(builds)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert calculate(*builds, desired=desired) == calculate(*shuffled, desired=desired)
    assert limit(*builds) == limit(*shuffled)


@given(BUILDS, st.integers(1, 4))
def test_a_backoff_counts_failures_within_the_look_back(builds: tuple[Build, ...], desired: int) -> None:
    """As many as a plain count finds, the last of them at `last_build_at`; and none only if none of the last failed.

    Failures for want of capacity are counted apart from all others.
    """
    ended = sorted(filter(has_outcome, builds), key=lambda build: (build.finished_at or NOW, build.id), reverse=True)
    recent = [build for build in ended if build.status is FAILED and (build.finished_at or NOW) >= NOW - HOUR]
    alike = [build for build in recent if is_capacity(build) is is_capacity(recent[0])]
    has_backoff = any(build in recent for build in ended[:desired])
    expected = [(len(alike), recent[0].finished_at)] if has_backoff else []
    assert [(backoff.num_failed, backoff.last_build_at) for backoff in calculate(*builds, desired=desired)] == expected


def has_outcome(build: Build) -> bool:
    return build.transition is Transition.START and build.status in (SUCCEEDED, FAILED)


def is_capacity(build: Build) -> bool:
    return build.failure is FailureClass.CAPACITY
