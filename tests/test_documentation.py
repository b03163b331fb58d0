"""What the documentation shows is what the code does, and what it points at exists.

- Every fenced block is run, parsed, left to Sphinx, or shown for its own sake; a block of any other kind is an error.
- No code is shown for its own sake: that of a web framework runs against the framework.
- The blocks of one file run in order, the Python ones in one namespace, in what looks like the top of the repository.
- Output is compared exactly, but for white space at the end of a line and blank lines at the end of a block.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import json
import os
import re
import shlex
import subprocess
import sys
import traceback
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from prebuilds import errors

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)
FILES = [*ROOT.glob("README.md"), *PAGES]
PARTS = ("decide", "run", "foresee", "prove")
KINDS = ["Tutorial", "Guide", "Reference"]
SHOWN_LANGUAGES = ("text",)
SPHINX_DIRECTIVES = ("{eval-rst}", "{image}", "{toctree}")
RUN_COMMANDS = ("python -m prebuilds ", "python -m prebuilds.lint ")
SHOWN_COMMANDS = ("pip install ", "python3 -m venv .venv && ", "nox -s ")  # shown without output, and not run

_BLOCK = re.compile(r"^```(?P<language>\S*)[^\n]*\n(?P<code>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^[ \t>]*(?:```|~~~)", re.MULTILINE)
_COMMAND = re.compile(r"^\$ (?P<command>.+)\n(?P<output>(?:(?!\$ ).*\n)*)", re.MULTILINE)
_LINK = re.compile(r"\]\((?P<inline>[^)\s]+)[^)]*\)|^\[[^\]]+\]: *(?P<reference>\S+)", re.MULTILINE)
_TEST = re.compile(r"^ *(?:async )?def (test_\w+)\(", re.MULTILINE)
_ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_IS_REMOTE = re.compile(r"[a-z]+:|#")

Namespace = dict[str, Any]
Ids = dict[str, str]  # those that a page shows, with those that were made in their places


class Block(NamedTuple):
    """A fenced block: its language, its text, and the line of the file on which the text begins."""

    path: Path
    line: int
    language: str
    code: str

    def locate(self, line: int) -> str:
        return f"{self.path.relative_to(ROOT).as_posix()}:{line}"


@pytest.mark.filterwarnings("ignore:Using `httpx` with")  # of Starlette's client, where a newer one could be installed
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_block_does_what_it_shows(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Code runs, sessions and commands print what stands below them, and JSON parses."""
    if "DATABASE_URL" in path.read_text(encoding="utf-8"):
        monkeypatch.setenv("DATABASE_URL", request.getfixturevalue("database").make_dsn())
    for entry in ROOT.iterdir():
        (tmp_path / entry.name).symlink_to(entry)
    monkeypatch.chdir(tmp_path)  # which looks like the top of the repository, and keeps what the examples leave behind
    page = ModuleType("__main__")  # as a script has one, so that what is asked for by its name is found
    monkeypatch.setitem(sys.modules, "__main__", page)
    ids: Ids = {}
    for block in list_blocks(path):
        check_block(block, vars(page), ids)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_relative_link_points_at_a_file(path: Path) -> None:
    """A link that is no address on the web leads to a file of the repository."""
    prose = _BLOCK.sub("", path.read_text(encoding="utf-8"))
    links = [match["inline"] or match["reference"] for match in _LINK.finditer(prose)]
    relative = [link for link in links if not _IS_REMOTE.match(link)]
    assert [link for link in relative if not (path.parent / link.partition("#")[0]).is_file()] == []


@pytest.mark.parametrize("part", PARTS)
def test_each_part_leads_to_its_tutorial_guides_and_reference(part: str) -> None:
    """Its index has a heading for each kind, and below them every page of its folder once."""
    folder = ROOT / "docs" / part
    index = (folder / "index.md").read_text(encoding="utf-8")
    assert [kind.rstrip("s") for kind in re.findall(r"^## (\w+)$", index, re.MULTILINE)] == KINDS
    linked = [match["inline"] for match in _LINK.finditer(index) if "/" not in match["inline"]]
    assert sorted(linked) == sorted(path.name for path in folder.glob("*.md") if path.name != "index.md")


def test_every_test_that_the_departures_name_exists() -> None:
    """A departure from the original is held by a test, under the name that the page gives."""
    page = (ROOT / "docs" / "departures.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    defined = {name for path in (ROOT / "tests").rglob("*.py") for name in _TEST.findall(path.read_text("utf-8"))}
    assert sorted(named - defined) == []


REFERENCES = {
    "prebuilds": ("api.md", "decide/api.md"),
    "prebuilds.adapters.memory": ("run/api.md",),
    "prebuilds.adapters.postgres": ("run/api.md",),
    "prebuilds.adapters.sqlite": ("run/api.md",),
    "prebuilds.runtime": ("run/api.md",),
    "prebuilds.testing": ("prove/api.md",),
    "prebuilds.whatif": ("foresee/api.md",),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_the_reference_of_each_part_has_every_public_name(name: str) -> None:
    """It documents what a package exports and nothing else, each name once, and no other page documents any of it."""
    documented = find_directives(rf"auto\w+:: {re.escape(name)}\.(\w+)")
    modules = {"ports", "strategies"}  # documented as wholes
    assert sorted({found for found, _ in documented} - modules) == sorted(importlib.import_module(name).__all__)
    assert len({found for found, _ in documented}) == len(documented)
    assert {page for _, page in documented} <= set(REFERENCES[name])


def test_the_references_have_every_error() -> None:
    """Every error that is raised on purpose is documented once."""
    documented = find_directives(r"autoexception:: prebuilds(?:\.errors)?\.(\w+)")
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.PrebuildsError)
    ]
    assert sorted(found for found, _ in documented) == sorted(kind.__name__ for kind in kinds)


