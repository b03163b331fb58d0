"""Failures: what their class decides, how waits grow, and how a hard-limited preset is probed (R19)."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decision.examples import (
    HOUR,
    MICROSECOND,
    MINUTE,
    NOW,
    SECOND,
    make_fleet,
    make_in_progress,
    make_prebuild,
    make_preset,
)
from prebuilds import (
    Backoff,
    BackoffKind,
    Build,
    BuildStatus,
    ChangeCause,
    Decision,
    FailureClass,
    HardLimit,
    InvalidValueError,
    Policy,
    TemplateVersion,
    calculate_backoffs,
    calculate_hard_limited,
    calculate_hard_limits,
    plan,
)
from prebuilds.decision.policies.failures import tidy_message
from prebuilds.decision.policies.waiting import calculate_wait

CONFIGURATION, CAPACITY, TRANSIENT = FailureClass.CONFIGURATION, FailureClass.CAPACITY, FailureClass.TRANSIENT
EXPONENTIAL = Policy(backoff=BackoffKind.EXPONENTIAL)
PROBING = Policy(probe_interval=10 * MINUTE)
LATE = NOW.replace(year=9999)
LIMIT = HardLimit(
    preset_id="p", since=NOW - 18 * MINUTE, num_failed=3, last_tried_at=NOW - 10 * MINUTE, message="quota exceeded"
)


def fail(number: int, *, ago: int, failure: FailureClass = TRANSIENT, **changes: Any) -> Build:
    """A start that was begun and failed so many minutes ago."""
    at = NOW - ago * MINUTE
    values: dict[str, Any] = {"created_at": at, "finished_at": at, "failure": failure}
    return Build(**{"id": f"b{number}", "preset_id": "p", "status": BuildStatus.FAILED, **values, **changes})


def succeed(number: int, *, ago: int) -> Build:
    return fail(number, ago=ago, status=BuildStatus.SUCCEEDED)


def make_backoff(num_failed: int, **changes: Any) -> Backoff:
    return Backoff(**{"preset_id": "p", "num_failed": num_failed, "last_build_at": NOW, **changes})


def decide(policy: Policy = PROBING, **rows: Any) -> Decision:
    return plan(make_fleet(*rows.pop("presets", ()), **rows), now=NOW, policy=policy).decisions[0]


# What a class decides


def test_a_configuration_failure_limits_at_once() -> None:
    """No retry helps. The limit says since when, and why."""
    builds = [fail(1, ago=5, failure=CONFIGURATION, message="no such image")]
    assert calculate_hard_limits(builds, now=NOW) == (
        HardLimit(
            preset_id="p",
            since=NOW - 5 * MINUTE,
            num_failed=1,
            last_tried_at=NOW - 5 * MINUTE,
            failure=CONFIGURATION,
            message="no such image",
        ),
    )


def test_a_configuration_failure_limits_its_own_version_alone() -> None:
    """A new version starts clean."""
    builds = [fail(1, ago=5, failure=CONFIGURATION, template_version_id="v1")]
    for version, expected in (("v1", ("p",)), ("v2", ())):
        presets = [make_preset(template_version=TemplateVersion(id=version))]
        assert calculate_hard_limited(builds, now=NOW, presets=presets) == expected


def test_a_configuration_failure_still_limits_after_failed_probes() -> None:
    """Until a success, whatever the later failures were."""
    builds = [fail(1, ago=9, failure=CONFIGURATION), fail(2, ago=5)]
    assert calculate_hard_limited(builds, now=NOW) == ("p",)
    assert calculate_hard_limited([*builds, succeed(3, ago=1)], now=NOW) == ()


def test_no_limit_is_no_limit_for_any_class() -> None:
    """`failure_hard_limit` = 0 turns limits off."""
    builds = [fail(1, ago=5, failure=CONFIGURATION)]
    assert calculate_hard_limits(builds, now=NOW, policy=Policy(failure_hard_limit=0)) == ()


def test_a_lack_of_capacity_never_limits() -> None:
    """However often; and it neither adds to other failures nor ends their row."""
    lacking = [fail(number, ago=number, failure=CAPACITY) for number in range(1, 9)]
    assert calculate_hard_limits(lacking, now=NOW) == ()
    others = [fail(number, ago=number) for number in (10, 11)]
    assert calculate_hard_limits([*lacking, *others], now=NOW) == ()
    (found,) = calculate_hard_limits([*lacking, *others, fail(12, ago=12)], now=NOW)
    assert (found.num_failed, found.since) == (3, NOW - 10 * MINUTE)
    assert found.last_tried_at == NOW - MINUTE, "a try that found no capacity was a try"


def test_a_limit_tells_when_it_was_reached() -> None:
    """With the third attempt; later ones count as failed, and the last gives the reason."""
    builds = [fail(number, ago=20 - number, message=f"reason {number}") for number in range(1, 6)]
    (found,) = calculate_hard_limits(builds, now=NOW)
    assert found == HardLimit(
        preset_id="p", since=NOW - 17 * MINUTE, num_failed=5, last_tried_at=NOW - 15 * MINUTE, message="reason 5"
    )


def test_a_lack_of_capacity_holds_creates_and_nothing_else() -> None:
    """Deletes make room. The wait's end is the next change."""
    backoff = make_backoff(2, failure=CAPACITY, failed_attempts=2, message="quota exceeded")
    decision = decide(
        Policy(), presets=[make_preset(last_invalidated_at=NOW)], backoffs=[backoff], running=[make_prebuild("w")]
    )
    assert [action.delete_ids for action in decision.actions] == [("w",)]
    assert [entry.reason.value for entry in decision.withheld] == ["capacity"]
    assert decision.next_change is not None
    assert (decision.next_change.at, decision.next_change.cause) == (
        NOW + 2 * MINUTE + MICROSECOND,
        ChangeCause.BACKOFF_END,
    )
    assert decision.why[-1] == (
        "withheld (capacity): create 3: 3 wanted, 0 running, 1 expired; no capacity (quota exceeded), held until "
        "2026-11-23 09:32:00 UTC"
    )


