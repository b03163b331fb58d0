"""Agreement with what the Go original decides, case by case, and with this project's answer where it departs."""

from __future__ import annotations

import gzip
import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from prebuilds import (
    InvalidCronError,
    Policy,
    dump_plan,
    dump_snapshot,
    is_overlapping,
    load_document,
    parse_window,
    plan,
)
from prebuilds.cli import main
from prebuilds.decision.documents.rfc3339 import parse_instant

VECTORS = Path(__file__).parent / "vectors"


def read(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(VECTORS / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def merge(decision: dict[str, Any]) -> list[dict[str, Any]]:
    """What was decided: the actions to be done and then those withheld, which the original decides all the same."""
    return decision["actions"] + [entry["action"] for entry in decision["withheld"]]


# What the original cannot read and this project can (docs/departures.md): other minutes, 7 for Sunday, ranges that run
# backwards. Each with the number of decisions, and with the answers of windows, that differ for it.
WIDER_DECISIONS = {"* 9-18 * * 7": 3}
WIDER_WINDOWS = {"* 18-9 * * *": False, "0 9 * * *": False, "*/1 9 * * *": False}


def check(decisions: list[dict[str, Any]], case: dict[str, Any]) -> list[str]:
    """Compare a plan's decisions with a case's: the expression for which each of them departs, or ""."""
    return [
        check_decision(decision, expected, preset, case)
        for decision, expected, preset in zip(decisions, case["expected"], case["snapshot"]["presets"], strict=True)
    ]


def check_decision(
    decision: dict[str, Any], expected: dict[str, Any], preset: dict[str, Any], case: dict[str, Any]
) -> str:
    assert decision["preset_id"] == expected["preset_id"]
    state = {name: decision["state"][name] for name in expected["state"]}
    crons = [row["cron"] for row in preset["schedules"]]
    if state["desired"] != expected["state"]["desired"] and decision["state"]["target_source"] == "schedule":
        (cron,) = set(crons) & set(WIDER_DECISIONS)
        return cron
    assert (state, merge(decision)) == (expected["state"], expected["actions"])
    is_limited = decision["preset_id"] in case["snapshot"]["hard_limited"]
    assert all(entry["reason"] == "hard_limited" and is_limited for entry in decision["withheld"])
    return ""


def count(names: list[str]) -> tuple[int, dict[str, int]]:
    """How many were compared, and how many departed for which expression."""
    return len(names), {name: number for name, number in Counter(names).items() if name}


def test_decisions_agree() -> None:
    """Every state and every action, in order, of every preset, less those that depart for an expression."""
    compared = []
    for case in read("decisions"):
        document = load_document(case)
        assert document.now is not None
        assert document.backoff_interval is not None
        made = plan(document.snapshot, now=document.now, policy=Policy(backoff_interval=document.backoff_interval))
        compared += check(dump_plan(made)["decisions"], case)
        assert load_document(dump_snapshot(document.snapshot)).snapshot == document.snapshot
    assert count(compared) == (761, WIDER_DECISIONS)


def test_the_command_agrees(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What `plan --format json` prints is the same, for every case."""
    compared = []
    for case in read("decisions"):
        content = json.dumps({key: case[key] for key in ("now", "backoff_interval_seconds", "snapshot")})
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
        assert main(["plan", "-", "--format", "json"]) == 0
        compared += check(json.loads(capsys.readouterr().out)["decisions"], case)
    assert count(compared) == (761, WIDER_DECISIONS)


def judge(case: dict[str, Any]) -> bool | None:
    """Whether the window of a case is open, or None if its expression cannot be read."""
    try:
        window = parse_window(case["cron"])
    except InvalidCronError:
        return None
    return window.contains(parse_instant(case["at"]).astimezone(ZoneInfo(case["timezone"])))


def test_windows_agree() -> None:
    """Inside, outside or an error, instants around changes of daylight saving included; less those that depart."""
    cases = list(read("windows"))
    departed = {case["cron"]: judge(case) for case in cases if judge(case) != case["within"]}
    assert departed == WIDER_WINDOWS
    assert all(case["within"] is None for case in cases if case["cron"] in departed)
    assert Counter(map(judge, cases)) == {True: 319, False: 1181 + len(WIDER_WINDOWS), None: 9 - len(WIDER_WINDOWS)}


def test_windows_of_the_wider_dialect_agree() -> None:
    """Minutes, 7, ranges that run backwards and steps along them, judged by sets that were written from the rule."""
    cases = list(read("windows_r20"))
    assert [case for case in cases if judge(case) is not case["within"]] == []
    assert Counter(map(judge, cases)) == {True: 182, False: 218}


def test_overlaps_agree_with_the_truth() -> None:
    """Every hour of 28 years, where the original is wrong in some cases."""
    cases = list(read("overlaps"))
    wrong = 0
    for case in cases:
        assert is_overlapping(parse_window(case["a"]), parse_window(case["b"])) is case["overlaps"], case
        wrong += case["original"] is not case["overlaps"]
    assert len(cases) == 400
    assert wrong == 35
