"""How often the strategies reach each rule, reason, edge and pair of neighbours: `python tests/reach.py` prints it.

- Each example is a snapshot and a policy as the strategies draw them, at one instant, planned once.
- A row counts the examples in which something happens at least once. Below 3 % a property about it passes by luck.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from functools import partial

import attrs
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from prebuilds import (
    ActionType,
    ChangeCause,
    Decision,
    GlobalSnapshot,
    Plan,
    Prebuild,
    TargetSource,
    WithheldReason,
    plan,
)
from prebuilds.decision.policies.waiting import calculate_backoff_until
from prebuilds.decision.presets import PresetSnapshot, is_made_otherwise
from prebuilds.testing import strategies

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=timezone.utc)
EXAMPLES = 4_000  # Hypothesis draws similar examples in a row, so that fewer say little
LEAST = 0.03
Features = Iterator[tuple[str, str]]
_MICROSECOND = timedelta(microseconds=1)


@st.composite
def plans(draw: st.DrawFn) -> tuple[GlobalSnapshot, Plan]:
    """A snapshot and its plan under a policy with budgets; one in six is paused."""
    snapshot = draw(strategies.global_snapshots(now=NOW))
    budgets = draw(st.lists(strategies.budgets(), min_size=1, max_size=3, unique_by=lambda budget: budget.name))
    policy = attrs.evolve(draw(strategies.policies()), budgets=budgets)
    return snapshot, plan(snapshot, now=NOW, policy=policy, paused=draw(st.sampled_from((False,) * 5 + (True,))))


def count_reached(examples: int) -> Mapping[tuple[str, str], float]:
    """For each thing that can happen, the share of the examples in which it does."""
    seen: Counter[tuple[str, str]] = Counter()

    @given(plans())
    @settings(max_examples=examples, database=None, derandomize=True, deadline=None, phases=[Phase.generate])
    def look(drawn: tuple[GlobalSnapshot, Plan]) -> None:
        seen.update(set(list_features(*drawn)))

    look()
    return {feature: seen[feature] / examples for feature in list_expected()}


def list_features(snapshot: GlobalSnapshot, made: Plan) -> Features:
    """What happens in a plan."""
    if snapshot.orphan_counts:
        yield "rule", "rows that name no preset"
    for decision in made:
        yield from list_rules(decision)
        yield from list_neighbours(decision)
        yield from (("edge", name) for name, is_met in EDGES.items() if is_met(decision))


def list_expected() -> Sequence[tuple[str, str]]:
    """Everything that must be reached."""
    rules = ["rows that name no preset", *(name for name in RULES)]
    return [
        *(("action", action.value) for action in ActionType),
        *(("withheld", reason.value) for reason in WithheldReason),
        *(("target", source.value) for source in TargetSource),
        *(("next change", cause.value) for cause in ChangeCause),
        *(("rule", name) for name in rules),
        *(("edge", name) for name in EDGES),
        *(("neighbours", name) for name in NEIGHBOURS),
    ]


def list_rules(decision: Decision) -> Features:
    """The actions, reasons and rules that a decision is made of."""
    yield from (("action", action.type.value) for action in decision.actions)
    yield from (("withheld", entry.reason.value) for entry in decision.withheld)
    yield "target", decision.state.target_source.value
    if decision.next_change:
        yield "next change", decision.next_change.cause.value
    yield from (("rule", name) for name, applies in RULES.items() if applies(decision))


def _has(count: str, decision: Decision) -> bool:
    return bool(getattr(decision.state, count))


def _has_expired(test: Callable[[PresetSnapshot, Prebuild], bool], decision: Decision) -> bool:
    return any(test(decision.snapshot, prebuild) for prebuild in decision.snapshot.expired)


def _is_invalidated(snapshot: PresetSnapshot, prebuild: Prebuild) -> bool:
    at = snapshot.preset.last_invalidated_at
    return at is not None and prebuild.created_at < at <= NOW


def _has_outlived(snapshot: PresetSnapshot, prebuild: Prebuild) -> bool:
    ttl = snapshot.preset.ttl
    return bool(ttl) and ttl is not None and NOW - prebuild.created_at > ttl


def _is_early(snapshot: PresetSnapshot, prebuild: Prebuild) -> bool:
    """Whether it has expired by its own ttl, which is shorter than the preset's."""
    is_whole = prebuild.retired or _is_made_otherwise(snapshot, prebuild)
    return not (is_whole or _is_invalidated(snapshot, prebuild) or _has_outlived(snapshot, prebuild))


def _is_made_otherwise(snapshot: PresetSnapshot, prebuild: Prebuild) -> bool:
    return is_made_otherwise(snapshot.preset, prebuild.template_version_id, prebuild.parameters)


def _is_given_up(_: PresetSnapshot, prebuild: Prebuild) -> bool:
    return prebuild.retired


