"""The command line, `python -m prebuilds`: which commands there are, and one that is asked for is run.

- What a person asked for goes to standard output, what went wrong to standard error, one line for each problem.
- The exit status is 0 when the question was answered, 1 when the answer is no, and 2 when it was put wrongly. It is 3
  when `plan --strict` answers from schedules that cannot be used. A command that a signal cuts off has 128 and the
  number of the signal: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from prebuilds.commands import check, claim, controls, plan, run, simulate, size, status
from prebuilds.commands.console.signals import run_until_signal

_COMMANDS = (plan, check, run, status, claim, controls, simulate, size)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, those of the process by default, and return its exit status."""
    return run_until_signal(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    options = _make_parser().parse_args(arguments)
    status: int = options.run(options)
    return status


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="prebuilds", description="Keep a warm pool of prebuilt workspaces.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_parser(commands)
    return parser
