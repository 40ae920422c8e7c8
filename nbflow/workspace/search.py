"""Where the manifests and notebooks of a project are. Looks at names only; reads no file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

MANIFEST = "pipeline.yaml"
MISNAMED = "pipeline.yml"
_NEVER = frozenset({"__pycache__", "node_modules"})
_MARKS = ("nbflow.toml", "pyvenv.cfg")
"""What makes a folder somebody else's: a project of its own, a virtual environment."""


def find_manifests(folders: Iterable[Path], skip: Path) -> Iterator[Path]:
    """Every pipeline.yaml in and below the folders, each once, always in the same order.

    Passed over are hidden folders, `skip`, other projects, links to folders, and what may not be read. A folder that
    is itself among `folders` is searched whatever it is.
    """
    return (path for path in find_meant(folders, skip) if path.name == MANIFEST)


def find_meant(folders: Iterable[Path], skip: Path) -> Iterator[Path]:
    """Manifests, and where a folder has none, the file that is meant as one by its name."""
    for folder, files in _walk(folders, skip):
        if name := next((each for each in (MANIFEST, MISNAMED) if each in files), ""):
            yield folder / name


def find_notebooks(folders: Iterable[Path], skip: Path) -> Iterator[Path]:
    """Every notebook in and below the folders, as manifests are found; hidden ones are passed over."""
    for folder, files in _walk(folders, skip):
        yield from (folder / each for each in sorted(files) if each.endswith(".ipynb") and not each.startswith("."))


def is_searched(folder: Path, folders: Iterable[Path], skip: Path) -> bool:
    """Whether a manifest in the folder would be found, once the folder is there."""
    return any(folder.is_relative_to(top) and not _is_behind(folder, top, skip) for top in folders)


def _is_behind(folder: Path, top: Path, skip: Path) -> bool:
    """Whether something between the two is passed over."""
    between = (each for each in (folder, *folder.parents) if each != top and each.is_relative_to(top))
    return any(_is_passed_over(each, skip) for each in between)


def _walk(folders: Iterable[Path], skip: Path) -> Iterator[tuple[Path, list[str]]]:
    seen: set[Path] = set()
    for top in folders:
        for name, inside, files in os.walk(top):
            folder = Path(name)
            inside[:] = sorted(each for each in inside if not _is_passed_over(folder / each, skip))
            if folder not in seen:
                seen.add(folder)
                yield folder, files


def _is_passed_over(folder: Path, skip: Path) -> bool:
    is_named_so = folder.name.startswith(".") or folder.name in _NEVER or folder == skip
    return is_named_so or any(os.path.exists(folder / mark) for mark in _MARKS)  # noqa: PTH110  # False where one may not look
