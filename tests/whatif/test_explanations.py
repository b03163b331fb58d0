"""Why a claim was missed: the chain of causes is there for every miss, and every word of it is true."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import attrs
from hypothesis import given, settings

from prebuilds import ActionType, WithheldReason, calculate_target
from prebuilds.decision.presets import calculate_expiry_cutoff
from prebuilds.whatif import HoldReason, LossReason, Miss, OnMiss, SimulationResult, simulate
from prebuilds.whatif.simulation.event_log import NEVER, EventLog, PrebuildOutcome
from prebuilds.whatif.traces.ticks import to_instant, to_ticks
from prebuilds.whatif.views.rows import describe_about

from .reference import list_invalidations
from .scenarios import Case, cases

TICK = timedelta(microseconds=1)


class History:
    """What a log says of an instant, found by looking at every build, with the rule that production expires by."""

    def __init__(self, case: Case, log: EventLog) -> None:
        self.case, self.log = case, log
        self.numbers = range(len(log.created))

    def find_preset_index(self, at: datetime) -> int:
        return max(place for place, one in enumerate(self.log.presets) if one.since <= to_ticks(at))

    def is_good(self, number: int, at: datetime) -> bool:
        log, tick = self.log, to_ticks(at)
        if log.outcomes[number] is PrebuildOutcome.FAILED or number in log.never_ready:
            return False
        return log.ended[number] <= tick and self.is_kept(number, at)

    def is_kept(self, number: int, at: datetime) -> bool:
        """Whether it is neither gone nor expired nor outdated."""
        log, tick = self.log, to_ticks(at)
        if tick >= log.gone[number]:
            return False
        preset = log.presets[log.preset_indexes[number]].preset
        instants = list_invalidations(self.case)
        known = preset.last_invalidated_at
        instants += [known] if known and known <= self.case.trace.begin else []
        invalidated = [one for one in instants if one <= at]
        preset = attrs.evolve(preset, last_invalidated_at=max(invalidated, default=None))
        cutoff = calculate_expiry_cutoff(preset, at)
        is_expired = cutoff is not None and to_instant(log.created[number]) < cutoff
        return not is_expired and log.preset_indexes[number] == self.find_preset_index(at)

    def takes_a_place(self, number: int, at: datetime) -> bool:
        """Whether it runs, is not ready, and is not stuck yet."""
        deadline = self.case.scenario.fleet.presets[0].ready_deadline
        age = to_ticks(at) - self.log.ended[number]
        return age >= 0 and (deadline is None or age < deadline // TICK) and self.is_kept(number, at)

    def succeeds(self, number: int) -> bool:
        log = self.log
        is_never = log.ended[number] == NEVER or number in log.never_ready
        return not is_never and log.outcomes[number] is not PrebuildOutcome.FAILED

    def count_good(self, at: datetime) -> int:
        return sum(self.is_good(number, at) for number in self.numbers)

    def list_under_way(self, at: datetime) -> list[int]:
        tick, preset_index = to_ticks(at), self.find_preset_index(at)
        log = self.log
        return [
            number
            for number in self.numbers
            if log.created[number] <= tick < log.ended[number] and log.preset_indexes[number] == preset_index
        ]

    def list_moments(self, since: datetime, at: datetime) -> list[datetime]:
        """All instants at which anything could change, and those just before them."""
        log, ttl = self.log, self.case.scenario.fleet.presets[0].ttl
        ticks = {*log.claims, *log.created, *log.ended, *log.gone, *log.invalidations}
        ticks |= {one.since for one in log.presets}
        ticks |= {created + ttl // TICK + 1 for created in log.created} if ttl else set()
        instants = {to_instant(tick) for tick in ticks - {NEVER} if to_ticks(since) <= tick <= to_ticks(at)}
        return sorted(one for instant in instants for one in (instant - TICK, instant) if since <= one <= at)


@settings(max_examples=150)
@given(case=cases())
def test_every_fact_about_every_miss_is_true(case: Case) -> None:
    """Emptiness, the account of what was there, the target, what is under way, and why no more is."""
    result = simulate(case.scenario, case.trace, seed=case.seed)
    history = History(case, result.pools[0])
    for index, claim in enumerate(result.pools[0].missed):
        miss = result.find_miss(index)
        assert (miss.claim, to_ticks(miss.at)) == (claim, result.pools[0].claims[claim])
        check_emptiness(miss, history)
        check_account(miss, history)
        check_supply(miss, history, index)
        check_lack(miss, result)
        check_words(result.explain_miss(index), miss)


def check_emptiness(miss: Miss, history: History) -> None:
    moments = history.list_moments(miss.empty_since, miss.at)
    assert all(history.count_good(at) == 0 for at in moments)
    begin = to_instant(history.log.begin)
    assert miss.empty_since == begin or history.count_good(miss.empty_since - TICK) > 0


def check_account(miss: Miss, history: History) -> None:
    log, since, at = history.log, miss.since, miss.at
    lost = {one.reason: one.count for one in miss.lost}
    assert miss.had == history.count_good(since)
    assert miss.had + miss.became_ready == sum(lost.values())
    claims = [place for place, tick in enumerate(log.claims) if to_ticks(since) < tick and place <= miss.claim]
    assert (miss.claims, miss.first_claim_at) == (len(claims), to_instant(log.claims[claims[0]]))
    assert lost.get(LossReason.CLAIMED, 0) == len([place for place in claims if place not in log.missed])
    outcomes = list(zip(log.outcomes, log.gone, strict=True))
    failed = [
        to_instant(gone)
        for outcome, gone in outcomes
        if outcome is PrebuildOutcome.FAILED and since < to_instant(gone) <= at
    ]
    assert (miss.failed, miss.failed_at) == (len(failed), max(failed, default=None))
    assert miss.promoted_at == tuple(
        one for one in sorted(one.at for one in history.case.scenario.promotions) if since < one <= at
    )
    assert miss.invalidated_at == tuple(one for one in list_invalidations(history.case) if since < one <= at)
    outdated = sum(history.count_good(promoted - TICK) for promoted in {*miss.promoted_at})
    assert lost.get(LossReason.OUTDATED, 0) == outdated
    for step in miss.target_steps:
        preset = log.presets[0].preset
        assert since < step.at <= at
        assert calculate_target(preset, now=step.at - TICK).desired == step.before
        assert calculate_target(preset, now=step.at).desired == step.after
        if step.first_ready_at:
            ready = [log.ended[number] for number in history.numbers if log.created[number] >= to_ticks(step.at)]
            assert to_ticks(step.first_ready_at) in ready


def check_supply(miss: Miss, history: History, index: int) -> None:
    log = history.log
    under_way = history.list_under_way(miss.at)
    ready = [(log.ended[number], number) for number in under_way if history.succeeds(number)]
    preset = log.presets[history.find_preset_index(miss.at)].preset
    target = calculate_target(preset, now=miss.at)
    assert (miss.target, miss.target_source, miss.under_way) == (target.desired, target.source, len(under_way))
    if ready:
        first, number = min(ready)
        assert miss.first_ready_at == to_instant(first)
        assert miss.lead_time == to_instant(first) - to_instant(log.created[number])
    else:
        assert (miss.first_ready_at, miss.lead_time) == (None, None)
    missed = list(zip(log.missed, log.waits, strict=True))[: index + 1]
    unserved = len(log.missed) - log.unserved
    waiting = [
        place
        for place, (claim, wait) in enumerate(missed)
        if place >= unserved or log.claims[claim] + wait > to_ticks(miss.at)
    ]
    is_waiting = history.case.scenario.on_miss is OnMiss.WAIT
    assert miss.spoken_for == (len(waiting) if is_waiting else 0)
    assert miss.unready == sum(history.takes_a_place(number, miss.at) for number in log.never_ready)
    assert miss.lacking == max(miss.target - max(miss.under_way - miss.spoken_for, 0) - miss.unready, 0)


def check_lack(miss: Miss, result: SimulationResult) -> None:
    """What is wanted and not begun is held back by the last round, or waits for the next, or for nothing any more."""
    if not miss.lacking:
        return
    current = [one for one in result.pools[0].presets if one.since <= to_ticks(miss.at)][-1]
    rounds = [one for one in result.log if one.preset_id == current.preset.id]
    before = [one for one in rounds if one.snapshot.now <= miss.at]
    after = [one.snapshot.now for one in rounds if one.snapshot.now > miss.at]
    if miss.held_by is HoldReason.BACKOFF:
        (action,) = before[-1].actions
        assert (action.type, action.backoff_until) == (ActionType.BACKOFF, miss.held_until)
        assert before[-1].snapshot.backoff is not None
        assert before[-1].snapshot.backoff.num_failed == miss.num_failed
        assert miss.at <= action.backoff_until
    elif miss.held_by is HoldReason.HARD_LIMITED:
        assert before[-1].snapshot.is_hard_limited
        assert next(one.snapshot.now for one in before if one.snapshot.is_hard_limited) <= miss.held_since <= miss.at
    elif miss.held_by is HoldReason.BUDGET:
        assert WithheldReason.BUDGET in [one.reason for one in before[-1].withheld]
    elif miss.next_round_at:
        assert miss.next_round_at == after[0]
    else:
        assert (result.scenario.interval is not None, after) == (True, [])


def check_words(text: str, miss: Miss) -> None:
    """The words say what the facts are, and say them all."""
    head, *clauses = text.split("; ")
    match = re.fullmatch(
        r"web, (?P<at>.+) UTC: pool empty since (?P<since>.+): (?P<claims>\d+) claims?(?: in (?P<span>.+?))?, "
        r"target (?P<target>\d+)(?:, lead time (?P<lead>.+))?",
        head,
    )
    assert match, head
    assert read_instant(match["at"], miss) == miss.at
    assert read_instant(match["since"], miss) == miss.empty_since
    assert (int(match["claims"]), int(match["target"])) == (miss.claims, miss.target)
    assert match["span"] == (describe_about(miss.at - miss.first_claim_at) if miss.claims > 1 else None)
    assert match["lead"] == (describe_about(miss.lead_time) if miss.lead_time is not None else None)
    expected = [
        *(f"window {'raised' if step.after > step.before else 'lowered'} the target" for step in miss.target_steps),
        *("template promoted" for _ in miss.promoted_at),
        *("prebuilds invalidated" for _ in miss.invalidated_at),
        *(f"{one.count} " for one in miss.lost if one.reason is not LossReason.CLAIMED),
        *(f"{miss.failed} build" for _ in range(miss.failed > 0)),
        *(f"{miss.under_way} under way" for _ in range(miss.under_way > 0)),
        *(f"{miss.spoken_for} user" for _ in range(miss.spoken_for > 0)),
        *(f"{miss.unready} running but never ready" for _ in range(miss.unready > 0)),
        *("" for _ in range(miss.target == 0)),
        *(f"{miss.lacking} not begun" for _ in range(miss.lacking > 0)),
    ]
    assert len(clauses) == len(expected)
    for clause, beginning in zip(clauses, expected, strict=True):
        assert clause.startswith(beginning)


def read_instant(text: str, miss: Miss) -> datetime:
    full = text if "-" in text else f"{miss.at.date()} {text}"
    return datetime.fromisoformat(f"{full}+00:00")
