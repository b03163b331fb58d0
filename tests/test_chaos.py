"""The figures of `nox -s chaos`: what users write is read as it was meant, and a promise that is broken shows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")

from chaos.__main__ import Outcome, Times
from chaos.answers import Answers, calculate_rate, calculate_speed, find_recovery, find_slowest, read_answers
from chaos.pools import TARGET
from chaos.scenarios import SCENARIOS, Scenario
from chaos.worker import User

TIMES = Times(0, 10, 20, 34)
KEPT = Scenario("", lambda *_: None, 0, least=0.5)


def tick(rate: int, begin: int, end: int) -> list[float]:
    """So many instants in each second."""
    return [second + number / rate for second in range(begin, end) for number in range(rate)]


def make_outcome(instants: list[float], **changes: object) -> Outcome:
    """Two claims that were served, and others that found nothing."""
    workspaces = {("u", "0"): "a", ("u", "1"): "b"}
    answers = Answers([(at, 0.1) for at in instants], instants, workspaces, Counter())
    outcome = Outcome(answers, TIMES, dict(workspaces), TARGET, is_full=True, fallen=[])
    return outcome._replace(**changes)


def test_rates_are_counted_in_their_time_alone() -> None:
    """From the beginning on, and until before the end."""
    instants = [*tick(4, 0, 10), *tick(1, 10, 20), *tick(4, 20, 34)]
    assert calculate_rate(instants, 0, 10) == calculate_rate(instants, 20, 34) == 4
    assert find_recovery(instants, 15, 34, 4) == 4.5  # two seconds with more than 70 percent of 8 claims
    assert find_recovery(tick(1, 0, 34), 20, 34, 4) is None


def test_a_speed_is_that_of_the_answers_alone() -> None:
    """However long users paused between them; and the slowest is that of a whole window."""
    answered = [(at, 0.5 if 10 <= at < 15 else 0.1) for at in tick(1, 0, 20)]
    assert calculate_speed(answered, 0, 10) == pytest.approx(10)
    assert find_slowest(answered, 0, 20, window=5) == 2
    assert find_slowest(answered, 20, 30, window=5) == 0


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """By who counts it, and by the process that goes on in the place of one that was killed."""
    path = tmp_path / "u.log"
    path.write_text(
        "1.5 + 0\n2.5 = 0 a 0.1\n3.5 + 1\n4.5 ! StoreUnavailableError\n5.5 = 1 - 0.2\n6.5 + 2\n", encoding="utf-8"
    )
    answered, errors = [(2.5, 0.1), (5.5, 0.2)], Counter(StoreUnavailableError=1)
    assert read_answers([path]) == Answers(answered, [2.5], {("u", "0"): "a"}, errors)
    resumed = User(None, path)  # type: ignore[arg-type]
    assert (resumed._next, resumed._open) == (3, [2])
    resumed._file.close()


STEADY = tick(4, 0, 34)


@pytest.mark.parametrize(
    ("instants", "changes", "broken"),
    [
        (STEADY, {}, []),
        (STEADY, {"owned": {("u", "0"): "a"}}, ["nothing is lost"]),
        (STEADY, {"owned": {("u", "0"): "a", ("u", "1"): "b", ("u", "2"): "c"}}, ["nothing is doubled"]),
        (STEADY, {"largest": TARGET + 1}, [f"no pool is larger than {TARGET}"]),
        (STEADY, {"is_full": False}, ["the pools are full in the end"]),
        (STEADY, {"fallen": ["loop-a"]}, ["all processes end when asked"]),
        ([*tick(4, 0, 10), *tick(4, 20, 34)], {}, ["claims keep 50% of their speed"]),
        (
            [*tick(4, 0, 20), *tick(4, 32, 34)],
            {},
            ["claims are back within 10 s", "creates are back within 10 s"],
        ),
    ],
)
def test_each_broken_promise_is_told(instants: list[float], changes: dict[str, object], broken: list[str]) -> None:
    """And none that was kept."""
    assert make_outcome(instants, **changes).list_broken(KEPT) == broken


def test_two_claims_with_one_workspace_are_noticed() -> None:
    """Even where the tables say that each user has it."""
    twice = {("u", "0"): "a", ("u", "1"): "a"}
    outcome = make_outcome(STEADY, owned=twice)
    outcome = outcome._replace(answers=outcome.answers._replace(workspaces=twice))
    assert outcome.list_broken(KEPT) == ["nothing is doubled"]


def test_every_scenario_is_there() -> None:
    """Each by a name that the command takes."""
    names = ["restart", "backends", "kill", "connections", "transaction", "snapshots", "disk", "sleep"]
    assert [*SCENARIOS] == names
