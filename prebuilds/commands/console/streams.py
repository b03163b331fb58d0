"""The output of commands: answers on standard output, problems on standard error, one line each."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import IO, TextIO

from prebuilds.errors import InvalidSnapshotError, PrebuildsError


def write(show: Callable[[], None]) -> int:
    """Show an answer and return the exit status. A reader that closes the pipe is no error: it has seen enough."""
    if sys.stdout is None:  # closed by the shell
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
    """Print a line at once, for a command that goes on even if no one reads it."""
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
        stream.reconfigure(errors="backslashreplace")  # a terminal may lack some characters of a name


def _silence(stream: TextIO) -> None:
    """Discard all further output, so that Python does not complain again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _fail_to_write(error: OSError) -> int:
    return fail(f"standard output: {error.strerror or error}")


def fail(*problems: str) -> int:
    """Print the problems, and return the exit status for wrong input."""
    for problem in problems:
        print(problem, file=sys.stderr)
    return 2


def fail_for(file: str, error: PrebuildsError | OSError) -> int:
    """Print what went wrong, with the name of the file for its own problems. Returns the exit status."""
    if isinstance(error, InvalidSnapshotError):
        return fail(*(f"{file}: {problem}" for problem in error.problems))
    return fail(f"{file}: {error.strerror or error}" if isinstance(error, OSError) else str(error))


def get_source(file: str) -> str | IO[bytes]:
    """The file to read; `-` is standard input. Raises `OSError` if that is closed."""
    if file != "-":
        return file
    if sys.stdin is None:
        raise OSError("standard input is closed")
    return sys.stdin.buffer
