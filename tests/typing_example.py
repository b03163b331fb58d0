"""A typed host, read by mypy and pyright and run by nobody: every public call, with the types that it gives."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from typing_extensions import assert_type

from prebuilds import (
    ActionType,
    Autoscale,
    Backoff,
    Budget,
    BudgetScope,
    Build,
    Change,
    Decision,
    Expectations,
    FailureClass,
    Finding,
    GlobalSnapshot,
    HardLimit,
    Plan,
    PlanDiff,
    Policy,
    Prebuild,
    Precedence,
    Preset,
    PresetSnapshot,
    ReconciliationActions,
    ReconciliationState,
    Schedule,
    ScheduleProblem,
    Severity,
    SharedHour,
    Target,
    Window,
    calculate_actions,
    calculate_backoffs,
    calculate_hard_limited,
    calculate_hard_limits,
    calculate_state,
    calculate_target,
    can_skip_reconciliation,
    check_schedules,
    check_settings,
    diff,
    dump_plan,
    dump_snapshot,
    expect,
    find_shared_hour,
    is_overlapping,
    load_snapshot,
    parse_window,
    plan,
)
from prebuilds.lint import Finding as LintFinding
from prebuilds.lint import find_publishing
from prebuilds.runtime import (
    BackgroundRelay,
    BuildReports,
    BuildRequest,
    Claim,
    Clock,
    Message,
    MetricsCollector,
    OutboxRelay,
    Pools,
    PubSub,
    Reconciler,
    ReconcilerOptions,
    Store,
    Transaction,
    WorkspaceBuilder,
    run_in_threads,
)
from prebuilds.testing import (
    Check,
    ContractReport,
    FaultReport,
    Feature,
    ManualClock,
    PubSubCheck,
    StoreCheck,
    check_claims,
    check_pubsub,
    check_reconciler,
    check_store,
    list_claim_checks,
    list_pubsub_checks,
    list_store_checks,
    replay_reconciler,
)


def make_snapshot(rows: Iterable[Mapping[str, str]], now: datetime) -> GlobalSnapshot:
    """Collections of any kind are taken, and held as tuples."""
    preset = Preset(
        id="p",
        desired_instances=1,
        ttl=timedelta(hours=1),
        schedules=[Schedule(cron="* 8-18 * * *", instances=2)],
        parameters={"cpu": "4"},
    )
    assert_type(preset.schedules, tuple[Schedule, ...])
    assert_type(preset.parameters, tuple[tuple[str, str], ...])
    assert_type(preset.is_active, bool)
    assert_type(preset.autoscale, Autoscale | None)
    return GlobalSnapshot(
        presets=[preset], running=(Prebuild(id=row["id"], preset_id="p", created_at=now) for row in rows)
    )


def decide(snapshot: GlobalSnapshot) -> Plan:
    """The whole pipeline, and its parts."""
    now = datetime.now(timezone.utc)
    single = snapshot.for_preset("p", now)
    assert_type(single, PresetSnapshot)
    assert_type(calculate_target(single.preset, now=now), Target)
    assert_type(calculate_state(single), ReconciliationState)
    assert_type(calculate_actions(single, Policy()), tuple[ReconciliationActions, ...])
    assert_type(can_skip_reconciliation(single), bool)
    return plan(snapshot, now=now, policy=Policy(failure_hard_limit=0), paused=False)


def carry_out(made: Plan) -> datetime | None:
    """What a host reads of a plan."""
    for decision in made:
        assert_type(decision, Decision)
        assert_type(decision.state, ReconciliationState)
        assert_type(decision.why, tuple[str, ...])
        for action in decision.actions:
            if action.type is ActionType.CREATE:
                assert_type(action.create, int)
            elif action.type is ActionType.DELETE:
                assert_type(action.delete_ids, tuple[str, ...])
    assert_type(made.next_change, Change | None)
    assert_type(made.explain(), str)
    return made.next_change_at


def share(snapshot: GlobalSnapshot, now: datetime) -> str:
    """A budget, and the one that withholds a create."""
    budgets = [Budget(max_starting=20), Budget(scope=BudgetScope.TEMPLATE, key="t", max_instances=9)]
    made = plan(snapshot, now=now, policy=Policy(budgets=budgets, slow_start=True))
    assert_type(made.decisions[0].withheld[0].budget, str)
    return made.decisions[0].withheld[0].label


def look_back(builds: Iterable[Build], presets: Iterable[Preset], now: datetime) -> GlobalSnapshot:
    """Past builds as the snapshot's backoffs and hard limits."""
    past = list(builds)
    backoffs = calculate_backoffs(past, presets, now=now)
    limited = calculate_hard_limited(past, now=now, resets={"p": now})
    assert_type(backoffs, tuple[Backoff, ...])
    assert_type(limited, tuple[str, ...])
    limits = calculate_hard_limits(past, now=now, presets=presets)
    assert_type(limits, tuple[HardLimit, ...])
    assert_type(limits[0].failure, FailureClass)
    return GlobalSnapshot(presets=presets, backoffs=backoffs, hard_limited=limited)


