"""The notebook as a log: the source's cells with their numbers, what became of each, and a banner on top.

Knows nbformat and papermill's metadata; runs nothing and writes no file.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import from_dict
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from nbflow.errors import InvalidInput
from nbflow.notebooks import notebooktext
from nbflow.notebooks.outputs import Json
from nbflow.states import Cause

INJECTED = "injected-parameters"
BANNER = "nbflow-banner"
OF_EARLIER_RUNS = frozenset({INJECTED, BANNER, "papermill-error-cell-tag"})
"""Tags of cells that a run adds to its log; where a log is used as a source again, they are no part of it."""

Notebook = Any
Cell = Any


class CellState(StrEnum):
    """What became of a code cell."""

    NOT_RUN = "not_run"
    RUNNING = "running"
    SUCCESS = "success"
    SKIPPED = "skipped"
    FAILED = "failed"


_OF_PAPERMILL = {
    CellState.NOT_RUN: ("pending", None),
    CellState.SKIPPED: ("pending", None),
    CellState.RUNNING: ("running", False),
    CellState.SUCCESS: ("completed", False),
    CellState.FAILED: ("failed", True),
}
"""The same in papermill's words: status and exception."""


def read_source(path: Path) -> Notebook:
    """The notebook to run: of any format version, without outputs and without what earlier runs added.

    Raises InvalidInput where it is missing or no notebook.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old formats, which are no fault
            return read_text(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InvalidInput("the notebook is not there", where=str(path)) from None
    except Exception as error:  # nbformat fails in many ways on what is no notebook
        raise InvalidInput(f"this is no notebook that can be read: {_first_line(error)}", where=str(path)) from error


def read_text(text: str) -> Notebook:
    """The same from a notebook's text; fails in many ways where it is none."""
    content = json.loads(text)
    is_new = content.get("nbformat") == 4
    read = nbformat.v4.upgrade(_completed(content) if is_new else from_dict(nbformat.reads(text, as_version=4)))
    cells = [_tidied(cell) for cell in read.cells if not OF_EARLIER_RUNS & tags_of(cell)]
    notebook = {"nbformat": 4, "nbformat_minor": read.nbformat_minor, "metadata": read.metadata, "cells": cells}
    _, notebook = nbformat.validator.normalize(from_dict(notebook))  # every cell gets an id, and one of its own
    return notebook


def _completed(content: Json) -> Notebook:
    """With what programs leave out that write notebooks by themselves, and nbformat insists on."""
    for cell in content["cells"]:
        cell.setdefault("metadata", {})
    metadata = content.setdefault("metadata", {})
    if not {"name", "display_name"} <= metadata.get("kernelspec", {}).keys():
        metadata.pop("kernelspec", None)  # the order names the kernel
    return nbformat.v4.to_notebook(content)


def read_log(text: str) -> Notebook:
    """An executed notebook from the text of its file; one of 20 MB in a tenth of a second or two.

    What the runner wrote needs no check, and lines are joined before anything looks at each of them.
    """
    notebook = json.loads(text)
    if notebook.get("nbformat") != 4:
        return nbformat.reads(text, as_version=4)
    for cell in notebook["cells"]:
        cell["source"] = _joined(cell["source"])
        for output in cell.get("outputs", ()):
            if "text" in output:
                output["text"] = _joined(output["text"])
        for bundle in (*_bundles(cell), *cell.get("attachments", {}).values()):
            bundle.update({mime: _joined(value) for mime, value in bundle.items() if not mime.endswith("json")})
    return from_dict(notebook)


def _bundles(cell: Json) -> Iterable[Json]:
    return (output["data"] for output in cell.get("outputs", ()) if "data" in output)


def _joined(value: Any) -> Any:
    """Files have texts as lists of lines."""
    return "".join(value) if isinstance(value, list) else value


def _tidied(cell: Cell) -> Json:
    """The cell with what belongs to it and nothing else. Raises ValueError, KeyError and the like for no cell."""
    if cell.cell_type not in {"code", "markdown", "raw"} or not isinstance(cell.source, str):
        raise ValueError("it has a cell of an unknown kind")
    tidied = {name: cell[name] for name in ("id", "cell_type", "source", "attachments") if name in cell}
    metadata = {**cell.metadata, "tags": _tags(cell)}
    return {**tidied, "metadata": metadata, **({"outputs": [], "execution_count": None} if runs(cell) else {})}


