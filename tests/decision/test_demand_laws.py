"""Laws of a target that follows demand: what holds for every model and every pattern of claims (R21)."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prebuilds.decision.demand.autoscale import Autoscale
from prebuilds.decision.demand.following import DemandFit, DemandFollower, find_wanted, note_claim
from prebuilds.decision.demand.means import SIGNALS
from prebuilds.decision.demand.model import DemandModel, Doubt
from prebuilds.decision.demand.seasons import WEEK
from prebuilds.decision.demand.spreads import BINS
from prebuilds.decision.demand.state import advance_state, start_state

HOUR = 3600.0
NOW = 1_800_000_000.0
MODEL = DemandModel(
    autoscale=Autoscale(hit_rate=0.99, lead_time=timedelta(minutes=5), min_instances=1, max_instances=50),
    timezone="Europe/Berlin",
    weights=(0.2, 0.1, 0.2, 0.1, 0.2, 0.2, 0.0, 0.0, 0.1),
    spreads=(1.5,) * BINS,
    caution=0.7,
    hold=1200.0,
    single=4,
    own_count=3,
    share=1.0,
    follows_demand=True,
    doubt=None,
    days=60.0,
    past_hit_rate=0.99,
    saved=0.3,
)
WEIGHTS = st.lists(st.floats(0, 3), min_size=SIGNALS, max_size=SIGNALS)
# Together, minutes apart, a month apart, and years; and clocks that jump back.
GAPS = st.one_of(
    st.just(0.0), st.floats(0, 600), st.floats(0, 40 * 86_400), st.floats(0, 400 * WEEK), st.floats(-1e6, 0)
)


def follow(model: DemandModel = MODEL, at: float = NOW) -> DemandFollower:
    return DemandFit(model, start_state(at, model.lead, model.timezone)).follow()


@st.composite
def models(draw: st.DrawFn) -> DemandModel:
    least = draw(st.integers(0, 5))
    scale = attrs.evolve(MODEL.autoscale, min_instances=least, max_instances=draw(st.integers(max(1, least), 200)))
    changes: dict[str, Any] = {
        "weights": draw(WEIGHTS),
        "caution": draw(st.floats(-3, 9.5)),
        "hold": draw(st.sampled_from([0.0, 600.0, 14_400.0])),
        "share": draw(st.sampled_from([0.0, 0.4, 1.0])),
        "own_count": draw(st.integers(0, 20)),
        "follows_demand": draw(st.booleans()),
        "doubt": draw(st.sampled_from([None, *Doubt])),
    }
    return attrs.evolve(MODEL, autoscale=scale, **changes)


@given(model=models(), steps=st.lists(st.tuples(GAPS, st.integers(0, 40), st.booleans()), max_size=12))
def test_targets_stay_within_the_limits_whatever_is_claimed(
    model: DemandModel, steps: list[tuple[float, int, bool]]
) -> None:
    """All at one instant, one a month, years of silence, a clock that jumps back: no pattern breaks it."""
    follower, now = follow(model), NOW
    for gap, claims, is_hit in steps:
        now = max(0.0, now + gap)
        for _ in range(claims):
            follower.note(now, is_hit=is_hit)
        low, high = follower.bounds(now)
        assert model.autoscale.min_instances <= low <= high <= model.autoscale.max_instances
        assert follower.until(now) > now


@given(steps=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5)), min_size=1, max_size=12))
def test_nothing_is_deleted_that_was_wanted_within_the_hold(steps: list[tuple[int, int]]) -> None:
    """Each minute's target is held as it was at the minute's end; that of this minute counts too."""
    follower, minute = follow(), NOW
    wanted: list[tuple[float, int]] = []
    for gap, claims in steps:
        for _ in range(gap):
            wanted.append((minute, follower.bounds(minute + 59)[0]))
            minute += 60
        for _ in range(claims):
            follower.note(minute + 30, is_hit=True)
        low, high = follower.bounds(minute + 45)
        assert high == max([low, *(count for at, count in wanted if at >= minute - MODEL.hold)])


@given(
    gaps=st.lists(st.floats(0, 5000), min_size=1, max_size=20),
    looks=st.lists(st.floats(0, 1), max_size=5),
)
def test_the_target_depends_on_claims_and_not_on_who_looked(gaps: list[float], looks: list[float]) -> None:
    """So the loop, a simulation and every replica find the same."""
    watched, alone, now = follow(), follow(), NOW
    for gap in gaps:
        for look in sorted(looks):
            watched.bounds(now + gap * look)
        now += gap
        watched.note(now, is_hit=True)
        alone.note(now, is_hit=True)
    assert watched.state == alone.state
    assert watched.bounds(now) == alone.bounds(now)


@settings(max_examples=20)
@given(burst=st.integers(20, 400), weeks=st.integers(80, 500))
def test_one_burst_is_forgotten_in_bounded_time(burst: int, weeks: int) -> None:
    """However large it was: after 80 silent weeks the target is what it would be without it."""
    follower, quiet = follow(), follow()
    for _ in range(burst):
        follower.note(NOW, is_hit=False)
    after = NOW + weeks * WEEK
    assert follower.bounds(NOW)[1] > quiet.bounds(NOW)[1]
    assert follower.bounds(after) == quiet.bounds(after)


def test_a_burst_moves_the_target_at_once_and_it_falls_after_the_hold() -> None:
    follower = follow()
    before = follower.bounds(NOW)
    for _ in range(30):
        follower.note(NOW + 10, is_hit=True)
    low, high = follower.bounds(NOW + 10)
    assert before[1] < low == high == follower.bounds(NOW + 1000)[1]
    later = follower.bounds(NOW + 1300)
    assert later[0] <= later[1] < high


def test_a_miss_counts_as_a_claim_and_steers_only_where_the_hit_rate_is_promised() -> None:
    hit, miss = follow(), follow()
    doubted = follow(attrs.evolve(MODEL, doubt=Doubt.STORMS))
    for follower, is_hit in ((hit, True), (miss, False), (doubted, False)):
        follower.note(NOW + 10, is_hit=is_hit)
    assert hit.state.rates == miss.state.rates == doubted.state.rates
    assert (hit.state.counted, miss.state.counted) == (1, 1)
    assert miss.state.steering.offset > 0 > hit.state.steering.offset
    assert doubted.state.steering.offset == 0


@given(claims=st.lists(st.tuples(st.integers(0, 90), st.booleans()), min_size=1, max_size=30), random=st.randoms())
def test_only_the_counts_of_a_minute_matter(claims: list[tuple[int, bool]], random: Random) -> None:
    """Neither the second of a claim, nor the order of hits and misses: stores keep counts by the minute."""
    first, other = follow(), follow()
    ordered = sorted(claims, key=lambda claim: claim[0])
    for minute, is_hit in ordered:
        first.note(NOW + 60 * minute, is_hit=is_hit)
    for minute, is_hit in sorted(random.sample(ordered, len(ordered)), key=lambda claim: claim[0]):
        other.note(NOW + 60 * minute + random.uniform(0, 59), is_hit=is_hit)
    assert first.bounds(NOW + 6000) == other.bounds(NOW + 6000)
    assert attrs.evolve(first.state, steering=other.state.steering) == other.state
    assert first.state.steering.offset == pytest.approx(other.state.steering.offset)


def test_a_fit_is_followed_from_its_own_state_each_time() -> None:
    fit = DemandFit(MODEL, start_state(NOW, MODEL.lead, MODEL.timezone))
    first = fit.follow()
    first.note(NOW, is_hit=False)
    assert fit.follow().state == fit.state != first.state


@given(days=st.floats(0, 1), own=st.integers(0, 9))
def test_a_short_past_blends_into_the_own_count_without_a_jump(days: float, own: int) -> None:
    """From nothing of the demand to all of it, each step between the two."""
    state = start_state(NOW, MODEL.lead, MODEL.timezone)
    for _ in range(20):
        state = note_claim(MODEL, state, NOW, is_hit=True)
    wide = attrs.evolve(MODEL, autoscale=attrs.evolve(MODEL.autoscale, min_instances=0), own_count=own)
    counts = [find_wanted(attrs.evolve(wide, share=share), state, NOW) for share in (0.0, days, 1.0)]
    assert counts[0] == own
    assert min(counts[0], counts[2]) <= counts[1] <= max(counts[0], counts[2])


def test_years_of_silence_cost_no_more_than_weeks() -> None:
    state = start_state(0.0, MODEL.lead, "UTC")
    state = advance_state(state, 8000 * WEEK, MODEL.lead, "UTC")
    assert state.hour == 8000 * WEEK
    assert max(state.usual) < 1e-6


def test_a_target_that_never_changes_is_never_looked_at_again() -> None:
    for change in ({"follows_demand": False}, {"share": 0.0}):
        assert follow(attrs.evolve(MODEL, **change)).until(NOW) == float("inf")
    assert follow().until(NOW) == NOW + 60 - NOW % 60
