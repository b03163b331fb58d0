"""The command line, `python -m prebuilds`: finds the command and runs it.

- Answers go to standard output. Problems go to standard error, one line each.
- The exit status is 0 for an answer, 1 if the answer is no, and 2 for wrong input. It is 3 if `plan --strict` meets
  schedules that cannot be used. If a signal ends the command, it is 128 plus the signal's number: 130 after Ctrl-C,
  143 after SIGTERM, 129 after SIGHUP.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from prebuilds.commands import budget, check, claim, controls, plan, run, simulate, size, status
from prebuilds.commands.console.signals import run_until_signal
from prebuilds.commands.console.streams import fail
from prebuilds.errors import PrebuildsError
from prebuilds.version import __version__

_COMMANDS = (plan, check, run, status, claim, controls, budget, simulate, size)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status. The default for `arguments` is those of the process."""
    return run_until_signal(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    options = _make_parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except (PrebuildsError, OSError) as error:
        return fail(str(error))
    return status


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="prebuilds", description="Keep a warm pool of prebuilt workspaces.")
    parser.add_argument("--version", action="version", version=f"prebuilds {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_parser(commands)
    return parser
