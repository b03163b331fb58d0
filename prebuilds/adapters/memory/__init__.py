"""A store and a pubsub within one process, for tests and for trying things out. Nothing outlives the process."""

from prebuilds.adapters.memory.pubsub import MemoryPubSub
from prebuilds.adapters.memory.store import MemoryStore

__all__ = ["MemoryPubSub", "MemoryStore"]
