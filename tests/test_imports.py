"""Imports point one way, the public names are what `__all__` says, and importing the library loads little."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import prebuilds
from prebuilds import errors

PACKAGE = Path(prebuilds.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# What a part of the package may import of the package, and which third-party packages.
ALLOWED: dict[str, tuple[set[str], set[str]]] = {
    "decision": ({"decision", "errors", "renames"}, {"attrs", "typing_extensions"}),
    "runtime": ({"decision", "errors", "renames", "runtime"}, {"attrs", "typing_extensions"}),
    "adapters": ({"adapters", "decision", "errors", "renames", "runtime"}, {"attrs", "typing_extensions"}),
    "testing": ({"decision", "errors", "renames", "runtime", "testing"}, {"attrs", "hypothesis", "typing_extensions"}),
    "whatif": ({"decision", "errors", "renames", "whatif"}, {"altair", "attrs", "pandas", "rich"}),
    "commands": (
        {"adapters", "commands", "decision", "errors", "runtime", "whatif"},
        {"attrs", "prometheus_client", "rich", "vl_convert"},
    ),
    "lint": ({"commands", "lint"}, set()),
    "cli": ({"commands", "errors", "version"}, set()),
    "errors": ({"errors"}, set()),
    "renames": (set(), set()),
    "__main__": ({"cli"}, set()),
    "__init__": ({"decision", "errors", "import_interrupts", "version"}, set()),
    "version": (set(), set()),
    "import_interrupts": (set(), set()),
}
# The exceptions: documents are read and written with cattrs, by modules that are imported when they are needed, metrics
# are made with prometheus-client, by functions that import it, and an adapter uses the driver of its database.
EXCEPTIONS = {
    "decision/documents/converter.py": {"cattrs"},
    "decision/documents/problems.py": {"cattrs"},
    "decision/documents/field_names.py": {"cattrs"},
    "adapters/postgres": {"psycopg", "psycopg_pool"},
    "runtime/metrics/exposition.py": {"prometheus_client"},
    "runtime/metrics/collector.py": {"prometheus_client"},
}
# Which rooms of its part a room may import. What stands beside the rooms, and in none, may import every one.
ROOMS: dict[str, dict[str, set[str]]] = {
    "whatif": {
        "traces": set(),
        "views": set(),
        "sizing": {"traces", "views"},
        "simulation": {"traces", "views"},
        "targets": {"traces", "views", "sizing"},
        "recommendation": {"traces", "views", "sizing", "targets"},
    },
    "decision": {"schedules": set(), "demand": {"schedules"}},
    "runtime": {
        "ports": set(),
        "row_transactions": {"ports"},
        "publishing": {"ports"},
        "loop": {"ports", "publishing"},
        "metrics": {"loop", "ports"},
    },
    "testing": {"strategies": set(), "contracts": {"strategies"}, "faults": set()},
    "adapters": {"memory": set(), "postgres": set(), "sqlite": set()},
    "commands": {"console": set(), "fleet": {"console"}},
}


def list_imports(path: Path) -> list[str]:
    """The dotted names of all modules that a module imports, wherever in it and under whatever condition."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            children = {f"{node.module}.{alias.name}" for alias in node.names}
            names.update({str(node.module)} | {child for child in children if find_module(child)})
    return sorted(names)


def find_module(name: str) -> Path | None:
    """The file of a module, if it is one of this package."""
    base = PACKAGE.parent.joinpath(*name.split("."))
    files = [path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()]
    return files[0] if files and name.startswith("prebuilds") else None


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_one_way(path: Path) -> None:
    """The decision imports attrs, typing_extensions and the standard library; each other part what it is allowed."""
    place = path.relative_to(PACKAGE).as_posix()
    parts, packages = ALLOWED[place.partition("/")[0].removesuffix(".py")]
    for name in list_imports(path):
        top, _, rest = name.partition(".")
        if top == "prebuilds":
            assert rest.partition(".")[0] in parts, f"{place} imports {name}"
        elif top not in sys.stdlib_module_names:
            exceptions = [found for start, found in EXCEPTIONS.items() if place.startswith(start)]
            assert top in packages.union(*exceptions), f"{place} imports {name}"


