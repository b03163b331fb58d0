"""Why an action that was decided must not be done now (R11)."""

from __future__ import annotations

from enum import Enum


class WithheldReason(Enum):
    """Why an action must not be done now."""

    PAUSED = "paused"
    """Reconciliation is paused: nothing may be done."""
    HARD_LIMITED = "hard_limited"
    """The preset's builds keep failing: nothing may be created until it is reset, or only a probe (R19)."""
    CAPACITY = "capacity"
    """The last start failed for want of capacity: nothing may be created for a while (R19)."""
    MAX_CREATES = "max_creates"
    """One pass creates at most `Policy.max_creates` prebuilds of a preset; later passes create the rest."""
    MAX_SURGE = "max_surge"
    """What is there, with what is being deleted, stays within `Preset.max_surge` above the target (R18)."""
    SLOW_START = "slow_start"
    """After a failure a preset creates 1, then 2, then 4 at a time, until one succeeds (R18)."""
    BUDGET = "budget"
    """A budget is used up; later passes create the rest (R18)."""
