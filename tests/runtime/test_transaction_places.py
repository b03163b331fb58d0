"""An error about an open transaction names the host's line that began it, even if the host wrote the store."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

from prebuilds.errors import NestedTransactionError, PublishInTransactionError
from prebuilds.runtime.publishing.commit_guard import open_transaction, refuse_in_transaction


class GeneratorStore:
    """A host's store whose transactions are generators."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with open_transaction(self), self.connection():
            yield

    @contextmanager
    def connection(self) -> Iterator[None]:
        yield


class ClassStore:
    """A host's store whose transactions are context managers of a class."""

    def transaction(self) -> ClassStore:
        return self

    def __enter__(self) -> None:
        self._open = open_transaction(self)
        self._open.__enter__()

    def __exit__(self, *error: object) -> None:
        self._open.__exit__(None, None, None)


def get_line(frame: FrameType | None) -> int:
    assert frame is not None
    return frame.f_lineno


@pytest.mark.parametrize("store", [GeneratorStore(), ClassStore()], ids=["generator", "class"])
def test_the_place_is_where_the_host_began(store: GeneratorStore | ClassStore) -> None:
    """It is the line with the `with`, and not one within the store."""
    with store.transaction():
        line = get_line(inspect.currentframe()) - 1
        with pytest.raises(PublishInTransactionError) as caught:
            refuse_in_transaction()
    assert caught.value.place == f"{__file__}:{line} in test_the_place_is_where_the_host_began"


@contextmanager
def unit_of_work(store: GeneratorStore) -> Iterator[None]:
    with store.transaction():
        yield


def test_the_place_is_where_the_hosts_own_wrapper_is_used() -> None:
    """Neither a context manager around a transaction nor the store is the place."""
    store = GeneratorStore()
    with unit_of_work(store):
        line = get_line(inspect.currentframe()) - 1
        with pytest.raises(NestedTransactionError) as caught, store.transaction():
            pytest.fail("begun")
    assert caught.value.place == f"{__file__}:{line} in test_the_place_is_where_the_hosts_own_wrapper_is_used"
