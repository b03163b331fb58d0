"""`simulate`: what a fleet would have done with the claims of a file."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs

from prebuilds.commands.charts import read_chart_file, write_chart
from prebuilds.commands.options import read_duration, read_share
from prebuilds.commands.streams import fail, fail_for, get_source, write
from prebuilds.commands.tables import print_table
from prebuilds.decision.codec import load_document
from prebuilds.decision.models import Policy
from prebuilds.decision.rfc3339 import format_instant
from prebuilds.decision.snapshots import GlobalSnapshot, SnapshotDocument
from prebuilds.errors import InvalidTraceError, PrebuildsError, UnknownPresetError
from prebuilds.whatif import OnMiss, Scenario, SimulationResult, Trace, read_traces, simulate
from prebuilds.whatif.groups import list_columns
from prebuilds.whatif.views import describe_value

_BY = "preset_id"
_COLUMNS = (
    "preset_id",
    "claims",
    "misses",
    "hit_rate",
    "mean_wait",
    "p95_wait",
    "max_wait",
    "idle_hours",
    "build_hours",
    "created",
    "failed",
    "deleted",
)
_HEADERS = ("preset", *(name.replace("_", " ") for name in _COLUMNS[1:]))


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "simulate",
        help="show what a fleet would have done with past claims",
        description="Show what a fleet would have done with past claims, decided as in production. Every pool begins "
        "full: of the snapshot only the presets count.",
    )
    command.set_defaults(run=run)
    command.add_argument("file", metavar="FLEET", help="a snapshot in JSON; - reads standard input")
    command.add_argument(
        "--trace",
        required=True,
        metavar="FILE",
        help=f"a CSV file of claims, .gz too; a column {_BY}, if there is one, says whose they are",
    )
    command.add_argument("--column", default="claimed_at", help="the column of the instants (default: %(default)s)")
    command.add_argument(
        "--lead-time", type=read_duration, required=True, metavar="D", help="how long a build takes: 5m"
    )
    command.add_argument("--preset", metavar="ID", help="simulate only this preset")
    command.add_argument("--interval", type=read_duration, metavar="D", help="wake so often (default: at once)")
    command.add_argument(
        "--on-miss",
        choices=[mode.value for mode in OnMiss],
        default=OnMiss.COLD_START.value,
        help="default: %(default)s",
    )
    command.add_argument(
        "--failure-rate", type=read_share, default=0.0, metavar="P", help="the share of builds that fail"
    )
    command.add_argument("--seed", type=int, default=0, help="for what is left to chance (default: %(default)s)")
    command.add_argument(
        "--explain", type=int, default=0, metavar="N", help="explain the first N misses below the table"
    )
    command.add_argument("--format", choices=tuple(_FORMATS), default="table", help="default: %(default)s")
    command.add_argument("--chart", type=read_chart_file, metavar="FILE", help="write the timeline as .html or .svg")
    command.add_argument("--progress", action="store_true", help="show a bar while it runs")


def run(options: argparse.Namespace) -> int:
    try:
        document = load_document(get_source(options.file))
    except (PrebuildsError, OSError) as error:
        return fail_for(options.file, error)
    try:
        result = _simulate(document, options)
        if options.chart:
            write_chart(result.chart(), options.chart)
    except InvalidTraceError as error:
        return fail(*(f"{options.trace}: {problem}" for problem in error.problems))
    except OSError as error:
        return fail(f"{error.filename}: {error.strerror or error}")
    except PrebuildsError as error:
        return fail(str(error))
    return write(lambda: _FORMATS[options.format](result, options.explain))


def _simulate(document: SnapshotDocument, options: argparse.Namespace) -> SimulationResult:
    fleet = _choose_presets(document.snapshot, options.preset)
    interval = document.backoff_interval
    scenario = Scenario(
        fleet=fleet,
        lead_time=options.lead_time,
        failure_rate=options.failure_rate,
        interval=options.interval,
        on_miss=options.on_miss,
        policy=Policy() if interval is None else Policy(backoff_interval=interval),
    )
    traces = _read_traces(options)
    return simulate(scenario, traces, seed=options.seed, progress=options.progress)


def _choose_presets(snapshot: GlobalSnapshot, preset_id: str | None) -> GlobalSnapshot:
    """The presets alone, or one of them."""
    presets = [preset for preset in snapshot.presets if preset_id in (None, preset.id)]
    if preset_id is not None and not presets:
        raise UnknownPresetError(preset_id)
    return GlobalSnapshot(presets=presets)


def _read_traces(options: argparse.Namespace) -> Trace | dict[str, Trace]:
    if _BY not in list_columns(options.trace):
        return Trace.from_csv(options.trace, column=options.column)
    traces = read_traces(options.trace, column=options.column, by=_BY)
    if options.preset is None:
        return traces
    chosen = traces.get(options.preset)
    if chosen is None:
        raise InvalidTraceError([f"no claims of the preset {options.preset}"])
    return {options.preset: chosen}


def _print_table(result: SimulationResult, explained: int) -> None:
    rows = [(_list_cells(row), "") for row in result.to_dicts()]
    if len(rows) > 1:
        rows.append((_list_cells({"preset_id": "all", **attrs.asdict(result.measures)}), "bold"))
    notes = [*result.notes, *_list_explanations(result, explained)]
    print_table(_HEADERS, rows, numbers=_HEADERS[1:], notes=notes)


def _list_cells(row: dict[str, Any]) -> list[str]:
    shares = {"hit_rate": f"{100 * row['hit_rate']:.2f} %"}
    return [shares.get(name) or describe_value(_round(row[name])) for name in _COLUMNS]


def _round(value: Any) -> Any:
    """A wait to the second, as a person reads it."""
    return timedelta(seconds=round(value.total_seconds())) if isinstance(value, timedelta) else value


def _print_json(result: SimulationResult, explained: int) -> None:
    rows = [{name: _to_json(value) for name, value in row.items()} for row in result.to_dicts()]
    document = {
        "begin": format_instant(result.begin),
        "end": format_instant(result.end),
        "seed": result.seed,
        "presets": rows,
        "notes": list(result.notes),
        "explanations": _list_explanations(result, explained),
    }
    print(json.dumps(document, indent=2))


def _to_json(value: Any) -> Any:
    return value.total_seconds() if isinstance(value, timedelta) else value


def _list_explanations(result: SimulationResult, explained: int) -> list[str]:
    return [result.explain_miss(index) for index in range(min(explained, result.misses))]


_FORMATS: dict[str, Callable[[SimulationResult, int], None]] = {"table": _print_table, "json": _print_json}
