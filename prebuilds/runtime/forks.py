"""Forks: before a forked child runs any code, it resets everything that it must not share with its parent.

- If another thread of the parent held a lock, that lock is held for ever in the child, which has no such thread.
- A name that identifies the parent, such as the holder of a lease, is copied into the child and is no longer unique.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

_T = TypeVar("_T")
_followers: WeakKeyDictionary[Any, Callable[[Any], None]] = WeakKeyDictionary()


def follow_forks(follower: _T, begin_anew: Callable[[_T], None]) -> None:
    """Call `begin_anew(follower)` first thing in every forked child, for as long as the follower lives."""
    _followers[follower] = begin_anew


def _begin_anew() -> None:
    for follower, begin_anew in tuple(_followers.items()):
        begin_anew(follower)


if hasattr(os, "register_at_fork"):  # not on Windows, which forks nothing
    os.register_at_fork(after_in_child=_begin_anew)
