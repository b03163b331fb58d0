"""Metrics for Prometheus, served while a command runs; by default to this machine only."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

from prebuilds.commands.console.streams import say
from prebuilds.decision.policies.policy import Policy
from prebuilds.errors import MissingExtraError
from prebuilds.runtime.clocks import SYSTEM_CLOCK
from prebuilds.runtime.ports import Store

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

LOOPBACK = "127.0.0.1"


def serve_metrics(
    address: str, port: int, store: Store, policy: Policy, resources: ExitStack
) -> Callable[[timedelta], None]:
    """Serve metrics until the resources are released. Returns a function to call with the time each pass took.

    `policy` is that of the loop.

    Raises `MissingExtraError`, and `OSError` with the address and the port if it cannot listen there.
    """
    try:
        from prometheus_client import CollectorRegistry
    except ImportError as error:
        raise MissingExtraError("prometheus-client", "metrics") from error
    from prebuilds.runtime.metrics.collector import MetricsCollector

    collector = MetricsCollector(store, clock=SYSTEM_CLOCK, policy=policy)
    registry = CollectorRegistry()
    registry.register(collector)
    bound_port = _start_server(address, port, registry, resources)
    collector.start()
    resources.callback(collector.close)
    say(f"Metrics on http://{_describe_place(address, bound_port)}/metrics")
    return collector.observe_duration


def _start_server(address: str, port: int, registry: CollectorRegistry, resources: ExitStack) -> int:
    """Start the server, and return the port that it has: for port 0 the system chooses one."""
    from prometheus_client import start_http_server

    try:
        server, thread = start_http_server(port, address, registry=registry)
    except OSError as error:
        place = _describe_place(address, port)
        raise OSError(f"cannot serve metrics on {place}: {error.strerror or error}") from error
    resources.callback(server.server_close)
    resources.callback(thread.join)
    resources.callback(server.shutdown)
    return int(server.server_port)


def _describe_place(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
