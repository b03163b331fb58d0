"""A store and a pubsub in one file, with the standard library's sqlite3: the embedded default.

Any number of threads and processes on one machine can share the file. Commits outlive them all.
"""

from prebuilds.adapters.sqlite.pubsub import SQLitePubSub
from prebuilds.adapters.sqlite.store import SQLiteStore

__all__ = ["SQLitePubSub", "SQLiteStore"]
