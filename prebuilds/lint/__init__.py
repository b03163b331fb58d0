"""A linter that finds publishing inside a transaction (PRB001): `python -m prebuilds.lint PATH...`, or a flake8 plugin.

- A transaction is a `with` or `async with` over a call whose last name is `transaction`.
- Publishing is a call whose last name is `publish`, `publish_all`, `flush` or `send`, or a call of a function or method
  of the same module that leads to such a call.
- A function that is only defined or passed on inside a transaction is fine.
"""

from prebuilds.lint.checking import CODE, Finding, find_publishing
from prebuilds.lint.plugin import PublishChecker

__all__ = ["CODE", "Finding", "PublishChecker", "find_publishing"]
