"""The root of all errors, what every part raises, and how a message shows a value."""

from __future__ import annotations

_SHOWN = 80


def shorten(text: str) -> str:
    """The text, without its middle if it is too long for a message."""
    if len(text) <= _SHOWN:
        return text
    return f"{text[: _SHOWN - 20]}...{text[-15:]} ({len(text)} characters)"


def show(value: object) -> str:
    """The value as a message shows it: its repr, shortened."""
    try:
        return shorten(repr(value))
    except (ValueError, RecursionError):  # an int with more digits than Python prints, or lists nested too deeply
        return f"a value of type {type(value).__name__}, too large or too deep to print"


class PrebuildsError(Exception):
    """The root of all errors of this library."""


class InvalidValueError(PrebuildsError, ValueError):
    """A model does not allow a value that it was given; says which model and field, and what is allowed."""

    def __init__(self, model: str, field: str, value: object, allowed: str) -> None:
        super().__init__(model, field, value, allowed)
        self.model = model
        self.field = field
        self.value = value
        self.allowed = allowed

    def __str__(self) -> str:
        return f"{self.model}.{self.field}: {show(self.value)} is not allowed; it must be {self.allowed}"


class MissingExtraError(PrebuildsError, ImportError):
    """A part of the library needs a package that is not installed; says which extra has it."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(package, extra)
        self.package = package
        self.extra = extra

    def __str__(self) -> str:
        return f"{self.package} is not installed; it comes with an extra: pip install 'prebuilds[{self.extra}]'"
