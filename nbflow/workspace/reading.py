"""One manifest or notebook on disk as a Definition, checked against what exists around it."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from nbflow.errors import InvalidInput, NotFound, Problem
from nbflow.files import State, state_of
from nbflow.manifest import Surroundings, check
from nbflow.manifest.touching import Touches
from nbflow.notebooks.inspect import inspect, read, regular
from nbflow.notebooks.touches import touches
from nbflow.ports import Definition, Signature
from nbflow.settings import Settings
from nbflow.text import did_you_mean, fault, join_names
from nbflow.workspace.single import manifest_of

_log = logging.getLogger(__name__)

_NAME = re.compile(
    r"""^\ufeff?name[ \t]*:[ \t]*(?P<quote>["']?)(?P<name>[a-z][a-z0-9_]*)(?P=quote)(?=\s|$)""", re.MULTILINE
)


def text_of(manifest: Path) -> str:
    """The text of a manifest; empty where it cannot be read."""
    try:
        return regular(manifest).read_bytes().decode()  # as it is: read_text would change the ends of lines
    except (OSError, UnicodeDecodeError):
        return ""


def name_in(text: str) -> str:
    """The name that a manifest gives itself, seen without parsing it: also where something in it is wrong."""
    found = _NAME.search(text)
    return found["name"] if found else ""


class Reader:
    """Reads the definitions of one project. Signatures are kept as long as their file does not change."""

    def __init__(self, project: Path, settings: Settings, kernels: Collection[str]) -> None:
        self._project, self._settings, self._kernels = project, settings, kernels
        self._signatures: dict[Path, tuple[State | None, Signature]] = {}
        self._seen: set[Path] = set()

    @property
    def notebooks_seen(self) -> Sequence[Path]:
        """Every notebook that was asked for so far, missing ones too."""
        return sorted(self._seen)

    def manifests(self, paths: Sequence[Path], *, thorough: bool = False) -> list[Definition]:
        """A definition for each. Those that share a name are unusable, and say where the others are."""
        found = [self._manifest(path, thorough=thorough) for path in paths]
        named: dict[str, list[Path]] = {}
        for each in found:
            named.setdefault(each.name, []).append(each.path)
        return [self.refuse_twins(each, named[each.name]) for each in found]

    def notebook(self, path: Path, given: Collection[str] = ()) -> Definition:
        """A notebook alone, as a pipeline of one task that shall be given these parameters."""
        try:
            signature = self.signature(path)
        except InvalidInput:
            signature = None  # the check below says what is wrong
        definition = self.check(path, manifest_of(path, signature, given), thorough=False)
        # The manifest is our own: its lines would mean nothing to anybody.
        return replace(definition, problems=tuple(replace(each, line=1, column=1) for each in definition.problems))

    def signature(self, path: Path) -> Signature:
        """What a notebook asks for. Raises NotFound, and InvalidInput where it cannot be read."""
        self._seen.add(path)
        known, state = self._signatures.get(path), state_of(path)
        if known is None or known[0] != state:
            known = self._signatures[path] = (state, inspect(path))
        return known[1]

    def label(self, path: Path) -> str:
        """What messages call a file: its path from the project folder, all of it where it is outside."""
        return path.relative_to(self._project).as_posix() if path.is_relative_to(self._project) else str(path)

    def check(self, path: Path, text: str, *, thorough: bool) -> Definition:
        """The definition that a manifest at this path would be with this text."""
        # Outside the project a manifest's own folder is the limit: from there the path is its bare name.
        file = self.label(path) if path.is_relative_to(self._project) else path.name
        pipeline, problems = check(text, file=file, around=self._around(path.parent, thorough=thorough))
        labelled = tuple(replace(each, file=self.label(path)) for each in problems)
        name = pipeline.name if pipeline else name_in(text)
        return Definition(path=path, pipeline=pipeline, problems=labelled, text=text, name=name, file=self.label(path))

    def refuse_twins(self, definition: Definition, named_so: Sequence[Path]) -> Definition:
        """The definition, unusable where other manifests have its name."""
        if not definition.name or len(named_so) == 1:
            return definition
        others = join_names(self.label(path) for path in named_so if path != definition.path)
        line, column = _place_of_name(definition.text)
        problem = Problem(
            file=self.label(definition.path),
            line=line,
            column=column,
            where="name",
            message=f"there is another pipeline '{definition.name}' in {others}",
            hint="Give each its own name.",
        )
        problems = sorted([problem, *definition.problems], key=lambda each: (each.line, each.column))
        return replace(definition, pipeline=None, problems=tuple(problems))

    def _manifest(self, path: Path, *, thorough: bool) -> Definition:
        try:
            return self.check(path, regular(path).read_bytes().decode(), thorough=thorough)
        except (OSError, UnicodeDecodeError) as error:
            problem = _unreadable(self.label(path), error)
        except Exception as error:  # one manifest that nbflow fails on must not hide the others
            _log.exception("%s could not be checked", path)
            problem = _unforeseen(self.label(path), error)
        return Definition(path=path, pipeline=None, problems=(problem,), file=self.label(path))

    def _around(self, folder: Path, *, thorough: bool) -> Surroundings:
        return Surroundings(
            notebooks=partial(self._beside, folder),
            touches=partial(self.touches, folder) if thorough else None,
            kernels=self._kernels,
            pools=self._settings.pools,
            channels=self._settings.channels,
            env=self._settings.env,
        )

    def _beside(self, folder: Path, notebook: str) -> Signature:
        path = Path(os.path.normpath(folder / notebook))
        try:
            return self.signature(path)
        except NotFound:
            near = (path.parent if path.parent.is_dir() else folder).glob("*.ipynb")
            names = [Path(os.path.relpath(each, folder)).as_posix() for each in near]
            message = f"notebook '{notebook}' does not exist"
            raise NotFound(message, where=str(path), hint=did_you_mean(notebook, names)) from None

    def touches(self, folder: Path, notebook: str, given: Mapping[str, Any]) -> Touches:
        """What a notebook, its path as seen from the folder, reads and writes. Raises as `signature`."""
        if self._beside(folder, notebook).language not in {"python", "ipython"}:
            return Touches()
        path = Path(os.path.normpath(folder / notebook))
        inner = Path(os.path.relpath(path.parent, folder)).as_posix()
        return _touched(path, state_of(path), json.dumps(given), inner)


@lru_cache(maxsize=4096)
def _touched(path: Path, _: State | None, given: str, folder: str) -> Touches:
    """Kept as long as the file does not change: 1 to 7 ms a task would be felt in a manifest of hundreds."""
    return touches(read(path), json.loads(given), folder)


def _unreadable(file: str, error: OSError | UnicodeDecodeError) -> Problem:
    if isinstance(error, OSError):
        return Problem(file=file, message=f"this cannot be read: {fault(error)}")
    before = error.object[: error.start]
    return Problem(
        file=file,
        line=before.count(b"\n") + 1,
        column=len(before) - before.rfind(b"\n"),
        message=f"the byte 0x{error.object[error.start]:02x} is no UTF-8",
        hint="Save the file as UTF-8.",
    )


def _unforeseen(file: str, error: Exception) -> Problem:
    return Problem(
        file=file,
        message=f"nbflow fails on this: {type(error).__name__}: {error}",
        hint="That is a fault of nbflow: please report it, with the manifest.",
    )


def _place_of_name(text: str) -> tuple[int, int]:
    found = _NAME.search(text)
    return (text.count("\n", 0, found.start()) + 1, found.start("name") - found.start() + 1) if found else (1, 1)
