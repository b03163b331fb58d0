"""What snapshots, presets and cron expressions raise."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from prebuilds.errors.base import PrebuildsError, shorten, show

MAX_PROBLEMS = 1_000  # a document with more of them is not a snapshot at all


class InvalidCronError(PrebuildsError, ValueError):
    """A cron expression cannot be read as a window; `problems` has one text for each mistake in it."""

    def __init__(self, expression: str, problems: tuple[str, ...]) -> None:
        super().__init__(expression, problems)
        self.expression = expression
        self.problems = problems

    def __str__(self) -> str:
        return f"`{shorten(self.expression)}`: {'; '.join(self.problems)}"


class InvalidSnapshotError(PrebuildsError, ValueError):
    """A snapshot or its document is wrong.

    `problems` has a line for each problem, which begins with the path in the document. After a thousand problems, the
    last line says that there are more.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        distinct = iter(dict.fromkeys(islice(problems, 2 * MAX_PROBLEMS)))
        listed = tuple(islice(distinct, MAX_PROBLEMS))
        more = (f"more than {MAX_PROBLEMS} problems; the rest are not listed",) if next(distinct, None) else ()
        super().__init__(listed + more)
        self.problems = listed + more

    def __str__(self) -> str:
        return "\n".join(self.problems)


class UnknownVersionError(PrebuildsError, LookupError):
    """No preset of the plan, or of the store, has this template version."""

    def __init__(self, version_id: str) -> None:
        super().__init__(version_id)
        self.version_id = version_id

    def __str__(self) -> str:
        return f"no preset has the template version {show(self.version_id)}"


class UnknownPresetError(PrebuildsError, LookupError):
    """The snapshot, or the store, has no preset with this id."""

    def __init__(self, preset_id: str) -> None:
        super().__init__(preset_id)
        self.preset_id = preset_id

    def __str__(self) -> str:
        return f"there is no preset with the id {show(self.preset_id)}"
