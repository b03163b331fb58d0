"""The CPU time of a PostgreSQL server on this machine, as Linux tells it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg


def read_server_seconds(dsn: str) -> float:
    """The CPU seconds of all processes that the server has now; 0 where the kernel does not tell."""
    with psycopg.connect(dsn) as connection:
        processes = list(list_processes())
        server = next((parent for pid, parent, _ in processes if pid == connection.info.backend_pid), None)
    return sum(seconds for _, parent, seconds in processes if parent == server)


def list_processes() -> Iterator[tuple[int, int, float]]:
    """The id of each process of the machine, its parent's, and its CPU seconds."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            parent = Path(folder, "stat").read_text().rpartition(")")[2].split()[1]
            nanoseconds = Path(folder, "schedstat").read_text().split()[0]
            yield int(folder.name), int(parent), int(nanoseconds) / 1e9
