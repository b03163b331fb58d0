"""The values of options, read from text; for a wrong one argparse tells the option, the value and what is allowed."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta

from prebuilds.decision.models import Policy
from prebuilds.decision.rfc3339 import parse_instant
from prebuilds.errors import show

_DAY = timedelta(days=1)
_LAST_PORT = 65_535


def read_instant(text: str) -> datetime:
    """An RFC 3339 instant."""
    try:
        return parse_instant(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{show(text)} {error}") from None


def read_seconds(text: str) -> timedelta:
    """A number of seconds that a policy could have."""
    try:
        seconds = float(text)
        interval = Policy(backoff_interval=timedelta(seconds=seconds)).backoff_interval
    except (ValueError, OverflowError):
        seconds, interval = -1, timedelta()
    if seconds and not interval:
        raise argparse.ArgumentTypeError(f"{show(text)} is not 0 or a number of seconds from 0.000001 to 36525 days")
    return interval


def read_interval(text: str) -> timedelta:
    """A number of seconds to wait: more than 0, and a day at most."""
    try:
        interval = timedelta(seconds=float(text))
    except (ValueError, OverflowError):
        interval = timedelta()
    if not timedelta() < interval <= _DAY:
        raise argparse.ArgumentTypeError(f"{show(text)} is not a number of seconds from 0.000001 to 86400")
    return interval


def read_port(text: str) -> int:
    """A TCP port; 0 has the system choose one."""
    if not (text.isascii() and text.isdigit() and int(text) <= _LAST_PORT):
        raise argparse.ArgumentTypeError(f"{show(text)} is not a port from 0 to {_LAST_PORT}")
    return int(text)
