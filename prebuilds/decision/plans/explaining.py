"""A decision in plain words: what to do, and the numbers behind it.

The words come from the decision's own snapshot, and from nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from prebuilds.decision.actions import ActionType, ReconciliationActions
from prebuilds.decision.lifetimes.deadlines import count_overdue
from prebuilds.decision.limits import HardLimit
from prebuilds.decision.models import Prebuild, Preset
from prebuilds.decision.next_change import Change, ChangeCause
from prebuilds.decision.plans.withholding import WithheldReason
from prebuilds.decision.policies.policy import Policy, Victims
from prebuilds.decision.policies.waiting import (
    calculate_backoff_until,
    calculate_probe_at,
    calculate_wait,
    lacks_capacity,
)
from prebuilds.decision.presets import PresetSnapshot, calculate_expiry_cutoff, is_outdated
from prebuilds.decision.schedules.openings import Opening
from prebuilds.decision.schedules.zones import load_zone
from prebuilds.decision.snapshots import Orphans
from prebuilds.decision.state import count_starting
from prebuilds.decision.targets import TargetSource, find_next_target_change, get_demand
from prebuilds.decision.wording import describe_count, describe_duration, describe_instant

_LISTED = 5
_DIFFERENCES = 3
_MINUTE = timedelta(minutes=1)
_UNKNOWN = "no claims have been learned for its autoscale"


def explain_action(snapshot: PresetSnapshot, policy: Policy, action: ReconciliationActions) -> str:
    """What one action does and why, in one sentence."""
    if action.type is ActionType.CREATE:
        return f"create {action.create}: {_describe_balance(snapshot)}"
    if action.type is ActionType.DELETE:
        return _explain_delete(snapshot, policy, action.delete_ids)
    if action.type is ActionType.BACKOFF:
        return _explain_backoff(snapshot, policy, action.backoff_until)
    if action.cancel:
        return f"cancel {describe_count(action.cancel, 'pending job')}: no longer wanted, {_describe_balance(snapshot)}"
    return f"cancel {describe_count(snapshot.pending, 'pending job')}: {_describe_inactivity(snapshot.preset)}"


def explain_idleness(snapshot: PresetSnapshot) -> str:
    """Why there is nothing to do."""
    return f"nothing to do: {_describe_balance(snapshot)}"


def describe_action(action: ReconciliationActions) -> str:
    """An action in a few words, for a table."""
    if action.type is ActionType.CREATE:
        return f"create {action.create}"
    if action.type is ActionType.DELETE:
        return f"delete {len(action.delete_ids)}"
    if action.backoff_until is not None:
        return f"back off until {describe_instant(action.backoff_until)}"
    return f"cancel {action.cancel} pending" if action.cancel else "cancel pending"


def describe_change(change: Change) -> str:
    """When a decision could differ next, and why."""
    what = {
        ChangeCause.EXPIRY: "the prebuild {} expires",
        ChangeCause.INVALIDATION: "the prebuilds of the preset {} are invalidated",
        ChangeCause.BACKOFF_END: "the backoff of the preset {} ends",
        ChangeCause.WINDOW_EDGE: "a window of the preset {} opens or closes",
        ChangeCause.PROBE: "the hard-limited preset {} tries one create",
        ChangeCause.READY_DEADLINE: "the prebuild {} is stuck unless it is ready",
        ChangeCause.AGING: "the prebuild {} is to be replaced, as it will expire",
        ChangeCause.BUILD_DEADLINE: "a start of the preset {} is overdue unless it has ended",
        ChangeCause.DEMAND: "the target of the preset {} is looked at again",
        ChangeCause.BUDGET_REFILL: "a budget of the preset {} refills",
    }[change.cause]
    return f"{describe_instant(change.at)}: {what.format(change.subject)}"


def describe_orphans(orphans: Orphans) -> str:
    """Rows that belong to no decision."""
    rows = describe_count(orphans.count, "row")
    return f"{rows} of {orphans.collection} left alone: there is no preset {orphans.preset_id}"


def _explain_delete(snapshot: PresetSnapshot, policy: Policy, ids: Sequence[str]) -> str:
    what = f"delete {len(ids)} ({_list(ids)})"
    if not snapshot.preset.is_wanted:
        return f"{what}: {_describe_inactivity(snapshot.preset)}"
    expired = {prebuild.id: prebuild for prebuild in snapshot.expired}
    if ids[0] in expired:
        return f"{what}: expired, {_describe_expiry(snapshot, [expired[name] for name in ids if name in expired])}"
    if ids[0] in {prebuild.id for prebuild in snapshot.stuck}:
        return f"{what}: stuck, {_describe_lateness(snapshot)}"
    return f"{what}: {_describe_victims(snapshot, policy, ids)}, {_describe_balance(snapshot)}"


def _describe_victims(snapshot: PresetSnapshot, policy: Policy, ids: Sequence[str]) -> str:
    aging = {prebuild.id for prebuild in snapshot.aging}
    if aging.issuperset(ids):
        return "replaced before they expire" if len(ids) > 1 else "replaced before it expires"
    return "the oldest beyond the target" if policy.victims is Victims.OLDEST_FIRST else "the worst beyond the target"


def _explain_backoff(snapshot: PresetSnapshot, policy: Policy, until: datetime | None) -> str:
    what = f"back off until {describe_instant(until)}" if until else "back off"
    if snapshot.backoff is None:
        return what
    failures = describe_count(snapshot.backoff.num_failed, "failed build")
    last, message = describe_instant(snapshot.backoff.last_build_at), snapshot.backoff.message
    why = f"{failures}, the last at {last}{f' ({message})' if message else ''}"
    if policy.is_plain_backoff:
        return f"{what}: {why}, and a wait of {describe_duration(policy.backoff_interval)} for each"
    return f"{what}: {why}, and a wait of {describe_duration(calculate_wait(snapshot.backoff, policy))}"


def explain_withholding(snapshot: PresetSnapshot, policy: Policy, reason: WithheldReason) -> str:
    """What is known of why an action is withheld, as the end of a sentence; empty if that is nothing."""
    if reason is WithheldReason.HARD_LIMITED and snapshot.limit:
        probe_at = calculate_probe_at(snapshot, policy)
        probe = f"; the next probe {describe_instant(probe_at)}" if probe_at and probe_at > snapshot.now else ""
        return f"; {describe_limit(snapshot.limit, snapshot.now)}{probe}"
    if reason is WithheldReason.MAX_SURGE:
        return f"; with what is being deleted, at most {snapshot.preset.max_surge} above the target may be there"
    until = calculate_backoff_until(snapshot, policy) if lacks_capacity(snapshot) else None
    if reason is WithheldReason.CAPACITY and until and snapshot.backoff:
        message = f" ({snapshot.backoff.message})" if snapshot.backoff.message else ""
        return f"; no capacity{message}, held until {describe_instant(until)}"
    return ""


def describe_limit(limit: HardLimit, now: datetime) -> str:
    """Since when a preset is hard-limited, and why: the hour in UTC, with the date unless it is today."""
    day = "" if limit.since.date() == now.date() else f"{limit.since.date()} "
    last = f", last: {limit.message}" if limit.message else ""
    return f"limited since {day}{limit.since:%H:%M}: {describe_count(limit.num_failed, 'build')} failed{last}"


def _describe_lateness(snapshot: PresetSnapshot) -> str:
    deadline = snapshot.preset.ready_deadline
    since = f" {describe_duration(deadline)} after the start ended" if deadline else ""
    return f"not ready{since}, which counts as {describe_count(len(snapshot.stuck), 'failed build')}"


def _describe_balance(snapshot: PresetSnapshot) -> str:
    """What is wanted and what is there: the numbers behind creates and deletes."""
    starting = count_starting(snapshot)
    overdue = count_overdue(snapshot.preset, snapshot.in_progress, snapshot.now)
    parts = [_describe_target(snapshot), f"{len(snapshot.running)} running"]
    aging = len(snapshot.aging)
    parts += [f"{aging} of them aging"] if aging else []
    parts += [f"{len(snapshot.expired)} expired"] if snapshot.expired else []
    parts += [f"{len(snapshot.stuck)} stuck"] if snapshot.stuck else []
    parts += [f"{starting} starting"] if starting else []
    parts += [f"{overdue} overdue"] if overdue else []
    return ", ".join(parts)


def _describe_target(snapshot: PresetSnapshot) -> str:
    """What is wanted, and what demand says if the preset has an autoscale (R21)."""
    scale, known = snapshot.preset.autoscale, get_demand(snapshot.preset, snapshot.demand)
    if scale is None or snapshot.target.source is TargetSource.INACTIVE:
        return _describe_given_target(snapshot)
    if snapshot.target.source is TargetSource.DEMAND:
        why = known.look(snapshot.now).describe() if known else f"min_instances, as {_UNKNOWN}"
        return f"{_count_wanted(snapshot)} ({why})"
    given = _describe_given_target(snapshot)
    if known is None:
        return f"{given}, as {_UNKNOWN}"
    look = known.look(snapshot.now)
    return f"{given}, demand {'' if scale.acts else 'does not act, and '}wants {look.wanted} ({look.describe()})"


def _count_wanted(snapshot: PresetSnapshot) -> str:
    by_whom = " by a candidate" if snapshot.preset.template_version.is_candidate else ""
    return f"{snapshot.target.desired} wanted{by_whom}"


def _describe_given_target(snapshot: PresetSnapshot) -> str:
    target, wanted = snapshot.target, _count_wanted(snapshot)
    if target.source is TargetSource.INACTIVE:
        return f"{wanted} ({_describe_inactivity(snapshot.preset)})"
    if target.source is TargetSource.FALLBACK:
        return f"{wanted} (the preset's own count, as its schedules cannot be used: {target.error})"
    if not snapshot.preset.schedules:
        return wanted
    zone, edge = snapshot.preset.timezone or "", find_next_target_change(snapshot.preset, snapshot.now)
    if target.opening is None:
        until = f" until {_describe_local(edge, snapshot.now, zone)}" if edge else ""
        return f"{wanted} (no window open{until}, {zone})"
    until = f"until {_describe_local(edge - _MINUTE, snapshot.now, zone)}" if edge else "always"
    return f"{wanted} (window {_describe_opening(target.opening, snapshot.now, zone)}, {zone}, {until})"


def _describe_opening(opening: Opening, now: datetime, zone: str) -> str:
    is_ahead = not opening.contains(now.astimezone(load_zone(zone)))
    return f"{opening.name}, {describe_duration(opening.lead)} ahead" if is_ahead else opening.name


def _describe_local(instant: datetime, now: datetime, zone: str) -> str:
    """The minute on the wall clock of a zone, with the date unless it is today there."""
    local, today = instant.astimezone(load_zone(zone)), now.astimezone(load_zone(zone))
    return f"{local:%H:%M}" if local.date() == today.date() else f"{local.date()} {local:%H:%M}"


def _describe_inactivity(preset: Preset) -> str:
    version = preset.template_version
    reasons = ["its template is deleted"] * version.template.deleted
    reasons += ["its template is deprecated"] * version.template.deprecated
    reasons += ["its template version is not the active one"] * (not (version.is_active or version.is_candidate))
    return f"the preset is inactive, as {' and '.join(reasons)}"


def _describe_expiry(snapshot: PresetSnapshot, expired: Sequence[Prebuild]) -> str:
    """Why these have expired: age, then how the outdated differ. A prebuild that is both counts as outdated."""
    outdated = [prebuild for prebuild in expired if is_outdated(snapshot.preset, prebuild)]
    differences = list(dict.fromkeys(_describe_difference(snapshot.preset, prebuild) for prebuild in outdated))
    old = [prebuild for prebuild in expired if prebuild not in outdated]
    ages = [_describe_age(snapshot, old)] if old else []
    more = len(differences) - _DIFFERENCES
    return "; ".join([*ages, *differences[:_DIFFERENCES], *([f"and {more} more differences"] if more > 0 else [])])


def _describe_difference(preset: Preset, prebuild: Prebuild) -> str:
    if prebuild.retired:
        return "given up"
    made_by, version = prebuild.template_version_id, preset.template_version
    if made_by and version.id and made_by != version.id:
        return f"made by version {made_by}, the preset is at {version.id}"
    return "made with other parameters than the preset has now"


def _describe_age(snapshot: PresetSnapshot, old: Sequence[Prebuild]) -> str:
    preset = snapshot.preset
    cutoff, invalidated = calculate_expiry_cutoff(preset, snapshot.now), preset.last_invalidated_at or snapshot.now
    is_invalidated = cutoff == invalidated and any(prebuild.created_at < invalidated for prebuild in old)
    if preset.ttl is None or is_invalidated:
        return f"created before the invalidation at {describe_instant(invalidated)}"
    own = "their own part of " if preset.ttl_jitter else ""
    return f"older than {own}the ttl of {describe_duration(preset.ttl)}"


def _list(ids: Sequence[str]) -> str:
    more = [f"and {len(ids) - _LISTED} more"] if len(ids) > _LISTED else []
    return ", ".join([*ids[:_LISTED], *more])
