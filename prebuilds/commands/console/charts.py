"""Charts in files: a page for a browser, or a picture, as the name of the file ends."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from prebuilds.errors import MissingExtraError, show

_ENDINGS = (".html", ".svg")


def read_chart_file(text: str) -> str:
    """The name of a file that a chart can be written to."""
    if Path(text).suffix not in _ENDINGS:
        raise argparse.ArgumentTypeError(f"{show(text)} is no name that ends in {' or '.join(_ENDINGS)}")
    return text


def write_chart(chart: Any, file: str) -> None:
    """Write an altair chart; a page has its scripts in itself, so that it opens without a network.

    Raises `OSError`, and `MissingExtraError` without the extra `notebook`.
    """
    try:
        import vl_convert  # noqa: F401 - altair says in many words which version of it is missing
    except ImportError as error:
        raise MissingExtraError("vl-convert-python", "notebook") from error
    chart.save(file, inline=file.endswith(".html"))
