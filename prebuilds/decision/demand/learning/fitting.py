"""Fitting: a model from past claims, and the state at the end of them.

The weights, the spreads, the price and the hold are found on the last part of the past. Where the past shows that the
hit rate cannot be promised, or that one size does as well, the model says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import attrs

from prebuilds.decision.demand.autoscale import Autoscale
from prebuilds.decision.demand.counts import count_worthy, list_worths
from prebuilds.decision.demand.following import DemandFit
from prebuilds.decision.demand.learning.past import Past, record_past
from prebuilds.decision.demand.learning.singles import find_single, measure_single
from prebuilds.decision.demand.learning.trials import Trial, run_trial
from prebuilds.decision.demand.means import SIGNALS, calculate_mean, fit_weights
from prebuilds.decision.demand.model import DemandModel, Doubt
from prebuilds.decision.demand.spreads import BINS, find_bin, fit_spreads, get_bin_mean
from prebuilds.decision.demand.state import start_state
from prebuilds.decision.demand.steering import find_aim
from prebuilds.decision.fields import require_instant
from prebuilds.errors import InvalidValueError

_DAY = 86_400.0
_FEWEST_CLAIMS, _ENOUGH_CLAIMS = 20, 100
_FEWEST_DAYS, _ENOUGH_DAYS = 1, 7
_MISS_DAYS = 20  # fewer, and the misses of the past are too few storms to tell the next ones from
_PROMISED_DAYS = 25  # of which the last four fifths, in which misses are counted, have that many
_MOST_BUILDS = 1.2  # per claim
_LEAST_HOLD, _MOST_HOLD = 300.0, 4 * 3600.0
_LONGER = 1.4
_BOLDEST, _MOST_CAREFUL = -3.0, 9.5
_LEAST_SAVED = {None: -0.05, Doubt.STORMS: 0.05, Doubt.UNREACHED: 0.05, Doubt.SHORT_PAST: 0.1}
_MOST_ROWS = 12_000


def fit_demand(
    claims: Iterable[datetime],
    *,
    autoscale: Autoscale,
    begin: datetime,
    end: datetime,
    timezone: str = "UTC",
    own_count: int | None = None,
    waits: bool = False,
) -> DemandFit:
    """Learn from the claims between two instants how many prebuilds to keep.

    `timezone` is the users'. `own_count` stands while the past is short; the best single size does if it is None.
    `waits` tells whether a user who finds nothing ready takes the next prebuild, rather than building a workspace of
    their own. Raises `InvalidValueError` for a claim that is not between `begin` and `end`.
    """
    first, last = (require_instant("fit_demand", name, at).timestamp() for name, at in (("begin", begin), ("end", end)))
    instants = [require_instant("fit_demand", f"claims[{place}]", at).timestamp() for place, at in enumerate(claims)]
    return fit_instants(instants, autoscale, first, last, timezone=timezone, own_count=own_count, waits=waits)


def fit_instants(
    claims: Iterable[float],
    autoscale: Autoscale,
    begin: float,
    end: float,
    *,
    timezone: str,
    own_count: int | None,
    waits: bool,
) -> DemandFit:
    """The same for instants in seconds since 1970."""
    ordered = sorted(claims)
    if begin >= end:
        raise InvalidValueError("fit_demand", "end", end, f"an instant after begin, {begin}")
    for at in (*ordered[:1], *ordered[-1:]):
        if not begin <= at <= end:
            raise InvalidValueError("fit_demand", "claims", at, f"instants from begin ({begin}) to end ({end})")
    single = find_single(ordered, autoscale.hit_rate, autoscale.lead_time.total_seconds(), waits=waits)
    blank = _make_blank(autoscale, timezone, single if own_count is None else own_count, single, (end - begin) / _DAY)
    share = _calculate_share(blank.days, len(ordered))
    if not share:
        return DemandFit(blank, start_state(end, blank.lead, timezone))
    past = record_past(ordered, begin, end, blank.lead, timezone)
    return DemandFit(_Fitting(attrs.evolve(blank, share=share), past, waits=waits).fit(), past.state)


def _make_blank(autoscale: Autoscale, timezone: str, own_count: int, single: int, days: float) -> DemandModel:
    """The model that knows nothing: the own count stands."""
    return DemandModel(
        autoscale=autoscale,
        timezone=timezone,
        weights=(0.0,) * SIGNALS,
        spreads=(1.0,) * BINS,
        caution=0.0,
        hold=0.0,
        single=single,
        own_count=own_count,
        share=0.0,
        follows_demand=False,
        doubt=Doubt.SHORT_PAST,
        days=days,
        past_hit_rate=0.0,
        saved=0.0,
    )


def _calculate_share(days: float, claims: int) -> float:
    """How far a past may be followed: from nothing after a day and 20 claims, to all after a week and 100 claims."""
    by_days = (days - _FEWEST_DAYS) / (_ENOUGH_DAYS - _FEWEST_DAYS)
    by_claims = (claims - _FEWEST_CLAIMS) / (_ENOUGH_CLAIMS - _FEWEST_CLAIMS)
    return max(0.0, min(1.0, by_days, by_claims))


class _Fitting:
    """A model in the making, on one past."""

    def __init__(self, model: DemandModel, past: Past, *, waits: bool) -> None:
        self._model, self._past, self._waits = model, past, waits
        self._goal = model.autoscale.hit_rate
        self._bins: Sequence[int] = ()

    def fit(self) -> DemandModel:
        self._fit_means()
        if not self._past.list_part():
            return self._model
        caution, hold, trial = self._choose_hold()
        saved = self._compare(trial)
        doubt = self._find_doubt(trial)
        if doubt is None:  # begin where steering rests
            caution = self._find_caution(find_aim(self._goal), hold, caution, min(_MOST_CAREFUL, caution + 1))
        return attrs.evolve(
            self._model,
            caution=caution,
            hold=hold,
            doubt=doubt,
            follows_demand=doubt is not Doubt.BATCHES and saved >= _LEAST_SAVED[doubt],
            past_hit_rate=trial.hit_rate,
            saved=saved,
        )

    def _fit_means(self) -> None:
        """Find the weights and the spreads, and the bin of the mean after each event."""
        signals = self._past.signals
        ticks = self._past.list_ticks(self._model.lead)
        few = ticks[:: len(ticks) // _MOST_ROWS + 1]
        weights = fit_weights([signals[place] for place, _ in few], [count for _, count in few])
        self._bins = bins = [find_bin(calculate_mean(row, weights)) for row in signals]
        spreads = fit_spreads([bins[place] for place, _ in ticks], [count for _, count in ticks])
        self._model = attrs.evolve(self._model, weights=weights, spreads=spreads)

    def _choose_hold(self) -> tuple[float, float, Trial]:
        """The shortest hold with few builds, or the longest, and the price that goes with it."""
        holds = self._list_holds()
        caution = self._find_caution(self._goal, holds[0], _BOLDEST, _MOST_CAREFUL)
        hold = next((hold for hold in holds if self._try(caution, hold).builds_per_claim <= _MOST_BUILDS), holds[-1])
        if hold > holds[0]:  # what is held longer hits more
            caution = self._find_caution(self._goal, hold, max(_BOLDEST, caution - 1), caution)
        return caution, hold, self._try(caution, hold)

    def _list_holds(self) -> list[float]:
        if self._model.autoscale.hold is not None:
            return [self._model.autoscale.hold.total_seconds()]
        holds = [max(_LEAST_HOLD, self._model.lead)]
        while holds[-1] * _LONGER <= _MOST_HOLD:
            holds.append(holds[-1] * _LONGER)
        return holds

    def _find_caution(self, goal: float, hold: float, low: float, high: float) -> float:
        """The least caution with which the past reaches a hit rate, to a twentieth."""
        while high - low > 0.05:
            middle = (low + high) / 2
            if self._try(middle, hold).hit_rate >= goal:
                high = middle
            else:
                low = middle
        return high

    def _try(self, caution: float, hold: float) -> Trial:
        targets = self._list_targets(10**-caution)
        past = self._past
        return run_trial(past.events, self._bins, targets, hold, self._model.lead, waits=self._waits)

    def _list_targets(self, price: float) -> list[int]:
        model, scale = self._model, self._model.autoscale
        return [
            scale.clamp(count_worthy(list_worths(get_bin_mean(place), spread, model.lead, scale.max_instances), price))
            for place, spread in enumerate(model.spreads[: max(self._bins) + 1])
        ]

    def _compare(self, trial: Trial) -> float:
        """The share of the single size's idle time that was saved, of the single size that this part needed."""
        past, lead = self._past, self._model.lead
        part = past.list_part()
        single = find_single(part, self._goal, lead, waits=self._waits)
        idle = measure_single(part, single, lead, past.begin, past.end, waits=self._waits)
        return 1 - trial.idle / idle if idle > 0 else 0.0

    def _find_doubt(self, trial: Trial) -> Doubt | None:
        if self._model.days < _PROMISED_DAYS or trial.claims * (1 - self._goal) < _MISS_DAYS:
            return Doubt.SHORT_PAST
        if trial.builds_per_claim > _MOST_BUILDS:
            return Doubt.BATCHES
        if trial.hit_rate < self._goal:
            return Doubt.UNREACHED
        return Doubt.STORMS if trial.count_miss_days() < _MISS_DAYS else None
