"""The store that a command works on, by its address."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

import attrs

from prebuilds.errors import show
from prebuilds.runtime.clocks import SYSTEM_CLOCK
from prebuilds.runtime.ports import PubSub, Store
from prebuilds.runtime.publishing import OutboxRelay

_ALLOWED = "sqlite:FILE"


@attrs.frozen(kw_only=True)
class OpenStore:
    """A store with the pubsub that belongs to it, and the relay between them."""

    store: Store
    pubsub: PubSub
    relay: OutboxRelay


def add_store(command: argparse.ArgumentParser) -> None:
    """The option that every command on a store has."""
    command.add_argument(
        "--store", required=True, type=_read_path, metavar="URL", help=f"where the workspaces are kept: {_ALLOWED}"
    )


def _read_path(url: str) -> str:
    kind, _, path = url.partition(":")
    if kind != "sqlite" or not path:
        raise argparse.ArgumentTypeError(f"{show(url)} is not {_ALLOWED}")
    return path


@contextmanager
def open_store(path: str) -> Iterator[OpenStore]:
    """The store that the option names, closed when the block ends. Raises what the store raises."""
    from prebuilds.adapters.sqlite import SQLitePubSub, SQLiteStore

    with SQLiteStore(path) as store:
        pubsub = SQLitePubSub(store, clock=SYSTEM_CLOCK)
        try:
            yield OpenStore(store=store, pubsub=pubsub, relay=OutboxRelay(store, pubsub))
        finally:
            pubsub.close()
