"""Draw random fleets until so many are sound, 3,000 by default, and print what `check` says of them: no false alarm."""

from __future__ import annotations

import sys

from soundness.tallies import judge_fleets


def main(sound: int) -> int:
    tally = judge_fleets(sound, judged=sound // 4)
    print(tally)  # noqa: T201
    return int(bool(tally.false_alarms or tally.unconfirmed))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3_000))
