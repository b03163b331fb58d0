"""Situations that random rows seldom make: a pool that shrinks, refreshes, is late, fails or is limited.

- A situation changes settings of one preset, and says how many rows that preset gets beside the random ones.
- Everything else stays random, so each rule meets its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from types import MappingProxyType
from typing import Any

import attrs
from hypothesis import strategies as st

from prebuilds.decision.demand.autoscale import Autoscale
from prebuilds.decision.models import Preset, TemplateVersion
from prebuilds.testing.strategies.values import SECOND

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_PLAIN = {"schedules": (), "ttl": None, "autoscale": None}
_GOOD = _PLAIN | {"last_invalidated_at": None}


@attrs.frozen(kw_only=True)
class Situation:
    """Settings of a preset, and for each collection of a snapshot the least number of rows that name the preset.

    Collections in `absent` have no row of the preset.
    """

    settings: Mapping[str, Any] = attrs.field(default=_NOTHING)
    rows: Mapping[str, int] = attrs.field(default=_NOTHING)
    absent: tuple[str, ...] = ()

    def settle(self, preset: Preset) -> Preset:
        """The preset with these settings."""
        return attrs.evolve(preset, **self.settings)

    def add_rows(self, preset_id: str, named: Mapping[str, list[str]]) -> dict[str, list[str]]:
        """The presets that rows name, with those of the situation and without the absent ones."""
        return {
            key: [name for name in names if name != preset_id or key not in self.absent]
            + [preset_id] * self.rows.get(key, 0)
            for key, names in named.items()
        }


_CALM = ("backoffs", "hard_limited", "limits", "in_progress")
_ANY = Situation()
_SHRINKING = tuple(
    Situation(settings=_GOOD | {"desired_instances": count}, rows={"running": count + 2}, absent=_CALM)
    for count in (1, 2)
)
_REFRESHING = tuple(
    Situation(
        settings=_GOOD
        | {
            "desired_instances": count,
            "ttl": 60 * SECOND,
            "refresh_ahead": 45 * SECOND,
            "ttl_jitter": jitter,
            "max_surge": 0,
        },
        rows={"running": count + 3},
        absent=_CALM,
    )
    for count, jitter in ((1, 0.0), (3, 0.5))
)
_LATE = Situation(
    settings=_GOOD | {"desired_instances": 3, "ready_deadline": 10 * SECOND, "build_deadline": timedelta(hours=1)},
    rows={"running": 3},
    absent=_CALM,
)
_FAILING = Situation(
    settings=_PLAIN | {"desired_instances": 5}, rows={"backoffs": 1}, absent=("hard_limited", "limits", "in_progress")
)
_LIMITED = Situation(
    settings=_PLAIN | {"desired_instances": 5}, rows={"limits": 1}, absent=("backoffs", "running", "in_progress")
)
_BUILDING = Situation(
    settings=_PLAIN | {"desired_instances": 3, "build_deadline": 10 * SECOND}, rows={"in_progress": 3}, absent=_CALM
)
_SURPLUS = Situation(
    settings=_PLAIN | {"desired_instances": 1, "build_deadline": None},
    rows={"in_progress": 3, "pending": 2},
    absent=_CALM,
)
_CAPPED = Situation(
    settings=_PLAIN | {"desired_instances": 5, "max_surge": None},
    rows={"recent_starts": 3},
    absent=("running", *_CALM),
)
_FOLLOWING = Situation(
    settings=_GOOD
    | {
        "desired_instances": 0,
        "autoscale": Autoscale(hit_rate=0.9, lead_time=timedelta(minutes=2), max_instances=20),
        "template_version": TemplateVersion(),
    },
    rows={"running": 2, "demand": 1},
    absent=_CALM,
)


@cache
def situations() -> st.SearchStrategy[Situation]:
    """Random rows in a third of the cases; it shrinks to these."""
    waiting = (*(_BUILDING,) * 4, _LATE, *(_SURPLUS,) * 4)
    failing = (*(_FAILING,) * 12, *(_LIMITED,) * 3, *(_CAPPED,) * 4)
    special = (*_SHRINKING, *_REFRESHING * 3, *waiting, *failing, *(_FOLLOWING,) * 4)
    return st.sampled_from((*(_ANY,) * (len(special) // 3), *special))
