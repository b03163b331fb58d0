"""A target that follows demand in words, and its fit as JSON (R21)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import attrs
import pytest

from decision.test_demand_laws import MODEL
from prebuilds import InvalidValueError
from prebuilds.decision.demand.following import DemandFit
from prebuilds.decision.demand.looking import look_at_target
from prebuilds.decision.demand.model import DemandModel, Doubt
from prebuilds.decision.demand.state import start_state
from prebuilds.decision.demand.storing import dump_fit, load_fit

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=timezone.utc)  # 09:30 in Berlin, a Monday


def make_fit(model: DemandModel = MODEL, *, claims: int = 0) -> DemandFit:
    """A fit of which some claims were noted, and a target looked up, ten minutes ago."""
    follower = DemandFit(model, start_state(NOW.timestamp() - 3600, model.lead, model.timezone)).follow()
    before = NOW.timestamp() - 600
    for _ in range(claims):
        follower.note(before, is_hit=True)
    follower.bounds(before)
    return DemandFit(follower.model, follower.state)


def say(fit: DemandFit) -> str:
    return str(look_at_target(fit.model, fit.state, NOW))


def test_a_target_says_what_it_came_from_in_the_users_time() -> None:
    quiet = "2 wanted: 0.11 claims expected in 5 min, usual for Mon 09:30: 0.021, today 0.74 times that"
    assert say(make_fit()) == quiet


def test_what_is_held_is_told_with_its_end() -> None:
    target = look_at_target(*attrs.astuple(make_fit(claims=12), recurse=False), NOW)
    assert target.delete_above > target.wanted
    assert target.held_until == NOW - timedelta(minutes=9) + timedelta(seconds=MODEL.hold)  # as much for a minute
    assert str(target).endswith(f"; {target.delete_above} held until 09:41")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"share": 0.0, "days": 0.25}, "3 wanted: the preset's own count, as 0.25 days of claims are too few"),
        ({"follows_demand": False}, "4 wanted: the single size 4 of the past"),
        (
            {"follows_demand": False, "share": 0.5},
            "4 wanted: 50% of the single size 4 of the past, and the rest from the preset's own count of 3",
        ),
    ],
)
def test_a_target_that_does_not_follow_demand_says_why(changes: dict[str, Any], text: str) -> None:
    assert say(make_fit(attrs.evolve(MODEL, **changes))) == text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {},
            "A hit rate of 0.99 is promised: on 60 days of claims it had 99.00% of hits and 30% fewer idle hours than 4"
            " at all times.",
        ),
        (
            {"doubt": Doubt.STORMS, "saved": -0.02},
            "No promise of 0.99 (storms): on 60 days of claims it had 99.00% of hits and 2% more idle hours than 4 at"
            " all times.",
        ),
        (
            {"doubt": Doubt.BATCHES, "follows_demand": False},
            "No promise of 0.99 (batches). The target is 4 at all times: that did better on the past.",
        ),
    ],
)
def test_a_model_says_what_it_promises(changes: dict[str, Any], text: str) -> None:
    assert attrs.evolve(MODEL, **changes).explain() == text


def test_looking_changes_nothing_and_refuses_a_naive_instant() -> None:
    fit = make_fit(claims=3)
    assert say(fit) == say(fit)
    with pytest.raises(InvalidValueError, match="look_at_target"):
        look_at_target(fit.model, fit.state, datetime(2026, 11, 23))  # noqa: DTZ001


# As JSON


@pytest.mark.parametrize("doubt", [None, Doubt.STORMS])
@pytest.mark.parametrize("hold", [None, timedelta(minutes=15)])
def test_a_fit_comes_back_equal(doubt: Doubt | None, hold: timedelta | None) -> None:
    model = attrs.evolve(MODEL, doubt=doubt, autoscale=attrs.evolve(MODEL.autoscale, hold=hold))
    fit = make_fit(model, claims=5)
    assert load_fit(dump_fit(fit)) == fit


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        (["model", "hold"], -1, "load_fit.model.hold"),
        (["model", "saved"], "much", "load_fit.model.saved"),
        (["model", "caution"], 21, "load_fit.model.caution"),
        (["model", "timezone"], "Mars/Olympus", "load_fit.model.timezone"),
        (["model", "weights"], [0.0] * 8, "load_fit.model.weights"),
        (["model", "spreads"], [0.5] * 150, "load_fit.model.spreads"),
        (["model", "spreads"], 1, "load_fit.model.spreads"),
        (["model", "doubt"], "rain", "load_fit.model.doubt"),
        (["model", "autoscale", "lead_time"], 1e300, "load_fit.model.autoscale.lead_time"),
        (["model", "autoscale", "lead_time"], 0, "load_fit.model.autoscale.lead_time"),
        (["model", "autoscale", "hold"], "1h", "load_fit.model.autoscale.hold"),
        (["state", "counted"], 1.5, "load_fit.state.counted"),
        (["state", "hour"], True, "load_fit.state.hour"),
        (["state", "season", "claims"], [0.0], "load_fit.state.season.claims"),
        (["state", "usual"], [0.1, 0.1], "load_fit.state.usual"),
        (["state", "usual"], [0.1] * 9, "load_fit.state.usual"),
        (["model", "timezone"], ["UTC"], "load_fit.model.timezone"),
        (["state", "rates"], None, "load_fit.state.rates"),
        (["state", "minute"], None, "load_fit.state.minute"),
        (["state", "held"], [[0.0, -1]], "load_fit.state.held[0][1]"),
        (["state"], {}, "load_fit.state"),
        ([], [], "load_fit.document"),
    ],
)
def test_a_document_that_is_not_a_fit_is_refused_with_the_place(path: list[str], value: object, place: str) -> None:
    document: Any = json.loads(dump_fit(make_fit()))
    if path:
        inner = document
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
    else:
        document = value
    with pytest.raises(InvalidValueError) as caught:
        load_fit(json.dumps(document))
    assert f"{caught.value.model}.{caught.value.field}" == place


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="JSON"):
        load_fit("{")
