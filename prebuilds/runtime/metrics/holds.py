"""Holds: what keeps a preset from creating after builds have failed, and why they failed (R8, R19)."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from prebuilds.decision.policies.failures import FailureClass
from prebuilds.decision.policies.policy import Policy
from prebuilds.decision.policies.waiting import calculate_backoff_until, can_probe, is_probe_due
from prebuilds.decision.presets import PresetSnapshot
from prebuilds.decision.state import count_starting


class HoldState(Enum):
    """How a preset is held."""

    BACKOFF = "backoff"
    """It waits for an instant, and goes on then."""
    HARD_LIMITED = "hard_limited"
    """It creates nothing, until somebody resets it or until its next probe."""
    PROBING = "probing"
    """It is hard-limited, and a single create that may lift the limit is due or under way."""


class Hold(NamedTuple):
    """How a preset is held, and the class of its last failure."""

    state: HoldState
    failure: FailureClass


def find_hold(snapshot: PresetSnapshot, policy: Policy) -> Hold | None:
    """The hold of a preset; None if nothing holds it. An inactive one creates nothing anyway."""
    if not snapshot.preset.is_active:
        return None
    if snapshot.is_hard_limited:
        state = HoldState.PROBING if _is_probing(snapshot, policy) else HoldState.HARD_LIMITED
        return Hold(state, snapshot.limit.failure if snapshot.limit else FailureClass.TRANSIENT)
    if snapshot.backoff and calculate_backoff_until(snapshot, policy):
        return Hold(HoldState.BACKOFF, snapshot.backoff.failure)
    return None


def _is_probing(snapshot: PresetSnapshot, policy: Policy) -> bool:
    return can_probe(snapshot, policy) and (count_starting(snapshot) > 0 or is_probe_due(snapshot, policy))
