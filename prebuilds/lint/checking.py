"""The rule PRB001: calls inside a transaction that publish.

- A finding is at the call inside the transaction, even if that leads to publishing elsewhere.
- Each call is found once, however many transactions are open around it.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from prebuilds.lint.scopes import MadeCall, Module, Scope, get_last_name

CODE = "PRB001"
_PUBLISHING = frozenset({"publish", "publish_all"})
_RELAYING = frozenset({"flush", "send"})  # of a relay or a queue: they publish waiting messages
_ADVICE = "hand the message to `publish_on_commit`"


class Finding(NamedTuple):
    """A finding: the line, counted from 1, the column, counted from 0, and the text."""

    line: int
    column: int
    text: str


def find_publishing(tree: ast.AST, lines: Sequence[str]) -> Sequence[Finding]:
    """Every call in a module that publishes inside a transaction, in order. `lines` is the source of `tree`."""
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
    """The functions that publish when run, directly or through others, each with a call that publishes."""
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
    """Whether a call publishes, by its name. The module's own `flush` or `send` is judged by its body instead."""
    name = get_last_name(call)
    return name in _PUBLISHING or (name in _RELAYING and not runs)


def _describe(call: MadeCall, runs: Sequence[Scope], publishers: Mapping[Scope, ast.Call]) -> Iterator[str]:
    """The text of the finding at a call, if there is one."""
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
    """The column in characters; the node has it in bytes."""
    return len(lines[node.lineno - 1].encode()[: node.col_offset].decode())
