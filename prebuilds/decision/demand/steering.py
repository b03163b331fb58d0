"""Steering: feedback that moves the price until the hit rate is as promised.

Caution is the price as a power of ten, negated: at a caution of 2, a prebuild is kept for one claim in 100 idle hours.
A miss raises it a step, and a hit lowers it a fraction of one. They balance at 0.8 of the misses that the goal allows.
This is adaptive conformal control (Gibbs and Candes, 2021). The offset is bounded and fades by half in eight weeks, so
that no burst is remembered for ever.
"""

from __future__ import annotations

import attrs

from prebuilds.decision.demand.seasons import WEEK

MOST_OFFSET = 3.6
_STEP = 0.012
_AIM = 0.8
_HALF_LIFE = 8 * WEEK


def find_aim(hit_rate: float) -> float:
    """The hit rate at which steering rests, a little above the goal."""
    return 1 - _AIM * (1 - hit_rate)


@attrs.frozen
class Steering:
    """How far feedback has moved the caution, at an instant."""

    at: float
    offset: float = 0.0

    def fade(self, now: float) -> float:
        """The offset at a later instant."""
        return self.offset * float(2 ** (-max(0.0, now - self.at) / _HALF_LIFE))

    def note(self, at: float, hit_rate: float, *, is_hit: bool) -> Steering:
        """The steering after a hit or a miss."""
        kept = self.fade(at)
        missed = 1 - find_aim(hit_rate)
        moved = kept - _STEP * missed / (1 - missed) if is_hit else kept + _STEP
        return Steering(max(at, self.at), min(MOST_OFFSET, max(-MOST_OFFSET, moved)))