def find_directives(pattern: str) -> list[tuple[str, str]]:
    """What the directives of all pages document, each with its page."""
    directive = re.compile(rf"^\.\. {pattern}$", re.MULTILINE)
    return [
        (name, page.relative_to(ROOT / "docs").as_posix())
        for page in PAGES
        for name in directive.findall(page.read_text(encoding="utf-8"))
    ]


def list_blocks(path: Path) -> list[Block]:
    text = path.read_text(encoding="utf-8")
    blocks = [
        Block(path, text.count("\n", 0, match.start("code")) + 1, match["language"], match["code"])
        for match in _BLOCK.finditer(text)
    ]
    assert len(_FENCE.findall(text)) == 2 * len(blocks), f"{path}: a fence is indented, of tildes, or not closed"
    return blocks


def check_block(block: Block, namespace: Namespace, ids: Ids) -> None:
    if block.language == "python":
        run_code(block, namespace)
    elif block.language == "pycon":
        run_session(block, namespace)
    elif block.language == "console":
        run_commands(block, ids)
    elif block.language == "json":
        parse_json(block)
    elif block.language == "toml":
        parse_toml(block)
    else:
        assert not is_code(block.code), f"{block.locate(block.line)}: code that is shown and not run"
        known = block.language in (*SHOWN_LANGUAGES, *SPHINX_DIRECTIVES)
        assert known, f"{block.locate(block.line)}: no rule for a block of the language {block.language!r}"


def run_code(block: Block, namespace: Namespace) -> None:
    try:
        padded = "\n" * (block.line - 1) + block.code  # so that a traceback has the lines of the file
        exec(compile(padded, str(block.path), "exec", dont_inherit=True), namespace)  # noqa: S102
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(block.path) and frame.lineno]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1]
        raise AssertionError(f"{block.locate(line or block.line)}: {error!r}") from error


def run_session(block: Block, namespace: Namespace) -> None:
    name = block.locate(block.line)
    session = doctest.DocTestParser().get_doctest(block.code, {}, name, str(block.path), block.line - 1)
    assert session.examples, f"{name}: a pycon block without `>>>`"
    session.globs = namespace
    report: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.DONT_ACCEPT_TRUE_FOR_1)
    failed = runner.run(session, out=report.append, clear_globs=False).failed
    assert failed == 0, "".join(report)


def run_commands(block: Block, ids: Ids) -> None:
    commands = list(_COMMAND.finditer(block.code))
    unread = block.locate(block.line)
    assert "".join(match.group() for match in commands) == block.code, f"{unread}: a block must begin with `$ `"
    for match in commands:
        place = block.locate(block.line + block.code.count("\n", 0, match.start()))
        run_command(place, match["command"], strip_lines(match["output"]), ids)


def run_command(place: str, command: str, expected: str, ids: Ids) -> None:
    if command.startswith(RUN_COMMANDS):
        printed = run_python(replace_ids(command.removeprefix("python "), ids))
        for shown, made in zip(_ID.findall(expected), _ID.findall(printed), strict=False):
            ids.setdefault(shown, made)
        assert printed == replace_ids(expected, ids), f"{place}: `{command}`"
    else:
        assert command.startswith(SHOWN_COMMANDS), f"{place}: `{command}` is neither run nor among those shown"
        assert expected == "", f"{place}: `{command}` is not run, so its output cannot be checked"


def replace_ids(text: str, ids: Ids) -> str:
    """The text with the ids that were made, in the places of those that the page shows: they are random."""
    return _ID.sub(lambda match: ids.get(match[0], match[0]), text)


def run_python(arguments: str) -> str:
    """What the command writes, errors included, where no terminal and no wish for colours changes it."""
    settings = {"PYTHONIOENCODING": "utf-8", "COLUMNS": "80"}
    environment = {key: value for key, value in os.environ.items() if key not in ("FORCE_COLOR", "TTY_COMPATIBLE")}
    done = subprocess.run(
        [sys.executable, *shlex.split(arguments)],
        cwd=Path.cwd(),
        env=environment | settings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    return strip_lines(done.stdout)


def strip_lines(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).rstrip()


def parse_json(block: Block) -> None:
    try:
        json.loads(block.code)
    except json.JSONDecodeError as error:
        raise AssertionError(f"{block.locate(block.line + error.lineno - 1)}: {error.msg}") from error


def parse_toml(block: Block) -> None:
    if sys.version_info >= (3, 11):
        import tomllib

        tomllib.loads(block.code)


def is_code(text: str) -> bool:
    """Whether it reads as Python that does something."""
    try:
        nodes = ast.walk(ast.parse(text))
    except SyntaxError:
        return False
    return any(isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.Import, ast.Call, ast.Assign)) for node in nodes)


@pytest.mark.parametrize(
    ("text", "is_shown"),
    [
        ("class Command(BaseCommand):\n    pass\n", False),
        ("app = FastAPI(lifespan=lifespan)\n", False),
        ("170 points of a round in 15 small worlds.\n", True),
        ("groups:\n  - name: prebuilds\n", True),
        ("pools/web: full\n", True),
    ],
)
def test_no_code_is_exempt_from_running(text: str, is_shown: bool) -> None:
    """A block that is only shown has no Python in it."""
    block = Block(ROOT / "README.md", 1, "text", text)
    with nullcontext() if is_shown else pytest.raises(AssertionError, match=r"README\.md:1: code that is shown"):
        check_block(block, {}, {})
