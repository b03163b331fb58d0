"""Strategies make valid models, reach what decisions turn on, and refuse arguments that make no sense."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from itertools import product

import pytest
import reach
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from prebuilds import (
    Backoff,
    Budget,
    Build,
    BuildStatus,
    Expectations,
    Foreground,
    GlobalSnapshot,
    HardLimit,
    InProgress,
    Pending,
    Prebuild,
    Preset,
    RecentStarts,
    Template,
    TemplateVersion,
    Transition,
    parse_window,
)
from prebuilds.runtime import (
    BuildRequest,
    ClaimRequest,
    CounterValue,
    Lease,
    Message,
    OutboxEntry,
    Workspace,
    WorkspaceBuild,
)
from prebuilds.testing import strategies

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=timezone.utc)
FLEET = GlobalSnapshot(presets=[Preset(id="p", desired_instances=1)])


@pytest.mark.parametrize(
    ("strategy", "model"),
    [
        (strategies.templates(), Template),
        (strategies.template_versions(), TemplateVersion),
        (strategies.presets(now=NOW), Preset),
        (strategies.prebuilds(now=NOW), Prebuild),
        (strategies.in_progress(), InProgress),
        (strategies.expectations(now=NOW, snapshot=FLEET), Expectations),
        (strategies.pending(), Pending),
        (strategies.backoffs(now=NOW), Backoff),
        (strategies.hard_limits(now=NOW), HardLimit),
        (strategies.budgets(), Budget),
        (strategies.foreground(), Foreground),
        (strategies.recent_starts(now=NOW), RecentStarts),
        (strategies.builds(now=NOW), Build),
        (strategies.build_requests(), BuildRequest),
        (strategies.workspace_builds(now=NOW), WorkspaceBuild),
        (strategies.workspaces(now=NOW), Workspace),
        (strategies.claim_requests(now=NOW), ClaimRequest),
        (strategies.messages(), Message),
        (strategies.outbox_entries(), OutboxEntry),
        (strategies.leases(now=NOW), Lease),
        (strategies.counter_values(), CounterValue),
    ],
)
@given(data=st.data())
@settings(max_examples=20)
def test_every_strategy_makes_its_model(strategy: st.SearchStrategy[object], model: type, data: st.DataObject) -> None:
    """With ids of their own where none are given."""
    assert isinstance(data.draw(strategy), model)


@given(strategies.crons())
def test_crons_can_be_read(cron: str) -> None:
    """Every one of them is a window."""
    assert parse_window(cron).expression == cron


@given(strategies.global_snapshots(now=NOW, with_orphans=False))
def test_orphans_can_be_left_out(snapshot: GlobalSnapshot) -> None:
    """Every row names a preset then."""
    assert snapshot.orphan_counts == ()


@given(strategies.workspaces(now=NOW))
def test_workspaces_agree_with_their_builds(workspace: Workspace) -> None:
    """Nobody owns, or could work in, what never ran; what is gone was deleted or canceled by its last build."""
    build = workspace.last_build
    never_ran = build.number == 1 and build.status is not BuildStatus.SUCCEEDED
    assert not (never_ran and (workspace.ready or not workspace.is_prebuild))
    assert workspace.created_at <= build.created_at <= NOW
    assert not workspace.deleted or build.status in (BuildStatus.SUCCEEDED, BuildStatus.CANCELED)
    assert not workspace.failed_deletes or build.transition is Transition.DELETE


def test_workspaces_are_made_at_every_stage() -> None:
    """Of each transition and status, ready and not, claimed and deleted."""
    seen: set[object] = set()

    @given(strategies.workspaces(now=NOW))
    @settings(max_examples=500, database=None, derandomize=True, phases=[Phase.generate])
    def look(workspace: Workspace) -> None:
        kind = "deleted" if workspace.deleted else "prebuild" if workspace.is_prebuild else "claimed"
        build = workspace.last_build
        seen.update({(build.transition, build.status), kind, workspace.ready, workspace.is_running and "running"})

    look()
    stages = set(product(Transition, BuildStatus))
    assert seen == {*stages, "deleted", "prebuild", "claimed", "running", True, False}


def test_everything_that_decisions_turn_on_is_reached() -> None:
    """Each action, reason, cause, edge and pair of neighbours, often enough that properties do not pass by luck.

    So few examples are drawn in clusters, so a third of the share in the printed table is enough here.
    """
    shares = reach.count_reached(1_000)
    assert {feature: share for feature, share in shares.items() if share < reach.LEAST / 3} == {}


@pytest.mark.parametrize(
    ("low", "high"),
    [(NOW, NOW - timedelta(seconds=1)), (NOW.replace(tzinfo=None), NOW), (NOW, NOW.replace(tzinfo=None))],
)
def test_bounds_must_be_aware_and_in_order(low: datetime, high: datetime) -> None:
    """A wrong argument is told when the strategy is made."""
    with pytest.raises(InvalidArgument, match="must be aware and in order"):
        strategies.instants(min_value=low, max_value=high)


@pytest.mark.parametrize("now", [NOW.replace(tzinfo=None), datetime(1, 1, 2, tzinfo=timezone.utc)])
@pytest.mark.parametrize(
    "make",
    [
        strategies.presets,
        strategies.prebuilds,
        strategies.backoffs,
        strategies.builds,
        strategies.global_snapshots,
        strategies.workspace_builds,
        strategies.workspaces,
        strategies.claim_requests,
        strategies.leases,
    ],
)
def test_now_must_be_aware_and_sensible(make: Callable[..., st.SearchStrategy[object]], now: datetime) -> None:
    """Told by Hypothesis' own error, whichever strategy is asked."""

    @given(make(now=now))
    def draw(_: object) -> None:
        pytest.fail("drawn")

    with pytest.raises(InvalidArgument, match="must be aware and from 1970-01-01 to 2100-01-01"):
        draw()
