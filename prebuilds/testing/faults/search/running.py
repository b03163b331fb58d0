"""Running scenarios: one run, its result, and the line that runs it again when an invariant broke."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import attrs

from prebuilds.errors import BrokenInvariantError
from prebuilds.runtime.ports import Store
from prebuilds.testing.faults.doubles.fault_modes import Boundary, Fault
from prebuilds.testing.faults.worlds.invariants import Invariant, Violated
from prebuilds.testing.faults.worlds.scenarios import FaultScenario
from prebuilds.testing.faults.worlds.settling import settle
from prebuilds.testing.faults.worlds.verdicts import check_bounded, check_noted, check_processes
from prebuilds.testing.faults.worlds.world import World

MakeStore = Callable[[], Store]
ROUNDS = 3  # the most passes that a world needs; each starts after the builds of the one before have ended


@attrs.frozen(kw_only=True)
class Run:
    """The result of one run: the points of each reconciler, the faults that came about, the ports that were called.

    `rounds` is how many passes put everything in order once faults had stopped.
    """

    scenario: FaultScenario
    points: Mapping[str, Sequence[tuple[int, Boundary]]]
    struck: tuple[Fault, ...]
    called: frozenset[str]
    effects: frozenset[str]
    rounds: int


def run_scenario(make_store: MakeStore, scenario: FaultScenario, *, rounds: int = ROUNDS) -> Run:
    """Run a scenario once. Raises `BrokenInvariantError`."""
    store = make_store()
    try:
        with explained(f'replay_reconciler(make_store, "{scenario}")'), quiet():
            return _run(World(store, scenario), rounds)
    finally:
        close(store)


def close(store: Store) -> None:
    """Close a store, if it has a `close`."""
    end = getattr(store, "close", None)
    if end is not None:
        end()


@contextmanager
def explained(replay: str) -> Iterator[None]:
    """Around a run: any error is raised as a `BrokenInvariantError`, with the line that runs it again."""
    try:
        yield
    except Violated as violated:
        invariant = violated.invariant
        raise BrokenInvariantError(invariant.name.lower(), invariant.value, violated.seen, replay) from None
    except Exception as error:
        invariant = Invariant.ANSWERS
        seen = f"{type(error).__name__}: {error}"
        raise BrokenInvariantError(invariant.name.lower(), invariant.value, seen, replay) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Around runs: the library does not log the faults, which are intended."""
    logger = logging.getLogger("prebuilds")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def _run(world: World, rounds: int) -> Run:
    world.act()
    check_processes(world)
    check_bounded(world)
    _check_answers(world)
    process = world.calm()
    taken = settle(world, process, rounds)
    check_noted(world)
    reconcilers = [reconciler.injector for reconciler in world.reconcilers]
    results = [result for reconciler in world.reconcilers for result in reconciler.results]
    return Run(
        scenario=world.scenario,
        points={injector.process: tuple(injector.crossed) for injector in reconcilers},
        struck=tuple(fault for injector in world.injectors for fault in injector.struck),
        called=frozenset().union(*(injector.called for injector in world.injectors)),
        effects=frozenset(type(outcome.effect).__name__ for result in results for outcome in result.done),
        rounds=taken,
    )


def _check_answers(world: World) -> None:
    """Each request got one workspace at most, and no two requests got the same."""
    got: dict[str, str] = {}
    for claimant in world.claimants:
        for answer in claimant.answers:
            if answer.workspace_id and got.setdefault(answer.request_id, answer.workspace_id) != answer.workspace_id:
                seen = f"{answer.request_id} got {got[answer.request_id]}, and then {answer.workspace_id}"
                raise Violated(Invariant.ONE_PER_CLAIM, seen)
    if len(set(got.values())) < len(got):
        raise Violated(Invariant.ONE_PER_CLAIM, f"two requests got the same workspace: {got}")
