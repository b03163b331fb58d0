"""Rounds of several pools together, so that a budget counts what all of them have (R18).

- Without budgets, each pool runs alone: no pool affects another.
- With budgets, all pools keep one clock. A round decides on all presets for which something has changed, and on those
  that a budget held back, and shares the budgets among them as `plan` does.
- A build that is spoken for uses up no budget: it belongs to a waiting user.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from prebuilds.decision.plans.decisions import Decision, decide
from prebuilds.decision.plans.sharing import count_creates, share_budgets
from prebuilds.decision.plans.withholding import WithheldReason
from prebuilds.decision.policies.budgets import RecentStarts
from prebuilds.decision.snapshots import GlobalSnapshot
from prebuilds.whatif.simulation.engine import Engine
from prebuilds.whatif.simulation.preset import SimulatedPreset
from prebuilds.whatif.simulation.scenario import Scenario
from prebuilds.whatif.traces.ticks import count_ticks, to_instant

Due = Sequence[tuple[Engine, SimulatedPreset]]


def run_engines(
    scenario: Scenario, engines: Sequence[Engine], *, begin: int, end: int, every_round: bool = False
) -> Iterator[tuple[Engine, Decision]]:
    """Run all pools to the end. Yields each decision after it was carried out, with the engine of its pool."""
    if scenario.policy.budgets:
        yield from _SharedRounds(scenario, engines, begin, end).run(every_round=every_round)
        return
    for engine in engines:
        for decision in engine.run(every_round=every_round):
            yield engine, decision


class _SharedRounds:
    """The rounds of pools that share budgets."""

    def __init__(self, scenario: Scenario, engines: Sequence[Engine], begin: int, end: int) -> None:
        self._policy = scenario.policy
        self._interval = count_ticks(scenario.interval) if scenario.interval else None
        self._engines = engines
        self._begin, self._end = begin, end
        self._places = {engine: place for place, engine in enumerate(engines)}
        self._touched: set[Engine] = set()
        """The pools for which something was decided in this round."""
        self._quiet: dict[SimulatedPreset, Decision] = {}
        """The last decisions of presets that have not changed since, as nothing was to be done."""
        self._held: dict[SimulatedPreset, Engine] = {}
        """The presets that a budget held back when they were last decided on."""

    def run(self, *, every_round: bool) -> Iterator[tuple[Engine, Decision]]:
        """Yield the decisions of each round after carrying them out."""
        for now, moved in self._iterate_rounds():
            for engine in moved:
                engine.begin_round(now)
            due = self._list_due(now, moved, is_first=True, every_round=every_round)
            while due:
                yield from self._decide(due, now)
                due = self._list_due(now, [engine for engine, _ in due]) if self._interval is None else ()
            for engine in moved:
                engine.end_round()
        for engine in self._engines:
            engine.finish()

    def _iterate_rounds(self) -> Iterator[tuple[int, Sequence[Engine]]]:
        """The ticks of the rounds, and the pools for which something happens there."""
        if self._interval is not None:
            yield from ((now, self._engines) for now in range(self._begin, self._end + 1, self._interval))
            return
        now, moved = self._begin, self._engines
        moments = dict.fromkeys(self._engines, now)
        while now <= self._end:
            yield now, moved
            moments.update({engine: engine.find_next_moment() for engine in {*moved, *self._touched}})
            self._touched.clear()
            now = min(moments.values())
            moved = [engine for engine, moment in moments.items() if moment == now]

    def _list_due(self, now: int, moved: Iterable[Engine], *, is_first: bool = False, every_round: bool = False) -> Due:
        """The presets to decide on. Whatever changes may leave room for those that a budget held back.

        What an event may have changed is looked at once in a round, so that the round ends.
        """
        pairs = {one: engine for engine in moved for one in engine.presets}
        due = {
            one: engine
            for one, engine in pairs.items()
            if every_round or one.is_due(now) or (is_first and engine.can_forget(one))
        }
        if due:
            due.update(self._held)
        pairs_due = [(engine, one) for one, engine in due.items()]
        return sorted(pairs_due, key=lambda pair: (self._places[pair[0]], pair[1].place))

    def _decide(self, due: Due, now: int) -> Iterator[tuple[Engine, Decision]]:
        decided = {one: decide(engine.take_snapshot(one, now), self._policy) for engine, one in due}
        if any(map(count_creates, decided.values())):
            decided = self._share(decided, now)
        self._touched.update([engine for engine, _ in due])
        for engine, one in due:
            decision = decided[one]
            engine.carry_out(one, decision, now)
            self._note(engine, one, decision)
            yield engine, decision

    def _share(self, decided: dict[SimulatedPreset, Decision], now: int) -> dict[SimulatedPreset, Decision]:
        """The decisions within the budgets, which what the other presets have uses up too."""
        pairs = [(engine, one) for engine in self._engines for one in engine.presets]
        decisions = [decided.get(one) or self._look_at(engine, one, now) for engine, one in pairs]
        rows = GlobalSnapshot(recent_starts=self._list_recent_starts(now))
        shared = share_budgets(decisions, rows, self._policy.budgets, to_instant(now))
        return {one: decision for (_, one), decision in zip(pairs, shared, strict=True) if one in decided}

    def _list_recent_starts(self, now: int) -> Sequence[RecentStarts]:
        if not self._policy.needs_recent_starts:
            return ()
        return [row for engine in self._engines for row in engine.list_recent_starts(engine.presets[-1].id, now)]

    def _look_at(self, engine: Engine, one: SimulatedPreset, now: int) -> Decision:
        """A preset of which only the counts are needed: it is not decided on now."""
        if one not in self._quiet:
            snapshot = engine.take_snapshot(one, now)
            self._quiet[one] = Decision(preset_id=one.id, snapshot=snapshot, policy=self._policy)
        return self._quiet[one]

    def _note(self, engine: Engine, one: SimulatedPreset, decision: Decision) -> None:
        """Remember what the next rounds need of this decision."""
        for noted in (self._quiet, self._held):
            noted.pop(one, None)
        if not (decision.actions or decision.withheld):
            self._quiet[one] = decision
        if any(withheld.reason is WithheldReason.BUDGET for withheld in decision.withheld):
            self._held[one] = engine
