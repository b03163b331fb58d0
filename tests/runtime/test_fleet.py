"""The fleet: the last build of each workspace tells its state."""

from __future__ import annotations

from datetime import datetime

import pytest

from prebuilds import Build, BuildStatus, InProgress, Pending, Policy, Prebuild, Transition
from prebuilds.runtime import FleetRows, Workspace, WorkspaceBuild, read_fleet
from runtime.world import HOUR, MINUTE, NOW, World, make_preset


class Rows:
    """Reads that give these workspaces, and these builds and resets."""

    def __init__(self, *workspaces: Workspace, **rows: object) -> None:
        self._rows = FleetRows(
            **{
                "presets": [make_preset()],
                "prebuilds": workspaces,
                "memberships": ["o"],
                "is_paused": True,
                **rows,
            }  # type: ignore[arg-type]
        )

    def read_rows(self, *_: object, **__: object) -> FleetRows:
        return self._rows


def make_workspace(transition: Transition, status: BuildStatus, **changes: object) -> Workspace:
    build = {
        "id": "b",
        "number": 1,
        "transition": transition,
        "status": status,
        "template_version_id": "v1",
        "created_at": NOW,
        "finished_at": NOW if status.is_final else None,
    }
    row = {"id": "w", "name": "n", "preset_id": "p", "template_id": "t", "created_at": NOW - HOUR, "ready": True}
    return Workspace(**{**row, "last_build": WorkspaceBuild(**{**build, **changes})})  # type: ignore[arg-type]


RUNNING = Prebuild(
    id="w",
    name="n",
    preset_id="p",
    template_id="t",
    template_version_id="v1",
    created_at=NOW - HOUR,
    ready=True,
    started_at=NOW,
)


@pytest.mark.parametrize("transition", Transition)
@pytest.mark.parametrize("status", BuildStatus)
def test_the_last_build_tells_where_a_workspace_stands(transition: Transition, status: BuildStatus) -> None:
    """It runs, is on its way, or is left over, as one is that was stopped: in exactly one of these (field case 1)."""
    rows = Rows(make_workspace(transition, status))
    fleet = read_fleet(rows, now=NOW, policy=Policy())  # type: ignore[arg-type]
    is_under_way = status in (BuildStatus.PENDING, BuildStatus.RUNNING)
    is_start, is_pending = transition is Transition.START, status is BuildStatus.PENDING
    assert fleet.snapshot.running == ((RUNNING,) if is_start and status is BuildStatus.SUCCEEDED else ())
    in_progress = InProgress(preset_id="p", transition=transition, count=1)
    assert fleet.snapshot.in_progress == ((in_progress,) if is_under_way else ())
    assert fleet.snapshot.pending == ((Pending(preset_id="p", count=1),) if is_start and is_pending else ())
    assert len(fleet.unsubmitted) == is_pending
    assert len(fleet.deleting) == (is_under_way and transition is Transition.DELETE)
    assert len(fleet.snapshot.running) + len(fleet.snapshot.in_progress) + len(fleet.leftovers) == 1
    assert (fleet.is_paused, fleet.memberships) == (True, ("o",))


def test_what_was_submitted_or_is_no_first_start_is_counted_apart() -> None:
    """A build that the builder has is not handed over again; canceling is for first starts alone."""
    again = make_workspace(Transition.START, BuildStatus.PENDING, number=2, submitted=True)
    rows = Rows(again)
    fleet = read_fleet(rows, now=NOW, policy=Policy())  # type: ignore[arg-type]
    assert (fleet.unsubmitted, fleet.snapshot.pending) == ((), ())


def test_backoffs_and_hard_limits_come_from_stored_builds() -> None:
    """Through the history of the decision, under the same policy."""
    world = World(make_preset(desired_instances=1))
    world.reconcile()
    world.builder.finish(succeed=False)
    for limit, expected in ((1, ("p",)), (2, ())):
        policy = Policy(failure_hard_limit=limit)
        with world.store.transaction(read_only=True) as tx:
            fleet = read_fleet(tx, now=NOW + MINUTE, policy=policy)
        assert fleet.snapshot.hard_limited == expected
        assert [(backoff.num_failed, backoff.last_build_at) for backoff in fleet.snapshot.backoffs] == [(1, NOW)]
    assert [workspace.id for workspace in fleet.list_leftovers("p")] == ["0002"]
    assert fleet.list_leftovers("q") == ()


def make_failure(version: str, at: datetime) -> Build:
    return Build(
        id=f"{version} {at}",
        preset_id="p",
        template_version_id=version,
        status=BuildStatus.FAILED,
        created_at=at,
        finished_at=at,
    )


def test_a_store_may_give_more_builds_than_count() -> None:
    """What is older than the last reset, or of another version, is left out here too."""
    ages = (("v1", 9), ("v1", 8), ("v1", 7), ("v0", 1), ("v0", 2), ("v0", 3))
    builds = [make_failure(version, NOW - minutes * MINUTE) for version, minutes in ages]
    before, after = Rows(builds=builds), Rows(builds=builds, resets=[("p", NOW - 7 * MINUTE)])
    for rows, num_failed, limited in ((before, [3], ("p",)), (after, [], ())):
        snapshot = read_fleet(rows, now=NOW, policy=Policy()).snapshot  # type: ignore[arg-type]
        assert [backoff.num_failed for backoff in snapshot.backoffs] == num_failed
        assert snapshot.hard_limited == limited
