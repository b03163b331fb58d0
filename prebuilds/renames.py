"""Old names of a package: each still works, and warns with the new name."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping


def warn_of_renames(package: str, names: Mapping[str, str]) -> Callable[[str], object]:
    """A `__getattr__` for this package, which maps old names to new ones.

    Each use warns with a `DeprecationWarning` at the caller's line. Any other name raises `AttributeError`.
    """

    def get(name: str) -> object:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        message = f"{package}.{name} is called {names[name]} now"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return getattr(sys.modules[package], names[name])

    return get
