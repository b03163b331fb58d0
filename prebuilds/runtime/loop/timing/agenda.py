"""The agenda: which presets the loop has to look at, and when.

- A preset is in the queue once, however many events name it, and has one timer.
- A preset that fails waits longer each time, also if it hangs before it fails. Others do not wait for it. An outage of
  the store is no failure.
- Times are seconds of a clock that never goes back. Any thread may add events; the rest belongs to the loop's thread.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from heapq import heapify, heappop, heappush

from prebuilds.runtime.loop.results import PresetResult, ReconciliationResult
from prebuilds.runtime.ports import Clock

EVERYTHING = ""
"""Stands for all presets, in an event and in the body of a message."""
RETRY = timedelta(seconds=5)
"""How soon after a failure to look again."""
_LONGEST_RETRY = timedelta(minutes=5)


class Timers:
    """When each preset is due. An entry that was replaced stays in the heap until its time."""

    def __init__(self) -> None:
        self._dues: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def put(self, preset_id: str, due: float | None) -> None:
        """Set the timer of a preset, in place of the one it had; None for no timer."""
        if due is None:
            self._dues.pop(preset_id, None)
        elif self._dues.get(preset_id) != due:
            self._dues[preset_id] = due
            heappush(self._heap, (due, preset_id))

    def replace(self, dues: Mapping[str, float]) -> None:
        """Set the timers of all presets. Those without one have none."""
        self._dues = dict(dues)
        self._heap = [(due, preset_id) for preset_id, due in dues.items()]
        heapify(self._heap)

    def take(self, now: float) -> set[str]:
        """The presets that are due, whose timers end."""
        taken: set[str] = set()
        while (due := self.find_next()) is not None and due <= now:
            _, preset_id = heappop(self._heap)
            del self._dues[preset_id]
            taken.add(preset_id)
        return taken

    def find_next(self) -> float | None:
        """When the next preset is due; None if none will be."""
        while self._heap:
            due, preset_id = self._heap[0]
            if self._dues.get(preset_id) == due:
                return due
            heappop(self._heap)
        return None


class Agenda:
    """What is due, and what will be. At first everything is due."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._events: set[str] = {EVERYTHING}
        self._timers = Timers()
        self._failures: dict[str, int] = {}
        self._whole_at = 0.0

    def add(self, preset_id: str) -> None:
        """Note an event of a preset, or of `EVERYTHING`."""
        with self._lock:
            self._events.add(preset_id)

    def take(self) -> frozenset[str]:
        """What is due now: some presets, each once, or `EVERYTHING` alone."""
        now = self._clock.monotonic()
        with self._lock:
            events, self._events = self._events, set()
        if EVERYTHING in events or now >= self._whole_at:
            return frozenset([EVERYTHING])
        return frozenset(events | self._timers.take(now))

    def find_next(self) -> float:
        """When something is due next, if no event comes."""
        due = self._timers.find_next()
        return self._whole_at if due is None else min(due, self._whole_at)

    def plan_whole(self, wait: timedelta) -> None:
        """Look at everything after this wait at the latest."""
        self._whole_at = self._clock.monotonic() + wait.total_seconds()

    def rest(self) -> None:
        """Look at nothing but events until everything is due."""
        self._timers.replace({})

    def retry(self, preset_ids: Iterable[str]) -> None:
        """Look at these presets again soon, as they could not be read."""
        for preset_id in preset_ids:
            self._timers.put(preset_id, self._find_due(RETRY))

    def note(self, result: ReconciliationResult, preset_ids: Collection[str] | None) -> None:
        """Set the timers after a pass over these presets; None stands for all."""
        now = self._clock.now()
        dues = {preset_id: self._find_due(at - now) for preset_id, at in result.next_changes.items()}
        self._note_failures(result, dues, preset_ids)
        if preset_ids is None:
            self._timers.replace(dues)
        else:
            for preset_id in preset_ids:
                self._timers.put(preset_id, dues.get(preset_id))

    def _note_failures(
        self, result: ReconciliationResult, dues: dict[str, float], preset_ids: Collection[str] | None
    ) -> None:
        counts = {preset.preset_id: self._count_failures(preset) for preset in result if preset.is_unsettled}
        looked_at = tuple(self._failures) if preset_ids is None else preset_ids
        ended = {preset.preset_id for preset in result}
        for preset_id in ended.union(looked_at).difference(set(result.under_way) - ended):
            self._failures.pop(preset_id, None)
        self._failures.update(counts)
        for preset_id, times in counts.items():
            due = self._find_due(calculate_retry(max(times, 1)))
            dues[preset_id] = min(dues.get(preset_id, due), due)

    def _count_failures(self, preset: PresetResult) -> int:
        """How often it has failed in a row; after an outage of the store that begins anew."""
        return 0 if preset.has_met_outage else self._failures.get(preset.preset_id, 0) + 1

    def _find_due(self, wait: timedelta) -> float:
        return self._clock.monotonic() + max(wait.total_seconds(), 0)


def calculate_retry(times: int) -> timedelta:
    """The wait after a preset has failed this many times in a row: 5 s, 10 s, 20 s, and so on up to 5 min."""
    doubled: timedelta = RETRY * 2 ** min(times - 1, 20)
    return min(doubled, _LONGEST_RETRY)
