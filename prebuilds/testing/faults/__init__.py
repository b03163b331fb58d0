"""Faults at every boundary between a reconciler and the world, and a check that they do no lasting harm."""

from prebuilds.renames import warn_of_renames
from prebuilds.testing.faults.checking import check_reconciler, replay_reconciler
from prebuilds.testing.faults.doubles.builders import Script, ScriptedBuilder
from prebuilds.testing.faults.doubles.clocks import JumpingClock
from prebuilds.testing.faults.doubles.fault_modes import (
    AnswerLostError,
    Boundary,
    CrashedError,
    Fault,
    FaultMode,
    InjectedTimeoutError,
)
from prebuilds.testing.faults.doubles.faulty import FaultyBuilder, FaultyPubSub, FaultyStore
from prebuilds.testing.faults.doubles.injection import Injector
from prebuilds.testing.faults.doubles.stale import StaleStore
from prebuilds.testing.faults.doubles.unreliable_pubsub import Delivery, UnreliablePubSub
from prebuilds.testing.faults.search.large_worlds import scenarios
from prebuilds.testing.faults.search.reports import FaultReport
from prebuilds.testing.faults.search.small_worlds import Explored
from prebuilds.testing.faults.worlds.features import Feature
from prebuilds.testing.faults.worlds.invariants import Invariant
from prebuilds.testing.faults.worlds.scenarios import FaultScenario
from prebuilds.testing.faults.worlds.scheduling import Scheduler

__all__ = [
    "AnswerLostError",
    "Boundary",
    "CrashedError",
    "Delivery",
    "Explored",
    "Fault",
    "FaultMode",
    "FaultReport",
    "FaultScenario",
    "FaultyBuilder",
    "FaultyPubSub",
    "FaultyStore",
    "Feature",
    "InjectedTimeoutError",
    "Injector",
    "Invariant",
    "JumpingClock",
    "Scheduler",
    "Script",
    "ScriptedBuilder",
    "StaleStore",
    "UnreliablePubSub",
    "check_reconciler",
    "replay_reconciler",
    "scenarios",
]

__getattr__ = warn_of_renames(__name__, {"Scenario": "FaultScenario"})
