"""Metrics show one moment of the store, and a scrape never touches the store."""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections import Counter as Sum
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context
from datetime import datetime, timedelta
from queue import Queue
from textwrap import dedent
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from prebuilds import (
    FailureClass,
    InvalidValueError,
    MissingExtraError,
    Policy,
    Preset,
    Schedule,
    Template,
    TemplateVersion,
)
from prebuilds.adapters.memory import MemoryStore
from prebuilds.errors import StoreBusyError
from prebuilds.runtime import Counter, MetricsCollector, Reconciler, Store, Transaction
from prebuilds.testing import strategies
from prebuilds.testing.clocks import ManualClock
from runtime.world import HOUR, NOW, SECOND, World, make_preset, make_version

INTERVAL = timedelta(seconds=60)
TIMEOUT = timedelta(seconds=10)
PREFIX = "coderd_prebuilt_workspaces_"
COUNTERS = ("created", "failed", "claimed", "claim_missed", "resource_replacements")
GAUGES = ("desired", "running", "eligible", "stuck", "overdue", "aging", "preset_hard_limited", "schedule_errors")
Labels = tuple[str, str, str]
WEB = ("template", "web", "org")


def make_collector(store: Store, **options: Any) -> MetricsCollector:
    return MetricsCollector(store, **{"clock": ManualClock(NOW), **options})


def scrape(collector: MetricsCollector) -> str:
    """What Prometheus gets."""
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry).decode()


def read_labels(collector: MetricsCollector, labels: Labels = WEB) -> dict[str, float]:
    """The series of a preset, by name."""
    return {
        sample.name.removeprefix(PREFIX): sample.value
        for family in collector.collect()
        for sample in family.samples
        if tuple(sample.labels.values()) == labels
    }


def read_single(collector: MetricsCollector, name: str) -> float | None:
    """The series of this name without labels, if there is one."""
    samples = [sample for family in collector.collect() for sample in family.samples if sample.name == PREFIX + name]
    assert len(samples) <= 1
    return samples[0].value if samples else None


