"""`run`: the loop, with a builder that makes nothing and completes each build after a delay."""

from __future__ import annotations

import argparse
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

from prebuilds.adapters.local import LocalBuilder
from prebuilds.commands.console.options import add_interval, read_port
from prebuilds.commands.console.signals import stopping
from prebuilds.commands.console.streams import fail, fail_for, say, write
from prebuilds.commands.fleet.files import FleetFile, load_fleet, put_fleet
from prebuilds.commands.fleet.metrics_server import LOOPBACK, serve_metrics
from prebuilds.commands.fleet.pass_lines import Teller
from prebuilds.commands.fleet.run_once import fill, list_shortfalls
from prebuilds.commands.fleet.stores import Access, OpenStore, add_store, open_store
from prebuilds.commands.status import read_state, show
from prebuilds.decision.policies.policy import HARDENED
from prebuilds.errors import PrebuildsError
from prebuilds.runtime.clocks import SYSTEM_CLOCK, choose_clock
from prebuilds.runtime.loop.options import ReconcilerOptions
from prebuilds.runtime.loop.reconciler import Reconciler
from prebuilds.runtime.loop.results import PassStatus

_SUBMIT_TIMEOUT = timedelta(seconds=30)
_RESYNC = timedelta(minutes=5)  # between two looks at everything


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "run",
        help="keep the pools of a store at their targets",
        description=(
            "Keep the pools of a store at their targets until Ctrl-C. This is for trying things out: builds make "
            "nothing, and succeed after the delay given in the fleet file."
        ),
    )
    command.set_defaults(run=run)
    add_store(command)
    command.add_argument(
        "--fleet", metavar="FILE", help="the presets to keep, in JSON (default: those already in the store)"
    )
    command.add_argument(
        "--once",
        action="store_true",
        help="fill the pools, show their state, and exit; the exit status is 1 if a pool is not full",
    )
    add_interval(command, "--interval", 15, "seconds between two looks at the lease and at messages that wait")
    add_interval(command, "--lease", 60, "seconds until another `run` takes over from a killed one")
    _add_metrics(command)


def _add_metrics(command: argparse.ArgumentParser) -> None:
    command.add_argument("--metrics-port", type=read_port, metavar="P", help="serve Prometheus metrics on this port")
    command.add_argument(
        "--metrics-address", metavar="A", help=f"serve metrics on this address (default: {LOOPBACK}, this machine only)"
    )


def run(options: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    if options.metrics_address and options.metrics_port is None:
        return fail("--metrics-address needs --metrics-port")
    try:
        fleet = load_fleet(options.fleet) if options.fleet else None
    except (PrebuildsError, OSError) as error:
        return fail_for(options.fleet, error)
    with ExitStack() as resources:
        return _run(options, fleet, resources.enter_context(open_store(options.store, Access.MAKE)), resources)


def _run(options: argparse.Namespace, fleet: FleetFile | None, opened: OpenStore, resources: ExitStack) -> int:
    if fleet:
        _put(fleet, opened)
    builder = LocalBuilder(
        opened.store, clock=SYSTEM_CLOCK, delay=fleet.delay if fleet else timedelta(), relay=opened.relay
    )
    settings = ReconcilerOptions(
        policy=HARDENED,
        interval=options.interval,
        resync=max(options.interval, _RESYNC),
        lease_duration=options.lease,
        submit_timeout=min(_SUBMIT_TIMEOUT, options.lease / 2),
    )
    teller = Teller(opened.store, settings.lease_of_shard, is_waiting=not options.once)
    if options.metrics_port is not None:
        address = options.metrics_address or LOOPBACK
        teller.on_elapsed = serve_metrics(address, options.metrics_port, opened.store, HARDENED, resources)
    reconciler = Reconciler(opened.store, builder, options=settings, pubsub=opened.pubsub, on_result=teller.tell)
    return (_fill if options.once else _keep)(reconciler, builder, opened)


def _put(fleet: FleetFile, opened: OpenStore) -> None:
    now = choose_clock(opened.store, SYSTEM_CLOCK).now()
    with opened.store.transaction() as tx:
        postponed = put_fleet(tx, fleet.presets, now=now)
        for budget in fleet.budgets:
            tx.put_budget(budget)
    if fleet.ignored:
        print(f"Only the presets in the file are used; ignored: {', '.join(fleet.ignored)}.", file=sys.stderr)
    for line in postponed:
        print(line, file=sys.stderr)


def _keep(reconciler: Reconciler, builder: LocalBuilder, _: OpenStore) -> int:
    """Work until a signal comes. That is the normal end, with status 0."""
    with _building(builder), stopping(reconciler.request_stop):
        say("Running; Ctrl-C stops it.")
        reconciler.run()
    say("Stopped.")
    return 0


def _fill(reconciler: Reconciler, builder: LocalBuilder, opened: OpenStore) -> int:
    try:
        with stopping(reconciler.request_stop) as stop:
            filled = fill(reconciler, builder, stop, SYSTEM_CLOCK)
    finally:
        reconciler.stop()
    if stop.status:
        fail("stopped before the pools were full")
        return stop.status
    view = read_state(opened.store)
    lacking = list_shortfalls(view.decisions, filled)
    is_full = filled.status is not PassStatus.NOT_LEADER and not lacking
    return write(lambda: show(view, lacking)) or int(not is_full)


@contextmanager
def _building(builder: LocalBuilder) -> Iterator[None]:
    thread = threading.Thread(target=builder.run, name="prebuilds-builder", daemon=True)
    thread.start()
    try:
        yield
    finally:
        builder.stop()
        thread.join()
