"""The processes of a scenario: `python -m chaos.worker claim|loop DSN FOLDER NAME`, each ended by a signal.

A user writes down each request before it is made and each answer after it came. A process that was killed is followed
by another with its name, which asks again what had no answer.
"""

from __future__ import annotations

import argparse
import logging
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TextIO

from prebuilds.adapters.local import LocalBuilder
from prebuilds.adapters.postgres import PostgresPubSub, PostgresStore, Timeouts
from prebuilds.errors import CommitUnknownError
from prebuilds.runtime import SYSTEM_CLOCK, BackgroundRelay, Claims, OutboxRelay, Reconciler, ReconcilerOptions

SCHEMA = "chaos"
PRESETS = ("p0", "p1", "p2", "p3")
USERS = 4  # in each process
LEASE = timedelta(seconds=6)
OPTIONS = ReconcilerOptions(
    interval=timedelta(seconds=2),
    lease_duration=LEASE,
    submit_timeout=timedelta(seconds=3),
)
TIMEOUTS = Timeouts(connection=timedelta(seconds=2), lock=timedelta(seconds=2), statement=timedelta(seconds=5))
# Seconds between two claims of a user, so long that the loop keeps up: its rate then does not depend on other work of
# the machine.
_PAUSE, _PAUSE_AFTER_MISS = 0.6, 0.1
_RETRY = 0.1
_CONNECTIONS = 6


class User:
    """Claims prebuilds of the presets in turn, for ever. Its file: `time + number`, then `time = number id seconds`."""

    def __init__(self, claims: Claims, path: Path) -> None:
        self._claims = claims
        self._name = path.stem
        self._next, self._open = _read_numbers(path)
        self._file = path.open("a", buffering=1, encoding="utf-8")

    def run(self, is_stopping: Callable[[], bool]) -> None:
        for number in self._open:
            self._claim(number)
        for number in count(self._next):
            if is_stopping():
                return
            _write(self._file, "+", number)
            time.sleep(_PAUSE if self._claim(number) else _PAUSE_AFTER_MISS)

    def _claim(self, number: int) -> bool:
        """Ask until there is an answer. Returns whether there was a prebuild."""
        preset_id = PRESETS[number % len(PRESETS)]
        request = {"owner_id": self._name, "name": str(number), "request_id": f"{self._name} {number}"}
        while True:
            began = time.monotonic()
            try:
                workspace = self._claims.claim(preset_id, **request).workspace
            except (TimeoutError, CommitUnknownError) as error:
                _write(self._file, "!", type(error).__name__)
                time.sleep(_RETRY)
            else:
                seconds = time.monotonic() - began
                _write(self._file, "=", number, workspace.id if workspace else "-", f"{seconds:.6f}")
                return workspace is not None


def _read_numbers(path: Path) -> tuple[int, list[int]]:
    """The number of the next request, and those without an answer."""
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    begun = {int(words[2]) for words in lines if words[1] == "+"}
    ended = {int(words[2]) for words in lines if words[1] == "="}
    return max(begun, default=-1) + 1, sorted(begun - ended)


def _write(file: TextIO, *words: object) -> None:
    file.write(" ".join([f"{time.time():.3f}", *map(str, words)]) + "\n")


def claim(store: PostgresStore, folder: Path, name: str, stopping: threading.Event) -> None:
    """Users until the process is asked to stop."""
    pubsub = PostgresPubSub(store, listen=False)
    relay = BackgroundRelay(OutboxRelay(store, pubsub))
    users = [User(Claims(store, relay=relay), folder / f"{name}-{number}.log") for number in range(USERS)]
    with ThreadPoolExecutor(USERS) as executor:
        for running in [executor.submit(user.run, stopping.is_set) for user in users]:
            running.result()  # an error that nobody expects ends the process, which the scenario notices
    relay.close()
    pubsub.close()


def loop(store: PostgresStore, folder: Path, name: str, stopping: threading.Event) -> None:  # noqa: ARG001 - as `claim`
    """A reconciler and a builder until the process is asked to stop."""
    pubsub = PostgresPubSub(store)
    relay = BackgroundRelay(OutboxRelay(store, pubsub))  # or the builder would spend most of its time on messages
    builder = LocalBuilder(store, clock=SYSTEM_CLOCK, delay=timedelta(), relay=relay)
    reconciler = Reconciler(store, builder, options=OPTIONS, pubsub=pubsub)
    with ThreadPoolExecutor(2) as executor:
        running = [executor.submit(reconciler.run), executor.submit(builder.run)]
        stopping.wait()
        reconciler.request_stop()
        builder.stop()
        for each in running:
            each.result()
    relay.close()
    pubsub.close()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["claim", "loop"])
    parser.add_argument("dsn")
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    return parser.parse_args()


def main() -> None:
    options = read_options()
    logging.basicConfig(filename=options.folder / f"{options.name}.txt", level=logging.WARNING)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    with PostgresStore(options.dsn, schema=SCHEMA, max_connections=_CONNECTIONS, timeouts=TIMEOUTS) as store:
        {"claim": claim, "loop": loop}[options.kind](store, options.folder, options.name, stopping)


if __name__ == "__main__":
    main()
