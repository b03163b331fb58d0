"""`check`: every problem in a fleet file, for authors and for CI."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

import attrs

from prebuilds.commands.console.streams import fail_for, get_source, write
from prebuilds.commands.fleet.checking import Problem, find_problems, list_unreadable
from prebuilds.decision.documents.json_text import read_json
from prebuilds.errors import InvalidSnapshotError


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "check",
        help="list every problem in a fleet file",
        description=(
            "List every problem in a fleet file: fields that cannot be read, invalid schedules and time zones, windows "
            "that overlap or never open, a ttl that is too short for a build, and counts that are far larger than the "
            "others."
        ),
        epilog="The exit status is 0 if there are no problems, 1 if there are any, and 2 if the file cannot be opened.",
    )
    command.set_defaults(run=run)
    command.add_argument("file", metavar="FILE", help="a fleet or a snapshot in JSON; - reads standard input")
    command.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")


def run(options: argparse.Namespace) -> int:
    try:
        problems = _read_problems(options.file)
    except OSError as error:
        return fail_for(options.file, error)
    show = _print_json if options.format == "json" else _print_text
    return write(lambda: show(options.file, problems)) or int(bool(problems))


def _read_problems(file: str) -> Sequence[Problem]:
    """Raises `OSError`."""
    try:
        document = read_json(get_source(file))
    except InvalidSnapshotError as error:
        return tuple(list_unreadable(error))
    return find_problems(document)


def _print_text(file: str, problems: Sequence[Problem]) -> None:
    for problem in problems:
        print(f"{file}: {problem}")
    if not problems:
        print(f"{file}: no problems")


def _print_json(file: str, problems: Sequence[Problem]) -> None:
    print(json.dumps({"file": file, "problems": [attrs.asdict(problem) for problem in problems]}, indent=2))
