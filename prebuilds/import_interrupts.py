"""Ctrl-C during the imports of a command ends the process without a traceback.

- The package imports this module first: Python raises `KeyboardInterrupt` in the middle of an import.
- The process holds nothing yet, so the system may end it. Later `prebuilds.commands.console.signals` takes over.
- A program that imports the library keeps its own handlers. This is only for `python -m prebuilds`, and for the script
  `prebuilds` in the same folder as Python.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def is_command(arguments: Sequence[str], words: Sequence[str], executable: str) -> bool:
    """Whether Python runs a command of this package, judged by `sys.argv`, `sys.orig_argv` and `sys.executable`.

    While Python looks for the module to run, the first argument is `-m`. The other arguments come last among the words
    of the command line, and the word before them is the module.
    """
    if arguments[:1] == ["-m"]:
        return words[-len(arguments)].removeprefix("-m").partition(".")[0] == "prebuilds"
    return arguments[:1] == [os.path.join(os.path.dirname(executable), "prebuilds")]  # noqa: PTH118, PTH120 - fast


if is_command(sys.argv, sys.orig_argv, sys.executable):
    import signal  # slow to load, and only commands need it

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
