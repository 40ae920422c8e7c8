"""The notebooks of a project, and files that somebody begins there (ports.Library)."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from nbflow.errors import Conflict, InvalidInput, NotFound, Unavailable
from nbflow.files import write_new
from nbflow.manifest import check
from nbflow.manifest.kinds import PIPELINE_NAME
from nbflow.manifest.references import all_upstreams
from nbflow.manifest.touching import Gap, Touches, gaps
from nbflow.model import Pipeline
from nbflow.ports import Definition, NotebookFile, Signature, Wish
from nbflow.settings import Settings
from nbflow.text import did_you_mean, fault, join_names
from nbflow.workspace.fresh import manifest_from, notebook_text
from nbflow.workspace.kernels import InstalledKernels
from nbflow.workspace.reading import Reader, name_in, text_of
from nbflow.workspace.search import MANIFEST, find_manifests, find_notebooks, is_searched
from nbflow.workspace.single import task_name

MOST = 200
"""Notebooks of one new pipeline."""
_ODD = re.compile(r"[\x00-\x1f\x7f\\:*?\"<>|]")
"""What no name of a file should have, on any system that may check the project out."""


class FolderLibrary:
    """The project on disk; `ports.Library` has the contract."""

    def __init__(self, project: Path, settings: Settings, *, kernels: Collection[str] | None = None) -> None:
        self._project = project.absolute()
        self._reader = Reader(self._project, settings, InstalledKernels() if kernels is None else kernels)
        self._searched = settings.searched(self._project)
        self._outputs = self._project / settings.outputs

    # --- what there is ---------------------------------------------------------------------------------------------

    def notebooks(self) -> Sequence[NotebookFile]:
        found = find_notebooks([self._project], skip=self._outputs)
        return sorted((self._notebook(path) for path in found), key=lambda each: each.path)

    def _notebook(self, path: Path) -> NotebookFile:
        label, task = self._reader.label(path), task_name(path.stem)
        try:
            signature = self._reader.signature(path)
        except InvalidInput as error:
            return NotebookFile(path=label, task=task, problem=error.message)
        return NotebookFile(path=label, task=task, heading=signature.heading, params=signature.params)

    def gaps(self, definition: Definition) -> Sequence[Gap]:
        pipeline = definition.pipeline or check(definition.text, file=definition.file)[0]
        if pipeline is None:
            return ()
        return tuple(gaps(self._touches(definition.path.parent, pipeline), all_upstreams(pipeline)))

    def _touches(self, folder: Path, pipeline: Pipeline) -> Mapping[str, Touches]:
        found: dict[str, Touches] = {}
        for name, task in pipeline.tasks.items():
            try:
                found[name] = self._reader.touches(folder, task.notebook, task.params)
            except InvalidInput:
                found[name] = Touches()
        return found

    # --- what is begun ---------------------------------------------------------------------------------------------

    def draw_up(self, wish: Wish) -> Definition:
        self._require_free_name(wish.name)
        signatures = self._signatures(wish.notebooks)
        path = self._folder(wish) / MANIFEST
        if path.exists():
            message = f"there is a pipeline in {self._reader.label(path.parent)} already"
            raise Conflict(message, where="folder", hint="Name another folder.")
        folder = path.parent.relative_to(self._project).as_posix()
        return self._reader.check(path, manifest_from(wish, folder, signatures), thorough=False)

    def create(self, definition: Definition) -> None:
        self._write(definition.path, definition.text)

    def begin_notebook(self, path: str) -> NotebookFile:
        target = self._new_notebook(path)
        self._write(target, notebook_text(target.stem))
        return self._notebook(target)

    def _require_free_name(self, name: str) -> None:
        if not PIPELINE_NAME.allows(name):
            message = f"'{name}' cannot be the name of a pipeline"
            raise InvalidInput(message, where="name", hint=PIPELINE_NAME.advice(name))
        manifests = find_manifests(self._searched, skip=self._outputs)
        if taken := [self._reader.label(each) for each in manifests if name_in(text_of(each)) == name]:
            message = f"there is a pipeline '{name}' already, in {join_names(taken)}"
            raise Conflict(message, where="name", hint="Choose another name.")

    def _signatures(self, notebooks: Sequence[str]) -> Mapping[str, Signature]:
        if not notebooks:
            raise InvalidInput("a pipeline needs at least one notebook", where="notebooks", hint="Choose some.")
        if len(notebooks) > MOST:
            raise InvalidInput(f"{len(notebooks):,} notebooks are too many at once; at most {MOST} are taken")
        if len(set(notebooks)) < len(notebooks):
            raise InvalidInput("a notebook is named twice", where="notebooks")
        known = {self._reader.label(each): each for each in find_notebooks([self._project], skip=self._outputs)}
        if missing := [path for path in notebooks if path not in known]:
            message = f"there is no notebook '{missing[0]}' in the project"
            raise NotFound(message, where="notebooks", hint=did_you_mean(missing[0], known))
        return {path: self._reader.signature(known[path]) for path in notebooks}

    def _folder(self, wish: Wish) -> Path:
        """Where the manifest shall stand; left to us, beside its notebooks, or in a folder of its own."""
        if wish.folder.strip():
            return self._searched_folder(wish.folder.strip())
        common = posixpath.commonpath([posixpath.dirname(path) for path in wish.notebooks])
        beside = self._project / common
        if common and is_searched(beside, self._searched, self._outputs) and not (beside / MANIFEST).exists():
            return beside
        top = beside if is_searched(beside, self._searched, self._outputs) else self._searched[0]
        return top / wish.name

    def _searched_folder(self, folder: str) -> Path:
        path = self._inside(folder, "folder")
        if not is_searched(path, self._searched, self._outputs):
            searched = join_names(f"'{self._reader.label(each)}'" for each in self._searched)
            message = f"no pipeline is looked for in '{folder}'"
            raise InvalidInput(message, where="folder", hint=f"Name a folder in {searched}.")
        return path

    def _new_notebook(self, given: str) -> Path:
        path = self._inside(given, "path")
        if path.suffix != ".ipynb" or not path.stem.strip():
            raise InvalidInput(f"'{given}' cannot be the name of a notebook", where="path", hint="End it in .ipynb.")
        if not is_searched(path.parent, [self._project], self._outputs):
            message = f"'{given}' would lie where no notebook is looked for"
            raise InvalidInput(message, where="path", hint="Name another folder.")
        return path

    def _inside(self, given: str, where: str) -> Path:
        """A path in the project, also behind links. Raises InvalidInput."""
        if _ODD.search(given) or any(_is_odd(part) for part in given.split("/")):
            raise InvalidInput(f"'{given}' cannot be a path here", where=where, hint="Use plain names and /.")
        path = Path(os.path.normpath(self._project / given))
        if posixpath.isabs(given) or not path.resolve().is_relative_to(self._project.resolve()):
            raise InvalidInput(f"'{given}' lies outside the project", where=where, hint="Write it from its folder.")
        return path

    def _write(self, path: Path, text: str) -> None:
        label = self._reader.label(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_new(path, text)
        except FileExistsError:
            raise Conflict(f"{label} is there already", hint="Nothing was written. Choose another name.") from None
        except OSError as error:
            raise Unavailable(f"{label} cannot be written: {fault(error)}", where=str(path)) from error


def _is_odd(part: str) -> bool:
    return part != part.strip() or (part.startswith(".") and part.strip(".") != "")
