"""Acts: what people and the host do while the loop works. Each acts on the first preset of a scenario.

- An act is one transaction, dated by the host's clock, which may be wrong.
- No act revives an expired prebuild: only a later invalidation that has taken effect replaces one that has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

import attrs

from prebuilds.decision.models import Preset, TemplateVersion
from prebuilds.decision.parameters import Parameters
from prebuilds.decision.policies.budgets import Budget, BudgetScope
from prebuilds.errors import WrongOwnerError
from prebuilds.runtime.build_reports import BuildReports
from prebuilds.runtime.controls import Controls
from prebuilds.runtime.fleet_rows import select
from prebuilds.runtime.models import Workspace
from prebuilds.runtime.ports import Store, Transaction
from prebuilds.testing.faults.doubles.clocks import JumpingClock
from prebuilds.testing.faults.doubles.stopping_host import StoppingStore
from prebuilds.testing.faults.worlds.act_promises import Expectation

_SOON = timedelta(seconds=20)  # between two rounds
_LATE = timedelta(hours=2)
_LONG = timedelta(hours=1)
_SCOPE = BudgetScope.TEMPLATE
TEMPLATE_ID = "t"  # of all situations
_OTHER_PARAMETERS: Parameters = (("region", "us"),)


@attrs.frozen(kw_only=True)
class ActContext:
    """What an act works with: the store and the clock of the person, and what the host can do on its own.

    `resources` is what really exists. `list_workspaces` lists the workspaces of a preset, claimed ones too, oldest
    first. `expect` takes what must hold from the next commit of this store on.
    """

    store: Store
    clock: JumpingClock
    host: StoppingStore
    resources: dict[str, str]
    list_workspaces: Callable[[str], Sequence[Workspace]]
    expect: Callable[[Expectation], None]


Act = Callable[[ActContext, str], None]
"""Acts on the preset with this id."""


def _pause(context: ActContext, _preset_id: str) -> None:
    Controls(context.store, clock=context.clock).pause()


def _resume(context: ActContext, _preset_id: str) -> None:
    Controls(context.store, clock=context.clock).resume()


def _set_budget(context: ActContext, _preset_id: str) -> None:
    """Bound what the presets of all situations start, no looser than a scenario's budget."""
    Controls(context.store, clock=context.clock).set_budget(Budget(scope=_SCOPE, key=TEMPLATE_ID, max_starting=1))


def _remove_budget(context: ActContext, _preset_id: str) -> None:
    Controls(context.store, clock=context.clock).remove_budget(_SCOPE, TEMPLATE_ID)


def _invalidate(context: ActContext, preset_id: str) -> None:
    context.expect(Expectation(doomed=lambda row: row.is_prebuild and row.preset_id == preset_id))
    Controls(context.store, clock=context.clock).invalidate(preset_id)


def _invalidate_by(away: timedelta, context: ActContext, preset_id: str) -> None:
    """Invalidate at an instant this far ahead."""
    at = context.clock.now() + away
    _change(context, preset_id, lambda _tx, preset: _expire(context, preset, at))


def _invalidate_at_creation(context: ActContext, preset_id: str) -> None:
    """Invalidate at the very instant when the youngest prebuild was created, so that it stays good."""

    def change(tx: Transaction, preset: Preset) -> Preset:
        created = [workspace.created_at for workspace in tx.read_rows(select(preset_id)).prebuilds]
        return _expire(context, preset, max(created)) if created else preset

    _change(context, preset_id, change)


def _expire(context: ActContext, preset: Preset, at: datetime) -> Preset:
    """The preset, invalidated at this instant if that is later than before, and hides no invalidation in effect."""
    before, now = preset.last_invalidated_at, context.clock.now() - context.clock.offset
    is_hidden = before is not None and (at <= before or at > now)
    return preset if is_hidden else attrs.evolve(preset, last_invalidated_at=at)


def _reset(context: ActContext, preset_id: str) -> None:
    Controls(context.store, clock=context.clock).reset(preset_id)


def _promote(context: ActContext, preset_id: str) -> None:
    """Activate another version, which has a preset of its own."""
    with context.store.transaction() as tx:
        for preset in tx.list_presets(preset_id):
            new = TemplateVersion(id="v3", template=preset.template_version.template)
            tx.set_stage(preset.id, is_active=False, is_candidate=False)
            tx.put_preset(attrs.evolve(preset, id=f"{preset.id}-v3", template_version=new))


