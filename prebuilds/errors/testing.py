"""What the contract checks and the fault kit raise."""

from __future__ import annotations

from prebuilds.errors.base import PrebuildsError


class BrokenContractError(PrebuildsError, AssertionError):
    """An implementation of a port broke one of its rules.

    `check` is the name of the check that found it, `port` is the port, and `rule` the text of the rule. `done`
    has the calls made, only the last ones if there were many, and `seen` what they did.
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


class BrokenInvariantError(PrebuildsError, AssertionError):
    """A run with faults broke an invariant; says which, what was seen, and the line that runs it again."""

    def __init__(self, invariant: str, rule: str, seen: str, replay: str) -> None:
        super().__init__(invariant, rule, seen, replay)
        self.invariant = invariant
        self.rule = rule
        self.seen = seen
        self.replay = replay

    def __str__(self) -> str:
        return f"{self.invariant}: {self.rule}\n  seen: {self.seen}\n  replay: {self.replay}"
