"""Every error that this library raises on purpose; import them from here.

- All derive from `PrebuildsError`, and also from the built-in that fits, so that `except ValueError` works as expected.
- An error keeps its arguments as attributes, and can be pickled.
- Each part of the library has its own module here. Only `base` is shared.
"""

from __future__ import annotations

from prebuilds.errors.base import InvalidValueError, MissingExtraError, PrebuildsError, shorten, show
from prebuilds.errors.decision import (
    MAX_PROBLEMS,
    InvalidCronError,
    InvalidSnapshotError,
    UnknownPresetError,
    UnknownVersionError,
)
from prebuilds.errors.runtime import (
    ActiveVersionError,
    AlreadyRunningError,
    CallTimedOutError,
    ClaimConflictError,
    NameTakenError,
    NoRoomError,
    ShardedBudgetsError,
    UnknownWorkspaceError,
    UnresolvedVersionError,
    WrongOwnerError,
)
from prebuilds.errors.stores import (
    CommitUnknownError,
    ForkedStoreError,
    LeaseLostError,
    MissingCapabilityError,
    NestedTransactionError,
    PoolExhaustedError,
    PublishInTransactionError,
    ReadOnlyTransactionError,
    StoreBusyError,
    StoreClosedError,
    StoreNotFoundError,
    StoreUnavailableError,
    TransactionEndedError,
    TransactionOpenError,
    UnsupportedStoreError,
)
from prebuilds.errors.testing import BrokenContractError, BrokenInvariantError
from prebuilds.errors.whatif import InsufficientHistoryError, InvalidTraceError, UnknownMissError, UnreachableGoalError

__all__ = [
    "MAX_PROBLEMS",
    "ActiveVersionError",
    "AlreadyRunningError",
    "BrokenContractError",
    "BrokenInvariantError",
    "CallTimedOutError",
    "ClaimConflictError",
    "CommitUnknownError",
    "ForkedStoreError",
    "InsufficientHistoryError",
    "InvalidCronError",
    "InvalidSnapshotError",
    "InvalidTraceError",
    "InvalidValueError",
    "LeaseLostError",
    "MissingCapabilityError",
    "MissingExtraError",
    "NameTakenError",
    "NestedTransactionError",
    "NoRoomError",
    "PoolExhaustedError",
    "PrebuildsError",
    "PublishInTransactionError",
    "ReadOnlyTransactionError",
    "ShardedBudgetsError",
    "StoreBusyError",
    "StoreClosedError",
    "StoreNotFoundError",
    "StoreUnavailableError",
    "TransactionEndedError",
    "TransactionOpenError",
    "UnknownMissError",
    "UnknownPresetError",
    "UnknownVersionError",
    "UnknownWorkspaceError",
    "UnreachableGoalError",
    "UnresolvedVersionError",
    "UnsupportedStoreError",
    "WrongOwnerError",
    "shorten",
    "show",
]

# Tracebacks, pickles and the reference name the place to import an error from, not the module that defines it.
for _name in __all__:
    if _name.endswith("Error"):
        globals()[_name].__module__ = __name__
