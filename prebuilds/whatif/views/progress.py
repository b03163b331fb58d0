"""A progress bar for long work, on standard error and only if asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prebuilds.errors import MissingExtraError

ReportProgress = Callable[[float], None]
"""Reports how much is done, out of the total."""


@contextmanager
def show_progress(label: str, total: float, *, is_shown: bool) -> Iterator[ReportProgress]:
    """Show a progress bar during the block. Raises `MissingExtraError` without the extra `cli`."""
    if not is_shown:
        yield _ignore
        return
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ModuleNotFoundError as error:
        raise MissingExtraError("rich", "cli") from error
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.update(task, completed=done)


def _ignore(done: float) -> None:
    """Nobody watches."""
