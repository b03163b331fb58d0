"""`size`: how many prebuilds to keep for past claims, and when."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from prebuilds.commands.console.charts import read_chart_file, write_chart
from prebuilds.commands.console.options import read_count, read_duration, read_goal, read_instant
from prebuilds.commands.console.streams import write
from prebuilds.commands.console.tables import print_table
from prebuilds.commands.fleet.traces import add_builds, add_trace, fail_for_trace, read_one_preset
from prebuilds.decision.documents.rfc3339 import format_instant
from prebuilds.decision.fields import MAX_COUNT
from prebuilds.errors import InvalidTraceError, PrebuildsError
from prebuilds.whatif import Curve, PoolSize, Recommendation, Trace, judge, recommend, sweep
from prebuilds.whatif.recommendation.recommending import MAX_WINDOWS
from prebuilds.whatif.views.rows import Tabular, list_texts

_AROUND = 3  # rows of the table on either side of the chosen size


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "size",
        help="show how many prebuilds to keep for past claims",
        description="Show how each pool size would have done with past claims, and which is enough.",
    )
    command.set_defaults(run=run)
    add_trace(command)
    add_builds(command)
    _add_goal(command)
    _add_recommendation(command)
    command.add_argument(
        "--thin", type=read_count(1, MAX_COUNT), default=1, metavar="N", help="use only every N-th claim"
    )
    command.add_argument("--format", choices=("table", "json"), default="table", help="default: %(default)s")
    command.add_argument("--chart", type=read_chart_file, metavar="FILE", help="write the chart as .html or .svg")


def _add_goal(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--hit-rate",
        type=read_goal,
        default=0.99,
        metavar="P",
        help="the share of claims to serve at once (default: %(default)s)",
    )
    command.add_argument(
        "--wake-delay",
        type=read_duration,
        default=timedelta(),
        metavar="D",
        help="how long the loop takes to react to a claim (default: 0s)",
    )


def _add_recommendation(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--windows",
        type=read_count(0, MAX_WINDOWS),
        metavar="K",
        help="recommend a base count and at most K schedules, in the time zone of --timezone (default: UTC)",
    )
    command.add_argument(
        "--until", type=read_instant, metavar="T", help="learn from the claims before T, and test on the later ones"
    )


def run(options: argparse.Namespace) -> int:
    try:
        show, chart = _answer(read_one_preset(options).thin(options.thin), options)
        if options.chart:
            write_chart(chart(), options.chart)
    except (PrebuildsError, OSError) as error:
        return fail_for_trace(options, error)
    return write(show)


def _split(trace: Trace, until: datetime | None) -> tuple[Trace, Trace | None]:
    """The claims to learn from, and those to test on."""
    if until is None:
        return trace, None
    if not trace.begin <= until <= trace.end:
        span = f"from {format_instant(trace.begin)} to {format_instant(trace.end)}"
        raise InvalidTraceError([f"--until is {format_instant(until)}; the claims are {span}"])
    return trace.split_at(until)


def _answer(trace: Trace, options: argparse.Namespace) -> tuple[Callable[[], None], Callable[[], Any]]:
    """A function that prints the answer, and one that draws its chart."""
    past, future = _split(trace, options.until)
    given = {"on_miss": options.on_miss, "wake_delay": options.wake_delay}
    is_json = options.format == "json"
    if options.windows is None:
        curve = sweep(past, options.lead_time, **given)
        chosen = curve.smallest(hit_rate=options.hit_rate)
        return lambda: _show_curve(curve, chosen, is_json=is_json), lambda: curve.chart(hit_rate=options.hit_rate)
    wanted = {"hit_rate": options.hit_rate, "windows": options.windows, "timezone": options.timezone or "UTC"}
    made = recommend(past, options.lead_time, **wanted, **given)
    judged = () if future is None else judge(made, future, options.lead_time, wake_delay=options.wake_delay).notes
    return lambda: _show_recommendation(made, judged, is_json=is_json), made.chart


def _show_curve(curve: Curve, chosen: PoolSize, *, is_json: bool) -> None:
    if is_json:
        print(json.dumps({"size": chosen.size, "sizes": _list_json(curve)}, indent=2))
        return
    rows = [row for row in curve.to_dicts() if abs(row["size"] - chosen.size) <= _AROUND]
    shown = [(list_texts(row), "bold" if row["size"] == chosen.size else "") for row in rows]
    headers = [name.replace("_", " ") for name in rows[0]]
    print_table(headers, shown, numbers=headers, notes=[f"Keep {chosen.size}.", *curve.notes])


def _show_recommendation(made: Recommendation, judged: tuple[str, ...], *, is_json: bool) -> None:
    notes = [*made.notes, *judged]
    if is_json:
        schedules = [{"cron": schedule.cron, "instances": schedule.instances} for schedule in made.schedules]
        settings = {"desired_instances": made.desired_instances, "timezone": made.timezone, "schedules": schedules}
        print(json.dumps({**settings, "notes": notes}, indent=2))
        return
    rows = [(list_texts(row), "") for row in made.to_dicts()]
    print_table(("window", "instances"), rows, numbers=("instances",), notes=notes)


def _list_json(rows: Tabular) -> list[dict[str, Any]]:
    return [
        {name: value.total_seconds() if isinstance(value, timedelta) else value for name, value in row.items()}
        for row in rows.to_dicts()
    ]
