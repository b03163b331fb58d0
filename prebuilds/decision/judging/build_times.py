"""Times of a preset that a build does not fit into (R2, R14, R16).

- A ttl counts from a prebuild's creation, so the build takes its part of it.
- With a jitter, own ttls are spread evenly. The middle one is judged: half of the prebuilds have no longer one.
- `ready_deadline` is not judged: it counts from the end of a start, and how long a build takes says nothing about that.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from prebuilds.decision.fields import MAX_DURATION
from prebuilds.decision.judging.findings import Finding, FindingKind, find_in
from prebuilds.decision.judging.targets import find_longest_stretch, list_counts
from prebuilds.decision.models import Preset
from prebuilds.decision.wording import describe_duration


def check_build_times(preset: Preset, lead_time: timedelta) -> Iterator[Finding]:
    """What is too short, or too long, for builds that take this long."""
    yield from _check_build_deadline(preset, lead_time)
    middle = calculate_middle_ttl(preset)
    if middle is not None and middle <= lead_time:
        yield _describe_ttl(preset, middle, lead_time)
    elif middle is not None and preset.refresh_ahead is not None:
        yield from _check_refresh(preset, preset.refresh_ahead, lead_time)


def calculate_middle_ttl(preset: Preset) -> timedelta | None:
    """The ttl that half of the prebuilds reach at most, as the jitter shortens it; None means for ever."""
    return preset.ttl * (1 - preset.ttl_jitter / 2) if preset.ttl else None


def _check_build_deadline(preset: Preset, lead_time: timedelta) -> Iterator[Finding]:
    deadline = preset.build_deadline
    if deadline is not None and deadline <= lead_time:
        message = (
            f"{describe_duration(deadline)} is not longer than a build takes, {describe_duration(lead_time)}: every "
            "start is given up and counts as failed; make it longer, or leave it out"
        )
        yield find_in(preset, "build_deadline", FindingKind.BUILD_DEADLINE_TOO_SHORT, (deadline, lead_time), message)


def _describe_ttl(preset: Preset, middle: timedelta, lead_time: timedelta) -> Finding:
    given = describe_duration(middle)
    what = f"{given}, the ttl that jitter leaves half of the prebuilds at most," if preset.ttl_jitter else given
    message = (
        f"{what} is not longer than a build takes, {describe_duration(lead_time)}: a prebuild ages while it is built, "
        "so it expires before anybody can claim it, and is replaced for ever; make the ttl longer, or leave it out"
    )
    return find_in(preset, "ttl", FindingKind.TTL_TOO_SHORT, (middle, lead_time), message)


def _check_refresh(preset: Preset, ahead: timedelta, lead_time: timedelta) -> Iterator[Finding]:
    given, lead = describe_duration(ahead), describe_duration(lead_time)
    if preset.max_surge == 0 and lives_to_expire(preset):
        message = f"0 leaves no room for a replacement, so refresh_ahead, {given}, does nothing; allow 1 or more"
        yield find_in(preset, "max_surge", FindingKind.REFRESH_HAS_NO_ROOM, (0, 1), message)
    elif ahead < lead_time and lives_to_expire(preset):
        message = (
            f"{given} is shorter than a build takes, {lead}: prebuilds expire before their replacements are ready; "
            f"make it {lead} or longer"
        )
        yield find_in(preset, "refresh_ahead", FindingKind.REFRESH_AHEAD_TOO_SHORT, (ahead, lead_time), message)
    elif ahead >= lead_time and preset.max_surge != 0:
        yield from _check_refresh_end(preset, ahead, lead_time)


def lives_to_expire(preset: Preset) -> bool:
    """Whether unclaimed prebuilds reach their ttl, and are not deleted before as the target falls."""
    return bool(preset.ttl) and find_longest_stretch(preset) > (preset.ttl or timedelta())


def _check_refresh_end(preset: Preset, ahead: timedelta, lead_time: timedelta) -> Iterator[Finding]:
    """A `max_surge` below the target keeps even a refresh that is far too early from replacing much."""
    ttl, surge = preset.ttl or MAX_DURATION, preset.max_surge
    is_bounded = surge is not None and surge < max(list_counts(preset))
    if lead_time and ttl - ahead <= lead_time and not is_bounded:
        message = (
            f"{describe_duration(ahead)} and the time a build takes, {describe_duration(lead_time)}, together are not "
            f"shorter than the ttl, {describe_duration(ttl)}: each prebuild is replaced as soon as it is ready, for "
            "ever; make it shorter, or the ttl longer"
        )
        needed = max(ttl - lead_time, timedelta())
        yield find_in(preset, "refresh_ahead", FindingKind.REFRESH_AHEAD_TOO_LONG, (ahead, needed), message)
