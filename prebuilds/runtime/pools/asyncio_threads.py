"""Reconcilers in an asyncio application: each in its own thread, for as long as the application lives.

- They take no thread from asyncio's default executor. It has few, and would never get them back.
- Stopping them needs no thread either, so the application cannot keep them from ending.
- The threads do not keep the process alive. A process that ends without stopping them does no more harm than one that
  is killed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prebuilds.runtime.loop.reconciler import Reconciler
from prebuilds.runtime.pools.loop_thread import LoopThread


@asynccontextmanager
async def run_in_threads(*reconcilers: Reconciler) -> AsyncIterator[None]:
    """`run` the reconcilers while the block lasts. When it ends, stop them and wait for them.

    That takes as long as the effects under way, at most about `submit_timeout` of the options. Then raises what a `run`
    raised, such as `AlreadyRunningError` or an error of the pubsub. It was already logged when it happened.
    """
    import asyncio  # here, as it loads slowly, and its users have loaded it already

    loops = [LoopThread(reconciler) for reconciler in reconcilers]
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
            loop.thread.join()  # it has nothing left to do
    for loop in loops:
        loop.ended.result()
