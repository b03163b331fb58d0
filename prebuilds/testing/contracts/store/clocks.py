"""The clock of a store: clients whose own clocks are hours off agree about leases, expiry and outcomes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import attrs

from prebuilds.decision.models import BuildStatus
from prebuilds.runtime.build_reports import BuildReports
from prebuilds.runtime.claims import Claims
from prebuilds.runtime.clocks import SYSTEM_CLOCK, SystemClock, choose_clock
from prebuilds.runtime.loop.leasing import take_lease
from prebuilds.runtime.ports import Store
from prebuilds.testing.contracts.equipment.checking import Lab, StoreCheck, store_check
from prebuilds.testing.contracts.equipment.error_words import expect
from prebuilds.testing.contracts.equipment.requests import WEB, insert_one, request_start
from prebuilds.testing.contracts.equipment.scenes import put_presets

CHECKS: list[StoreCheck] = []
_FOLLOWS = "StoreClock.follow_clock"
_OFF = (timedelta(hours=-5), timedelta(), timedelta(hours=5))
_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)
_LASTING = attrs.evolve(WEB, ttl=timedelta(hours=1))


class _HostClock(SystemClock):
    """The clock of a machine that somebody has set wrong. Its count of seconds is right, as everywhere."""

    def __init__(self, off: timedelta) -> None:
        self._off = off

    def now(self) -> datetime:
        return super().now() + self._off


class _Times(NamedTuple):
    """What clients read, one after the other."""

    first: datetime
    last: datetime

    @property
    def are_close(self) -> bool:
        return timedelta() <= self.last - self.first < _MINUTE


def _now(store: Store) -> datetime:
    return choose_clock(store, SYSTEM_CLOCK).now()


@store_check(CHECKS, _FOLLOWS, "A clock that shows the store's time, however wrong `host` is")
def clients_read_one_time(lab: Lab) -> None:
    begun = _now(lab.store) - _SECOND
    for off in _OFF:
        read = choose_clock(lab.store, _HostClock(off)).now()
        seen = _Times(begun, read)
        expect(seen.are_close, True, f"whether {seen}, read with clocks that are 0 and {off} off, are close")


@store_check(CHECKS, _FOLLOWS, "clients whose clocks are off agree about leases, expiry and outcomes")
def a_lease_ends_by_the_stores_clock(lab: Lab) -> None:
    for off in _OFF:
        name = f"loop {off}"
        lease = take_lease(lab.store, name, "one", choose_clock(lab.store, _HostClock(off)), _MINUTE)
        ends = lease.expires_at - _now(lab.store) if lease else timedelta()
        expect(timedelta() < ends <= _MINUTE + _SECOND, True, f"whether a minute's lease lasts a minute, not {ends}")
        for other in _OFF:
            refused = take_lease(lab.store, name, "two", choose_clock(lab.store, _HostClock(other)), _MINUTE)
            expect(refused, None, f"another, whose clock is {other} off, took the lease, and got")


@store_check(CHECKS, _FOLLOWS, "clients whose clocks are off agree about leases, expiry and outcomes")
def a_claim_expires_by_the_stores_clock(lab: Lab) -> None:
    put_presets(lab.store, _LASTING)
    for off in _OFF:
        clock = _HostClock(off)
        claims = Claims(lab.store, clock=clock)
        _put_ready(lab.store, f"old {off}", _now(lab.store) - 2 * timedelta(hours=1))
        old = claims.claim("web", owner_id="alice", name=f"old {off}")
        expect(old.workspace, None, f"a clock that is {off} off: the claim of a prebuild that has expired got")
        _put_ready(lab.store, f"new {off}", _now(lab.store))
        new = claims.claim("web", owner_id="alice", name=f"new {off}")
        got = new.workspace.id if new.workspace else None
        expect(got, f"new {off}", f"a clock that is {off} off: the claim of a new prebuild got")


@store_check(CHECKS, _FOLLOWS, "clients whose clocks are off agree about leases, expiry and outcomes")
def an_outcome_is_dated_by_the_stores_clock(lab: Lab) -> None:
    put_presets(lab.store, WEB)
    for off in _OFF:
        workspace_id, began = f"one {off}", _now(lab.store)
        with lab.store.transaction() as tx:
            insert_one(tx, request_start(workspace_id), name=workspace_id, now=began - _MINUTE)
        BuildReports(lab.store, clock=_HostClock(off)).fail(request_start(workspace_id).build_id)
        with lab.store.transaction(read_only=True) as tx:
            workspace = tx.get_workspace(workspace_id)
        ended = workspace.last_build.finished_at if workspace else None
        seen = _Times(began - _SECOND, ended or began - _MINUTE)
        expect(seen.are_close, True, f"a clock that is {off} off: whether {seen}, before and at a report, are close")


def _put_ready(store: Store, workspace_id: str, created_at: datetime) -> None:
    request = request_start(workspace_id)
    with store.transaction() as tx:
        insert_one(tx, request, name=workspace_id, now=created_at)
        tx.finish_build(request.build_id, BuildStatus.SUCCEEDED, now=created_at)
        tx.mark_ready(workspace_id)
