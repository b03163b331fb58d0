"""Ctrl-C while a command of this package is still being imported: it ends the process, without a traceback.

- The package imports this before all else, as Python raises `KeyboardInterrupt` in the middle of an import.
- Nothing is held that early, so the system may end the process. Later `prebuilds.commands.console.signals` takes over.
- A program that imports the library keeps its own handlers. Meant are only `python -m prebuilds`, and the script
  `prebuilds` beside Python itself, as an environment has it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence


def is_command(arguments: Sequence[str], words: Sequence[str], executable: str) -> bool:
    """Whether Python runs a command of this package, as `sys.argv`, `sys.orig_argv` and `sys.executable` tell.

    While Python looks for the module that it is to run, the first argument is `-m`, and the other ones come last among
    the words that it was started with: the word before them is the module.
    """
    if arguments[:1] == ["-m"]:
        return words[-len(arguments)].removeprefix("-m").partition(".")[0] == "prebuilds"
    return arguments[:1] == [os.path.join(os.path.dirname(executable), "prebuilds")]  # noqa: PTH118, PTH120 - fast


if is_command(sys.argv, sys.orig_argv, sys.executable) and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
