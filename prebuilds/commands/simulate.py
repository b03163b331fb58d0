"""`simulate`: what a fleet would have done with past claims."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import attrs

from prebuilds.commands.console.charts import read_chart_file, write_chart
from prebuilds.commands.console.options import read_count, read_instant, read_pause, read_share
from prebuilds.commands.console.streams import fail_for, get_source, write
from prebuilds.commands.console.tables import print_table
from prebuilds.commands.fleet.traces import (
    add_builds,
    add_trace,
    fail_for_trace,
    match_claims,
    read_claims,
    split_trace,
)
from prebuilds.decision.codec import load_document
from prebuilds.decision.documents.rfc3339 import format_instant
from prebuilds.decision.fields import MAX_COUNT
from prebuilds.decision.policies.policy import Policy
from prebuilds.decision.snapshots import GlobalSnapshot, SnapshotDocument
from prebuilds.errors import PrebuildsError, UnknownPresetError
from prebuilds.whatif import OnMiss, Scenario, SimulationResult, Trace, learn_demand, simulate
from prebuilds.whatif.simulation.measures import make_row
from prebuilds.whatif.traces.argument_checks import LARGEST_SEED
from prebuilds.whatif.views.rows import list_texts

_OF_USERS = ("claims", "misses", "hit_rate", "mean_wait", "p95_wait", "max_wait")
_OF_BUILDS = ("idle_hours", "build_hours", "created", "failed", "deleted")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "simulate",
        help="show what a fleet would have done with past claims",
        description="Show what a fleet would have done with past claims. The decisions are those of production. Of the "
        "snapshot only the presets are used; every pool begins full.",
    )
    command.set_defaults(run=run)
    command.add_argument("file", metavar="FLEET", help="a snapshot in JSON; - reads standard input")
    add_trace(command)
    add_builds(command)
    command.add_argument(
        "--interval", type=read_pause, metavar="D", help="decide once per interval (default: at every change)"
    )
    command.add_argument(
        "--until",
        type=read_instant,
        metavar="T",
        help="let presets with an autoscale learn from the claims before T, and simulate the later ones",
    )
    _add_chance(command)
    _add_output(command)


def _add_chance(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--failure-rate", type=read_share, default=0.0, metavar="P", help="the share of builds that fail, 0 to 1"
    )
    command.add_argument(
        "--hang-rate", type=read_share, default=0.0, metavar="P", help="the share of builds that never end, 0 to 1"
    )
    command.add_argument(
        "--never-ready-rate",
        type=read_share,
        default=0.0,
        metavar="P",
        help="the share of builds whose prebuild never becomes ready, 0 to 1",
    )
    command.add_argument(
        "--seed",
        type=read_count(-LARGEST_SEED, LARGEST_SEED),
        default=0,
        metavar="N",
        help="the seed of all random numbers (default: %(default)s)",
    )


def _add_output(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--explain",
        type=read_count(0, MAX_COUNT),
        default=0,
        metavar="N",
        help="explain the first N misses",
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
    except (PrebuildsError, OSError) as error:
        return fail_for_trace(options, error)
    return write(lambda: _FORMATS[options.format](result, options.explain))


def _simulate(document: SnapshotDocument, options: argparse.Namespace) -> SimulationResult:
    fleet = _choose_presets(document.snapshot, options.preset)
    claims = match_claims(read_claims(options), [preset.id for preset in fleet.presets])
    if options.until:
        fleet, claims = _learn(fleet, claims, options)
    interval = document.backoff_interval
    scenario = Scenario(
        fleet=fleet,
        lead_time=options.lead_time,
        failure_rate=options.failure_rate,
        hang_rate=options.hang_rate,
        never_ready_rate=options.never_ready_rate,
        interval=options.interval,
        on_miss=options.on_miss,
        policy=Policy() if interval is None else Policy(backoff_interval=interval),
    )
    return simulate(scenario, claims, seed=options.seed, progress=options.progress)


def _choose_presets(snapshot: GlobalSnapshot, preset_id: str | None) -> GlobalSnapshot:
    """Only the presets and what was learned for them, or one of them."""
    presets = [preset for preset in snapshot.presets if preset_id in (None, preset.id)]
    if preset_id is not None and not presets:
        raise UnknownPresetError(preset_id)
    ids = {preset.id for preset in presets}
    return GlobalSnapshot(presets=presets, demand=[row for row in snapshot.demand if row.preset_id in ids])


def _learn(
    fleet: GlobalSnapshot, claims: dict[str, Trace], options: argparse.Namespace
) -> tuple[GlobalSnapshot, dict[str, Trace]]:
    """The fleet that has learned from the claims before `--until`, and the later claims."""
    parts = {preset_id: split_trace(trace, options.until) for preset_id, trace in claims.items()}
    waits = options.on_miss == OnMiss.WAIT.value
    rows = [
        learn_demand(preset, past, begin=past.begin, end=past.end, waits=waits)
        for preset in fleet.presets
        if preset.autoscale and preset.id in parts
        for past, _ in [parts[preset.id]]
    ]
    return attrs.evolve(fleet, demand=rows), {preset_id: later for preset_id, (_, later) in parts.items()}


def _print_table(result: SimulationResult, explained: int) -> None:
    rows = [(row, "") for row in result.to_dicts()]
    if len(rows) > 1:
        rows.append(({"preset_id": "all", **make_row(result.measures)}, "bold"))
    _print_part(rows, _OF_USERS, [""])
    _print_part(rows, _OF_BUILDS, [*result.notes, *_list_explanations(result, explained)])


def _print_part(rows: Sequence[tuple[dict[str, Any], str]], columns: Sequence[str], notes: Sequence[str]) -> None:
    """Some of the columns: all together are wider than a terminal."""
    headers = [name.replace("_", " ") for name in columns]
    shown = [(list_texts({name: row[name] for name in ("preset_id", *columns)}), style) for row, style in rows]
    print_table(("preset", *headers), shown, numbers=headers, notes=notes)


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
