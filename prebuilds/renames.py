"""Old names: each still works, and warns with the new name.

Each use warns with a `DeprecationWarning` at the caller's line.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def warn_of_renames(package: str, names: Mapping[str, str]) -> Callable[[str], object]:
    """A `__getattr__` for this package, which maps old names to new ones. Any other name raises `AttributeError`."""

    def get(name: str) -> object:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        message = f"{package}.{name} is called {names[name]} now"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return getattr(sys.modules[package], names[name])

    return get


class OldAttribute:
    """The old name of an attribute, to stand in its class."""

    def __init__(self, old: str, new: str) -> None:
        self._message = f"{old} is called {new} now"
        self._new = new

    def __get__(self, instance: object, owner: type) -> Any:
        if instance is None:
            return self
        warnings.warn(self._message, DeprecationWarning, stacklevel=2)
        return getattr(instance, self._new)


def accept_old_keywords(**names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function take keywords by old names too, given as `old="new"`. Raises `TypeError` for both in one call."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for old in names.keys() & kwargs.keys():
                message = f"the argument {old} of {function.__qualname__}() is called {names[old]} now"
                if names[old] in kwargs:
                    raise TypeError(f"{message}, and was given under both names")
                warnings.warn(message, DeprecationWarning, stacklevel=2)
                kwargs[names[old]] = kwargs.pop(old)
            return function(*args, **kwargs)

        return call

    return decorate


def rename_fields(**names: str) -> Callable[[type[T]], type[T]]:
    """Let an attrs class have fields by old names too, given as `old="new"`, as attributes and as keywords."""

    def decorate(cls: type[T]) -> type[T]:
        for old, new in names.items():
            setattr(cls, old, OldAttribute(f"{cls.__name__}.{old}", new))
        cls.__init__ = accept_old_keywords(**names)(cls.__init__)  # type: ignore[method-assign]
        return cls

    return decorate


def accept_positional(keyword: str, place: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function take this keyword as its positional argument at this place too; the first place is 0."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if len(args) != place + 1 or keyword in kwargs:
                return function(*args, **kwargs)
            message = f"{function.__qualname__}() takes {keyword} as a keyword now"
            warnings.warn(message, DeprecationWarning, stacklevel=2)
            kwargs[keyword] = args[place]
            return function(*args[:place], **kwargs)  # type: ignore[arg-type]

        return call

    return decorate
