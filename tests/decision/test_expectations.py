"""Expectations: effects that were carried out and that no snapshot shows yet (R22)."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from itertools import count
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decision.examples import MICROSECOND, MINUTE, NOW, make_fleet, make_in_progress, make_prebuild, make_preset
from prebuilds import (
    Expectation,
    Expectations,
    GlobalSnapshot,
    InProgress,
    InvalidValueError,
    Plan,
    Prebuild,
    Transition,
    expect,
    plan,
)
from prebuilds.testing import strategies

LATER = NOW + 5 * MINUTE
STARTING = InProgress(preset_id="p", transition=Transition.START, count=3, ids=["w-0", "w-1", "w-2"])


def expect_creates(*ids: str) -> Expectations:
    return Expectations().add("p", creates=ids, deadline=LATER)


def carry_out(made: Plan, expectations: Expectations, ids: Iterator[str], deadline: datetime) -> Expectations:
    """The expectations of a host that has carried out all of a plan."""
    for decision in made:
        created = [next(ids) for action in decision.actions for _ in range(action.create)]
        deleted = [name for action in decision.actions for name in action.delete_ids]
        expectations = expectations.add(decision.preset_id, creates=created, deletes=deleted, deadline=deadline)
    return expectations


def test_what_is_expected_is_a_value() -> None:
    """`add` names each prebuild once for a start and once for a delete, and changes nothing in place."""
    before = expect_creates("w-0")
    after = before.add("q", creates=["w-1"], deletes=["w-2"], deadline=LATER + MINUTE)
    assert list(before) == [
        Expectation(prebuild_id="w-0", preset_id="p", transition=Transition.START, deadline=LATER),
    ]
    assert list(after) == [
        *before,
        Expectation(prebuild_id="w-1", preset_id="q", transition=Transition.START, deadline=LATER + MINUTE),
        Expectation(prebuild_id="w-2", preset_id="q", transition=Transition.DELETE, deadline=LATER + MINUTE),
    ]
    assert (len(after), after.next_deadline, Expectations().next_deadline) == (3, LATER, None)


def test_a_stop_cannot_be_expected() -> None:
    """No plan stops a prebuild."""
    problem = "Expectation.transition: <Transition.STOP: 'stop'> is not allowed; it must be Transition.START"
    with pytest.raises(InvalidValueError, match=re.escape(problem)):
        Expectation(prebuild_id="w", preset_id="p", transition=Transition.STOP, deadline=LATER)


def test_a_create_counts_as_starting_and_a_delete_as_being_deleted() -> None:
    """Nothing else changes; without expectations the snapshot is the same object."""
    snapshot = make_fleet(running=[make_prebuild("w-8"), make_prebuild("w-9")])
    expected = expect_creates("w-0", "w-1").add("p", deletes=["w-9"], deadline=LATER)
    assert expect(snapshot, expected) == make_fleet(
        running=[make_prebuild("w-8")],
        in_progress=[
            InProgress(preset_id="p", transition=Transition.START, count=2, ids=["w-0", "w-1"]),
            InProgress(preset_id="p", transition=Transition.DELETE, count=1, ids=["w-9"]),
        ],
    )
    assert expect(snapshot, Expectations()) is snapshot


def test_an_effect_is_counted_once() -> None:
    """A host that was interrupted may note the same effect again."""
    (row,) = expect(make_fleet(), expect_creates("w-0", "w-0")).in_progress
    assert row == InProgress(preset_id="p", transition=Transition.START, count=1, ids=["w-0"])


@pytest.mark.parametrize(
    "snapshot",
    [make_fleet(running=[make_prebuild("w-0")]), make_fleet(in_progress=[STARTING])],
    ids=["running", "starting, with its id"],
)
def test_a_create_that_is_seen_is_not_counted_again(snapshot: GlobalSnapshot) -> None:
    """It is seen when it runs, and when a row of starts names it."""
    assert expect(snapshot, expect_creates("w-0")) is snapshot
    assert expect_creates("w-0", "w-7").prune(snapshot, now=NOW) == expect_creates("w-7")


def test_a_row_of_deletes_does_not_show_a_create() -> None:
    """Only a row of starts does."""
    deleting = InProgress(preset_id="p", transition=Transition.DELETE, count=1, ids=["w-0"])
    assert expect_creates("w-0").prune(make_fleet(in_progress=[deleting]), now=NOW) == expect_creates("w-0")


def test_a_delete_is_seen_once_the_prebuild_no_longer_runs() -> None:
    """From then on the snapshot itself says what became of it."""
    expected = Expectations().add("p", deletes=["w-9"], deadline=LATER)
    assert expected.prune(make_fleet(running=[make_prebuild("w-9")]), now=NOW) == expected
    assert expected.prune(make_fleet(), now=NOW) == Expectations()


def test_an_effect_is_forgotten_at_its_deadline() -> None:
    """To the microsecond: a create that failed unseen is then made again."""
    expected = expect_creates("w-0")
    assert expected.prune(make_fleet(), now=LATER - MICROSECOND) == expected
    assert expected.prune(make_fleet(), now=LATER) == Expectations()


def test_an_effect_for_an_unknown_preset_is_not_counted() -> None:
    """It is no orphan of the snapshot, as no row names that preset."""
    snapshot = make_fleet(make_preset(id="q"))
    assert expect(snapshot, expect_creates("w-0")) == snapshot


def test_now_must_be_an_instant() -> None:
    """As everywhere."""
    with pytest.raises(InvalidValueError, match=r"prune\.now"):
        Expectations().prune(make_fleet(), now=datetime(2026, 11, 23))  # noqa: DTZ001


@pytest.mark.parametrize("lag", [1, 2, 5])
@pytest.mark.parametrize("names_starts", [True, False])
def test_field_case_13_a_lag_creates_three_and_never_six(lag: int, names_starts: bool) -> None:
    """3 wanted, reads that are `lag` passes behind: 3 are created, whether or not rows name what starts."""
    ids, created = (f"w-{number}" for number in count()), []
    seen, expectations = [make_fleet()] * (lag + 1), Expectations()
    for number in range(4 * lag):
        now, snapshot = NOW + number * MINUTE, seen[number]
        expectations = expectations.prune(snapshot, now=now)
        made = plan(expect(snapshot, expectations), now=now)
        expectations = carry_out(made, expectations, ids, now + 2 * lag * MINUTE)
        created += [effect.prebuild_id for effect in expectations if effect.prebuild_id not in created]
        names = created if names_starts else []
        seen.append(make_fleet(in_progress=[InProgress(**ROW, count=len(created), ids=names)]))
    assert created == ["w-0", "w-1", "w-2"]


ROW = {"preset_id": "p", "transition": Transition.START}


@given(data=st.data())
def test_planning_again_on_the_same_old_rows_creates_and_deletes_nothing_twice(data: st.DataObject) -> None:
    """Law: a second plan on the same snapshot, with what the first one did expected, has nothing left to do."""
    now = data.draw(strategies.instants())
    snapshot = data.draw(strategies.global_snapshots(now=now))
    before = data.draw(strategies.expectations(now=now, snapshot=snapshot)).prune(snapshot, now=now)
    first = plan(expect(snapshot, before), now=now)
    after = carry_out(first, before, (f"made-{number}" for number in count()), now + MINUTE)
    for decision in plan(expect(snapshot, after.prune(snapshot, now=now)), now=now):
        assert not [action for action in decision.actions if action.create or action.delete_ids]


class Pools:
    """Pools of which 65 % of the builds under way are still pending after each pass, and 2 % of what runs is claimed.

    Snapshots show what was there `lag` passes ago.
    """

    def __init__(self, count: int, desired: int, *, lag: int) -> None:
        self.presets = [make_preset(id=f"p{number}", desired_instances=desired) for number in range(count)]
        self.starting: dict[str, list[str]] = {preset.id: [] for preset in self.presets}
        self.running: dict[str, list[Prebuild]] = {preset.id: [] for preset in self.presets}
        self._begun: set[str] = set()
        self._random = Random(65)
        self._seen = deque([self.read()] * (lag + 1), maxlen=lag + 1)

    @property
    def snapshot(self) -> GlobalSnapshot:
        return self._seen[0]

    def count(self) -> list[int]:
        """How many prebuilds each pool really has, with those that start."""
        return [len(self.starting[preset.id]) + len(self.running[preset.id]) for preset in self.presets]

    def begin(self, expectations: Expectations) -> None:
        """Begin the starts that are new."""
        for effect in expectations:
            if effect.prebuild_id not in self._begun:
                self._begun.add(effect.prebuild_id)
                self.starting[effect.preset_id].append(effect.prebuild_id)

    def pass_time(self) -> None:
        """Some builds end, some prebuilds are claimed, and the reads come a step nearer."""
        for name, ids in self.starting.items():
            ended = [prebuild_id for prebuild_id in ids if self._random.random() > 0.65]
            kept = [prebuild for prebuild in self.running[name] if self._random.random() > 0.02]
            self.starting[name] = [prebuild_id for prebuild_id in ids if prebuild_id not in ended]
            self.running[name] = [*kept, *(make_prebuild(ended_id, preset_id=name) for ended_id in ended)]
        self._seen.append(self.read())

    def read(self) -> GlobalSnapshot:
        """What is there now."""
        rows = [make_in_progress(len(ids), preset_id=name, ids=ids) for name, ids in self.starting.items()]
        running = [prebuild for prebuilds in self.running.values() for prebuild in prebuilds]
        return make_fleet(*self.presets, running=running, in_progress=rows)


def list_highest(pools: Pools, passes: int, *, is_expected: bool) -> list[int]:
    """The most prebuilds that each pool has had, after so many passes; with or without expectations."""
    ids, expectations, highest = (f"w-{number}" for number in count()), Expectations(), pools.count()
    for number in range(passes):
        now, snapshot = NOW + number * MINUTE, pools.snapshot
        expectations = expectations.prune(snapshot, now=now) if is_expected else Expectations()
        made = plan(expect(snapshot, expectations), now=now)
        expectations = carry_out(made, expectations, ids, now + 10 * MINUTE)
        pools.begin(expectations)
        highest = list(map(max, highest, pools.count()))
        pools.pass_time()
    return highest


def test_500_pools_of_40_with_lagging_reads_never_exceed_their_sum() -> None:
    """Law: nor does any of them exceed its own target, and all of them are full at some time."""
    assert list_highest(Pools(500, 40, lag=3), 8, is_expected=True) == [40] * 500


def test_pools_that_expect_nothing_exceed_their_sum_when_reads_lag() -> None:
    """So the law is no matter of course."""
    assert sum(list_highest(Pools(5, 40, lag=3), 8, is_expected=False)) > 5 * 40
