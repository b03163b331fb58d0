"""`budget list`, `budget set` and `budget remove`: the budgets of a store. Each pass of the loop reads them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from prebuilds.commands.console.options import add_command, read_count
from prebuilds.commands.console.streams import fail, write
from prebuilds.commands.console.tables import print_table
from prebuilds.commands.fleet.notes import LIMITS_IN_WORDS, describe_limits
from prebuilds.commands.fleet.stores import Access, add_store, open_store
from prebuilds.decision.documents import converter
from prebuilds.decision.fields import MAX_COUNT
from prebuilds.decision.policies.budgets import LIMITS, Budget, BudgetScope, name_budget
from prebuilds.runtime.clocks import SYSTEM_CLOCK
from prebuilds.runtime.controls import Controls

_HEADERS = ("budget", "starting", "creates per pass", "creates per minute", "instances")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = add_command(commands, "budget", "show or change the budgets of a store")
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_list(actions)
    _add_set(actions)
    _add_scope(_add(actions, "remove", _remove, "remove a budget, so that the loop is no longer bound by it"))


def _add(actions: Any, name: str, run: Callable[[argparse.Namespace], int], purpose: str) -> argparse.ArgumentParser:
    action = add_command(actions, name, purpose)
    action.set_defaults(run=run)
    add_store(action)
    return action


def _add_list(actions: Any) -> None:
    action = _add(actions, "list", _list, "show the budgets of a store")
    action.add_argument("--format", choices=tuple(_FORMATS), default="table", help="default: %(default)s")


def _add_set(actions: Any) -> None:
    action = _add(actions, "set", _set, "add a budget, or replace the one of the same scope with all its limits")
    _add_scope(action)
    for limit, what in LIMITS_IN_WORDS.items():
        least = int(limit == "max_creates_per_pass")
        action.add_argument(
            _name_option(limit), type=read_count(least, MAX_COUNT), metavar="N", help=f"the most {what}"
        )


def _name_option(limit: str) -> str:
    return f"--{limit.replace('_', '-')}"


def _add_scope(action: argparse.ArgumentParser) -> None:
    which = action.add_mutually_exclusive_group()
    which.add_argument("--organization", metavar="ID", help="of this organization's presets (default: of all presets)")
    which.add_argument("--template", metavar="ID", help="of this template's presets")


def _get_scope(options: argparse.Namespace) -> tuple[BudgetScope, str]:
    if options.template is not None:
        return BudgetScope.TEMPLATE, options.template
    return (BudgetScope.FLEET, "") if options.organization is None else (BudgetScope.ORGANIZATION, options.organization)


def _set(options: argparse.Namespace) -> int:
    limits = {limit: getattr(options, limit) for limit in LIMITS}
    if all(value is None for value in limits.values()):
        return fail(f"budget set needs a limit: {', '.join(map(_name_option, LIMITS))}")
    scope, key = _get_scope(options)
    budget = Budget(scope=scope, key=key, **limits)
    with open_store(options.store) as opened:
        Controls(opened.store, clock=SYSTEM_CLOCK, relay=opened.relay).set_budget(budget)
    return write(lambda: print(f"{budget.name}: {describe_limits(budget)}."))


def _remove(options: argparse.Namespace) -> int:
    scope, key = _get_scope(options)
    with open_store(options.store) as opened:
        has_removed = Controls(opened.store, clock=SYSTEM_CLOCK, relay=opened.relay).remove_budget(scope, key)
    if not has_removed:
        return fail(f"the store has no budget {name_budget(scope, key)}")
    return write(lambda: print(f"{name_budget(scope, key)}: removed."))


def _list(options: argparse.Namespace) -> int:
    with open_store(options.store, Access.READ) as opened:
        budgets = Controls(opened.store, clock=SYSTEM_CLOCK).list_budgets()
    return write(lambda: _FORMATS[options.format](budgets))


def _print_table(budgets: Sequence[Budget]) -> None:
    if not budgets:
        print("The store has no budgets.")
        return
    rows = [((budget.name, *map(_show, attrs.astuple(budget)[2:])), "") for budget in budgets]
    print_table(_HEADERS, rows, numbers=_HEADERS[1:])


def _show(limit: int | None) -> str:
    return "-" if limit is None else str(limit)


def _print_json(budgets: Sequence[Budget]) -> None:
    """As a file has them, so without the limits that a budget lacks."""
    written = [converter.write(budget).items() for budget in budgets]
    print(json.dumps([{key: value for key, value in items if value not in (None, "")} for items in written], indent=2))


_FORMATS: dict[str, Callable[[Sequence[Budget]], None]] = {"table": _print_table, "json": _print_json}
