"""Own ttls, and which prebuilds are aging (R16).

- A prebuild's own ttl is the preset's, shortened by up to `ttl_jitter` of it, by a stable hash of the prebuild's id. It
  is never longer, and the same on every machine.
- A prebuild is aging from `refresh_ahead` before the end of its own ttl, that instant included, until it has expired.
- Arithmetic is that of IEEE doubles and whole microseconds, so that a statement of SQL can do the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from operator import attrgetter

from prebuilds.decision.fields import UTC
from prebuilds.decision.models import Prebuild, Preset
from prebuilds.decision.policies.hashing import calculate_share

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime.min.replace(tzinfo=UTC)
_created_at = attrgetter("created_at")


def calculate_own_ttl(preset: Preset, prebuild_id: str) -> timedelta | None:
    """How long this prebuild stays good after its creation; None means for ever."""
    if not preset.ttl or not preset.ttl_jitter:
        return preset.ttl or None
    return _find_own_ttl(preset.ttl, preset.ttl_jitter, prebuild_id)


@lru_cache(2**17)  # each plan asks again for the same prebuilds
def _find_own_ttl(ttl: timedelta, jitter: float, prebuild_id: str) -> timedelta:
    return _shorten(ttl, jitter * calculate_share(prebuild_id))


@lru_cache(2**10)  # each plan asks for the shortest ttl of the same presets
def _find_shortest_ttl(ttl: timedelta, jitter: float) -> timedelta:
    return _shorten(ttl, jitter)


def _shorten(ttl: timedelta, share: float) -> timedelta:
    return ttl - int(ttl // _MICROSECOND * share) * _MICROSECOND


def has_outlived(preset: Preset, prebuild_id: str, created_at: datetime, now: datetime) -> bool:
    """Whether a prebuild is older than its own ttl."""
    ttl = calculate_own_ttl(preset, prebuild_id)
    return ttl is not None and now - created_at > ttl


def list_outlived(preset: Preset, prebuilds: Sequence[Prebuild], now: datetime) -> Sequence[Prebuild]:
    """Those of these prebuilds that are older than their own ttl. They are given oldest first, and returned so."""
    if not preset.ttl or not preset.ttl_jitter:
        return ()
    old = _take_older(prebuilds, now, _find_shortest_ttl(preset.ttl, preset.ttl_jitter))
    return [prebuild for prebuild in old if has_outlived(preset, prebuild.id, prebuild.created_at, now)]


def list_aging(preset: Preset, prebuilds: Sequence[Prebuild], now: datetime) -> tuple[Prebuild, ...]:
    """The aging ones among these good prebuilds, which are sorted oldest first; none of an inactive preset."""
    if preset.refresh_ahead is None or not preset.ttl or not preset.is_wanted:
        return ()
    old = _take_older(prebuilds, now, _find_shortest_ttl(preset.ttl, preset.ttl_jitter) - preset.refresh_ahead)
    return tuple([prebuild for prebuild in old if is_aging(preset, prebuild, now)])


def is_aging(preset: Preset, prebuild: Prebuild, now: datetime) -> bool:
    """Whether a good prebuild will expire by its ttl within `refresh_ahead`."""
    ttl, ahead = calculate_own_ttl(preset, prebuild.id), preset.refresh_ahead
    return ttl is not None and ahead is not None and now - prebuild.created_at >= ttl - ahead


def find_first_end(preset: Preset, prebuilds: Iterable[Prebuild]) -> tuple[datetime, timedelta, str] | None:
    """Of the prebuild whose own ttl ends first: when it was created, its ttl, and its id. None without a ttl."""
    if not preset.ttl:
        return None
    ttls = [(prebuild.created_at, calculate_own_ttl(preset, prebuild.id), prebuild.id) for prebuild in prebuilds]
    ends = [(created_at, ttl, name) for created_at, ttl, name in ttls if ttl is not None]
    return min(ends, key=_rank_end, default=None)


def _rank_end(end: tuple[datetime, timedelta, str]) -> tuple[timedelta, str]:
    created_at, ttl, name = end
    return created_at - _EPOCH + ttl, name


def rank_by_end(preset: Preset, aging: Iterable[Prebuild]) -> Sequence[Prebuild]:
    """Aging prebuilds in the order in which they are replaced: not ready, then by the end of the own ttl, and by id."""

    def rank(prebuild: Prebuild) -> tuple[bool, timedelta, str]:
        ttl = calculate_own_ttl(preset, prebuild.id)
        return prebuild.ready, *_rank_end((prebuild.created_at, timedelta() if ttl is None else ttl, prebuild.id))

    return sorted(aging, key=rank)


def _take_older(prebuilds: Sequence[Prebuild], now: datetime, age: timedelta) -> Sequence[Prebuild]:
    """The prebuilds that are at least this old; mostly there are none."""
    if age <= timedelta():
        return prebuilds
    since = now - age if age <= now - _EPOCH else _EPOCH
    if not prebuilds or prebuilds[0].created_at > since:
        return ()
    return prebuilds[: bisect_right(prebuilds, since, key=_created_at)]