def _deprecate(context: ActContext, preset_id: str) -> None:
    def change(_tx: Transaction, preset: Preset) -> Preset:
        template = attrs.evolve(preset.template_version.template, deprecated=True)
        return attrs.evolve(preset, template_version=attrs.evolve(preset.template_version, template=template))

    _change(context, preset_id, change)


def _put(version_id: str, parameters: Parameters, context: ActContext, preset_id: str) -> None:
    """Put this version and these parameters under the same id. Either may be the one it had at first."""

    def change(_tx: Transaction, preset: Preset) -> Preset:
        version = attrs.evolve(preset.template_version, id=version_id)
        return attrs.evolve(preset, template_version=version, parameters=parameters)

    _change(context, preset_id, change)


def _stop(context: ActContext, preset_id: str) -> None:
    """The host stops the oldest running prebuild, while no writing transaction is open."""
    with context.store.transaction():
        running = _list_running(context, preset_id)
    for workspace in running[:1]:
        context.host.stop(workspace.id, at=context.clock.now())


def _lose(context: ActContext, preset_id: str) -> None:
    """The oldest running prebuild has died. If a user has claimed it by now, it stays theirs."""
    for workspace in _list_running(context, preset_id)[:1]:
        context.expect(_doom(workspace))
        if BuildReports(context.store, clock=context.clock).lose(workspace.id):
            context.resources.pop(workspace.id, None)


def _make_unready(context: ActContext, preset_id: str) -> None:
    """Nobody can work in the oldest running prebuild for a while."""
    for workspace in _list_running(context, preset_id)[:1]:
        reports = BuildReports(context.store, clock=context.clock)
        context.expect(_disturb(workspace))
        reports.make_unready(workspace.id)
        context.expect(Expectation())
        reports.make_ready(workspace.id)


def _cancel(context: ActContext, preset_id: str) -> None:
    """The host has lost every open build of the preset, for example by a restart."""
    for workspace in context.list_workspaces(preset_id):
        if not workspace.last_build.status.is_final:
            BuildReports(context.store, clock=context.clock).cancel(workspace.last_build.id)


def _retire_one(context: ActContext, preset_id: str) -> None:
    """A person gives up the oldest running prebuild, unless a user has it by now."""
    for workspace in _list_running(context, preset_id)[:1]:
        context.expect(_doom(workspace))
        with suppress(WrongOwnerError):
            Controls(context.store, clock=context.clock).retire(workspace.id)


def _release(context: ActContext, preset_id: str) -> None:
    """The user who has the oldest workspace of the preset is done with it."""
    for workspace in _list_claimed(context, preset_id)[:1]:
        context.expect(_free(workspace))
        Controls(context.store, clock=context.clock).release(workspace.id)


def _forget(context: ActContext, preset_id: str) -> None:
    """The host has deleted the oldest claimed workspace of the preset."""
    for workspace in _list_claimed(context, preset_id)[:1]:
        context.expect(_free(workspace))
        if Controls(context.store, clock=context.clock).forget(workspace.id):
            context.resources.pop(workspace.id, None)


def _reset_all(context: ActContext, _preset_id: str) -> None:
    Controls(context.store, clock=context.clock).reset_all()


def _doom(workspace: Workspace) -> Expectation:
    return Expectation(doomed=lambda row: row.id == workspace.id and row.is_prebuild)


def _disturb(workspace: Workspace) -> Expectation:
    return Expectation(unready=lambda row: row.id == workspace.id and row.is_prebuild and not row.deleted)


def _free(workspace: Workspace) -> Expectation:
    return Expectation(doomed=lambda row: row.id == workspace.id, freed=lambda row: row.id == workspace.id)


def _change(context: ActContext, preset_id: str, change: Callable[[Transaction, Preset], Preset]) -> None:
    with context.store.transaction() as tx:
        for preset in tx.list_presets(preset_id):
            tx.put_preset(change(tx, preset))


def _list_running(context: ActContext, preset_id: str) -> Sequence[Workspace]:
    return [row for row in context.list_workspaces(preset_id) if row.is_prebuild and row.is_running]


def _list_claimed(context: ActContext, preset_id: str) -> Sequence[Workspace]:
    return [row for row in context.list_workspaces(preset_id) if not row.is_prebuild]


ACTS: dict[str, Act] = {
    "pause": _pause,
    "resume": _resume,
    "set_budget": _set_budget,
    "remove_budget": _remove_budget,
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
"""By the names that scenarios use."""