def _cancels_some(decision: Decision) -> bool:
    return any(action.cancel for action in decision.actions)


RULES: Mapping[str, Callable[[Decision], bool]] = {
    "a prebuild has outlived its ttl": partial(_has_expired, _has_outlived),
    "a prebuild has outlived its own ttl alone": partial(_has_expired, _is_early),
    "a prebuild is invalidated": partial(_has_expired, _is_invalidated),
    "a prebuild is outdated": partial(_has_expired, _is_made_otherwise),
    "a prebuild was given up": partial(_has_expired, _is_given_up),
    "a preset is inactive and has prebuilds": lambda decision: (
        not decision.snapshot.preset.is_active and _has("actual", decision)
    ),
    "too many prebuilds": partial(_has, "extraneous"),
    "a prebuild is stuck": partial(_has, "stuck"),
    "a prebuild is aging": partial(_has, "aging"),
    "a start is overdue": partial(_has, "overdue"),
    "a start is under way": partial(_has, "starting"),
    "a surplus start is canceled": _cancels_some,
    "more is held than is wanted": partial(_has, "delete_above"),
}


def _is_any_at(instants: Iterator[datetime | None], duration: timedelta | None) -> bool:
    return duration is not None and any(instant is not None and NOW - instant == duration for instant in instants)


def _is_exactly_at_ttl(decision: Decision) -> bool:
    snapshot = decision.snapshot
    return _is_any_at((row.created_at for row in snapshot.running), snapshot.preset.ttl)


def _is_just_past_ttl(decision: Decision) -> bool:
    ttl = decision.snapshot.preset.ttl
    return ttl is not None and _is_any_at((row.created_at for row in decision.snapshot.expired), ttl + _MICROSECOND)


def _is_just_stuck(decision: Decision) -> bool:
    snapshot = decision.snapshot
    return _is_any_at((row.started_at for row in snapshot.stuck), snapshot.preset.ready_deadline)


def _is_just_overdue(decision: Decision) -> bool:
    snapshot = decision.snapshot
    rows = (row.began_at for row in snapshot.in_progress if row.count)
    return _is_any_at(rows, snapshot.preset.build_deadline)


def _ends_now(decision: Decision) -> bool:
    return decision.snapshot.preset.is_active and calculate_backoff_until(decision.snapshot, decision.policy) == NOW


EDGES: Mapping[str, Callable[[Decision], bool]] = {
    "exactly as old as the ttl": _is_exactly_at_ttl,
    "a microsecond older than the ttl": _is_just_past_ttl,
    "stuck since now": _is_just_stuck,
    "overdue since now": _is_just_overdue,
    "the last instant of a backoff": _ends_now,
}


def list_neighbours(decision: Decision) -> Features:
    """Pairs of prebuilds of which one goes and the other stays."""
    snapshot = decision.snapshot
    deleted = {id_ for action in decision.actions for id_ in action.delete_ids}
    aging = {prebuild.id for prebuild in snapshot.aging}
    gone = [row for row in snapshot.running if row.id in deleted]
    kept = [row for row in snapshot.running if row.id not in deleted]
    pairs = {
        "ready goes, not ready stays": any(row.ready for row in gone) and any(not row.ready for row in kept),
        "not ready goes, ready stays": any(not row.ready for row in gone) and any(row.ready for row in kept),
        "aging goes, young stays": any(row.id in aging for row in gone) and any(row.id not in aging for row in kept),
        "not ready goes, aging stays": any(not row.ready for row in gone)
        and any(row.ready and row.id in aging for row in kept),
        "expired goes, good stays": bool(snapshot.expired and kept),
        "stuck goes, good stays": bool(snapshot.stuck and kept),
        "two of one age": len({row.created_at for row in snapshot.running}) < len(snapshot.running),
    }
    yield from (("neighbours", name) for name in NEIGHBOURS if pairs[name])


NEIGHBOURS = (
    "ready goes, not ready stays",
    "not ready goes, ready stays",
    "aging goes, young stays",
    "not ready goes, aging stays",
    "expired goes, good stays",
    "stuck goes, good stays",
    "two of one age",
)


def make_table(shares: Mapping[tuple[str, str], float], examples: int) -> Table:
    table = Table(title=f"What {examples:,} generated snapshots reach, each at least once")
    for header in ("kind", "what happens"):
        table.add_column(header)
    table.add_column("share", justify="right")
    for (kind, name), share in shares.items():
        table.add_row(kind, name, f"{share:.1%}", style="red" if share < LEAST else None)
    return table


def main(examples: int) -> int:
    shares = count_reached(examples)
    Console().print(make_table(shares, examples))
    return int(any(share < LEAST for share in shares.values()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=EXAMPLES, help="how many snapshots (default: %(default)s)")
    sys.exit(main(parser.parse_args().examples))
