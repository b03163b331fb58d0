"""The pictures of the documentation are drawn by the library, each for a light page and for a dark one.

Sphinx draws them for every build, and warns of one that a page shows and nobody draws. Warnings are errors there.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from prebuilds.testing import FaultMode

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAPERS = {"light": "#ffffff", "dark": "#131416"}  # what the theme lays behind a page


def load_pictures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pictures", DOCS / "pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PICTURES: Any = load_pictures()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a build draws, by the names of the files. A file that was there before is gone."""
    folder = tmp_path_factory.mktemp("docs") / "_pictures"
    folder.mkdir()
    (folder / "stale-light.svg").touch()
    PICTURES.draw_pictures(folder)
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def calculate_contrast(one: str, other: str) -> float:
    """The contrast of two colours such as #1f2328, from 1 to 21, by the Web Content Accessibility Guidelines."""
    dark, light = sorted(map(calculate_luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def calculate_luminance(colour: str) -> float:
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_pages_show_exactly_what_is_drawn(drawn: dict[str, str]) -> None:
    """No page shows a picture that nobody draws, and none is drawn for nobody."""
    pages = [path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md") if "_build" not in path.parts]
    shown = [
        name for page in pages for name in re.findall(r"^```\{image\} (?:\.\./)?_pictures/(\S+)$", page, re.MULTILINE)
    ]
    assert sorted(shown) == sorted(drawn)


def test_every_picture_needs_no_network(drawn: dict[str, str]) -> None:
    """Each is an SVG that runs no script and loads nothing."""
    assert all(picture.startswith("<svg") for picture in drawn.values())
    assert not [name for name, picture in drawn.items() if re.search(r"<script|<image|@import|url\(http", picture)]


def test_every_text_can_be_read_on_its_page(drawn: dict[str, str]) -> None:
    """The contrast of text and page is at least the 4.5 that the accessibility guidelines ask for."""
    for name, picture in drawn.items():
        paper = PAPERS["dark" if name.endswith("-dark.svg") else "light"]
        inks = set(re.findall(r"<text[^>]* fill=\"(#\w{6})\"", picture))
        assert inks, name
        assert min(calculate_contrast(ink, paper) for ink in inks) >= 4.5, name


def test_the_loop_of_the_morning_keeps_its_pool_full() -> None:
    """In each minute, what is ready and what starts is what is wanted, before and after the window opens."""
    counts: dict[str, dict[str, int]] = {}
    for row in PICTURES.live_morning():
        counts.setdefault(row["at"], {})[row["what"]] = row["count"]
    assert [minute["ready"] + minute["starting"] for minute in counts.values()] == [
        minute["target"] for minute in counts.values()
    ]
    assert sorted({minute["target"] for minute in counts.values()}) == [2, 5]


def test_the_next_pass_repairs_a_broken_one() -> None:
    """As the front page says: each point of a pass is broken in each mode, and one pass more fills the pool."""
    with PICTURES.quiet():
        rows = list(PICTURES.break_everywhere())
        whole, passes = PICTURES.run_broken_pass()
    points = [f"{boundary.value} {point + 1}" for point, boundary in whole.crossed]
    assert [(row["point"], row["mode"]) for row in rows] == [
        (point, mode.value) for point in points for mode in FaultMode
    ]
    assert {row["passes"] for row in rows} == {0, 1}
    assert passes == 0
