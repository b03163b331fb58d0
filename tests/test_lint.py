"""The linter finds calls that publish inside a transaction, and nothing else."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prebuilds.lint import CODE, Finding, PublishChecker, find_publishing
from prebuilds.lint.command import main
from prebuilds.lint.files import check_file

ROOT = Path(__file__).parent.parent
MARK = "# found"

# In each snippet the lines that must be found are marked.
SNIPPETS = {
    "in the block": """
        with store.transaction() as tx:
            pubsub.publish(message)  # found
        pubsub.publish(message)
        """,
    "a bare name": """
        with transaction():
            publish(message)  # found
        """,
    "without a name for the transaction, deep in a dotted one": """
        with self.host.store.transaction(isolation=READ):
            self.host.pubsub.publish(message)  # found
        """,
    "a batch, a relay and a queue": """
        with store.transaction():
            pubsub.publish_all(messages)  # found
            relay.flush()  # found
            self.queue.send(messages)  # found
            OutboxRelay(store, pubsub).flush()  # found
        relay.flush(), queue.send(messages)
        """,
    "a helper that flushes or sends": """
        def tell():
            relay.flush()
        async def ask():
            await queue.send(messages)
        with store.transaction():
            tell(), ask()  # found  # found
        """,
    "a flush or send of the module's own, by what it does": """
        class Mail:
            def send(self):
                self.flush()
                with store.transaction():
                    self.send(), self.flush()
            def flush(self):
                self.lines.clear()
        class Relay:
            def flush(self):
                self.pubsub.publish(message)
            def work(self):
                with store.transaction():
                    self.flush()  # found
        def send(message):
            return message
        with store.transaction():
            send(message)
            Mail.flush(mail)
        """,
    "of other names": """
        with store.transactions(), transaction, transaction.atomic(), get(store.transaction):
            pubsub.publish(message)
        with store.transaction():
            pubsub.publish_on_commit(message)
            tx.publish_on_commit(message)
            publisher(message)
            pubsub.publish
            relay.flush, queue.send
            tx.send_mail(), relay.flush_quietly(), publish_everything()
        """,
    "async": """
        async def work():
            async with connection.transaction() as tx:
                await pubsub.publish(message)  # found
            async with await pool.transaction():
                await pubsub.publish(message)  # found
        """,
    "several items, in the order in which they are entered": """
        with lock(pubsub.publish(a)), store.transaction(pubsub.publish(b)) as tx, open(pubsub.publish(c)):  # found
            pass
        with lock, store.transaction(), other:
            pubsub.publish(message)  # found
        """,
    "parenthesised items": """
        with (
            lock,
            store.transaction() as tx,
        ):
            pubsub.publish(message)  # found
        """,
    "a walrus": """
        with (begun := store.transaction()):
            pubsub.publish(message)  # found
        """,
    "whatever stands around it": """
        with store.transaction() as tx:
            for row in rows:
                if row:
                    try:
                        tx.write(row)
                    except Exception:
                        pubsub.publish(message)  # found
                    else:
                        result = [1, pubsub.publish(message)]  # found
                    finally:
                        return pubsub.publish(message) or None  # found
                while pubsub.publish(message):  # found
                    match pubsub.publish(message):  # found
                        case 1 if pubsub.publish(message):  # found
                            pass
        """,
    "nested transactions tell once": """
        with store.transaction():
            with other.transaction():
                pubsub.publish(message)  # found
            with tx.nested():
                pubsub.publish(message)  # found
        """,
    "two on a line": """
        with store.transaction():
            pubsub.publish(a); pubsub.publish(b)  # found  # found
        """,
    "a call over several lines is found where it begins": """
        with store.transaction():
            (
                pubsub  # found
                .publish(
                    message
                )
            )
        """,
    "a function that is defined and not called": """
        with store.transaction():
            def later():
                pubsub.publish(message)
            run_later(later)
            on_commit(lambda: pubsub.publish(message))
            on_commit(pubsub.publish, message)
            on_commit(partial(pubsub.publish, message))
            class Later:
                def work(self):
                    pubsub.publish(message)
        """,
    "a nested function that is called": """
        with store.transaction():
            def now():
                pubsub.publish(message)
            now()  # found
        now()
        """,
    "a lambda that is called": """
        with store.transaction():
            (lambda: pubsub.publish(message))()  # found
            now = lambda: pubsub.publish(message)
            typed: Callable = lambda: pubsub.publish(message)
            now()  # found
            typed()  # found
            (named := lambda: pubsub.publish(message))
            named()  # found
            unknown()
        """,
    "comprehensions": """
        with store.transaction():
            [pubsub.publish(message) for message in messages]  # found
            {pubsub.publish(message) for message in messages}  # found
            {message: pubsub.publish(message) for message in messages}  # found
            any(pubsub.publish(message) for message in messages)  # found
            [1 for message in pubsub.publish(messages)]  # found
        """,
    "what is done when a function is defined": """
        with store.transaction():
            def work(given=pubsub.publish(message), *, named=pubsub.publish(message)):  # found  # found
                pass
            @decorate(pubsub.publish(message))  # found
            def work() -> None:
                pass
            lambda given=pubsub.publish(message): given  # found
            @decorate(pubsub.publish(message))  # found
            class Body(make(pubsub.publish(message)), meta=pubsub.publish(message)):  # found  # found
                field = pubsub.publish(message)  # found
        """,
    "a class body is run by whoever defines the class": """
        def define():
            class Body:
                field = pubsub.publish(message)
        with store.transaction():
            define()  # found
        """,
    "a transaction within what is not called": """
        with store.transaction():
            def work():
                with store.transaction():
                    pubsub.publish(message)  # found
        """,
    "a helper, transitively, defined before or after": """
        def before():
            middle()
        def work():
            with store.transaction():
                before()  # found
                after()  # found
        async def middle():
            await end()
        def end():
            publish(message)
        def after():
            end()
        """,
    "helpers that call each other in circles": """
        def one():
            two()
        def two():
            three(), one()
        def three():
            one()
        def quiet():
            quiet()
        with store.transaction():
            one(), quiet()
        def four():
            five()
        def five():
            four(), pubsub.publish(message)
        with store.transaction():
            four()  # found
        """,
    "helpers that do not publish when called": """
        def make():
            def inner():
                pubsub.publish(message)
            return inner
        def define():
            return lambda: pubsub.publish(message)
        with store.transaction():
            make(), define()
        def run():
            def inner():
                pubsub.publish(message)
            inner()
        with store.transaction():
            run()  # found
        """,
    "methods by self, cls, super and class": """
        class Base:
            def tell(self):
                self.pubsub.publish(message)
            @classmethod
            def make(cls):
                cls.pubsub.publish(message)
        class Unrelated:
            def quiet(self):
                pubsub.publish(message)
        class Child(elsewhere.Mixin, Unknown, Base):
            def work(self):
                with self.store.transaction() as tx:
                    self.tell()  # found
                    self.quiet()
                    self.other.tell()
                    tx.tell()
                    Base.tell(self)  # found
                    (lambda: self.tell())()  # found
                    def inner():
                        self.tell()
                    inner()  # found
                tell()
            @classmethod
            def begin(cls):
                with cls.store.transaction():
                    cls.make()  # found
        class Quiet(Child):
            def tell(self):
                with self.store.transaction():
                    super().tell()  # found
                    super().work()  # found
                    self.tell()  # found
                    len(super().__dict__)
        class Circle(Circle):
            def work(self):
                with self.store.transaction():
                    self.tell()
        """,
    "a class that publishes when it is made": """
        class Loud:
            def __init__(self):
                pubsub.publish(message)
        class Quiet:
            def work(self):
                pubsub.publish(message)
        with store.transaction():
            Loud()  # found
            Quiet()
        """,
    "methods are no functions of the module": """
        class Teller:
            def tell(self):
                pubsub.publish(message)
            def work(self):
                with store.transaction():
                    tell()
        with store.transaction():
            tell()
        """,
    "names that mean something else here": """
        def tell():
            pubsub.publish(message)
        def given(tell):
            with store.transaction():
                tell()
        def assigned():
            tell = find()
            with store.transaction():
                tell()
        def imported():
            from elsewhere import tell
            with store.transaction():
                tell()
        def looped():
            for tell in tellers:
                with store.transaction() as tx:
                    tell()
        def matched(value):
            match value:
                case [*tell]:
                    with store.transaction():
                        tell()
                case {"a": 1, **tell}:
                    with store.transaction():
                        tell()
        def caught():
            try:
                pass
            except Exception as tell:
                with store.transaction():
                    tell()
        def inherited():
            with store.transaction():
                tell()  # found
        def declared():
            global tell
            with store.transaction():
                tell()  # found
            tell = None
        """,
    "one of several definitions is enough": """
        if fast:
            def tell():
                pass
        else:
            def tell():
                pubsub.publish(message)
        with store.transaction():
            tell()  # found
        """,
    "what is called can be anything": """
        with store.transaction():
            table[0](), (yield)(), "".join([]), make()(), make().publish(message)  # found
        """,
}


def check(source: str) -> Sequence[Finding]:
    return find_publishing(ast.parse(source), source.splitlines(keepends=True))


def list_marked(source: str) -> list[int]:
    """The line of every mark."""
    return [number for number, line in enumerate(source.splitlines(), 1) for _ in range(line.count(MARK))]


@pytest.mark.parametrize("snippet", SNIPPETS.values(), ids=SNIPPETS)
def test_the_marked_calls_are_found_and_no_others(snippet: str) -> None:
    """Each mark is a finding, and each finding points at a call on a marked line."""
    source = f"def outermost():\n{snippet}" if "yield" in snippet else dedent(snippet)
    findings = check(source)
    assert [finding.line for finding in findings] == list_marked(source)
    calls = {(node.lineno, node.col_offset) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)}
    assert {(finding.line, finding.column) for finding in findings} <= calls
    assert len(set(findings)) == len(findings)


def test_a_finding_says_what_happens_where() -> None:
    """The call, where it leads, the line of the transaction, and what to do instead."""
    source = dedent("""
        def tell():
            publish(message)
        with store.transaction():
            pubsub.publish(message)
            if True: tell(); (lambda: publish(message))()
            relay.flush()
        """)
    advice = "inside the transaction of line 4; hand the message to `publish_on_commit`"
    assert check(source) == [
        Finding(5, 4, f"PRB001 `publish` is called {advice}"),
        Finding(6, 13, f"PRB001 `tell` publishes, in line 3, {advice}"),
        Finding(6, 21, f"PRB001 a lambda publishes, in line 6, {advice}"),
        Finding(7, 4, f"PRB001 `flush` is called {advice}"),
    ]


def test_columns_count_characters() -> None:
    """Those of Python's syntax trees count bytes."""
    assert [finding.column for finding in check('with transaction():\n    "é😀", publish(message)\n')] == [10]


