"""Time zones by their IANA names, and a suggestion for an unknown name.

- UTC is known everywhere. Other zones come from the system's database, or from the package tzdata.
- Modules that only schedules need are imported when a schedule needs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timezone, tzinfo
from functools import cache, lru_cache
from typing import Any, TypeGuard

from prebuilds.errors import show

_FEWEST = 5  # letters in a name that may be a misspelling of another: CEST is not a misspelt EST
_MOST = 64
_ALIKE = 0.85


def load_zone(name: str) -> tzinfo:
    """The zone with this name. Raises `ValueError`, which says what is wrong with the name."""
    if name == "UTC":
        return timezone.utc
    from zoneinfo import ZoneInfo  # takes a tenth of this library's import time, and only schedules need it

    try:
        return ZoneInfo(name)
    # Not found; not a zone's name; a directory, or a name too long; not text, or the name of a module of tzdata.
    except (LookupError, ValueError, OSError, TypeError):
        raise ValueError(f"{show(name)} is not a known time zone{_advise(name)}") from None


def is_zone(value: Any) -> TypeGuard[str]:
    """Whether it is the name of a known zone."""
    try:
        load_zone(value)
    except ValueError:
        return False
    return True


def _advise(name: object) -> str:
    if not isinstance(name, str):
        return ""
    if not _get_names():
        return ": only UTC is, as there is no database of time zones (install tzdata)"
    nearest = _find_nearest(name)
    return f": the nearest name is {nearest}" if nearest else ""


@cache
def _get_names() -> Mapping[str, str]:
    """The name of every zone, by the name itself and by its last part, both in lower case."""
    from zoneinfo import available_timezones

    names = sorted(available_timezones())
    return {name.rpartition("/")[2].lower(): name for name in names} | {name.lower(): name for name in names}


@lru_cache(maxsize=2**10)
def _find_nearest(name: str) -> str | None:
    from difflib import get_close_matches

    names, wanted = _get_names(), name.strip().replace(" ", "_").lower()
    if wanted in names:
        return names[wanted]
    if not _FEWEST <= len(wanted) <= _MOST:
        return None
    return next((names[close] for close in get_close_matches(wanted, names, n=1, cutoff=_ALIKE)), None)
