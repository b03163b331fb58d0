"""Comments that silence the linter, as flake8 reads them: `# noqa` for all codes, `# noqa: PRB001` for this one."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterator, Sequence

_COMMENT = re.compile(r"#\s*noqa(?::\s*(?P<codes>[A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*))?(?!\w)", re.IGNORECASE)


def find_silenced(lines: Sequence[str], code: str) -> frozenset[int]:
    """The lines, counted from 1, where comments silence this code.

    Lines joined by a string or a backslash are silenced together. Raises what `tokenize` raises.
    """
    return frozenset(_iterate_silenced(lines, code))


def _iterate_silenced(lines: Sequence[str], code: str) -> Iterator[int]:
    first, is_silenced = len(lines) + 1, False
    for token in tokenize.generate_tokens(iter(lines).__next__):
        if token.type in (tokenize.DEDENT, tokenize.ENDMARKER):
            continue
        first = min(first, token.start[0])
        is_silenced |= token.type == tokenize.COMMENT and _is_silencing(token.string, code)
        if token.type in (tokenize.NL, tokenize.NEWLINE):
            yield from range(first, token.end[0] + 1) if is_silenced else ()
            first, is_silenced = len(lines) + 1, False


def _is_silencing(comment: str, code: str) -> bool:
    match = _COMMENT.search(comment)
    if match is None:
        return False
    codes = match["codes"]
    return codes is None or code.startswith(tuple(re.split(r"[,\s]+", codes.upper())))
