"""What a simulation tells, by examples: each kind of thing that can happen to a pool, and how bad input is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given, settings

from prebuilds import (
    Backoff,
    GlobalSnapshot,
    InProgress,
    Policy,
    Prebuild,
    Schedule,
    Template,
    TemplateVersion,
    Transition,
)
from prebuilds.errors import InvalidValueError, UnknownMissError, UnknownPresetError
from prebuilds.whatif import (
    Invalidation,
    Moment,
    Promotion,
    Scenario,
    SimulationResult,
    Trace,
    edit_snapshot,
    generate_poisson,
    simulate,
)

from .scenarios import BEGIN, END, MINUTE, WINDOW, Case, cases, make_preset, make_scenario, make_trace

HOUR = timedelta(hours=1)


def run(*offsets: timedelta, **changes: Any) -> SimulationResult:
    """A pool of one, whose builds take six minutes, with claims at these times after the start."""
    fleet = changes.pop("fleet", make_preset(desired_instances=1))
    return simulate(make_scenario(fleet=fleet, **changes), make_trace(*offsets))


def test_a_miss_leaves_the_pool_alone_when_users_build_their_own() -> None:
    """The second user comes while the replacement is built, and waits just as long for a build of their own."""
    result = run(10 * MINUTE, 13 * MINUTE, 16 * MINUTE)
    assert (result.hits, result.misses, result.created) == (2, 1, 2)
    assert (result.mean_wait, result.p50_wait, result.p95_wait, result.max_wait) == (
        2 * MINUTE,
        timedelta(),
        6 * MINUTE,
        6 * MINUTE,
    )
    assert result.build_hours == pytest.approx(12 / 60)
    assert result.idle_hours == pytest.approx(2 - 12 / 60)


def test_a_user_who_waits_takes_the_next_prebuild_and_it_is_replaced() -> None:
    """The second user gets what was built for the pool, three minutes later; the pool is full nine minutes later."""
    result = run(10 * MINUTE, 13 * MINUTE, 18 * MINUTE, on_miss="wait")
    assert (result.hits, result.misses, result.created) == (1, 2, 3)
    assert result.max_wait == 3 * MINUTE
    assert result.mean_wait == 4 * MINUTE / 3


def test_the_loop_notices_at_its_rounds_only() -> None:
    """With an interval the replacement begins at the next round."""
    (pool,) = run(10 * MINUTE + timedelta(seconds=1), interval=4 * MINUTE).pools
    assert pool.created[1] - pool.begin == 12 * 60 * 10**6


def test_a_window_is_seen_at_once() -> None:
    """Where the loop wakes at once, it wakes at the edge of a window too."""
    fleet = make_preset(desired_instances=1, schedules=[WINDOW])
    moments = list(run(fleet=fleet).timeline)
    edge = BEGIN + 30 * MINUTE
    assert moments == [
        Moment(preset_id="web", at=BEGIN, target=1, running=1, eligible=1, starting=0),
        Moment(preset_id="web", at=edge, target=4, running=1, eligible=1, starting=3),
        Moment(preset_id="web", at=edge + 6 * MINUTE, target=4, running=4, eligible=4, starting=0),
        Moment(preset_id="web", at=edge + HOUR, target=1, running=1, eligible=1, starting=0),
    ]


def test_prebuilds_that_nobody_claims_expire_and_are_replaced() -> None:
    """Each lives for its ttl and an instant, counted from its creation."""
    result = run(fleet=make_preset(desired_instances=1, ttl=30 * MINUTE))
    assert (result.expired_unused, result.deleted, result.created) == (3, 3, 3)


def test_an_expired_prebuild_is_no_hit_though_no_round_has_deleted_it() -> None:
    """It still runs, and costs, until the loop wakes."""
    result = run(45 * MINUTE, fleet=make_preset(desired_instances=1, ttl=30 * MINUTE), interval=HOUR)
    assert result.misses == 1
    assert result.explain_miss(0).endswith("1 expired at 09:00:00.000001; 1 not begun: the loop wakes next at 09:30:00")


def test_a_promotion_empties_the_pool() -> None:
    """The old version's prebuild goes at once, the successor's first is ready a lead time later."""
    result = run(62 * MINUTE, promotions=[Promotion(at=BEGIN + HOUR)])
    assert (result.misses, result.deleted, result.created) == (1, 1, 1)
    assert result.explain_miss(0) == (
        "web, 2026-11-23 09:32:00 UTC: pool empty since 09:30:00: 1 claim, target 1, lead time 6 min; "
        "template promoted at 09:30:00; 1 lost to the promotion at 09:30:00; 1 under way, the first ready at 09:36:00"
    )
    assert [decision.preset_id for decision in result.log][-1] == "web after promotion 1"


TEN = BEGIN + 90 * MINUTE  # 10:00


def promote_at_ten_fifteen(**changes: Any) -> Scenario:
    """Ten prebuilds, builds of 12 min, a candidate from 10:00 on, promoted at 10:15."""
    promotion = Promotion(at=TEN + 15 * MINUTE, staged_at=TEN)
    fleet = make_preset(desired_instances=10)
    return make_scenario(**{"fleet": fleet, "lead_time": 12 * MINUTE, "promotions": [promotion], **changes})


def test_a_staged_promotion_costs_no_miss() -> None:
    """Field case 10: ten users come at 10:16. Without the candidate all of them miss; with it, none."""
    trace = make_trace(*[106 * MINUTE] * 10)
    scenario = promote_at_ten_fifteen()
    result = simulate(scenario, trace)
    assert (result.hits, result.misses, result.created, result.deleted) == (10, 0, 20, 10)
    (pool,) = result.pools
    assert [one.preset.id for one in pool.presets] == ["web", "web after promotion 1"]
    minutes = {(moment.at - TEN) // MINUTE: moment.eligible for moment in result.timeline}
    assert minutes == {-90: 10, 0: 10, 12: 10, 15: 10, 16: 0, 28: 10}
    bare = attrs.evolve(scenario, promotions=[Promotion(at=TEN + 15 * MINUTE)])
    assert simulate(bare, trace).misses == 10


def test_users_get_the_old_version_until_the_promotion() -> None:
    """A candidate serves nobody: the eleventh user within a lead time misses, though ten of the new are ready."""
    trace = make_trace(*[104 * MINUTE] * 11)
    result = simulate(promote_at_ten_fifteen(), trace)
    assert (result.hits, result.misses) == (10, 1)


def test_users_who_wait_get_what_the_promotion_finds() -> None:
    """At once, in the order in which they came."""
    trace = make_trace(*[103 * MINUTE] * 12)
    scenario = promote_at_ten_fifteen(on_miss="wait")
    (pool,) = simulate(scenario, trace).pools
    assert [timedelta(microseconds=wait) for wait in pool.waits] == [2 * MINUTE] * 2


def test_a_candidate_that_is_not_promoted_serves_nobody() -> None:
    """When the simulation ends before the promotion."""
    scenario = promote_at_ten_fifteen()
    trace = make_trace(*[103 * MINUTE] * 11, end=BEGIN + 104 * MINUTE)
    scenario = attrs.evolve(scenario, promotions=[Promotion(at=trace.end, staged_at=TEN)])
    result = simulate(scenario, trace)
    (pool,) = result.pools
    assert (result.hits, result.misses, len(pool.presets)) == (10, 1, 2)


@pytest.mark.parametrize(
    ("promotions", "problem"),
    [
        ([(60, 61)], r"^Promotion\.staged_at: .* must be at the latest at the promotion, 2026-11-23T09:30:00"),
        ([(60, None), (90, 59)], r"^Scenario\.promotions: .* staged from 2026-11-23T09:30:00\+00:00 on, as a template"),
        ([(90, 59), (60, 10)], r"^Scenario\.promotions: .* has one candidate at a time$"),
    ],
)
def test_a_template_has_one_candidate_at_a_time(promotions: list[tuple[int, int | None]], problem: str) -> None:
    """In a simulation, each candidate succeeds the version before it. The order of the list does not matter."""
    with pytest.raises(InvalidValueError, match=problem):
        make_scenario(
            promotions=[
                Promotion(at=BEGIN + at * MINUTE, staged_at=None if staged is None else BEGIN + staged * MINUTE)
                for at, staged in promotions
            ]
        )


def test_a_promotion_is_of_one_template() -> None:
    """Presets of another template go on as before."""
    version = TemplateVersion(template=Template(id="other"))
    fleet = [make_preset(), make_preset(id="gpu", template_version=version)]
    scenario = make_scenario(fleet=fleet, promotions=[Promotion(at=BEGIN)])
    last = [record.presets[-1].preset.id for record in simulate(scenario, {"web": make_trace()}).pools]
    assert last == ["web after promotion 1", "gpu"]


def test_an_invalidation_replaces_what_was_created_before() -> None:
    """By R2, at its instant."""
    result = run(invalidations=[Invalidation(at=BEGIN + HOUR, preset_id="web")])
    assert (result.expired_unused, result.created) == (1, 1)


def test_a_future_invalidation_is_not_reported_before_its_time() -> None:
    """A replay of last week with the snapshot of today does not look into the future."""
    later = simulate(make_scenario(fleet=make_preset(last_invalidated_at=END + HOUR)), make_trace(HOUR))
    assert (later.hits, later.expired_unused) == (1, 0)


def test_failed_builds_make_the_loop_back_off() -> None:
    """Every build fails. After each failure the backoff is longer, as in production, and explanations say why."""
    policy = Policy(failure_hard_limit=0, backoff_interval=10 * MINUTE)
    result = run(MINUTE, 10 * MINUTE, failure_rate=1, policy=policy)
    assert (result.created, result.failed, result.misses) == (5, 5, 1)
    assert result.explain_miss(0) == (
        "web, 2026-11-23 08:40:00 UTC: pool empty since 08:31:00: 2 claims in 9 min, target 1; "
        "1 build failed at 08:37:00; 1 not begun: backing off until 08:47:00 after 1 failed build"
    )


def test_a_preset_that_keeps_failing_is_hard_limited_and_the_result_says_so() -> None:
    """Three failures in a row: nothing more is created, as in production until somebody resets it."""
    result = run(MINUTE, HOUR, failure_rate=1, policy=Policy(backoff_interval=MINUTE))
    assert (result.created, result.failed) == (3, 3)
    assert result.explain_miss(0).endswith("1 not begun: hard-limited since 08:52:00.000002")
    assert result.notes == ("web is hard-limited from 2026-11-23 08:52:00.000002 UTC on: its builds failed.",)


def test_a_snapshots_rows_are_what_a_simulation_can_begin_with() -> None:
    """A ready prebuild serves, one that is not and one that starts come later, and a backoff holds."""
    preset = make_preset(desired_instances=3)
    row = {"preset_id": "web", "created_at": BEGIN - HOUR}
    fleet = GlobalSnapshot(
        presets=[preset],
        running=[Prebuild(id="a", ready=True, **row), Prebuild(id="b", ready=False, **row)],
        in_progress=[InProgress(preset_id="web", transition=Transition.START, count=1)],
        backoffs=[Backoff(preset_id="web", num_failed=2, last_build_at=BEGIN - MINUTE)],
    )
    scenario = Scenario(fleet=fleet, lead_time=6 * MINUTE, starts_full=False)
    result = simulate(scenario, make_trace(MINUTE, 2 * MINUTE, 7 * MINUTE, 8 * MINUTE))
    assert (result.hits, result.misses) == (3, 1)
    assert result.log[0].snapshot.backoff == fleet.backoffs[0]
    assert [row.id for row in result.log[0].snapshot.running] == ["a"]
    assert (simulate(attrs.evolve(scenario, starts_full=True), make_trace(MINUTE)).log[0].actions) == ()


def test_ready_prebuilds_of_a_snapshot_say_nothing_of_builds() -> None:
    """When they were built nobody knows, so that they end no backoff, however many they are."""
    rows = [Prebuild(id=f"{number}", preset_id="web", created_at=BEGIN - HOUR, ready=True) for number in range(3)]
    backoff = Backoff(preset_id="web", num_failed=9, last_build_at=BEGIN - MINUTE)
    fleet = GlobalSnapshot(presets=[make_preset()], running=rows, backoffs=[backoff])
    result = simulate(Scenario(fleet=fleet, lead_time=6 * MINUTE, starts_full=False), make_trace(MINUTE))
    begun = [decision.snapshot.now - BEGIN for decision in result.log if decision.actions[-1:]]
    assert begun[-1] == 8 * MINUTE + timedelta.resolution


@pytest.mark.parametrize(
    ("version", "parameters", "is_good"),
    [("v1", None, False), ("v2", {"region": "eu"}, False), ("v2", {"region": "us"}, True), ("", None, True)],
)
def test_a_prebuild_made_from_other_settings_goes_to_nobody(
    version: str, parameters: dict[str, str] | None, *, is_good: bool
) -> None:
    """Field case 18: of another version, or with other parameters, it has expired, and the first round deletes it."""
    preset = make_preset(desired_instances=1, template_version=TemplateVersion(id="v2"), parameters={"region": "us"})
    made = {"template_version_id": version, "parameters": parameters}
    row = Prebuild(id="a", preset_id="web", created_at=BEGIN - MINUTE, ready=True, **made)
    fleet = GlobalSnapshot(presets=[preset], running=[row])
    scenario = Scenario(fleet=fleet, lead_time=6 * MINUTE, interval=10 * MINUTE, starts_full=False)
    result = simulate(scenario, make_trace(timedelta()))
    assert (result.hits, result.expired_unused) == ((1, 0) if is_good else (0, 1))
    assert next(iter(result.timeline)).eligible == 0


def test_builds_of_one_round_are_one_attempt() -> None:
    """So that a limit of three attempts lets a pool of three fail nine times."""
    policy = Policy(failure_hard_limit=3)
    result = run(MINUTE, MINUTE, MINUTE, fleet=make_preset(), failure_rate=1.0, interval=MINUTE, policy=policy)
    assert (result.created, result.failed) == (9, 9)
    assert result.notes[0].startswith("web is hard-limited from 2026-11-23 09:00:00 UTC on")


def test_a_window_that_opens_too_late_is_reported() -> None:
    """Emptiness, claims, target and lead time; then the window, and what it has begun."""
    fleet = make_preset(desired_instances=1, schedules=[Schedule(cron="* 9 * * *", instances=3)])
    result = run(31 * MINUTE, 32 * MINUTE, 33 * MINUTE, fleet=fleet)
    assert result.explain_miss(1) == (
        "web, 2026-11-23 09:03:00 UTC: pool empty since 09:01:00: 3 claims in 2 min, target 3, lead time 6 min; "
        "window raised the target from 1 to 3 at 09:00:00, first ready at 09:06:00; "
        "3 under way, the first ready at 09:06:00"
    )
    assert result.explain_miss(-1) == result.explain_miss(1)


@settings(max_examples=100)
@given(case=cases())
def test_the_numbers_are_those_of_the_timeline(case: Case) -> None:
    """Hours are the counts over time, added up; and no count is ever below zero."""
    result = simulate(case.scenario, case.trace, seed=case.seed)
    moments = list(result.timeline)
    ends = [*(moment.at for moment in moments[1:]), case.trace.end]
    hours = [(end - moment.at) / HOUR for moment, end in zip(moments, ends, strict=True)]
    assert sum(moment.running * hour for moment, hour in zip(moments, hours, strict=True)) == pytest.approx(
        result.idle_hours, abs=1e-9
    )
    assert sum(moment.starting * hour for moment, hour in zip(moments, hours, strict=True)) == pytest.approx(
        result.build_hours, abs=1e-9
    )
    assert all(0 <= moment.eligible <= moment.running and moment.starting >= 0 for moment in moments)
    assert result.hits + result.misses == result.claims == len(case.trace)


def test_a_trace_without_claims_misses_nothing() -> None:
    result = simulate(make_scenario(), Trace(ticks=(), begin=BEGIN, end=END))
    assert (result.claims, result.hit_rate, result.max_wait) == (0, 1.0, timedelta())
    with pytest.raises(UnknownMissError, match="there is no miss 0: the result has 0, numbered from 0"):
        result.explain_miss(0)


def test_a_result_has_rows_a_table_and_a_chart() -> None:
    """For notebooks; the chart is drawn with every part of it."""
    vl_convert = pytest.importorskip("vl_convert")
    trace = generate_poisson(120, begin=BEGIN, end=END, seed=1)
    for size in (1, 20):  # few moments, and so many that they are binned
        result = simulate(make_scenario(fleet=make_preset(desired_instances=size)), trace)
        assert list(result.to_pandas()["misses"]) == [result.misses]
        assert result.timeline.to_pandas()["at"].iloc[0] == BEGIN
        assert "<td>web</td>" in result._repr_html_()
        drawn = vl_convert.vegalite_to_svg(result.chart().to_json())
        assert all(word in drawn for word in ("target", "running", "starting", "miss", "time (UTC)", "prebuilds"))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"fleet": []}, "Scenario.fleet: "),
        ({"fleet": 3}, "Scenario.fleet: 3 is not allowed; it must be a GlobalSnapshot"),
        ({"lead_time": -MINUTE}, "Scenario.lead_time: "),
        ({"lead_time": {"gpu": MINUTE}}, "a lead time for each of the presets ['web'], and for no other"),
        ({"failure_rate": 1.5}, "Scenario.failure_rate: 1.5 is not allowed; it must be a number from 0 to 1"),
        ({"interval": timedelta()}, "it must be a timedelta from 1 second to 36525 days, or None"),
        ({"on_miss": "leave"}, "Scenario.on_miss: 'leave' is not allowed"),
        ({"promotions": [Promotion(at=BEGIN, template_id="t")]}, "Scenario.promotions[0]: "),
        ({"invalidations": [Invalidation(at=BEGIN, preset_id="gpu")]}, "Scenario.invalidations[0]: "),
    ],
)
def test_a_scenario_that_cannot_be_is_refused(changes: dict[str, Any], problem: str) -> None:
    """The error names the place, the value and what is allowed."""
    with pytest.raises(InvalidValueError) as caught:
        make_scenario(**changes)
    assert problem in str(caught.value)


def test_claims_that_do_not_fit_the_scenario_are_refused() -> None:
    """A trace for each of several presets, of presets that are there, over a span that has the events."""
    both = make_scenario(fleet=[make_preset(), make_preset(id="gpu")])
    with pytest.raises(InvalidValueError, match="a mapping of preset ids, such as 'web', to Traces"):
        simulate(both, make_trace())
    with pytest.raises(UnknownPresetError):
        simulate(both, {"cpu": make_trace()})
    with pytest.raises(UnknownPresetError):
        simulate(both, {"gpu": make_trace()}).for_preset("cpu")
    late = make_scenario(promotions=[Promotion(at=END + MINUTE)])
    with pytest.raises(InvalidValueError, match=r"simulate.scenario.promotions\[0\].at"):
        simulate(late, make_trace())
    row = Prebuild(id="a", preset_id="web", created_at=BEGIN)
    fleet = GlobalSnapshot(presets=[make_preset()], running=[row])
    with pytest.raises(InvalidValueError, match=r"simulate.scenario.fleet.running\[0\].created_at"):
        simulate(make_scenario(fleet=fleet, starts_full=False), make_trace())


def test_a_progress_bar_is_shown_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, and the result is the same."""
    scenario, trace = make_scenario(interval=MINUTE), make_trace(MINUTE)
    assert simulate(scenario, trace, progress=True) == simulate(scenario, trace)
    assert capsys.readouterr().out == ""


def test_a_snapshot_is_edited_by_fields_or_by_a_function() -> None:
    fleet = GlobalSnapshot(presets=[make_preset(), make_preset(id="gpu")])
    edited = edit_snapshot(fleet, {"gpu": {"desired_instances": 9}})
    assert [preset.desired_instances for preset in edited.presets] == [3, 9]
    assert edit_snapshot(fleet, lambda snapshot: attrs.evolve(snapshot, presets=[])) == GlobalSnapshot()
    with pytest.raises(UnknownPresetError):
        edit_snapshot(fleet, {"cpu": {}})
    with pytest.raises(InvalidValueError, match="desired"):
        edit_snapshot(fleet, {"gpu": {"desired": 9}})
    with pytest.raises(InvalidValueError, match="a function that gives a GlobalSnapshot"):
        edit_snapshot(fleet, lambda _: None)  # type: ignore[arg-type, return-value]
