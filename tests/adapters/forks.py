"""Programs that fork, each in a process of its own and with a deadline, in parent and child."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system forks no processes")

_COMMON = """
import os, signal, sys, traceback

def fork(do):
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(20)  # a child that is stuck is killed
    code = 1
    try:
        do()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)

def wait_for(pid):
    assert os.waitpid(pid, 0)[1] == 0
"""


def run_forking(code: str, *arguments: str) -> list[str]:
    """The lines that a program prints. It has `fork(do)` and `wait_for(pid)`, and must end well."""
    command = [sys.executable, "-W", "ignore", "-c", _COMMON + code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()
