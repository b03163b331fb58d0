"""The notebooks of the documentation run, and what they show is what is kept in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from notebooks import NOTEBOOKS, ROOT, change_directory, list_code_cells, read_notebook, run_cell, run_notebook


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


@pytest.mark.parametrize("place", [".", "docs", "docs/notebooks"])
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_finds_its_data_wherever_it_is_started(path: Path, place: str) -> None:
    """Jupyter starts it beside the notebook, an editor often at the top."""
    first = list_code_cells(read_notebook(path))[0]
    with change_directory(ROOT / place):
        assert run_cell("".join(first["source"]), {"__name__": "__main__"}) == first["outputs"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_needs_no_network(path: Path) -> None:
    """Nothing that is kept in it runs a script or loads anything: tables are HTML, charts are pictures."""
    for cell in list_code_cells(read_notebook(path)):
        for output in cell["outputs"]:
            shown = "".join(output.get("data", {}).values())
            assert not re.search(r"<script|\b(?:src|href)=|@import|jsdelivr", shown)


def test_there_are_two_notebooks() -> None:
    assert len(NOTEBOOKS) == 2
