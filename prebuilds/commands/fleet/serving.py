"""Metrics for Prometheus, served while a command runs; by default to this machine only."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta

from prebuilds.commands.console.streams import say
from prebuilds.errors import MissingExtraError
from prebuilds.runtime.clocks import SYSTEM_CLOCK
from prebuilds.runtime.ports import Store

LOOPBACK = "127.0.0.1"


def serve_metrics(address: str, port: int, store: Store, resources: ExitStack) -> Callable[[timedelta], None]:
    """Serve metrics until the resources are released. Returns a function to call with the time each pass took.

    Raises `MissingExtraError`, and `OSError` with the address and the port if it cannot listen there.
    """
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ImportError as error:
        raise MissingExtraError("prometheus-client", "metrics") from error
    from prebuilds.runtime.metrics.collector import MetricsCollector

    collector = MetricsCollector(store, clock=SYSTEM_CLOCK)
    registry = CollectorRegistry()
    registry.register(collector)
    try:
        server, thread = start_http_server(port, address, registry=registry)
    except OSError as error:
        place = _describe_place(address, port)
        raise OSError(f"cannot serve metrics on {place}: {error.strerror or error}") from error
    resources.callback(server.server_close)
    resources.callback(thread.join)
    resources.callback(server.shutdown)
    collector.start()
    resources.callback(collector.close)
    say(f"Metrics on http://{_describe_place(address, server.server_port)}/metrics")
    return collector.observe_duration


def _describe_place(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