def check_format(text: str, prefix: str) -> None:
    """What promtool looks for: every family described and typed once, no series twice, counters end in _total."""
    described = re.findall(r"^# HELP (\S+) \S", text, re.MULTILINE)
    typed = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    assert described == list(typed)
    assert len(set(described)) == len(described) == len(re.findall(r"^# TYPE", text, re.MULTILINE))
    assert all(re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", name) and name.startswith(prefix) for name in typed)
    samples = [sample for family in parse_text(text) for sample in family.samples]
    series = [(sample.name, frozenset(sample.labels.items())) for sample in samples]
    assert len(set(series)) == len(series)
    for name, kind in typed.items():
        assert name.endswith("_total") == (kind == "counter")
        assert name.endswith("_seconds") == (kind == "histogram")
        suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        own = {sample.name for sample in samples if sample.name.startswith(name)}
        assert own <= {name + each for each in suffixes}


def check_formats(collector: MetricsCollector, prefix: str = PREFIX) -> None:
    """Both the text format and OpenMetrics, which has rules of its own, as its parser knows."""
    check_format(scrape(collector), prefix)
    registry = CollectorRegistry()
    registry.register(collector)
    samples = {
        (sample.name, *sample.labels.items()): sample.value
        for family in parse_openmetrics(openmetrics.generate_latest(registry).decode())
        for sample in family.samples
    }
    assert samples == {
        (sample.name, *sample.labels.items()): sample.value
        for family in parse_text(scrape(collector))
        for sample in family.samples
    }


# What is told


def test_all_metrics_are_exported() -> None:
    """One preset that has created, claimed and failed; whole and in order."""
    world = World(make_preset(name="web", desired_instances=2))
    world.fill()
    world.claim("one")
    world.claim("two")
    world.claim("three")
    world.reconcile()
    world.builder.finish(ready=False)
    world.reports.replace_resource("p")
    collector = make_collector(world.store, clock=world.clock)
    collector.fetch()
    collector.observe_duration(timedelta(milliseconds=7))
    collector.observe_duration(timedelta(minutes=2))
    labels = '{organization_name="org",preset_name="web",template_name="template"}'
    expected = f"""\
        # HELP created_total Prebuilt workspaces that were requested.
        # TYPE created_total counter
        created_total{labels} 4.0
        # HELP failed_total Builds of prebuilt workspaces that failed.
        # TYPE failed_total counter
        failed_total{labels} 0.0
        # HELP claimed_total Prebuilt workspaces that users got.
        # TYPE claimed_total counter
        claimed_total{labels} 2.0
        # HELP claim_missed_total Claims that found no prebuilt workspace.
        # TYPE claim_missed_total counter
        claim_missed_total{labels} 1.0
        # HELP resource_replacements_total Prebuilt workspaces that needed a resource replaced when they were claimed.
        # TYPE resource_replacements_total counter
        resource_replacements_total{labels} 1.0
        # HELP desired Prebuilt workspaces that are wanted.
        # TYPE desired gauge
        desired{labels} 2.0
        # HELP running Prebuilt workspaces that run, including expired ones.
        # TYPE running gauge
        running{labels} 2.0
        # HELP eligible Prebuilt workspaces that users could get now.
        # TYPE eligible gauge
        eligible{labels} 0.0
        # HELP stuck Prebuilt workspaces that were not ready by their deadline.
        # TYPE stuck gauge
        stuck{labels} 0.0
        # HELP overdue Starts of prebuilt workspaces that did not end by their deadline.
        # TYPE overdue gauge
        overdue{labels} 0.0
        # HELP aging Prebuilt workspaces that are replaced before they expire.
        # TYPE aging gauge
        aging{labels} 0.0
        # HELP preset_hard_limited Whether no more workspaces are created for a preset, as its builds keep failing (1), or not (0).
        # TYPE preset_hard_limited gauge
        preset_hard_limited{labels} 0.0
        # HELP schedule_errors Presets that keep their own count, as their schedules cannot be used.
        # TYPE schedule_errors gauge
        schedule_errors{labels} 0.0
        # HELP presets_held Presets that create nothing, or one workspace at most, as builds have failed.
        # TYPE presets_held gauge
        # HELP metrics_last_updated When these metrics were last read from the store, in Unix seconds; 0 if they never were.
        # TYPE metrics_last_updated gauge
        metrics_last_updated 1.79542626e+09
        # HELP reconciliation_paused Whether reconciliation is paused (1) or not (0).
        # TYPE reconciliation_paused gauge
        reconciliation_paused 0.0
        # HELP reconciliation_duration_seconds How long reconciliations of this process took, in seconds.
        # TYPE reconciliation_duration_seconds histogram
        reconciliation_duration_seconds_bucket{{le="0.005"}} 0.0
        reconciliation_duration_seconds_bucket{{le="0.01"}} 1.0
        reconciliation_duration_seconds_bucket{{le="0.025"}} 1.0
        reconciliation_duration_seconds_bucket{{le="0.05"}} 1.0
        reconciliation_duration_seconds_bucket{{le="0.1"}} 1.0
        reconciliation_duration_seconds_bucket{{le="0.25"}} 1.0
        reconciliation_duration_seconds_bucket{{le="0.5"}} 1.0
        reconciliation_duration_seconds_bucket{{le="1.0"}} 1.0
        reconciliation_duration_seconds_bucket{{le="2.5"}} 1.0
        reconciliation_duration_seconds_bucket{{le="5.0"}} 1.0
        reconciliation_duration_seconds_bucket{{le="10.0"}} 1.0
        reconciliation_duration_seconds_bucket{{le="30.0"}} 1.0
        reconciliation_duration_seconds_bucket{{le="60.0"}} 1.0
        reconciliation_duration_seconds_bucket{{le="+Inf"}} 2.0
        reconciliation_duration_seconds_count 2.0
        reconciliation_duration_seconds_sum 120.007
        """  # noqa: E501
    assert scrape(collector).replace(PREFIX, "") == dedent(expected)
    check_formats(collector)


def test_before_the_first_fetch_nothing_is_known() -> None:
    """Neither of presets nor of the pause, and the instant of the last update is 0."""
    collector = make_collector(MemoryStore())
    told = {sample.name for family in collector.collect() for sample in family.samples}
    assert {name.removeprefix(PREFIX) for name in told} == {
        "metrics_last_updated",
        *(f"reconciliation_duration_seconds_{suffix}" for suffix in ("bucket", "count", "sum")),
    }
    assert read_single(collector, "metrics_last_updated") == 0
    check_formats(collector)


def test_equal_labels_make_one_series() -> None:
    """A template that was deleted and made again under its name, and the presets of its versions: counts are summed."""
    old = make_preset(id="old", name="web", desired_instances=1)
    new = make_preset(id="new", name="web", desired_instances=2)
    world = World(old, new)
    world.fill()
    world.promote(old)
    collector = make_collector(world.store, clock=world.clock)
    collector.fetch()
    told = read_labels(collector)
    expected = {"created_total": 3, "desired": 2, "running": 3, "eligible": 2, "preset_hard_limited": 0}
    assert {name: told[name] for name in expected} == expected
    check_formats(collector)


def test_the_id_distinguishes_series_without_a_name() -> None:
    """Of the preset, the template and the organisation: else all that have no name would be one series."""
    nameless = TemplateVersion(template=Template(id="t-1", organization_id="o-1"))
    world = World(
        make_preset(id="web", desired_instances=1),
        make_preset(id="gpu", desired_instances=2, template_version=nameless),
    )
    collector = make_collector(world.store)
    collector.fetch()
    assert read_labels(collector, WEB)["desired"] == 1
    assert read_labels(collector, ("t-1", "gpu", "o-1"))["desired"] == 2


def test_schedules_that_cannot_be_used_are_counted() -> None:
    """Field case 26: of active presets, as those of others are not read; two of equal labels count as two."""
    bad = [Schedule(cron="* * * * 6-8", instances=1)]
    ids = {"a": bad, "b": bad, "c": [], "d": bad}
    world = World(*(make_preset(id=name, name="web", schedules=value, timezone="UTC") for name, value in ids.items()))
    world.promote(make_preset(id="d", name="web", schedules=bad, timezone="UTC"))
    collector = make_collector(world.store)
    collector.fetch()
    assert read_labels(collector)["schedule_errors"] == 2
    check_formats(collector)


def list_held(collector: MetricsCollector) -> dict[tuple[str, str], float]:
    """The series of `presets_held`, by state and failure."""
    collector.fetch()
    families = [family for family in collector.collect() if family.name == f"{PREFIX}presets_held"]
    samples = [sample for family in families for sample in family.samples]
    assert {tuple(sample.labels.values())[:3] for sample in samples} <= {WEB}
    return {(sample.labels["state"], sample.labels["failure"]): sample.value for sample in samples}


def fail_all(world: World, failure: FailureClass = FailureClass.TRANSIENT) -> None:
    """Begin what is wanted, and let all of it fail."""
    world.reconcile()
    for build_id in tuple(world.builder.taken):
        world.reports.fail(build_id, failure=failure)


def test_presets_that_failures_hold_are_counted_by_state_and_failure() -> None:
    """Two of equal labels that are held alike are 2. A preset that creates what it wants has no series."""
    world = World(*(make_preset(id=name, name="web", desired_instances=1) for name in "ab"))
    collector = make_collector(world.store, clock=world.clock)
    assert list_held(collector) == {}
    fail_all(world, FailureClass.CAPACITY)
    assert list_held(collector) == {("backoff", "capacity"): 2}
    check_formats(collector)
    world.clock.advance(HOUR)
    assert list_held(collector) == {}
    fail_all(world)
    world.controls.reset("b")
    assert list_held(collector) == {("backoff", "transient"): 1}


def test_a_hard_limit_is_told_with_its_cause_and_its_probes() -> None:
    """A failure for the CONFIGURATION limits at once. A probe shows while it is due or under way."""
    policy = Policy(probe_interval=HOUR)
    world = World(make_preset(name="web", desired_instances=2), policy=policy)
    plain, probed = (make_collector(world.store, clock=world.clock, policy=each) for each in (Policy(), policy))
    fail_all(world, FailureClass.CONFIGURATION)
    assert list_held(probed) == list_held(plain) == {("hard_limited", "configuration"): 1}
    world.clock.advance(HOUR)
    assert list_held(probed) == {("probing", "configuration"): 1}, "it is due"
    assert list_held(plain) == {("hard_limited", "configuration"): 1}
    world.reconcile()
    world.clock.advance(SECOND)
    assert list_held(probed) == {("probing", "configuration"): 1}, "it is under way"
    world.builder.finish()
    assert list_held(probed) == {}
    check_formats(probed)


def test_an_inactive_preset_is_held_by_nothing() -> None:
    """It creates nothing anyway."""
    world = World(make_preset(name="web", desired_instances=1))
    fail_all(world)
    collector = make_collector(world.store, clock=world.clock)
    assert list_held(collector) == {("backoff", "transient"): 1}
    world.promote(make_preset(name="web", desired_instances=1))
    assert list_held(collector) == {}


def test_counts_of_a_preset_that_is_gone_are_not_lost() -> None:
    """They stand under empty labels, which a sum over all includes."""
    store = MemoryStore()
    with store.transaction() as tx:
        tx.count("gone", Counter.CREATED)
        tx.count("gone too", Counter.CREATED)
    collector = make_collector(store)
    collector.fetch()
    told = {**dict.fromkeys(COUNTERS, 0), "created": 2}
    assert read_labels(collector, ("", "", "")) == {f"{name}_total": value for name, value in told.items()}


class InterruptedStore(MemoryStore):
    """A store in which something is committed between two reads of each transaction of others."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], None] | None = None
        self.options: list[dict[str, Any]] = []

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Transaction]:
        with super().transaction(**options) as tx:
            if self.meanwhile:
                self.options.append(options)
                meanwhile, read_rows = self.meanwhile, tx.read_rows
                self.meanwhile = None

                def read_and_interrupt(*arguments: Any, **options: Any) -> Any:
                    rows = read_rows(*arguments, **options)
                    Context().run(meanwhile)
                    return rows

                tx.read_rows = read_and_interrupt  # type: ignore[method-assign]
            yield tx


def test_state_and_counters_are_of_one_moment() -> None:
    """One read-only transaction, which does not see later commits."""
    store = InterruptedStore()
    world = World(make_preset(name="web"), store=store)
    world.fill()
    collector = make_collector(store, clock=world.clock)

    def change() -> None:
        world.claim()
        world.controls.pause()

    store.meanwhile = change
    collector.fetch()
    told = read_labels(collector)
    assert (told["running"], told["claimed_total"], read_single(collector, "reconciliation_paused")) == (2, 0, 0)
    assert [
        {name: value.value if name == "isolation" else value for name, value in o.items()} for o in store.options
    ] == [{"isolation": "repeatable_read", "read_only": True}]
    collector.fetch()
    told = read_labels(collector)
    assert (told["running"], told["claimed_total"], read_single(collector, "reconciliation_paused")) == (1, 1, 1)


def test_every_replica_reports_the_same_even_while_paused() -> None:
    """Hard limits and the pause depend on the store alone, not on which replica reconciles, if any."""
    world = World(make_preset(name="web", desired_instances=3))
    for _ in range(3):
        world.reconcile()
        world.builder.finish(succeed=False)
        world.clock.advance(HOUR)
    world.controls.pause()
    collectors = [make_collector(world.store, clock=world.clock) for _ in range(2)]
    for collector in collectors:
        collector.fetch()
    assert scrape(collectors[0]) == scrape(collectors[1])
    assert read_labels(collectors[0])["preset_hard_limited"] == 1
    assert read_single(collectors[0], "reconciliation_paused") == 1
    world.controls.reset("p")
    world.controls.resume()
    collectors[0].fetch()
    assert read_labels(collectors[0])["preset_hard_limited"] == 0
    assert read_single(collectors[0], "reconciliation_paused") == 0


def test_a_candidate_is_neither_desired_nor_eligible_yet() -> None:
    """It may share its labels with the active version's preset, and serves nobody. What runs is counted."""
    old = make_preset(name="web", desired_instances=1)
    new = attrs.evolve(old, id="q", template_version=make_version("v2", is_active=False, is_candidate=True))
    world = World(old, new)
    world.fill()
    collector = make_collector(world.store, clock=world.clock)
    collector.fetch()
    told = read_labels(collector)
    assert (told["desired"], told["eligible"], told["running"]) == (1, 1, 2)


def test_an_inactive_preset_is_not_reported_as_hard_limited() -> None:
    """Nothing is to be made for it, and the active version's preset may share its labels."""
    preset = make_preset(name="web", desired_instances=3)
    world = World(preset)
    for _ in range(3):
        world.reconcile()
        world.builder.finish(succeed=False)
        world.clock.advance(HOUR)
    collector = make_collector(world.store, clock=world.clock)
    collector.fetch()
    assert read_labels(collector)["preset_hard_limited"] == 1
    world.promote(preset)
    collector.fetch()
    assert read_labels(collector)["preset_hard_limited"] == 0


@pytest.mark.parametrize("limited", ["a", "b"])
def test_a_series_is_hard_limited_if_one_of_its_presets_is(limited: str) -> None:
    """The flag of presets of equal labels is no sum."""
    world = World(*(make_preset(id=name, name="web", desired_instances=1) for name in ("a", "b")))
    world.reconciler.reconcile_preset(limited)
    world.builder.finish(succeed=False)
    collector = make_collector(world.store, clock=world.clock, policy=Policy(failure_hard_limit=1))
    collector.fetch()
    assert read_labels(collector)["preset_hard_limited"] == 1


def test_hard_limits_follow_the_policy() -> None:
    """That of the reconciler, as the one that is given."""
    world = World(make_preset(name="web", desired_instances=1))
    world.reconcile()
    world.builder.finish(succeed=False)
    for limit in (1, 0):
        collector = make_collector(world.store, clock=world.clock, policy=Policy(failure_hard_limit=limit))
        collector.fetch()
        assert read_labels(collector)["preset_hard_limited"] == limit


def test_gauges_stand_at_the_instant_of_the_fetch() -> None:
    """Time that passes between two fetches changes nothing, though windows close and prebuilds expire."""
    schedule = Schedule(cron="* 9 * * *", instances=3)
    world = World(make_preset(name="web", desired_instances=1, timezone="UTC", schedules=[schedule], ttl=HOUR))
    world.fill()
    collector = make_collector(world.store, clock=world.clock)
    collector.fetch()
    before = scrape(collector)
    assert read_labels(collector)["desired"] == read_labels(collector)["eligible"] == 3
    world.clock.advance(2 * HOUR)
    assert scrape(collector) == before
    collector.fetch()
    told = read_labels(collector)
    assert (told["desired"], told["running"], told["eligible"]) == (1, 3, 0)
    assert read_single(collector, "metrics_last_updated") == world.clock.now().timestamp()


def test_the_instant_is_taken_once_there_is_a_connection() -> None:
    """Builds that ended during the wait for it are included."""
    clock = ManualClock(NOW)

    class SlowStore(MemoryStore):
        @contextmanager
        def transaction(self, **options: Any) -> Iterator[Transaction]:
            clock.advance(HOUR)
            with super().transaction(**options) as tx:
                yield tx

    collector = make_collector(SlowStore(), clock=clock)
    collector.fetch()
    assert read_single(collector, "metrics_last_updated") == (NOW + HOUR).timestamp()


# Formats


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=5).map(
    lambda text: re.sub("[\u202a-\u202e\u2066-\u2069]", "", text)
)


