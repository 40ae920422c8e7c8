"""The folders of manifests and notebooks: finds, checks and saves definitions, freezes them for runs. Runs nothing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from fcntl import LOCK_EX, flock
from pathlib import Path
from stat import S_IMODE

from nbflow import graph
from nbflow.errors import Conflict, InvalidInput, InvalidManifest, NotFound, Problem, Unavailable
from nbflow.files import state_of, write_whole
from nbflow.model import FrozenNotebook, Pipeline, Task, TaskName
from nbflow.notebooks.inspect import regular
from nbflow.ports import Definition, FrozenPipeline, Manifest
from nbflow.settings import FILE, STATE, Settings
from nbflow.text import did_you_mean, fault, join_names
from nbflow.workspace.frozen import FrozenNotebooks
from nbflow.workspace.kernels import InstalledKernels
from nbflow.workspace.reading import Reader, name_in, text_of
from nbflow.workspace.search import MANIFEST, find_manifests, find_meant

__all__ = ["FolderWorkspace"]


class FolderWorkspace:
    """The project on disk; `ports.Workspace` has the contract. Every call looks anew.

    A path given to `load` begins at the current folder, or else at the project. One outside the project is allowed,
    because somebody named it: its own folder then limits its notebooks. Without `takes_paths` only names are known:
    who asks over the web must not have a file of this machine executed that is no pipeline of the project.
    """

    def __init__(
        self,
        project: Path,
        settings: Settings,
        *,
        kernels: Collection[str] | None = None,
        takes_paths: bool = True,
    ) -> None:
        self._project, self._settings = project.absolute(), settings
        self._reader = Reader(self._project, settings, InstalledKernels() if kernels is None else kernels)
        self._frozen = FrozenNotebooks(self._project / STATE / "frozen")
        self._folders = settings.searched(self._project)
        self._takes_paths = takes_paths

    @property
    def frozen(self) -> Path:
        """The folder of the frozen notebooks, `<sha256>.ipynb`."""
        return self._frozen.folder

    # --- definitions -----------------------------------------------------------------------------------------------

    def edition(self) -> object:
        """The names, times and sizes of the manifests, and of the notebooks that they named when they were read."""
        return tuple((path, state_of(path)) for path in (*self._manifests(), *self._reader.notebooks_seen))

    def definitions(self, *, thorough: bool = False) -> Sequence[Definition]:
        """Every manifest of the project in name order. A folder or a file that is named wrongly is a problem, too."""
        meant = list(find_meant(self._folders, skip=self._project / self._settings.outputs))
        manifests = self._reader.manifests([path for path in meant if path.name == MANIFEST], thorough=thorough)
        misnamed = (self._misnamed(path) for path in meant if path.name != MANIFEST)
        found = [*manifests, *self._missing_folders(), *misnamed]
        return sorted(found, key=lambda each: (each.name, each.path))

    def unreachable(self, file: str) -> Definition | None:
        path = self._project / file
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:  # a folder above it may not be entered, or its file system does not answer
            return self._reader.manifests([path])[0]
        return None

    def load(self, name_or_path: str, *, given: Collection[str] = (), thorough: bool = False) -> Definition:
        """One pipeline; a name goes before a path, and a notebook alone is a pipeline of one task."""
        manifests = self._manifests()
        if named := [path for path in manifests if name_in(text_of(path)) == name_or_path]:
            return self._reader.manifests(named, thorough=thorough)[0]
        path = self._path(name_or_path) if self._takes_paths else None
        if path is None:
            return self._by_parsed_name(name_or_path, thorough=thorough)
        if path.suffix == ".ipynb":
            return self._reader.notebook(path, given)
        name = name_in(text_of(path)) if path.is_relative_to(self._project) else ""
        named_so = (other for other in manifests if name and name_in(text_of(other)) == name)
        twins = [other for other in named_so if not other.samefile(path)]
        return self._reader.manifests([path, *twins], thorough=thorough)[0]

    # --- editing ---------------------------------------------------------------------------------------------------

    def manifest(self, name: str) -> Manifest:
        """The manifest of a pipeline as text."""
        named = (path for path in self._manifests() if name_in(text_of(path)) == name)
        path = next(named, None) or self._by_parsed_name(name, thorough=False).path
        return Manifest(path=path, text=text_of(path), name=name, file=self._reader.label(path))

    def suppose(self, manifest: Manifest, text: str) -> Definition:
        """What the manifest would define if it had this text; nothing is written."""
        supposed = self._reader.check(manifest.path, text, thorough=True)
        others = (path for path in self._manifests() if path != manifest.path)
        twins = [path for path in others if supposed.name and name_in(text_of(path)) == supposed.name]
        return self._reader.refuse_twins(supposed, [manifest.path, *twins])

    def save(self, manifest: Manifest, text: str) -> None:
        """Write the manifest, with the mode that it had, unless the file has another text by now.

        Raises Conflict then, and Unavailable where the disk does not take it.
        """
        path = manifest.path.resolve()  # a link stays one
        try:
            with path.open("rb") as file:
                flock(file, LOCK_EX)  # one saver after the other; who waited finds the text of who was first
                if path.read_bytes() != manifest.text.encode():
                    raise Conflict(f"{manifest.file} was changed by somebody else", hint="Look at their change first.")
                write_whole(path, text, mode=S_IMODE(path.stat().st_mode))
        except OSError as error:
            message = f"{manifest.file} cannot be written: {fault(error)}"
            raise Unavailable(message, where=str(path)) from error

    def _manifests(self) -> list[Path]:
        return list(find_manifests(self._folders, skip=self._project / self._settings.outputs))

    def _missing_folders(self) -> Iterator[Definition]:
        for folder in self._settings.pipelines:
            if lacks := _lacks(self._project / folder):
                message = f"pipelines names the folder '{folder}', which {lacks}"
                problem = Problem(file=FILE, where="pipelines", message=message)
                yield Definition(path=self._project / folder, pipeline=None, problems=(problem,), file=folder)

    def _misnamed(self, path: Path) -> Definition:
        file = self._reader.label(path)
        message = f"no pipeline is looked for in a file of this name; a manifest is called {MANIFEST}"
        problem = Problem(file=file, message=message, hint=f"Rename it to {MANIFEST}.")
        return Definition(path=path, pipeline=None, problems=(problem,), file=file)

    def _path(self, given: str) -> Path | None:
        """The manifest or notebook that a person means; None where there is nothing of that name."""
        tried = (Path(os.path.normpath(base / given)) for base in (Path.cwd(), self._project))
        path = next((each for each in tried if each.exists()), None)
        if path is None:
            return None
        if path.is_dir() and not (path := path / MANIFEST).exists():
            others = [each.name for each in path.parent.glob("*.y*ml")]
            raise NotFound(f"folder '{given}' has no {MANIFEST}", hint=did_you_mean(MANIFEST, others))
        if path.suffix not in {".yaml", ".yml", ".ipynb"}:
            raise InvalidInput(f"'{given}' is no manifest and no notebook", hint="Name a .yaml or an .ipynb file.")
        return self._inside(path)

    def _inside(self, path: Path) -> Path:
        """The path as the project has it, also where somebody came by a link."""
        real, project = path.resolve(), self._project.resolve()
        if path.is_relative_to(self._project) or not real.is_relative_to(project):
            return path
        return self._project / real.relative_to(project)

    def _by_parsed_name(self, name: str, *, thorough: bool) -> Definition:
        """For a manifest that writes its name in an unusual way; otherwise there is no such pipeline."""
        definitions = self.definitions(thorough=thorough)
        for each in definitions:
            if each.name == name:
                return each
        if "/" in name or Path(name).suffix:
            known = [self._reader.label(each.path) for each in definitions]
            raise NotFound(f"there is no file '{name}'", hint=did_you_mean(name, known))
        named = [each.name for each in definitions if each.name]
        where = f" in {self._project}" if self._takes_paths else ""
        nothing = f"There is none yet{where}; nbflow init makes a first one."
        if definitions:
            nothing = f"{join_names(each.file for each in definitions)} cannot be used: nbflow validate says why."
        raise NotFound(f"there is no pipeline '{name}'", hint=did_you_mean(name, named) if named else nothing)

    # --- freezing --------------------------------------------------------------------------------------------------

    def freeze(self, definition: Definition, tasks: Sequence[TaskName] | None = None) -> FrozenPipeline:
        """Copy the notebooks by content hash; the manifest is the text that the definition was read from.

        Raises InvalidManifest for a definition that cannot be used, and with every notebook that is gone since.
        """
        if definition.pipeline is None:
            raise InvalidManifest(definition.problems)
        pipeline = definition.pipeline if tasks is None else graph.restrict(definition.pipeline, tasks)
        notebooks: dict[TaskName, FrozenNotebook] = {}
        problems: list[Problem] = []
        for name, task in pipeline.tasks.items():
            path = Path(os.path.normpath(definition.path.parent / task.notebook))
            try:
                notebooks[name] = self._freeze(path, task)
            except InvalidInput as error:
                file, where = self._reader.label(definition.path), f"tasks.{name}.notebook"
                problems.append(Problem(file=file, where=where, message=error.message, hint=error.hint))
        if problems:
            raise InvalidManifest(problems)
        left_out = len(pipeline.tasks) < len(definition.pipeline.tasks)
        sha256 = _hash(definition.text, *(pipeline.tasks if left_out else ()))
        return FrozenPipeline(pipeline=pipeline, text=definition.text, sha256=sha256, notebooks=notebooks)

    def refreeze(self, pipeline: Pipeline, old: Mapping[TaskName, FrozenNotebook]) -> Mapping[TaskName, FrozenNotebook]:
        """Copies of the notebooks as they are now, for the tasks named in `old`. Raises InvalidInput."""
        return {
            name: self._freeze(Path(notebook.folder) / Path(notebook.path).name, pipeline.tasks[name])
            for name, notebook in old.items()
        }

    def _freeze(self, path: Path, task: Task) -> FrozenNotebook:
        try:
            sha256 = self._frozen.keep(regular(path).read_bytes())
        except FileNotFoundError:
            raise NotFound(f"notebook '{task.notebook}' does not exist", where=str(path)) from None
        except OSError as error:
            message = f"notebook '{task.notebook}' cannot be read: {error.strerror}"
            raise InvalidInput(message, where=str(path)) from None
        frozen = self._frozen.path(sha256)
        try:
            signature = self._reader.signature(frozen)  # of the copy: the notebook may change under our eyes
        except InvalidInput as error:
            message = error.message.replace(frozen.name, task.notebook)
            raise InvalidInput(message, where=str(path), hint=error.hint) from None
        return FrozenNotebook(
            path=task.notebook,
            folder=str(path.parent),
            sha256=sha256,
            kernel=task.kernel or signature.kernel,
            cells=signature.cells,
            params=signature.params or (),
        )


def _lacks(folder: Path) -> str:
    """Why no manifest is found in a folder, whatever there is; empty where one would be."""
    try:
        is_folder = folder.is_dir()
    except PermissionError:
        return "may not be read"
    if not is_folder:
        return "does not exist"
    return "" if os.access(folder, os.R_OK | os.X_OK) else "may not be read"


def _hash(text: str, *only: TaskName) -> str:
    """The hash of a frozen manifest: of its text, and of the tasks where it is limited to some."""
    return hashlib.sha256("\0".join((text, *only)).encode()).hexdigest()
