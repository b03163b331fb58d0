"""`size`: how many prebuilds to keep for past claims, and when."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from prebuilds.commands.console.charts import read_chart_file, write_chart
from prebuilds.commands.console.options import read_count, read_duration, read_goal, read_instant
from prebuilds.commands.console.streams import fail, write
from prebuilds.commands.console.tables import print_table
from prebuilds.commands.fleet.stores import add_store
from prebuilds.commands.fleet.traces import add_builds, add_trace, fail_for_trace, read_one_preset, split_trace
from prebuilds.decision.fields import MAX_COUNT
from prebuilds.errors import PrebuildsError
from prebuilds.whatif import Curve, PoolSize, Recommendation, SizingOption, Trace, judge, recommend, sweep
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
    add_trace(command, required=False)
    add_store(command, required=False)
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
        help="compare a single size with a base count and at most K schedules, in --timezone (default: UTC)",
    )
    command.add_argument(
        "--autoscale", action="store_true", help="compare a target that follows demand too, in --timezone"
    )
    command.add_argument(
        "--until", type=read_instant, metavar="T", help="learn from the claims before T, and test on the later ones"
    )


def run(options: argparse.Namespace) -> int:
    if options.trace is None and options.store is None:
        return fail("size needs the claims: --trace FILE, or --store URL for those that a store has counted")
    try:
        show, chart = _answer(read_one_preset(options).thin(options.thin), options)
        if options.chart:
            write_chart(chart(), options.chart)
    except (PrebuildsError, OSError) as error:
        return fail_for_trace(options, error)
    return write(show)


def _answer(trace: Trace, options: argparse.Namespace) -> tuple[Callable[[], None], Callable[[], Any]]:
    """A function that prints the answer, and one that draws its chart."""
    past, future = split_trace(trace, options.until) if options.until else (trace, None)
    given = {"on_miss": options.on_miss, "wake_delay": options.wake_delay}
    is_json = options.format == "json"
    if options.windows is None and not options.autoscale:
        curve = sweep(past, options.lead_time, **given)
        chosen = curve.smallest(hit_rate=options.hit_rate)
        return lambda: _show_curve(curve, chosen, is_json=is_json), lambda: curve.chart(hit_rate=options.hit_rate)
    wanted = {
        "hit_rate": options.hit_rate,
        "windows": 0 if options.windows is None else options.windows,
        "timezone": options.timezone or "UTC",
        "autoscale": options.autoscale,
    }
    made = recommend(past, options.lead_time, **wanted, **given)
    judged = () if future is None else judge(made, future, options.lead_time, wake_delay=options.wake_delay).notes
    show = _print_json if is_json else _print_recommendation
    return lambda: show(made, judged), made.chart


def _show_curve(curve: Curve, chosen: PoolSize, *, is_json: bool) -> None:
    if is_json:
        print(json.dumps({"size": chosen.size, "sizes": _list_json(curve)}, indent=2))
        return
    rows = [row for row in curve.to_dicts() if abs(row["size"] - chosen.size) <= _AROUND]
    shown = [(list_texts(row), "bold" if row["size"] == chosen.size else "") for row in rows]
    headers = [name.replace("_", " ") for name in rows[0]]
    print_table(headers, shown, numbers=headers, notes=[f"Keep {chosen.size}.", *curve.notes])


def _print_recommendation(made: Recommendation, judged: tuple[str, ...]) -> None:
    """The options side by side, then the windows of the one to take."""
    headers = ("option", "base", "windows", "hit rate", "idle hours", "saved", "builds", "expected")
    options = [(_list_option(option), "bold" if option is made.chosen else "") for option in made.options]
    print_table(headers, options, numbers=headers[1:-1], notes=[])
    print()
    rows = [(list_texts(row), "") for row in made.to_dicts()]
    print_table(("window", "instances"), rows, numbers=("instances",), notes=[*made.notes, *judged])


def _list_option(option: SizingOption) -> list[str]:
    """What an option keeps, and what it had on the days that were held out."""
    held = option.held_out
    kept = [str(option.desired_instances), str(len(option.schedules))]
    had = [f"{held.hit_rate:.2%}", f"{held.idle_hours:,.0f}", f"{held.saved_at_equal_hits:.0%}"]
    had.append(f"{held.builds_per_claim:.2f}")
    return [option.kind.value, *kept, *had, "yes" if option.is_reached else "no"]


def _print_json(made: Recommendation, judged: tuple[str, ...]) -> None:
    options = [
        {
            "kind": option.kind.value,
            **_list_settings(option),
            "is_reached": option.is_reached,
            "hit_rate": option.held_out.hit_rate,
            "idle_hours": option.held_out.idle_hours,
            "saved_at_equal_hits": option.held_out.saved_at_equal_hits,
            "builds_per_claim": option.held_out.builds_per_claim,
        }
        for option in made.options
    ]
    chosen = {"kind": made.chosen.kind.value, **_list_settings(made.chosen)}
    print(json.dumps({**chosen, "options": options, "notes": [*made.notes, *judged]}, indent=2))


def _list_settings(option: SizingOption) -> dict[str, Any]:
    """The fields of a preset, as in a fleet file."""
    schedules = [{"cron": schedule.cron, "instances": schedule.instances} for schedule in option.schedules]
    return {"desired_instances": option.desired_instances, "timezone": option.timezone, "schedules": schedules}


def _list_json(rows: Tabular) -> list[dict[str, Any]]:
    return [
        {name: value.total_seconds() if isinstance(value, timedelta) else value for name, value in row.items()}
        for row in rows.to_dicts()
    ]