@st.composite
def presets_with_names(draw: st.DrawFn) -> list[Preset]:
    names = st.sampled_from(["", "web", "\\", '"', "\\n", "é😀", "{a=1}", "#"]) | TEXT
    return [
        Preset(
            id=f"p{number}",
            name=draw(names),
            desired_instances=draw(st.integers(0, 5)),
            template_version=TemplateVersion(
                template=Template(name=draw(names), organization_name=draw(names), deleted=draw(st.booleans()))
            ),
        )
        for number in range(draw(st.integers(0, 5)))
    ]


@settings(max_examples=50)
@given(
    presets_with_names(),
    st.lists(st.tuples(st.sampled_from(["p0", "p1", "p2", "gone"]), st.sampled_from(list(Counter)))),
)
def test_the_output_is_valid_whatever_the_names(presets: list[Preset], counts: list[tuple[str, Counter]]) -> None:
    """Labels come back unchanged, no series appears twice, and the sums lose nothing."""
    store = MemoryStore()
    with store.transaction() as tx:
        for preset in presets:
            tx.put_preset(preset)
        for preset_id, counter in counts:
            tx.count(preset_id, counter)
    collector = make_collector(store)
    collector.fetch()
    check_formats(collector)
    desired: Sum[Labels] = Sum()
    for preset in presets:
        template = preset.template_version.template
        labels = (
            template.name or template.id,
            preset.name or preset.id,
            template.organization_name or template.organization_id,
        )
        desired[labels] += preset.desired_instances * preset.is_active
    told, total = {}, 0.0
    for family in parse_text(scrape(collector)):
        for sample in family.samples:
            if sample.name == f"{PREFIX}desired":
                labels = sample.labels
                told[labels["template_name"], labels["preset_name"], labels["organization_name"]] = sample.value
            total += sample.value if sample.name.endswith("_total") else 0
    assert told == desired
    assert total == len(counts)


