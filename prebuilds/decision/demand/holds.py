"""Hold: a target that falls only to the highest of the last while, as the stabilisation window of Kubernetes' HPA."""

from __future__ import annotations

Held = tuple[tuple[float, int], ...]
"""Instants and targets, of which each later one is lower: the first is the highest of the window."""


def hold_target(held: Held, now: float, count: int, hold: float) -> Held:
    """What is held after the target became `count`. Targets older than `hold` seconds are gone."""
    kept = [pair for pair in held if pair[1] > count and pair[0] >= now - hold]
    return (*kept, (now, count))
