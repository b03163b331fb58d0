"""Turns readings and durations into metric families of prometheus-client. Needs the extra `metrics`."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator
from datetime import timedelta
from itertools import accumulate
from typing import TYPE_CHECKING

from prebuilds.errors import InvalidValueError, MissingExtraError
from prebuilds.runtime.metrics.readings import Labels, Reading
from prebuilds.runtime.models import Counter

if TYPE_CHECKING:
    from prometheus_client import Metric

LABELS = Labels._fields
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

COUNTERS = {
    Counter.CREATED: ("created", "Prebuilt workspaces that were asked for."),
    Counter.FAILED: ("failed", "Builds of prebuilt workspaces that failed."),
    Counter.CLAIMED: ("claimed", "Prebuilt workspaces that users got."),
    Counter.CLAIM_MISSED: ("claim_missed", "Claims for which no prebuilt workspace was there."),
    Counter.RESOURCE_REPLACED: (
        "resource_replacements",
        "Prebuilt workspaces of which a resource had to be replaced when they were claimed.",
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
    from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily

    yield from _make_counters(prefix, reading)
    yield from _make_gauges(prefix, reading)
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
    buckets, total = durations.read()
    yield HistogramMetricFamily(
        f"{prefix}reconciliation_duration_seconds",
        "How long reconciliations of this process took, in seconds.",
        buckets=buckets,
        sum_value=total,
    )


def _make_counters(prefix: str, reading: Reading | None) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily

    for counter, (name, text) in COUNTERS.items():
        family = CounterMetricFamily(f"{prefix}{name}_total", text, labels=LABELS)
        for labels, counts in reading.counters.items() if reading else ():
            family.add_metric(labels, counts.get(counter, 0))
        yield family


def _make_gauges(prefix: str, reading: Reading | None) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    desired = GaugeMetricFamily(f"{prefix}desired", "Prebuilt workspaces that are wanted.", labels=LABELS)
    running = GaugeMetricFamily(f"{prefix}running", "Prebuilt workspaces that run, expired ones too.", labels=LABELS)
    eligible = GaugeMetricFamily(f"{prefix}eligible", "Prebuilt workspaces that users could have now.", labels=LABELS)
    limited = GaugeMetricFamily(
        f"{prefix}preset_hard_limited",
        "Whether the builds of a preset keep failing, so that no more are made (1), or not (0).",
        labels=LABELS,
    )
    errors = GaugeMetricFamily(
        f"{prefix}schedule_errors",
        "Presets that keep their own count, as their schedules cannot be used.",
        labels=LABELS,
    )
    for labels, gauges in reading.gauges.items() if reading else ():
        desired.add_metric(labels, gauges.desired)
        running.add_metric(labels, gauges.running)
        eligible.add_metric(labels, gauges.eligible)
        limited.add_metric(labels, int(gauges.is_hard_limited))
        errors.add_metric(labels, gauges.schedule_errors)
    yield from (desired, running, eligible, limited, errors)
