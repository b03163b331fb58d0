"""`plan`: what to create and delete for a snapshot, and why. It changes nothing."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import datetime, timezone

import attrs

from prebuilds.commands.console.options import read_instant, read_seconds
from prebuilds.commands.console.streams import fail, fail_for, get_source, write
from prebuilds.commands.console.tables import print_table
from prebuilds.decision.codec import dump_plan, load_document
from prebuilds.decision.plans.decisions import Decision
from prebuilds.decision.plans.planning import Plan, list_cells, list_notes, plan
from prebuilds.decision.policies.policy import Policy
from prebuilds.decision.targets import describe_fallback
from prebuilds.errors import PrebuildsError

_UNUSABLE = 3  # the exit status of `--strict` if schedules cannot be used


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "plan",
        help="show what to create and delete for a snapshot, and why",
        description="Show what to create and delete for a snapshot, and why. This changes nothing.",
        epilog="The exit status is 0 if there is a plan, and 2 if the input is wrong; see also --strict.",
    )
    command.set_defaults(run=run)
    command.add_argument("file", metavar="FILE", help="a snapshot in JSON; - reads standard input")
    _add_assumptions(command)
    command.add_argument("--format", choices=tuple(_FORMATS), default="table", help="default: %(default)s")
    command.add_argument("--preset", metavar="ID", help="show only this preset")
    command.add_argument(
        "--strict",
        action="store_true",
        help=f"exit with {_UNUSABLE} if a shown preset has schedules that cannot be used",
    )


def _add_assumptions(command: argparse.ArgumentParser) -> None:
    """Add what to assume in place of what the file says."""
    command.add_argument(
        "--now",
        type=read_instant,
        metavar="T",
        help="decide as of this time, in RFC 3339 (default: the file's `now`, or the current time)",
    )
    command.add_argument(
        "--backoff-interval",
        type=read_seconds,
        metavar="S",
        help="seconds to wait for each failed build (default: the file's, or 60)",
    )
    command.add_argument("--paused", action="store_true", help="decide as if the loop were paused")


def run(options: argparse.Namespace) -> int:
    try:
        made = _make_plan(options)
    except (PrebuildsError, OSError) as error:
        return fail_for(options.file, error)
    status = write(lambda: _FORMATS[options.format](made))
    return status or (_refuse_fallbacks(options.file, made) if options.strict else 0)


def _refuse_fallbacks(file: str, made: Plan) -> int:
    """The exit status of `--strict`. The reasons go to standard error, as people may not see the JSON."""
    errors = [(decision.preset_id, decision.state.target_error) for decision in made]
    fallbacks = [f"{file}: {describe_fallback(preset_id, error)}" for preset_id, error in errors if error]
    fail(*fallbacks)
    return _UNUSABLE if fallbacks else 0


def _make_plan(options: argparse.Namespace) -> Plan:
    document = load_document(get_source(options.file))
    interval = options.backoff_interval if options.backoff_interval is not None else document.backoff_interval
    base = Policy(budgets=document.budgets)
    made = plan(
        document.snapshot,
        now=options.now or document.now or datetime.now(timezone.utc),
        policy=attrs.evolve(base, backoff_interval=interval) if interval is not None else base,
        paused=options.paused,
    )
    return made if options.preset is None else made.for_preset(options.preset)


_HEADERS = ("preset", "want", "run", "old", "ready", "start", "actions")  # short, so that actions have room
_NUMBERS = _HEADERS[2:6]


def _print_table(made: Plan) -> None:
    rows = [(list_cells(decision), _choose_style(decision)) for decision in made]
    print_table(_HEADERS, rows, numbers=_NUMBERS, notes=list_notes(made))


def _choose_style(decision: Decision) -> str:
    return "yellow" if decision.withheld else "" if decision.actions else "dim"


def _print_json(made: Plan) -> None:
    print(json.dumps(dump_plan(made), indent=2))


def _print_text(made: Plan) -> None:
    print(made.explain())


_FORMATS: dict[str, Callable[[Plan], None]] = {"table": _print_table, "json": _print_json, "text": _print_text}
