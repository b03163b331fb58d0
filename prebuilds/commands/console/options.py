"""Options of commands, and reading their values.

For a wrong value argparse shows the option, the value and what is allowed.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from prebuilds.decision.documents.rfc3339 import parse_instant
from prebuilds.decision.fields import MAX_DURATION
from prebuilds.decision.policies.policy import Policy
from prebuilds.decision.schedules.zones import load_zone
from prebuilds.errors import show

_DAY = timedelta(days=1)
_LAST_PORT = 65_535
_WHOLE = re.compile(r"-?\d{1,20}", re.ASCII)
_DURATION = re.compile(r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9}(?:\.\d{1,6})?)s)?", re.ASCII)


def read_instant(text: str) -> datetime:
    """An RFC 3339 instant."""
    try:
        return parse_instant(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{show(text)} {error}") from None


def read_seconds(text: str) -> timedelta:
    """A number of seconds that `Policy.backoff_interval` allows."""
    try:
        seconds = float(text)
        interval = Policy(backoff_interval=timedelta(seconds=seconds)).backoff_interval
    except (ValueError, OverflowError):
        seconds, interval = -1, timedelta()
    if seconds and not interval:
        raise argparse.ArgumentTypeError(f"{show(text)} is not 0 or a number of seconds from 0.000001 to 36525 days")
    return interval


def add_command(commands: Any, name: str, purpose: str) -> argparse.ArgumentParser:
    """Add a command, or an action of one. `purpose` begins with a small letter, as the list of commands shows it."""
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}."
    )
    return command


def add_interval(command: argparse.ArgumentParser, name: str, default: int, what: str) -> None:
    """Add an option for a number of seconds to wait, with its default."""
    interval = timedelta(seconds=default)
    command.add_argument(name, type=_read_interval, default=interval, metavar="S", help=f"{what} (default: {default})")


def _read_interval(text: str) -> timedelta:
    """A number of seconds to wait: more than 0, and at most a day."""
    try:
        interval = timedelta(seconds=float(text))
    except (ValueError, OverflowError):
        interval = timedelta()
    if not timedelta() < interval <= _DAY:
        raise argparse.ArgumentTypeError(f"{show(text)} is not a number of seconds from 0.000001 to 86400")
    return interval


def read_port(text: str) -> int:
    """A TCP port; for 0 the system chooses one."""
    if not _WHOLE.fullmatch(text) or not 0 <= int(text) <= _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{show(text)} is not a port from 0 to {_LAST_PORT}")
    return int(text)


def read_duration(text: str) -> timedelta:
    """A duration such as 5m, 90s or 1h30m, at most a century."""
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        raise argparse.ArgumentTypeError(f"{show(text)} is not a duration such as 5m, 90s, 1h30m or 2d")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    try:
        duration = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        duration = timedelta.max
    if duration > MAX_DURATION:
        raise argparse.ArgumentTypeError(f"{show(text)} is longer than {MAX_DURATION.days}d")
    return duration


def read_pause(text: str) -> timedelta:
    """A duration of a second or more."""
    duration = read_duration(text)
    if duration < timedelta(seconds=1):
        raise argparse.ArgumentTypeError(f"{show(text)} is shorter than 1s")
    return duration


def read_share(text: str) -> float:
    """A share, from 0 to 1."""
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{show(text)} is not a number from 0 to 1")
    return share


def read_goal(text: str) -> float:
    """A share above 0, up to 1."""
    share = read_share(text)
    if not share:
        raise argparse.ArgumentTypeError(f"{show(text)} is not a number above 0, up to 1")
    return share


def read_count(least: int, most: int) -> Callable[[str], int]:
    """A reader of whole numbers within these bounds."""

    def read(text: str) -> int:
        if not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{show(text)} is not a whole number from {least} to {most}")
        return int(text)

    return read


def read_timezone(text: str) -> str:
    """The name of a time zone that this system knows."""
    try:
        load_zone(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text
