"""What stores, their transactions and their connections raise."""

from __future__ import annotations

from prebuilds.errors.base import PrebuildsError, show


class TransactionOpenError(PrebuildsError, RuntimeError):
    """Something was tried inside a transaction that must wait until it ends; `place` is where the transaction began."""

    what = "this cannot be done inside a transaction"

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.place = place

    def __str__(self) -> str:
        return f"{self.what}; the one that is open began at {self.place}"


class PublishInTransactionError(TransactionOpenError):
    """A message was published inside a transaction, which would need a second connection and could not be undone."""

    what = "a message cannot be published inside a transaction; hand it to `publish_on_commit`"


class NestedTransactionError(TransactionOpenError):
    """A transaction was begun inside another one of the same store, which would break its isolation."""

    what = "a transaction cannot begin inside another of the same store; use its `nested`"


class ReadOnlyTransactionError(PrebuildsError, RuntimeError):
    """A write was tried in a read-only transaction."""

    def __str__(self) -> str:
        return "a read-only transaction cannot write"


class TransactionEndedError(PrebuildsError, RuntimeError):
    """A transaction was used after its end."""

    def __str__(self) -> str:
        return "the transaction has already ended"


class StoreClosedError(PrebuildsError, RuntimeError):
    """A store or a pubsub was used after it was closed."""

    def __str__(self) -> str:
        return "it is closed"


class UnsupportedStoreError(PrebuildsError, ValueError):
    """A file cannot be used as a store: which file, and why."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.path} cannot be used as a store: {self.problem}"


class StoreNotFoundError(PrebuildsError, LookupError):
    """There is no store in `place`, a file or a schema, and the caller did not ask to create one."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.place = place

    def __str__(self) -> str:
        return f"there is no store in {self.place}"


class ForkedStoreError(PrebuildsError, RuntimeError):
    """A transaction was open when this process was forked; it belongs to the parent and cannot be used here.

    A SQLite store cannot begin another one either: SQLite would rely on locks that only the parent holds.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} was in use when this process was forked; fork while none of its transactions is open"


class LeaseLostError(PrebuildsError, RuntimeError):
    """A write came with the fencing token of a lease that another holder has taken since."""

    def __init__(self, name: str, token: int) -> None:
        super().__init__(name, token)
        self.name = name
        self.token = token

    def __str__(self) -> str:
        return f"the lease {show(self.name)} with the token {self.token} has been taken by another holder"


class PoolExhaustedError(PrebuildsError, TimeoutError):
    """No connection in the pool became free in time."""

    def __init__(self, max_connections: int, seconds: float) -> None:
        super().__init__(max_connections, seconds)
        self.max_connections = max_connections
        self.seconds = seconds

    def __str__(self) -> str:
        return f"none of {self.max_connections} connections became free within {self.seconds:g} s"


class StoreBusyError(PrebuildsError, TimeoutError):
    """Other writers held the store for too long; nothing was written, and trying again is safe."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return f"the store was held by other writers for {self.seconds:g} s"


class StoreUnavailableError(PrebuildsError, TimeoutError):
    """The store cannot be used now: its server is unreachable or ended the transaction, or its disk is full.

    Nothing was written, and trying again is safe.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"the store cannot be used: {self.problem}"


class CommitUnknownError(PrebuildsError, ConnectionError):
    """The connection was lost, or the disk failed, during a commit: it may or may not have been done."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"a commit was cut short, and may have been done: {self.problem}"


class MissingCapabilityError(PrebuildsError, AttributeError):
    """Something needs a capability that a store lacks. `needs` says what needs it."""

    def __init__(self, store: str, capability: str, needs: str) -> None:
        super().__init__(store, capability, needs)
        self.store = store
        self.capability = capability
        self.needs = needs

    def __str__(self) -> str:
        return (
            f"{self.needs} needs the capability {self.capability!r}, which {self.store} lacks: add the methods of "
            f"Capability.{self.capability.upper()} to its transactions or its rows, or do without"
        )
