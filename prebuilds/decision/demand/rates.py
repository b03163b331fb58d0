"""Recent rates and levels: what was claimed lately, and how that compares with what the season expected.

- A recent rate counts each claim once, spread over an exponential with a half-life.
- A level is claims over what the season expected, both fading. It leans on 1 by one claim.
"""

from __future__ import annotations

from math import exp, log

import attrs

from prebuilds.decision.demand.seasons import HOUR

_LN2 = log(2)
_DAY = 24 * HOUR
LEVEL_LIVES = (3 * HOUR, _DAY)
_LEAN = 1.0  # claims


def list_half_lives(lead: float) -> tuple[float, ...]:
    """The half-lives of the recent rates for a lead time, both in seconds."""
    return (lead / 2, 2 * lead, 8 * lead, _DAY, 7 * _DAY)


def list_decays(lead: float) -> tuple[float, ...]:
    """How fast each value of `FadingRates` fades, as an exponent per second: recent rates, claims, expected claims."""
    lives = (*list_half_lives(lead), *LEVEL_LIVES, *LEVEL_LIVES)
    return tuple(_LN2 / life for life in lives)


@attrs.frozen
class FadingRates:
    """Five recent rates in claims per second, two sums of fading claims and two of those expected, at an instant."""

    at: float
    values: tuple[float, ...] = (0.0,) * 9

    def fade(self, now: float, usual: float, decays: tuple[float, ...]) -> FadingRates:
        """The rates at a later instant, if the season expects `usual` claims per second until then."""
        elapsed = now - self.at
        if elapsed <= 0:  # clocks may go back: what was seen stays
            return self
        r1, r2, r3, r4, r5, c1, c2, e1, e2 = self.values
        d1, d2, d3, d4, d5, d6, d7, _, _ = decays
        k6, k7 = exp(-elapsed * d6), exp(-elapsed * d7)
        return FadingRates(
            now,
            (
                r1 * exp(-elapsed * d1),
                r2 * exp(-elapsed * d2),
                r3 * exp(-elapsed * d3),
                r4 * exp(-elapsed * d4),
                r5 * exp(-elapsed * d5),
                c1 * k6,
                c2 * k7,
                e1 * k6 + usual * (1 - k6) / d6,
                e2 * k7 + usual * (1 - k7) / d7,
            ),
        )

    def count_claim(self, decays: tuple[float, ...]) -> FadingRates:
        """The rates after a claim at this instant."""
        r1, r2, r3, r4, r5, c1, c2, e1, e2 = self.values
        d1, d2, d3, d4, d5, _, _, _, _ = decays
        return FadingRates(self.at, (r1 + d1, r2 + d2, r3 + d3, r4 + d4, r5 + d5, c1 + 1, c2 + 1, e1, e2))

    def list_levels(self) -> tuple[float, float]:
        """Claims over expected claims, of the last hours and of the last day."""
        _, _, _, _, _, c1, c2, e1, e2 = self.values
        return (c1 + _LEAN) / (e1 + _LEAN), (c2 + _LEAN) / (e2 + _LEAN)
