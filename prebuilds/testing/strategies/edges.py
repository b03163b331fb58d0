"""Hypothesis strategies for ages at which the decision for a preset turns: its ttl, its deadlines, its invalidation.

- Ages are never negative, and at most two days or the edge itself.
- Every third age or so is an edge, give or take two microseconds. The others are young, so that not all is over.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import strategies as st

from prebuilds.decision.lifetimes.aging import calculate_own_ttl
from prebuilds.decision.models import Preset
from prebuilds.testing.strategies.values import MICROSECOND, NOTHING, SECOND, ages, sampled

_OFFSETS = tuple(offset * MICROSECOND for offset in (0, 0, 1, -1, 2, -2))
_YOUNG = st.integers(0, 30).map(lambda seconds: seconds * SECOND)


def ages_of_prebuilds(preset: Preset, prebuild_id: str, now: datetime) -> st.SearchStrategy[timedelta]:
    """How long ago a prebuild of the preset was created."""
    own_ttl, invalidated_at = calculate_own_ttl(preset, prebuild_id), preset.last_invalidated_at
    edges = [] if own_ttl is None else [own_ttl]
    if own_ttl is not None and preset.refresh_ahead is not None:
        edges.append(own_ttl - preset.refresh_ahead)
    if invalidated_at is not None:
        edges.append(now - invalidated_at)
    return st.one_of(_YOUNG, _ages_near(*edges), _YOUNG, ages())


def ages_of_starts(preset: Preset) -> st.SearchStrategy[timedelta]:
    """How long ago the start of a prebuild of the preset ended: not so long that all of them have expired."""
    deadline, ttl = preset.ready_deadline, preset.ttl
    return st.one_of(_YOUNG, _ages_near(None if deadline and ttl and ttl < deadline else deadline))


def ages_of_builds(preset: Preset) -> st.SearchStrategy[timedelta]:
    """How long ago a build of a prebuild of the preset began."""
    near = _ages_near(preset.build_deadline)
    return st.one_of(_YOUNG, near, near, ages())


def _ages_near(*edges: timedelta | None) -> st.SearchStrategy[timedelta]:
    """Ages near one of these edges, as far as they are in the past; young ones if there is none."""
    past = [edge for edge in edges if edge is not None and edge >= NOTHING]
    if not past:
        return _YOUNG
    return st.tuples(st.sampled_from(past), sampled(*_OFFSETS)).map(lambda pair: max(pair[0] + pair[1], NOTHING))
