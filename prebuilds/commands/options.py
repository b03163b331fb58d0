"""The values of options, read from text; for a wrong one argparse tells the option, the value and what is allowed."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta

from prebuilds.decision.models import Policy
from prebuilds.decision.rfc3339 import parse_instant
from prebuilds.errors import show


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
