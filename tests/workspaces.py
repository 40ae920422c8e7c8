"""Small project folders, and the workspace over them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from making import write_manifest, write_notebook

from nbflow.settings import Settings
from nbflow.workspace import FolderWorkspace

ONE = "name: {name}\ntasks:\n  a: {{notebook: a.ipynb}}\n"
CHAIN = """\
name: chain
tasks:
  a: {notebook: a.ipynb}
  b: {notebook: b.ipynb, depends_on: a}
  c: {notebook: c.ipynb, depends_on: b, kernel: other}
"""


def workspace(project: Path, **settings: Any) -> FolderWorkspace:
    return FolderWorkspace(project, Settings(**settings), kernels={"python3", "other"})


def one(folder: Path, name: str) -> Path:
    """A pipeline of one task."""
    write_notebook(folder / "a.ipynb", "print(1)")
    return write_manifest(folder, ONE.format(name=name))


def chain(folder: Path) -> Path:
    for name in "abc":
        write_notebook(folder / f"{name}.ipynb", f"print('{name}')", parameters="day = 'today'" if name == "a" else "")
    return write_manifest(folder, CHAIN)