def tags_of(cell: Cell) -> frozenset[str]:
    return frozenset(_tags(cell))


def _tags(cell: Cell) -> list[str]:
    """Those that nbformat allows: texts, not empty, without a comma."""
    tags = cell.metadata.get("tags")
    return [tag for tag in tags if isinstance(tag, str) and tag and "," not in tag] if isinstance(tags, list) else []


def runs(cell: Cell) -> bool:
    return bool(cell.cell_type == "code")


class Document:
    """An executed notebook. Cells go by their number in the source, from 1; the injected one is None."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook = notebook
        self.cells: dict[int | None, Cell] = {}
        for cell in notebook.cells:
            self.cells[None if INJECTED in tags_of(cell) else self.count + 1] = cell

    @classmethod
    def empty(cls) -> Document:
        """What is left of a notebook that cannot be read."""
        return cls(new_notebook())

    @property
    def count(self) -> int:
        """Cells in the source, markdown counted, the injected one not."""
        return len(self.cells) - (None in self.cells)

    @property
    def injected(self) -> Json | None:
        """The injected cell and the number of source cells before it; None where nothing was injected."""
        if None not in self.cells:
            return None
        return {"after": list(self.cells).index(None), "source": self.cells[None].source}

    def inject(self, injected: Mapping[str, Any]) -> Document:
        """The same notebook with this injected cell."""
        cell = new_code_cell(injected["source"], metadata={"tags": [INJECTED]})
        cells = list(self.notebook.cells)
        cells.insert(injected["after"], cell)
        self.notebook.cells = cells
        return Document(self.notebook)

    def begin(self, at: datetime, path: str, about: Mapping[str, Any]) -> None:
        """Mark every code cell as not run, and forget what earlier runs wrote. `path` is the source's."""
        self.notebook.metadata["nbflow"] = from_dict({"state": "running", **about})
        self.notebook.metadata.setdefault("papermill", from_dict({})).update(
            # papermill was given the notebook itself, and has put all of it here
            input_path=path, output_path=None, start_time=at.isoformat(), end_time=None, duration=None, exception=None
        )  # fmt: skip
        for number, cell in self.cells.items():
            cell.metadata["nbflow"] = from_dict({"cell": number})
            cell.metadata.pop("papermill", None)
            if runs(cell):
                cell.metadata["papermill"] = from_dict({"start_time": None, "end_time": None, "duration": None})
                self.mark(number, CellState.NOT_RUN)

    def mark(self, number: int | None, state: CellState, cause: Cause | None = None, **times: Any) -> None:
        """Say what became of a cell, in nbflow's words and in papermill's.

        `times` may have start_time and end_time, ISO 8601, and seconds.
        """
        metadata = self.cells[number].metadata
        seconds = times.pop("seconds", None)
        metadata.nbflow.update(state=str(state), cause=cause and str(cause), seconds=seconds)
        status, exception = _OF_PAPERMILL[state]
        metadata.papermill.update(status=status, exception=exception, duration=seconds, **times)

    def show(self, number: int | None, outputs: Iterable[Json], execution_count: int | None) -> None:
        cell = self.cells[number]
        cell.outputs = [from_dict(output) for output in outputs]
        cell.execution_count = execution_count

    def end(self, at: datetime, banner: str | None, about: Mapping[str, Any]) -> None:
        """Say how the whole notebook ended; `banner` is Markdown for the top."""
        metadata = self.notebook.metadata
        metadata.nbflow.update(about)
        start = datetime.fromisoformat(metadata.papermill["start_time"])
        metadata.papermill.update(
            end_time=at.isoformat(), duration=(at - start).total_seconds(), exception=about["state"] == "failed" or None
        )
        if banner is not None:
            self.notebook.cells = [new_markdown_cell(banner, metadata={"tags": [BANNER]}), *self.notebook.cells]

    def dump(self) -> Iterator[bytes]:
        """The file's content, in pieces."""
        return notebooktext.write(self.notebook)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300] or type(error).__name__