def inspect(before: Plan, after: Plan) -> None:
    """Differences, documents and windows."""
    assert_type(diff(before, after), PlanDiff)
    assert_type(dump_plan(after), dict[str, Any])
    snapshot = load_snapshot({"presets": []})
    assert_type(snapshot, GlobalSnapshot)
    expected = Expectations().add("p", creates=["w"], deadline=after.now).prune(snapshot, now=after.now)
    assert_type(expect(snapshot, expected), GlobalSnapshot)
    assert_type(dump_snapshot(snapshot), dict[str, Any])
    window = parse_window("* 8 * * *")
    assert_type(window, Window)
    assert_type(is_overlapping(window, window), bool)
    assert_type(find_shared_hour(window, window), SharedHour | None)
    assert_type(check_schedules([], None), tuple[ScheduleProblem, ...])
    for finding in check_settings([], lead_time=timedelta(minutes=5), budgets=[Budget(max_starting=1)]):
        assert_type(finding, Finding)
        assert_type(finding.kind.severity, Severity)
    day = Schedule(cron="* 8 * * *", instances=2, dates=[date(2026, 7, 27)], lead=timedelta(minutes=45))
    assert_type(day.dates, tuple[date, ...])
    assert_type(day.starts_on, date | None)
    assert_type(check_schedules([day], "UTC", Precedence.LAST_WINS), tuple[ScheduleProblem, ...])
    assert_type(Preset(id="p", desired_instances=1, precedence="last_wins").precedence, Precedence)


def tell(store: Store, clock: Clock) -> None:
    """Metrics, and how long passes took."""
    collector = MetricsCollector(store, clock=clock, prefix="pool_", interval=timedelta(seconds=30), policy=Policy())
    registry = CollectorRegistry()
    registry.register(collector)
    collector.start()
    collector.observe_duration(timedelta(seconds=1))
    assert_type(generate_latest(registry), bytes)
    collector.close()


def relay(store: Store, pubsub: PubSub) -> int:
    """Messages after commit."""
    with store.transaction() as tx:
        assert_type(tx, Transaction)
        tx.publish_on_commit(Message(topic="t", body="b"))
    relay = OutboxRelay(store, pubsub)
    BackgroundRelay(relay).close()
    return relay.flush()


def find(source: str) -> list[str]:
    """What the linter finds."""
    findings = find_publishing(ast.parse(source), source.splitlines())
    assert_type(findings, Sequence[LintFinding])
    return [f"{line}:{column}: {text}" for line, column, text in findings]


def prove(make_store: Callable[[], Store]) -> bool:
    """The loop over a host's store, with faults."""
    report = check_reconciler(make_store, without=[Feature.HISTORY], examples=10, most_runs=50, seed=1)
    assert_type(report, FaultReport)
    assert_type(report.left_out, tuple[Feature, ...])
    assert_type(report.explored.share, float)
    replay_reconciler(make_store, "grow faults=r0@3:after")
    return report.not_done == ()


def check_adapter(make_store: Callable[[], Store], make_pubsub: Callable[[], PubSub]) -> Clock:
    """Checks of an adapter, all at once and one by one, and a clock for tests."""
    assert_type(check_store(make_store), ContractReport)
    assert_type(check_claims(make_store).checks, tuple[Check, ...])
    assert_type(check_pubsub(make_pubsub), ContractReport)
    assert_type(list_claim_checks(), tuple[StoreCheck, ...])
    assert_type(list_pubsub_checks(), tuple[PubSubCheck, ...])
    for check in list_store_checks():
        check(make_store, pubsub_of=lambda _: make_pubsub())
        assert_type(check.name, str)
    return ManualClock(datetime.now(timezone.utc))


async def keep_full(store: Store, builder: WorkspaceBuilder) -> None:
    """A host that runs the loop beside asyncio."""
    reconciler = Reconciler(store, builder, options=ReconcilerOptions(holder=None))
    async with run_in_threads(reconciler):
        assert_type(reconciler.request_stop(), None)
    assert_type(reconciler.stop(timeout=timedelta(seconds=1)), bool)


class Builder:
    """A builder of the host's, made from the reports."""

    def __init__(self, reports: BuildReports) -> None:
        self.reports = reports

    def submit(self, request: BuildRequest, template_version_id: str, *, timeout: timedelta) -> None:  # noqa: ARG002
        """Do the build at once."""
        assert_type(self.reports.succeed(request.build_id), bool)


def use_the_front_door(store: Store, builder: WorkspaceBuilder, pubsub: PubSub) -> None:
    """A host with everything wired by the library, with its own builder and pubsub or those made for it."""
    with Pools(store, Builder) as pools, Pools(store, builder, pubsub=pubsub, options=ReconcilerOptions()) as others:
        pools.start()
        assert_type(pools.claim("p", owner_id="ann", name="dev", request_id="r"), Claim)
        assert_type(others.explain("p"), str)
        assert_type(others.metrics, MetricsCollector)
        assert_type(others.reconciler, Reconciler)
