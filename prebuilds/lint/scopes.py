"""Scopes: the calls that a module, a function or a lambda makes when it runs, and the functions a name may stand for.

- A call belongs to the scope that makes it when it runs. A function's body runs when the function is called. Its
  decorators and defaults run when it is defined, in the outer scope, and so does a class body.
- A name stands for the functions and classes that its scope defines under it. Anything else bound to the name is
  ignored, as nothing is known of it.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class MadeCall(NamedTuple):
    """A call, the scope where its names are looked up, and the transaction around it, if any."""

    node: ast.Call
    scope: Scope
    transaction: ast.Call | None


class Scope:
    """A module, a class, a function or a lambda."""

    def __init__(self, node: ast.AST, parent: Scope | None = None) -> None:
        self.parent = parent
        self.is_class = isinstance(node, ast.ClassDef)
        self.bases = node.bases if isinstance(node, ast.ClassDef) else []
        self.names: defaultdict[str, list[Scope]] = defaultdict(list)
        self.outer_names: set[str] = set()
        self.calls: list[MadeCall] = []
        """The calls that it makes when it runs."""

    @property
    def runner(self) -> Scope:
        """The scope that runs this one: for a class body, the scope that defines the class."""
        return self.parent.runner if self.is_class and self.parent else self

    def bind(self, name: str, *values: Scope) -> None:
        """Record that a name is bound here, to these scopes or to something unknown."""
        self.names[name] += values

    def iterate_outwards(self) -> Iterator[Scope]:
        """This scope, the one around it, and so on up to the module."""
        scope: Scope | None = self
        while scope:
            yield scope
            scope = scope.parent

    @property
    def enclosing_class(self) -> Scope | None:
        """The class that `self` and `cls` mean here."""
        return next((scope for scope in self.iterate_outwards() if scope.is_class), None)

    def look_up(self, name: str) -> Sequence[Scope]:
        """The functions and classes that a name stands for here. A function does not see the names of its class."""
        for scope in self.iterate_outwards():
            is_seen = scope is self or not scope.is_class
            if is_seen and name in scope.names and name not in scope.outer_names:
                return scope.names[name]
        return ()

    def find_method(self, name: str) -> Sequence[Scope]:
        """The method of a class: its own, or that of its first base in the same module that has one."""
        classes: list[Scope] = [self]
        for cls in classes:
            if name in cls.names:
                return cls.names[name]
            classes += [base for base in cls.list_bases() if base not in classes]
        return ()

    def list_bases(self) -> Sequence[Scope]:
        """The base classes in the same module."""
        names = [base.id for base in self.bases if isinstance(base, ast.Name)]
        return [found for name in names if self.parent for found in self.parent.look_up(name) if found.is_class]


class Module:
    """A module, read into scopes."""

    def __init__(self, tree: ast.AST) -> None:
        self.scopes = [Scope(tree)]
        self._lambdas: dict[ast.Lambda, Scope] = {}
        # A stack instead of recursion, as a module may nest deeper than Python's recursion limit.
        self._stack: list[tuple[ast.AST, Scope, ast.Call | None]] = []
        self._push(ast.iter_child_nodes(tree), self.scopes[0], None)
        while self._stack:
            self._visit(*self._stack.pop())

    def resolve(self, call: MadeCall) -> Sequence[Scope]:
        """The functions of this module that a call may run."""
        function, scope = call.node.func, call.scope
        found: Sequence[Scope] = ()
        if isinstance(function, ast.Lambda):
            found = [self._lambdas[function]]
        elif isinstance(function, ast.Name):
            found = scope.look_up(function.id)
        elif isinstance(function, ast.Attribute):
            owners = _list_owners(function.value, scope)
            found = [method for owner in owners if owner.is_class for method in owner.find_method(function.attr)]
        return [run for each in found for run in (each.find_method("__init__") if each.is_class else [each])]

    def _push(self, nodes: Iterable[ast.AST], scope: Scope, transaction: ast.Call | None) -> None:
        self._stack += [(node, scope, transaction) for node in reversed(list(nodes))]

    def _visit(self, node: ast.AST, scope: Scope, transaction: ast.Call | None) -> None:
        _bind(node, scope)
        if isinstance(node, (*_FUNCTIONS, ast.Lambda)):
            self._visit_function(node, scope, transaction)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            self._visit_with(node, scope, transaction)
        elif isinstance(node, ast.ClassDef):
            inner = self._open(node, scope, node.name)
            self._push(node.body, inner, transaction)
            self._push([*node.decorator_list, *node.bases, *node.keywords], scope, transaction)
        else:
            if isinstance(node, ast.Call):
                scope.runner.calls.append(MadeCall(node, scope, transaction))
            self._name_lambda(node, scope)
            self._push(ast.iter_child_nodes(node), scope, transaction)

    def _visit_function(self, node: _Function, scope: Scope, transaction: ast.Call | None) -> None:
        if isinstance(node, ast.Lambda):
            inner = self._lambdas.get(node) or self._open(node, scope)
            self._lambdas[node] = inner
            self._push([node.body], inner, None)
            outside: tuple[ast.AST, ...] = ()
        else:
            inner = self._open(node, scope, node.name)
            self._push(node.body, inner, None)
            outside = (*node.decorator_list, *filter(None, [node.returns]))
        arguments = node.args
        for argument in ast.iter_child_nodes(arguments):
            if isinstance(argument, ast.arg):
                inner.bind(argument.arg)
        self._push([*outside, *arguments.defaults, *filter(None, arguments.kw_defaults)], scope, transaction)

    def _visit_with(self, node: ast.With | ast.AsyncWith, scope: Scope, transaction: ast.Call | None) -> None:
        """Items are entered one by one, so those after a transaction are inside it."""
        parts: list[tuple[ast.AST, Scope, ast.Call | None]] = []
        for item in node.items:
            parts.append((item.context_expr, scope, transaction))
            transaction = _find_transaction(item.context_expr) or transaction
            parts += [(target, scope, transaction) for target in [item.optional_vars] if target]
        parts += [(statement, scope, transaction) for statement in node.body]
        self._stack += reversed(parts)

    def _name_lambda(self, node: ast.AST, scope: Scope) -> None:
        """Bind the names that a lambda is assigned to."""
        if not isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) or not isinstance(node.value, ast.Lambda):
            return
        self._lambdas[node.value] = inner = self._open(node.value, scope)
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name):
                scope.bind(target.id, inner)

    def _open(self, node: ast.AST, parent: Scope, name: str | None = None) -> Scope:
        scope = Scope(node, parent)
        self.scopes.append(scope)
        if name is not None:
            parent.bind(name, scope)
        return scope


def get_last_name(call: ast.Call) -> str | None:
    """The name that is called, or the last part of a dotted name."""
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else None


def _find_transaction(entered: ast.expr) -> ast.Call | None:
    """The call that begins a transaction, if the `with` enters one."""
    while isinstance(entered, (ast.Await, ast.NamedExpr)):
        entered = entered.value
    return entered if isinstance(entered, ast.Call) and get_last_name(entered) == "transaction" else None


def _list_owners(value: ast.expr, scope: Scope) -> Sequence[Scope]:
    """The classes that the left side of a dot may stand for."""
    own = scope.enclosing_class
    if isinstance(value, ast.Name):
        return [own] if own and value.id in ("self", "cls") else scope.look_up(value.id)
    is_super = isinstance(value, ast.Call) and get_last_name(value) == "super"
    return own.list_bases() if own and is_super else ()


def _bind(node: ast.AST, scope: Scope) -> None:
    """Record the names that a node binds to something other than a function or a class of this module."""
    names: list[str | None] = []
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        names = [node.id]
    elif isinstance(node, ast.alias):
        names = [node.asname or node.name.partition(".")[0]]
    elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
        names = [node.name]
    elif isinstance(node, ast.MatchMapping):
        names = [node.rest]
    elif isinstance(node, (ast.Global, ast.Nonlocal)):
        scope.outer_names.update(node.names)
    for name in filter(None, names):
        scope.bind(name)
