"""The door to the notebooks that there are, and to files that somebody begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from nbflow.manifest.touching import Gap
from nbflow.model import Param
from nbflow.ports.values import Definition


@dataclass(frozen=True, slots=True, kw_only=True)
class NotebookFile:
    """One notebook of the project, whether a pipeline uses it or not."""

    path: str
    """From the project's folder, with slashes."""
    task: str
    """What its task is called where nobody chooses: the nearest name that a task may have."""
    heading: str = ""
    """Its first heading; empty where it has none."""
    params: tuple[Param, ...] | None = None
    """None where it has no cell tagged `parameters`, or cannot be read."""
    problem: str = ""
    """Why it cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A pipeline that somebody wants to have."""

    name: str
    notebooks: tuple[str, ...]
    """Paths from the project's folder; each becomes a task."""
    folder: str = ""
    """Where its manifest shall stand, from the project's folder; empty leaves the choice to nbflow."""
    edges: frozenset[tuple[str, str]] = frozenset()
    """Names of tasks, the upstream one first; others than the wish's own are passed over."""


class Library(Protocol):
    """Looks anew at every call. No file that exists is ever overwritten."""

    def notebooks(self) -> Sequence[NotebookFile]:
        """Every notebook of the project in the order of their paths, broken ones too."""
        ...

    def gaps(self, definition: Definition) -> Sequence[Gap]:
        """The edges that seem to be missing between the tasks of a definition.

        None where its manifest is wrong by itself; what a notebook still has to be given does not matter.
        """
        ...

    def draw_up(self, wish: Wish) -> Definition:
        """The definition of the new pipeline with all its problems; nothing is written.

        What a notebook must be given becomes a parameter of the pipeline. Raises InvalidInput for a wish that leads
        nowhere, NotFound for a notebook, and Conflict where the name or the folder is taken.
        """
        ...

    def create(self, definition: Definition) -> None:
        """Write the manifest of a new pipeline in one step. Raises Conflict where there is one."""
        ...

    def begin_notebook(self, path: str) -> NotebookFile:
        """Write a new notebook that can be a task at once. Raises InvalidInput, and Conflict where there is one."""
        ...