def test_deep_nesting_is_no_trouble() -> None:
    """Neither many blocks within one another nor long chains."""
    depth = 90
    source = "".join(f"{' ' * level}if {level}:\n" for level in range(depth))
    source += f"{' ' * depth}with a.transaction():\n{' ' * depth} publish({'+'.join('x' * 300)}{'.real' * 300})\n"
    assert [finding.line for finding in check(source)] == [depth + 2]


# Comments


@pytest.mark.parametrize(
    ("comment", "is_found"),
    [
        ("", True),
        ("# noqa", False),
        ("# NOQA", False),
        ("#noqa", False),
        ("# noqa: PRB001", False),
        ("# noqa:PRB001", False),
        ("# noqa: prb001", False),
        ("# noqa: PRB", False),  # what is no code is as none at all
        ("# noqa: PRB0", False),
        ("# noqa: E501, PRB001", False),
        ("# noqa: E501,PRB001", False),
        ("# noqa: E501 PRB001", False),
        ("# noqa: PRB001 - as a test shows it", False),
        ("# type: ignore  # noqa: PRB001", False),
        ("# noqa: E501", True),
        ("# noqa: PRB0012", True),
        ("# noqable", True),
        ("# see noqa", True),
        ("; '# noqa'", True),
    ],
)
def test_comments_silence_their_line(comment: str, is_found: bool, tmp_path: Path) -> None:
    """Without codes, or with this one among them."""
    path = tmp_path / "a.py"
    path.write_text(f"with transaction():\n    publish(message)  {comment}\n")
    assert [finding.line for finding in check_file(path)] == [2] * is_found


