"""`run`: the loop at work, with a builder that completes its builds after a delay and makes nothing."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

from prebuilds.adapters.local import LocalBuilder
from prebuilds.commands.fleets import FleetFile, load_fleet, put_fleet
from prebuilds.commands.options import read_interval, read_port
from prebuilds.commands.status import show
from prebuilds.commands.stores import OpenStore, add_store, open_store
from prebuilds.commands.streams import fail, fail_for, write
from prebuilds.commands.views import read_view
from prebuilds.decision.models import Policy
from prebuilds.errors import MissingExtraError, PrebuildsError
from prebuilds.runtime.clocks import SYSTEM_CLOCK
from prebuilds.runtime.effects import CancelPending, CreatePrebuild, DeletePrebuild, Effect, SetPrebuildStatus
from prebuilds.runtime.options import ReconcilerOptions
from prebuilds.runtime.reconciler import Reconciler
from prebuilds.runtime.results import OutcomeStatus, PassStatus, PresetResult, ReconciliationResult

_VERBS: dict[type[Effect], str] = {
    CreatePrebuild: "create",
    DeletePrebuild: "delete",
    CancelPending: "cancel pending",
    SetPrebuildStatus: "mark",
}
_STATES = {
    PassStatus.PAUSED: "Paused: nothing is created or deleted until `resume`.",
    PassStatus.NOT_LEADER: "Another `run` works on this store; this one waits to take over.",
}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "run",
        help="keep the pools of a store at their targets",
        description=(
            "Keep the pools of a store at their targets until Ctrl-C. Builds succeed after the delay that the fleet "
            "file gives, and make nothing: this is for trying things out."
        ),
    )
    command.set_defaults(run=run)
    add_store(command)
    command.add_argument(
        "--fleet", metavar="FILE", help="the presets to keep, in JSON (default: those that the store has)"
    )
    command.add_argument(
        "--interval",
        type=read_interval,
        default=timedelta(seconds=15),
        metavar="S",
        help="seconds between two looks at everything (default: 15)",
    )
    command.add_argument(
        "--lease",
        type=read_interval,
        default=timedelta(seconds=60),
        metavar="S",
        help="seconds until another `run` takes over from one that was killed (default: 60)",
    )
    command.add_argument("--metrics-port", type=read_port, metavar="P", help="serve metrics for Prometheus there")
    command.add_argument("--once", action="store_true", help="fill the pools, show how they stand, and end")


def run(options: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        fleet = load_fleet(options.fleet) if options.fleet else None
    except (PrebuildsError, OSError) as error:
        return fail_for(options.fleet, error)
    try:
        with ExitStack() as resources:
            return _run(options, fleet, resources.enter_context(open_store(options.store)), resources)
    except (PrebuildsError, OSError) as error:
        return fail(str(error))


def _run(options: argparse.Namespace, fleet: FleetFile | None, opened: OpenStore, resources: ExitStack) -> int:
    if fleet:
        _put(fleet, opened)
    builder = LocalBuilder(
        opened.store, clock=SYSTEM_CLOCK, delay=fleet.delay if fleet else timedelta(), relay=opened.relay
    )
    teller = _Teller()
    if options.metrics_port is not None:
        teller.on_elapsed = _serve_metrics(options.metrics_port, opened, resources)
    reconciler = Reconciler(
        opened.store,
        builder,
        options=ReconcilerOptions(interval=options.interval, lease_duration=options.lease),
        pubsub=opened.pubsub,
        on_result=teller.tell,
    )
    if options.once:
        return _fill(reconciler, builder, opened)
    print("At work; Ctrl-C ends it.", flush=True)
    with _building(builder), _stopping_at_signals(reconciler):
        reconciler.run()
    print("Stopped.")
    return 0


def _put(fleet: FleetFile, opened: OpenStore) -> None:
    with opened.store.transaction() as tx:
        put_fleet(tx, fleet.presets)
    if fleet.ignored:
        print(f"Only the presets of the file are used; not used: {', '.join(fleet.ignored)}.", file=sys.stderr)


def _fill(reconciler: Reconciler, builder: LocalBuilder, opened: OpenStore) -> int:
    """Do passes until nothing is left to do but to wait for time to pass."""
    try:
        while True:
            result = reconciler.reconcile_all()
            wait = builder.work()
            if wait is not None:
                SYSTEM_CLOCK.wait(threading.Event(), wait)
            elif not result.done:
                break
    except KeyboardInterrupt:
        return fail("stopped before the pools were full")
    finally:
        reconciler.stop()
    view = read_view(opened.store, now=SYSTEM_CLOCK.now(), policy=Policy())
    return write(lambda: show(view)) or int(result.status is PassStatus.NOT_LEADER)


@contextmanager
def _building(builder: LocalBuilder) -> Iterator[None]:
    thread = threading.Thread(target=builder.run, name="prebuilds-builder")
    thread.start()
    try:
        yield
    finally:
        builder.stop()
        thread.join()


@contextmanager
def _stopping_at_signals(reconciler: Reconciler) -> Iterator[None]:
    """Stop at the first Ctrl-C or SIGTERM; a second one does what it does elsewhere."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def stop(*_: object) -> None:
        restore()
        reconciler.request_stop()

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        restore()


class _Teller:
    """Prints what each pass did: a line for each preset, and one when the loop begins or ceases to stand still."""

    def __init__(self) -> None:
        self._status = PassStatus.RECONCILED
        self.on_elapsed: Callable[[timedelta], None] = lambda _: None

    def tell(self, result: ReconciliationResult) -> None:
        self.on_elapsed(result.elapsed)
        if result.status is not self._status:
            self._status = result.status
            print(_STATES.get(result.status, "At work again."), flush=True)
        for preset in result:
            for line in _describe(preset):
                print(line, flush=True)


def _describe(preset: PresetResult) -> Iterator[str]:
    counts = Counter(
        _VERBS[type(outcome.effect)] for outcome in preset.select(OutcomeStatus.DONE) if type(outcome.effect) in _VERBS
    )
    if counts:
        yield f"{preset.preset_id}: {', '.join(f'{verb} {count}' for verb, count in counts.items())}"
    for outcome in preset.select(OutcomeStatus.FAILED):
        yield f"{preset.preset_id}: failed: {outcome.reason}"


def _serve_metrics(port: int, opened: OpenStore, resources: ExitStack) -> Callable[[timedelta], None]:
    """Serve metrics until the resources are let go; what is returned is told how long each pass took."""
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ImportError as error:
        raise MissingExtraError("prometheus-client", "metrics") from error
    from prebuilds.runtime.metrics import MetricsCollector

    collector = MetricsCollector(opened.store, clock=SYSTEM_CLOCK)
    registry = CollectorRegistry()
    registry.register(collector)
    collector.start()
    resources.callback(collector.close)
    server, thread = start_http_server(port, registry=registry)
    resources.callback(thread.join)
    resources.callback(server.shutdown)
    print(f"Metrics on port {server.server_port}.", flush=True)
    return collector.observe_duration
