"""Hypothesis strategies for what a decision knows of the past: builds, failures, effects; and for policies.

- Waits, limits and probes often end at `now`, to the microsecond.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache

from hypothesis import strategies as st

from prebuilds.decision.limits import Backoff, HardLimit
from prebuilds.decision.models import Build, BuildStatus, Transition
from prebuilds.decision.policies.budgets import Budget, BudgetScope, Foreground, RecentStarts
from prebuilds.decision.policies.expectations import Expectation, Expectations
from prebuilds.decision.policies.failures import BackoffKind, FailureClass
from prebuilds.decision.policies.policy import Policy, Victims
from prebuilds.decision.snapshots import GlobalSnapshot
from prebuilds.testing.strategies.values import (
    MICROSECOND,
    NOTHING,
    SECOND,
    ages,
    backoff_ages,
    check_now,
    counts,
    failures,
    few,
    ids,
    often,
    reasons,
    sampled,
    statuses,
)


@st.composite
def backoffs(draw: st.DrawFn, *, now: datetime, preset_id: str | None = None) -> Backoff:
    """Backoffs, many of which end at `now` under a policy of one minute, to the second."""
    check_now(now)
    num_failed = draw(sampled(0, 1, 1, 1, 2, 3, 5))
    return Backoff(
        preset_id=draw(ids()) if preset_id is None else preset_id,
        num_failed=num_failed,
        last_build_at=now - draw(st.one_of(_ages_after(num_failed), _ages_after(num_failed), backoff_ages())),
        failed_attempts=draw(sampled(0, 1, 1, 2, 3)),
        failure=draw(sampled(FailureClass.TRANSIENT, FailureClass.CAPACITY, FailureClass.CAPACITY)),
        message=draw(reasons()),
    )


@cache
def _ages_after(num_failed: int) -> st.SearchStrategy[timedelta]:
    """Ages at which a backoff of one minute for each failure ends, give or take a microsecond."""
    return st.sampled_from((0, 0, 0, 1, -1)).map(
        lambda offset: max(num_failed * 60 * SECOND + offset * MICROSECOND, NOTHING)
    )


@st.composite
def hard_limits(draw: st.DrawFn, *, now: datetime, preset_id: str | None = None) -> HardLimit:
    """Hard limits of presets whose last try ended up to two days ago, many of them just when a probe is due."""
    check_now(now)
    last_tried_at = now - draw(st.one_of(st.timedeltas(NOTHING, 60 * SECOND), backoff_ages()))
    return HardLimit(
        preset_id=draw(ids()) if preset_id is None else preset_id,
        since=last_tried_at - draw(ages()),
        num_failed=draw(counts()) + 1,
        last_tried_at=last_tried_at,
        failure=draw(failures()),
        message=draw(reasons()),
    )


@st.composite
def expectations(draw: st.DrawFn, *, now: datetime, snapshot: GlobalSnapshot) -> Expectations:
    """Effects for the presets of a snapshot: creates, some of them seen, and deletes; some are past their deadline."""
    check_now(now)
    creates = [(name, Transition.START) for name in ("s0", "s1", "new0", "new1", "new2")]
    deletes = [(prebuild.id, Transition.DELETE) for prebuild in snapshot.running]
    chosen = draw(st.lists(sampled(*creates, *deletes), unique=True, max_size=5)) if snapshot.presets else []
    return Expectations(
        effects=[
            Expectation(
                prebuild_id=name,
                preset_id=draw(sampled(*[preset.id for preset in snapshot.presets])),
                transition=transition,
                deadline=now + draw(st.sampled_from((-SECOND, timedelta(), SECOND, 60 * SECOND))),
            )
            for name, transition in chosen
        ]
    )


@st.composite
def builds(draw: st.DrawFn, *, now: datetime, preset_id: str | None = None, id: str | None = None) -> Build:  # noqa: A002
    """Builds up to `now`. Those that have ended did so between their creation and `now`; most of them failed."""
    check_now(now)
    status, age = draw(statuses()), draw(ages())
    is_failed = status is BuildStatus.FAILED
    return Build(
        id=draw(ids()) if id is None else id,
        preset_id=draw(ids()) if preset_id is None else preset_id,
        template_version_id=draw(few("v")),
        transition=draw(sampled(Transition.START, *Transition)),
        status=status,
        created_at=now - age,
        finished_at=now - draw(st.timedeltas(timedelta(), age)) if status.is_final else None,
        failure=draw(failures()) if is_failed else FailureClass.TRANSIENT,
        message=draw(reasons()) if is_failed else "",
    )


@cache
def policies() -> st.SearchStrategy[Policy]:
    """Policies with a backoff of one second to five minutes for each failure; half of them probe."""
    intervals = st.sampled_from((60, 60, 60, 1, 300)).map(lambda seconds: seconds * SECOND)
    return st.builds(
        Policy,
        backoff_interval=intervals,
        backoff=sampled(BackoffKind.LINEAR, *BackoffKind),
        backoff_cap=sampled(None, None, None, 60 * SECOND, 300 * SECOND),
        backoff_jitter=sampled(0.0, 0.0, 0.0, 0.5),
        failure_hard_limit=counts(),
        max_creates=sampled(1_000, 1_000, 1_000, 1, 2),
        probe_interval=sampled(None, 60 * SECOND, 300 * SECOND, 300 * SECOND),
        slow_start=often(),
        cancel_surplus=often(),
        victims=sampled(*Victims),
    )


@st.composite
def budgets(draw: st.DrawFn) -> Budget:
    """Small budgets of the fleet, or of an organisation or a template as in `templates()`."""
    scope = draw(sampled(BudgetScope.FLEET, *BudgetScope))
    key = {BudgetScope.FLEET: "", BudgetScope.ORGANIZATION: draw(few("o")), BudgetScope.TEMPLATE: draw(few("t"))}[scope]
    a_minute = "max_creates_per_minute"
    names = (a_minute, "max_starting", "max_creates_per_pass", a_minute, "max_instances")
    limits = draw(st.dictionaries(sampled(*names), st.integers(1, 5), min_size=1, max_size=2))
    return Budget(scope=scope, key=key, **limits)


@st.composite
def foreground(draw: st.DrawFn) -> Foreground:
    """What users build themselves with a template."""
    return Foreground(
        organization_id=draw(few("o")), template_id=draw(few("t")), starting=draw(counts()), instances=draw(counts())
    )


@st.composite
def recent_starts(draw: st.DrawFn, *, now: datetime, preset_id: str | None = None) -> RecentStarts:
    """Starts begun up to `now`, many of them a minute ago, give or take two microseconds."""
    check_now(now)
    begun_at = now - draw(st.one_of(st.timedeltas(NOTHING, 60 * SECOND), backoff_ages()))
    return RecentStarts(
        preset_id=draw(ids()) if preset_id is None else preset_id, begun_at=begun_at, count=draw(counts())
    )
