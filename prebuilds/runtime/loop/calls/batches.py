"""Batches: which effects for one preset are carried out together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from prebuilds.decision.models import Transition
from prebuilds.runtime.loop.effects import CreatePrebuild, DeletePrebuild, Effect, SubmitBuild

MOST_IN_BATCH = 100
"""How many effects are carried out together at most."""


def list_batches(effects: Sequence[Effect]) -> Iterator[Sequence[Effect]]:
    """Part the effects for one preset, in their order, into those that are carried out together.

    Starts are one batch, deletes another, and builds that are handed over again are two, as they may be either. All
    other effects are alone.
    """
    for kind, together in groupby(effects, _get_kind):
        batch = tuple(together)
        size = 1 if kind is None else MOST_IN_BATCH
        yield from (batch[first : first + size] for first in range(0, len(batch), size))


def _get_kind(effect: Effect) -> tuple[type[Effect], Transition] | None:
    """Effects of the same kind can be a batch; None for those that are always alone."""
    if isinstance(effect, (CreatePrebuild, DeletePrebuild, SubmitBuild)):
        return type(effect), effect.request.transition
    return None
