"""Where the manifests of a project are. Looks at names only; reads no file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

MANIFEST = "pipeline.yaml"
_NEVER = frozenset({"__pycache__", "node_modules"})
_MARKS = ("nbflow.toml", "pyvenv.cfg")
"""What makes a folder somebody else's: a project of its own, a virtual environment."""


def find_manifests(folders: Iterable[Path], skip: Path) -> Iterator[Path]:
    """Every pipeline.yaml in and below the folders, each once, always in the same order.

    Passed over are hidden folders, `skip`, other projects, links to folders, and what may not be read. A folder that
    is itself among `folders` is searched whatever it is.
    """
    seen: set[Path] = set()
    for top in folders:
        for name, inside, files in os.walk(top):
            folder = Path(name)
            inside[:] = sorted(each for each in inside if not _is_passed_over(folder / each, skip))
            if MANIFEST in files and folder not in seen:
                seen.add(folder)
                yield folder / MANIFEST


def _is_passed_over(folder: Path, skip: Path) -> bool:
    is_named_so = folder.name.startswith(".") or folder.name in _NEVER or folder == skip
    return is_named_so or any((folder / mark).exists() for mark in _MARKS)
