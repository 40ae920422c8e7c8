"""The executed notebook of an attempt that runs, as its events tell it: ahead of the file, which is saved less often.

Pure: is given the file and the events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nbformat.notebooknode import from_dict

from nbflow.notebooks.document import BANNER, CellState, Document, Notebook, tags_of
from nbflow.notebooks.outputs import Replay


class Following:
    """Starts with the notebook as it was saved at some time; is then given every event of the attempt, in order."""

    def __init__(self, notebook: Notebook) -> None:
        notebook.cells = [cell for cell in notebook.cells if BANNER not in tags_of(cell)]
        self._document, self._replay = Document(notebook), Replay()

    @property
    def notebook(self) -> Notebook:
        return self._document.notebook

    def apply(self, events: Iterable[Mapping[str, Any]]) -> set[int | None]:
        """The cells that these events changed, by number; None is the injected one."""
        changed: set[int | None] = set()
        for event in events:
            if event.get("cell", -1) in self._document.cells:
                self._replay.apply(event)
                self._mark(event)
                changed.add(event["cell"])
        for number in changed:
            outputs = self._replay.cells[number].to_nbformat()
            self._document.cells[number].outputs = [from_dict(output) for output in outputs]
        return changed

    def _mark(self, event: Mapping[str, Any]) -> None:
        match event:
            case {"event": "cell_start", "cell": number}:
                self._about(number).update(state=CellState.RUNNING, cause=None, seconds=None)
            case {"event": "cell_end", "cell": number, "state": state, "cause": cause, "seconds": seconds}:
                self._about(number).update(state=state, cause=cause, seconds=seconds)

    def _about(self, number: int | None) -> dict[str, Any]:
        about: dict[str, Any] = self._document.cells[number].metadata.setdefault("nbflow", {})
        return about
