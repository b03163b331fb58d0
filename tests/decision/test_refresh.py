"""Who goes first (R15), own ttls, and replacing ahead (R16)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decision.examples import HOUR, MICROSECOND, MINUTE, NOW, make_fleet, make_in_progress, make_prebuild, make_preset
from prebuilds import (
    HARDENED,
    Change,
    ChangeCause,
    InvalidValueError,
    Policy,
    Preset,
    Victims,
    dump_snapshot,
    load_snapshot,
    plan,
)
from prebuilds.decision.lifetimes.aging import calculate_own_ttl, has_outlived
from prebuilds.testing.strategies.values import ages

TTL = 4 * HOUR
AHEAD = 30 * MINUTE
AGING = NOW - TTL + AHEAD  # created so long ago that it is to be replaced from now on


def list_actions(preset: Preset, *, policy: Policy = HARDENED, **rows: Any) -> list[tuple[int, tuple[str, ...]]]:
    (decision,) = plan(make_fleet(preset, **rows), now=NOW, policy=policy)
    return [(action.create, action.delete_ids) for action in decision.actions]


def explain(preset: Preset, *, policy: Policy = HARDENED, **rows: Any) -> str:
    return plan(make_fleet(preset, **rows), now=NOW, policy=policy).decisions[0].explain()


# R15


def test_shrinking_keeps_what_is_ready() -> None:
    """Field case 9: with `HARDENED` the young one that is not ready goes; the original deletes the oldest."""
    rows = [make_prebuild("old"), make_prebuild("young", created_at=NOW, ready=False)]
    one = make_preset(desired_instances=1)
    assert list_actions(one, running=rows) == [(0, ("young",))]
    assert list_actions(one, policy=Policy(), running=rows) == [(0, ("old",))]
    assert explain(one, running=rows) == "p: delete 1 (young): the worst beyond the target, 1 wanted, 2 running"


def test_taking_back_keeps_the_ready_ones() -> None:
    """Field case 28: of four that are ready and four that boot, the four that boot go."""
    rows = [make_prebuild(f"ready{n}") for n in range(4)]
    rows += [make_prebuild(f"boots{n}", created_at=NOW - 5 * MINUTE, ready=False) for n in range(4)]
    four = make_preset(desired_instances=4)
    assert list_actions(four, running=rows) == [(0, ("boots0", "boots1", "boots2", "boots3"))]
    assert list_actions(four, policy=Policy(), running=rows) == [(0, ("ready0", "ready1", "ready2", "ready3"))]


def test_victims_are_ranked() -> None:
    """Stuck, not ready, aging, oldest, then by id."""
    preset = make_preset(desired_instances=0, ready_deadline=MINUTE, ttl=TTL, refresh_ahead=AHEAD, max_surge=0)
    rows = [
        make_prebuild("b"),
        make_prebuild("a"),
        make_prebuild("old", created_at=NOW - 2 * HOUR),
        make_prebuild("aging", created_at=AGING),
        make_prebuild("boots", ready=False),
        make_prebuild("stuck", ready=False, started_at=NOW - MINUTE),
    ]
    three = make_preset(desired_instances=3, ready_deadline=MINUTE)
    assert list_actions(three, running=rows) == [(0, ("stuck",)), (0, ("boots", "aging"))]
    assert list_actions(preset, running=rows)[0] == (0, ("stuck",))


# R16: own ttls


@given(st.text("abcdef0123456789-", min_size=1, max_size=20), st.floats(0, 1))
def test_an_own_ttl_is_shorter_by_up_to_the_share(name: str, jitter: float) -> None:
    """Never longer than the ttl, and the same each time."""
    preset = make_preset(ttl=TTL, ttl_jitter=jitter)
    own = calculate_own_ttl(preset, name)
    assert own is not None
    assert TTL - TTL * jitter - MICROSECOND <= own <= TTL
    assert own == calculate_own_ttl(preset, name)


def test_own_ttls_are_the_same_on_every_machine() -> None:
    """By the CRC-32 of the id: these values were worked out once, and must never change."""
    preset = make_preset(ttl=TTL, ttl_jitter=0.2)
    owns = {name: calculate_own_ttl(preset, name) for name in ("w-1", "w-2", "0123")}
    assert owns == {
        "w-1": timedelta(seconds=11890.72316),
        "w-2": timedelta(seconds=13612.382471),
        "0123": timedelta(seconds=12527.990544),
    }


def test_own_ttls_differ() -> None:
    """Prebuilds of one age do not expire together."""
    preset = make_preset(ttl=TTL, ttl_jitter=0.2)
    owns = {calculate_own_ttl(preset, f"w-{n}") for n in range(100)}
    assert len(owns) == 100
    assert max(owns) - min(owns) > TTL * 0.15  # type: ignore[type-var,operator]


@pytest.mark.parametrize("names", [("w-1", "w-2"), ("w-0", "w-1")], ids=["first ends first", "first ends last"])
def test_a_prebuild_expires_at_its_own_ttl(names: tuple[str, str]) -> None:
    """Exactly at it is not expired; the next change is the first end of all."""
    preset = make_preset(desired_instances=2, ttl=TTL, ttl_jitter=0.5)
    rows = [make_prebuild(name, created_at=NOW) for name in names]
    (first_at, first), (second_at, _) = sorted(
        (NOW + (calculate_own_ttl(preset, row.id) or TTL), row.id) for row in rows
    )
    fleet = make_fleet(preset, running=rows)
    (decision,) = plan(fleet, now=NOW)
    assert decision.next_change == Change(at=first_at + MICROSECOND, cause=ChangeCause.EXPIRY, subject=first)
    assert plan(fleet, now=first_at).decisions[0].state.expired == 0
    (decision,) = plan(fleet, now=first_at + MICROSECOND)
    assert [row.id for row in decision.snapshot.expired] == [first]
    assert "expired, older than their own part of the ttl of 4 h" in decision.explain()
    assert decision.next_change_at == second_at + MICROSECOND


@given(ages(), st.sampled_from([0.0, 0.3, 1.0]))
def test_one_row_alone_expires_as_in_a_plan(age: timedelta, jitter: float) -> None:
    """What a claim checks for one prebuild is what a plan finds for all."""
    preset = make_preset(ttl=HOUR, ttl_jitter=jitter)
    rows = [make_prebuild(f"w-{n}", created_at=NOW - age) for n in range(5)]
    (decision,) = plan(make_fleet(preset, running=rows), now=NOW)
    expired = [row.id for row in rows if has_outlived(preset, row.id, row.created_at, NOW)]
    assert [row.id for row in decision.snapshot.expired] == expired


# R16: replacing ahead


def make_aging(count: int, **changes: Any) -> list[Any]:
    return [make_prebuild(f"a{n}", **{"created_at": AGING, **changes}) for n in range(count)]


def make_fresh(count: int, *, ready: bool = True) -> list[Any]:
    return [make_prebuild(f"f{n}", created_at=NOW - MINUTE, ready=ready) for n in range(count)]


REFRESHED = make_preset(desired_instances=10, ttl=TTL, refresh_ahead=AHEAD, max_surge=3)


def test_aging_prebuilds_are_replaced_within_the_surge() -> None:
    """They stay eligible meanwhile, and go once their replacements are ready."""
    assert list_actions(REFRESHED, running=make_aging(10)) == [(3, ())]
    starting = {"in_progress": [make_in_progress(3)]}
    assert list_actions(REFRESHED, running=make_aging(10), **starting) == []
    assert list_actions(REFRESHED, running=make_aging(10) + make_fresh(3, ready=False)) == []
    assert list_actions(REFRESHED, running=make_aging(10) + make_fresh(3)) == [(0, ("a0", "a1", "a2"))]
    assert list_actions(REFRESHED, running=make_aging(7) + make_fresh(3)) == [(3, ())]
    assert list_actions(REFRESHED, running=make_fresh(10)) == []
    (decision,) = plan(make_fleet(REFRESHED, running=make_aging(10)), now=NOW)
    assert (decision.state.aging, decision.state.eligible, decision.state.extraneous) == (10, 10, 0)
    assert decision.explain() == "p: create 3: 10 wanted, 10 running, 10 of them aging"
    assert explain(REFRESHED, running=make_aging(10) + make_fresh(1)) == (
        "p: delete 1 (a0): replaced before it expires, 10 wanted, 11 running, 10 of them aging\n"
        "p: create 2: 10 wanted, 11 running, 10 of them aging"
    )


def test_without_a_bound_all_are_replaced_at_once() -> None:
    """And with a surge of 0 none is, so that they expire as in the original."""
    all_at_once = make_preset(desired_instances=10, ttl=TTL, refresh_ahead=AHEAD)
    assert list_actions(all_at_once, running=make_aging(10)) == [(10, ())]
    never = make_preset(desired_instances=10, ttl=TTL, refresh_ahead=AHEAD, max_surge=0)
    assert list_actions(never, running=make_aging(10)) == []


def test_one_is_aging_from_so_long_before_its_end_on() -> None:
    """That instant included; it is a change of the plan."""
    young = make_aging(1, created_at=AGING + MICROSECOND) + make_fresh(9)
    (decision,) = plan(make_fleet(REFRESHED, running=young), now=NOW)
    assert decision.state.aging == 0
    assert decision.next_change == Change(at=NOW + MICROSECOND, cause=ChangeCause.AGING, subject="a0")
    assert plan(make_fleet(REFRESHED, running=young), now=NOW + MICROSECOND).decisions[0].state.aging == 1


def test_a_target_that_falls_keeps_what_is_ready() -> None:
    """With replacements under way, `HARDENED` gives up those that are not ready rather than the aging."""
    four = make_preset(desired_instances=4, ttl=TTL, refresh_ahead=AHEAD, max_surge=2)
    assert list_actions(four, running=make_aging(4) + make_fresh(3, ready=False)) == [(0, ("f0",))]
    assert list_actions(four, running=make_aging(6)) == [(0, ("a0", "a1"))]
    assert list_actions(four, running=make_fresh(6)) == [(0, ("f0", "f1"))]


class Pool(NamedTuple):
    """What is there: whether each aging and each fresh prebuild is ready, and how many are starting."""

    desired: int
    surge: int | None
    aging: list[bool]
    fresh: list[bool]
    starting: int


READINESS = st.lists(st.booleans(), max_size=8)
POOLS = st.builds(Pool, st.integers(0, 6), st.none() | st.integers(0, 4), READINESS, READINESS, st.integers(0, 4))


@given(POOLS, st.sampled_from(Victims))
def test_replacing_ahead_stays_within_the_surge(pool: Pool, victims: Victims) -> None:
    """No create leads above the surge, and no delete leaves fewer ready ones than wanted if there were enough."""
    desired, surge, aging, fresh, starting = pool
    preset = make_preset(desired_instances=desired, ttl=TTL, refresh_ahead=AHEAD, max_surge=surge)
    rows = [make_prebuild(f"a{n}", created_at=AGING, ready=ready) for n, ready in enumerate(aging)]
    rows += [make_prebuild(f"f{n}", created_at=NOW, ready=ready) for n, ready in enumerate(fresh)]
    fleet = make_fleet(preset, running=rows, in_progress=[make_in_progress(starting)])
    (decision,) = plan(fleet, now=NOW, policy=Policy(victims=victims))
    created = sum(action.create for action in decision.actions)
    gone = {name for action in decision.actions for name in action.delete_ids}
    most = desired + (len(aging) if surge is None else min(surge, len(aging)))
    assert created == 0 or len(rows) + starting + created <= most
    kept = [row for row in rows if row.id not in gone]
    assert len(kept) <= most
    if victims is Victims.WORST_FIRST:
        ready = sum(row.ready for row in rows)
        assert sum(row.ready for row in kept) >= min(ready, desired)
    assert decision.state.extraneous == len(gone)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ttl_jitter", -0.1),
        ("ttl_jitter", 1.1),
        ("ttl_jitter", True),
        ("refresh_ahead", timedelta()),
        ("refresh_ahead", 60),
        ("max_surge", -1),
        ("max_surge", 1.5),
    ],
)
def test_wrong_settings_are_refused(field: str, value: object) -> None:
    """The error names the field."""
    with pytest.raises(InvalidValueError, match=rf"Preset\.{field}: "):
        make_preset(**{field: value})
    with pytest.raises(InvalidValueError, match=r"Policy\.victims: "):
        Policy(victims="worst")  # type: ignore[arg-type]


def test_a_document_may_have_these_settings() -> None:
    """In seconds, shares and counts; they are left out where they are off."""
    row = {"id": "p", "desired_instances": 1, "ttl_seconds": 14400}
    settings = {"ttl_jitter": 0.2, "refresh_ahead_seconds": 1800, "max_surge": 3}
    snapshot = load_snapshot({"presets": [row | settings]})
    assert snapshot.presets == (
        make_preset(desired_instances=1, ttl=TTL, ttl_jitter=0.2, refresh_ahead=AHEAD, max_surge=3),
    )
    (dumped,) = dump_snapshot(snapshot)["presets"]
    assert {name: dumped[name] for name in settings} == settings
    (plain,) = dump_snapshot(load_snapshot({"presets": [row]}))["presets"]
    assert not settings.keys() & plain.keys()
