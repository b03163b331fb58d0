"""Acts: what people and the host do while the loop works, each to the first of a scenario's presets.

- Each is one transaction, by the host's clock, which may be wrong.
- Nothing here makes good what had expired before: an invalidation that has taken effect gives way to a later one alone
  that has too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

import attrs

from prebuilds.decision.models import Parameters, Preset, TemplateVersion
from prebuilds.errors import WrongOwnerError
from prebuilds.runtime.build_reports import BuildReports
from prebuilds.runtime.controls import Controls
from prebuilds.runtime.models import Workspace
from prebuilds.runtime.ports import Store, Transaction
from prebuilds.testing.faults.doubles.clocks import JumpingClock
from prebuilds.testing.faults.doubles.stopping import StoppingStore
from prebuilds.testing.faults.worlds.expecting import Expectation

_SOON = timedelta(seconds=20)  # between two rounds
_LATE = timedelta(hours=2)
_LONG = timedelta(hours=1)
_OTHER_PARAMETERS: Parameters = (("region", "us"),)


@attrs.frozen(kw_only=True)
class Stage:
    """Where an act takes place: the store and the clock of the person, and what the host can do without asking.

    `resources` is what really exists, `list_workspaces` lists those of a preset, oldest first, whoever has them, and
    `expect` is told what must hold from the next commit of this store on.
    """

    store: Store
    clock: JumpingClock
    host: StoppingStore
    resources: dict[str, str]
    list_workspaces: Callable[[str], Sequence[Workspace]]
    expect: Callable[[Expectation], None]


Act = Callable[[Stage, str], None]
"""Something that is done to the preset with this id."""


def _pause(stage: Stage, _preset_id: str) -> None:
    Controls(stage.store, clock=stage.clock).pause()


def _resume(stage: Stage, _preset_id: str) -> None:
    Controls(stage.store, clock=stage.clock).resume()


def _invalidate(stage: Stage, preset_id: str) -> None:
    stage.expect(Expectation(doomed=lambda row: row.is_prebuild and row.preset_id == preset_id))
    Controls(stage.store, clock=stage.clock).invalidate(preset_id)


def _invalidate_by(away: timedelta, stage: Stage, preset_id: str) -> None:
    """At an instant that lies this far ahead."""
    at = stage.clock.now() + away
    _change(stage, preset_id, lambda _tx, preset: _expire(stage, preset, at))


def _invalidate_at_creation(stage: Stage, preset_id: str) -> None:
    """At the very instant at which the youngest prebuild was created, so that it stays good."""

    def change(tx: Transaction, preset: Preset) -> Preset:
        created = [workspace.created_at for workspace in tx.list_prebuilds(preset_id)]
        return _expire(stage, preset, max(created)) if created else preset

    _change(stage, preset_id, change)


def _expire(stage: Stage, preset: Preset, at: datetime) -> Preset:
    """With an invalidation at this instant, if that lies after the last one and does not take its place too early."""
    before, now = preset.last_invalidated_at, stage.clock.now() - stage.clock.offset
    is_hidden = before is not None and (at <= before or at > now)
    return preset if is_hidden else attrs.evolve(preset, last_invalidated_at=at)


def _reset(stage: Stage, preset_id: str) -> None:
    Controls(stage.store, clock=stage.clock).reset(preset_id)


def _promote(stage: Stage, preset_id: str) -> None:
    """Another version becomes the active one, with a preset of its own."""
    with stage.store.transaction() as tx:
        for preset in tx.list_presets(preset_id):
            old = attrs.evolve(preset.template_version, is_active=False)
            new = TemplateVersion(id="v3", template=old.template)
            tx.put_preset(attrs.evolve(preset, template_version=old))
            tx.put_preset(attrs.evolve(preset, id=f"{preset.id}-v3", template_version=new))


def _deprecate(stage: Stage, preset_id: str) -> None:
    def change(_tx: Transaction, preset: Preset) -> Preset:
        template = attrs.evolve(preset.template_version.template, deprecated=True)
        return attrs.evolve(preset, template_version=attrs.evolve(preset.template_version, template=template))

    _change(stage, preset_id, change)


def _put(version_id: str, parameters: Parameters, stage: Stage, preset_id: str) -> None:
    """Another version, other parameters, or both, under the same id; or those that it had at first."""

    def change(_tx: Transaction, preset: Preset) -> Preset:
        version = attrs.evolve(preset.template_version, id=version_id)
        return attrs.evolve(preset, template_version=version, parameters=parameters)

    _change(stage, preset_id, change)


def _stop(stage: Stage, preset_id: str) -> None:
    """The host stops the oldest prebuild that runs, while nobody else has a transaction open that writes."""
    with stage.store.transaction():
        running = _list_running(stage, preset_id)
    for workspace in running[:1]:
        stage.host.stop(workspace.id, at=stage.clock.now())


def _lose(stage: Stage, preset_id: str) -> None:
    """The oldest prebuild that runs has died; if it has been claimed meanwhile, it stays its owner's."""
    for workspace in _list_running(stage, preset_id)[:1]:
        stage.expect(_doom(workspace))
        if BuildReports(stage.store, clock=stage.clock).lose(workspace.id):
            stage.resources.pop(workspace.id, None)