@settings(max_examples=30)
@given(strategies.global_snapshots(now=NOW))
def test_gauges_are_the_counts_of_the_decisions(snapshot: Any) -> None:
    """The desired counts are those of the plans of active presets, summed by labels. A store knows no demand yet."""
    snapshot, store = attrs.evolve(snapshot, demand=()), MemoryStore()
    with store.transaction() as tx:
        for preset in snapshot.presets:
            tx.put_preset(preset)
    collector = make_collector(store)
    collector.fetch()
    targets = [each.target.desired for each in snapshot.iterate_presets(NOW) if each.preset.is_active]
    values = [s.value for family in collector.collect() for s in family.samples if s.name == f"{PREFIX}desired"]
    assert sum(values) == sum(targets)
    check_formats(collector)


@settings(max_examples=20)
@given(st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,20}", fullmatch=True) | st.just(""))
def test_any_valid_prefix_gives_valid_names(prefix: str) -> None:
    """No metric's name becomes another's, and both formats can be read."""
    world = World(make_preset(name="web"))
    collector = make_collector(world.store, clock=world.clock, prefix=prefix)
    collector.fetch()
    check_formats(collector, prefix)


@pytest.mark.parametrize("prefix", ["1a", "a:b", "a-b", "a b", "é_", "a\n", "٣", "{", None, b"a_"])
def test_a_bad_prefix_is_refused(prefix: Any) -> None:
    """At construction, with the allowed values. Colons are for recording rules."""
    with pytest.raises(
        InvalidValueError, match=r"MetricsCollector\.prefix: .* must be letters, digits and underscores"
    ):
        make_collector(MemoryStore(), prefix=prefix)


