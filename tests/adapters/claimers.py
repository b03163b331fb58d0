"""Claimers in several processes and threads, which claim from one file until no prebuild is left."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from prebuilds import BuildStatus, Preset, Transition
from prebuilds.adapters.sqlite import SQLiteStore
from prebuilds.runtime.claims import Claims
from prebuilds.runtime.clocks import SYSTEM_CLOCK
from prebuilds.runtime.models import BuildRequest
from prebuilds.runtime.ports import Store
from prebuilds.testing.contracts.equipment.requests import insert_one

EPOCH = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Got(NamedTuple):
    """What one claimer got, and how long each of its claims took in seconds, the last one included, which missed."""

    workspace_ids: tuple[str, ...]
    seconds: tuple[float, ...]


def fill(store: Store, prebuilds: int) -> None:
    """A preset and so many prebuilds of it that are ready, each a second younger than the one before."""
    with store.transaction() as tx:
        tx.put_preset(Preset(id="p", desired_instances=prebuilds))
        for number in range(prebuilds):
            request = BuildRequest(
                build_id=f"b{number}",
                workspace_id=f"w{number}",
                transition=Transition.START,
                preset_id="p",
                template_version_id="",
            )
            now = EPOCH + timedelta(seconds=number)
            insert_one(tx, request, name=f"prebuild {number}", now=now)
            tx.finish_build(request.build_id, BuildStatus.SUCCEEDED, now=now)
            tx.mark_ready(request.workspace_id)


def claim_all(claims: Claims, owner: str) -> Got:
    """Claim until there is nothing left."""
    workspace_ids: list[str] = []
    seconds: list[float] = []
    while True:
        begin = perf_counter()
        name = f"mine {len(seconds)}"
        claim = claims.claim("p", owner_id=owner, name=name, request_id=f"{owner} {name}")
        seconds.append(perf_counter() - begin)
        if claim.workspace is None:
            return Got(tuple(workspace_ids), tuple(seconds))
        workspace_ids.append(claim.workspace.id)


def run_threads(store: Store, owners: Iterable[str]) -> list[Got]:
    """Claimers in threads of this process, who begin together."""
    owners = tuple(owners)
    claims, together = Claims(store, clock=SYSTEM_CLOCK), threading.Barrier(len(owners))

    def run(owner: str) -> Got:
        together.wait(timeout=60)
        return claim_all(claims, owner)

    with ThreadPoolExecutor(len(owners)) as executor:
        return list(executor.map(run, owners))


def run_processes(path: Path, *, processes: int, threads: int, survives_power_loss: bool = False) -> list[Got]:
    """Claimers in threads of several processes, which begin together."""
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(processes)
    with ProcessPoolExecutor(processes, context, _prepare, (together, path, survives_power_loss)) as executor:
        owners = [[f"user {process} {thread}" for thread in range(threads)] for process in range(processes)]
        return [got for part in executor.map(_run_process, owners) for got in part]


class _Process:
    """What a process of the pool is given once."""

    store: SQLiteStore
    together: threading.Barrier


def _prepare(together: threading.Barrier, path: Path, survives_power_loss: bool) -> None:
    _Process.store = SQLiteStore(path, timeout=timedelta(minutes=1), survives_power_loss=survives_power_loss)
    _Process.together = together


def _run_process(owners: Sequence[str]) -> list[Got]:
    _Process.together.wait(timeout=60)
    with _Process.store as store:
        return run_threads(store, owners)
