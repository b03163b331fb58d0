"""The command `budget`: what it prints, what it changes, and its errors."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command_line import call, write_fleet

from prebuilds.adapters.sqlite import SQLiteStore

WEB = {"id": "web", "template_id": "t", "desired_instances": 5}


@pytest.fixture
def store(tmp_path: Path) -> str:
    """An empty store."""
    path = tmp_path / "pool.db"
    SQLiteStore(path).close()
    return f"sqlite:{path}"


def test_budgets_are_set_listed_and_removed(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The table fits 79 columns. A budget that is set again has none of its earlier limits."""

    def budget(*arguments: str) -> tuple[int, str, str]:
        return call(capsys, "budget", *arguments, "--store", store)

    assert budget("list") == (0, "The store has no budgets.\n", "")
    done = "fleet: at most 3 starts under way, 20 creates in one pass.\n"
    assert budget("set", "--max-starting", "3", "--max-creates-per-pass", "20") == (0, done, "")
    done = "fleet: at most 9 starts begun in any minute, 100 prebuilds.\n"
    assert budget("set", "--max-creates-per-minute", "9", "--max-instances", "100") == (0, done, "")
    assert budget("set", "--template", "t-web", "--max-starting", "0")[0] == 0
    assert budget("set", "--organization", "t-web", "--max-starting", "1")[0] == 0
    lines = budget("list")[1].splitlines()
    assert max(map(len, lines)) <= 79
    assert [re.split("  +", line.strip()) for line in lines] == [
        ["budget", "starting", "creates per pass", "creates per minute", "instances"],
        ["fleet", "-", "-", "9", "100"],
        ["organization t-web", "1", "-", "-", "-"],
        ["template t-web", "0", "-", "-", "-"],
    ]
    assert budget("remove", "--template", "t-web") == (0, "template t-web: removed.\n", "")
    assert budget("remove", "--template", "t-web") == (2, "", "the store has no budget template t-web\n")
    assert budget("remove") == (0, "fleet: removed.\n", "")
    assert json.loads(budget("list", "--format", "json")[1]) == [
        {"scope": "organization", "key": "t-web", "max_starting": 1}
    ]


def test_the_loop_keeps_to_what_was_set(store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`run --once` cannot fill the pool and says which budget is in the way; then there is room."""
    fleet = write_fleet(tmp_path, WEB)
    call(capsys, "budget", "set", "--store", store, "--template", "t", "--max-instances", "2")
    status, out, _ = call(capsys, "run", "--once", "--store", store, "--fleet", str(fleet))
    assert (status, out.splitlines()[-2:]) == (
        1,
        ["Waiting for the budget template t, at most 2 prebuilds: 3 creates of 1 preset.", "web: 2 of 5 ready."],
    )
    assert "Waiting for the budget template t" in call(capsys, "status", "--store", store)[1]
    call(capsys, "budget", "remove", "--store", store, "--template", "t")
    assert call(capsys, "run", "--once", "--store", store)[0] == 0


def test_a_fleet_file_brings_its_budgets(store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are put into the store, where they can be changed; those with other names stay."""
    budgets = [{"scope": "fleet", "max_instances": 2}, {"scope": "template", "key": "t", "max_starting": 1}]
    fleet = tmp_path / "fleet.json"
    fleet.write_text(json.dumps({"budgets": budgets, "snapshot": {"presets": [WEB]}}))
    call(capsys, "budget", "set", "--store", store, "--organization", "o", "--max-starting", "7")
    assert call(capsys, "run", "--once", "--store", store, "--fleet", str(fleet))[0] == 1
    listed = json.loads(call(capsys, "budget", "list", "--format", "json", "--store", store)[1])
    assert listed == [budgets[0], {"scope": "organization", "key": "o", "max_starting": 7}, budgets[1]]


def test_a_fleet_file_may_not_have_a_budget_twice(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names both places."""
    fleet = tmp_path / "fleet.json"
    budgets = [{"scope": "fleet", "max_instances": 2}, {"scope": "fleet", "max_starting": 1}]
    fleet.write_text(json.dumps({"budgets": budgets, "snapshot": {"presets": [WEB]}}))
    expected = f'{fleet}: budgets[1].scope and key: "fleet" is given twice, first by budgets[0]\n'
    assert call(capsys, "run", "--once", "--store", store, "--fleet", str(fleet)) == (2, "", expected)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["set"], "budget set needs a limit: --max-starting, --max-creates-per-pass, "),
        (["set", "--max-creates-per-pass", "0"], "'0' is not a whole number from 1 to 2147483647"),
        (["set", "--max-starting", "-1"], "'-1' is not a whole number from 0 to 2147483647"),
        (["set", "--max-starting", "3", "--template", ""], "Budget.key: '' is not allowed"),
        (["set", "--max-starting", "3", "--template", "t", "--organization", "o"], "not allowed with argument"),
        (["remove", "--organization", "o"], "the store has no budget organization o"),
        ([], "required: ACTION"),
    ],
)
def test_wrong_input_is_refused(
    arguments: list[str], said: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line that names the value and what is allowed."""
    given = [*arguments, "--store", store] if arguments else []
    status, out, err = call(capsys, "budget", *given)
    assert (status, out) == (2, "")
    assert said in err