@pytest.mark.parametrize("name", ["interval", "timeout"])
@pytest.mark.parametrize("wait", [timedelta(), -SECOND, timedelta(days=2), 60, None])
def test_a_bad_wait_is_refused(name: str, wait: Any) -> None:
    """It is a duration of more than nothing."""
    with pytest.raises(InvalidValueError, match=rf"MetricsCollector\.{name}: .* a timedelta of more than 0"):
        make_collector(MemoryStore(), **{name: wait})


def test_two_collectors_in_one_registry_need_two_prefixes() -> None:
    """Else their series would be there twice: the registry refuses the second, even before the first fetch."""
    registry = CollectorRegistry()
    registry.register(make_collector(MemoryStore()))
    registry.register(make_collector(MemoryStore(), prefix="other_"))
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        registry.register(make_collector(MemoryStore()))


def test_without_prometheus_client_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the collector is made, rather than at the first scrape."""
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(MissingExtraError, match=r"prometheus-client is not installed; .*prebuilds\[metrics\]"):
        make_collector(MemoryStore())


# Durations


BOUNDS = st.sampled_from([timedelta(milliseconds=5), SECOND, timedelta(seconds=2.5), timedelta(minutes=1)])


@given(st.lists(BOUNDS | st.timedeltas(timedelta(), timedelta(minutes=2))))
def test_durations_are_counted_by_buckets(durations: list[timedelta]) -> None:
    """Each bucket has those up to its bound, the bound included; the sum is in seconds."""
    collector = make_collector(MemoryStore())
    for duration in durations:
        collector.observe_duration(duration)
    (family,) = [family for family in collector.collect() if family.type == "histogram"]
    for sample in family.samples:
        if sample.name.endswith("_bucket"):
            bound = float(sample.labels["le"])
            assert sample.value == sum(duration.total_seconds() <= bound for duration in durations)
        elif sample.name.endswith("_count"):
            assert sample.value == len(durations)
        else:
            assert sample.value == pytest.approx(sum(duration.total_seconds() for duration in durations))


@pytest.mark.parametrize("elapsed", [-SECOND, 1.0, None])
def test_a_duration_is_a_timedelta_and_not_negative(elapsed: Any) -> None:
    """Anything else is an error of the caller."""
    with pytest.raises(InvalidValueError, match=r"observe_duration\.elapsed: .* must be a timedelta of 0 or more"):
        make_collector(MemoryStore()).observe_duration(elapsed)


def test_a_reconciler_tells_how_long_its_passes_took() -> None:
    """By its hook for results."""
    world = World()
    collector = make_collector(world.store)
    reconciler = Reconciler(
        world.store,
        world.builder,
        options=world.options,
        on_result=lambda result: collector.observe_duration(result.elapsed),
    )
    reconciler.reconcile_all()
    reconciler.reconcile_preset("p")
    assert read_single(collector, "reconciliation_duration_seconds_count") == 2


def test_no_duration_of_many_threads_is_lost() -> None:
    """Workers tell at the same time."""
    collector = make_collector(MemoryStore())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: collector.observe_duration(SECOND), range(2_000)))
    assert read_single(collector, "reconciliation_duration_seconds_count") == 2_000
    assert read_single(collector, "reconciliation_duration_seconds_sum") == 2_000


# The background


class ScriptedClock(ManualClock):
    """Every wait is met by the test, which lets it end: by the event, or by the time."""

    def __init__(self, now: datetime) -> None:
        super().__init__(now)
        self._waits: Queue[timedelta] = Queue()
        self._ends: Queue[bool] = Queue()

    def wait(self, event: threading.Event, timeout: timedelta) -> bool:
        self._waits.put(timeout)
        return event.wait(60) if self._ends.get(timeout=60) else super().wait(event, timeout)

    def meet(self, timeout: timedelta) -> None:
        """Wait until somebody waits for this long."""
        assert self._waits.get(timeout=60) == timeout

    def let_event_come(self) -> None:
        self._ends.put(True)  # noqa: FBT003 - a queue has no names

    def let_time_pass(self) -> None:
        self._ends.put(False)  # noqa: FBT003


class HangingStore(MemoryStore):
    """A store whose transactions wait until it is opened; `error` is raised then, if there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = threading.Event()
        self.opened.set()
        self.begun = 0
        self.error: Exception | None = None

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Transaction]:
        self.begun += 1
        assert self.opened.wait(60)
        if self.error:
            raise self.error
        with super().transaction(**options) as tx:
            yield tx


