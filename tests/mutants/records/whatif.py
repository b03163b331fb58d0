"""Bugs of forecasts, simulations and their charts."""

from __future__ import annotations

from mutants.records.mutant import Mutant

WHATIF = (
    Mutant(
        "a trace of one claim has no day",
        "whatif/recommendation/folds.py",
        "max(demand.end, demand.begin + 1)",
        "demand.end",
        tests=("whatif/test_numbers.py",),
    ),
    Mutant(
        "a tick may be any number",
        "whatif/traces/trace.py",
        "return is_ordered and (not ticks or FIRST_TICK <= ticks[0] <= ticks[-1] <= LAST_TICK)",
        "return is_ordered",
        tests=("whatif/test_numbers.py",),
    ),
    Mutant(
        "a quantile is off by one by a float",
        "whatif/traces/number_checks.py",
        "while (rank - 1) / count >= share:",
        "while rank < 0:",
        tests=("whatif/test_numbers.py",),
    ),
    Mutant(
        "predict looks for each size from the first",
        "whatif/sizing/closed_forms.py",
        "while at < size and (step := next(steps, None)):",
        "while at < size and tuple(sizes).index(size) >= 0 and (step := next(steps, None)):",
        tests=("whatif/test_numbers.py",),
    ),
    Mutant(
        "an hour that occurs twice is always read as the first",
        "whatif/traces/claim_reader.py",
        "if first == second:",
        "if first <= second:",
        tests=("whatif/test_traces.py",),
    ),
    Mutant(
        "an offset without minutes is not read",
        "whatif/traces/claim_reader.py",
        'return f"{text}:00"',
        "return text",
        tests=("whatif/test_traces.py",),
    ),
    Mutant(
        "a notebook loads its chart library from a server",
        "whatif/views/charts.py",
        'if renderers.active != "default":',
        "if renderers.active:",
        tests=("whatif/test_sizing_views.py",),
    ),
    Mutant(
        "in the simulation a future invalidation expires everything now",
        "whatif/simulation/preset.py",
        "self.invalidated_at = -NEVER if known is None or to_ticks(known) > since else to_ticks(known)",
        "self.invalidated_at = -NEVER if known is None else to_ticks(known)",
        tests=("whatif/test_same_as_the_loop.py",),
    ),
    Mutant(
        "the simulation sleeps through an invalidation",
        "whatif/simulation/preset.py",
        "return to_ticks(at) if at and running and snapshot.now < at and running[0].created_at < at else NEVER",
        "return NEVER",
        tests=("whatif/test_same_as_the_loop.py",),
    ),
    Mutant(
        "each build of a simulated round is an attempt",
        "whatif/simulation/build_history.py",
        "return self._was_hard_limited or self.find_limit(now) is not None",
        "return self._was_hard_limited or len(self._failed) >= self._policy.failure_hard_limit > 0",
        tests=("whatif/test_simulation.py",),
    ),
    Mutant(
        "a simulated user gets an outdated prebuild",
        "whatif/simulation/preset.py",
        "if not prebuild.ready or (self.outdated and prebuild in self.outdated):",
        "if not prebuild.ready:",
        tests=("whatif/test_simulation.py",),
    ),
    Mutant(
        "a page loads its scripts from a server",
        "commands/console/charts.py",
        'chart.save(file, inline=file.endswith(".html"))',
        "chart.save(file)",
        tests=("whatif/test_sizing_views.py",),
    ),
    Mutant(
        "a simulated start is late only once something else happens",
        "whatif/simulation/engine.py",
        "min(simulated.next_change, simulated.find_build_deadline())",
        "simulated.next_change",
        tests=("whatif/test_engine.py", "whatif/test_same_as_the_loop.py"),
    ),
    Mutant(
        "windows go to the first days with the same sums",
        "whatif/recommendation/layouts/day_groups.py",
        "@attrs.frozen(kw_only=True, eq=False)\nclass Stretch:",
        "@attrs.frozen(kw_only=True)\nclass Stretch:",
        tests=("whatif/test_recommend.py::test_days_alike_in_every_sum_keep_their_own_windows",),
    ),
)
