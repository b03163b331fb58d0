"""The pictures of these pages, each drawn by the library from what it does: `conf.py` has them drawn for every build.

- A picture is drawn twice, for a light page and for a dark one. Nothing of it is kept in the repository.
- Everything in a picture is the same each time: the claims are those of `examples/`, and a clock that is moved by hand
  makes a morning pass in a second.
"""  # noqa: INP001

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import altair as alt
import attrs
import vl_convert

from prebuilds import HARDENED, Preset, load_snapshot
from prebuilds.adapters.memory import MemoryStore
from prebuilds.runtime import BuildReports, BuildRequest, Claims, Reconciler, ReconcilerOptions, Store
from prebuilds.testing import (
    CrashedError,
    Fault,
    FaultMode,
    FaultyBuilder,
    FaultyStore,
    Injector,
    ManualClock,
    ScriptedBuilder,
)
from prebuilds.whatif import Scenario, Trace, read_traces, simulate

Row = dict[str, Any]

EXAMPLES = Path(__file__).parent / "examples"
INKS = {
    "light": {"ink": "#1f2328", "grid": "#d9dde2"},
    "dark": {"ink": "#d5d9de", "grid": "#3a3f46", "#54585d": "#c3c9d0", "#b5bcc4": "#6b737c"},
}
"""The colours of text and lines for each kind of page, and those that the library's own charts have to give way to."""

_MINUTE = timedelta(minutes=1)
_LEAD_TIME = 6 * _MINUTE
_DAY = datetime(2026, 11, 10, tzinfo=timezone.utc)
_MORNING = (_DAY + timedelta(hours=6), _DAY + timedelta(hours=9))
_WIDTH = 440
_COUNTS = {"target": "#54585d", "ready": "#4c78a8", "starting": "#f58518"}
_REFRESHED = {"a ttl alone": "#f58518", "refreshed ahead": "#4c78a8"}
_HEALED = {"full after this pass": "#a9c6e3", "after one more": "#4c78a8"}


def draw_pictures(folder: Path) -> None:
    """Write every picture into the folder, each for a light and for a dark page. What was there before is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, chart in PICTURES.items():
        with quiet():
            drawn = chart()
        for kind in INKS:
            (folder / f"{name}-{kind}.svg").write_text(draw(drawn, kind), encoding="utf-8")


def draw(chart: Any, kind: str) -> str:
    """The chart as SVG, in colours that can be read on this kind of page."""
    colours = INKS[kind]
    text = {"labelColor": colours["ink"], "titleColor": colours["ink"]}
    lines = {"gridColor": colours["grid"], "domainColor": colours["grid"], "tickColor": colours["grid"]}
    configured = (
        chart.configure(background="transparent", font="sans-serif")
        .configure_axis(**text, **lines, labelFontSize=11, titleFontSize=11)
        .configure_legend(**text, orient="top", title=None, labelFontSize=12, symbolStrokeWidth=2)
        .configure_title(color=colours["ink"], subtitleColor=colours["ink"])
        .configure_view(stroke=colours["grid"])
    )
    spec = json.dumps(configured.to_dict())
    for own, other in colours.items():
        spec = spec.replace(own, other) if own.startswith("#") else spec
    return str(vl_convert.vegalite_to_svg(spec))


def chart_day() -> Any:
    """Foresee: a day of the example fleet's busiest preset, simulated, as the chart of a result shows it."""
    scenario = Scenario(fleet=_read_preset(), lead_time=_LEAD_TIME, interval=_MINUTE)
    chart = simulate(scenario, _read_claims().between(_DAY, _DAY + timedelta(days=1))).chart()
    for part, height in zip(chart.vconcat, (130, 60), strict=True):
        part.width, part.height = _WIDTH, height
    return chart


def chart_ttl() -> Any:
    """Foresee: a pool that was made at once and has a ttl, with and without refreshing ahead."""
    rows = alt.Data(values=list(expire()))
    time = alt.X("hours:Q", title="hours", axis=alt.Axis(tickCount=9))
    colour = alt.Color("what:N", scale=alt.Scale(domain=list(_REFRESHED), range=list(_REFRESHED.values())))
    count = alt.Y("ready:Q", title="ready", axis=alt.Axis(format="d", tickMinStep=1))
    chart = alt.Chart(rows).mark_line(interpolate="step-after")
    return chart.encode(x=time, y=count, color=colour).properties(width=_WIDTH, height=130)


def expire() -> Iterator[Row]:
    """How many of ten prebuilds are ready, over nine hours."""
    plain = Preset(id="web", desired_instances=10, ttl=timedelta(hours=4))
    ahead = attrs.evolve(plain, refresh_ahead=30 * _MINUTE, max_surge=3, ttl_jitter=0.2)
    nobody = Trace(ticks=(), begin=_DAY, end=_DAY + timedelta(hours=9))
    for what, preset in zip(_REFRESHED, (plain, ahead), strict=True):
        result = simulate(Scenario(fleet=preset, lead_time=15 * _MINUTE, policy=HARDENED), nobody)
        for row in result.timeline.to_dicts():
            yield {"what": what, "hours": (row["at"] - _DAY) / timedelta(hours=1), "ready": row["eligible"]}


