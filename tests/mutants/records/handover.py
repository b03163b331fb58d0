"""Bugs of handing builds over to the host's builder, one by one or in batches."""

from __future__ import annotations

from mutants.records.mutant import Mutant

HANDOVER = (
    Mutant(
        "the builder is called inside the transaction",
        "runtime/loop/executor.py",
        "tx.insert_deletes(requests, now=self._clock.now())\n        endings = self._hand_over(",
        "tx.insert_deletes(requests, now=self._clock.now())\n            endings = self._hand_over(",
        tests=("runtime/test_batches.py",),
    ),
    Mutant(
        "a time-out of the builder counts as refused",
        "runtime/loop/calls/handover.py",
        "not isinstance(self.error, TimeoutError)",
        "not isinstance(self.error, CallTimedOutError)",
        tests=("runtime/test_passes.py",),
    ),
    Mutant(
        "what the builder refuses stays pending",
        "runtime/loop/settlements.py",
        "        for answer in self.refused:\n",
        "        for answer in ():\n",
        tests=("runtime/test_passes.py",),
    ),
    Mutant(
        "what was submitted is not noted",
        "runtime/loop/settlements.py",
        "            tx.mark_submitted(_list_builds(self.taken))\n",
        "            pass\n",
        tests=("runtime/test_passes.py",),
    ),
    Mutant(
        "no room is a failure",
        "runtime/loop/calls/handover.py",
        "return self.is_refused and isinstance(self.error, NoRoomError) and self.offer.is_start",
        "return False",
        tests=("runtime/test_field_cases.py",),
    ),
    Mutant(
        "a pass waits for each submit that hangs",
        "runtime/loop/calls/handover.py",
        "                self._hanging.add(preset_id)\n",
        "                pass\n",
        tests=("runtime/test_hanging.py",),
    ),
    Mutant(
        "rows are added though no call can be made",
        "runtime/loop/calls/handover.py",
        "        self._calls.require_place(preset_id)\n",
        "",
        tests=("runtime/test_hanging.py",),
    ),
    Mutant(
        "the lease is renewed before an effect alone",
        "runtime/loop/calls/handover.py",
        "            self._lease.renew_if_due()\n",
        "            pass\n",
        tests=("runtime/test_leaders.py",),
    ),
    Mutant(
        "starts that the builder was not asked for stay",
        "runtime/loop/settlements.py",
        "            tx.withdraw_prebuilds(_list_builds(self.withdrawn))\n",
        "            pass\n",
        tests=("runtime/test_batches.py",),
    ),
    Mutant(
        "a build that is handed over again is withdrawn",
        "runtime/loop/settlements.py",
        "if is_new and not answer.was_asked",
        "if not answer.was_asked",
        tests=("runtime/test_batches.py",),
    ),
    Mutant(
        "a batch is handed over at once",
        "runtime/loop/calls/handover.py",
        "size = min(taken + 1, self._width)",
        "size = self._width",
        tests=("runtime/test_batches.py",),
    ),
    Mutant(
        "a batch asks on after a refusal",
        "runtime/loop/calls/handover.py",
        "next(filter(None, map(stops, answers[-size:])), None) or self._find_obstacle(preset_id)",
        "self._find_obstacle(preset_id)",
        tests=("runtime/test_batches.py",),
    ),
    Mutant(
        "starts count before the builder answers",
        "runtime/loop/settlements.py",
        "answer.offer.is_start for answer in (*self.taken, *self.refused)",
        "answer.offer.is_start for answer in (*self.taken, *self.refused, *self.withdrawn)",
        tests=("runtime/test_batches.py",),
    ),
    Mutant(
        "a stop waits for the whole batch",
        "runtime/loop/calls/handover.py",
        "        if self._is_stopping():\n",
        "        if False:\n",
        tests=("runtime/test_batches.py::test_a_batch_stops_with_the_reconciler",),
    ),
    Mutant(
        "a batch has one call at a time",
        "runtime/loop/calls/handover.py",
        "begun = [self._begin(preset_id, offer) for offer in group]",
        "begun = (self._begin(preset_id, offer) for offer in group)",
        tests=("runtime/test_batches.py::test_calls_of_a_batch_run_side_by_side_once_the_first_was_taken",),
    ),
)
