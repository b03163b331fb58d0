"""The commands on a store as tests call them: within this process, and `run` in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import pytest

from prebuilds.cli import main

LONG = 60


def write_fleet(folder: Path, *presets: dict[str, object], **builder: object) -> Path:
    path = folder / "fleet.json"
    path.write_text(json.dumps({"builder": builder, "snapshot": {"presets": presets}}))
    return path


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The exit status of a command, and what it wrote to standard output and standard error."""
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = int(stop.code or 0)
    output = capsys.readouterr()
    return status, output.out, output.err


@contextmanager
def start(*arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """A command in a process of its own, and what it prints, errors included."""
    with subprocess.Popen(
        [sys.executable, "-m", "prebuilds", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
    ) as process:
        try:
            yield process, cast("IO[str]", process.stdout)
        finally:
            process.kill()


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """`run` at work in a process of its own, and what it prints."""
    with start("run", *arguments) as (process, output):
        assert output.readline() == "Running; Ctrl-C stops it.\n"
        yield process, output


def claim_at_last(store: str, name: str) -> None:
    """Claim as soon as a prebuild is ready, which the other process is at work on."""
    claim = ["claim", "web", "--store", store, "--owner", "ann", "--name", name]
    assert any(main(claim) == 0 for _ in range(5_000))
