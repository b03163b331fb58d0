"""What a command writes: answers to standard output, and each problem as one line to standard error."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import IO, TextIO

from prebuilds.errors import InvalidSnapshotError, PrebuildsError


def write(show: Callable[[], None]) -> int:
    """The exit status of showing an answer; a reader that has gone away has seen enough."""
    if sys.stdout is None:  # as Python leaves it when a shell has closed it
        return fail("standard output is closed")
    _allow_all_characters(sys.stdout)
    try:
        show()
        sys.stdout.flush()
    except BrokenPipeError:
        _silence(sys.stdout)
    except OSError as error:
        return _fail_to_write(error)
    except PrebuildsError as error:
        return fail(str(error))
    return 0


def say(line: str) -> None:
    """Print a line at once, for a command that goes on whether or not anybody reads it."""
    if sys.stdout is None:
        return
    _allow_all_characters(sys.stdout)
    try:
        print(line, flush=True)
    except BrokenPipeError:
        _silence(sys.stdout)
    except OSError as error:
        _fail_to_write(error)
        _silence(sys.stdout)


def _allow_all_characters(stream: TextIO) -> None:
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")  # a terminal may not know every character of a name


def _silence(stream: TextIO) -> None:
    """Let nothing more be written there: Python would complain once more when it flushes at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _fail_to_write(error: OSError) -> int:
    return fail(f"standard output: {error.strerror or error}")


def fail(*problems: str) -> int:
    """Tell the problems, and give the exit status of a question that was put wrongly."""
    for problem in problems:
        print(problem, file=sys.stderr)
    return 2


def fail_for(file: str, error: PrebuildsError | OSError) -> int:
    """Tell what went wrong; what the file is to blame for, with its name."""
    if isinstance(error, InvalidSnapshotError):
        return fail(*(f"{file}: {problem}" for problem in error.problems))
    return fail(f"{file}: {error.strerror or error}" if isinstance(error, OSError) else str(error))


def get_source(file: str) -> str | IO[bytes]:
    """The file to read; `-` is standard input. Raises `OSError` where that is closed."""
    if file != "-":
        return file
    if sys.stdin is None:
        raise OSError("standard input is closed")
    return sys.stdin.buffer
