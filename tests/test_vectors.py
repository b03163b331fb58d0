"""Agreement with what the Go original decides, case by case, and with this project's answer where it departs."""

from __future__ import annotations

import gzip
import io
import json
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


def check(decisions: list[dict[str, Any]], case: dict[str, Any]) -> int:
    """Compare a plan's decisions with a case's; the number of them."""
    for decision, expected in zip(decisions, case["expected"], strict=True):
        assert decision["preset_id"] == expected["preset_id"]
        assert {name: decision["state"][name] for name in expected["state"]} == expected["state"]
        assert merge(decision) == expected["actions"]
        is_limited = decision["preset_id"] in case["snapshot"]["hard_limited"]
        assert all(entry["reason"] == "hard_limited" and is_limited for entry in decision["withheld"])
    return len(decisions)


def test_decisions_agree() -> None:
    """Every state and every action, in order, of every preset."""
    compared = 0
    for case in read("decisions"):
        document = load_document(case)
        assert document.now is not None
        assert document.backoff_interval is not None
        made = plan(document.snapshot, now=document.now, policy=Policy(backoff_interval=document.backoff_interval))
        compared += check(dump_plan(made)["decisions"], case)
        assert load_document(dump_snapshot(document.snapshot)).snapshot == document.snapshot
    assert compared == 761


def test_the_command_agrees(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What `plan --format json` prints is the same, for every case."""
    compared = 0
    for case in read("decisions"):
        content = json.dumps({key: case[key] for key in ("now", "backoff_interval_seconds", "snapshot")})
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
        assert main(["plan", "-", "--format", "json"]) == 0
        compared += check(json.loads(capsys.readouterr().out)["decisions"], case)
    assert compared == 761


def test_windows_agree() -> None:
    """Inside, outside or an error, instants around changes of daylight saving included."""
    answers: list[bool | None] = []
    for case in read("windows"):
        local = parse_instant(case["at"]).astimezone(ZoneInfo(case["timezone"]))
        try:
            answers.append(parse_window(case["cron"]).contains(local))
        except InvalidCronError:
            answers.append(None)
        assert answers[-1] == case["within"], case
    assert [answers.count(answer) for answer in (True, False, None)] == [319, 1181, 9]


def test_overlaps_agree_with_the_truth() -> None:
    """Every hour of 28 years, where the original is wrong in some cases."""
    cases = list(read("overlaps"))
    wrong = 0
    for case in cases:
        assert is_overlapping(parse_window(case["a"]), parse_window(case["b"])) is case["overlaps"], case
        wrong += case["original"] is not case["overlaps"]
    assert len(cases) == 400
    assert wrong == 35