class Background:
    """A collector that fetches in the background, in the hands of a test."""

    def __init__(self) -> None:
        self.clock = ScriptedClock(NOW)
        self.store = HangingStore()
        self.collector = MetricsCollector(self.store, clock=self.clock, interval=INTERVAL, timeout=TIMEOUT)

    def fetch(self) -> None:
        """Let a fetch come to its end, and meet the wait for the next one."""
        self.clock.meet(TIMEOUT)
        self.clock.let_event_come()
        self.clock.meet(INTERVAL)

    def close(self) -> None:
        """Close while it waits for the next fetch."""
        self.clock.let_event_come()
        self.collector.close()

    @property
    def last_updated(self) -> datetime:
        told = read_single(self.collector, "metrics_last_updated")
        assert told is not None
        return datetime.fromtimestamp(told, NOW.tzinfo)


def list_threads() -> list[str]:
    return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("prebuilds-metrics"))


@pytest.fixture
def background() -> Iterator[Background]:
    made = Background()
    yield made
    made.store.opened.set()
    made.clock.let_event_come()
    made.clock.let_event_come()
    made.collector.close()
    for thread in threading.enumerate():
        if thread.name.startswith("prebuilds-metrics"):
            thread.join(60)


def test_it_fetches_at_once_and_then_at_each_interval(background: Background) -> None:
    """Between fetches the metrics do not change."""
    background.collector.start()
    background.fetch()
    assert background.last_updated == NOW
    for count in (1, 2):
        background.clock.let_time_pass()
        background.fetch()
        assert background.last_updated == NOW + count * INTERVAL
    background.close()
    assert list_threads() == []