@pytest.mark.parametrize(("part", "room"), [(part, room) for part, rooms in ROOMS.items() for room in rooms])
def test_a_room_imports_only_the_rooms_below_it(part: str, room: str) -> None:
    """No import runs up, and none between rooms that stand beside each other, as sizing and simulation do."""
    for path in sorted((PACKAGE / part / room).rglob("*.py")):
        for name in list_imports(path):
            other = name.removeprefix(f"prebuilds.{part}.").partition(".")[0]
            if name.startswith(f"prebuilds.{part}.") and (PACKAGE / part / other).is_dir():
                allowed = {room, *ROOMS[part][room]}
                assert other in allowed, f"{path.relative_to(PACKAGE)} imports {name}"


def test_a_room_has_no_more_modules_than_a_reader_takes_in() -> None:
    """Fourteen at most; and each says in its `__init__` what lives there."""
    for folder in sorted({path.parent for path in MODULES}):
        modules = [path for path in MODULES if path.parent == folder and path.name != "__init__.py"]
        assert len(modules) <= 14, f"{folder} has {len(modules)} modules"
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))), folder


def test_there_are_no_cycles() -> None:
    """No module imports, even within a function, what imports it in turn."""
    graph = {path: {found for name in list_imports(path) if (found := find_module(name))} for path in MODULES}
    done: set[Path] = set()
    while len(done) < len(graph):
        ready = {path for path in graph if path not in done and graph[path] - {path} <= done}
        assert ready, f"a cycle among {sorted(str(path) for path in graph.keys() - done)}"
        done |= ready


def test_importing_the_library_loads_no_extra() -> None:
    """Neither a third-party package but attrs and typing_extensions, nor the parts that need one."""
    code = "import sys; before = set(sys.modules); import prebuilds; print(*sorted(set(sys.modules) - before))"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, check=True, text=True, cwd=PACKAGE.parent).stdout.split()
    others = {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names)
    assert others <= {"attr", "attrs", "prebuilds", "typing_extensions"}
    assert not {
        name
        for name in loaded
        if name.startswith(
            ("prebuilds.testing", "prebuilds.cli", "prebuilds.decision.documents.converter", "prebuilds.whatif")
        )
    }


def test_the_public_names_are_sorted_and_there() -> None:
    """`__all__` has every name that the package defines for others, and each of them exists."""
    public = {
        name
        for name, value in vars(prebuilds).items()
        if not name.startswith("_") and getattr(value, "__module__", "").startswith("prebuilds")
    }
    assert prebuilds.__all__ == sorted(prebuilds.__all__)
    assert public == set(prebuilds.__all__)


def test_every_error_is_imported_from_one_place() -> None:
    """`prebuilds.errors` exports every error of its modules, and tracebacks name it and not the module."""
    defined = set()
    for path in sorted((PACKAGE / "errors").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        defined.update(node.name for node in tree.body if isinstance(node, ast.ClassDef))
    exported = {name: getattr(errors, name) for name in errors.__all__}
    assert defined == {name for name, value in exported.items() if isinstance(value, type)}
    assert {exported[name].__module__ for name in defined} == {"prebuilds.errors"}


def test_the_package_is_typed() -> None:
    """Type checkers read the annotations of an installed package only where this file is."""
    assert (PACKAGE / "py.typed").is_file()


def test_without_hypothesis_the_error_names_the_extra() -> None:
    """The kit for tests says how to install what it needs."""
    code = "import sys; sys.modules['hypothesis'] = None; import prebuilds.testing"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, check=False, text=True, cwd=PACKAGE.parent)
    assert done.returncode == 1
    assert "hypothesis is not installed; it comes with an extra: pip install 'prebuilds[testing]'" in done.stderr
