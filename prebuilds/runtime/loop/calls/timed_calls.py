"""Calls to the host with a time limit, so that a call that hangs blocks neither a pass nor the process.

- Each call has a key, the id of its build. While a call is under way, no other with the same key begins. Its result,
  however late, answers the next call with this key, so the host is asked once.
- After its time limit a call goes on in a daemon thread, and keeps its place until it ends. The number of places is
  limited. Each group, a preset, gets a share of them. If all its calls hang, other groups still find places.
- Nobody waits for a place. A call that cannot be made now is put off, and the caller asks again.
- Each time-out of a key puts its next call off for longer.
- `on_late_end` is told the group of each call that went on after its time limit, once it ends.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from time import monotonic

import attrs

from prebuilds.errors import CallTimedOutError
from prebuilds.runtime.loop.calls.timeout_backoff import Delays
from prebuilds.runtime.loop.calls.workers import Workers
from prebuilds.runtime.ports import Clock

_log = logging.getLogger(__name__)
_SHARE = 4  # a group gets one place in this many
_MOST_KEPT = 1_000  # late answers that nobody has asked for yet; a lost one costs another call
_ALL = ""  # stands for all groups
SOON = timedelta(seconds=15)
"""How soon to check again whether a call that hangs has ended. The waits double, as long as it hangs."""
_LONGEST_WAIT = timedelta(minutes=5)


class PutOffError(Exception):
    """A call was not made, for this reason. It may be tried again."""


@attrs.define
class Call:
    """A call that has begun."""

    what: str
    key: str
    group: str
    begun_at: float
    give_up_at: float
    is_given_up: bool = False
    error: BaseException | None = None
    has_ended: bool = False
    _under_way: threading.Lock = attrs.field(factory=threading.Lock)  # locked until it ends; an Event costs more

    def __attrs_post_init__(self) -> None:
        self._under_way.acquire()

    @property
    def has_answer(self) -> bool:
        """Whether it ended with a definite result."""
        return self.has_ended and not isinstance(self.error, TimeoutError)

    def note_end(self) -> None:
        """Wake the thread that waits, if one does."""
        self.has_ended = True
        self._under_way.release()

    def wait(self) -> bool:
        """Wait until it ends or its time is over. Returns whether it has ended. One thread at a time may wait."""
        return self.has_ended or self._under_way.acquire(timeout=max(self.give_up_at - monotonic(), 0))


class LimitedCalls:
    """Makes calls, each with a time limit, and a limited number at once.

    `most` is the largest number of threads. `clock` measures delays. The system clock measures how long a call takes.
    """

    def __init__(
        self, *, most: int, timeout: timedelta, clock: Clock, on_late_end: Callable[[str], None] = lambda _: None
    ) -> None:
        self._clock = clock
        self._on_late_end = on_late_end
        self._most = most
        self._share = max(most // _SHARE, 1)
        self._lock = threading.Lock()
        self._calls: dict[str, Call] = {}
        self._told: set[str] = set()
        self._delays = Delays(clock)
        self._workers = Workers()
        self.timeout = timeout

    def begin(self, what: str, function: Callable[[], None], *, key: str, group: str) -> Call:
        """Begin to call the function, or take the answer of an earlier call with this key. `end` tells the result.

        Raises `PutOffError` if it cannot be called now.
        """
        with self._lock:
            earlier = self._calls.get(key)
            if earlier and earlier.has_answer:
                return earlier
            if earlier and not earlier.has_ended:
                raise PutOffError(f"an earlier call of {what} for this build has not returned")
            if not self._delays.is_over(key):
                raise PutOffError(f"{what} has timed out for this build, and waits to be called again")
            self._require_place(group)
            give_up_at = monotonic() + self.timeout.total_seconds()
            return self._start(Call(what, key, group, self._clock.monotonic(), give_up_at), function)

    def end(self, call: Call) -> None:
        """Wait until the call returns. Raises what the function raises, or `CallTimedOutError` after the limit."""
        try:
            self._await(call)
        except TimeoutError:
            self._delays.add(call.key, call.group)
            raise
        finally:
            self._settle(call)

    def require_place(self, group: str) -> None:
        """Raises `PutOffError` if a new call of the group would be put off."""
        with self._lock:
            self._require_place(group)

    def find_waits(self) -> Mapping[str, timedelta]:
        """How long until a group needs another look, as a call of it hangs or was put off."""
        waits = self._delays.find_waits()
        with self._lock:
            hanging = [call for call in self._calls.values() if not call.has_ended]
        for call in hanging:
            wait = self._calculate_wait(call)
            waits[call.group] = min(waits.get(call.group, wait), wait)
        return waits

    def _calculate_wait(self, call: Call) -> timedelta:
        """As long as it hangs already, within limits."""
        hangs_for = timedelta(seconds=self._clock.monotonic() - call.begun_at)
        return min(max(hangs_for, SOON), _LONGEST_WAIT)

    def _start(self, call: Call, function: Callable[[], None]) -> Call:
        self._calls[call.key] = call
        try:
            self._workers.run(f"prebuilds: {call.what}", lambda: self._run(call, function))
        except Exception as error:
            del self._calls[call.key]
            raise PutOffError(f"no thread could be started for {call.what}: {error}") from error
        return call

    def _run(self, call: Call, function: Callable[[], None]) -> None:
        try:
            function()
        except BaseException as error:  # raised again where the call came from
            call.error = error
        finally:
            with self._lock:
                call.note_end()
                self._told -= {call.group, _ALL}
            if call.is_given_up:
                self._on_late_end(call.group)

    def _await(self, call: Call) -> None:
        if not call.wait():
            raise CallTimedOutError(call.what, self.timeout.total_seconds())
        if call.error:
            raise call.error

    def _settle(self, call: Call) -> None:
        """Forget a call that has ended. Keep one that goes on, for its answer."""
        with self._lock:
            if call.has_ended:
                self._calls.pop(call.key, None)
            else:
                call.is_given_up = True
            if call.has_answer:
                self._delays.forget(call.key)
            if len(self._calls) > _MOST_KEPT:
                self._forget_unasked()

    def _forget_unasked(self) -> None:
        ended = [key for key, call in self._calls.items() if call.has_ended]
        for key in ended[: max(len(ended) - _MOST_KEPT, 0)]:
            del self._calls[key]

    def _require_place(self, group: str) -> None:
        groups = [call.group for call in self._calls.values() if not call.has_ended]
        if groups.count(group) >= self._share:
            self._refuse(group, f"{self._share} of its calls to the builder have not returned")
        if len(groups) >= self._most:
            self._refuse(_ALL, f"{self._most} calls to the builder have not returned")

    def _refuse(self, group: str, reason: str) -> None:
        """Put a call off. Log the reason once, until a call returns."""
        if group not in self._told:
            self._told.add(group)
            fields = {"preset_id": group} if group else {}
            _log.warning("%s: %s; no more are made until one does", group or "all presets", reason, extra=fields)
        raise PutOffError(reason)
