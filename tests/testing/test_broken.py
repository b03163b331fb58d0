"""Every broken rule of the ports is found, by the check of that rule and by none before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import pytest

from prebuilds.adapters.memory import MemoryPubSub
from prebuilds.errors import BrokenContractError
from prebuilds.runtime import PubSub, Store
from prebuilds.testing import (
    StoreCheck,
    check_claims,
    check_pubsub,
    check_store,
    list_claim_checks,
    list_pubsub_checks,
    list_store_checks,
)
from testing.broken import builds, claims, pubsubs, settings, stores, workspaces
from testing.broken.stores import BrokenStore, Method

CHECKS = {check.name: check for check in (*list_store_checks(), *list_claim_checks())}


def find_broken(checks: Sequence[StoreCheck], make_store: Callable[[], Store]) -> str:
    """The name of the first check that fails."""
    for check in checks:
        try:
            check(make_store)
        except BrokenContractError as error:
            assert error.check == check.name
            return error.check
    return "none"


@pytest.mark.parametrize(
    ("make_store", "found_by"),
    [
        (stores.ForgetfulStore, "a_block_that_ends_is_committed"),
        (stores.CommittingStore, "an_error_rolls_everything_back"),
        (stores.UnwrappedStore, "a_transaction_within_another_is_refused"),
        (stores.NarrowStore, "every_connection_can_have_a_transaction"),
        (stores.BoundlessStore, "one_transaction_too_many_is_refused"),
        (stores.WritableStore, "a_reader_cannot_write"),
        (stores.CredulousStore, "clients_read_one_time"),
        (stores.LeaselessStore, "a_deposed_holder_is_refused"),
    ],
)
def test_a_broken_store_is_found(make_store: Callable[[], Store], found_by: str) -> None:
    """By the check of the rule that it breaks, and by none before it."""
    assert find_broken(list_store_checks(), make_store) == found_by


def nothing(*_: Any, **__: Any) -> tuple[()]:
    return ()


def drop_last(name: str) -> Method:
    """The same list without its last row, once there are several."""
    return lambda tx, *given, **options: _drop(list(getattr(tx, name)(*given, **options)))


def _drop(rows: list[Any]) -> list[Any]:
    return rows[:-1] if len(rows) > 1 else rows


def ignore_preset(name: str) -> Method:
    """The same list, of all presets."""
    return lambda tx, *_, **options: getattr(tx, name)(**{**options, "preset_id": None})


@pytest.mark.parametrize(
    ("methods", "found_by"),
    [
        ({"nested": lambda _: nullcontext()}, "a_nested_part_is_rolled_back_alone"),
        ({"nested": settings.keep_messages}, "a_nested_part_that_is_rolled_back_sends_nothing"),
        ({"list_presets": ignore_preset("list_presets")}, "inactive_presets_are_listed"),
        ({"list_presets": settings.list_healthy_first}, "presets_keep_their_order"),
        ({"list_presets": settings.list_active}, "inactive_presets_are_listed"),
        ({"put_preset": settings.put_without_parameters}, "a_preset_is_replaced"),
        ({"put_preset": settings.put_without_organization}, "every_field_of_a_preset_is_kept"),
        ({"put_preset": settings.put_new}, "presets_keep_their_order"),
        ({"set_prebuild_status": nothing}, "a_prebuild_status_is_noted"),
        ({"set_invalidated": settings.invalidate_all}, "an_invalidation_is_noted"),
        ({"set_reset": settings.reset_once}, "the_last_reset_is_listed"),
        ({"set_reset": settings.reset_any}, "unknown_presets_are_left_alone"),
        (
            {"set_paused": lambda tx, *, paused: paused and tx.set_paused(paused=True)},
            "reconciliation_is_paused_and_resumed",
        ),
        ({"put_budget": settings.put_first_budget}, "a_budget_is_added_or_replaced"),
        ({"put_budget": settings.put_budget_of_scope}, "a_budget_is_added_or_replaced"),
        ({"put_budget": settings.put_budget_without_rate}, "every_field_of_a_budget_is_kept"),
        ({"remove_budget": settings.remove_budgets_of_key}, "a_budget_is_removed_alone"),
        (
            {"remove_budget": lambda tx, scope, key="": tx.remove_budget(scope, key) or True},
            "a_budget_is_removed_alone",
        ),
        ({"read_rows": settings.read_memberships_twice}, "a_block_that_ends_is_committed"),
        ({"list_counters": drop_last("list_counters")}, "every_counter_is_listed"),
        ({"read_rows": workspaces.read_deleted}, "prebuilds_are_listed_at_every_stage"),
        ({"read_rows": workspaces.read_running}, "a_prebuild_is_added_whole"),
        ({"read_rows": workspaces.read_all}, "prebuilds_of_one_preset_can_be_listed"),
        ({"insert_prebuilds": workspaces.create_unpinned}, "no_prebuild_of_another_version"),
        ({"insert_prebuilds": workspaces.create_inactive}, "no_prebuild_of_an_inactive_preset"),
        ({"insert_prebuilds": workspaces.create_active}, "a_candidate_gets_prebuilds"),
        ({"cancel_pending": workspaces.cancel_candidate}, "nothing_of_a_candidate_is_canceled"),
        ({"set_stage": nothing}, "a_stage_is_noted"),
        ({"set_stage": settings.stage_all}, "a_stage_is_noted"),
        ({"insert_prebuilds": workspaces.create_again}, "no_prebuild_is_added_twice"),
        ({"insert_prebuilds": workspaces.create_without_parameters}, "a_prebuild_is_added_whole"),
        ({"insert_prebuilds": workspaces.create_with_parameters_of_now}, "a_prebuild_keeps_its_requested_parameters"),
        ({"insert_prebuilds": workspaces.create_the_first}, "prebuilds_are_added_together"),
        ({"withdraw_prebuilds": nothing}, "what_was_withdrawn_can_be_added_again"),
        ({"withdraw_prebuilds": workspaces.withdraw_submitted}, "only_what_was_not_handed_over_is_withdrawn"),
        (
            {"count": lambda tx, preset_id, counter, *_: tx.count(preset_id, counter)},
            "a_counter_grows_by_the_amount",
        ),
        ({"insert_failed_build": nothing}, "a_create_that_failed_is_noted"),
        ({"insert_failed_build": builds.note_begun_now}, "a_create_that_failed_is_noted"),
        ({"finish_build": builds.finish_given_up}, "a_start_that_was_given_up_ends_canceled"),
        ({"get_workspace": workspaces.get_prebuild}, "any_workspace_can_be_read"),
        ({"read_rows": builds.reading(builds.list_no_latest)}, "builds_are_remembered"),
        ({"read_rows": builds.reading(builds.list_latest_builds)}, "builds_of_one_pass_are_one_attempt"),
        ({"read_rows": builds.reading(builds.list_latest_of_all)}, "only_builds_that_count_fill_the_limit"),
        ({"read_rows": builds.reading(builds.list_of_known_versions)}, "builds_of_unknown_versions_count"),
        ({"read_rows": builds.reading(builds.list_failures)}, "builds_of_a_preset_that_failed_are_all_read"),
        ({"read_rows": builds.reading(builds.list_living)}, "builds_outlive_their_workspaces"),
        ({"read_rows": builds.reading(builds.list_all)}, "builds_of_one_preset_can_be_listed"),
        ({"mark_submitted": nothing}, "a_build_is_marked_submitted"),
        ({"begin_build": builds.restart}, "only_a_pending_build_begins"),
        ({"finish_build": builds.finish_again}, "a_build_ends_once"),
        ({"finish_build": builds.finish_by_any_clock}, "no_build_ends_before_it_began"),
        ({"finish_build": builds.finish_uncounted}, "a_delete_that_ends_tells"),
        ({"finish_build": builds.finish_without_a_reason}, "a_build_keeps_why_it_failed"),
        ({"read_rows": builds.reading(builds.list_latest_with_capacity)}, "attempts_without_capacity_use_up_nothing"),
        ({"mark_ready": builds.make_anything_ready}, "only_a_running_workspace_becomes_ready"),
        ({"insert_deletes": workspaces.delete_claimed}, "only_deletable_prebuilds_are_deleted"),
        ({"insert_deletes": workspaces.delete_the_first}, "deletes_are_added_together"),
        ({"insert_deletes": workspaces.delete_busy}, "only_deletable_prebuilds_are_deleted"),
        ({"insert_deletes": workspaces.delete_with_active_version}, "a_delete_runs_with_the_version_of_the_last_build"),
        ({"cancel_pending": workspaces.cancel_begun}, "only_first_builds_that_wait_are_canceled"),
        ({"cancel_pending": workspaces.cancel_active}, "nothing_of_an_active_preset_is_canceled"),
        ({"retire_prebuild": workspaces.retire_ready}, "only_a_prebuild_is_retired"),
        ({"release_workspace": workspaces.release_for_others}, "only_a_running_workspace_becomes_ready"),
        ({"release_workspace": workspaces.release_anything}, "only_a_claimed_workspace_is_released"),
        ({"forget_workspace": workspaces.forget_anything}, "only_a_claimed_workspace_is_forgotten"),
        ({"mark_unready": builds.make_anything_unready}, "only_a_ready_prebuild_becomes_unready"),
        ({"list_messages": lambda tx, limit: tx.list_messages(limit)[::-1]}, "messages_are_sent_in_order"),
        ({"list_messages": lambda tx, _: tx.list_messages(1_000)}, "the_outbox_gives_the_first"),
        ({"delete_messages": settings.delete_those_there}, "what_was_sent_leaves_the_outbox"),
        ({"publish_on_commit": settings.trim_and_publish}, "every_message_is_sent_as_it_is"),
        ({"take_lease": settings.take_lease_with_one_token}, "tokens_grow"),
        ({"take_lease": settings.take_lease_with_new_tokens}, "a_holder_keeps_its_token"),
        ({"take_lease": settings.take_held_lease}, "a_lease_is_held_until_it_expires"),
        ({"find_lease": nothing}, "a_lease_can_be_found"),
        ({"find_lease": settings.find_lease_of_any_name}, "a_lease_can_be_found"),
        ({"release_lease": nothing}, "a_released_lease_is_free"),
        ({"release_lease": settings.release_any_lease}, "releasing_a_lost_lease_frees_nothing"),
        ({"release_lease": settings.release_and_forget}, "the_token_of_a_released_lease_stays_used"),
    ],
)
def test_a_broken_transaction_is_found(methods: dict[str, Method], found_by: str) -> None:
    """By the check of the rule that it breaks, and by none before it."""
    assert find_broken(list_store_checks(), lambda: BrokenStore(**methods)) == found_by


@pytest.mark.parametrize(
    ("take", "found_by"),
    [
        (claims.take_newest, "the_oldest_is_taken_first"),
        (claims.take_oldest, "the_newest_is_taken_first"),
        (claims.take_by_age_alone, "the_oldest_is_taken_first"),
        (claims.take_unready, "only_what_is_ready_is_taken"),
        (claims.take_of_any_preset, "only_the_preset_asked_for_is_taken"),
        (claims.take_any_age, "nothing_older_than_asked_for_is_taken"),
        (claims.take_of_inactive, "nothing_of_an_inactive_preset_is_taken"),
        (claims.take_given_up, "only_what_is_ready_is_taken"),
        (claims.take_of_any_version, "only_what_the_preset_describes_is_taken"),
        (claims.take_of_any_parameters, "only_what_the_preset_describes_is_taken"),
        (claims.take_of_known_versions, "a_prebuild_of_unknown_version_is_taken"),
        (claims.take_any_name, "a_name_is_given_once"),
        (claims.take_unnoted, "a_claim_is_noted"),
        (claims.take_again, "a_request_id_claims_once"),
        (claims.take_under_the_old_name, "a_claim_changes_owner_and_name_alone"),
    ],
)
def test_a_broken_claim_is_found(take: Method, found_by: str) -> None:
    """By the check of the rule that it breaks, and by none before it."""
    assert find_broken(list_claim_checks(), lambda: BrokenStore(take_prebuild=take)) == found_by


@pytest.mark.parametrize(
    "name",
    [
        "threads_lose_no_writes",
        "only_one_of_many_reports_counts",
        "one_of_many_gets_the_lease",
        "many_writers_lose_no_message",
        "no_delete_overtakes_a_claim",
        "no_claim_overtakes_a_retirement",
        "many_claims_take_each_prebuild_once",
        "a_request_repeated_at_once_claims_once",
        "a_name_asked_for_at_once_is_given_once",
        "a_prebuild_is_not_taken_while_another_takes_it",
    ],
)
def test_writers_that_overwrite_each_other_are_found(name: str) -> None:
    """By every check that lets several write at once."""
    with pytest.raises(BrokenContractError):
        CHECKS[name](stores.UnlockedStore)


@pytest.mark.parametrize(
    ("make_store", "found_by"),
    [
        (stores.DirtyStore, "what_is_not_committed_is_not_seen"),
        (stores.UnsteadyStore, "repeatable_reads_see_one_moment"),
        (stores.UnsteadyStore, "the_moment_is_the_same_for_every_table"),
        (stores.UnguardedStore, "no_lease_is_taken_during_a_write_under_it"),
    ],
)
def test_a_store_that_does_not_wait_is_found(
    make_store: Callable[[], Store], found_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that finishes while another transaction is open is found, on a slow machine too."""
    monkeypatch.setattr("prebuilds.testing.contracts.equipment.threads._GRACE", 30.0)
    with pytest.raises(BrokenContractError):
        CHECKS[found_by](make_store)


