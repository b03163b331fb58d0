"""The processes that claim and that create: begun, killed, halted, and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

CLAIMERS = ("claim-a", "claim-b")
LOOPS = ("loop-a", "loop-b")
_END = 60.0  # seconds


class Crew:
    """The processes by their names."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self._dsn = dsn
        self.folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def begin(self, name: str) -> None:
        """Begin a process, or another in the place of one that has ended."""
        kind = name.partition("-")[0]
        command = [sys.executable, "-m", "chaos.worker", kind, self._dsn, str(self.folder), name]
        self._processes[name] = subprocess.Popen(command, cwd=Path(__file__).parents[1])

    def kill_one(self, random: Random) -> None:
        """Kill one, whichever it is, and begin another in its place."""
        name = random.choice(sorted(self._processes))
        self._processes[name].kill()
        self._processes[name].wait()
        self.begin(name)

    def halt(self, name: str) -> None:
        """Let a process sleep."""
        self._processes[name].send_signal(signal.SIGSTOP)

    def wake(self, name: str) -> None:
        """Let it go on."""
        self._processes[name].send_signal(signal.SIGCONT)

    def get_pid(self, name: str) -> int:
        """The id of a process."""
        return self._processes[name].pid

    def end(self, *names: str) -> list[str]:
        """Ask processes to end. The names of those that had ended before, or do not end."""
        fallen = [name for name in names if self._processes[name].poll() is not None]
        for name in names:
            self._processes[name].terminate()
        return [*fallen, *(name for name in names if not self._has_ended(name))]

    def kill_all(self) -> None:
        """End what is left."""
        for process in self._processes.values():
            process.kill()
            process.wait()

    def _has_ended(self, name: str) -> bool:
        try:
            return self._processes[name].wait(_END) == 0
        except subprocess.TimeoutExpired:
            return False


@contextmanager
def run_crew(dsn: str, folder: Path) -> Iterator[Crew]:
    """All processes, until the block ends."""
    os.environ.setdefault("PYTHONPATH", str(Path(__file__).parents[2]))
    crew = Crew(dsn, folder)
    try:
        for name in (*LOOPS, *CLAIMERS):
            crew.begin(name)
        yield crew
    finally:
        crew.kill_all()
