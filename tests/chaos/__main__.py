"""Run scenarios, print what came of each, and exit with 1 if a promise was broken."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from chaos.answers import Answers, calculate_rate, calculate_speed, find_recovery, find_slowest, read_answers
from chaos.crew import CLAIMERS, LOOPS, run_crew
from chaos.pools import TARGET, list_owned, make_pools, wait_until_full, watching
from chaos.scenarios import SCENARIOS, BrokenPromiseError, Scenario, Scene
from chaos.server import Server, run_server

WARM_UP, BEFORE, AFTER = 6.0, 8.0, 14.0  # seconds
RECOVERY = 10.0
_FILL = 120.0
_LONG = 10.0  # seconds over which the speed during the trouble is taken
_HEADERS = (
    "claims/s before",
    "speed during",
    "created/s before",
    "claims back",
    "creates back",
    "claimed",
    "lost",
    "doubled",
)


class Times(NamedTuple):
    """When the measuring began, the trouble began and ended, and the measuring ended, as `time.time` tells."""

    begin: float
    trouble: float
    calm: float
    end: float


class Outcome(NamedTuple):
    """What came of a scenario."""

    answers: Answers
    times: Times
    owned: dict[tuple[str, str], str]
    largest: int
    is_full: bool
    fallen: list[str]

    @property
    def _answered(self) -> list[float]:
        return [at for at, _ in self.answers.answered]

    @property
    def claims_before(self) -> float:
        return calculate_rate(self._answered, self.times.begin, self.times.trouble)

    @property
    def creates_before(self) -> float:
        """What is claimed is created again, so where users wait for nothing else this is how fast that is."""
        return calculate_rate(self.answers.served, self.times.begin, self.times.trouble)

    @property
    def slowest(self) -> float:
        """The lowest speed of claims during the trouble, as a share of that before."""
        before = calculate_speed(self.answers.answered, self.times.begin, self.times.trouble)
        slowest = find_slowest(self.answers.answered, self.times.trouble, self.times.calm, window=_LONG)
        return slowest / before if before else 0.0

    @property
    def claims_back(self) -> float | None:
        return find_recovery(self._answered, self.times.calm, self.times.end, self.claims_before)

    @property
    def creates_back(self) -> float | None:
        return find_recovery(self.answers.served, self.times.calm, self.times.end, self.creates_before)

    @property
    def lost(self) -> int:
        """Answers whose workspace the user does not have."""
        return sum(self.owned.get(request) != found for request, found in self.answers.workspaces.items())

    @property
    def doubled(self) -> int:
        """Workspaces that two claims were answered with, or that a user has without an answer."""
        twice = len(self.answers.workspaces) - len({*self.answers.workspaces.values()})
        return twice + len(self.owned.keys() - self.answers.workspaces.keys())

    def list_broken(self, scenario: Scenario) -> list[str]:
        """The promises that were not kept."""
        promises = {
            "nothing is lost": self.lost == 0,
            "nothing is doubled": self.doubled == 0,
            "somebody claims": self.claims_before > 0 and self.creates_before > 0,
            f"no pool is larger than {TARGET}": self.largest <= TARGET,
            "the pools are full in the end": self.is_full,
            "all processes end when asked": not self.fallen,
            f"claims are back within {RECOVERY:g} s": _is_within(self.claims_back),
            f"creates are back within {RECOVERY:g} s": _is_within(self.creates_back),
            f"claims keep {scenario.least:.0%} of their speed": self.slowest >= scenario.least,
        }
        return [promise for promise, is_kept in promises.items() if not is_kept]


def _is_within(seconds: float | None) -> bool:
    return seconds is not None and seconds <= RECOVERY


def run_scenario(server: Server, scenario: Scenario, seconds: float, seed: int) -> Outcome:
    """Let users claim, make the trouble, let them go on, and look at what is left."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="prebuilds-chaos-"))
        stack.callback(shutil.rmtree, folder)
        disk = stack.enter_context(server.disk()) if scenario.needs_disk else None
        dsn = server.make_database(disk / "tables" if disk else None)
        stack.callback(server.drop_database, dsn)
        make_pools(dsn)
        crew = stack.enter_context(run_crew(dsn, folder))
        watch = stack.enter_context(watching(dsn))
        _wait_for_users(folder)
        begin = time.time()
        time.sleep(BEFORE)
        trouble = time.time()
        scenario.make(Scene(server, dsn, crew, disk, Random(seed)), seconds)
        calm = time.time()
        time.sleep(AFTER)
        times = Times(begin, trouble, calm, time.time())
        fallen = crew.end(*CLAIMERS)
        is_full = wait_until_full(dsn, _FILL)
        fallen += crew.end(*LOOPS)
        return Outcome(read_answers(folder.glob("*.log")), times, list_owned(dsn), watch.largest, is_full, fallen)


def _wait_for_users(folder: Path) -> None:
    """Until each process serves, and a little longer."""
    deadline = time.time() + _FILL
    while not all(read_answers(folder.glob(f"{name}*.log")).served for name in CLAIMERS):
        if time.time() >= deadline:
            raise TimeoutError("nobody is served")
        time.sleep(1)
    time.sleep(WARM_UP)


def show(console: Console, title: str, outcome: Outcome, broken: list[str]) -> None:
    """A line of figures, the errors that users met, and the verdict."""
    table = Table(title=title, title_justify="left")
    for header in _HEADERS:
        table.add_column(header, justify="right")
    table.add_row(
        f"{outcome.claims_before:,.0f}",
        f"{outcome.slowest:.2f} of it",
        f"{outcome.creates_before:,.0f}",
        _describe_back(outcome.claims_back),
        _describe_back(outcome.creates_back),
        f"{len(outcome.owned):,}",
        str(outcome.lost),
        str(outcome.doubled),
    )
    console.print(table)
    errors = ", ".join(f"{name} {number}" for name, number in sorted(outcome.answers.errors.items()))
    console.print(f"errors that users met and tried again after: {errors or 'none'}", highlight=False)
    console.print(f"BROKEN: {'; '.join(broken)}" if broken else "every promise was kept", highlight=False)


def _describe_back(seconds: float | None) -> str:
    return "never" if seconds is None else f"after {seconds:.1f} s"


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="SCENARIO", help=f"one of {', '.join(SCENARIOS)}; by default all")
    parser.add_argument("--seconds", type=float, help="how long the trouble lasts")
    parser.add_argument("--seed", type=int, default=0, help="of what is left to chance")
    options = parser.parse_args()
    unknown = sorted({*options.names} - SCENARIOS.keys())
    if unknown:
        parser.error(f"no such scenario: {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    return options


def main() -> int:
    options, console, has_broken = read_options(), Console(width=None if sys.stdout.isatty() else 120), False
    with run_server() as server:
        for name in options.names or SCENARIOS:
            scenario = SCENARIOS[name]
            seconds = scenario.seconds if options.seconds is None else options.seconds
            try:
                outcome = run_scenario(server, scenario, seconds, options.seed)
            except PermissionError as error:
                console.print(f"{scenario.title}: not run, as {error}", highlight=False)
                continue
            except (BrokenPromiseError, TimeoutError) as error:
                console.print(f"{scenario.title}: BROKEN: {error}", highlight=False)
                has_broken = True
                continue
            broken = outcome.list_broken(scenario)
            show(console, f"{name}: {scenario.title}", outcome, broken)
            has_broken = has_broken or bool(broken)
    return int(has_broken)


if __name__ == "__main__":
    sys.exit(main())
