"""The kit that users get, run against whatever package is imported: it says what it found, or nothing.

Called with `memory` or `sqlite`, whichever is to come first.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path

from prebuilds.adapters.memory import MemoryPubSub, MemoryStore
from prebuilds.adapters.sqlite import SQLiteStore
from prebuilds.errors import BrokenInvariantError
from prebuilds.runtime import Store
from prebuilds.testing import check_claims, check_pubsub, check_reconciler, check_store

_TIMEOUT = timedelta(milliseconds=200)
_NUMBERS = count()


def list_steps(first: str, folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """What is run, the fast before the slow."""

    def make_memory() -> Store:
        return MemoryStore(timeout=_TIMEOUT)

    def make_sqlite() -> Store:
        return SQLiteStore(folder / f"{next(_NUMBERS)}.db", timeout=_TIMEOUT, survives_power_loss=False)

    factories = {"memory": make_memory, "sqlite": make_sqlite}
    make_first = factories[first]
    yield f"check_store {first}", lambda: check_store(make_first)
    yield f"check_claims {first}", lambda: check_claims(make_first)
    yield "check_pubsub memory", lambda: check_pubsub(MemoryPubSub)
    yield "check_reconciler memory", lambda: check_reconciler(make_memory, examples=150)


def main(first: str) -> int:
    """0 if all passes; else 1, and a line says what does not."""
    with tempfile.TemporaryDirectory() as folder:
        for name, step in list_steps(first, Path(folder)):
            try:
                step()
            except BrokenInvariantError as error:
                print(f"{name}: {error.invariant}")  # noqa: T201
                return 1
            except Exception as error:
                print(f"{name}: {str(error).splitlines()[0] if str(error) else type(error).__name__}")  # noqa: T201
                return 1
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", choices=("memory", "sqlite"), help="the store that is checked first")
    sys.exit(main(parser.parse_args().first))