def test_publishing_before_the_commit_is_found() -> None:
    """Where messages come out of a pubsub."""
    with pytest.raises(BrokenContractError) as caught:
        check_store(stores.EagerStore, pubsub_of=lambda store: store.pubsub)
    assert caught.value.check == "nothing_is_sent_before_the_commit"


@pytest.mark.parametrize(
    ("make_pubsub", "found_by"),
    [
        (pubsubs.GossipingPubSub, "other_topics_are_not_heard"),
        (pubsubs.RepeatingPubSub, "what_was_published_before_is_not_heard"),
        (pubsubs.ClingingPubSub, "a_subscription_ends"),
        (pubsubs.SwappingPubSub, "every_listener_hears_every_message"),
        (pubsubs.SwappingPubSub, "each_publisher_is_heard_in_order"),
        (pubsubs.DeafPubSub, "a_listener_that_fails_stops_nobody"),
        (pubsubs.SilentPubSub, "a_listener_that_fails_stops_nobody"),
        (pubsubs.CarelessPubSub, "publishing_within_any_transaction_is_refused"),
        (pubsubs.MarkingPubSub, "every_message_is_heard_as_it_is"),
    ],
)
def test_a_broken_pubsub_is_found(
    make_pubsub: Callable[[], PubSub], found_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the check of the rule that it breaks; what never comes is waited for, here not for long."""
    monkeypatch.setattr("prebuilds.testing.contracts.pubsubs.PATIENCE", 0.1)
    check = next(check for check in list_pubsub_checks() if check.name == found_by)
    with pytest.raises(BrokenContractError):
        check(make_pubsub)


def test_the_memory_pubsub_is_whole_unless_broken_here() -> None:
    """What the broken ones are made of keeps the contract itself."""
    check_store(BrokenStore)
    check_claims(BrokenStore)
    check_pubsub(MemoryPubSub)