def test_scrapes_answer_while_the_store_hangs(background: Background, caplog: pytest.LogCaptureFixture) -> None:
    """From what was read last, and at once; the instant of the last update stands still until the store is back."""
    collector, clock, store = background.collector, background.clock, background.store
    collector.start()
    background.fetch()
    before = scrape(collector)
    store.opened.clear()
    clock.let_time_pass()
    clock.meet(TIMEOUT)
    assert {scrape(collector) for _ in range(100)} == {before}
    clock.let_time_pass()  # the fetch has lasted too long
    for _ in range(3):
        clock.meet(INTERVAL)
        assert scrape(collector) == before
        assert list_threads() == ["prebuilds-metrics", "prebuilds-metrics-fetch"]
        clock.let_time_pass()
    clock.meet(INTERVAL)
    assert store.begun == 2
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "metrics not fetched in time",
        *["metrics not fetched: the last fetch is still under way"] * 3,
    ]
    assert vars(caplog.records[0])["seconds"] == 10
    hanging = collector._attempt
    assert hanging is not None
    store.opened.set()
    assert hanging.settled.wait(60)
    assert scrape(collector) == before  # what came too late is not told
    clock.let_time_pass()
    background.fetch()
    assert background.last_updated == NOW + 5 * INTERVAL + TIMEOUT
    background.close()


