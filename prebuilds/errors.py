"""Every error this library raises on purpose.

One root, `PrebuildsError`; each child also derives from the built-in that fits it, so that `except ValueError` and
`except LookupError` work as one would expect. An error keeps what it was made of as attributes, and can be pickled.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

_SHOWN = 80
MAX_PROBLEMS = 1_000  # whoever has more of them has given something else than a snapshot


def shorten(text: str) -> str:
    """The text, with its middle left out when it is too long for a message."""
    if len(text) <= _SHOWN:
        return text
    return f"{text[: _SHOWN - 20]}...{text[-15:]} ({len(text)} characters)"


def show(value: object) -> str:
    """The value as a person should see it in a message: its repr, shortened."""
    try:
        return shorten(repr(value))
    except (ValueError, RecursionError):  # an int of more digits than Python agrees to print, or lists in lists
        return f"a value of type {type(value).__name__}, too large or too deep to print"


class PrebuildsError(Exception):
    """The root of all errors of this library."""


class InvalidValueError(PrebuildsError, ValueError):
    """A model was given a value it does not allow: which model, field and value, and what is allowed."""

    def __init__(self, model: str, field: str, value: object, allowed: str) -> None:
        super().__init__(model, field, value, allowed)
        self.model = model
        self.field = field
        self.value = value
        self.allowed = allowed

    def __str__(self) -> str:
        return f"{self.model}.{self.field}: {show(self.value)} is not allowed; it must be {self.allowed}"


class InvalidCronError(PrebuildsError, ValueError):
    """A cron expression cannot be read as a window; `problems` has one text for each thing wrong with it."""

    def __init__(self, expression: str, problems: tuple[str, ...]) -> None:
        super().__init__(expression, problems)
        self.expression = expression
        self.problems = problems

    def __str__(self) -> str:
        return f"`{shorten(self.expression)}`: {'; '.join(self.problems)}"


class UnknownPresetError(PrebuildsError, LookupError):
    """There is no preset with this id, in the snapshot or the store."""

    def __init__(self, preset_id: str) -> None:
        super().__init__(preset_id)
        self.preset_id = preset_id

    def __str__(self) -> str:
        return f"there is no preset with the id {show(self.preset_id)}"


class UnknownMissError(PrebuildsError, IndexError):
    """The result of a simulation has no miss with this number."""

    def __init__(self, index: int, misses: int) -> None:
        super().__init__(index, misses)
        self.index = index
        self.misses = misses

    def __str__(self) -> str:
        return f"there is no miss {show(self.index)}: the result has {self.misses}, numbered from 0"


class InvalidSnapshotError(PrebuildsError, ValueError):
    """A snapshot or its document is wrong.

    `problems` has a line for every problem found, led by its path in the document; of thousands it has the first
    thousand and a line that says so.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        distinct = iter(dict.fromkeys(islice(problems, 2 * MAX_PROBLEMS)))
        told = tuple(islice(distinct, MAX_PROBLEMS))
        more = (f"more than {MAX_PROBLEMS} problems; the rest is not told",) if next(distinct, None) else ()
        super().__init__(told + more)
        self.problems = told + more

    def __str__(self) -> str:
        return "\n".join(self.problems)


class InvalidTraceError(PrebuildsError, ValueError):
    """Claims cannot be read as a trace.

    `problems` has a line for each thing that is wrong: the place of the first bad row, how many more there are, and a
    few of them.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


class InsufficientHistoryError(PrebuildsError, ValueError):
    """The past is too short to tell the future from; `reason` says how much there is and how much is needed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class UnreachableGoalError(PrebuildsError, LookupError):
    """No pool size among those that were tried reaches the hit rate asked for; `best` is the highest of theirs."""

    def __init__(self, hit_rate: float, best: float) -> None:
        super().__init__(hit_rate, best)
        self.hit_rate = hit_rate
        self.best = best

    def __str__(self) -> str:
        return f"no size that was tried has a hit rate of {self.hit_rate:g}; the best of them has {self.best:.6g}"


class MissingExtraError(PrebuildsError, ImportError):
    """A part of the library was used whose extra is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(package, extra)
        self.package = package
        self.extra = extra

    def __str__(self) -> str:
        return f"{self.package} is not installed; it comes with an extra: pip install 'prebuilds[{self.extra}]'"


class BrokenContractError(PrebuildsError, AssertionError):
    """An implementation of a port broke a rule of it.

    `check` is the name of the check that found it, `port` what the rule is about, and `rule` says it. `done` has the
    calls that were made, the last ones if those were many, and `seen` what came of it.
    """

    def __init__(self, check: str, port: str, rule: str, done: tuple[str, ...], seen: str) -> None:
        super().__init__(check, port, rule, done, seen)
        self.check = check
        self.port = port
        self.rule = rule
        self.done = done
        self.seen = seen

    def __str__(self) -> str:
        done = "".join(f"\n    {line}" for line in self.done)
        return f"{self.port}: {self.rule}\n  check: {self.check}\n  done:{done}\n  seen: {self.seen}"


class TransactionOpenError(PrebuildsError, RuntimeError):
    """Something was done inside a transaction that must wait for its end; `place` is where the transaction began."""

    what = "this cannot be done inside a transaction"

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.place = place

    def __str__(self) -> str:
        return f"{self.what}; the one that is open began at {self.place}"


class PublishInTransactionError(TransactionOpenError):
    """A message was published inside a transaction, where it would want a second connection and could not be undone."""

    what = "a message cannot be published inside a transaction; hand it to `publish_on_commit`"


class NestedTransactionError(TransactionOpenError):
    """A transaction was begun inside another of the same store, where its isolation could not be kept."""

    what = "a transaction cannot begin inside another of the same store; use its `nested`"


class ReadOnlyTransactionError(PrebuildsError, RuntimeError):
    """Something was to be written in a transaction that was begun to read."""

    def __str__(self) -> str:
        return "nothing can be written in a transaction that is read-only"


class TransactionEndedError(PrebuildsError, RuntimeError):
    """A transaction was used after its end."""

    def __str__(self) -> str:
        return "the transaction has ended already"


class StoreClosedError(PrebuildsError, RuntimeError):
    """A store or a pubsub was used after it had been closed."""

    def __str__(self) -> str:
        return "it has been closed already"


class UnsupportedStoreError(PrebuildsError, ValueError):
    """A file cannot be used as a store: which file, and why."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.path} cannot be used as a store: {self.problem}"