def test_only_failures_like_the_last_are_counted() -> None:
    """A lack of capacity says nothing about the template, and the other way round."""
    builds = [fail(1, ago=3), fail(2, ago=2), fail(3, ago=1, failure=CAPACITY)]
    (lacking,) = calculate_backoffs(builds, [make_preset()], now=NOW)
    assert (lacking.num_failed, lacking.failed_attempts, lacking.failure) == (1, 3, CAPACITY)
    (failing,) = calculate_backoffs([*builds, fail(4, ago=0)], [make_preset()], now=NOW)
    assert (failing.num_failed, failing.failed_attempts, failing.failure) == (3, 0, TRANSIENT)


# How waits grow


def test_a_linear_wait_grows_with_each_failed_build() -> None:
    """As the original's (R8), whatever is known of attempts; a cap is a cap for it too."""
    assert calculate_wait(make_backoff(90, failed_attempts=2), Policy()) == 90 * MINUTE
    assert calculate_wait(make_backoff(90, failed_attempts=2), Policy(backoff_cap=5 * MINUTE)) == 5 * MINUTE


def test_an_exponential_wait_doubles_with_each_failed_attempt_up_to_its_cap() -> None:
    """The cap is the look-back unless it is given. Builds count where attempts are unknown."""
    waits = [calculate_wait(make_backoff(50, failed_attempts=count), EXPONENTIAL) for count in (1, 2, 3, 7, 2_000_000)]
    assert waits == [MINUTE, 2 * MINUTE, 4 * MINUTE, HOUR, HOUR]
    capped = attrs.evolve(EXPONENTIAL, backoff_cap=3 * MINUTE)
    assert [calculate_wait(make_backoff(count), capped) for count in (1, 2, 3)] == [MINUTE, 2 * MINUTE, 3 * MINUTE]


def test_a_wait_too_long_for_any_calendar_is_cut_at_the_cap() -> None:
    """Without an error."""
    policy = attrs.evolve(EXPONENTIAL, backoff_interval=timedelta(days=36_525))
    assert calculate_wait(make_backoff(50), policy) == HOUR


@given(st.integers(1, 50), st.integers(0, 3_600))
def test_jitter_shortens_a_wait_and_is_stable(count: int, seconds: int) -> None:
    """By up to its share, and by the same each time it is asked for: the cap stays a promise."""
    policy = attrs.evolve(EXPONENTIAL, backoff_jitter=0.5)
    backoff = make_backoff(count, last_build_at=NOW - seconds * SECOND)
    wait, full = calculate_wait(backoff, policy), calculate_wait(backoff, EXPONENTIAL)
    assert full / 2 < wait <= full
    assert wait == calculate_wait(backoff, policy)


def test_jitter_parts_presets_that_failed_together() -> None:
    """Otherwise all of them try again in one second."""
    policy = attrs.evolve(EXPONENTIAL, backoff_jitter=0.5)
    assert len({calculate_wait(make_backoff(4, preset_id=f"p{number}"), policy) for number in range(40)}) == 40


def test_attempts_are_counted_up_to_the_last_success() -> None:
    """Builds begun together are one attempt."""
    builds = [fail(1, ago=9), succeed(2, ago=8), fail(3, ago=7), fail(4, ago=7), fail(5, ago=5)]
    (found,) = calculate_backoffs(builds, [make_preset()], now=NOW, policy=EXPONENTIAL)
    assert (found.num_failed, found.failed_attempts) == (4, 2)


