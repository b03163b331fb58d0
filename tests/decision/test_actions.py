"""State and actions of one preset, rule by rule (R6 to R10)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from decision.examples import (
    HOUR,
    INACTIVE,
    MICROSECOND,
    MINUTE,
    NOW,
    make_backoff,
    make_in_progress,
    make_prebuild,
    make_preset,
    make_snapshot,
)
from prebuilds import (
    ActionType,
    Policy,
    PresetSnapshot,
    ReconciliationActions,
    ReconciliationState,
    Schedule,
    TargetSource,
    Template,
    TemplateVersion,
    Transition,
    calculate_actions,
    calculate_state,
    can_skip_reconciliation,
)

POLICY = Policy()


def create(count: int) -> ReconciliationActions:
    return ReconciliationActions(type=ActionType.CREATE, create=count)


def delete(*names: str) -> ReconciliationActions:
    return ReconciliationActions(type=ActionType.DELETE, delete_ids=names)


CANCEL = ReconciliationActions(type=ActionType.CANCEL_PENDING)


def test_the_state_counts_what_is_there() -> None:
    """Expired prebuilds are actual and never eligible; sums are taken by transition."""
    snapshot = make_snapshot(
        running=[make_prebuild("a"), make_prebuild("b", ready=False), make_prebuild("c"), make_prebuild("d")],
        expired=[make_prebuild("old")],
        in_progress=[
            make_in_progress(1),
            make_in_progress(2),
            make_in_progress(4, Transition.STOP),
            make_in_progress(8, Transition.DELETE),
        ],
    )
    assert calculate_state(snapshot) == ReconciliationState(
        actual=5,
        expired=1,
        desired=3,
        eligible=3,
        extraneous=1,
        starting=3,
        stopping=4,
        deleting=8,
        target_source=TargetSource.PRESET,
        target_error=None,
    )


def test_an_inactive_preset_has_no_eligible_desired_or_extraneous_prebuilds() -> None:
    """What it has left is to be cleaned up, not counted on."""
    snapshot = make_snapshot(
        make_preset(template_version=INACTIVE), running=[make_prebuild("a")], expired=[make_prebuild("b")]
    )
    assert calculate_state(snapshot) == ReconciliationState(
        actual=2,
        expired=1,
        desired=0,
        eligible=0,
        extraneous=0,
        starting=0,
        stopping=0,
        deleting=0,
        target_source=TargetSource.INACTIVE,
    )


def test_missing_prebuilds_are_created() -> None:
    """Those that are starting count as there; those that are stopping or being deleted do not."""
    assert calculate_actions(make_snapshot(), POLICY) == (create(3),)
    snapshot = make_snapshot(
        running=[make_prebuild("a")], in_progress=[make_in_progress(1), make_in_progress(5, Transition.DELETE)]
    )
    assert calculate_actions(snapshot, POLICY) == (create(1),)


def test_starting_prebuilds_beyond_the_target_create_nothing() -> None:
    """The number to create never goes below zero, and what is starting is not deleted."""
    assert calculate_actions(make_snapshot(in_progress=[make_in_progress(9)]), POLICY) == ()


def test_expired_prebuilds_are_deleted_and_replaced() -> None:
    """Deletes of the expired come first; they no longer count against the target."""
    snapshot = make_snapshot(running=[make_prebuild("a")], expired=[make_prebuild("z"), make_prebuild("y")])
    assert calculate_actions(snapshot, POLICY) == (delete("y", "z"), create(2))


def test_the_oldest_beyond_the_target_are_deleted() -> None:
    """Oldest first by creation, and by id where creation is the same."""
    snapshot = make_snapshot(
        make_preset(desired_instances=1),
        running=[
            make_prebuild("young", created_at=NOW),
            make_prebuild("b"),
            make_prebuild("old", created_at=NOW - 2 * HOUR),
            make_prebuild("a"),
        ],
        expired=[make_prebuild("expired", created_at=NOW - 9 * HOUR)],
    )
    assert calculate_actions(snapshot, POLICY) == (delete("expired"), delete("old", "a", "b"))


@pytest.mark.parametrize(
    "version",
    [
        INACTIVE,
        TemplateVersion(template=Template(deleted=True)),
        TemplateVersion(template=Template(deprecated=True)),
    ],
)
def test_an_inactive_preset_is_cleaned_up(version: TemplateVersion) -> None:
    """Pending jobs are canceled, then everything goes, expired prebuilds included, however it came to be inactive."""
    snapshot = make_snapshot(
        make_preset(template_version=version),
        pending=1,
        running=[make_prebuild("b"), make_prebuild("a", created_at=NOW - 3 * HOUR)],
        expired=[make_prebuild("c", created_at=NOW - 2 * HOUR)],
    )
    assert calculate_actions(snapshot, POLICY) == (CANCEL, delete("a", "c", "b"))


def test_pending_jobs_of_an_active_preset_are_left_alone() -> None:
    """They are about to become what the preset wants."""
    assert calculate_actions(make_snapshot(make_preset(desired_instances=0), pending=2), POLICY) == ()


@pytest.mark.parametrize(("num_failed", "minutes"), [(1, 1), (3, 3)])
def test_failures_hold_a_preset_back_for_an_interval_each(num_failed: int, minutes: int) -> None:
    """Nothing else is done up to and including the last instant; after it, the preset goes on."""
    backoff = make_backoff(num_failed, NOW - minutes * MINUTE)
    snapshot = make_snapshot(backoff=backoff, expired=[make_prebuild("a")])
    assert calculate_actions(snapshot, POLICY) == (ReconciliationActions(type=ActionType.BACKOFF, backoff_until=NOW),)
    later = make_snapshot(backoff=backoff, expired=[make_prebuild("a")], now=NOW + MICROSECOND)
    assert calculate_actions(later, POLICY) == (delete("a"), create(3))


def test_no_failures_hold_nothing_back() -> None:
    """A backoff row that counts no failure is none."""
    assert calculate_actions(make_snapshot(backoff=make_backoff(0, NOW)), POLICY) == (create(3),)


def test_a_backoff_never_holds_the_clean_up_of_an_inactive_preset() -> None:
    """A deprecated template is cleaned up at once, however often its builds failed."""
    snapshot = make_snapshot(
        make_preset(template_version=INACTIVE), backoff=make_backoff(9, NOW), running=[make_prebuild("a")]
    )
    assert calculate_actions(snapshot, POLICY) == (delete("a"),)


def test_a_backoff_beyond_the_end_of_time_stays_within_it() -> None:
    """Absurd numbers give the last instant there is rather than an overflow."""
    policy = Policy(backoff_interval=timedelta(days=36_525))
    (action,) = calculate_actions(make_snapshot(backoff=make_backoff(2**31 - 1, NOW)), policy)
    assert action.backoff_until is not None
    assert action.backoff_until.year == 9999


def test_a_window_decides_how_many_are_created() -> None:
    """The target of the open window counts, not the preset's own."""
    preset = make_preset(schedules=[Schedule(cron="* 9 * * *", instances=5)], timezone="UTC")
    assert calculate_actions(make_snapshot(preset), POLICY) == (create(5),)


@pytest.mark.parametrize(
    ("snapshot", "can_skip"),
    [
        (make_snapshot(make_preset(template_version=INACTIVE)), True),
        (make_snapshot(make_preset(template_version=INACTIVE), in_progress=[make_in_progress(1)]), True),
        (make_snapshot(make_preset(template_version=INACTIVE), pending=1), False),
        (make_snapshot(make_preset(template_version=INACTIVE), running=[make_prebuild("a")]), False),
        (make_snapshot(make_preset(template_version=INACTIVE), expired=[make_prebuild("a")]), False),
        (make_snapshot(make_preset(desired_instances=0)), False),
    ],
)
def test_only_an_inactive_preset_with_nothing_left_can_be_skipped(snapshot: PresetSnapshot, can_skip: bool) -> None:
    """Whatever a host skips by this needs no action."""
    assert can_skip_reconciliation(snapshot) is can_skip
