"""Draw random fleets until so many are sound, 3,000 by default, and print what `check` says of them: no false alarm."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor

from soundness.tallies import judge_fleets


def main(sound: int) -> int:
    with ProcessPoolExecutor() as pool:
        tally = judge_fleets(sound, judged=sound // 4, run=pool.map)
    print(tally)  # noqa: T201
    return int(bool(tally.false_alarms or tally.unconfirmed))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sound", type=int, nargs="?", default=3_000, help="how many (default: %(default)s)")
    sys.exit(main(parser.parse_args().sound))
