"""The command line: `python -m prebuilds plan`.

- What a person asked for goes to standard output, what went wrong to standard error, one line for each problem.
- The exit status is 0 when the question was answered and 2 when it was put wrongly.
- This is the edge of the library: files, the clock and the terminal are touched here.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import IO

from prebuilds.decision.codec import dump_plan, load_document
from prebuilds.decision.models import Policy
from prebuilds.decision.planning import TABLE_HEADERS, Plan, list_cells, list_notes, plan
from prebuilds.decision.rfc3339 import parse_instant
from prebuilds.errors import InvalidSnapshotError, MissingExtraError, PrebuildsError, show


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, those of the process by default, and return its exit status."""
    options = _make_parser().parse_args(arguments)
    try:
        made = _make_plan(options)
    except InvalidSnapshotError as error:
        return _fail(*(f"{options.file}: {problem}" for problem in error.problems))
    except OSError as error:
        return _fail(f"{options.file}: {error.strerror or error}")
    except PrebuildsError as error:
        return _fail(str(error))
    return _print(made, _FORMATS[options.format])


def _print(made: Plan, print_plan: Callable[[Plan], None]) -> int:
    if sys.stdout is None:  # as Python leaves it when a shell has closed it
        return _fail("standard output is closed")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not know every character of a name
    try:
        print_plan(made)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has seen enough. Python would complain once more when it flushes at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        return _fail(f"standard output: {error.strerror or error}")
    except PrebuildsError as error:
        return _fail(str(error))
    return 0


def _make_plan(options: argparse.Namespace) -> Plan:
    document = load_document(_get_standard_input() if options.file == "-" else options.file)
    interval = options.backoff_interval if options.backoff_interval is not None else document.backoff_interval
    made = plan(
        document.snapshot,
        now=options.now or document.now or datetime.now(timezone.utc),
        policy=Policy() if interval is None else Policy(backoff_interval=interval),
        paused=options.paused,
    )
    return made if options.preset is None else made.for_preset(options.preset)


def _get_standard_input() -> IO[bytes]:
    if sys.stdin is None:
        raise OSError("standard input is closed")
    return sys.stdin.buffer


def _print_table(made: Plan) -> None:
    try:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError as error:
        raise MissingExtraError("rich", "cli") from error
    is_terminal = sys.stdout.isatty()
    # Where no terminal sets a width, a row is one line, however long, for tools that read lines.
    console = Console(file=sys.stdout, highlight=False, width=None if is_terminal else 10_000)
    table = Table(box=box.SIMPLE_HEAD if is_terminal else None, pad_edge=is_terminal)
    for header in TABLE_HEADERS:
        table.add_column(header, overflow="fold", justify="right" if header in _NUMBERS else "left")
    for decision in made:
        style = "yellow" if decision.withheld else "" if decision.actions else "dim"
        table.add_row(*(Text(cell, style=style) for cell in list_cells(decision)))
    console.print(table)
    for note in list_notes(made):
        console.print(Text(note), soft_wrap=not is_terminal)


def _print_json(made: Plan) -> None:
    print(json.dumps(dump_plan(made), indent=2))


def _print_text(made: Plan) -> None:
    print(made.explain())


_NUMBERS = ("actual", "expired", "eligible", "starting")
_FORMATS: dict[str, Callable[[Plan], None]] = {"table": _print_table, "json": _print_json, "text": _print_text}


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="prebuilds", description="Keep a warm pool of prebuilt workspaces.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    command = commands.add_parser(
        "plan",
        help="show what to create and delete for a snapshot, and why",
        description="Show what to create and delete for a snapshot, and why. Nothing is carried out.",
    )
    command.add_argument("file", metavar="FILE", help="a snapshot in JSON; - reads standard input")
    command.add_argument(
        "--now", type=_read_now, metavar="T", help="decide as of this RFC 3339 instant (default: the file's, or now)"
    )
    command.add_argument("--format", choices=tuple(_FORMATS), default="table", help="default: %(default)s")
    command.add_argument(
        "--backoff-interval",
        type=_read_seconds,
        metavar="S",
        help="seconds to wait for each failed build (default: the file's, or 60)",
    )
    command.add_argument("--paused", action="store_true", help="decide as if reconciliation were paused")
    command.add_argument("--preset", metavar="ID", help="show only this preset")
    return parser


def _read_now(text: str) -> datetime:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{show(text)} {error}") from None


def _read_seconds(text: str) -> timedelta:
    try:
        seconds = float(text)
        interval = Policy(backoff_interval=timedelta(seconds=seconds)).backoff_interval
    except (ValueError, OverflowError):
        seconds, interval = -1, timedelta()
    if seconds and not interval:
        raise argparse.ArgumentTypeError(f"{show(text)} is not 0 or a number of seconds from 0.000001 to 36525 days")
    return interval


def _fail(*problems: str) -> int:
    for problem in problems:
        print(problem, file=sys.stderr)
    return 2
