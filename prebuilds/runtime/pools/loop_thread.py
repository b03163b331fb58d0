"""A reconciler in a thread of its own, which does not keep the process alive."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future

from prebuilds.runtime.loop.reconciler import Reconciler

_log = logging.getLogger(__name__)


class LoopThread:
    """Runs a reconciler. `ended` is a future for its end, which cannot be canceled; it has what `run` raised."""

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
