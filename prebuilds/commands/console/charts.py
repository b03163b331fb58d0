"""Charts in files: a page for a browser (.html) or a picture (.svg)."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from prebuilds.errors import MissingExtraError, show

_ENDINGS = (".html", ".svg")


def read_chart_file(text: str) -> str:
    """The name of a file to write a chart to: it must end in .html or .svg."""
    if Path(text).suffix not in _ENDINGS:
        raise argparse.ArgumentTypeError(f"{show(text)} does not end in {' or '.join(_ENDINGS)}")
    return text


def write_chart(chart: Any, file: str) -> None:
    """Write an altair chart. A page contains its scripts, so that it opens without a network.

    Raises `OSError`, and `MissingExtraError` without the extra `notebook`.
    """
    try:
        import vl_convert  # noqa: F401 - altair's own error is long and unclear
    except ImportError as error:
        raise MissingExtraError("vl-convert-python", "notebook") from error
    chart.save(file, inline=file.endswith(".html"))
