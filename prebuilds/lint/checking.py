"""The rule PRB001: what publishes inside a transaction, in the module as it stands.

- A finding is at the call that is made inside the transaction, whatever it leads to.
- It is there once, however many transactions are open around the call.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from prebuilds.lint.scopes import MadeCall, Module, Scope, get_last_name

CODE = "PRB001"
_PUBLISHING = frozenset({"publish", "publish_all"})
_RELAYING = frozenset({"flush", "send"})  # of a relay or a queue, which publish what waits
_ADVICE = "hand the message to `publish_on_commit`"


class Finding(NamedTuple):
    """What was found: the line, counted from 1, the column in it, counted from 0, and what to say of it."""

    line: int
    column: int
    text: str


def find_publishing(tree: ast.AST, lines: Sequence[str]) -> Sequence[Finding]:
    """Every call of a module that publishes inside a transaction, in order. `lines` is the source that `tree` is of."""
    module = Module(tree)
    runs = {call.node: module.resolve(call) for scope in module.scopes for call in scope.calls}
    publishers = _find_publishers(module.scopes, runs)
    return sorted(
        Finding(call.node.lineno, _find_column(call.node, lines), f"{CODE} {text}")
        for scope in module.scopes
        for call in scope.calls
        for text in _describe(call, runs[call.node], publishers)
    )


_Runs = Mapping[ast.Call, Sequence[Scope]]


def _find_publishers(scopes: Sequence[Scope], runs: _Runs) -> Mapping[Scope, ast.Call]:
    """The functions that publish when they are run, by themselves or through others, each with a call that does it."""
    publishers: dict[Scope, ast.Call] = {}
    callers: defaultdict[Scope, list[Scope]] = defaultdict(list)
    for scope in scopes:
        for call in scope.calls:
            if _is_publish(call.node, runs[call.node]):
                publishers.setdefault(scope, call.node)
            for run in runs[call.node]:
                callers[run].append(scope)
    found = list(publishers)
    for scope in found:
        for caller in callers[scope]:
            if caller not in publishers:
                publishers[caller] = publishers[scope]
                found.append(caller)
    return publishers


def _is_publish(call: ast.Call, runs: Sequence[Scope]) -> bool:
    """Whether a call publishes by its name. A `flush` or `send` of the module's own is judged by what it does."""
    name = get_last_name(call)
    return name in _PUBLISHING or (name in _RELAYING and not runs)


def _describe(call: MadeCall, runs: Sequence[Scope], publishers: Mapping[Scope, ast.Call]) -> Iterator[str]:
    """What to say of a call, if anything."""
    if call.transaction is None:
        return
    where = f"inside the transaction of line {call.transaction.lineno}; {_ADVICE}"
    name = get_last_name(call.node)
    published = [publishers[run] for run in runs if run in publishers]
    if _is_publish(call.node, runs):
        yield f"`{name}` is called {where}"
    elif published:
        yield f"{f'`{name}`' if name else 'a lambda'} publishes, in line {published[0].lineno}, {where}"


def _find_column(node: ast.Call, lines: Sequence[str]) -> int:
    """The column in characters; that of a node is in bytes."""
    return len(lines[node.lineno - 1].encode()[: node.col_offset].decode())
