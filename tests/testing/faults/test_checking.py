"""`check_reconciler` passes what is sound, finds what is not, and prints the line that runs it again."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from servers import Database

from prebuilds import InvalidValueError
from prebuilds.adapters.memory import MemoryStore
from prebuilds.adapters.sqlite import SQLiteStore
from prebuilds.errors import BrokenInvariantError
from prebuilds.testing.faults import FaultMode, Feature, Invariant, check_reconciler, replay_reconciler
from prebuilds.testing.faults.search.large_worlds import search
from testing.faults import broken


def test_every_fault_at_every_point_of_a_round_is_tried_in_memory() -> None:
    """The whole of the small worlds is covered, every effect, and every method that a reconciler or a claim calls."""
    report = check_reconciler(MemoryStore, examples=60)
    assert (report.explored.share, report.explored.done) == (1.0, report.explored.points * len(FaultMode))
    assert (report.not_done, report.not_called) == ((), ("find_lease", "list_claim_counts", "list_counters", "nested"))
    assert report.most_rounds <= 3
    assert min(times for _, times in report.struck) >= report.explored.points
    assert report.held == tuple(Invariant)
    assert report.searched >= 60


def test_sqlite_passes_a_part_that_is_evenly_chosen(tmp_path: Path) -> None:
    """With as many runs as there is time for; the report tells the share."""
    numbers = count()
    report = check_reconciler(lambda: SQLiteStore(tmp_path / f"{next(numbers)}.db"), examples=5, most_runs=40)
    assert report.explored.done == 40
    assert 0 < report.explored.share < 1


def test_postgresql_passes_a_part_that_is_evenly_chosen(database: Database) -> None:
    """On a real server, with a schema of its own for each run."""
    report = check_reconciler(database.make_new_store, examples=3, most_runs=30)
    assert report.explored.done == 30
    assert 0 < report.explored.share < 1


def test_a_store_with_one_connection_is_given_one_transaction_at_a_time() -> None:
    """An actor waits for a connection in the scheduler, and not in the store, which would give up."""

    def make_store() -> MemoryStore:
        return MemoryStore(max_connections=1, timeout=timedelta(milliseconds=50))

    replay_reconciler(make_store, "grow reconcilers=2 rounds=2 seed=1626 events=pause")
    assert check_reconciler(make_store, examples=60, most_runs=30).searched >= 60


def test_a_prebuild_that_is_deleted_before_the_report_keeps_no_promise() -> None:
    """A prebuild that is reported as not ready may have been deleted meanwhile; then the report does nothing."""
    replay_reconciler(MemoryStore, "shrink reconcilers=2 claimants=3 seed=3 events=make_unready")


@pytest.mark.parametrize("feature", Feature)
def test_what_a_host_leaves_out_is_not_tested(feature: Feature) -> None:
    """And the report says that it was not covered."""
    report = check_reconciler(MemoryStore, without=[feature], examples=5, most_runs=20)
    assert report.left_out == (feature,)
    assert f"Left out by the host: {feature.value}." in str(report)


def test_an_unknown_feature_is_refused() -> None:
    """Rather than left out in silence."""
    with pytest.raises(InvalidValueError, match=r"check_reconciler.without: .* must be a collection of Feature"):
        check_reconciler(MemoryStore, without=["claims"])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("make_store", "invariants"),
    [
        (broken.StoreWithoutFencing, {"within_target", "quiet", "keeps_needed"}),
        (broken.StoreWithoutRollback, {"atomic"}),
        (broken.StoreThatDeletesClaimed, {"keeps_claimed"}),
        (broken.StoreThatForgetsRequests, {"answers"}),
        (broken.StoreThatGivesExpired, {"eligible"}),
        (broken.StoreThatHidesFailed, {"no_leak"}),
        (broken.StoreThatHidesBudgets, {"budgets"}),
    ],
)
def test_a_store_with_one_defect_is_caught(make_store: Callable[[], MemoryStore], invariants: set[str]) -> None:
    """By an invariant that fits, and the line that it prints fails in the same way, while a sound store passes it."""
    with pytest.raises(BrokenInvariantError) as raised:
        check_reconciler(make_store, examples=1_000, most_runs=150)
    assert raised.value.invariant in invariants
    replay = str(raised.value).splitlines()[-1]
    match = re.fullmatch(r'  replay: replay_reconciler\(make_store, "([^"]+)"\)', replay)
    assert match
    with pytest.raises(BrokenInvariantError) as again:
        replay_reconciler(make_store, match[1])
    assert str(again.value) == str(raised.value)
    replay_reconciler(MemoryStore, match[1])


def fail_in_search(seconds: int) -> tuple[int, BrokenInvariantError]:
    """How many runs a failing search makes, each of which takes a second, and what it raises."""
    made: list[MemoryStore] = []

    def make_store() -> MemoryStore:
        made.append(broken.StoreWithoutFencing())
        return made[-1]

    limit = timedelta(seconds=seconds)
    with pytest.raises(BrokenInvariantError) as raised:
        search(
            make_store,
            lambda _: None,
            without=(),
            examples=1_000,
            first_seed=0,
            shrink_for=limit,
            get_time=lambda: float(len(made)),
        )
    return len(made), raised.value


def test_making_a_failure_smaller_ends_in_time(capsys: pytest.CaptureFixture[str]) -> None:
    """The first failure is reported at once. The error is the shortest one found, with a note of the first."""
    runs, first = fail_in_search(0)
    told = f"{first}\n  made smaller for at most 0 s\n"
    assert capsys.readouterr().err == told
    more_runs, last = fail_in_search(30)
    assert more_runs == runs + 30
    assert capsys.readouterr().err == told.replace("most 0 s", "most 30 s")
    assert f"first found by: {first.replay}" in getattr(last, "__notes__")  # noqa: B009 - it is typed from 3.11 on
    assert len(last.replay) < len(first.replay)


def test_a_limit_that_is_not_a_time_is_refused() -> None:
    """Before anything is run."""
    with pytest.raises(InvalidValueError, match=r"check_reconciler.shrink_for: .* a timedelta of 0 or more"):
        check_reconciler(MemoryStore, shrink_for=timedelta(seconds=-1))


def test_a_store_that_raises_is_reported_with_the_line_to_run_it_again() -> None:
    """An error of the host's own is no invariant's, and is the cause of what is raised."""

    class Store(MemoryStore):
        def transaction(self, **_: object):  # type: ignore[no-untyped-def]  # noqa: ANN202
            raise OSError("no disk")

    with pytest.raises(BrokenInvariantError, match=r"answers: no process ends by an error\n  seen: OSError: no disk"):
        check_reconciler(Store)


def test_waiting_for_backoffs_does_not_count_as_rounds() -> None:
    """Two presets failed, and each waits for itself: what only waits is not held against the loop."""
    text = "steady,grow claimants=2 rounds=2 seed=1 faults=r0@3:part,r0@4:timeout"
    replay_reconciler(MemoryStore, text)
