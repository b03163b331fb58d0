"""What a mutant is: a bug that is put back, as one change of a line or two."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Mutant(NamedTuple):
    """A bug: its name, the file below the package, and the text that becomes another.

    `tests` has the files below `tests` that are known to catch it, or single tests of files that take long. Where there
    are none, the kit or the laws do.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = ()

    @property
    def area(self) -> str:
        """The part of the package that it is in."""
        return self.file.partition("/")[0]

    def apply(self, package: Path) -> None:
        """Change this copy of the package. Raises `ValueError` unless the old text is there exactly once."""
        path = package / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.file} has its old text {text.count(self.old)} times, not once")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")
