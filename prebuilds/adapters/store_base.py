"""What stores share: the limit on connections, and closing."""

from __future__ import annotations

from types import TracebackType
from typing import Generic, Protocol, TypeVar

from typing_extensions import Self

from prebuilds.errors import InvalidValueError


class Closable(Protocol):
    """A pool of connections, as far as a store closes it."""

    def close(self) -> None:
        """Close the idle connections now, and the others when they are given back."""
        ...


_Pool = TypeVar("_Pool", bound=Closable)


class LimitedStore:
    """A store that never has more than `max_connections` transactions open."""

    def __init__(self, max_connections: int) -> None:
        if type(max_connections) is not int or max_connections < 1:
            name = type(self).__name__
            raise InvalidValueError(name, "max_connections", max_connections, "a whole number of 1 or more")
        self._max_connections = max_connections

    @property
    def max_connections(self) -> int:
        return self._max_connections


class PooledStore(LimitedStore, Generic[_Pool]):
    """A store over a pool of connections, which it closes."""

    _pool: _Pool

    def close(self) -> None:
        """Close all connections: idle ones now, the others when their transactions end. No transaction begins after."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
