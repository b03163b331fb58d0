"""The work on presets in threads: a pass waits for it, but not for long where a preset hangs.

- A pass goes on waiting while any of its presets ends. If none has ended for a moment, it leaves those that are under
  way, and the loop goes on. They end in their threads, and their results are those of a later pass.
- A preset is never worked on twice at once: as long as one is under way, later passes leave it out.
- A result stays here until a pass takes it, which does so last of all. So a pass that fails loses none.
- `on_end` is told each preset that was left: once it has ended, or at once if it had not begun.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from datetime import timedelta
from queue import Empty, SimpleQueue

from prebuilds.runtime.loop.results import PresetResult

Task = Callable[[], PresetResult]


class PresetWork:
    """The work of all passes of one reconciler, at most `threads` presets of a pass side by side."""

    def __init__(self, threads: int, on_end: Callable[[str], None]) -> None:
        self._threads = threads
        self._on_end = on_end
        self._left: dict[str, Future[PresetResult]] = {}
        self._ended: dict[str, PresetResult] = {}

    @property
    def under_way(self) -> frozenset[str]:
        """The presets that an earlier pass has left, and whose end was not noted yet."""
        return frozenset(self._left)

    def note_ended(self, preset_ids: Collection[str] | None = None) -> Sequence[PresetResult]:
        """Note which of these presets were left and have ended since. Returns all results that nobody has taken yet."""
        looked_at = tuple(self._left) if preset_ids is None else self._left.keys() & preset_ids
        for preset_id in looked_at:
            if self._left[preset_id].done():
                self._ended[preset_id] = self._left.pop(preset_id).result()
        return tuple(self._ended.values())

    def take_ended(self) -> Sequence[PresetResult]:
        """Take the results that were noted."""
        ended, self._ended = self._ended, {}
        return tuple(ended.values())

    def finish(self) -> None:
        """Wait until all have ended."""
        wait(self._left.values())

    def do(self, tasks: Mapping[str, Task], patience: timedelta | None) -> Sequence[PresetResult]:
        """Do the tasks of these presets. Returns the results of those that have ended, in the given order.

        Leaves the others if none has ended for as long as the patience; with None it waits for all.
        """
        if patience is None and len(tasks) <= 1:  # no need of threads
            return [task() for task in tasks.values()]
        with self._start(tasks, patience) as (futures, ended), suppress(Empty):
            for _ in futures:
                ended.get(timeout=patience.total_seconds() if patience else None)
        return [future.result() for preset_id, future in futures.items() if preset_id not in self._left]

    @contextmanager
    def _start(
        self, tasks: Mapping[str, Task], patience: timedelta | None
    ) -> Iterator[tuple[dict[str, Future[PresetResult]], SimpleQueue[object]]]:
        """The tasks under way, and a queue in which each is put that has ended. At the end, leave what has not."""
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="prebuilds")
        ended = SimpleQueue[object]()
        futures = {preset_id: pool.submit(task) for preset_id, task in tasks.items()}
        for future in futures.values():
            future.add_done_callback(ended.put)
        try:
            yield futures, ended
        finally:
            pool.shutdown(wait=patience is None, cancel_futures=True)
            self._leave(futures)

    def _leave(self, futures: dict[str, Future[PresetResult]]) -> None:
        for preset_id, future in tuple(futures.items()):
            if future.cancelled():
                del futures[preset_id]
                self._on_end(preset_id)
            elif not future.done():
                self._left[preset_id] = future
                future.add_done_callback(lambda _, preset_id=preset_id: self._on_end(preset_id))  # type: ignore[misc]