def _make_unready(stage: Stage, preset_id: str) -> None:
    """The oldest prebuild that runs cannot be worked in for a while."""
    for workspace in _list_running(stage, preset_id)[:1]:
        reports = BuildReports(stage.store, clock=stage.clock)
        stage.expect(_disturb(workspace))
        reports.make_unready(workspace.id)
        stage.expect(Expectation())
        reports.make_ready(workspace.id)


def _cancel(stage: Stage, preset_id: str) -> None:
    """The host has lost every build of the preset that is under way, as by a restart."""
    for workspace in stage.list_workspaces(preset_id):
        if not workspace.last_build.status.is_final:
            BuildReports(stage.store, clock=stage.clock).cancel(workspace.last_build.id)


def _retire_one(stage: Stage, preset_id: str) -> None:
    """A person gives up the oldest prebuild that runs, unless a user has it by now."""
    for workspace in _list_running(stage, preset_id)[:1]:
        stage.expect(_doom(workspace))
        with suppress(WrongOwnerError):
            Controls(stage.store, clock=stage.clock).retire(workspace.id)


def _release(stage: Stage, preset_id: str) -> None:
    """The user who has the oldest workspace of the preset is done with it."""
    for workspace in _list_claimed(stage, preset_id)[:1]:
        stage.expect(_free(workspace))
        Controls(stage.store, clock=stage.clock).release(workspace.id)


def _forget(stage: Stage, preset_id: str) -> None:
    """The host has deleted the oldest workspace of the preset that a user had."""
    for workspace in _list_claimed(stage, preset_id)[:1]:
        stage.expect(_free(workspace))
        if Controls(stage.store, clock=stage.clock).forget(workspace.id):
            stage.resources.pop(workspace.id, None)


def _reset_all(stage: Stage, _preset_id: str) -> None:
    Controls(stage.store, clock=stage.clock).reset_all()


def _doom(workspace: Workspace) -> Expectation:
    return Expectation(doomed=lambda row: row.id == workspace.id and row.is_prebuild)


def _disturb(workspace: Workspace) -> Expectation:
    return Expectation(unready=lambda row: row.id == workspace.id and row.is_prebuild)


def _free(workspace: Workspace) -> Expectation:
    return Expectation(doomed=lambda row: row.id == workspace.id, freed=lambda row: row.id == workspace.id)


def _change(stage: Stage, preset_id: str, change: Callable[[Transaction, Preset], Preset]) -> None:
    with stage.store.transaction() as tx:
        for preset in tx.list_presets(preset_id):
            tx.put_preset(change(tx, preset))


def _list_running(stage: Stage, preset_id: str) -> Sequence[Workspace]:
    return [row for row in stage.list_workspaces(preset_id) if row.is_prebuild and row.is_running]


def _list_claimed(stage: Stage, preset_id: str) -> Sequence[Workspace]:
    return [row for row in stage.list_workspaces(preset_id) if not row.is_prebuild]


ACTS: dict[str, Act] = {
    "pause": _pause,
    "resume": _resume,
    "invalidate": _invalidate,
    "reset": _reset,
    "promote": _promote,
    "deprecate": _deprecate,
    "invalidate_past": partial(_invalidate_by, -_LONG),
    "invalidate_soon": partial(_invalidate_by, _SOON),
    "invalidate_later": partial(_invalidate_by, _LATE),
    "invalidate_at_creation": _invalidate_at_creation,
    "change": partial(_put, "v9", _OTHER_PARAMETERS),
    "change_version": partial(_put, "v9", ()),
    "change_parameters": partial(_put, "v2", _OTHER_PARAMETERS),
    "change_back": partial(_put, "v2", ()),
    "stop": _stop,
    "lose": _lose,
    "make_unready": _make_unready,
    "cancel": _cancel,
    "retire": _retire_one,
    "release": _release,
    "forget": _forget,
    "reset_all": _reset_all,
}
"""By the name that a scenario has for them."""
