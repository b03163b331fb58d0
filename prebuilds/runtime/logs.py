"""What a log says of an error: one line where the library has words for it, else its traceback too."""

from __future__ import annotations

import logging

from prebuilds.errors import PrebuildsError


def log_error(
    log: logging.Logger, what: str, error: BaseException, *, level: int = logging.ERROR, **fields: object
) -> None:
    """Log what went wrong, and by which error; `fields` become attributes of the record.

    An error of this library says all there is to know, as of a store that is busy, out of reach or full: where in the
    code it was met helps nobody. Of any other the traceback is needed.
    """
    unexplained = None if isinstance(error, PrebuildsError) else error
    log.log(level, "%s: %s: %s", what, type(error).__name__, error, extra=fields, exc_info=unexplained)
