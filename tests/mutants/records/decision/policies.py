"""Bugs of what policies bound: waits after failures, probes, budgets, slow starts, and what a host expects."""

from __future__ import annotations

from mutants.records.mutant import Mutant

POLICIES = (
    Mutant(
        "a create counts until it runs, though a row names it",
        "decision/policies/expectations.py",
        "return effect.prebuild_id in running or effect.prebuild_id in starting",
        "return effect.prebuild_id in running",
        tests=("decision/test_expectations.py",),
    ),
    Mutant(
        "an effect is kept at its deadline",
        "decision/policies/expectations.py",
        "if now < effect.deadline",
        "if now <= effect.deadline",
        tests=("decision/test_expectations.py",),
    ),
    Mutant(
        "an expected delete still runs",
        "decision/policies/expectations.py",
        "if prebuild.id not in gone]",
        "]",
        tests=("decision/test_expectations.py",),
    ),
    Mutant(
        "a broken template is tried as often as any other",
        "decision/history.py",
        "if number == limit or any(outcome.failure is FailureClass.CONFIGURATION for outcome in attempt):",
        "if number == limit:",
        tests=("decision/test_failures.py::test_a_configuration_failure_limits_at_once",),
    ),
    Mutant(
        "a lack of capacity limits",
        "decision/history.py",
        "_list_failed_attempts([outcome for outcome in outcomes if not outcome.lacks_capacity])",
        "_list_failed_attempts(outcomes)",
        tests=("decision/test_failures.py::test_a_lack_of_capacity_never_limits",),
    ),
    Mutant(
        "a second probe starts beside the first",
        "decision/policies/waiting.py",
        "    if count_starting(snapshot):\n",
        "    if False:\n",
        tests=("decision/test_failures.py::test_a_probe_is_never_doubled",),
    ),
    Mutant(
        "a probe comes a microsecond late",
        "decision/policies/waiting.py",
        "return at is not None and at <= snapshot.now",
        "return at is not None and at < snapshot.now",
        tests=("decision/test_failures.py::test_a_probe_comes_exactly_one_interval_after_the_last_try",),
    ),
    Mutant(
        "the first exponential wait is doubled already",
        "decision/policies/waiting.py",
        "2 ** min(failures - 1, _MOST_DOUBLINGS)",
        "2 ** min(failures, _MOST_DOUBLINGS)",
        tests=("decision/test_failures.py::test_an_exponential_wait_doubles_with_each_failed_attempt_up_to_its_cap",),
    ),
    Mutant(
        "a lack of capacity holds deletes too",
        "decision/actions.py",
        "until = None if lacks_capacity(snapshot) else calculate_backoff_until(snapshot, policy)",
        "until = calculate_backoff_until(snapshot, policy)",
        tests=("decision/test_failures.py::test_a_lack_of_capacity_holds_creates_and_nothing_else",),
    ),
    Mutant(
        "a budget is exceeded by one",
        "decision/plans/sharing.py",
        "            if purse.left < 1:\n",
        "            if purse.left < 0:\n",
        tests=("decision/test_budgets.py::test_each_limit_counts_what_it_bounds",),
    ),
    Mutant(
        "the smallest number comes first, not the smallest share",
        "decision/plans/sharing.py",
        "return (self._there + self.granted) / self._target",
        "return (self._there + self.granted) / 1",
        tests=("decision/test_budgets.py::test_the_smallest_share_of_the_target_comes_first",),
    ),
    Mutant(
        "a budget leaves out what users build",
        "decision/plans/sharing.py",
        " - sum([row.starting for row in told])",
        "",
        tests=("decision/test_budgets.py::test_each_limit_counts_what_it_bounds",),
    ),
    Mutant(
        "a start counts a microsecond too long",
        "decision/plans/sharing.py",
        "row.begun_at > now - MINUTE]",
        "row.begun_at >= now - MINUTE]",
        tests=("decision/test_budgets.py::test_a_minutes_budget_refills_to_the_microsecond",),
    ),
    Mutant(
        "a budget refills though starts must end first",
        "decision/plans/sharing.py",
        " if rate < left else None",
        "",
        tests=("decision/test_budgets.py::test_time_alone_adds_nothing_to_a_budget_that_something_else_bounds",),
    ),
    Mutant(
        "a slow start forgets what is under way",
        "decision/policies/waiting.py",
        "return max(batch - count_starting(snapshot), 0)",
        "return batch",
        tests=("decision/test_budgets.py::test_after_failures_a_preset_starts_few_at_a_time",),
    ),
    Mutant(
        "more is canceled than has not begun",
        "decision/actions.py",
        "count = min(snapshot.pending, count_surplus_starts(snapshot))",
        "count = count_surplus_starts(snapshot)",
        tests=("decision/test_budgets.py::test_the_surplus_that_has_not_begun_is_canceled",),
    ),
    Mutant(
        "replacing ahead comes before filling",
        "decision/plans/sharing.py",
        "self._there = len(decision.snapshot.running) + count_starting(decision.snapshot)",
        "self._there = self._target - self.wanted",
        tests=("decision/test_budgets.py::test_filling_comes_before_replacing_ahead",),
    ),
)
