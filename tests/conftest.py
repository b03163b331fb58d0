"""What all tests share: an instant, and Hypothesis without deadlines, as machines are slow and noisy."""

from __future__ import annotations

import os

from hypothesis import Phase, settings

settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile("thorough", deadline=None, print_blob=True, max_examples=2_000)
# For mutants, of which it is enough to know that they fail.
settings.register_profile("mutants", deadline=None, max_examples=60, phases=(Phase.explicit, Phase.generate))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
