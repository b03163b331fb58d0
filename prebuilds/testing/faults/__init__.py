"""Faults at every boundary between a reconciler and the world, and a check that nothing comes of them."""

from prebuilds.testing.faults.builders import Script, ScriptedBuilder
from prebuilds.testing.faults.checking import check_reconciler, replay_reconciler
from prebuilds.testing.faults.clocks import JumpingClock
from prebuilds.testing.faults.exploring import Explored
from prebuilds.testing.faults.injection import FaultyBuilder, FaultyPubSub, FaultyStore, Injector
from prebuilds.testing.faults.invariants import Invariant
from prebuilds.testing.faults.messages import Delivery, UnreliablePubSub
from prebuilds.testing.faults.modes import (
    AnswerLostError,
    Boundary,
    CrashedError,
    Fault,
    FaultMode,
    InjectedTimeoutError,
)
from prebuilds.testing.faults.reports import FaultReport
from prebuilds.testing.faults.scenarios import Scenario
from prebuilds.testing.faults.scheduling import Scheduler
from prebuilds.testing.faults.searching import scenarios
from prebuilds.testing.faults.situations import Feature
from prebuilds.testing.faults.stale import StaleStore

__all__ = [
    "AnswerLostError",
    "Boundary",
    "CrashedError",
    "Delivery",
    "Explored",
    "Fault",
    "FaultMode",
    "FaultReport",
    "FaultyBuilder",
    "FaultyPubSub",
    "FaultyStore",
    "Feature",
    "InjectedTimeoutError",
    "Injector",
    "Invariant",
    "JumpingClock",
    "Scenario",
    "Scheduler",
    "Script",
    "ScriptedBuilder",
    "StaleStore",
    "UnreliablePubSub",
    "check_reconciler",
    "replay_reconciler",
    "scenarios",
]
