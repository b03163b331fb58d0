"""For the tests of those who use this library; needs the extra `testing`.

`prebuilds.testing.strategies` makes models for Hypothesis, so that a host can test its own decisions by property.
"""

from prebuilds.errors import MissingExtraError

try:
    import hypothesis as _hypothesis
except ImportError as error:
    raise MissingExtraError("hypothesis", "testing") from error
else:
    del _hypothesis
