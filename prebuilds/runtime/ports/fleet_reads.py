"""Reading what a plan is made from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from prebuilds.decision.models import Preset
from prebuilds.runtime.fleet_rows import ALL_PRESETS, FleetRows, Selection


class FleetReads(Protocol):
    """What a plan is made from, and presets alone."""

    def read_rows(
        self,
        selection: Selection = ALL_PRESETS,
        *,
        ended_since: datetime | None = None,
        latest: int = 0,
        failing_only: bool = False,
    ) -> FleetRows:
        """Everything that a plan for these presets is made from, all of one moment.

        Rows of other presets are left out, by the store, so that they cost little. An index on `hash_preset` serves
        shards.

        `presets` has what `list_presets` returns, in its order. `prebuilds` has every workspace of the prebuilds user
        that is not deleted, in any state of its last build, in any order. A prebuild whose preset no longer exists is
        read as well. `resets` says when each preset was last reset, as (preset id, instant); presets never reset are
        left out. `memberships` has the ids of the organisations that the prebuilds user belongs to, and `is_paused`
        says whether reconciliation is paused. `budgets` has every budget of the store, in any order.

        `builds` has the builds that decide backoffs and hard limits (R13), in any order; extra builds do no harm. They
        are start builds of prebuilds that succeeded or failed, began after the preset's last reset, and ran with the
        version that the preset has now, where both are known. For each preset, return those that ended at
        `ended_since` or later, and all builds of its `latest` most recent attempts. Without `ended_since`, only the
        latest attempts count. Builds with the same `created_at` began in one pass and are one attempt; it does not
        use up `latest` if all its builds failed for want of CAPACITY. Include builds of workspaces that have been
        claimed or deleted since. `make_outcome` turns a finished build into a `Build`.

        With `failing_only`, the builds of a preset may be left out if none of its start builds ever failed: of a fleet
        whose builds succeed, little is read then.
        """
        ...

    def list_presets(self, preset_id: str | None = None) -> Sequence[Preset]:
        """Every preset that may need or still have prebuilds, including inactive ones, in a stable order.

        With a `preset_id`, that preset alone; none if it is unknown.

        Normally a preset belongs to one template version for good, so that the presets of an active version and of a
        candidate stand beside each other. Promoting a version makes all presets of the old one inactive at once. If a
        preset keeps its id but changes its version or its parameters, its existing prebuilds are outdated (R2).
        """
        ...
