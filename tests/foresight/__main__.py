"""How well targets are foreseen: on each trace of a folder, policies tuned on the past are measured on what came after.

Every CSV file of claims of four days and more counts, by default those of the documentation. The first two thirds are
the past, in whole weeks. Each policy has its hits, and the idle hours that it saved against single sizes in hindsight
with just as many hits. Tables go to standard output, and everything to a JSON file.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import timedelta
from itertools import product
from pathlib import Path

import attrs
from rich.console import Console
from rich.progress import Progress

from foresight.cases import GOALS, LEAD_TIMES, History, list_cases, read_histories
from foresight.policies import list_policies
from foresight.scores import Score, find_key, score, summarize
from foresight.tables import make_case_table, make_summary_table
from prebuilds.whatif import OnMiss, OptionKind

_WIDE = 230  # columns, where nobody watches
DOCS = Path(__file__).resolve().parents[2] / "docs" / "examples"


def main() -> None:
    options = read_options()
    histories = list(read_histories(options.folder, dict(pair.split("=", 1) for pair in options.timezone)))
    lead_times = [timedelta(minutes=minutes) for minutes in options.lead]
    scores = measure(histories, lead_times, options.goal)
    summaries = summarize_all(scores)
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    console.print(make_case_table(scores), make_summary_table(summaries))
    rows = [{**attrs.asdict(row), "saved": row.saved} for row in scores]
    medians = [{"goal": goal, "policy": name, **found} for goal, name, found in summaries]
    options.json.write_text(json.dumps({"scores": rows, "medians": medians}, indent=1), encoding="utf-8")
    console.print(f"{len(scores)} scores are in {options.json}")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=DOCS, metavar="DIR", help="default: %(default)s")
    parser.add_argument("--json", type=Path, default=Path("foresight.json"), help="default: %(default)s")
    parser.add_argument("--lead", type=float, nargs="+", default=[at.total_seconds() / 60 for at in LEAD_TIMES])
    parser.add_argument("--goal", type=float, nargs="+", default=list(GOALS))
    parser.add_argument(
        "--timezone", nargs="*", default=[], metavar="FILE=ZONE", help="the time zone of a file (default: UTC)"
    )
    return parser.parse_args()


def measure(histories: list[History], lead_times: list[timedelta], goals: list[float]) -> list[Score]:
    """Every policy on every case, with a progress bar."""
    scores: list[Score] = []
    total = len(histories) * len(lead_times) * len(goals) * len(OnMiss)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("foresight", total=total)
        for history in histories:
            for case in list_cases(history, lead_times, goals):
                bar.update(task, description=case.name)
                scores += [score(case, policy) for policy in list_policies(case)]
                bar.advance(task)
    return scores


def summarize_all(scores: list[Score]) -> list[tuple[float, str, dict[str, object]]]:
    """Summaries by goal and policy, in the order in which they appear."""
    singles = {find_key(row): row for row in scores if row.policy == OptionKind.SINGLE_SIZE.value}
    goals, names = sorted({row.goal for row in scores}), list(dict.fromkeys(row.policy for row in scores))
    found = []
    for goal, name in product(goals, names):
        rows = [row for row in scores if (row.goal, row.policy) == (goal, name)]
        if rows:
            found.append((goal, name, summarize(rows, singles)))
    return found


if __name__ == "__main__":
    main()
