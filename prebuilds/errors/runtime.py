"""What the loop raises, and what claims, builds and workspaces do."""

from __future__ import annotations

from collections.abc import Sequence

from prebuilds.errors.base import PrebuildsError, show


class CallTimedOutError(PrebuildsError, TimeoutError):
    """A call to the host did not return in time. It may still have its effect."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(what, seconds)
        self.what = what
        self.seconds = seconds

    def __str__(self) -> str:
        return f"{self.what} did not return within {self.seconds:g} s"


class UnresolvedVersionError(PrebuildsError, LookupError):
    """A build names no template version, and its workspace has no earlier build to take it from."""

    def __init__(self, workspace_id: str) -> None:
        super().__init__(workspace_id)
        self.workspace_id = workspace_id

    def __str__(self) -> str:
        return (
            f"no template version for the workspace {show(self.workspace_id)}: none is named, and no build came before"
        )


class ShardedBudgetsError(PrebuildsError, ValueError):
    """A store has budgets, and a reconciler works on a shard of it. Two shards would spend a budget twice."""

    def __init__(self, budgets: Sequence[str]) -> None:
        super().__init__(budgets)
        self.budgets = tuple(budgets)
        """The names of the budgets."""

    def __str__(self) -> str:
        names = ", ".join(map(show, self.budgets))
        return f"the store has budgets, which no shard can keep alone: {names}; remove them, or use no shards"


class NameTakenError(PrebuildsError, ValueError):
    """The owner already has a workspace with this name."""

    def __init__(self, owner_id: str, name: str) -> None:
        super().__init__(owner_id, name)
        self.owner_id = owner_id
        self.name = name

    def __str__(self) -> str:
        return f"the user {show(self.owner_id)} already has a workspace with the name {show(self.name)}"


class ClaimConflictError(PrebuildsError, ValueError):
    """A request id was used again with another preset, owner or name than in its first claim."""

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
    """The call is only for prebuilds, or only for claimed workspaces, and this workspace is the other kind."""

    def __init__(self, workspace_id: str, problem: str) -> None:
        super().__init__(workspace_id, problem)
        self.workspace_id = workspace_id
        self.problem = problem

    def __str__(self) -> str:
        return f"the workspace {show(self.workspace_id)} {self.problem}"


class ActiveVersionError(PrebuildsError, ValueError):
    """The call is only for template versions that are not active, and this one is."""

    def __init__(self, version_id: str) -> None:
        super().__init__(version_id)
        self.version_id = version_id

    def __str__(self) -> str:
        return f"the template version {show(self.version_id)} is active: users get its prebuilds, so it is no candidate"


class NoRoomError(PrebuildsError, RuntimeError):
    """A host's builder raises this when it takes no start now: a quota is used up, or there is no capacity.

    This is not a failure: the start is canceled, and the preset tries again when there may be room.
    """

    def __init__(self, problem: str = "") -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"there is no room: {self.problem}" if self.problem else "there is no room"


class AlreadyRunningError(PrebuildsError, RuntimeError):
    """`run` was called on a reconciler that is already running."""

    def __str__(self) -> str:
        return "the reconciler is already running"
