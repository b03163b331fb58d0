"""Readings: the metrics of a store at one moment, by labels.

- State and counters come from one read and depend only on its rows and its instant. So every replica reads the same
  values, whether or not it reconciles.
- Presets with equal labels, such as those of two versions of a template, are one series. Their counts are added up.
- The counts of presets that no longer exist stand under empty labels, so that no count is lost.
"""

from __future__ import annotations

from collections import Counter as Sum
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

import attrs

from prebuilds.decision.models import Preset
from prebuilds.decision.policies.policy import Policy
from prebuilds.decision.presets import PresetSnapshot
from prebuilds.decision.state import calculate_state
from prebuilds.decision.targets import TargetSource
from prebuilds.runtime.loop.fleet import Fleet
from prebuilds.runtime.loop.fleet_reading import read_fleet
from prebuilds.runtime.metrics.holds import Hold, find_hold
from prebuilds.runtime.models import Counter, CounterValue
from prebuilds.runtime.ports import Capability, Clock, Isolation, Store


class Labels(NamedTuple):
    """The labels of a series. Each is a name, or the id of something without a name."""

    template_name: str = ""
    preset_name: str = ""
    organization_name: str = ""


@attrs.frozen(kw_only=True)
class Gauges:
    """The state of the presets of one series."""

    desired: int = 0
    running: int = 0
    eligible: int = 0
    stuck: int = 0
    overdue: int = 0
    aging: int = 0
    is_hard_limited: bool = False
    schedule_errors: int = 0
    """The number of presets whose schedules cannot be used."""
    holds: tuple[Hold, ...] = ()
    """One for each preset that is held."""

    def add(self, other: Gauges) -> Gauges:
        """The sum of both; hard-limited if either is."""
        return Gauges(
            desired=self.desired + other.desired,
            running=self.running + other.running,
            eligible=self.eligible + other.eligible,
            stuck=self.stuck + other.stuck,
            overdue=self.overdue + other.overdue,
            aging=self.aging + other.aging,
            is_hard_limited=self.is_hard_limited or other.is_hard_limited,
            schedule_errors=self.schedule_errors + other.schedule_errors,
            holds=(*self.holds, *other.holds),
        )


@attrs.frozen(kw_only=True)
class Reading:
    """The metrics of the moment `taken_at`. Both mappings are sorted by their labels.

    A store that counts nothing has no `counters`.
    """

    taken_at: datetime
    is_paused: bool
    gauges: Mapping[Labels, Gauges]
    counters: Mapping[Labels, Mapping[Counter, int]]


def take_reading(store: Store, clock: Clock, policy: Policy) -> Reading:
    """Read a store now, in one transaction."""
    with store.transaction(isolation=Isolation.REPEATABLE_READ, read_only=True) as tx:
        now = clock.now()  # after the wait for a connection, as builds may end during it
        fleet = read_fleet(tx, now=now, policy=policy)
        counters = _sum_counters(fleet, tx.list_counters()) if Capability.COUNTERS.is_in(tx) else {}
    return Reading(
        taken_at=now,
        is_paused=fleet.is_paused,
        gauges=_sum_gauges(fleet.snapshot.iterate_presets(now), fleet.policy),
        counters=counters,
    )


def _sum_gauges(snapshots: Iterable[PresetSnapshot], policy: Policy) -> Mapping[Labels, Gauges]:
    sums: dict[Labels, Gauges] = {}
    for snapshot in snapshots:
        labels = _label(snapshot.preset)
        sums[labels] = sums.get(labels, Gauges()).add(_measure(snapshot, policy))
    return dict(sorted(sums.items()))


def _measure(snapshot: PresetSnapshot, policy: Policy) -> Gauges:
    state, hold = calculate_state(snapshot), find_hold(snapshot, policy)
    is_active = snapshot.preset.is_active
    return Gauges(
        # A candidate may share its labels with an active preset, and serves nobody yet.
        desired=state.desired if is_active else 0,
        running=state.actual,
        eligible=state.eligible if is_active else 0,
        stuck=state.stuck,
        overdue=state.overdue,
        aging=state.aging,
        # An inactive preset creates nothing anyway, and may share its labels with one that does.
        is_hard_limited=snapshot.is_hard_limited and snapshot.preset.is_wanted,
        schedule_errors=int(state.target_source is TargetSource.FALLBACK),
        holds=(hold,) if hold else (),
    )


def _sum_counters(fleet: Fleet, values: Iterable[CounterValue]) -> Mapping[Labels, Mapping[Counter, int]]:
    labels = {preset.id: _label(preset) for preset in fleet.snapshot.presets}
    sums: defaultdict[Labels, Sum[Counter]] = defaultdict(Sum, {each: Sum() for each in labels.values()})
    for value in values:
        sums[labels.get(value.preset_id, Labels())][value.counter] += value.value
    return dict(sorted(sums.items()))


def _label(preset: Preset) -> Labels:
    template = preset.template_version.template
    return Labels(
        template_name=template.name or template.id,
        preset_name=preset.name or preset.id,
        organization_name=template.organization_name or template.organization_id,
    )
