"""When the loop looks at each preset: at events, at instants that its passes foresee, and when it is told to."""

from __future__ import annotations
