"""The notebooks of the documentation run, and what they show is what is kept in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from notebooks import NOTEBOOKS, list_code_cells, read_notebook, run_notebook


def leave_pictures_out(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The outputs without what another version of the tool that draws could draw otherwise."""
    return [
        output | {"data": {kind: text for kind, text in output["data"].items() if not kind.startswith("image/")}}
        if "data" in output
        else output
        for output in outputs
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_what_is_kept_in_it(path: Path) -> None:
    """Every cell runs; text and tables are those that readers see, and each chart can be drawn.

    `python tests/notebooks.py` writes into the notebooks what they show now.
    """
    kept = [cell["outputs"] for cell in list_code_cells(read_notebook(path))]
    shown = run_notebook(path)
    assert list(map(leave_pictures_out, shown)) == list(map(leave_pictures_out, kept))
    pictures = [output["data"]["image/svg+xml"] for cell in shown for output in cell if "image/svg+xml" in str(output)]
    assert pictures
    assert all(picture.startswith("<svg") for picture in pictures)


def test_there_are_two_notebooks() -> None:
    assert len(NOTEBOOKS) == 2
