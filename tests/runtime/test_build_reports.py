"""Builds: the version that each runs with, what a request may name, and the reports of the host's builder."""

from __future__ import annotations

from typing import Any

import pytest

from prebuilds import BuildStatus, InvalidValueError, Transition
from prebuilds.errors import UnresolvedVersionError
from prebuilds.runtime import (
    PREBUILDS_CHANGED,
    BuildRequest,
    Counter,
    Message,
    WorkspaceBuild,
    resolve_template_version,
)
from runtime.world import NOW, World, make_preset

DELETE = BuildRequest(build_id="b", workspace_id="w", transition=Transition.DELETE)
START = BuildRequest(
    build_id="b", workspace_id="w", transition=Transition.START, preset_id="p", template_version_id="v2"
)
LAST = WorkspaceBuild(
    id="a",
    number=1,
    transition=Transition.START,
    status=BuildStatus.SUCCEEDED,
    template_version_id="v1",
    created_at=NOW,
    finished_at=NOW,
)


def test_a_start_runs_with_the_version_that_it_names() -> None:
    """Even if the workspace was made by another version."""
    assert resolve_template_version(START, None) == "v2"
    assert resolve_template_version(START, LAST) == "v2"


def test_a_delete_runs_with_the_version_of_the_last_build() -> None:
    """That version made the workspace. Without a last build there is an error."""
    assert resolve_template_version(DELETE, LAST) == "v1"
    with pytest.raises(UnresolvedVersionError, match="'w'"):
        resolve_template_version(DELETE, None)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"transition": Transition.START, "template_version_id": "v"}, "preset_id"),
        ({"transition": Transition.START, "preset_id": "p"}, "template_version_id"),
        ({"transition": Transition.DELETE, "preset_id": "p"}, "preset_id"),
        ({"transition": Transition.DELETE, "template_version_id": "v"}, "template_version_id"),
        ({"transition": Transition.DELETE, "parameters": {"cpu": "4"}}, "parameters"),
        ({"transition": Transition.STOP, "preset_id": "p"}, "preset_id"),
    ],
)
def test_a_start_names_preset_and_version_and_nothing_else_does(changes: dict[str, Any], field: str) -> None:
    """A request that says too little or too much is refused when it is made."""
    with pytest.raises(InvalidValueError, match=rf"BuildRequest\.{field}: .* as the build is a"):
        BuildRequest(build_id="b", workspace_id="w", **changes)


def test_a_build_has_ended_exactly_when_its_status_is_final() -> None:
    """Like a build of the decision."""
    with pytest.raises(InvalidValueError, match=r"WorkspaceBuild\.finished_at"):
        WorkspaceBuild(
            id="b",
            number=1,
            transition=Transition.START,
            status=BuildStatus.FAILED,
            template_version_id="v",
            created_at=NOW,
        )


def test_a_report_counts_once_and_wakes_the_loop() -> None:
    """A second report of the same thing changes nothing, as builders may repeat themselves."""
    world = World(make_preset(desired_instances=1))
    world.reconcile()
    assert (world.reports.begin("0001"), world.reports.begin("0001")) == (True, False)
    assert (world.reports.succeed("0001"), world.reports.fail("0001")) == (True, False)
    assert (world.reports.make_ready("0002"), world.reports.make_ready("0002")) == (True, False)
    assert (world.reports.succeed("ghost"), world.reports.make_ready("ghost")) == (False, False)
    with world.store.transaction(read_only=True) as tx:
        messages = [entry.message for entry in tx.list_messages(10)]
    assert messages == [Message(topic=PREBUILDS_CHANGED, body="p")] * 2


def test_failures_of_starts_are_counted_and_those_of_deletes_are_not() -> None:
    """`failed_total` is about creating."""
    world = World(make_preset(desired_instances=1))
    world.reconcile()
    world.builder.finish(succeed=False)
    world.reconcile()
    world.builder.finish(succeed=False)
    assert world.get("0002").failed_deletes == 1
    assert world.list_counters() == {("p", Counter.CREATED): 1, ("p", Counter.FAILED): 1}


def test_replaced_resources_are_counted() -> None:
    """When the host reports them."""
    world = World()
    world.reports.replace_resource("p")
    assert world.list_counters() == {("p", Counter.RESOURCE_REPLACED): 1}
