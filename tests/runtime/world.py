"""A small world to reconcile: a store, a stopped clock, a builder that accepts every build, and counted ids."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from itertools import count
from typing import Any

import attrs

from prebuilds import Build, Preset, Template, TemplateVersion, Transition
from prebuilds.adapters.memory import MemoryStore
from prebuilds.runtime import (
    BuildReports,
    BuildRequest,
    Claim,
    Claims,
    Controls,
    Counter,
    Reconciler,
    ReconcilerOptions,
    ReconciliationResult,
    Store,
    Workspace,
)
from prebuilds.testing.clocks import ManualClock

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=timezone.utc)  # a Monday
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
TEMPLATE = Template(id="t", name="template", organization_id="o", organization_name="org")


def make_version(name: str = "v1", **changes: Any) -> TemplateVersion:
    return TemplateVersion(**{"id": name, "name": name, "template": TEMPLATE, **changes})


def make_preset(**changes: Any) -> Preset:
    return Preset(**{"id": "p", "desired_instances": 2, "template_version": make_version(), **changes})


class ScriptedBuilder:
    """Takes every build once and does it when told; raises `error` instead, if there is one."""

    def __init__(self, reports: BuildReports) -> None:
        self._reports = reports
        self.taken: dict[str, tuple[BuildRequest, str]] = {}
        self.error: Exception | None = None
        self.on_submit: Callable[[BuildRequest], None] = lambda _: None
        self._done: set[str] = set()

    def submit(self, request: BuildRequest, template_version_id: str, *, timeout: timedelta) -> None:  # noqa: ARG002
        self.on_submit(request)
        if self.error:
            raise self.error
        self.taken.setdefault(request.build_id, (request, template_version_id))

    def finish(self, *, succeed: bool = True, ready: bool = True) -> None:
        """Do every build that has been taken and not done."""
        for build_id, (request, _) in tuple(self.taken.items()):
            if build_id in self._done:
                continue
            self._done.add(build_id)
            if not self._reports.begin(build_id):
                continue
            if not succeed:
                self._reports.fail(build_id)
            elif self._reports.succeed(build_id) and ready and request.transition is Transition.START:
                self._reports.make_ready(request.workspace_id)

    def list_taken(self, transition: Transition) -> list[tuple[str, str]]:
        """The workspaces and versions of the builds that were taken, of this kind."""
        return [(r.workspace_id, version) for r, version in self.taken.values() if r.transition is transition]


class World:
    """Everything together. Ids are counted, so that they sort by age."""

    def __init__(self, *presets: Preset, store: Store | None = None, **options: Any) -> None:
        self.clock = ManualClock(NOW)
        self.store: Store = store or MemoryStore()
        self.reports = BuildReports(self.store, clock=self.clock)
        self.builder = ScriptedBuilder(self.reports)
        self.claims = Claims(self.store, clock=self.clock)
        self.controls = Controls(self.store, clock=self.clock)
        numbers = count(1)
        self.options = ReconcilerOptions(**{"clock": self.clock, "new_id": lambda: f"{next(numbers):04}", **options})
        self.reconciler = Reconciler(self.store, self.builder, options=self.options)
        for preset in presets or (make_preset(),):
            self.put(preset)

    def put(self, preset: Preset) -> None:
        with self.store.transaction() as tx:
            tx.put_preset(preset)

    def promote(self, preset: Preset) -> None:
        """Another version is the active one now."""
        self.put(attrs.evolve(preset, template_version=attrs.evolve(preset.template_version, is_active=False)))

    def reconcile(self) -> ReconciliationResult:
        return self.reconciler.reconcile_all()

    def fill(self) -> None:
        """Bring the pool to its target, and let a minute pass."""
        self.reconcile()
        self.builder.finish()
        self.clock.advance(MINUTE)

    def claim(self, name: str = "dev", **changes: Any) -> Claim:
        return self.claims.claim(**{"preset_id": "p", "owner_id": "ann", "name": name, **changes})

    def list_presets(self) -> list[Preset]:
        with self.store.transaction(read_only=True) as tx:
            return list(tx.list_presets())

    def list_prebuilds(self) -> list[Workspace]:
        with self.store.transaction(read_only=True) as tx:
            return sorted(tx.read_rows().prebuilds, key=lambda workspace: workspace.id)

    def get(self, workspace_id: str) -> Workspace:
        with self.store.transaction(read_only=True) as tx:
            workspace = tx.get_workspace(workspace_id)
        assert workspace is not None
        return workspace

    def list_builds(self) -> list[Build]:
        with self.store.transaction(read_only=True) as tx:
            return sorted(tx.read_rows(ended_since=NOW - HOUR, latest=0).builds, key=lambda build: build.id)

    def list_counters(self) -> dict[tuple[str, Counter], int]:
        with self.store.transaction(read_only=True) as tx:
            return {(entry.preset_id, entry.counter): entry.value for entry in tx.list_counters()}
