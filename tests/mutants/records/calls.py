"""Bugs of calls that hang, and of the lease that a call must not outlast."""

from __future__ import annotations

from mutants.records.mutant import Mutant

CALLS = (
    Mutant(
        "a build is submitted again while a call for it hangs",
        "runtime/loop/calls/timed_calls.py",
        "if earlier and not earlier.has_ended:",
        "if earlier and group == key:",
        tests=("runtime/test_calls.py",),
    ),
    Mutant(
        "one preset takes all slots for calls",
        "runtime/loop/calls/timed_calls.py",
        "max(most // _SHARE, 1)",
        "most",
        tests=("runtime/test_calls.py",),
    ),
    Mutant(
        "a slot is lost when no thread can start",
        "runtime/loop/calls/timed_calls.py",
        '            del self._calls[call.key]\n            raise PutOffError(f"no thread',
        '            raise PutOffError(f"no thread',
        tests=("runtime/test_calls.py",),
    ),
    Mutant(
        "a late answer is thrown away",
        "runtime/loop/calls/timed_calls.py",
        "            if earlier and earlier.has_answer:\n                return earlier\n",
        "",
        tests=("runtime/test_calls.py",),
    ),
    Mutant(
        "a late time-out is taken for an answer",
        "runtime/loop/calls/timed_calls.py",
        "self.has_ended and not isinstance(self.error, TimeoutError)",
        "self.has_ended",
        tests=("runtime/test_calls.py",),
    ),
    Mutant(
        "time-outs do not put a build off",
        "runtime/loop/calls/timed_calls.py",
        "            self._delays.add(call.key, call.group)\n",
        "            pass\n",
        tests=("runtime/test_calls.py",),
    ),
    Mutant(
        "what is exhausted is logged at each pass",
        "runtime/loop/calls/timed_calls.py",
        "            self._told.add(group)\n",
        "",
        tests=("runtime/test_calls.py",),
    ),
    Mutant(
        "delays grow without a cap",
        "runtime/loop/calls/timeout_backoff.py",
        "min(_FIRST * 2 ** min(times - 2, 20), _LONGEST)",
        "_FIRST * 2 ** min(times - 2, 20)",
        tests=("runtime/test_calls.py",),
    ),
    Mutant(
        "a call may outlast the lease",
        "runtime/loop/options.py",
        "        if self.lease_duration <= self.submit_timeout:\n",
        "        if self.lease_duration < self.submit_timeout:\n",
        tests=("runtime/test_leaders.py",),
    ),
    Mutant(
        "a lease is renewed at half of its time alone",
        "runtime/loop/leasing.py",
        "max(duration / 2, longest_call)",
        "duration / 2",
        tests=("runtime/test_leaders.py",),
    ),
)
