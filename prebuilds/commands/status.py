"""`status`: the state of the pools of a store; in a terminal, a table that stays current until Ctrl-C."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Sequence
from datetime import timedelta

from prebuilds.commands.console.options import add_interval
from prebuilds.commands.console.streams import write
from prebuilds.commands.console.tables import make_table, print_table
from prebuilds.commands.fleet.stores import Access, add_store, open_store
from prebuilds.commands.fleet.views import HEADERS, NUMBERS, View, read_view
from prebuilds.decision.policies.policy import HARDENED
from prebuilds.runtime.clocks import SYSTEM_CLOCK, choose_clock
from prebuilds.runtime.ports import Store


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "status",
        help="show the state of the pools of a store",
        description=(
            "Show the state of the pools of a store. In a terminal the table is updated until Ctrl-C. Otherwise it is "
            "shown once."
        ),
    )
    command.set_defaults(run=run)
    add_store(command)
    command.add_argument("--once", action="store_true", help="show it once, even in a terminal")
    add_interval(command, "--interval", 1, "seconds between updates")


def run(options: argparse.Namespace) -> int:
    with open_store(options.store, Access.READ) as opened:
        if options.once or sys.stdout is None or not sys.stdout.isatty():
            view = read_state(opened.store)
            return write(lambda: show(view))
        return _watch(opened.store, options.interval)


def show(view: View, more: Sequence[str] = ()) -> None:
    """Print a view as a table, with more notes if there are any."""
    print_table(HEADERS, view.rows, numbers=NUMBERS, notes=[*view.notes, *more])


def read_state(store: Store) -> View:
    """The state now, and what `run` decides, which decides by `HARDENED`."""
    return read_view(store, now=choose_clock(store, SYSTEM_CLOCK).now(), policy=HARDENED)


def _watch(store: Store, interval: timedelta) -> int:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    def render() -> Group:
        view = read_state(store)
        return Group(make_table(HEADERS, view.rows, numbers=NUMBERS), *map(Text, view.notes))

    try:
        with Live(render(), auto_refresh=False) as live:
            while not SYSTEM_CLOCK.wait(threading.Event(), interval):
                live.update(render(), refresh=True)
    except KeyboardInterrupt:
        return 0
    return 0
