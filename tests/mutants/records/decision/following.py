"""Bugs of targets that follow demand, and of the claims that they follow."""

from __future__ import annotations

from mutants.records.mutant import Mutant

FOLLOWING = (
    Mutant(
        "what is held is created",
        "decision/targets.py",
        "max(low, target.desired), TargetSource.DEMAND",
        "max(high, target.desired), TargetSource.DEMAND",
        tests=("decision/test_autoscale.py",),
    ),
    Mutant(
        "what is held is deleted",
        "decision/lifetimes/victims.py",
        "most, running = snapshot.target.delete_above, len(snapshot.running)",
        "most, running = snapshot.target.desired, len(snapshot.running)",
        tests=("decision/test_autoscale.py",),
    ),
    Mutant(
        "starts within the hold are canceled",
        "decision/state.py",
        "max(_count_needed_starts(snapshot) + held, 0)",
        "max(_count_needed_starts(snapshot), 0)",
        tests=("decision/test_autoscale.py",),
    ),
    Mutant(
        "an autoscale in the shadow acts",
        "decision/targets.py",
        "if scale is None or not scale.acts or target.source in _UNMOVED:",
        "if scale is None or target.source in _UNMOVED:",
        tests=("decision/test_autoscale.py",),
    ),
    Mutant(
        "demand goes below the preset's own count",
        "decision/targets.py",
        "    if high <= target.desired:\n        return target\n    return _make_target(max(low, target.desired)",
        "    return _make_target(low",
        tests=("decision/test_autoscale.py",),
    ),
    Mutant(
        "a model of another lead time is used",
        "decision/demand/rows.py",
        "        if model.autoscale.lead_time != autoscale.lead_time:\n            return None\n",
        "",
        tests=("decision/test_autoscale.py",),
    ),
    Mutant(
        "a larger hold outlives smaller limits",
        "decision/demand/rows.py",
        "[(at, autoscale.clamp(count)) for at, count in self.fit.state.held]",
        "[*self.fit.state.held]",
        tests=("decision/test_autoscale.py",),
    ),
    Mutant(
        "a preset that follows demand never backs off",
        "decision/history.py",
        "depth = preset.autoscale.max_instances",
        "depth = depth + 0",
        tests=("decision/test_autoscale.py",),
    ),
    Mutant(
        "the second of a claim matters",
        "decision/demand/following.py",
        "minute = max(find_minute(at), state.minute)",
        "minute = max(at, state.minute)",
        tests=("decision/test_demand_laws.py",),
    ),
    Mutant(
        "looks that nobody asked for are skipped",
        "decision/demand/following.py",
        "    while at < end:\n        yield at\n        at += tick\n",
        "",
        tests=("decision/test_demand_laws.py",),
    ),
    Mutant(
        "a simulation counts no misses as claims",
        "whatif/simulation/pool.py",
        "        if self.demand:\n            self.demand = self.demand.note(",
        "        if self.demand and number is not None:\n            self.demand = self.demand.note(",
        tests=("whatif/test_autoscale.py",),
    ),
    Mutant(
        "a simulation knows what comes",
        "whatif/simulation/simulating.py",
        "if demand.settled_at > to_instant(begin):",
        "if False:",
        tests=("whatif/test_autoscale.py",),
    ),
    Mutant(
        "misses are not counted as claims",
        "runtime/claims.py",
        "        tx.note_claim(preset.id, request.claimed_at, is_hit=False)\n",
        "",
        tests=("testing/test_contracts.py",),
    ),
    Mutant(
        "the memory store counts claims by the second",
        "adapters/memory/capabilities.py",
        "(preset_id, find_minute(at))",
        "(preset_id, at)",
        tests=("testing/test_contracts.py",),
    ),
    Mutant(
        "PostgreSQL's claims count misses as hits",
        "adapters/postgres/tables/claim_function.py",
        "(chosen IS NOT NULL)::integer, (chosen IS NULL)::integer",
        "1, 0",
        tests=("testing/test_contracts.py",),
    ),
    Mutant(
        "old claims are never forgotten",
        "runtime/loop/timing/claim_pruning.py",
        "        if now >= self._due:\n",
        "        if now > self._due + _PERIOD:\n",
        tests=("runtime/test_claim_counts.py",),
    ),
    Mutant(
        "the claims of a minute all come at its beginning",
        "whatif/traces/stored_claims.py",
        "(2 * place + 1) * MINUTE // (2 * number)",
        "0",
        tests=("runtime/test_claim_counts.py",),
    ),
)
