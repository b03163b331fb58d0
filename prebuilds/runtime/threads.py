"""Reconcilers in an asyncio application: each in a thread of its own, for as long as the application lives.

- None of them takes a thread of asyncio's default executor, which has few, and which would never get it back.
- To stop them needs no thread either: nothing that the application does can keep them from ending.
- The threads keep no process alive. One that ends without stopping them is like one that was killed, and as harmless.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager

from prebuilds.runtime.loop.reconciler import Reconciler

_log = logging.getLogger(__name__)


@asynccontextmanager
async def run_in_threads(*reconcilers: Reconciler) -> AsyncIterator[None]:
    """Have reconcilers `run` while the block lasts. At its end they are stopped, and waited for.

    The end takes as long as the effects that are under way, at most about `submit_timeout` of the options. Raises there
    what a `run` has raised, as `AlreadyRunningError` or an error of the pubsub; that was logged when it happened.
    """
    import asyncio  # here, as it is slow to load, and those who use it have it

    loops = [_Loop(reconciler) for reconciler in reconcilers]
    try:
        for loop in loops:
            loop.thread.start()
        yield
    finally:
        for reconciler in reconcilers:
            reconciler.request_stop()
        started = [loop for loop in loops if loop.thread.ident]
        await asyncio.gather(*(asyncio.wrap_future(loop.ended) for loop in started), return_exceptions=True)
        for loop in started:
            loop.thread.join()  # which has nothing left to do
    for loop in loops:
        loop.ended.result()


class _Loop:
    """A reconciler's thread, and what is done when it has ended, which cannot be canceled."""

    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler = reconciler
        self.thread = threading.Thread(target=self._run, name="prebuilds-loop", daemon=True)
        self.ended: Future[None] = Future()
        self.ended.set_running_or_notify_cancel()

    def _run(self) -> None:
        try:
            self._reconciler.run()
        except BaseException as error:
            _log.exception("a reconciler ended: %s: %s", type(error).__name__, error)
            self.ended.set_exception(error)
        else:
            self.ended.set_result(None)
