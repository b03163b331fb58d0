"""Hypothesis strategies for the models of a decision.

- All values are valid, as from a real control plane. Schedules may be unusable, as users' are.
- They shrink to nothing at all: a snapshot without a row.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache

from hypothesis import strategies as st

from prebuilds.decision.models import (
    InProgress,
    Pending,
    Prebuild,
    PrebuildStatus,
    Preset,
    Template,
    TemplateVersion,
    Transition,
)
from prebuilds.decision.schedules.schedule import Precedence
from prebuilds.decision.snapshots import GlobalSnapshot
from prebuilds.testing.strategies.demand import autoscales, demands
from prebuilds.testing.strategies.edges import ages_of_builds, ages_of_prebuilds, ages_of_starts
from prebuilds.testing.strategies.policies import backoffs, foreground, hard_limits, recent_starts
from prebuilds.testing.strategies.schedules import schedule_sets
from prebuilds.testing.strategies.situations import situations
from prebuilds.testing.strategies.values import (
    SECOND,
    TTLS,
    ZONES,
    ages,
    check_now,
    counts,
    few,
    ids,
    often,
    parameters,
    rarely,
    sampled,
    seldom,
)


@cache
def templates() -> st.SearchStrategy[Template]:
    """Templates, some of them deleted or deprecated."""
    return st.builds(
        Template,
        id=few("t"),
        name=few("template "),
        organization_id=few("o"),
        organization_name=few("organization "),
        deleted=seldom(),
        deprecated=seldom(),
    )


@cache
def template_versions() -> st.SearchStrategy[TemplateVersion]:
    """Template versions, most of them active; some of the others are candidates."""
    stages = sampled(*[(True, False)] * 8, (False, False), (False, True))
    return st.builds(_make_version, few("v"), few("version "), templates(), stages)


def _make_version(version_id: str, name: str, template: Template, stage: tuple[bool, bool]) -> TemplateVersion:
    is_active, is_candidate = stage
    return TemplateVersion(id=version_id, name=name, template=template, is_active=is_active, is_candidate=is_candidate)


@cache
def _optional_ages_of_invalidations() -> st.SearchStrategy[timedelta | None]:
    """Most often none; a negative age is one to come."""
    return st.one_of(sampled(None, None, -20 * SECOND), sampled(None, None, -60 * SECOND), ages())


@st.composite
def presets(draw: st.DrawFn, *, now: datetime, id: str | None = None) -> Preset:  # noqa: A002
    """Presets as they could be at `now`, with this id or one of their own; some are to be invalidated later."""
    check_now(now)
    invalidated_ago = draw(_optional_ages_of_invalidations())
    return Preset(
        id=draw(ids()) if id is None else id,
        name=draw(few("preset ")),
        template_version=draw(template_versions()),
        desired_instances=draw(sampled(0, 1, 2, 1, 2, 3, 4, 5)),
        ttl=draw(sampled(None, timedelta(), *TTLS, *TTLS)),
        timezone=draw(sampled(*ZONES, *ZONES, None, "Mars/Olympus")),
        schedules=draw(schedule_sets(around=now.date())),
        precedence=draw(sampled(Precedence.FALL_BACK, *Precedence)),
        last_invalidated_at=None if invalidated_ago is None else now - invalidated_ago,
        prebuild_status=draw(sampled(*PrebuildStatus)),
        parameters=draw(parameters()),
        ready_deadline=draw(sampled(None, 10 * SECOND, *TTLS)),
        build_deadline=draw(sampled(None, 10 * SECOND, *TTLS)),
        ttl_jitter=draw(sampled(0.0, 0.0, 0.2, 1)),
        refresh_ahead=draw(sampled(None, 30 * SECOND, 45 * SECOND, 60 * SECOND)),
        max_surge=draw(sampled(None, None, 0, 1, 2)),
        autoscale=draw(autoscales()) if draw(rarely()) else None,
    )


@st.composite
def prebuilds(
    draw: st.DrawFn,
    *,
    now: datetime,
    preset_id: str | None = None,
    id: str | None = None,  # noqa: A002
    preset: Preset | None = None,
) -> Prebuild:
    """Prebuilds created up to `now`, many of them as old as a common ttl to the microsecond.

    With a `preset`, many are at an edge of its lifetimes, most are made as it is now, and some with another version or
    other parameters.
    """
    check_now(now)
    is_outdated = preset is None or draw(seldom())
    made_for = Preset(id=draw(ids()), desired_instances=0) if preset is None else preset
    name = draw(ids()) if id is None else id
    started_at = now - draw(ages_of_starts(made_for)) if draw(st.booleans()) else None
    created_at = min(now - draw(ages_of_prebuilds(made_for, name, now)), started_at or now)
    return Prebuild(
        id=name,
        name=draw(few("prebuild ")),
        preset_id=made_for.id if preset_id is None else preset_id,
        template_id=draw(few("t")),
        template_version_id=draw(few("v")) if is_outdated else made_for.template_version.id,
        parameters=draw(st.none() | parameters()) if is_outdated else draw(sampled(None, made_for.parameters)),
        created_at=created_at,
        ready=draw(st.booleans()),
        retired=draw(seldom()),
        started_at=started_at,
    )


@st.composite
def in_progress(
    draw: st.DrawFn, *, preset_id: str | None = None, now: datetime | None = None, preset: Preset | None = None
) -> InProgress:
    """Rows of builds in progress, some of which name their prebuilds.

    If `now` is given, some tell when they began; otherwise some starts are overdue. With a `preset`, many began as long
    ago as its deadline.
    """
    transition, count = draw(sampled(Transition.START, *Transition)), draw(counts())
    is_start, is_dated = transition is Transition.START, now is not None and draw(often())
    return InProgress(
        preset_id=draw(ids()) if preset_id is None else preset_id,
        transition=transition,
        count=count,
        ids=[f"s{number}" for number in range(count)] if draw(rarely()) else (),
        overdue=draw(st.integers(0, count)) if is_start and not is_dated else 0,
        began_at=now - draw(ages() if preset is None else ages_of_builds(preset)) if now and is_dated else None,
    )


@st.composite
def pending(draw: st.DrawFn, *, preset_id: str | None = None) -> Pending:
    """Rows of pending jobs."""
    return Pending(preset_id=draw(ids()) if preset_id is None else preset_id, count=draw(counts()))


@st.composite
def global_snapshots(
    draw: st.DrawFn, *, now: datetime, max_presets: int = 3, max_prebuilds: int = 8, with_orphans: bool = True
) -> GlobalSnapshot:
    """Whole snapshots as they could be at `now`; some rows name no preset, unless `with_orphans` is False."""
    check_now(now)
    names = [f"p{number}" for number in range(draw(_numbers_of_presets(max_presets)))]
    named = draw(_rows_of((*names * 8, *("unknown",) * with_orphans), max_prebuilds))
    by_name = {name: draw(presets(now=now, id=name)) for name in names}
    for name in names:
        situation = draw(situations())
        by_name[name], named = situation.settle(by_name[name]), situation.add_rows(name, named)
    followed = [name for name in names if by_name[name].autoscale and draw(often())]
    running = [(f"w{number}", name, by_name.get(name)) for number, name in enumerate(named["running"])]
    return GlobalSnapshot(
        presets=list(by_name.values()),
        running=[draw(prebuilds(now=now, preset_id=name, id=id_, preset=preset)) for id_, name, preset in running],
        in_progress=[
            draw(in_progress(preset_id=name, now=now, preset=by_name.get(name))) for name in named["in_progress"]
        ],
        pending=[draw(pending(preset_id=name)) for name in named["pending"]],
        backoffs=[draw(backoffs(now=now, preset_id=name)) for name in sorted(set(named["backoffs"]))],
        hard_limited=sorted(set(named["hard_limited"])),
        limits=[draw(hard_limits(now=now, preset_id=name)) for name in sorted(set(named["limits"]))],
        foreground=draw(st.lists(foreground(), max_size=2)),
        recent_starts=[draw(recent_starts(now=now, preset_id=name)) for name in named["recent_starts"]],
        demand=[draw(demands(now=now, preset_id=name)) for name in sorted({*followed, *named["demand"]})],
    )


@cache
def _numbers_of_presets(most: int) -> st.SearchStrategy[int]:
    return st.sampled_from((0, *range(1, most + 1), *range(1, most + 1)))


@cache
def _rows_of(names: tuple[str, ...], max_prebuilds: int) -> st.SearchStrategy[dict[str, list[str]]]:
    """For each collection of a snapshot, the preset that each of its rows names."""
    most = {
        "running": max_prebuilds,
        "in_progress": 4,
        "pending": 2,
        "backoffs": 3,
        "hard_limited": 1,
        "limits": 1,
        "recent_starts": 2,
        "demand": 1,
    }
    rows = {
        key: st.lists(st.sampled_from(names), max_size=size) if names else st.just([]) for key, size in most.items()
    }
    return st.fixed_dictionaries(rows)
