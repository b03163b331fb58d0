"""Tables: the hits and the saving of every policy on every case, and their medians."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.table import Table

from foresight.scores import Score, find_key

_SHOWN = (
    "saved",
    "least_saved",
    "hit_rate",
    "reached",
    "promised",
    "dominated",
    "builds_per_claim",
    "deletes_per_claim",
)


def make_case_table(scores: Sequence[Score]) -> Table:
    """A row for each case: for each policy its hits, and the idle hours saved at equal hits."""
    names = list(dict.fromkeys(row.policy for row in scores))
    table = Table(title="hits and idle hours saved at equal hits, on what was held out")
    table.add_column("case")
    table.add_column("best single size", justify="right")
    for name in names:
        table.add_column(name, justify="right")
    cases: dict[tuple[object, ...], dict[str, Score]] = {}
    for row in scores:
        cases.setdefault(find_key(row), {})[row.policy] = row
    for found in cases.values():
        first = next(iter(found.values()))
        label = f"{first.history}, {first.lead_minutes:g} min, {first.on_miss}, {first.goal:.0%}"
        best = f"{first.best_size}, {first.best_idle_hours:,.0f} h"
        table.add_row(label, best, *[_describe(found.get(name)) for name in names])
    return table


def _describe(row: Score | None) -> str:
    return "" if row is None else f"{row.hit_rate:.2%} {row.saved:+.0%}"


def make_summary_table(summaries: Iterable[tuple[float, str, dict[str, Any]]]) -> Table:
    """A row for each goal and policy: medians over all cases, and extremes."""
    table = Table(title="medians over traces, lead times and ways to miss")
    for name in ("goal", "policy", *_SHOWN):
        table.add_column(name.replace("_", " "), justify="left" if name == "policy" else "right")
    for goal, name, found in summaries:
        table.add_row(
            f"{goal:.0%}",
            name,
            f"{found['saved']:+.1%}",
            f"{found['least_saved']:+.0%}",
            f"{found['hit_rate']:.2%}",
            f"{found['reached']} of {found['cases']}",
            f"{found['promised_and_reached']} of {found['promised']}",
            str(found["dominated"]),
            f"{found['builds_per_claim']:.2f} (most {found['most_builds_per_claim']:.2f})",
            f"{found['deletes_per_claim']:.2f}",
        )
    return table
