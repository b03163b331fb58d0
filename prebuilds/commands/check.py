"""`check`: every problem in a fleet file, for authors and for CI."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import timedelta

import attrs

from prebuilds.commands.console.options import read_duration, read_goal
from prebuilds.commands.console.streams import fail, fail_for, get_source, write
from prebuilds.commands.fleet.checking import CheckedFile, Problem, find_problems, list_unreadable, read_checked
from prebuilds.commands.fleet.traces import add_trace, fail_for_trace, match_claims, read_claims
from prebuilds.decision.documents.json_text import read_json
from prebuilds.decision.judging.findings import Severity
from prebuilds.errors import InvalidSnapshotError, PrebuildsError
from prebuilds.whatif import Trace, check_supply


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "check",
        help="list every problem in a fleet file",
        description=(
            "List every problem in a fleet file: fields that cannot be read, invalid schedules and time zones, windows "
            "that overlap or never open, counts that are far larger than the others, times that a build does not fit "
            "into, budgets that are too small, and, with --trace, targets that cannot keep up with past claims."
        ),
        epilog="The exit status is 0 if there are no problems but warnings, 1 if there are any, and 2 if a file cannot "
        "be used.",
    )
    command.set_defaults(run=run)
    command.add_argument("file", metavar="FILE", help="a fleet or a snapshot in JSON; - reads standard input")
    add_trace(command, required=False)
    command.add_argument(
        "--lead-time",
        type=read_duration,
        metavar="D",
        help="how long a build takes, such as 5m (default: builder.delay_seconds of the file)",
    )
    command.add_argument(
        "--hit-rate",
        type=read_goal,
        default=0.9,
        metavar="P",
        help="with --trace: the share of claims to serve at once (default: %(default)s)",
    )
    command.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")


def run(options: argparse.Namespace) -> int:
    try:
        file = _read(options.file)
    except OSError as error:
        return fail_for(options.file, error)
    problems = find_problems(file, lead_time=options.lead_time)
    if options.trace:
        if options.lead_time is None and not file.delay:
            return fail("--trace needs --lead-time, as the file does not say how long a build takes")
        try:
            problems += _check_claims(file, options)
        except (PrebuildsError, OSError) as error:
            return fail_for_trace(options, error)
    show = _print_json if options.format == "json" else _print_text
    is_bad = any(problem.severity is Severity.ERROR for problem in problems)
    return write(lambda: show(options.file, problems)) or int(is_bad)


def _read(file: str) -> CheckedFile:
    """Raises `OSError`."""
    try:
        document = read_json(get_source(file))
    except InvalidSnapshotError as error:
        unreadable = tuple(list_unreadable(error))
        return CheckedFile(prefix="", presets={}, budgets=(), delay=timedelta(), unreadable=unreadable)
    return read_checked(document)


def _check_claims(file: CheckedFile, options: argparse.Namespace) -> tuple[Problem, ...]:
    """Problems with past claims. None if the file cannot be read: then it is not known what the claims meet."""
    if file.unreadable:
        return ()
    found = check_supply(
        file.presets.values(),
        _read_claims(file, options),
        lead_time=file.delay if options.lead_time is None else options.lead_time,
        budgets=file.budgets,
        hit_rate=options.hit_rate,
    )
    return tuple(map(file.place, found))


def _read_claims(file: CheckedFile, options: argparse.Namespace) -> dict[str, Trace]:
    ids = [preset.id for preset in file.presets.values()] if options.preset is None else [options.preset]
    return match_claims(read_claims(options), ids)


def _print_text(file: str, problems: Sequence[Problem]) -> None:
    for problem in problems:
        print(f"{file}: {problem}")
    if not problems:
        print(f"{file}: no problems")


def _print_json(file: str, problems: Sequence[Problem]) -> None:
    rows = [{**attrs.asdict(problem), "severity": problem.severity.value} for problem in problems]
    print(json.dumps({"file": file, "problems": rows}, indent=2))
