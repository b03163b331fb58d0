"""Bugs of the loop around the passes: waking, stopping, publishing, logs and metrics."""

from __future__ import annotations

from mutants.records.mutant import Mutant

LOOP = (
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
        "            self._passes.is_stopping = False\n            with self._listening():\n",
        tests=("runtime/test_reconciler.py",),
    ),
    Mutant(
        "messages do not wake the loop",
        "runtime/loop/reconciler.py",
        "        self._agenda.add(preset_id)\n        self._wake.set()\n",
        "        self._agenda.add(preset_id)\n",
        tests=("runtime/test_reconciler.py",),
    ),
    Mutant(
        "the outbox is not relayed",
        "runtime/loop/reconciler.py",
        '            attempt(_log, "messages were not sent", self._relay.flush)\n',
        "            pass\n",
        tests=("runtime/test_reconciler.py",),
    ),
    Mutant(
        "a forked child keeps its parent's lease",
        "runtime/loop/reconciler.py",
        "        self._passes.begin_anew()\n        self._reset()\n",
        "        self._reset()\n",
        tests=("runtime/test_leaders.py",),
    ),
    Mutant(
        "presets that are due are looked at one by one",
        "runtime/loop/reconciler.py",
        "            self._look_at(due)\n",
        "            for preset_id in due:\n                self._look_at([preset_id])\n",
        tests=("runtime/test_reconciler.py",),
    ),
    Mutant(
        "a handler's wake-up takes a lock",
        "runtime/loop/reconciler.py",
        "self._wake = Wakeup()",
        "self._wake = threading.Event()",
        tests=("runtime/test_reconciler.py",),
    ),
    Mutant(
        "a stop before the wake-up is cleared is slept over",
        "runtime/loop/reconciler.py",
        "        if self._passes.is_stopping:  # requested before `_work` cleared the wake-up\n            return\n",
        "",
        tests=("runtime/test_reconciler.py",),
    ),
    Mutant(
        "a hook that raises ends the pass",
        "runtime/loop/reconciler.py",
        'attempt(_log, "the hook on_result failed", partial(self._on_result, result))',
        "self._on_result(result)",
        tests=("runtime/test_reconciler.py",),
    ),
    Mutant(
        "a pass that failed waits for the interval",
        "runtime/loop/reconciler.py",
        "            self._agenda.plan_whole(min(self._resync, RETRY))\n",
        "            pass\n",
        tests=("runtime/test_reconciler.py",),
    ),
    Mutant(
        "messages are removed before they are sent",
        "runtime/publishing/relays.py",
        "            self._pubsub.publish(entry.message)\n            sent.append(entry.id)\n",
        "            sent.append(entry.id)\n            self._pubsub.publish(entry.message)\n",
    ),
    Mutant(
        "publishing within a transaction is let through",
        "runtime/publishing/commit_guard.py",
        "        raise PublishInTransactionError(transactions[-1].place)\n",
        "        pass\n",
    ),
    Mutant(
        "messages of a rolled back part are sent",
        "runtime/publishing/commit_guard.py",
        "            del self._messages[mark:]\n",
        "",
        tests=("runtime/test_publishing.py",),
    ),
    Mutant(
        "messages are released before the commit",
        "runtime/publishing/commit_guard.py",
        "        held = HeldMessages()\n        yield held\n    messages = held.list_messages()\n",
        "        held = HeldMessages()\n        try:\n            yield held\n"
        "        finally:\n            messages = held.list_messages()\n            release(messages)\n",
        tests=("runtime/test_publishing.py",),
    ),
    Mutant(
        "a forked child waits for its parent's relay",
        "runtime/publishing/relays.py",
        "        follow_forks(self, OutboxRelay._reset)\n",
        "",
        tests=("runtime/test_leaders.py",),
    ),
    Mutant(
        "a full disk fills the log with tracebacks",
        "runtime/logs.py",
        "    unexplained = None if isinstance(error, PrebuildsError) else error\n",
        "    unexplained = error\n",
        tests=("adapters/test_full_disk.py",),
    ),
    Mutant(
        "metrics are queried on scrape",
        "runtime/metrics/collector.py",
        "        return make_families(self._prefix, self._reading, self._durations)\n",
        "        return make_families(self._prefix, self._read(), self._durations)\n",
    ),
    Mutant(
        "series of equal labels are exported twice",
        "runtime/metrics/readings.py",
        "sums.get(labels, Gauges()).add(_measure(snapshot))",
        "_measure(snapshot)",
    ),
    Mutant(
        "only one preset of a series counts as having unusable schedules",
        "runtime/metrics/readings.py",
        "schedule_errors=self.schedule_errors + other.schedule_errors",
        "schedule_errors=max(self.schedule_errors, other.schedule_errors)",
        tests=("runtime/test_metrics.py",),
    ),
    Mutant(
        "presets without a name are one series",
        "runtime/metrics/readings.py",
        "preset_name=preset.name or preset.id,",
        "preset_name=preset.name,",
        tests=("runtime/test_metrics.py",),
    ),
    Mutant(
        "a timer fires after its instant",
        "runtime/loop/timing/agenda.py",
        "is not None and due <= now:",
        "is not None and due < now:",
        tests=("runtime/test_agenda.py::test_timers_are_a_mapping_from_presets_to_instants",),
    ),
    Mutant(
        "a timer that was replaced still fires",
        "runtime/loop/timing/agenda.py",
        "            if self._dues.get(preset_id) == due:\n                return due\n",
        "            if preset_id in self._dues:\n                return due\n",
        tests=("runtime/test_agenda.py::test_timers_are_a_mapping_from_presets_to_instants",),
    ),
    Mutant(
        "a lease taken anew is taken for the old one",
        "runtime/loop/reconciler.py",
        "        if is_resumed or self._passes.lease_token != self._token:\n",
        "        if is_resumed:\n",
        tests=("runtime/test_agenda.py::test_everything_is_read_once_the_lease_was_taken_anew",),
    ),
    Mutant(
        "a pause that ended is noticed for one preset",
        "runtime/loop/reconciler.py",
        "        if is_resumed or self._passes.lease_token != self._token:\n",
        "        if self._passes.lease_token != self._token:\n",
        tests=("runtime/test_agenda.py::test_a_pause_that_ended_unnoticed_is_found_by_an_event",),
    ),
    Mutant(
        "a failing preset never waits longer",
        "runtime/loop/timing/agenda.py",
        "self._failures.get(preset.preset_id, 0) + 1",
        "1",
        tests=("runtime/test_agenda.py::test_a_failing_preset_waits_longer_each_time_and_holds_no_other",),
    ),
    Mutant(
        "failures are counted for ever",
        "runtime/loop/timing/agenda.py",
        "            self._failures.pop(preset_id, None)\n",
        "            pass\n",
        tests=("runtime/test_agenda.py::test_a_preset_that_no_longer_fails_begins_anew",),
    ),
    Mutant(
        "the lease is not kept between passes",
        "runtime/loop/reconciler.py",
        "        self._passes.keep_lease()\n",
        "        pass\n",
        tests=("runtime/test_agenda.py::test_the_lease_is_kept_between_passes",),
    ),
    Mutant(
        "what is committed during a flush in the background is forgotten",
        "runtime/publishing/background.py",
        "            self._wanted.clear()  # before the flush, so that later commits ask again\n"
        "            if self._flush():\n"
        "                pause = _FIRST_PAUSE\n",
        "            if self._flush():\n                self._wanted.clear()\n                pause = _FIRST_PAUSE\n",
        tests=("runtime/test_background_relay.py",),
    ),
    Mutant(
        "the loop does not look when a start that it began is late",
        "runtime/loop/timing/follow_ups.py",
        "            yield result.preset_id, now + deadline\n",
        "            yield result.preset_id, now + 2 * deadline\n",
        tests=("runtime/test_deadlines.py",),
    ),
    Mutant(
        "a failure that was noted waits for the next event",
        "runtime/loop/timing/follow_ups.py",
        "isinstance(effect, DeleteStuck | GiveUpStart)",
        "isinstance(effect, DeleteStuck) and isinstance(effect, GiveUpStart)",
        tests=("runtime/test_deadlines.py",),
    ),
)
