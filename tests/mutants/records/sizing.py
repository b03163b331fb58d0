"""Bugs of targets, of recommendations, and of simulated fleets."""

from __future__ import annotations

from mutants.records.mutant import Mutant

SIZING = (
    Mutant(
        "a replay deletes above the lower bound",
        "whatif/sizing/replayed_pool.py",
        "        elif self._ready < self._high:",
        "        elif self._ready < self._low:",
        tests=("whatif/test_targets.py",),
    ),
    Mutant(
        "a replay deletes only once a prebuild becomes ready",
        "whatif/sizing/replayed_pool.py",
        "        if self._ready > high:",
        "        if self._ready > high + 1:",
        tests=("whatif/test_targets.py",),
    ),
    Mutant(
        "a target hears of hits alone",
        "whatif/targets/target_replay.py",
        "self._target.note(at / TICKS_PER_SECOND, is_hit=is_hit)",
        "is_hit and self._target.note(at / TICKS_PER_SECOND, is_hit=is_hit)",
        tests=("whatif/test_targets.py",),
    ),
    Mutant(
        "a target may change without time passing",
        "whatif/targets/target_replay.py",
        "        if not until > now:",
        "        if until < 0:",
        tests=("whatif/test_targets.py",),
    ),
    Mutant(
        "a spare target is not held in its cooldown",
        "whatif/targets/baselines.py",
        "self._most if now < self._held_until else target",
        "target",
        tests=("whatif/test_baselines.py",),
    ),
    Mutant(
        "a watermark grows again while it grows",
        "whatif/targets/watermarks.py",
        "self._grows_from = now + self._lead",
        "self._grows_from = now",
        tests=("whatif/test_baselines.py",),
    ),
    Mutant(
        "a curve knows nothing beyond its last size",
        "whatif/sizing/curve.py",
        "if found is None and type(size) is int and last.size < size <= MAX_COUNT and not last.misses:",
        "if False:",
        tests=("whatif/test_sizing.py",),
    ),
    Mutant(
        "a report compares with the best size for the hits obtained",
        "whatif/recommendation/holdout.py",
        "single=sizes.find_smallest(goal)",
        "single=sizes.find_smallest(rate)",
        tests=("whatif/test_recommend.py",),
    ),
    Mutant(
        "cold starts are planned by the counts of waits",
        "whatif/sizing/missed_claims.py",
        "return _prepare_waits(demand) if on_miss is OnMiss.WAIT else _prepare_cold_starts(demand)",
        "return _prepare_waits(demand)",
        tests=("whatif/test_recommend.py",),
    ),
    Mutant(
        "an option that idled more is recommended",
        "whatif/recommendation/options.py",
        "    if held.saved_at_equal_hits < _NEGLIGIBLE:",
        "    if held.saved_at_equal_hits < -9:",
        tests=("whatif/test_recommend.py",),
    ),
    Mutant(
        "an option with too few hits is recommended",
        "whatif/recommendation/options.py",
        "    if held.hit_rate < min(held.goal, other.hit_rate) - NOTICED:",
        "    if held.hit_rate < 0:",
        tests=("whatif/test_recommend.py",),
    ),
    Mutant(
        "a hit rate of 100 % is promised",
        "whatif/recommendation/caveats.py",
        "    if goal == 1:",
        "    if goal > 1:",
        tests=("whatif/test_recommend.py",),
    ),
    Mutant(
        "autoscale is fitted to the days that are held out",
        "whatif/recommendation/autoscaling.py",
        "days = follow_days(demand, fit_autoscale(history, cut).follow(), history.on_miss)",
        "days = follow_days(demand, fit_autoscale(history, history.days).follow(), history.on_miss)",
        tests=("whatif/test_recommend.py",),
    ),
    Mutant(
        "autoscale is judged on claims that it was fitted to",
        "whatif/recommendation/recommending.py",
        "    if demand.trace.begin < end:",
        "    if demand.trace.end < end:",
        tests=("whatif/test_recommend.py",),
    ),
)