def test_field_case_7_waits_for_capacity_grow_up_to_the_cap() -> None:
    """Two hours without capacity: never limited, each wait as long as the one before or longer, none beyond the cap."""
    policy = attrs.evolve(EXPONENTIAL, backoff_cap=10 * MINUTE)
    builds: list[Build] = []
    at, tries = NOW, []
    while at <= NOW + 2 * HOUR:
        tries.append(at)
        builds.append(fail(len(builds), ago=0, failure=CAPACITY, created_at=at, finished_at=at))
        (backoff,) = calculate_backoffs(builds, [make_preset()], now=at, policy=policy)
        assert calculate_hard_limits(builds, now=at, policy=policy) == ()
        at += calculate_wait(backoff, policy)
    waits = [later - earlier for earlier, later in pairwise(tries)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (MINUTE, 10 * MINUTE)


# Probes


def test_a_limited_preset_tries_one_create_when_a_probe_is_due() -> None:
    """The rest stays withheld, and says since when and why."""
    decision = decide(limits=[LIMIT])
    assert decision.why == (
        "create 1: 3 wanted, 0 running",
        "withheld (hard_limited): create 2: 3 wanted, 0 running; limited since 09:12: 3 builds failed, "
        "last: quota exceeded",
    )


def test_a_probe_comes_exactly_one_interval_after_the_last_try() -> None:
    """Not a microsecond earlier; that instant is the next change."""
    limit = attrs.evolve(LIMIT, last_tried_at=LIMIT.last_tried_at + MICROSECOND)
    decision = decide(limits=[limit])
    assert decision.actions == ()
    assert decision.next_change is not None
    assert (decision.next_change.at, decision.next_change.cause) == (NOW + MICROSECOND, ChangeCause.PROBE)
    assert decision.why[0].endswith("last: quota exceeded; the next probe 2026-11-23 09:30:00.000001 UTC")
    assert plan(make_fleet(limits=[limit]), now=decision.next_change.at, policy=PROBING).decisions[0].actions


def test_a_probe_is_never_doubled() -> None:
    """While a start is under way there is no other, and time alone brings none."""
    decision = decide(limits=[LIMIT], in_progress=[make_in_progress(1)])
    assert (decision.actions, decision.next_change) == ((), None)


def test_without_an_interval_there_are_no_probes() -> None:
    """A limit then lasts until it is reset, as the original's. A row alone makes the preset limited."""
    decision = decide(Policy(), limits=[LIMIT])
    assert (decision.actions, decision.next_change) == ((), None)
    assert decision.snapshot.is_hard_limited


def test_where_nobody_knows_the_last_try_there_are_no_probes() -> None:
    """Otherwise every plan would try."""
    assert decide(hard_limited=["p"]).actions == ()


def test_a_limited_preset_that_is_probed_does_not_back_off() -> None:
    """The probe interval is its wait. A lack of capacity holds the probe."""
    rows = {"limits": [LIMIT], "backoffs": [make_backoff(3)]}
    assert [action.create for action in decide(**rows).actions] == [1]
    lacking = decide(limits=[LIMIT], backoffs=[make_backoff(3, failure=CAPACITY)])
    assert [entry.reason.value for entry in lacking.withheld] == ["capacity"]


def test_a_success_ends_the_backoff_of_a_preset_that_is_probed() -> None:
    """So that the first success fills the pool. Without probes R13 decides."""
    builds = [fail(number, ago=number) for number in (2, 3, 4)] + [succeed(9, ago=1)]
    assert calculate_backoffs(builds, [make_preset()], now=NOW, policy=PROBING) == ()
    assert len(calculate_backoffs(builds, [make_preset()], now=NOW)) == 1


def test_a_probe_that_would_come_after_the_end_of_time_never_comes() -> None:
    """No error."""
    decision = decide(Policy(probe_interval=timedelta(days=36_525)), limits=[attrs.evolve(LIMIT, last_tried_at=LATE)])
    assert (decision.actions, decision.next_change) == ((), None)


# Values


def test_a_message_is_one_line() -> None:
    """Builders report what they have: several lines, escape codes, pages."""
    assert tidy_message("  no\nspace \x1b[0m left\u2028") == "no space [0m left"
    assert tidy_message("x" * 501) == "x" * 497 + "..."
    assert tidy_message("x" * 500) == "x" * 500


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"backoff_cap": timedelta()}, "Policy.backoff_cap: datetime.timedelta(0) is not allowed; it must be a timed"),
        ({"backoff_jitter": 1.5}, "Policy.backoff_jitter: 1.5 is not allowed; it must be a number from 0 to 1"),
        ({"probe_interval": timedelta()}, "Policy.probe_interval"),
        ({"backoff": "linear"}, "it must be one of BackoffKind.LINEAR, BackoffKind.EXPONENTIAL"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(changes: dict[str, Any], problem: str) -> None:
    """With the field, the value and what is allowed."""
    with pytest.raises(InvalidValueError) as caught:
        Policy(**changes)
    assert problem in str(caught.value)


# Words


def test_a_wait_that_is_not_linear_is_told_as_it_is() -> None:
    """With the reason of the last failure, where it is known."""
    backoff = make_backoff(3, failed_attempts=2, message="timed out")
    (sentence,) = decide(EXPONENTIAL, backoffs=[backoff]).why
    assert sentence == (
        "back off until 2026-11-23 09:32:00 UTC: 3 failed builds, the last at 2026-11-23 09:30:00 UTC (timed out), "
        "and a wait of 2 min"
    )
