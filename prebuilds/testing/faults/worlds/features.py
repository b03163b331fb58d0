"""Features: what a host may leave out, and which acts a world has then."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import Enum

from prebuilds.testing.faults.worlds.acts import ACTS


class Feature(Enum):
    """What a host may leave out."""

    CLAIMS = "claims"
    REPLICAS = "replicas"
    """Several reconcilers: once another has the lease, the writes of the first are refused."""
    OUTBOX = "outbox"
    """Messages to the loop, which may come late or never."""
    PAUSE = "pause"
    HISTORY = "history"
    """Failed builds are remembered: backoffs, hard limits and resets."""
    BUDGETS = "budgets"
    """Budgets kept in the store, which bound what all presets create together."""
    MEMBERSHIPS = "memberships"
    CANCELING = "canceling"
    """Builds that have not begun can be canceled."""


_ACTS_NEED = {
    "pause": Feature.PAUSE,
    "resume": Feature.PAUSE,
    "set_budget": Feature.BUDGETS,
    "remove_budget": Feature.BUDGETS,
    "reset": Feature.HISTORY,
    "reset_all": Feature.HISTORY,
    "release": Feature.CLAIMS,
    "forget": Feature.CLAIMS,
}


def list_acts(without: Collection[Feature]) -> Sequence[str]:
    """The acts for a host that leaves these features out."""
    return [name for name in ACTS if _ACTS_NEED.get(name) not in without]
