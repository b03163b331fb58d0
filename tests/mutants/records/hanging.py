"""Bugs of work that hangs, of what failures hold, and of expectations."""

from __future__ import annotations

from mutants.records.mutant import Mutant

HANGING = (
    Mutant(
        "loop: a result is taken before the rows are read",
        "runtime/loop/passes.py",
        "ended = self._work.note_ended(preset_ids)",
        "self._work.note_ended(preset_ids)\n        ended = self._work.take_ended()",
        tests=("runtime/test_hanging.py",),
    ),
    Mutant(
        "loop: a preset is in a result twice",
        "runtime/loop/results.py",
        "joined[result.preset_id] = _join(earlier, result) if earlier else result",
        "joined[result.preset_id + str(len(joined))] = result",
        tests=("runtime/test_hanging.py",),
    ),
    Mutant(
        "loop: a preset that hangs counts as mended",
        "runtime/loop/timing/agenda.py",
        "for preset_id in ended.union(looked_at).difference(set(result.under_way) - ended):",
        "for preset_id in ended.union(looked_at):",
        tests=("runtime/test_agenda.py",),
    ),
    Mutant(
        "loop: what hung and failed is tried again at once",
        "runtime/loop/passes.py",
        "_list_unsettled(ended) if patience else ()",
        "()",
        tests=("runtime/test_hanging.py",),
    ),
    Mutant(
        "calls: the late end of a call is not told",
        "runtime/loop/calls/timed_calls.py",
        "            if call.is_given_up:\n",
        "            if False:\n",
        tests=("runtime/test_calls.py",),
    ),
    Mutant(
        "calls: every preset that fails is looked at when any call may have ended",
        "runtime/loop/timing/follow_ups.py",
        "        if result.is_unsettled and result.preset_id in call_waits:\n"
        "            yield result.preset_id, now + call_waits[result.preset_id]",
        "        if result.is_unsettled and call_waits:\n"
        "            yield result.preset_id, now + min(call_waits.values())",
        tests=("runtime/test_hanging.py",),
    ),
    Mutant(
        "metrics: a probe under way is told as a plain hard limit",
        "runtime/metrics/holds.py",
        "(count_starting(snapshot) > 0 or is_probe_due(snapshot, policy))",
        "is_probe_due(snapshot, policy)",
        tests=("runtime/test_metrics.py",),
    ),
    Mutant(
        "metrics: an inactive preset is held",
        "runtime/metrics/holds.py",
        "    if not snapshot.preset.is_active:\n        return None\n",
        "",
        tests=("runtime/test_metrics.py",),
    ),
    Mutant(
        "metrics: a backoff is told after its end",
        "runtime/metrics/holds.py",
        "if snapshot.backoff and calculate_backoff_until(snapshot, policy):",
        "if snapshot.backoff:",
        tests=("runtime/test_metrics.py",),
    ),
    Mutant(
        "expectations: a create that a row shows counts no more, whichever row",
        "decision/policies/expectations.py",
        "return effect.prebuild_id in running or effect.prebuild_id in starting",
        "return bool(starting) or effect.prebuild_id in running",
        tests=("decision/test_expectations.py",),
    ),
    Mutant(
        "fault kit: a limit is checked only for presets that changed themselves",
        "testing/faults/worlds/store_contents.py",
        "owners = {row.preset_id for row in rows} | {preset.id for preset in presets}",
        "owners = {preset.id for preset in presets}",
        tests=("testing/faults/test_checking.py",),
    ),
)
