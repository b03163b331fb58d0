"""Forks: a forked child begins anew with what it must not share with its parent, before any of its code runs.

- A lock that another thread of the parent held is held for good in the child, which has no such thread.
- What tells the parent from all others, such as the holder of a lease, is a copy in the child, and would tell nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

_T = TypeVar("_T")
_followers: WeakKeyDictionary[Any, Callable[[Any], None]] = WeakKeyDictionary()


def follow_forks(follower: _T, begin_anew: Callable[[_T], None]) -> None:
    """Call `begin_anew(follower)` in each process that is forked off, first thing, as long as it lives."""
    _followers[follower] = begin_anew


def _begin_anew() -> None:
    for follower, begin_anew in tuple(_followers.items()):
        begin_anew(follower)


if hasattr(os, "register_at_fork"):  # not on Windows, which forks nothing
    os.register_at_fork(after_in_child=_begin_anew)