def test_a_comment_is_on_the_line_on_which_the_call_begins(tmp_path: Path) -> None:
    """Or on a line that a string or a backslash joins to it, as in flake8."""
    path = tmp_path / "a.py"
    path.write_text(
        dedent('''
        with transaction():
            publish(  # noqa: PRB001
                message
            )
            publish(
                message
            )  # noqa: PRB001
            publish("""
                text
            """)  # noqa: PRB001
            publish \\
                (message)  # noqa: PRB001
        ''')
    )
    assert [finding.line for finding in check_file(path)] == [6]


_STATEMENTS = ("publish(1)", "a.publish(publish(1))", "tell()", "self.x.publish('é')", "pass", "x = 'é', publish(1)")


@given(rows=st.lists(st.tuples(st.sampled_from(_STATEMENTS), st.booleans(), st.booleans())))
def test_findings_are_calls_within_transactions_on_lines_without_a_comment(
    rows: list[tuple[str, bool, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In any module: one finding for each call that publishes, at its first character; none where silenced."""
    lines = ["def tell(): publish(1)"]
    expected = []
    for statement, is_inside, is_silenced in rows:
        lines.append(f"{'with transaction(): ' if is_inside else 'if True: '}{statement}{'  # noqa' * is_silenced}")
        if is_inside and not is_silenced:
            expected += [len(lines)] * (statement.count("publish(") + statement.count("tell("))
    path = tmp_path_factory.getbasetemp() / "law.py"
    path.write_text("\n".join(lines), encoding="utf-8")
    findings = check_file(path)
    assert [finding.line for finding in findings] == expected
    for finding in findings:
        assert lines[finding.line - 1][finding.column :].startswith(("publish(", "a.publish(", "tell(", "self.x."))


# The command


LOUD = "with transaction():\n    publish(message)\n"
TEXT = "PRB001 `publish` is called inside the transaction of line 1; hand the message to `publish_on_commit`"


def make_tree(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(LOUD)


def test_directories_are_walked_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All Python files below, except hidden and installed ones. A file given by name is always checked, once."""
    looked_at = ("a.py", "b/a.py", "b/c/a.py", "z.py")
    passed_over = (".git/a.py", "b/.hidden/a.py", "env/lib/a.py", "conda/a.py", "node_modules/a.py", "a.txt")
    make_tree(tmp_path, *looked_at, *passed_over, "env/pyvenv.cfg", "conda/conda-meta/history")
    assert main([str(tmp_path), str(tmp_path / "b" / "a.py")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{tmp_path / name}:2:5: {TEXT}" for name in ("a.py", "z.py", "b/a.py", "b/c/a.py")]
    assert main([str(tmp_path / "a.txt"), str(tmp_path / ".git")]) == 1
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        str(tmp_path / "a.txt"),
        str(tmp_path / ".git/a.py"),
    ]


def test_what_cannot_be_checked_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each file, and the others are checked all the same; the exit status is 2."""
    make_tree(tmp_path, "loud.py")
    for name, content in {
        "a.py": b"def broken(:\n",
        "b.py": b"x = '\xff'\n",
        "c.py": b"# coding: nonsense\n",
        "d.py": b"x = 1\x00\n",
        "e.py": b"x = (\n",
        "f.py": b"(" * 100_000,
        "g.py": b"-" * 100_000 + b"1",
    }.items():
        (tmp_path / name).write_bytes(content)
    assert main([str(tmp_path), str(tmp_path / "none.py")]) == 2
    output = capsys.readouterr()
    assert output.out == f"{tmp_path / 'loud.py'}:2:5: {TEXT}\n"
    problems = [line.removeprefix(f"{tmp_path}/").partition(": ") for line in output.err.splitlines()]
    assert f"{tmp_path / 'e.py'}: not Python: line 1: '(' was never closed" in output.err
    assert [name for name, _, _ in problems] == ["a.py", "b.py", "c.py", "d.py", "e.py", "f.py", "g.py", "none.py"]
    assert all(problem.startswith(("not Python: ", "nested too deeply", "No such file")) for _, _, problem in problems)


def test_a_directory_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file was not checked, and that must not look like success."""

    def scandir(path: str) -> object:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"{tmp_path}: Permission denied\n"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"\xef\xbb\xbfwith transaction():\r\n    publish(1)\r\n", 2),
        (b"# coding: latin-1\nwith transaction():\n    '\xe9', publish(1)\n", 3),
        (b"with transaction():\r    publish(1)\r", 2),
        (b"with transaction():\n    '''\x0c''' '\\d'; publish(1)", 2),
        (b"", 0),
    ],
)
def test_files_are_read_as_python_reads_them(content: bytes, line: int, tmp_path: Path) -> None:
    """With their encoding and their line ends, and without warnings about anything else."""
    path = tmp_path / "a.py"
    path.write_bytes(content)
    assert [finding.line for finding in check_file(path)] == [line] * bool(line)


def run(*arguments: str) -> tuple[int, str, str]:
    command = [sys.executable, "-W", "error", "-m", *arguments]
    done = subprocess.run(command, capture_output=True, check=False, cwd=ROOT, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def test_a_wrong_call_is_reported() -> None:
    """With exit status 2 and how to call it."""
    status, output, problems = run("prebuilds.lint")
    assert (status, output) == (2, "")
    assert problems.startswith("usage: python -m prebuilds.lint [-h] PATH [PATH ...]\n")


def test_this_project_does_as_it_says() -> None:
    """Nothing is found in the package, its tests and its documentation."""
    assert run("prebuilds.lint", "prebuilds", "tests", "docs", "noxfile.py") == (0, "", "")


# The plugin


def test_the_plugin_gives_what_flake8_asks_for() -> None:
    """Line, column from 0, a text that begins with the code, and the class."""
    checker = PublishChecker(ast.parse(LOUD), "a.py", LOUD.splitlines(keepends=True))
    assert list(checker.run()) == [(2, 4, TEXT, PublishChecker)]
    assert TEXT.startswith(CODE)


def test_flake8_finds_the_same(tmp_path: Path) -> None:
    """By the entry point alone, and with its own reading of comments."""
    pytest.importorskip("flake8", reason="flake8 is not installed")
    for number, snippet in enumerate(SNIPPETS.values()):
        if "yield" not in snippet:
            (tmp_path / f"s{number:02}.py").write_text(dedent(snippet).replace("  # found", "  # noqa: PRB001", 1))
    (tmp_path / "multiline.py").write_text('with transaction():\n publish("""\n""")  # noqa\n publish(\n)  # noqa\n')
    status, output, problems = run("flake8", "--isolated", "--select=PRB", "-j1", str(tmp_path))
    own_status, own_output, _ = run("prebuilds.lint", str(tmp_path))
    assert (status, output, problems) == (own_status, own_output, "")
    assert "multiline.py:4:2: PRB001 `publish` is called" in output
