"""The tables of docs/decide/settings.md have every setting, its default, and its value in `HARDENED`."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import attrs
import pytest

from prebuilds import HARDENED, Budget, Policy, Preset
from prebuilds.decision.wording import describe_duration

PAGE = Path(__file__).resolve().parent.parent / "docs" / "decide" / "settings.md"
Row = dict[str, str]

WHAT_A_PRESET_IS = {
    "id",
    "name",
    "template_version",
    "desired_instances",
    "timezone",
    "schedules",
    "last_invalidated_at",
    "prebuild_status",
    "parameters",
}
"""The fields of a preset that are no settings of how it is kept. Any other field belongs to the table."""


def read_table(heading: str) -> list[Row]:
    """The rows of the table in a section, by the names of its columns."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    columns, _, *rows = [[cell.strip() for cell in cells] for cells in lines]
    return [dict(zip(columns, cells, strict=True)) for cells in rows]


def list_fields(model: type[Any], *, without: Collection[str] = ()) -> list[Any]:
    return [field for field in attrs.fields(model) if field.init and field.name not in without]


def show(value: object) -> str:
    """A value as the tables have it: `none`, `on`, `15 min`."""
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, timedelta):
        return describe_duration(value)
    return f"`{value.name}`" if isinstance(value, Enum) else f"{value:g}" if isinstance(value, float) else str(value)


def show_hardened(field: Any) -> str:
    value = getattr(HARDENED, field.name)
    return show(value) if value == field.default else f"**{show(value)}**"


def test_the_policys_settings_are_told_with_both_values() -> None:
    """In the order of the fields. What `HARDENED` changes is in bold."""
    told = [(row["setting"], row["default"], row["`HARDENED`"]) for row in read_table("Policy")]
    fields = list_fields(Policy)
    assert told == [(f"`{field.name}`", show(field.default), show_hardened(field)) for field in fields]


@pytest.mark.parametrize(
    ("heading", "fields"),
    [
        ("Budget", list_fields(Budget, without={"scope", "key"})),
        ("Preset", list_fields(Preset, without=WHAT_A_PRESET_IS)),
    ],
)
def test_the_settings_of_budgets_and_presets_are_told(heading: str, fields: list[Any]) -> None:
    """In the order of the fields, with their defaults."""
    told = [(row["setting"], row["default"]) for row in read_table(heading)]
    assert told == [(f"`{field.name}`", show(field.default)) for field in fields]


@pytest.mark.parametrize("heading", ["Policy", "Budget", "Preset"])
def test_each_setting_has_a_meaning_and_a_price(heading: str) -> None:
    """Only the name elsewhere may be empty."""
    empty = [(row["setting"], name) for row in read_table(heading) for name, cell in row.items() if not cell]
    assert [(setting, name) for setting, name in empty if name != "elsewhere"] == []
