"""`pause`, `invalidate`, `reset`, `stage`, `promote`, `retire`, `release` and the like: manual control of the loop."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from prebuilds.commands.console.options import add_command
from prebuilds.commands.console.streams import write
from prebuilds.commands.fleet.stores import add_store, open_store
from prebuilds.decision.wording import describe_count
from prebuilds.errors import PrebuildsError, show
from prebuilds.runtime.clocks import SYSTEM_CLOCK
from prebuilds.runtime.controls import Controls

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no other name

_Change = Callable[[Controls, argparse.Namespace], str]


class _NothingToChangeError(PrebuildsError, LookupError):
    """The command found nothing to change."""


def add_parser(commands: _Commands) -> None:
    _add(commands, "pause", _pause, "stop creating and deleting until `resume`; claims are still served")
    _add(commands, "resume", _resume, "start creating and deleting again after `pause`")
    purpose = "expire all prebuilds of a preset, so that they are replaced"
    _add(commands, "invalidate", _invalidate, purpose).add_argument("preset", metavar="PRESET", help="the preset's id")
    _add_reset(commands)
    _add_versions(commands)
    purpose = "delete and replace a prebuild that is dead or damaged"
    _add(commands, "retire", _retire, purpose).add_argument("workspace", metavar="WORKSPACE", help="the prebuild's id")
    _add_release(commands)


def _add(commands: _Commands, name: str, change: _Change, purpose: str) -> argparse.ArgumentParser:
    command = add_command(commands, name, purpose)
    command.set_defaults(run=run, change=change)
    add_store(command)
    return command


def _add_reset(commands: _Commands) -> None:
    purpose = "forget the failures of a preset, so that it builds again at once"
    which = _add(commands, "reset", _reset, purpose).add_mutually_exclusive_group(required=True)
    which.add_argument("preset", nargs="?", metavar="PRESET", help="the preset's id")
    which.add_argument("--all", action="store_true", help="every preset, as after an outage")
    which.add_argument("--template", metavar="T", help="every preset of the template with this id")


def _add_versions(commands: _Commands) -> None:
    """Add the commands that say which version of a template users get."""
    for name, change, purpose in (
        ("stage", _stage, "make a template version a candidate, so that its pools are full when it is promoted"),
        ("unstage", _unstage, "give up a candidate, and delete its prebuilds"),
        ("promote", _promote, "make a template version the active one, and delete the old version's prebuilds"),
    ):
        command = _add(commands, name, change, purpose)
        command.add_argument("version", metavar="VERSION", help="the template version's id")
        command.add_argument("--template", metavar="T", help="its template's id, if several have such a version")


def _add_release(commands: _Commands) -> None:
    command = _add(commands, "release", _release, "delete a claimed workspace, and free its name")
    command.add_argument("workspace", metavar="WORKSPACE", help="the workspace's id, as `claim` prints it")
    command.add_argument(
        "--forget", action="store_true", help="only free its name: the workspace has been deleted already"
    )


def run(options: argparse.Namespace) -> int:
    with open_store(options.store) as opened:
        controls = Controls(opened.store, clock=SYSTEM_CLOCK, relay=opened.relay)
        answer = options.change(controls, options)
    return write(lambda: print(answer))


def _pause(controls: Controls, _: argparse.Namespace) -> str:
    controls.pause()
    return "Paused: nothing is created or deleted until `resume`."


def _resume(controls: Controls, _: argparse.Namespace) -> str:
    controls.resume()
    return "Resumed."


def _invalidate(controls: Controls, options: argparse.Namespace) -> str:
    controls.invalidate(options.preset)
    return f"{options.preset}: all current prebuilds have expired."


def _reset(controls: Controls, options: argparse.Namespace) -> str:
    if options.preset is None:
        who = _describe_reset(controls.reset_all(template_id=options.template), options.template)
    else:
        controls.reset(options.preset)
        who = options.preset
    return f"{who}: earlier failures no longer count."


def _stage(controls: Controls, options: argparse.Namespace) -> str:
    who = _name_presets(controls.stage(options.version, template_id=options.template))
    return f"{options.version} is a candidate: {who} will be filled, and cannot be claimed until `promote`."


def _unstage(controls: Controls, options: argparse.Namespace) -> str:
    who = _name_presets(controls.unstage(options.version, template_id=options.template))
    return f"{options.version} is no candidate: the prebuilds of {who} will be deleted."


def _promote(controls: Controls, options: argparse.Namespace) -> str:
    is_filled = controls.is_filled(options.version, template_id=options.template)
    who = _name_presets(controls.promote(options.version, template_id=options.template))
    pools = "full" if is_filled else "not full yet"
    return f"{options.version} is active: users get prebuilds of {who}, {pools}. The old version's will be deleted."


def _name_presets(preset_ids: Sequence[str]) -> str:
    return ", ".join(preset_ids)


def _describe_reset(preset_ids: Sequence[str], template_id: str | None) -> str:
    if not preset_ids:
        of_template = "" if template_id is None else f" of the template {show(template_id)}"
        raise _NothingToChangeError(f"there is no preset{of_template}")
    return describe_count(len(preset_ids), "preset")


def _retire(controls: Controls, options: argparse.Namespace) -> str:
    is_new = controls.retire(options.workspace)
    return f"{options.workspace}: {'retired; it will be deleted and replaced' if is_new else 'was already retired'}."


def _release(controls: Controls, options: argparse.Namespace) -> str:
    if options.forget:
        is_new, done = controls.forget(options.workspace), "forgotten; its name is free"
    else:
        is_new, done = controls.release(options.workspace), "released; it will be deleted, and its name is free"
    return f"{options.workspace}: {done if is_new else 'was already released'}."
