"""Mutants: bugs that controllers have, each as one change of one line or two.

- A mutant applies when its file has `old` exactly once. A test holds that all of them do.
- Each breaks a rule that the package states. What would change nothing that can be seen is no mutant.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Mutant(NamedTuple):
    """A bug: its name, the file below the package, and the text that becomes another."""

    name: str
    file: str
    old: str
    new: str

    @property
    def area(self) -> str:
        """The part of the package that it is in."""
        return self.file.partition("/")[0]

    def apply(self, package: Path) -> None:
        """Change this copy of the package. Raises `ValueError` unless the old text is there exactly once."""
        path = package / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.file} has its old text {text.count(self.old)} times, not once")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


DECISION = (
    Mutant(
        "expired of an inactive preset are kept",
        "decision/actions.py",
        "sorted((*snapshot.expired, *snapshot.running), key=rank_by_age)",
        "snapshot.running",
    ),
    Mutant(
        "a backoff holds an inactive preset's clean-up",
        "decision/actions.py",
        "    if not snapshot.preset.is_active:\n        return (*cancel",
        "    if not snapshot.preset.is_active and not back_off(snapshot, policy):\n        return (*cancel",
    ),
    Mutant(
        "a backoff ends an instant early",
        "decision/actions.py",
        "return until if snapshot.now <= until else None",
        "return until if snapshot.now < until else None",
    ),
    Mutant(
        "a backoff does not grow",
        "decision/actions.py",
        "backoff.last_build_at + backoff.num_failed * policy.backoff_interval",
        "backoff.last_build_at + policy.backoff_interval",
    ),
    Mutant(
        "no backoff at all",
        "decision/actions.py",
        "    return backoff or (*delete_expired",
        "    return (*delete_expired",
    ),
    Mutant(
        "the newest are deleted",
        "decision/actions.py",
        "snapshot.running[: count_extraneous(snapshot)]",
        "snapshot.running[len(snapshot.running) - count_extraneous(snapshot) :]",
    ),
    Mutant(
        "one too many is deleted",
        "decision/state.py",
        "max(len(snapshot.running) - snapshot.target.desired, 0)",
        "max(len(snapshot.running) - snapshot.target.desired + 1, 0)",
    ),
    Mutant(
        "starting builds are not counted",
        "decision/state.py",
        "snapshot.target.desired - len(snapshot.running) - starting, 0",
        "snapshot.target.desired - len(snapshot.running), 0",
    ),
    Mutant(
        "starting builds are counted twice",
        "decision/state.py",
        "snapshot.target.desired - len(snapshot.running) - starting, 0",
        "snapshot.target.desired - len(snapshot.running) - 2 * starting, 0",
    ),
    Mutant(
        "expired prebuilds count towards the target",
        "decision/state.py",
        "snapshot.target.desired - len(snapshot.running) - starting, 0",
        "snapshot.target.desired - len(snapshot.running) - len(snapshot.expired) - starting, 0",
    ),
    Mutant(
        "in-progress counts of every transition are starts",
        "decision/state.py",
        "row.count for row in rows if row.transition is transition",
        "row.count for row in rows",
    ),
    Mutant(
        "in-progress counts of another preset leak in",
        "decision/snapshots.py",
        "self.in_progress.get(preset.id, ())",
        "next(reversed(self.in_progress.values()), ())",
    ),
    Mutant(
        "the snapshot is sorted in place",
        "decision/fields.py",
        "        return value\n    return tuple(value)\n",
        "        return value\n"
        '    if isinstance(value, list) and all(hasattr(row, "created_at") for row in value):\n'
        "        value.sort(key=lambda row: row.created_at)\n"
        "    return tuple(value)\n",
    ),
    Mutant(
        "prebuilds of one age are in the order of their rows",
        "decision/presets.py",
        'rank_by_age = attrgetter("created_at", "id")',
        'rank_by_age = attrgetter("created_at")',
    ),
    Mutant(
        "the wall clock is used for the ttl",
        "decision/presets.py",
        "    outlived = now - preset.ttl\n",
        "    outlived = datetime.now(UTC) - preset.ttl\n",
    ),
    Mutant(
        "exactly at the ttl is expired",
        "decision/presets.py",
        "bisect_left(prebuilds, cutoff, key=_created_at)",
        "sum(prebuild.created_at <= cutoff for prebuild in prebuilds)",
    ),
    Mutant(
        "an invalidation is forgotten where there is a ttl",
        "decision/presets.py",
        "return outlived if invalidated is None else max(invalidated, outlived)",
        "return outlived",
    ),
    Mutant(
        "the schedules of an inactive preset are looked at",
        "decision/targets.py",
        "    if not preset.is_active:\n        return _INACTIVE\n",
        "    if not preset.is_active and not preset.schedules:\n        return _INACTIVE\n",
    ),
    Mutant(
        "a single schedule is never checked",
        "decision/schedules/timetables.py",
        "    return tuple(problems)",
        "    return tuple(problems) if len(schedules) > 1 else ()",
    ),
    Mutant(
        "an overlap is found by hours alone",
        "decision/schedules/windows.py",
        "            weekdays = a.weekdays_on(day) & b.weekdays_on(day)\n",
        "            weekdays = a.weekdays & b.weekdays\n",
    ),
    Mutant(
        "day 0 is accepted",
        "decision/schedules/windows.py",
        '_Field("day-of-month", 1, 31)',
        '_Field("day-of-month", 0, 31)',
    ),
    Mutant(
        "Sunday is 7 too",
        "decision/schedules/windows.py",
        '_Field("day-of-week", 0, 6, _WEEKDAYS)',
        '_Field("day-of-week", 0, 7, _WEEKDAYS)',
    ),
    Mutant(
        "a backoff looks at the base count alone",
        "decision/history.py",
        "max(preset.desired_instances, calculate_target(preset, now).desired)",
        "preset.desired_instances",
    ),
    Mutant(
        "a backoff counts from when the build was created",
        "decision/history.py",
        "_Outcome(build.finished_at, build.id,",
        "_Outcome(build.created_at, build.id,",
    ),
    Mutant(
        "failures are never forgotten",
        "decision/history.py",
        "if outcome.is_failure and now - outcome.ended_at <= policy.backoff_lookback",
        "if outcome.is_failure",
    ),
    Mutant(
        "a replay looks into the future",
        "decision/history.py",
        "if build.finished_at and build.finished_at <= now:",
        "if build.finished_at:",
    ),
    Mutant(
        "a hard limit is never reset",
        "decision/history.py",
        "if build.preset_id not in since or build.created_at > since[build.preset_id]",
        "if since is not None",
    ),
    Mutant(
        "one success ends no hard limit",
        "decision/history.py",
        "len(latest) >= limit and all(outcome.is_failure for outcome in latest[:limit])",
        "sum(outcome.is_failure for outcome in latest) >= limit",
    ),
    Mutant(
        "a hard-limited preset creates all the same",
        "decision/plans/planning.py",
        "    if not snapshot.is_hard_limited:\n        return actions, ()\n",
        "    return actions, ()\n",
    ),
    Mutant(
        "a pause withholds creates alone",
        "decision/plans/planning.py",
        "        return (), tuple(Withheld(",
        "        return tuple(a for a in actions if a.delete_ids), tuple(Withheld(",
    ),
    Mutant(
        "orphans are dropped in silence",
        "decision/snapshots.py",
        '                *_find_orphans("running", running, presets),\n',
        "",
    ),
)

RUNTIME = (
    Mutant(
        "a paused loop carries out its effects",
        "runtime/loop/effects.py",
        "    if fleet.is_paused:\n        return ()\n",
        "",
    ),
    Mutant(
        "a paused plan is not withheld, nor its leftovers",
        "runtime/loop/fleet.py",
        "        is_paused=reads.is_paused(),\n",
        "        is_paused=False,\n",
    ),
    Mutant(
        "failed deletes are never tried again",
        "runtime/loop/effects.py",
        "        *_delete_leftovers(fleet, decision, now, new_id),\n",
        "",
    ),
    Mutant(
        "failed deletes are tried again at once, for ever",
        "runtime/loop/fleet.py",
        "return ended + min(workspace.failed_deletes * policy.backoff_interval, policy.backoff_lookback)",
        "return ended",
    ),
    Mutant(
        "a failure of a wrong clock is waited for",
        "runtime/loop/fleet.py",
        "    if ended > now:\n        return now\n",
        "",
    ),
    Mutant(
        "what was not submitted is forgotten",
        "runtime/loop/effects.py",
        "        *_submit_builds(fleet, decision),\n",
        "",
    ),
    Mutant(
        "what is to be canceled is submitted",
        "runtime/loop/effects.py",
        "        if not (is_canceling and is_pending_start(workspace)):\n",
        "        if not is_canceling or is_pending_start(workspace):\n",
    ),
    Mutant(
        "pending jobs are never canceled",
        "runtime/loop/fleet.py",
        "            pending=_count_pending(prebuilds),\n",
        "",
    ),
    Mutant(
        "memberships are not made before the first create",
        "runtime/loop/effects.py",
        "        yield AddMembership(preset_id=preset.id, organization_id=organization_id)\n",
        "        pass\n",
    ),
    Mutant(
        "the hard limit's mark stays",
        "runtime/loop/effects.py",
        "    if limited != (status is PrebuildStatus.HARD_LIMITED):",
        "    if limited and status is not PrebuildStatus.HARD_LIMITED:",
    ),
    Mutant(
        "the hard limit's mark is set in every pass",
        "runtime/loop/effects.py",
        "    if limited != (status is PrebuildStatus.HARD_LIMITED):",
        "    if limited or status is PrebuildStatus.HARD_LIMITED:",
    ),
    Mutant(
        "an error while creating leaves no failed build",
        "runtime/loop/executor.py",
        "            self._note_failure(effect)\n",
        "",
    ),
    Mutant(
        "writes go without the lease's token",
        "runtime/loop/executor.py",
        "return self._store.transaction(lease=self._lease.lease)",
        "return self._store.transaction()",
    ),
    Mutant(
        "the builder is called inside the transaction",
        "runtime/loop/executor.py",
        "tx.get_workspace(request.workspace_id)\n        if workspace:\n            self._submit(",
        "tx.get_workspace(request.workspace_id)\n            self._builder.submit("
        "request, workspace.last_build.template_version_id, timeout=self._calls.timeout)\n"
        "        if workspace:\n            self._submit(",
    ),
    Mutant(
        "a time-out of the builder counts as refused",
        "runtime/loop/executor.py",
        "        except TimeoutError:\n            raise  # nobody knows whether it was taken",
        "        except ZeroDivisionError:\n            raise  # nobody knows whether it was taken",
    ),
    Mutant(
        "what the builder refuses stays pending",
        "runtime/loop/executor.py",
        "                finish_build(tx, request.build_id, BuildStatus.FAILED, now=self._clock.now())\n",
        "                pass\n",
    ),
    Mutant(
        "what was submitted is not noted",
        "runtime/loop/executor.py",
        "            tx.mark_submitted(request.build_id)\n",
        "            pass\n",
    ),
    Mutant(
        "one failed effect ends the pass",
        "runtime/loop/executor.py",
        '            return OutcomeStatus.FAILED, f"{type(error).__name__}: {error}"\n',
        "            raise\n",
    ),
    Mutant(
        "a deposed reconciler goes on trying",
        "runtime/loop/executor.py",
        "                self._lease.is_lost = True\n",
        "                pass\n",
    ),
    Mutant(
        "all connections are taken by workers",
        "runtime/loop/passes.py",
        "max(store.max_connections // 2, 1)",
        "store.max_connections",
    ),
    Mutant(
        "a pass reads without one snapshot",
        "runtime/loop/passes.py",
        "self._store.transaction(isolation=Isolation.REPEATABLE_READ, read_only=True)",
        "self._store.transaction(read_only=True)",
    ),
    Mutant(
        "nothing happens until the first tick",
        "runtime/loop/reconciler.py",
        "            with self._listening():\n",
        "            self._take_events()\n"
        "            self._due = self._options.clock.monotonic() + self._options.interval.total_seconds()\n"
        "            self._sleep()\n            with self._listening():\n",
    ),
    Mutant(
        "stop before run is ignored",
        "runtime/loop/reconciler.py",
        "            with self._listening():\n",
        "            self._passes.stopping.clear()\n            with self._listening():\n",
    ),
    Mutant(
        "messages do not wake the loop",
        "runtime/loop/reconciler.py",
        "            self._events.add(message.body)\n        self._wake.set()\n",
        "            self._events.add(message.body)\n",
    ),
    Mutant(
        "the outbox is not relayed",
        "runtime/loop/reconciler.py",
        "            self._attempt(self._relay.flush)\n",
        "            pass\n",
    ),
    Mutant(
        "messages are removed before they are sent",
        "runtime/publishing/relays.py",
        "            self._pubsub.publish(entry.message)\n            sent.append(entry.id)\n",
        "            sent.append(entry.id)\n            self._pubsub.publish(entry.message)\n",
    ),
    Mutant(
        "publishing within a transaction is let through",
        "runtime/publishing/relays.py",
        "        raise PublishInTransactionError(transactions[-1].place)\n",
        "        pass\n",
    ),
    Mutant(
        "messages of a rolled back part are sent",
        "runtime/publishing/relays.py",
        "            del self._messages[mark:]\n",
        "",
    ),
    Mutant(
        "messages are released before the commit",
        "runtime/publishing/relays.py",
        "        held = HeldMessages()\n        yield held\n    messages = held.list_messages()\n",
        "        held = HeldMessages()\n        try:\n            yield held\n"
        "        finally:\n            messages = held.list_messages()\n            release(messages)\n",
    ),
    Mutant(
        "a delete runs with the version that its preset has",
        "runtime/building.py",
        "    return last_build.template_version_id\n",
        '    return "v3" if last_build.template_version_id == "v1" else last_build.template_version_id\n',
    ),
    Mutant(
        "failures are counted for deletes too",
        "runtime/building.py",
        "if workspace and status is BuildStatus.FAILED and workspace.last_build.transition is Transition.START:",
        "if workspace and status is BuildStatus.FAILED:",
    ),
    Mutant(
        "expired prebuilds can be claimed",
        "runtime/claims.py",
        "tx.take_prebuild(attrs.evolve(take, created_since=cutoff))",
        "tx.take_prebuild(take)",
    ),
    Mutant(
        "a claim made again takes another",
        "runtime/claims.py",
        "claim = _find_repeated(tx, take) or _take(tx, take)",
        "claim = _take(tx, attrs.evolve(take, request_id=None))",
    ),
    Mutant(
        "a preset without parameters matches everything",
        "runtime/claims.py",
        "if preset.parameters and given.issuperset(preset.parameters)",
        "if given.issuperset(preset.parameters)",
    ),
    Mutant(
        "ties of presets go by their order",
        "runtime/claims.py",
        "key=lambda preset: (-len(preset.parameters), preset.id)",
        "key=lambda preset: -len(preset.parameters)",
    ),
    Mutant(
        "metrics are queried on scrape",
        "runtime/metrics/collector.py",
        "        return make_families(self._prefix, self._reading, self._durations)\n",
        "        return make_families(self._prefix, self._read(), self._durations)\n",
    ),
    Mutant(
        "series of equal labels are told twice over",
        "runtime/metrics/readings.py",
        "sums.get(labels, Gauges()).add(_measure(snapshot))",
        "_measure(snapshot)",
    ),
)

ADAPTERS = (
    Mutant(
        "memory: a delete does not compare the owner",
        "adapters/memory/workspaces.py",
        "if workspace is None or workspace.deleted or not workspace.is_prebuild:\n            return False\n"
        "        if not workspace.last_build.status.is_final",
        "if workspace is None or workspace.deleted:\n            return False\n"
        "        if not workspace.last_build.status.is_final",
    ),
    Mutant(
        "memory: a create is not pinned",
        "adapters/memory/workspaces.py",
        "if preset is None or not preset.is_active or preset.template_version.id != request.template_version_id:",
        "if preset is None:",
    ),
    Mutant(
        "memory: claims are in no order",
        "adapters/memory/workspaces.py",
        "choose = min if take.order is ClaimOrder.OLDEST_FIRST else max",
        "choose = max",
    ),
    Mutant(
        "memory: what is not ready can be claimed",
        "adapters/memory/workspaces.py",
        "return workspace.ready and workspace.is_running and is_fresh",
        "return workspace.is_running and is_fresh",
    ),
    Mutant(
        "memory: a prebuild of an inactive preset can be claimed",
        "adapters/memory/workspaces.py",
        "        if preset is None or not preset.is_active or not found:\n            return None\n",
        "        if preset is None or not found:\n            return None\n",
    ),
    Mutant(
        "memory: canceling takes an active preset's jobs",
        "adapters/memory/workspaces.py",
        "        if preset is None or preset.is_active:\n            return ()\n",
        "        if preset is None:\n            return ()\n",
    ),
    Mutant(
        "memory: the lease is without a token",
        "adapters/memory/store.py",
        "    if lease and tables.tokens.get(lease.name) != lease.token:\n",
        "    if lease and not lease.token:\n",
    ),
    Mutant(
        "memory: tokens do not grow",
        "adapters/memory/settings.py",
        "current.token if current and is_own else tables.tokens.get(name, 0) + 1",
        "current.token if current and is_own else 1",
    ),
    Mutant(
        "memory: a nested part is not rolled back",
        "adapters/memory/transactions.py",
        "        except BaseException:\n            self.tables = before\n            raise\n",
        "        except BaseException:\n            raise\n",
    ),
    Mutant(
        "sqlite: a delete does not compare the owner",
        "adapters/sqlite/tables/workspaces.py",
        "if workspace is None or workspace.deleted or not workspace.is_prebuild:",
        "if workspace is None or workspace.deleted:",
    ),
    Mutant(
        "sqlite: a create is not pinned",
        "adapters/sqlite/tables/workspaces.py",
        "if preset is None or not preset.is_active or preset.template_version.id != request.template_version_id:",
        "if preset is None:",
    ),
    Mutant(
        "sqlite: claims are in no order",
        "adapters/sqlite/tables/claims.py",
        "ORDER BY workspaces.created_at, workspaces.id LIMIT 1",
        "ORDER BY workspaces.id LIMIT 1",
    ),
    Mutant(
        "sqlite: the lease is without a token",
        "adapters/sqlite/tables/settings.py",
        'WHERE name = ? AND token = ?", lease.name, lease.token):',
        'WHERE name = ?", lease.name):',
    ),
    Mutant(
        "sqlite: a transaction that fails is committed",
        "adapters/sqlite/store.py",
        "                connection.roll_back()\n                raise\n",
        "                connection.commit()\n                raise\n",
    ),
    Mutant(
        "sqlite: the builds of all presets are in one history",
        "adapters/sqlite/tables/fleet.py",
        "        WHERE latest.preset_id = names.preset_id\n",
        "        WHERE latest.preset_id >= ''\n",
    ),
)

MUTANTS = (*DECISION, *RUNTIME, *ADAPTERS)