def chart_morning() -> Any:
    """Run: three hours of the loop itself, over a store in memory. A window opens, and users come."""
    rows = alt.Data(values=list(live_morning()))
    time = alt.X("at:T", title="time (UTC)", scale=alt.Scale(type="utc"), axis=alt.Axis(format="%H:%M", tickCount=6))
    count = alt.Y("count:Q", title="prebuilds", stack="zero", axis=alt.Axis(format="d", tickMinStep=1))
    colour = alt.Color("what:N", scale=alt.Scale(domain=list(_COUNTS), range=list(_COUNTS.values())))
    bars = alt.Chart(rows).transform_filter("datum.what != 'target'").mark_area(interpolate="step-after", opacity=0.85)
    line = alt.Chart(rows).transform_filter("datum.what == 'target'").mark_line(interpolate="step-after")
    return alt.layer(
        bars.encode(x=time, y=count, color=colour, order="rank:Q"),
        line.encode(x="at:T", y="count:Q", color=colour, strokeDash=alt.value([5, 3]), strokeWidth=alt.value(1.5)),
    ).properties(width=_WIDTH, height=130)


def live_morning() -> Iterator[Row]:
    """What the pool wants and has after each pass of the loop, which makes one a minute."""
    begin, end = _MORNING
    clock, store = ManualClock(begin - 2 * _LEAD_TIME), MemoryStore()
    builder = SlowBuilder(store, clock)
    reconciler = Reconciler(store, builder, options=ReconcilerOptions(clock=clock))
    users, claims = Claims(store, clock=clock), iter(_read_claims().between(begin, end))
    with store.transaction() as tx:
        tx.put_preset(_read_preset())
    due = next(claims)
    while clock.now() < end:
        builder.work()
        while due <= clock.now():
            users.claim("backend-large", owner_id="ann", name=due.isoformat())
            due = next(claims, end)
        target = reconciler.reconcile_all().plan.decisions[0].state.desired
        if clock.now() >= begin:
            yield from _count(store, clock.now(), target)
        clock.advance(_MINUTE)


def _count(store: Store, now: datetime, target: int) -> Iterator[Row]:
    with store.transaction(read_only=True) as tx:
        is_ready = [row.ready for row in tx.read_rows().prebuilds]
    counts = {"target": target, "ready": is_ready.count(True), "starting": is_ready.count(False)}
    for rank, (what, count) in enumerate(counts.items()):
        yield {"at": now.isoformat(), "what": what, "count": count, "rank": rank}


class SlowBuilder:
    """A builder whose builds end when their lead time has passed by the clock."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self._reports, self._clock = BuildReports(store, clock=clock), clock
        self._taken: dict[str, tuple[datetime, BuildRequest]] = {}

    def submit(self, request: BuildRequest, template_version_id: str, *, timeout: timedelta) -> None:  # noqa: ARG002
        """Take a build."""
        self._taken.setdefault(request.build_id, (self._clock.now() + _LEAD_TIME, request))
        self._reports.begin(request.build_id)

    def work(self) -> None:
        """End the builds that are done by now."""
        for due, request in self._taken.values():
            if due <= self._clock.now() and self._reports.succeed(request.build_id):
                self._reports.make_ready(request.workspace_id)


def chart_faults() -> Any:
    """Prove: a pass of the loop that is broken at every point in every way, and how soon its pool is full again."""
    rows = alt.Data(values=list(break_everywhere()))
    healed = alt.Color("healed:N", scale=alt.Scale(domain=list(_HEALED), range=list(_HEALED.values())))
    modes = [mode.value for mode in FaultMode]
    return (
        alt.Chart(rows)
        .mark_rect(stroke="#808890", strokeWidth=0.5)
        .encode(
            x=alt.X("point:O", title="what is broken", sort=alt.SortField("rank"), axis=alt.Axis(labelAngle=-40)),
            y=alt.Y("mode:N", title="how", sort=modes),
            color=healed,
        )
        .properties(width=_WIDTH, height=120)
    )


def break_everywhere() -> Iterator[Row]:
    """Each point that a pass crosses, each fault there, and after how many more passes the pool is full."""
    whole, _ = run_broken_pass()
    for point, boundary in whole.crossed:
        for mode in FaultMode:
            _, passes = run_broken_pass(Fault(process="loop", point=point, mode=mode))
            name = f"{boundary.value} {point + 1}"
            yield {"point": name, "rank": point, "mode": mode.value, "passes": passes, "healed": list(_HEALED)[passes]}


def run_broken_pass(*faults: Fault) -> tuple[Injector, int]:
    """The points that a pass over a new pool crosses, and how many passes more the pool takes to be full."""
    clock, store, injector = ManualClock(_DAY), MemoryStore(), Injector("loop", faults)
    builder, options = ScriptedBuilder(store, clock), ReconcilerOptions(clock=clock)
    with store.transaction() as tx:
        tx.put_preset(Preset(id="web", desired_instances=3))
    with suppress(CrashedError, OSError):
        Reconciler(FaultyStore(store, injector), FaultyBuilder(builder, injector), options=options).reconcile_all()
    builder.work()
    passes = 0
    while _count_ready(store) < 3:
        clock.advance(2 * _MINUTE)  # the lease of a process that crashed is over
        Reconciler(store, builder, options=options).reconcile_all()
        builder.work()
        passes += 1
    return injector, passes


@contextmanager
def quiet() -> Iterator[None]:
    """The loop logs what it does, and each fault that is meant to be: a build of these pages shows neither."""
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _count_ready(store: Store) -> int:
    with store.transaction(read_only=True) as tx:
        return sum(row.ready for row in tx.read_rows().prebuilds)


def _read_preset() -> Preset:
    fleet = load_snapshot(str(EXAMPLES / "fleet.json"))
    return next(preset for preset in fleet.presets if preset.id == "backend-large")


def _read_claims() -> Trace:
    return read_traces(EXAMPLES / "claims.csv.gz")["backend-large"]


PICTURES: dict[str, Callable[[], Any]] = {
    "day": chart_day,
    "morning": chart_morning,
    "faults": chart_faults,
    "ttl": chart_ttl,
}
"""What draws each picture, by the name that pages show it by."""
