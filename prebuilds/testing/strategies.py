"""Hypothesis strategies for the models of a decision.

- Values crowd around the edges where decisions turn: the ttl to the microsecond, a backoff's end, a window's hour.
- What they make is valid: every value could come from a control plane. Schedules may be unusable, as users' are.
- They shrink towards nothing at all: a snapshot without a row.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import cache
from itertools import pairwise
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from prebuilds.decision.models import (
    Backoff,
    Build,
    BuildStatus,
    InProgress,
    Pending,
    Policy,
    Prebuild,
    PrebuildStatus,
    Preset,
    Schedule,
    Template,
    TemplateVersion,
    Transition,
)
from prebuilds.decision.snapshots import GlobalSnapshot

_T = TypeVar("_T")

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
)
"""Zones with whole, half and quarter hours, with and without daylight saving."""

_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)
_TTLS = (timedelta(seconds=60), timedelta(hours=1), timedelta(hours=1, microseconds=500_000))
_MIN = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MAX = datetime(2100, 1, 1, tzinfo=timezone.utc)


def instants(*, min_value: datetime = _MIN, max_value: datetime = _MAX) -> st.SearchStrategy[datetime]:
    """Aware datetimes in UTC; both bounds are aware and allowed. Raises `InvalidArgument` if they are not in order."""
    if min_value.utcoffset() is None or max_value.utcoffset() is None or min_value > max_value:
        raise InvalidArgument(f"{min_value=} and {max_value=} must be aware and in order")
    low, high = (bound.astimezone(timezone.utc).replace(tzinfo=None) for bound in (min_value, max_value))
    return st.datetimes(low, high, timezones=st.just(timezone.utc))


@cache
def ids() -> st.SearchStrategy[str]:
    """Ids: short text without control characters."""
    return st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=8)


@cache
def crons() -> st.SearchStrategy[str]:
    """Cron expressions that can be read as windows."""
    fields = (_fields(0, 23, ()), _fields(1, 31, ()), _fields(1, 12, ("jan", "JUL")), _fields(0, 6, ("mon", "Sat")))
    return st.tuples(*fields).map(lambda parts: " ".join(("*", *parts)))


@cache
def schedules() -> st.SearchStrategy[Schedule]:
    """Schedules; one in several cannot be used."""
    common = st.sampled_from(("* 8-18 * * 1-5", "* 9 * * *", "* 0-11 * * *", "* 12-23 * * *", "* 2-3 * * 0"))
    unusable = st.sampled_from(("0 9 * * *", "* 25 * * *", "nonsense"))
    return st.builds(Schedule, cron=st.one_of(common, common, crons(), unusable), instances=_counts())


@st.composite
def schedule_sets(draw: st.DrawFn) -> tuple[Schedule, ...]:
    """The schedules of a preset: often none, else a day cut into bands, or any schedules, which may well overlap."""
    kind = draw(_sampled("none", "bands", "bands", "any"))
    if kind == "none":
        return ()
    if kind == "any":
        return tuple(draw(_lists(schedules(), 3)))
    cuts = [*sorted(draw(_sets_of_hours())), 24]
    days = draw(_sampled("*", "1-5", "mon,sat"))
    bands = (f"* {begin}-{end - 1} * * {days}" for begin, end in pairwise(cuts))
    return tuple(Schedule(cron=band, instances=draw(_counts())) for band in bands)


@cache
def templates() -> st.SearchStrategy[Template]:
    """Templates, some of them deleted or deprecated."""
    return st.builds(Template, id=_few("t"), name=_few("template "), deleted=_rarely(), deprecated=_rarely())


@cache
def template_versions() -> st.SearchStrategy[TemplateVersion]:
    """Template versions, most of them active."""
    return st.builds(
        TemplateVersion, id=_few("v"), template=templates(), is_active=_rarely().map(lambda rare: not rare)
    )


@st.composite
def presets(draw: st.DrawFn, *, now: datetime, id: str | None = None) -> Preset:  # noqa: A002
    """Presets as they could be at `now`, with this id or one of their own."""
    _check_now(now)
    invalidated_ago = draw(_optional_ages())
    return Preset(
        id=draw(ids()) if id is None else id,
        name=draw(_few("preset ")),
        template_version=draw(template_versions()),
        desired_instances=draw(_counts()),
        ttl=draw(_sampled(None, timedelta(), *_TTLS)),
        timezone=draw(_sampled(*ZONES, *ZONES, None, "Mars/Olympus")),
        schedules=draw(schedule_sets()),
        last_invalidated_at=None if invalidated_ago is None else now - invalidated_ago,
        prebuild_status=draw(_sampled(*PrebuildStatus)),
        parameters=draw(_parameters()),
    )


@st.composite
def prebuilds(draw: st.DrawFn, *, now: datetime, preset_id: str | None = None, id: str | None = None) -> Prebuild:  # noqa: A002
    """Prebuilds created up to `now`, many of them as old as a common ttl to the microsecond."""
    _check_now(now)
    return Prebuild(
        id=draw(ids()) if id is None else id,
        preset_id=draw(ids()) if preset_id is None else preset_id,
        template_version_id=draw(_few("v")),
        created_at=now - draw(_ages()),
        ready=draw(st.booleans()),
    )


@st.composite
def in_progress(draw: st.DrawFn, *, preset_id: str | None = None) -> InProgress:
    """Rows of builds in progress."""
    name = draw(ids()) if preset_id is None else preset_id
    return InProgress(preset_id=name, transition=draw(_sampled(*Transition)), count=draw(_counts()))


@st.composite
def pending(draw: st.DrawFn, *, preset_id: str | None = None) -> Pending:
    """Rows of pending jobs."""
    return Pending(preset_id=draw(ids()) if preset_id is None else preset_id, count=draw(_counts()))


@st.composite
def backoffs(draw: st.DrawFn, *, now: datetime, preset_id: str | None = None) -> Backoff:
    """Backoffs, many of which end at `now` under a policy of one minute, to the second."""
    _check_now(now)
    return Backoff(
        preset_id=draw(ids()) if preset_id is None else preset_id,
        num_failed=draw(_counts()),
        last_build_at=now - draw(_backoff_ages()),
    )


@st.composite
def builds(draw: st.DrawFn, *, now: datetime, preset_id: str | None = None, id: str | None = None) -> Build:  # noqa: A002
    """Builds up to `now`; those that have ended, most of them failed, ended between their creation and `now`."""
    _check_now(now)
    status, age = draw(_statuses()), draw(_ages())
    return Build(
        id=draw(ids()) if id is None else id,
        preset_id=draw(ids()) if preset_id is None else preset_id,
        transition=draw(_sampled(Transition.START, *Transition)),
        status=status,
        created_at=now - age,
        finished_at=now - draw(st.timedeltas(timedelta(), age)) if status.is_final else None,
    )


@cache
def policies() -> st.SearchStrategy[Policy]:
    """Policies of a second to five minutes for each failure."""
    intervals = st.sampled_from((1, 60, 300)).map(lambda seconds: seconds * _SECOND)
    return st.builds(Policy, backoff_interval=intervals, failure_hard_limit=_counts())


@st.composite
def global_snapshots(
    draw: st.DrawFn, *, now: datetime, max_presets: int = 3, max_prebuilds: int = 8, with_orphans: bool = True
) -> GlobalSnapshot:
    """Whole snapshots as they could be at `now`; some rows name no preset, unless `with_orphans` is False."""
    _check_now(now)
    names = [f"p{number}" for number in range(draw(st.integers(0, max_presets)))]
    named = draw(_rows_of(tuple(names) + ("unknown",) * with_orphans, max_prebuilds))
    return GlobalSnapshot(
        presets=[draw(presets(now=now, id=name)) for name in names],
        running=[draw(prebuilds(now=now, preset_id=name, id=f"w{n}")) for n, name in enumerate(named["running"])],
        in_progress=[draw(in_progress(preset_id=name)) for name in named["in_progress"]],
        pending=[draw(pending(preset_id=name)) for name in named["pending"]],
        backoffs=[draw(backoffs(now=now, preset_id=name)) for name in sorted(set(named["backoffs"]))],
        hard_limited=sorted(set(named["hard_limited"])),
    )


def _check_now(now: datetime) -> None:
    """The instant that strategies make values around. Raises `InvalidArgument` if it is naive or out of their range."""
    if now.utcoffset() is None or not _MIN <= now <= _MAX:
        raise InvalidArgument(f"{now=} must be aware and from {_MIN.date()} to {_MAX.date()}")


@cache
def _rows_of(names: tuple[str, ...], max_prebuilds: int) -> st.SearchStrategy[dict[str, list[str]]]:
    """For each collection of a snapshot, the preset that each of its rows names."""
    most = {"running": max_prebuilds, "in_progress": 2 * len(names), "pending": 2, "backoffs": 2, "hard_limited": 2}
    rows = {
        key: st.lists(st.sampled_from(names), max_size=size) if names else st.just([]) for key, size in most.items()
    }
    return st.fixed_dictionaries(rows)


def _fields(low: int, high: int, names: tuple[str, ...]) -> st.SearchStrategy[str]:
    """One cron field: most often `*`, else terms of every kind."""
    values = st.integers(low, high)
    ranges = st.tuples(values, values).map(lambda pair: f"{min(pair)}-{max(pair)}")
    plain = st.one_of(st.just("*"), values.map(str), ranges, *(st.just(name) for name in names))
    terms = st.one_of(plain, st.tuples(plain, st.integers(1, 5)).map(lambda pair: f"{pair[0]}/{pair[1]}"))
    return st.one_of(st.just("*"), st.just("?"), st.lists(terms, min_size=1, max_size=3).map(",".join))


@cache
def _ages() -> st.SearchStrategy[timedelta]:
    """Ages of up to two days, many of them a common ttl give or take two microseconds."""
    edges = st.tuples(st.sampled_from(_TTLS), st.integers(-2, 2)).map(lambda pair: pair[0] + pair[1] * _MICROSECOND)
    return st.one_of(edges, st.timedeltas(timedelta(), timedelta(days=2)))


@cache
def _optional_ages() -> st.SearchStrategy[timedelta | None]:
    return st.none() | _ages()


@cache
def _backoff_ages() -> st.SearchStrategy[timedelta]:
    edges = st.tuples(st.integers(0, 5), st.integers(-2, 2))
    return st.one_of(_ages(), edges.map(lambda pair: pair[0] * 60 * _SECOND + pair[1] * _MICROSECOND))


@cache
def _counts() -> st.SearchStrategy[int]:
    return st.integers(0, 5)


@cache
def _rarely() -> st.SearchStrategy[bool]:
    return st.sampled_from((False,) * 9 + (True,))


@cache
def _few(prefix: str) -> st.SearchStrategy[str]:
    return st.sampled_from([f"{prefix}{number}" for number in range(3)])


@cache
def _statuses() -> st.SearchStrategy[BuildStatus]:
    return st.sampled_from([BuildStatus.FAILED, *list(BuildStatus)])


@cache
def _parameters() -> st.SearchStrategy[dict[str, str]]:
    return st.dictionaries(_few("parameter "), ids(), max_size=2)


@cache
def _sets_of_hours() -> st.SearchStrategy[set[int]]:
    return st.sets(st.integers(1, 23), min_size=1, max_size=3)


@cache
def _lists(rows: st.SearchStrategy[_T], most: int) -> st.SearchStrategy[list[_T]]:
    return st.lists(rows, max_size=most)


@cache
def _sampled(*values: _T) -> st.SearchStrategy[_T]:
    return st.sampled_from(values)
