"""No false alarm: larger worlds with faults over the package as it is; 10,000, or as many as is said."""

from __future__ import annotations

import argparse
import time

from prebuilds.adapters.memory import MemoryStore
from prebuilds.testing import check_reconciler

DEFAULT = 10_000


def main(examples: int) -> None:
    """Raises at the first alarm."""
    began = time.monotonic()
    report = check_reconciler(MemoryStore, examples=examples, most_runs=1, seed=1)
    print(f"{report.searched} scenarios, no alarm, in {time.monotonic() - began:.0f} s")  # noqa: T201
    print(report)  # noqa: T201


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("examples", nargs="?", type=int, default=DEFAULT, help="how many worlds (default: %(default)s)")
    main(parser.parse_args().examples)
