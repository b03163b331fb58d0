"""Expectations: what an act promises, from its commit on."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from prebuilds.runtime.models import Workspace

Which = Callable[[Workspace], bool]
"""Selects workspaces, as they were just before the commit."""


def none_of_them(_workspace: Workspace) -> bool:
    return False


@attrs.frozen(kw_only=True)
class Expectation:
    """What an act promises.

    Nobody gets a `doomed` workspace any more, and it is deleted in the end. A `freed` one may be taken from the user
    who claimed it. An `unready` one is no longer ready.
    """

    doomed: Which = none_of_them
    freed: Which = none_of_them
    unready: Which = none_of_them
