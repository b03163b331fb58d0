"""Two transactions at once: one is held open, and another must wait for it, or make it fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from prebuilds.runtime.ports import Store, Transaction
from prebuilds.testing.contracts.equipment.error_words import Mismatch
from prebuilds.testing.contracts.equipment.requests import INACTIVE
from prebuilds.testing.contracts.equipment.scenes import put_presets
from prebuilds.testing.contracts.equipment.threads import begin_elsewhere, get_answer, hold_open

_T = TypeVar("_T")
_U = TypeVar("_U")


def do_both(store: Store, first: Callable[[Transaction], _T], second: Callable[[], _U]) -> tuple[_T, _U]:
    """Do the second while the transaction of the first is still open, then commit that. Returns both answers."""
    with hold_open(store) as held:
        answer = held.call(first)
        with begin_elsewhere(second) as other:
            held.end()
            return answer, get_answer(other)


def expect_no_promotion_during(store: Store, write: Callable[[Transaction], object], what: str) -> None:
    """Raises `Mismatch` if the preset becomes inactive while the write is open, and the write is then committed."""
    failed = False
    with hold_open(store) as held:
        held.call(write)
        with begin_elsewhere(lambda: put_presets(store, INACTIVE[0])) as promoting:
            overtook = promoting.done()
            try:
                held.end()
            except Exception:
                failed = True
            get_answer(promoting)
    if overtook and not failed:
        raise Mismatch(f"the preset was made inactive while a {what} was under way, and the {what} was committed after")
