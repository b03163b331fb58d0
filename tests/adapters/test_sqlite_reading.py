"""A SQLite store that is only read, in a file that may or may not be written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rights import as_nobody, as_root, make_shelf

from prebuilds.adapters.sqlite import SQLiteStore
from prebuilds.adapters.sqlite.tables.migrations import connect
from prebuilds.adapters.sqlite.tables.schema import VERSIONS
from prebuilds.errors import ReadOnlyTransactionError, StoreNotFoundError, StoreUnavailableError, UnsupportedStoreError


@pytest.fixture
def path() -> Iterator[Path]:
    """Where a store can be made, and be protected."""
    with make_shelf() as shelf:
        yield shelf / "pool.db"


def set_paused(path: Path, *, paused: bool) -> None:
    with SQLiteStore(path) as store, store.transaction() as tx:
        tx.set_paused(paused=paused)


def is_paused(store: SQLiteStore) -> bool:
    with store.transaction(read_only=True) as tx:
        return tx.read_rows().is_paused


def protect(path: Path) -> None:
    """Keep the file and its folder from being written."""
    path.chmod(0o444)
    path.parent.chmod(0o555)


def test_nothing_is_written(path: Path) -> None:
    """In any transaction, even one begun to write; and no file is left beside it."""
    set_paused(path, paused=True)
    with SQLiteStore(path, read_only=True) as store:
        for read_only in (False, True):
            with pytest.raises(ReadOnlyTransactionError), store.transaction(read_only=read_only) as tx:
                tx.set_paused(paused=False)
        assert is_paused(store)
    assert list(path.parent.iterdir()) == [path]


def test_a_file_without_writers_is_read_afresh_each_time(path: Path) -> None:
    """Where nothing can be noted beside it, somebody who may write can still come between two transactions."""
    set_paused(path, paused=True)
    protect(path)
    with as_nobody(), SQLiteStore(path, read_only=True) as store:
        assert is_paused(store)
        for paused in (False, True):
            with as_root():
                set_paused(path, paused=paused)
            assert is_paused(store) is paused


def test_a_log_that_cannot_be_read_is_reported(path: Path) -> None:
    """A file whose last commits are in a log beside it, as after a crash, is not read without them."""
    set_paused(path, paused=True)
    Path(f"{path}-wal").write_bytes(b"a log")
    protect(path)
    with as_nobody(), pytest.raises(UnsupportedStoreError, match=r"pool\.db cannot be used as a store: "):
        SQLiteStore(path, read_only=True)


def test_a_read_only_file_refuses_writers(path: Path) -> None:
    """Nothing was written, and it may be tried again when the file may be written."""
    set_paused(path, paused=True)
    path.chmod(0o444)
    path.parent.chmod(0o777)
    with as_nobody(), SQLiteStore(path) as store:
        told = r"pool\.db: attempt to write a readonly database"
        with pytest.raises(StoreUnavailableError, match=told), store.transaction() as tx:
            tx.set_paused(paused=False)
        assert is_paused(store)


def test_an_earlier_version_is_left_as_it_is(path: Path) -> None:
    """It can be read when a store that may write has brought it to the last one."""
    connect(str(path), seconds=10, survives_power_loss=False, versions=VERSIONS[:1]).close()
    before = path.read_bytes()
    with pytest.raises(UnsupportedStoreError, match="it is of version 1, and can be read once"):
        SQLiteStore(path, read_only=True)
    assert path.read_bytes() == before
    SQLiteStore(path).close()
    SQLiteStore(path, read_only=True).close()


@pytest.mark.parametrize("options", [{"create": False}, {"read_only": True}])
def test_nothing_is_made_where_nothing_is(path: Path, options: dict[str, bool]) -> None:
    """Neither a file, nor a store in an empty one; the error has the place."""
    with pytest.raises(StoreNotFoundError, match=f"^there is no store in {path}$"):
        SQLiteStore(path, **options)
    assert not path.exists()
    path.touch()
    with pytest.raises(StoreNotFoundError):
        SQLiteStore(path, **options)
    assert path.read_bytes() == b""
