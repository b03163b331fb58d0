"""JSON text, read strictly: a key that an object has twice is an error, and so are NaN and Infinity."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NoReturn

from prebuilds.errors import InvalidSnapshotError, show

Source = str | os.PathLike[str] | IO[str] | IO[bytes] | Mapping[str, Any]


def read_json(source: Source) -> Any:
    """The JSON value in a path or an open file; a mapping is returned as it is.

    Raises `OSError` for a path that cannot be read, and `InvalidSnapshotError` for anything that is not JSON.
    """
    if isinstance(source, Mapping):
        return source
    try:
        return _parse(_read(source))
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 text: byte {error.start} is {error.object[error.start]!r}"
    except json.JSONDecodeError as error:
        problem = f"not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
    except ValueError as error:
        problem = f"not JSON: {error}"
    except RecursionError:
        problem = "not read: nested too deeply"
    raise InvalidSnapshotError((f"document: {problem}",))


def _read(source: str | os.PathLike[str] | IO[str] | IO[bytes]) -> str | bytes:
    if isinstance(source, (str, os.PathLike)):
        return Path(source).read_bytes()
    if not hasattr(source, "read"):
        raise ValueError(f"{show(source)} is neither a path, nor an open file, nor a dict")
    return source.read()


def _parse(content: str | bytes) -> Any:
    text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
    if not text.strip():
        raise ValueError("the document is empty")
    return json.loads(text, object_pairs_hook=_make_object, parse_constant=_refuse_constant)


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        whose = f" (its id is {show(keys['id'])})" if "id" in keys else ""
        raise ValueError(f"an object has the key {show(twice)} twice{whose}")
    return keys


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
