"""`pause`, `resume`, `invalidate` and `reset`: what people tell the loop."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from prebuilds.commands.stores import add_store, open_store
from prebuilds.commands.streams import fail, write
from prebuilds.errors import PrebuildsError
from prebuilds.runtime.clocks import SYSTEM_CLOCK
from prebuilds.runtime.controls import Controls

_Change = Callable[[Controls, argparse.Namespace], str]


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    _add(commands, "pause", _pause, "create and delete nothing until `resume`; claims are served")
    _add(commands, "resume", _resume, "create and delete again")
    for name, change, purpose in (
        ("invalidate", _invalidate, "let all prebuilds of a preset expire, so that they are replaced"),
        ("reset", _reset, "forget the failures of a hard-limited preset, so that it creates again"),
    ):
        _add(commands, name, change, purpose).add_argument("preset", metavar="PRESET", help="the id of the preset")


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, change: _Change, purpose: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
    command.set_defaults(run=run, change=change)
    add_store(command)
    return command


def run(options: argparse.Namespace) -> int:
    try:
        with open_store(options.store) as opened:
            controls = Controls(opened.store, clock=SYSTEM_CLOCK, relay=opened.relay)
            told = options.change(controls, options)
    except (PrebuildsError, OSError) as error:
        return fail(str(error))
    return write(lambda: print(told))


def _pause(controls: Controls, _: argparse.Namespace) -> str:
    controls.pause()
    return "Paused: nothing is created or deleted until `resume`."


def _resume(controls: Controls, _: argparse.Namespace) -> str:
    controls.resume()
    return "Resumed."


def _invalidate(controls: Controls, options: argparse.Namespace) -> str:
    controls.invalidate(options.preset)
    return f"{options.preset}: all prebuilds that are there now have expired."


def _reset(controls: Controls, options: argparse.Namespace) -> str:
    controls.reset(options.preset)
    return f"{options.preset}: failures up to now count no more."