class StoreNotFoundError(PrebuildsError, LookupError):
    """There is no store, and none was to be made: `place` is the file or the schema where it was looked for."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.place = place

    def __str__(self) -> str:
        return f"there is no store in {self.place}"


class ForkedStoreError(PrebuildsError, RuntimeError):
    """A transaction was open when this process was forked off: it is the parent's, and of no use here.

    Of a SQLite store no other can be begun either, as SQLite would rely on locks that only the parent has.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} was in use when this process was forked off; fork while no transaction of it is open"


class LeaseLostError(PrebuildsError, RuntimeError):
    """A write came with the fencing token of a lease that somebody else has taken since."""

    def __init__(self, name: str, token: int) -> None:
        super().__init__(name, token)
        self.name = name
        self.token = token

    def __str__(self) -> str:
        return f"the lease {show(self.name)} with the token {self.token} has been taken by somebody else"


class PoolExhaustedError(PrebuildsError, TimeoutError):
    """No connection of the pool became free in time."""

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
    """The store cannot be used for now: its server is out of reach or has ended the transaction, or its disk is full.

    Nothing was written, and trying again is safe.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"the store cannot be used: {self.problem}"


class CommitUnknownError(PrebuildsError, ConnectionError):
    """The connection was lost, or the disk failed, during a commit: nobody knows whether it was done."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"a commit was cut short, and may have been done: {self.problem}"


class CallTimedOutError(PrebuildsError, TimeoutError):
    """A call to the host did not return in time. It may still have its effect."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(what, seconds)
        self.what = what
        self.seconds = seconds

    def __str__(self) -> str:
        return f"{self.what} did not return within {self.seconds:g} s"


class UnresolvedVersionError(PrebuildsError, LookupError):
    """A build names no template version, and its workspace has no earlier build to take one from."""

    def __init__(self, workspace_id: str) -> None:
        super().__init__(workspace_id)
        self.workspace_id = workspace_id

    def __str__(self) -> str:
        return (
            f"no template version for the workspace {show(self.workspace_id)}: none is named, and no build came before"
        )


class NameTakenError(PrebuildsError, ValueError):
    """The owner has a workspace of this name already."""

    def __init__(self, owner_id: str, name: str) -> None:
        super().__init__(owner_id, name)
        self.owner_id = owner_id
        self.name = name

    def __str__(self) -> str:
        return f"the user {show(self.owner_id)} has a workspace with the name {show(self.name)} already"


class ClaimConflictError(PrebuildsError, ValueError):
    """A request id came again with another preset, owner or name than the claim that it made."""

    def __init__(self, request_id: str) -> None:
        super().__init__(request_id)
        self.request_id = request_id

    def __str__(self) -> str:
        return f"the request id {show(self.request_id)} has been used for another claim"


class UnknownWorkspaceError(PrebuildsError, LookupError):
    """The store has no workspace with this id."""

    def __init__(self, workspace_id: str) -> None:
        super().__init__(workspace_id)
        self.workspace_id = workspace_id

    def __str__(self) -> str:
        return f"there is no workspace with the id {show(self.workspace_id)}"


class WrongOwnerError(PrebuildsError, ValueError):
    """What was asked for is done to prebuilds alone, or to claimed workspaces alone, and the workspace is the other."""

    def __init__(self, workspace_id: str, problem: str) -> None:
        super().__init__(workspace_id, problem)
        self.workspace_id = workspace_id
        self.problem = problem

    def __str__(self) -> str:
        return f"the workspace {show(self.workspace_id)} {self.problem}"


class NoRoomError(PrebuildsError, RuntimeError):
    """What a host's builder raises when it takes no start now, as a quota is used up or there is no capacity.

    That is no failure: the start is canceled, and the preset tries again when there may be room.
    """

    def __init__(self, problem: str = "") -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"there is no room: {self.problem}" if self.problem else "there is no room"


class AlreadyRunningError(PrebuildsError, RuntimeError):
    """A reconciler was to run that runs already."""

    def __str__(self) -> str:
        return "the reconciler runs already"


class BrokenInvariantError(PrebuildsError, AssertionError):
    """A run with faults broke what must always hold: which invariant, how, and the line that runs it again."""

    def __init__(self, invariant: str, rule: str, seen: str, replay: str) -> None:
        super().__init__(invariant, rule, seen, replay)
        self.invariant = invariant
        self.rule = rule
        self.seen = seen
        self.replay = replay

    def __str__(self) -> str:
        return f"{self.invariant}: {self.rule}\n  seen: {self.seen}\n  replay: {self.replay}"
