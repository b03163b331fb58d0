"""Whatever happens to pools, they come to rest at their targets, in at most three rounds, and stay there."""

from __future__ import annotations

from hypothesis import settings

from prebuilds.adapters.memory import MemoryStore
from runtime.machine import PoolMachine


class MemoryMachine(PoolMachine):
    make_store = MemoryStore


TestMemory = MemoryMachine.TestCase
TestMemory.settings = settings(max_examples=100, stateful_step_count=30)
