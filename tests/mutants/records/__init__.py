"""Mutants: bugs that controllers have, each as one change of one line or two.

- A mutant applies when its file has `old` exactly once. A test holds that all of them do.
- Each breaks a rule that the package states. What would change nothing that can be seen is no mutant.
"""

from __future__ import annotations

from mutants.records.calls import CALLS
from mutants.records.decision import DECISION
from mutants.records.handover import HANDOVER
from mutants.records.hanging import HANGING
from mutants.records.hosts import HOSTS
from mutants.records.loop import LOOP
from mutants.records.memory import MEMORY
from mutants.records.mutant import Mutant
from mutants.records.passes import PASSES
from mutants.records.postgres import POSTGRES
from mutants.records.sizing import SIZING
from mutants.records.sqlite import SQLITE
from mutants.records.testing import TESTING
from mutants.records.whatif import WHATIF
from mutants.records.workspaces import WORKSPACES

MUTANTS = (
    *DECISION,
    *PASSES,
    *HANDOVER,
    *CALLS,
    *HANGING,
    *LOOP,
    *HOSTS,
    *WORKSPACES,
    *MEMORY,
    *SQLITE,
    *POSTGRES,
    *WHATIF,
    *SIZING,
    *TESTING,
)

__all__ = ["MUTANTS", "Mutant"]
