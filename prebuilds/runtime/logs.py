"""How errors are logged: one line for an error of this library, with a traceback for any other."""

from __future__ import annotations

import logging
from collections.abc import Callable

from prebuilds.errors import PrebuildsError


def log_error(
    log: logging.Logger, what: str, error: BaseException, *, level: int = logging.ERROR, **fields: object
) -> None:
    """Log what went wrong, with the error. `fields` become attributes of the record.

    An error of this library explains itself, for example a store that is busy, unreachable or full. Its traceback would
    help nobody. Any other error needs its traceback.
    """
    unexplained = None if isinstance(error, PrebuildsError) else error
    log.log(level, "%s: %s: %s", what, type(error).__name__, error, extra=fields, exc_info=unexplained)


def attempt(log: logging.Logger, what: str, step: Callable[[], object]) -> bool:
    """Do a step and let no error escape. Returns whether it succeeded. If not, logs `what` happened, and the error."""
    try:
        step()
    except Exception as error:
        log_error(log, what, error)
        return False
    return True
