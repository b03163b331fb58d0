"""Expectations: what an act promises, which must hold from its commit on."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from prebuilds.runtime.models import Workspace

Which = Callable[[Workspace], bool]
"""Tells which workspaces are meant, as they were just before the commit."""


def none_of_them(_workspace: Workspace) -> bool:
    return False


@attrs.frozen(kw_only=True)
class Expectation:
    """What must hold of which workspaces.

    Those that are `doomed` are given to nobody any more, and go in the end. Those that are `freed` may be taken from
    the users who claimed them. Those that are `unready` are ready no more.
    """

    doomed: Which = none_of_them
    freed: Which = none_of_them
    unready: Which = none_of_them
