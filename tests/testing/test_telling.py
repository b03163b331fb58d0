"""What an error of a broken contract tells: the rule, the calls, and how what was seen differs."""

from __future__ import annotations

from typing import Any

import pytest

from prebuilds.errors import BrokenContractError
from prebuilds.testing import check_claims, check_pubsub, list_claim_checks, list_store_checks
from testing.broken import pubsubs, stores
from testing.broken.stores import BrokenStore

CHECKS = {check.name: check for check in (*list_store_checks(), *list_claim_checks())}


def nothing(*_: Any, **__: Any) -> tuple[()]:
    return ()


def test_the_error_reports_everything() -> None:
    """The port and its rule, the check, the calls with their answers, and how what was seen differs."""
    methods = {"mark_submitted": nothing}
    with pytest.raises(BrokenContractError) as caught:
        CHECKS["a_build_is_marked_submitted"](lambda: BrokenStore(**methods))
    lines = str(caught.value).splitlines()
    assert (
        lines[0]
        == "BuildWrites.mark_submitted: Note that the host's builder has taken these builds; unknown ids are ignored."
    )
    assert lines[1:3] == ["  check: a_build_is_marked_submitted", "  done:"]
    assert "    [2] mark_submitted(['w-1', 'unknown']) -> []" in lines
    assert (
        lines[-1]
        == "  seen: the workspace, its build being submitted,: last_build.submitted is False; expected was True"
    )


def test_an_error_of_the_adapter_is_reported_with_the_rule() -> None:
    """The error is the cause, and the calls before it are listed."""

    def fail(_: object) -> None:
        raise ZeroDivisionError("at line 3")

    with pytest.raises(BrokenContractError) as caught:
        check_claims(lambda: BrokenStore(take_prebuild=lambda *_: fail(None)))
    assert caught.value.seen == "ZeroDivisionError was raised: at line 3"
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert any("take_prebuild" in line and "raises ZeroDivisionError: at line 3" in line for line in caught.value.done)


def test_a_store_that_hangs_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every wait is bounded, and the error says so."""
    monkeypatch.setattr("prebuilds.testing.contracts.equipment.threads.PATIENCE", 0.1)
    with pytest.raises(BrokenContractError, match=r"had not come back after 0.1 s; every wait is bounded"):
        CHECKS["one_transaction_too_many_is_refused"](stores.HangingStore)


def test_messages_that_are_kept_elsewhere_must_be_shown() -> None:
    """Without an outbox and without `pubsub_of` nobody can tell what was sent, and the error says what to give."""
    with pytest.raises(BrokenContractError, match=r"say where they come out: check_store\(make_store, pubsub_of=...\)"):
        CHECKS["messages_are_sent_in_order"](lambda: BrokenStore(publish_on_commit=nothing))
    with pytest.raises(BrokenContractError):
        check_pubsub(pubsubs.ClingingPubSub)
