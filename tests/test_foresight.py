"""The comparison of policies on held-out claims: what it counts, and that it tunes on the past alone."""

from __future__ import annotations

import io
from datetime import datetime, timedelta, timezone
from pathlib import Path

import attrs
import pytest
from foresight.__main__ import measure, summarize_all
from foresight.cases import Case, History, list_cases, read_histories
from foresight.policies import Policy, list_policies
from foresight.scores import Score, score
from foresight.tables import make_case_table, make_summary_table
from rich.console import Console

from prebuilds.decision.documents.rfc3339 import format_instant
from prebuilds.whatif import OnMiss, TargetReplay, Trace, generate_profile, sweep
from prebuilds.whatif.targets.target_replay import replay_function

BEGIN = datetime(2026, 3, 2, tzinfo=timezone.utc)
DAY = timedelta(days=1)
LEAD_TIME = timedelta(minutes=5)
OFFICE = [12.0 if 8 <= hour < 18 else 0.5 for _ in range(7) for hour in range(24)]
NAMES = [
    "single size",
    "schedules",
    "autoscale",
    "mitos: spare",
    "OpenKruise: watermarks",
    "Coder: recent claims",
    "Agones: percentage",
    "last week",
    "recommended",
]


def write_claims(path: Path, trace: Trace, preset_id: str | None = None) -> None:
    rows = [f"{format_instant(at)}{'' if preset_id is None else ',' + preset_id}" for at in trace]
    header = "claimed_at" + ("" if preset_id is None else ",preset_id")
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> list[History]:
    """An office of 22 days, and one of three days, which is too short."""
    folder = tmp_path_factory.mktemp("claims")
    write_claims(folder / "office.csv", generate_profile(OFFICE, begin=BEGIN, end=BEGIN + 22 * DAY, seed=1))
    write_claims(folder / "short.csv", generate_profile(OFFICE, begin=BEGIN, end=BEGIN + 3 * DAY, seed=1), "web")
    return list(read_histories(folder, {"office": "Europe/Berlin"}))


@pytest.fixture(scope="module")
def scores(histories: list[History]) -> list[Score]:
    return measure(histories, [LEAD_TIME], [0.95])


def test_histories_are_parted_in_whole_weeks(histories: list[History]) -> None:
    """Two of three weeks are the past. Less than four days are no history."""
    (office,) = histories
    assert (office.name, office.timezone) == ("office", "Europe/Berlin")
    assert office.past.end == office.rest.begin == office.past.begin + 14 * DAY


def test_every_policy_is_measured_in_both_ways_to_miss(scores: list[Score]) -> None:
    """Each once for each way."""
    assert [(row.on_miss, row.policy) for row in scores] == [(mode.value, name) for mode in OnMiss for name in NAMES]


def test_scores_compare_with_single_sizes_in_hindsight(histories: list[History], scores: list[Score]) -> None:
    """The single size lies on the curve of what was held out, so it saves nothing; the best is the smallest enough."""
    (office,) = histories
    for row in scores:
        curve = sweep(office.rest, LEAD_TIME, on_miss=row.on_miss)
        best = curve.smallest(hit_rate=0.95)
        assert (row.best_size, row.best_idle_hours) == (best.size, best.idle_hours)
        above = curve.smallest(hit_rate=row.hit_rate)
        assert curve.for_size(max(0, above.size - 1)).idle_hours <= row.equal_idle_hours <= above.idle_hours
        if row.policy == "single size":
            tuned = sweep(office.past, LEAD_TIME, on_miss=row.on_miss).smallest(hit_rate=0.95)
            held = curve.for_size(tuned.size)
            assert (row.hit_rate, row.idle_hours, row.saved) == (held.hit_rate, held.idle_hours, pytest.approx(0))


def test_only_the_past_is_tuned_on(histories: list[History]) -> None:
    """Other claims afterwards change no policy: each has the same bounds at the end of the past."""
    (office,) = histories
    other = attrs.evolve(office, rest=Trace.from_claims([], begin=office.rest.begin, end=office.rest.end))
    now = office.rest.begin.timestamp()
    bounds = []
    for history in (office, other):
        case = next(iter(list_cases(history, [LEAD_TIME], [0.95])))
        bounds.append([(policy.name, policy.make().bounds(now)) for policy in list_policies(case)])
    assert bounds[0] == bounds[1]


