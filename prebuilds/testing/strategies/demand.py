"""Hypothesis strategies for targets that follow demand (R21).

- Models are made by hand, as fitting takes long. They give targets that change from look to look.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache

from hypothesis import strategies as st

from prebuilds.decision.demand.autoscale import Autoscale
from prebuilds.decision.demand.following import DemandFit
from prebuilds.decision.demand.looking import count_seconds
from prebuilds.decision.demand.model import DemandModel, Doubt
from prebuilds.decision.demand.rows import Demand
from prebuilds.decision.demand.spreads import BINS
from prebuilds.decision.demand.state import start_state
from prebuilds.testing.strategies.values import check_now, ids, sampled

_LEADS = (*(timedelta(minutes=2),) * 4, timedelta(minutes=10))
_WEIGHTS = ((0.2, 0.1, 0.2, 0.1, 0.2, 0.2, 0.0, 0.0, 0.1), (0.0, 0.0, 0.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0.0))


@cache
def autoscales() -> st.SearchStrategy[Autoscale]:
    """Settings for targets of up to 20 or more; a few of them do not act."""
    return st.builds(
        Autoscale,
        hit_rate=sampled(0.9, 0.99),
        lead_time=sampled(*_LEADS),
        min_instances=sampled(0, 0, 1, 3),
        max_instances=sampled(20, 25),
        hold=sampled(None, timedelta(), timedelta(minutes=15)),
        acts=_mostly_true(),
    )


def _mostly_true() -> st.SearchStrategy[bool]:
    return st.sampled_from((True, True, True, True, False))


@cache
def _models() -> st.SearchStrategy[DemandModel]:
    return st.builds(
        DemandModel,
        autoscale=autoscales(),
        timezone=sampled("UTC", "Europe/Berlin"),
        weights=sampled(*_WEIGHTS),
        spreads=st.just((1.5,) * BINS),
        caution=sampled(0.7, 2.0),
        hold=sampled(0.0, 600.0, *(1200.0,) * 4),
        single=sampled(4),
        own_count=sampled(0, 3),
        share=sampled(*(1.0,) * 5, 0.4, 0.0),
        follows_demand=_mostly_true(),
        doubt=sampled(None, *Doubt),
        days=sampled(60.0),
        past_hit_rate=sampled(0.99),
        saved=sampled(0.3),
    )


@st.composite
def demands(draw: st.DrawFn, *, now: datetime, preset_id: str | None = None) -> Demand:
    """What was claimed of a preset up to `now`: a few groups of claims in the last half hour."""
    check_now(now)
    model = draw(_models())
    begin = now - draw(sampled(timedelta(), *(timedelta(minutes=30),) * 4))
    fit = DemandFit(model, start_state(count_seconds(begin), model.lead, model.timezone))
    demand = Demand(preset_id=draw(ids()) if preset_id is None else preset_id, fit=fit)
    ago = st.lists(st.tuples(sampled(0, 5, 10, 10, 15, 15, 15, 15), st.booleans()), min_size=1, max_size=4)
    for minutes, is_hit in sorted(draw(ago), reverse=True):
        for _ in range(3):
            demand = demand.note(max(begin, now - timedelta(minutes=minutes)), is_hit=is_hit)
    return demand
