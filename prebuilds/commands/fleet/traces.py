"""Files of past claims: the options for reading one, its claims by preset, and its errors."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from datetime import datetime

from prebuilds.commands.console.options import read_duration, read_timezone
from prebuilds.commands.console.streams import fail
from prebuilds.commands.fleet.stores import Access, open_store
from prebuilds.decision.documents.rfc3339 import format_instant
from prebuilds.errors import InvalidTraceError, PrebuildsError
from prebuilds.whatif import OnMiss, Trace, read_traces
from prebuilds.whatif.traces.csv_files import list_columns

_BY = "preset_id"
_LISTED = 20  # names of presets in a message at most


def add_trace(command: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the options for reading a file of claims."""
    command.add_argument(
        "--trace",
        required=required,
        metavar="FILE",
        help=f"a CSV file of claims, or .csv.gz; an optional column {_BY} says which preset each claim is for",
    )
    command.add_argument(
        "--column", default="claimed_at", help="the column with the times of the claims (default: %(default)s)"
    )
    command.add_argument("--preset", metavar="ID", help="use only this preset")
    command.add_argument(
        "--timezone", type=read_timezone, metavar="Z", help="the time zone of times without one, such as Europe/Berlin"
    )


def add_builds(command: argparse.ArgumentParser) -> None:
    """Add the options that say how long builds take, and what users do who find no prebuild ready."""
    command.add_argument(
        "--lead-time", type=read_duration, required=True, metavar="D", help="how long a build takes, such as 5m"
    )
    command.add_argument(
        "--on-miss",
        choices=[mode.value for mode in OnMiss],
        default=OnMiss.COLD_START.value,
        help="what a user does who finds no prebuild ready: build a workspace of their own, or wait for the next "
        "prebuild (default: %(default)s)",
    )


def read_claims(options: argparse.Namespace) -> Trace | dict[str, Trace]:
    """The claims of each preset, or of the chosen one. One trace if the file has no column of presets.

    Raises `InvalidTraceError` and `OSError`.
    """
    if options.trace is None:
        return _choose(_read_store(options.store), options)
    given = {"column": options.column, "timezone": options.timezone}
    if _BY not in list_columns(options.trace):
        return Trace.from_csv(options.trace, **given)
    return _choose(read_traces(options.trace, by=_BY, **given), options)


def _read_store(url: str) -> dict[str, Trace]:
    with open_store(url, Access.READ) as opened:
        return read_traces(opened.store)


def _choose(traces: dict[str, Trace], options: argparse.Namespace) -> dict[str, Trace]:
    if options.preset is None:
        return traces
    if options.preset not in traces:
        raise InvalidTraceError([f"it has no claims of the preset {options.preset}, only of {_list(traces)}"])
    return {options.preset: traces[options.preset]}


def match_claims(claims: Trace | dict[str, Trace], preset_ids: Sequence[str]) -> dict[str, Trace]:
    """The claims by preset, if it is known which preset each belongs to. Raises `InvalidTraceError`."""
    if isinstance(claims, dict):
        return claims
    if len(preset_ids) > 1:
        raise InvalidTraceError(
            [f"it has no column {_BY}, and the fleet has {len(preset_ids)} presets; choose one with --preset"]
        )
    return dict.fromkeys(preset_ids, claims)


def read_one_preset(options: argparse.Namespace) -> Trace:
    """The claims of one preset, which must be chosen if the file has several."""
    claims = read_claims(options)
    if isinstance(claims, Trace):
        return claims
    if len(claims) > 1:
        raise InvalidTraceError([f"it has claims of {len(claims)} presets; choose one with --preset: {_list(claims)}"])
    return next(iter(claims.values()))


def split_trace(trace: Trace, until: datetime) -> tuple[Trace, Trace]:
    """The claims before `--until`, and the later ones. Raises `InvalidTraceError`."""
    if not trace.begin <= until <= trace.end:
        span = f"from {format_instant(trace.begin)} to {format_instant(trace.end)}"
        raise InvalidTraceError([f"--until is {format_instant(until)}; the claims are {span}"])
    return trace.split_at(until)


def fail_for_trace(options: argparse.Namespace, error: PrebuildsError | OSError) -> int:
    """Print what went wrong, with the name of the file for its own problems. Returns the exit status."""
    if isinstance(error, InvalidTraceError):
        place = "the store" if options.trace is None else options.trace  # a store's address may contain a password
        return fail(*(f"{place}: {problem}" for problem in error.problems))
    if isinstance(error, OSError):
        return fail(f"{error.filename or options.trace}: {error.strerror or error}")
    return fail(str(error))


def _list(names: Collection[str]) -> str:
    more = [f"and {len(names) - _LISTED:,} more"] if len(names) > _LISTED else []
    return ", ".join([*sorted(names)[:_LISTED], *more])