def test_summaries_are_medians_and_counts(scores: list[Score]) -> None:
    """Over the two ways to miss, for each policy."""
    found = {name: summary for _, name, summary in summarize_all(scores)}
    assert list(found) == NAMES
    single = [row for row in scores if row.policy == "single size"]
    assert found["single size"] == {
        "cases": 2,
        "saved": pytest.approx(0),
        "least_saved": pytest.approx(0),
        "hit_rate": pytest.approx(sum(row.hit_rate for row in single) / 2),
        "reached": sum(row.hit_rate >= 0.947 for row in single),
        "promised": sum(bool(row.is_expected) for row in single),
        "promised_and_reached": sum(bool(row.is_expected) and row.hit_rate >= 0.947 for row in single),
        "dominated": 0,
        "builds_per_claim": pytest.approx(sum(row.builds_per_claim for row in single) / 2),
        "most_builds_per_claim": max(row.builds_per_claim for row in single),
        "deletes_per_claim": 0.0,
    }
    assert found["last week"]["promised"] == 0


def test_a_policy_is_dominated_with_fewer_hits_and_more_idle_hours(scores: list[Score]) -> None:
    """Than the single size that was tuned on the same past."""
    single = scores[0]
    worse = attrs.evolve(single, policy="worse", hit_rate=0.5, idle_hours=single.idle_hours + 1)
    slower = attrs.evolve(single, policy="slower", hit_rate=0.5)
    dominated = {name: found["dominated"] for _, name, found in summarize_all([single, worse, slower])}
    assert dominated == {"single size": 0, "worse": 1, "slower": 0}


def test_tables_show_every_case_and_policy(scores: list[Score]) -> None:
    """One row for each case, one for each policy, in a wide table."""
    console = Console(file=io.StringIO(), width=250)
    console.print(make_case_table(scores), make_summary_table(summarize_all(scores)))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for shown in ("office, 5 min, cold_start, 95%", "office, 5 min, wait, 95%", *NAMES, "builds per claim"):
        assert shown in text


def test_a_score_is_a_replay_of_what_was_held_out(histories: list[History], scores: list[Score]) -> None:
    """The same policy gives the same score."""
    case = next(iter(list_cases(histories[0], [LEAD_TIME], [0.95])))
    policy = next(iter(list_policies(case)))
    assert score(case, policy) == scores[0]


def test_a_storm_does_not_make_a_policy_keep_without_end() -> None:
    """Where no level reaches the goal, a policy of others keeps at most twice what missed nothing in the past."""
    office = generate_profile(OFFICE, begin=BEGIN, end=BEGIN + 12 * DAY, seed=1)
    storms = [BEGIN + day * DAY + timedelta(hours=3) for day in (3, 6, 10) for _ in range(300)]
    trace = Trace.from_claims([*office, *storms], begin=BEGIN, end=BEGIN + 12 * DAY)
    past, rest = trace.split_at(BEGIN + 8 * DAY)
    history = History(name="storm", timezone="UTC", past=past, rest=rest)
    case = next(iter(list_cases(history, [LEAD_TIME], [0.99])))
    policies = [policy for policy in list_policies(case) if policy.is_expected is None]
    most = {policy.name: max(low for _, low, _ in replay_policy(case, policy).steps) for policy in policies}
    assert list(most) == NAMES[3:-1]
    assert max(most.values()) <= 2 * case.past.enough


def replay_policy(case: Case, policy: Policy) -> TargetReplay:
    return replay_function(case.rest, policy.make(), case.on_miss)


def test_scores_tell_claims_and_hits_of_each_week(scores: list[Score]) -> None:
    """A week begins where the past ends, and the last may be short; together they are the whole."""
    for row in scores:
        assert len(row.weekly_claims) == len(row.weekly_hits) == 2
        assert sum(row.weekly_hits) / sum(row.weekly_claims) == pytest.approx(row.hit_rate)
        assert row.weekly_claims == scores[0].weekly_claims
    assert scores[0].weekly_claims[0] > scores[0].weekly_claims[1]
