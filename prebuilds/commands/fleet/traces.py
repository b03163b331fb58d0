"""Files of claims: the options that say how to read one, its claims by preset, and what is said of one that is bad."""

from __future__ import annotations

import argparse
from collections.abc import Collection

from prebuilds.commands.console.options import read_timezone
from prebuilds.commands.console.streams import fail
from prebuilds.errors import InvalidTraceError, PrebuildsError
from prebuilds.whatif import Trace, read_traces
from prebuilds.whatif.traces.csv_files import list_columns

_BY = "preset_id"
_LISTED = 20  # names of presets in a message


def add_trace(command: argparse.ArgumentParser) -> None:
    """The options that say which file of claims to read, and how."""
    command.add_argument(
        "--trace",
        required=True,
        metavar="FILE",
        help=f"a CSV file of claims, .gz too; a column {_BY}, if there is one, says whose they are",
    )
    command.add_argument("--column", default="claimed_at", help="the column of the instants (default: %(default)s)")
    command.add_argument("--preset", metavar="ID", help="take this preset alone")
    command.add_argument(
        "--timezone", type=read_timezone, metavar="Z", help="the zone of instants without one, such as Europe/Berlin"
    )


def read_claims(options: argparse.Namespace) -> Trace | dict[str, Trace]:
    """The claims of each preset, or of the one that is asked for; one trace where the file does not tell presets apart.

    Raises `InvalidTraceError` and `OSError`.
    """
    given = {"column": options.column, "timezone": options.timezone}
    if _BY not in list_columns(options.trace):
        return Trace.from_csv(options.trace, **given)
    traces = read_traces(options.trace, by=_BY, **given)
    if options.preset is None:
        return traces
    if options.preset not in traces:
        raise InvalidTraceError([f"no claims of the preset {options.preset}; there are some of {_list(traces)}"])
    return {options.preset: traces[options.preset]}


def read_one_preset(options: argparse.Namespace) -> Trace:
    """The claims of one preset, which has to be named where the file has several."""
    claims = read_claims(options)
    if isinstance(claims, Trace):
        return claims
    if len(claims) > 1:
        raise InvalidTraceError([f"claims of {len(claims)} presets; choose one with --preset: {_list(claims)}"])
    return next(iter(claims.values()))


def fail_for_trace(options: argparse.Namespace, error: PrebuildsError | OSError) -> int:
    """Tell what went wrong; what a file is to blame for, with its name."""
    if isinstance(error, InvalidTraceError):
        return fail(*(f"{options.trace}: {problem}" for problem in error.problems))
    if isinstance(error, OSError):
        return fail(f"{error.filename or options.trace}: {error.strerror or error}")
    return fail(str(error))


def _list(names: Collection[str]) -> str:
    more = [f"and {len(names) - _LISTED:,} more"] if len(names) > _LISTED else []
    return ", ".join([*sorted(names)[:_LISTED], *more])