def test_a_scrape_never_touches_the_store() -> None:
    """Neither before the first fetch nor after."""
    store = HangingStore()
    collector = make_collector(store)
    scrape(collector)
    assert store.begun == 0
    collector.fetch()
    scrape(collector)
    list(collector.describe())
    assert store.begun == 1


def test_a_failed_fetch_keeps_what_was_read_last(background: Background, caplog: pytest.LogCaptureFixture) -> None:
    """The error is logged, and the next fetch comes as if nothing had been."""
    background.collector.start()
    background.fetch()
    before = scrape(background.collector)
    background.store.error = StoreBusyError(5)
    background.clock.let_time_pass()
    background.fetch()
    assert scrape(background.collector) == before
    (record,) = caplog.records
    told = "metrics not fetched: StoreBusyError: the store was held by other writers for 5 s"
    assert (record.getMessage(), record.levelno, record.exc_info) == (told, logging.ERROR, None)
    background.store.error = None
    background.clock.let_time_pass()
    background.fetch()
    assert background.last_updated == NOW + 2 * INTERVAL
    background.close()


def test_a_fetch_in_the_calling_thread_raises() -> None:
    """The caller gets the error, and the last reading stays."""
    store = HangingStore()
    collector = make_collector(store)
    collector.fetch()
    before = scrape(collector)
    store.error = StoreBusyError(5)
    with pytest.raises(StoreBusyError):
        collector.fetch()
    assert scrape(collector) == before


def test_without_a_free_thread_it_tries_again(
    background: Background, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error of the machine ends nothing."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "prebuilds-metrics-fetch":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    background.collector.start()
    background.clock.meet(INTERVAL)
    assert [record.getMessage() for record in caplog.records] == [
        "metrics not fetched: RuntimeError: can't start new thread"
    ]
    monkeypatch.undo()
    background.clock.let_time_pass()
    background.fetch()
    assert background.last_updated == NOW + INTERVAL
    background.close()


def test_starting_and_closing_twice_is_as_once(background: Background) -> None:
    """One thread, and none in the end. Scrapes still get the last reading."""
    for _ in range(2):
        background.collector.start()
    background.fetch()
    assert background.store.begun == 1
    before = scrape(background.collector)
    background.close()
    background.collector.close()
    assert list_threads() == []
    assert scrape(background.collector) == before


def test_a_closed_collector_stays_closed() -> None:
    """Whether it has been started or not."""
    background = Background()
    background.collector.close()
    background.collector.start()
    assert background.collector._thread is None
    background.collector._try_fetch()  # as a thread does that comes to it while another closes
    assert (list_threads(), background.store.begun) == ([], 0)


def test_closing_does_not_wait_for_a_store_that_hangs(background: Background) -> None:
    """The loop ends at once, and the fetch when the store returns. Its reading is not used."""
    background.collector.start()
    background.fetch()
    background.store.opened.clear()
    background.clock.let_time_pass()
    background.clock.meet(TIMEOUT)
    before = scrape(background.collector)
    background.clock.let_event_come()
    background.clock.let_event_come()
    background.collector.close()
    assert list_threads() == ["prebuilds-metrics-fetch"]
    background.store.opened.set()
    (fetch,) = [thread for thread in threading.enumerate() if thread.name == "prebuilds-metrics-fetch"]
    fetch.join(60)
    assert scrape(background.collector) == before
