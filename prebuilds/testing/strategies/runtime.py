"""Hypothesis strategies for what the runtime reads and writes: workspaces, their builds, claims, messages, leases.

- All values are valid at `now`: a build ended between its creation and `now`.
- A workspace agrees with its last build: a build deleted what is deleted, and only a workspace that has run is ready.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache

from hypothesis import strategies as st

from prebuilds.decision.models import BuildStatus, Transition
from prebuilds.runtime.models import (
    PREBUILDS_USER_ID,
    BuildRequest,
    ClaimOrder,
    ClaimRequest,
    Counter,
    CounterValue,
    Lease,
    Message,
    OutboxEntry,
    Workspace,
    WorkspaceBuild,
)
from prebuilds.testing.strategies.values import ages, check_now, few, ids, optional_ages, parameters, sampled, statuses


@st.composite
def build_requests(
    draw: st.DrawFn, *, workspace_id: str | None = None, transition: Transition | None = None
) -> BuildRequest:
    """Requests. Starts name their preset, version and parameters; stops and deletes do not."""
    kind = draw(_transitions()) if transition is None else transition
    is_start = kind is Transition.START
    return BuildRequest(
        build_id=draw(ids()),
        workspace_id=draw(ids()) if workspace_id is None else workspace_id,
        transition=kind,
        preset_id=draw(ids()) if is_start else None,
        template_version_id=draw(few("v")) if is_start else None,
        parameters=draw(parameters()) if is_start else (),
    )


@st.composite
def workspace_builds(draw: st.DrawFn, *, now: datetime) -> WorkspaceBuild:
    """Builds of workspaces, up to `now`. The first is a start. A build that has begun was submitted."""
    check_now(now)
    status, age = draw(statuses()), draw(ages())
    number = draw(st.integers(1, 4))
    return WorkspaceBuild(
        id=draw(ids()),
        number=number,
        transition=Transition.START if number == 1 else draw(_transitions()),
        status=status,
        template_version_id=draw(few("v")),
        created_at=now - age,
        finished_at=now - draw(st.timedeltas(timedelta(), age)) if status.is_final else None,
        submitted=draw(st.booleans()) if status is BuildStatus.PENDING else status is not BuildStatus.CANCELED,
    )


@st.composite
def workspaces(
    draw: st.DrawFn,
    *,
    now: datetime,
    preset_id: str | None = None,
    id: str | None = None,  # noqa: A002
) -> Workspace:
    """Workspaces as they could be at `now`: prebuilds at every stage, some of them claimed or deleted."""
    check_now(now)
    build = draw(workspace_builds(now=now))
    is_start, is_done = build.transition is Transition.START, build.status is BuildStatus.SUCCEEDED
    has_run = build.number > 1 or (is_start and is_done)
    is_claimed = has_run and draw(st.booleans())
    is_delete, is_canceled = build.transition is Transition.DELETE, build.status is BuildStatus.CANCELED
    return Workspace(
        id=draw(ids()) if id is None else id,
        name=draw(few("workspace ")),
        owner_id="user" if is_claimed else PREBUILDS_USER_ID,
        preset_id=draw(ids()) if preset_id is None else preset_id,
        template_id=draw(few("t")),
        created_at=build.created_at - (timedelta() if build.number == 1 else draw(ages())),
        ready=has_run and draw(st.booleans()),
        deleted=(is_delete and is_done) or (build.number == 1 and is_canceled),
        last_build=build,
        failed_deletes=draw(st.integers(1, 3)) if is_delete and build.status is BuildStatus.FAILED else 0,
    )


@st.composite
def claim_requests(draw: st.DrawFn, *, now: datetime, preset_id: str | None = None) -> ClaimRequest:
    """Claim requests at `now`, with and without a request id and a limit of age."""
    check_now(now)
    age = draw(optional_ages())
    return ClaimRequest(
        preset_id=draw(ids()) if preset_id is None else preset_id,
        created_since=None if age is None else now - age,
        order=draw(sampled(*ClaimOrder)),
        owner_id=draw(_owners()),
        name=draw(ids()),
        request_id=draw(_optional_ids()),
        claimed_at=now,
    )


@cache
def messages() -> st.SearchStrategy[Message]:
    """Messages, some with an empty body, some with line breaks and quotes. None has NUL, which PostgreSQL refuses."""
    characters = st.characters(codec="utf-8", exclude_characters="\0")
    return st.builds(Message, topic=ids(), body=st.text(characters, max_size=20) | sampled("", "'; --", "a\nb"))


@cache
def outbox_entries() -> st.SearchStrategy[OutboxEntry]:
    """Entries of an outbox."""
    return st.builds(OutboxEntry, id=st.integers(0, 2**40), message=messages())


@st.composite
def leases(draw: st.DrawFn, *, now: datetime) -> Lease:
    """Leases that expire around `now`, shortly before or after."""
    check_now(now)
    left = draw(st.timedeltas(timedelta(minutes=-2), timedelta(minutes=2)) | st.just(timedelta()))
    return Lease(name=draw(ids()), holder=draw(ids()), token=draw(st.integers(1, 2**40)), expires_at=now + left)


@st.composite
def counter_values(draw: st.DrawFn, *, preset_id: str | None = None) -> CounterValue:
    """Values of a preset's counters."""
    name = draw(ids()) if preset_id is None else preset_id
    return CounterValue(preset_id=name, counter=draw(sampled(*Counter)), value=draw(st.integers(0, 2**40)))


@cache
def _transitions() -> st.SearchStrategy[Transition]:
    return st.sampled_from([Transition.START, Transition.DELETE, *Transition])


@cache
def _owners() -> st.SearchStrategy[str]:
    return ids().filter(lambda owner: owner != PREBUILDS_USER_ID)


@cache
def _optional_ids() -> st.SearchStrategy[str | None]:
    return st.none() | ids()
