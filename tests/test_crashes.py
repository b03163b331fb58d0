"""A `run` that is killed at any instant loses nothing, doubles nothing, and takes nothing from a user."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from itertools import count
from pathlib import Path
from random import Random
from time import monotonic

from prebuilds.adapters.sqlite import SQLitePubSub, SQLiteStore
from prebuilds.cli import main
from prebuilds.runtime import PREBUILDS_CHANGED, SYSTEM_CLOCK, Claims, Store, Workspace
from prebuilds.runtime import Counter as Counted

KILLS = 50
DESIRED = {"web": 6, "gpu": 3}
ROOT = Path(__file__).parent.parent


def start(path: Path, fleet: Path) -> subprocess.Popen[bytes]:
    """A `run` that looks at everything all the time, and takes over soon from one that was killed."""
    command = [sys.executable, "-m", "prebuilds", "run", "--store", f"sqlite:{path}", "--fleet", str(fleet)]
    return subprocess.Popen([*command, "--interval", "0.02", "--lease", "0.2"], stdout=subprocess.PIPE)


def list_prebuilds(store: Store) -> list[Workspace]:
    with store.transaction(read_only=True) as tx:
        return list(tx.read_rows().prebuilds)


def test_a_loop_that_is_killed_at_any_instant_resumes_where_it_was(tmp_path: Path) -> None:
    """Over 50 kills: what is claimed is kept, nothing is there twice, and every message comes through."""
    random, path, fleet = Random(1), tmp_path / "pool.db", tmp_path / "fleet.json"
    presets = [{"id": name, "desired_instances": count} for name, count in DESIRED.items()]
    fleet.write_text(json.dumps({"builder": {"delay_seconds": 0.01}, "snapshot": {"presets": presets}}))
    main(["run", "--store", f"sqlite:{path}", "--fleet", str(fleet), "--once"])
    heard: set[str] = set()
    with SQLiteStore(path) as store:
        pubsub = SQLitePubSub(store)
        pubsub.subscribe(PREBUILDS_CHANGED, lambda message: heard.add(message.body))
        claimed = live_through(store, random, path, fleet)
        fill = ["run", "--store", f"sqlite:{path}", "--fleet", str(fleet), "--once"]
        assert any(main(fill) == 0 for _ in range(1_000)), "the lease of the one killed last has never run out"
        check_rest(store, claimed)
        pubsub.close()
    assert heard == set(DESIRED)
    assert len(claimed) > KILLS, "hardly anything was claimed: the loop did not work between the kills"


def live_through(store: Store, random: Random, path: Path, fleet: Path) -> dict[str, str]:
    """Start, claim for a while and kill, many times; what was claimed, by workspace."""
    claims, claimed, names = Claims(store, clock=SYSTEM_CLOCK), {}, count()
    for number in range(KILLS):
        with start(path, fleet) as process:
            if number % 5:  # else it is killed while it starts
                assert process.stdout
                process.stdout.readline()
            end = monotonic() + random.uniform(0, 0.5)
            while monotonic() < end:
                claim = claims.claim(random.choice(list(DESIRED)), owner_id="ann", name=f"dev-{next(names)}")
                if claim.workspace:
                    claimed[claim.workspace.id] = claim.workspace.name
            process.send_signal(signal.SIGKILL)
        counts = Counter(workspace.preset_id for workspace in list_prebuilds(store))
        assert all(counts[name] <= DESIRED[name] for name in counts), "more were created than are wanted"
    return claimed


def check_rest(store: Store, claimed: dict[str, str]) -> None:
    assert Counter(workspace.preset_id for workspace in list_prebuilds(store)) == DESIRED
    assert all(workspace.ready for workspace in list_prebuilds(store))
    with store.transaction(read_only=True) as tx:
        for workspace_id, name in claimed.items():
            workspace = tx.get_workspace(workspace_id)
            assert workspace is not None
            assert (workspace.name, workspace.is_running, workspace.last_build.number) == (name, True, 1)
        created = sum(entry.value for entry in tx.list_counters() if entry.counter is Counted.CREATED)
        assert created == len(claimed) + sum(DESIRED.values()), "one was created and lost, or created twice"
        assert list(tx.list_messages(1)) == [], "the outbox has not been delivered"
