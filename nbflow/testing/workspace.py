"""A workspace without a disk: definitions that the test sets, and notebooks that are frozen by saying so."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from nbflow import graph
from nbflow.errors import Conflict, InvalidManifest, NotFound, Problem
from nbflow.manifest import check
from nbflow.model import FrozenNotebook, Pipeline, Task, TaskName
from nbflow.ports import Definition, FrozenPipeline, Manifest


class FakeWorkspace:
    """Keeps the contract of `Workspace`. Every change of a definition is a new edition."""

    def __init__(self, *pipelines: Pipeline) -> None:
        self._definitions: dict[str, Definition] = {}
        self._hidden: dict[str, Definition] = {}
        self._edition = 0
        for each in pipelines:
            self.put(each)

    def put(self, pipeline: Pipeline, text: str = "", folder: str = "") -> Definition:
        """Write a manifest; `text` stands for what is in it. Its folder has the pipeline's name, or another one."""
        file = f"{folder or pipeline.name}/pipeline.yaml"
        definition = Definition(
            path=Path("/project", file), pipeline=pipeline, text=text or f"name: {pipeline.name}\n", file=file
        )
        return self._set(pipeline.name, definition)

    def spoil(self, name: str, message: str = "this cannot be read", folder: str = "") -> Definition:
        """Make a manifest unusable."""
        file = f"{folder or name}/pipeline.yaml"
        problem = Problem(file=file, message=message)
        path = Path("/project", file)
        return self._set(
            name, Definition(path=path, pipeline=None, problems=(problem,), file=file, text="?", name=name)
        )

    def hide(self, name: str) -> None:
        """Keep anybody from seeing whether the manifest is there."""
        self._hidden[f"{name}/pipeline.yaml"] = self.spoil(name)
        self.remove(name)

    def remove(self, name: str) -> None:
        del self._definitions[name]
        self._edition += 1

    def _set(self, name: str, definition: Definition) -> Definition:
        self._definitions[name] = definition
        self._edition += 1
        return definition

    def edition(self) -> object:
        return self._edition

    def definitions(self, *, thorough: bool = False) -> Sequence[Definition]:
        return [self._definitions[name] for name in sorted(self._definitions)]

    def unreachable(self, file: str) -> Definition | None:
        return self._hidden.get(file)

    def load(self, name_or_path: str, *, given: Collection[str] = (), thorough: bool = False) -> Definition:
        if name_or_path not in self._definitions:
            raise NotFound(f"there is no pipeline '{name_or_path}'")
        return self._definitions[name_or_path]

    def manifest(self, name: str) -> Manifest:
        known = self.load(name)
        return Manifest(path=known.path, text=known.text, name=name, file=known.file)

    def suppose(self, manifest: Manifest, text: str) -> Definition:
        """As the manifest's checks alone see it."""
        pipeline, problems = check(text, file=manifest.file)
        name = pipeline.name if pipeline else manifest.name
        return Definition(
            path=manifest.path, pipeline=pipeline, problems=tuple(problems), text=text, name=name, file=manifest.file
        )

    def save(self, manifest: Manifest, text: str) -> None:
        if self.manifest(manifest.name) != manifest:
            raise Conflict(f"{manifest.file} was changed by somebody else")
        supposed = self.suppose(manifest, text)
        del self._definitions[manifest.name]
        self._set(supposed.name, supposed)

    def freeze(self, definition: Definition, tasks: Sequence[TaskName] | None = None) -> FrozenPipeline:
        if definition.pipeline is None:
            raise InvalidManifest(definition.problems)
        pipeline = definition.pipeline if tasks is None else graph.restrict(definition.pipeline, tasks)
        return FrozenPipeline(
            pipeline=pipeline,
            text=definition.text,
            sha256=sha256(f"{definition.text}{tasks}".encode()).hexdigest(),
            notebooks={name: _frozen(task) for name, task in pipeline.tasks.items()},
        )

    def refreeze(self, pipeline: Pipeline, old: Mapping[TaskName, FrozenNotebook]) -> Mapping[TaskName, FrozenNotebook]:
        return {name: _frozen(pipeline.tasks[name]) for name in old}


def _frozen(task: Task) -> FrozenNotebook:
    content = sha256(task.notebook.encode()).hexdigest()
    return FrozenNotebook(path=task.notebook, folder="/project", sha256=content, kernel="python3", cells=3)
