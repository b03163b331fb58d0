"""How many rounds a second the loop does when there is nothing to do, in memory and on SQLite.

The ratio is to `plan` alone, over the same snapshot in the same run: it tells what reading the store and holding the
lease cost beside the decisions. Exits with 1 when a round finds something to do.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.table import Table

from prebuilds import Policy, Preset, TemplateVersion, plan
from prebuilds.adapters.local import LocalBuilder
from prebuilds.adapters.memory import MemoryStore
from prebuilds.adapters.sqlite import SQLiteStore
from prebuilds.runtime import SYSTEM_CLOCK, Isolation, Reconciler, Store, read_fleet

PRESETS = 1_000
PREBUILDS = 3  # of each preset
ROUNDS = 20


def fill(store: Store) -> Reconciler:
    """A full pool, and the reconciler that filled it."""
    with store.transaction() as tx:
        for number in range(PRESETS):
            version = TemplateVersion(id="v")
            tx.put_preset(Preset(id=f"p{number}", desired_instances=PREBUILDS, template_version=version))
    builder = LocalBuilder(store, clock=SYSTEM_CLOCK, delay=timedelta())
    reconciler = Reconciler(store, builder)
    while reconciler.reconcile_all().presets:
        builder.work()
    return reconciler


def measure(store: Store, reconciler: Reconciler) -> tuple[float, float]:
    """Seconds for a round, and for `plan` alone: the best of many, measured turn about."""
    rounds, plans = math.inf, math.inf
    for _ in range(ROUNDS):
        begin = perf_counter()
        result = reconciler.reconcile_all()
        rounds = min(rounds, perf_counter() - begin)
        if result.presets:
            sys.exit("a round of a full pool found something to do")
        with store.transaction(isolation=Isolation.REPEATABLE_READ, read_only=True) as tx:
            snapshot = read_fleet(tx, now=SYSTEM_CLOCK.now(), policy=Policy()).snapshot
        begin = perf_counter()
        plan(snapshot, now=SYSTEM_CLOCK.now())
        plans = min(plans, perf_counter() - begin)
    return rounds, plans


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 120)
    table = Table(title=f"Rounds with nothing to do: {PRESETS:,} presets, {PRESETS * PREBUILDS:,} prebuilds")
    for header in ("store", "rounds per second", "as a ratio to plan alone"):
        table.add_column(header, justify="left" if header == "store" else "right")
    with (
        tempfile.TemporaryDirectory() as folder,
        SQLiteStore(Path(folder, "store.db"), survives_power_loss=False) as sqlite,
        console.status("measuring"),
    ):
        for name, store in (("memory", MemoryStore()), ("SQLite", sqlite)):
            rounds, plans = measure(store, fill(store))
            table.add_row(name, f"{1 / rounds:.1f}", f"{rounds / plans:.1f}")
    console.print(table)
    return 0


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    sys.exit(main())
