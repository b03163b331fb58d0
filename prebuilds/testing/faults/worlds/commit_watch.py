"""The watch: holds every commit and every submit to the invariants.

- It looks after every commit, by any process.
- It does not ask the code under test what is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from prebuilds.decision.models import Preset, Transition
from prebuilds.runtime.models import BuildRequest, Workspace
from prebuilds.runtime.ports import Store
from prebuilds.testing.faults.worlds.act_promises import Expectation
from prebuilds.testing.faults.worlds.invariants import Invariant, Violated
from prebuilds.testing.faults.worlds.scenarios import FaultScenario
from prebuilds.testing.faults.worlds.store_contents import (
    Made,
    StoreContents,
    count_wanted,
    get_made,
    is_fresh,
    is_kept,
    is_late,
    read_contents,
    read_listed,
)


class Watch:
    """Looks at a store after every commit, and at every submit. `violation` is the first thing that it finds wrong."""

    def __init__(self, store: Store, scenario: FaultScenario, get_now: Callable[[], datetime]) -> None:
        self._store = store
        self._scenario = scenario
        self._get_now = get_now
        self._made: dict[str, Made] = {}
        self._requests: dict[str, BuildRequest] = {}
        self._offers: dict[str, set[Made]] = {}
        self._expectation = Expectation()
        self._doomed: set[str] = set()
        self._freed: set[str] = set()
        self._submitted: set[str] = set()  # presets of which a start was submitted since the last look
        self._limits: dict[str, int] = {}
        # With old snapshots nobody can know how many starts are under way.
        self._budget = 0 if scenario.lag or scenario.hides else scenario.budget
        self._began_with: frozenset[str] = frozenset()
        self.contents = StoreContents(presets={}, workspaces={})
        self.violation: Violated | None = None

    def begin(self, known: Iterable[str]) -> None:
        """Start from the contents of now, which include the workspaces in `known`."""
        self.contents = self.read(known)
        self._began_with = frozenset(self.contents.workspaces)
        self._note_offers(self.contents.presets.values())
        for workspace in self.contents.workspaces.values():
            self._note_made(workspace)
        self._limits = {preset.id: self._count_kept(preset) for preset in self.contents.presets.values()}

    def read(self, known: Iterable[str] = ()) -> StoreContents:
        """Read all prebuilds, and the workspaces that were seen before or are `known`."""
        return read_contents(self._store, [*self.contents.workspaces, *known])

    def look(self) -> None:
        """Compare the contents with those before. Raises `Violated`.

        What has not changed was right before, and is still: time only makes prebuilds too old.
        """
        before, self.contents = self.contents, read_listed(self._store, self.contents.workspaces)
        changed = self.contents.list_changed(before)
        self._note_offers(changed.presets)
        for name in changed.workspaces:
            self._check_change(before, name)
        for name in sorted(self._submitted.union(changed.preset_ids).intersection(self.contents.presets)):
            self._check_limit(self.contents.presets[name])
        self._submitted.clear()
        self._check_budget(before)

    def _check_change(self, before: StoreContents, name: str) -> None:
        earlier, workspace = before.workspaces.get(name), self.contents.workspaces.get(name)
        if workspace is None:
            if earlier is not None:
                self._check_gone(earlier)
        elif earlier is None:
            self._check_new(workspace)
        elif not earlier.is_prebuild:
            self._check_claimed(earlier, workspace)
        elif not workspace.is_prebuild:
            self._check_claim(before, earlier)
        elif is_kept(earlier) and not is_kept(workspace):
            self._check_needed(before, earlier, workspace)

    def forget_budget(self) -> None:
        """Let any number of starts be under way from now on."""
        self._budget = 0

    def expect(self, expectation: Expectation) -> None:
        """Set what `keep` must find after the next commit."""
        self._expectation = expectation

    def keep(self) -> None:
        """As `look`, and hold the commit to what it promised. Raises `Violated`."""
        expected, rows = self._expectation, self.contents.workspaces.values()
        self._doomed |= {row.id for row in rows if expected.doomed(row)}
        self._freed |= {row.id for row in rows if expected.freed(row)}
        unready = [row.id for row in rows if expected.unready(row)]
        self.look()
        for name in unready:
            if self.contents.workspaces[name].ready:
                self.fail(Invariant.ELIGIBLE, f"{name} was reported as not ready any more, and is still ready")

    def list_workspaces(self, preset_id: str) -> Sequence[Workspace]:
        """The workspaces of a preset that are not deleted, oldest first."""
        rows = (row for row in self.contents.workspaces.values() if row.preset_id == preset_id and not row.deleted)
        return sorted(rows, key=lambda row: (row.created_at, row.id))

    def check_unchanged(self) -> None:
        """Check that a rollback left nothing behind. Raises `Violated`."""
        rows = self.read()
        for name in rows.workspaces.keys() | self.contents.workspaces.keys():
            if rows.workspaces.get(name) != self.contents.workspaces.get(name):
                self.fail(Invariant.ATOMIC, f"{self.contents.workspaces.get(name)} became {rows.workspaces.get(name)}")

    def submit(self, request: BuildRequest, template_version_id: str) -> None:
        """Check what the builder is asked to do. Raises `Violated`."""
        with self._store.transaction(read_only=True) as tx:
            workspace = tx.get_workspace(request.workspace_id)
        if workspace is None:
            self.fail(Invariant.NO_LEAK, f"the build {request.build_id} is of no workspace")
        elif request.transition is Transition.DELETE and not workspace.is_prebuild:
            self.fail(Invariant.KEEPS_CLAIMED, f"{workspace.id} of {workspace.owner_id} is to be deleted")
        if request.transition is Transition.START:
            self._check_start(request)
        made_by, _ = self._made.get(request.workspace_id, (template_version_id, ()))
        if made_by != template_version_id:
            seen = (
                f"{request.transition.value} of {request.workspace_id}, made by {made_by}, with {template_version_id}"
            )
            self.fail(Invariant.PINNED, seen)

    def _check_start(self, request: BuildRequest) -> None:
        """A start is what its preset was at one moment, and the same each time."""
        first = self._requests.setdefault(request.build_id, request)
        if first != request:
            self.fail(Invariant.PINNED, f"{first} was submitted again as {request}")
        made = request.template_version_id or "", request.parameters
        if made not in self._offers.get(request.preset_id or "", ()):
            self.fail(Invariant.PINNED, f"{request.preset_id} never was {made}")
        self._made[request.workspace_id] = made
        self._submitted.add(request.preset_id or "")

    def _note_offers(self, presets: Iterable[Preset]) -> None:
        for preset in presets:
            self._offers.setdefault(preset.id, set()).add(get_made(preset))

    def _note_made(self, workspace: Workspace) -> None:
        """Note what a new workspace will be made with, as far as that shows from outside."""
        preset = self.contents.presets.get(workspace.preset_id)
        self._made.setdefault(
            workspace.id, (workspace.last_build.template_version_id, preset.parameters if preset else ())
        )

    def is_good(self, workspace: Workspace, preset: Preset) -> bool:
        """Whether it is young enough, in time, made as its preset is now, and not doomed."""
        is_made_so, now = self._made[workspace.id] == get_made(preset), self._get_now()
        is_in_time = is_fresh(workspace, preset, now) and not is_late(workspace, preset, now)
        return is_made_so and is_in_time and workspace.id not in self._doomed

    def fail(self, invariant: Invariant, seen: str) -> None:
        """Record that an invariant is broken, and raise it."""
        self.violation = self.violation or Violated(invariant, seen)
        raise self.violation

    def _check_new(self, workspace: Workspace) -> None:
        preset = self.contents.presets.get(workspace.preset_id)
        version = workspace.last_build.template_version_id
        self._note_made(workspace)
        if preset is None or not count_wanted(preset) or preset.template_version.id != version:
            self.fail(Invariant.PINNED, f"{workspace.id} of {workspace.preset_id} was added with {version}")

    def _check_gone(self, workspace: Workspace) -> None:
        """Only a prebuild that the builder was never asked for may be withdrawn."""
        if not workspace.is_prebuild:
            self.fail(Invariant.KEEPS_CLAIMED, f"the row of {workspace} is gone")
        if workspace.last_build.number > 1 or workspace.last_build.id in self._requests:
            self.fail(Invariant.NO_LEAK, f"the row of {workspace} is gone, and the builder was asked for it")

    def _check_claimed(self, before: Workspace, workspace: Workspace) -> None:
        if before.id in self._freed:
            return
        is_kept = workspace.owner_id == before.owner_id and not workspace.deleted
        if not is_kept or workspace.last_build.transition is Transition.DELETE:
            self.fail(Invariant.KEEPS_CLAIMED, f"{workspace.id} of {before.owner_id} became {workspace}")

    def _check_claim(self, before: StoreContents, taken: Workspace) -> None:
        preset = self.contents.presets[taken.preset_id]
        rows = [row for row in before.list_prebuilds(preset.id) if row.is_running and row.ready]
        eligible = sorted((row.created_at, row.id) for row in rows if self.is_good(row, preset))
        if not count_wanted(preset) or (taken.created_at, taken.id) not in eligible[:1]:
            self.fail(Invariant.ELIGIBLE, f"{taken.id} was taken, where {eligible} were eligible")
        taken_now = self.contents.workspaces[taken.id]
        same = (taken_now.owner_id, taken_now.name)
        others = [row.id for row in self.contents.workspaces.values() if (row.owner_id, row.name) == same]
        if others != [taken.id]:
            self.fail(Invariant.ONE_PER_CLAIM, f"{same} has {others}")

    def _check_needed(self, before: StoreContents, earlier: Workspace, workspace: Workspace) -> None:
        preset, scenario = self.contents.presets[earlier.preset_id], self._scenario
        is_moving = scenario.claimants or scenario.events or scenario.lag or scenario.hides
        is_unsure = preset.ttl and (scenario.jump or scenario.skew)
        if is_moving or is_unsure or not earlier.ready or not self.is_good(earlier, preset):
            return
        if self._count_kept(preset, before) <= count_wanted(preset):
            self.fail(Invariant.KEEPS_NEEDED, f"{workspace.id} was ready and needed, and became {workspace}")

    def _count_kept(self, preset: Preset, contents: StoreContents | None = None) -> int:
        contents = contents or self.contents
        return sum(is_kept(row) and self.is_good(row, preset) for row in contents.list_prebuilds(preset.id))

    def _check_limit(self, preset: Preset) -> None:
        limit = max(self._limits.get(preset.id, 0), count_wanted(preset))
        self._limits[preset.id] = limit
        # A snapshot that lags hides one create for each commit, and the pass after it makes up for that.
        slack = self._scenario.lag + bool(self._scenario.hides)
        is_unsure = self._scenario.jump or self._scenario.skew
        if (self._scenario.jump and preset.ttl) or (is_unsure and preset.last_invalidated_at):
            return
        kept = self._count_kept(preset)
        if kept > limit + slack:
            self.fail(Invariant.WITHIN_TARGET, f"{preset.id} has {kept} prebuilds and starts, its target is {limit}")

    def _check_budget(self, before: StoreContents) -> None:
        if self._budget and (starting := self.contents.count_starting()) > max(self._budget, before.count_starting()):
            self.fail(Invariant.BUDGETS, f"{starting} starts are under way, where {self._budget} are allowed")

    def has_made(self, workspace_id: str) -> bool:
        """Whether a workspace was there at some time."""
        return workspace_id in self._made

    def count_added(self, preset_id: str) -> int:
        """How many workspaces of a preset were added during the run."""
        added = self.contents.workspaces.keys() - self._began_with
        return sum(self.get_preset_id(name) == preset_id for name in added)

    def get_preset_id(self, workspace_id: str) -> str:
        """The preset of a workspace; empty if it has no row."""
        row = self.contents.workspaces.get(workspace_id)
        return row.preset_id if row else ""
