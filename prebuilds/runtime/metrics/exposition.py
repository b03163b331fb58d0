"""Turns readings and durations into metric families of prometheus-client. Needs the extra `metrics`."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter as CountOf
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import accumulate
from typing import TYPE_CHECKING

from prebuilds.errors import InvalidValueError, MissingExtraError
from prebuilds.runtime.metrics.readings import Gauges, Labels, Reading
from prebuilds.runtime.models import Counter

if TYPE_CHECKING:
    from prometheus_client import Metric

LABELS = Labels._fields
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

COUNTERS = {
    Counter.CREATED: ("created", "Prebuilt workspaces that were requested."),
    Counter.FAILED: ("failed", "Builds of prebuilt workspaces that failed."),
    Counter.CLAIMED: ("claimed", "Prebuilt workspaces that users got."),
    Counter.CLAIM_MISSED: ("claim_missed", "Claims that found no prebuilt workspace."),
    Counter.RESOURCE_REPLACED: (
        "resource_replacements",
        "Prebuilt workspaces that needed a resource replaced when they were claimed.",
    ),
}

GAUGES: dict[str, tuple[str, Callable[[Gauges], int]]] = {
    "desired": ("Prebuilt workspaces that are wanted.", lambda gauges: gauges.desired),
    "running": ("Prebuilt workspaces that run, including expired ones.", lambda gauges: gauges.running),
    "eligible": ("Prebuilt workspaces that users could get now.", lambda gauges: gauges.eligible),
    "stuck": ("Prebuilt workspaces that were not ready by their deadline.", lambda gauges: gauges.stuck),
    "overdue": ("Starts of prebuilt workspaces that did not end by their deadline.", lambda gauges: gauges.overdue),
    "aging": ("Prebuilt workspaces that are replaced before they expire.", lambda gauges: gauges.aging),
    "preset_hard_limited": (
        "Whether no more workspaces are created for a preset, as its builds keep failing (1), or not (0).",
        lambda gauges: int(gauges.is_hard_limited),
    ),
    "schedule_errors": (
        "Presets that keep their own count, as their schedules cannot be used.",
        lambda gauges: gauges.schedule_errors,
    ),
}


class Durations:
    """The durations of this process's reconciliations, in the buckets of a histogram."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = [0] * (len(_BOUNDS) + 1)
        self._sum = 0.0

    def add(self, elapsed: timedelta) -> None:
        """Count one. Raises `InvalidValueError` if negative."""
        if not isinstance(elapsed, timedelta) or elapsed < timedelta():
            raise InvalidValueError("observe_duration", "elapsed", elapsed, "a timedelta of 0 or more")
        seconds = elapsed.total_seconds()
        with self._lock:
            self._counts[bisect_left(_BOUNDS, seconds)] += 1
            self._sum += seconds

    def read(self) -> tuple[list[tuple[str, float]], float]:
        """The buckets, each as its upper bound and the count up to it, and the sum of all durations in seconds."""
        with self._lock:
            counts, total = list(accumulate(self._counts)), self._sum
        return list(zip((*map(str, _BOUNDS), "+Inf"), counts, strict=True)), total


def check_extra() -> None:
    """Raises `MissingExtraError` if prometheus-client is not installed."""
    try:
        import prometheus_client
    except ImportError as error:
        raise MissingExtraError("prometheus-client", "metrics") from error
    else:
        del prometheus_client


def make_families(prefix: str, reading: Reading | None, durations: Durations) -> Iterator[Metric]:
    """All metrics. Without a reading, only the durations of reconciliations are known, and that there is no reading."""
    yield from _make_counters(prefix, reading)
    yield from _make_gauges(prefix, reading)
    yield _make_holds(prefix, reading)
    yield from _make_states(prefix, reading)
    yield _make_histogram(prefix, durations)


def _make_counters(prefix: str, reading: Reading | None) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily

    for counter, (name, text) in COUNTERS.items():
        family = CounterMetricFamily(f"{prefix}{name}_total", text, labels=LABELS)
        for labels, counts in reading.counters.items() if reading else ():
            family.add_metric(labels, counts.get(counter, 0))
        yield family


def _make_gauges(prefix: str, reading: Reading | None) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    for name, (text, measure) in GAUGES.items():
        family = GaugeMetricFamily(f"{prefix}{name}", text, labels=LABELS)
        for labels, gauges in reading.gauges.items() if reading else ():
            family.add_metric(labels, measure(gauges))
        yield family


def _make_holds(prefix: str, reading: Reading | None) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(
        f"{prefix}presets_held",
        "Presets that create nothing, or one workspace at most, as builds have failed.",
        labels=(*LABELS, "state", "failure"),
    )
    for labels, gauges in reading.gauges.items() if reading else ():
        for hold, count in sorted(CountOf(gauges.holds).items(), key=str):
            family.add_metric((*labels, hold.state.value, hold.failure.value), count)
    return family


def _make_states(prefix: str, reading: Reading | None) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    yield GaugeMetricFamily(
        f"{prefix}metrics_last_updated",
        "When these metrics were last read from the store, in Unix seconds; 0 if they never were.",
        value=reading.taken_at.timestamp() if reading else 0,
    )
    yield GaugeMetricFamily(
        f"{prefix}reconciliation_paused",
        "Whether reconciliation is paused (1) or not (0).",
        value=None if reading is None else int(reading.is_paused),
    )


def _make_histogram(prefix: str, durations: Durations) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    buckets, total = durations.read()
    return HistogramMetricFamily(
        f"{prefix}reconciliation_duration_seconds",
        "How long reconciliations of this process took, in seconds.",
        buckets=buckets,
        sum_value=total,
    )
