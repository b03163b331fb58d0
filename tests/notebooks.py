"""Runs the notebooks of the documentation and keeps what they show: `python tests/notebooks.py` writes it into them.

- A cell's output is what it prints, and what its last expression would show of itself in a notebook: a chart as a
  picture, anything else as HTML if it has that, else as its repr.
- Nothing of Jupyter is needed: a notebook is JSON, and its cells are Python.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))

Output = dict[str, Any]


def read_notebook(path: Path) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def list_code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run_notebook(path: Path) -> list[list[Output]]:
    """The outputs of each cell of code, run in order in one namespace, where Jupyter starts a notebook: beside it."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with change_directory(path.parent):  # contextlib has it from Python 3.11 on
        return [run_cell("".join(cell["source"]), namespace) for cell in list_code_cells(read_notebook(path))]


def run_cell(source: str, namespace: dict[str, Any]) -> list[Output]:
    body = ast.parse(source).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(ast.Module(body=body, type_ignores=[]), "<cell>", "exec"), namespace)  # noqa: S102
        expression = ast.Expression(body=last.value) if isinstance(last, ast.Expr) else None
        value = eval(compile(expression, "<cell>", "eval"), namespace) if expression else None  # noqa: S307
    text = printed.getvalue()
    stream = [{"name": "stdout", "output_type": "stream", "text": text.splitlines(keepends=True)}] if text else []
    return [*stream, *([make_result(value)] if value is not None else [])]


def make_result(value: Any) -> Output:
    return {"data": show(value), "execution_count": None, "metadata": {}, "output_type": "execute_result"}


def show(value: Any) -> dict[str, str]:
    """The value as a notebook shows it."""
    if hasattr(value, "_repr_mimebundle_"):
        return {**value._repr_mimebundle_(), "text/plain": "a chart"}
    html = getattr(value, "_repr_html_", None)
    return {"text/plain": repr(value)} | ({"text/html": html()} if html else {})


@contextlib.contextmanager
def change_directory(path: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)


def write_outputs(path: Path) -> None:
    """Keep in a notebook what its cells show now."""
    notebook = read_notebook(path)
    for cell, outputs in zip(list_code_cells(notebook), run_notebook(path), strict=True):
        cell["outputs"] = outputs
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for notebook_path in NOTEBOOKS:
        write_outputs(notebook_path)
