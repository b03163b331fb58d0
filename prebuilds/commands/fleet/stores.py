"""Opening the store at the address that `--store` gives."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

import attrs

from prebuilds.errors import StoreNotFoundError, show
from prebuilds.runtime.clocks import SYSTEM_CLOCK
from prebuilds.runtime.ports import PubSub, Store
from prebuilds.runtime.publishing.relays import OutboxRelay

VARIABLE = "PREBUILDS_STORE"
_ALLOWED = "sqlite:FILE or postgresql://..."
_POSTGRES = ("postgresql", "postgres")  # as libpq itself takes them


@attrs.frozen(kw_only=True)
class OpenStore:
    """A store, its pubsub, and the relay between them."""

    store: Store
    pubsub: PubSub
    relay: OutboxRelay


def add_store(command: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the option that every command on a store has. An environment variable can stand in for it."""
    default = os.environ.get(VARIABLE)
    command.add_argument(
        "--store",
        required=required and not default,
        default=default or None,  # argparse reads a default as it reads what is given
        type=_read_url,
        metavar="URL",
        help=f"the address of the store: {_ALLOWED} (default: ${VARIABLE})",
    )


def _read_url(url: str) -> str:
    kind, _, rest = url.partition(":")
    if (kind == "sqlite" and rest) or (kind in _POSTGRES and rest.startswith("//")):
        return url
    shown = f"{kind}:..." if kind in _POSTGRES else show(url)  # it may contain a password
    raise argparse.ArgumentTypeError(f"{shown} is not {_ALLOWED}")


class Access(Enum):
    """What a command does with its store."""

    READ = "read"
    """It only reads an existing store, and needs no permission to write."""
    WRITE = "write"
    """It changes an existing store."""
    MAKE = "make"
    """It changes a store, and makes a missing one."""


@contextmanager
def open_store(url: str, access: Access = Access.WRITE) -> Iterator[OpenStore]:
    """The store at this address, closed when the block ends. Raises what the store raises."""
    kind, _, path = url.partition(":")
    try:
        opened = _open_sqlite(path, access) if kind == "sqlite" else _open_postgres(url, access)
        with opened as store:
            yield store
    except StoreNotFoundError as error:
        raise StoreNotFoundError(f"{error.place}; `run` makes one") from error


@contextmanager
def _open_postgres(url: str, access: Access) -> Iterator[OpenStore]:
    from prebuilds.adapters.postgres import PostgresPubSub, PostgresStore

    with PostgresStore(url, create=access is Access.MAKE) as store:
        pubsub = PostgresPubSub(store)
        try:
            yield OpenStore(store=store, pubsub=pubsub, relay=OutboxRelay(store, pubsub))
        finally:
            pubsub.close()


@contextmanager
def _open_sqlite(path: str, access: Access) -> Iterator[OpenStore]:
    from prebuilds.adapters.sqlite import SQLitePubSub, SQLiteStore

    with SQLiteStore(path, create=access is Access.MAKE, read_only=access is Access.READ) as store:
        pubsub = SQLitePubSub(store, clock=SYSTEM_CLOCK)
        try:
            yield OpenStore(store=store, pubsub=pubsub, relay=OutboxRelay(store, pubsub))
        finally:
            pubsub.close()
