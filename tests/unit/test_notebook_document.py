"""The executed notebook as a document: what is read, how cells are numbered, what is said about each."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nbformat
import pytest
from attempts import code, notebook, text
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from nbflow.errors import InvalidInput, NotFound
from nbflow.model import AttemptId, PipelineName
from nbflow.notebooks.document import CellState, Document, read_log, read_source
from nbflow.notebooks.logs import FolderLogs
from nbflow.states import Cause

AT = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)


def read(tmp_path: Path, source: Any) -> Any:
    path = tmp_path / "source.ipynb"
    path.write_text(source if isinstance(source, str) else json.dumps(source))
    return read_source(path)


def begun(*cells: Any) -> Document:
    document = Document(notebook(*cells))
    document.begin(AT, "clean.ipynb", {"task": "clean"})
    return document


def test_what_earlier_runs_added_is_no_part_of_the_source(tmp_path: Path) -> None:
    log = notebook(
        code("", "nbflow-banner"), text("# Title"), code("p = 1", "parameters"), code("p = 2", "injected-parameters"),
        text("An Exception was encountered"), code("print(p)"),
    )  # fmt: skip
    log.cells[4].metadata.tags = ["papermill-error-cell-tag"]
    log.cells[5].outputs = [nbformat.v4.new_output("stream", name="stdout", text="old")]
    log.cells[5].execution_count = 7
    source = read(tmp_path, log)
    assert [cell.source for cell in source.cells] == ["# Title", "p = 1", "print(p)"]
    assert source.cells[2].outputs == []
    assert source.cells[2].execution_count is None


def test_odd_notebooks_that_jupyter_opens_are_read(tmp_path: Path) -> None:
    odd = {
        "nbformat": 4, "nbformat_minor": 5, "metadata": {},
        "cells": [
            {"cell_type": "code", "id": "same", "metadata": {}, "source": ["a = 1\n", "b"], "outputs": [], "extra": 1,
             "execution_count": None},
            {"cell_type": "markdown", "id": "same", "metadata": {"tags": "no list"}, "source": "text", "outputs": []},
            {"cell_type": "raw", "metadata": {}, "source": "raw"},
        ],
    }  # fmt: skip
    source = read(tmp_path, odd)
    assert [cell.source for cell in source.cells] == ["a = 1\nb", "text", "raw"]
    assert len({cell.id for cell in source.cells}) == 3
    assert source.cells[1].metadata == {"tags": []}
    nbformat.validate(source)


def test_what_programs_leave_out_is_added(tmp_path: Path) -> None:
    source = read(tmp_path, {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {"display_name": "Python"}},
        "cells": [{"cell_type": "code", "source": "1"}, {"cell_type": "markdown", "source": "text"}]})  # fmt: skip
    assert [cell.source for cell in source.cells] == ["1", "text"]
    assert "kernelspec" not in source.metadata
    nbformat.validate(source)
    assert len(read(tmp_path, '{"nbformat": 4, "nbformat_minor": 5, "cells": []}').cells) == 0


def test_an_old_notebook_is_upgraded(tmp_path: Path) -> None:
    source = read(tmp_path, {"nbformat": 4, "nbformat_minor": 2, "metadata": {}, "cells": [
        {"cell_type": "markdown", "metadata": {}, "source": "text"}]})  # fmt: skip
    assert source.nbformat_minor == 5
    assert source.cells[0].id
    nbformat.validate(source)


@pytest.mark.parametrize(
    "source",
    ["", "no json", "[]", "{}", '{"nbformat": 4}', '{"nbformat": 99, "cells": []}', '{"nbformat": 4, "cells": [3]}',
     '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code", "metadata": {}}]}',
     '{"nbformat": 4, "nbformat_minor": 5, "metadata": {},'
     ' "cells": [{"cell_type": "odd", "metadata": {}, "source": ""}]}',
     '{"nbformat": "4", "cells": []}', '{"nbformat": 3}'],
)  # fmt: skip
def test_no_notebook(tmp_path: Path, source: str) -> None:
    with pytest.raises(InvalidInput, match=r"source\.ipynb: this is no notebook that can be read"):
        read(tmp_path, source)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    assert len(read(tmp_path, "\ufeff" + nbformat.writes(notebook("1"))).cells) == 1


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="the notebook is not there"):
        read_source(tmp_path / "missing.ipynb")


def test_numbers_count_the_source(tmp_path: Path) -> None:
    document = begun(text("# Title"), code("p = 1", "parameters"), code("p = 2", "injected-parameters"), "print(p)")
    assert list(document.cells) == [1, 2, None, 3]
    assert document.count == 3
    assert document.injected == {"after": 2, "source": "p = 2"}
    again = begun(text("# Title"), code("p = 1"), "print(p)").inject(document.injected)
    assert [cell.source for cell in again.notebook.cells] == [cell.source for cell in document.notebook.cells]
    assert list(again.cells) == [1, 2, None, 3]
    assert Document.empty().injected is None
    assert Document.empty().count == 0


def test_everything_begins_as_not_run() -> None:
    stale = notebook(text("# Title"), "1")
    stale.metadata.papermill = {"exception": True, "input_path": stale, "version": "2.7.0"}
    stale.cells[1].metadata.papermill = {"status": "completed", "exception": False, "duration": 3}
    document = Document(stale)
    document.begin(AT, "clean.ipynb", {"task": "clean"})
    assert stale.metadata.papermill == {
        "exception": None, "input_path": "clean.ipynb", "output_path": None, "version": "2.7.0",
        "start_time": "2026-04-01T09:00:00+00:00", "end_time": None, "duration": None,
    }  # fmt: skip
    assert stale.metadata.nbflow == {"state": "running", "task": "clean"}
    assert stale.cells[0].metadata == {"nbflow": {"cell": 1}}
    assert stale.cells[1].metadata.nbflow == {"cell": 2, "state": "not_run", "cause": None, "seconds": None}
    assert stale.cells[1].metadata.papermill == {
        "status": "pending", "exception": None, "duration": None, "start_time": None, "end_time": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("state", "cause", "status", "exception"),
    [
        (CellState.RUNNING, None, "running", False),
        (CellState.SUCCESS, None, "completed", False),
        (CellState.SKIPPED, None, "pending", None),
        (CellState.FAILED, Cause.KERNEL_DIED, "failed", True),
    ],
)
def test_a_cells_state_in_both_languages(
    state: CellState, cause: Cause | None, status: str, exception: bool | None
) -> None:
    document = begun("1")
    document.mark(1, state, cause, seconds=1.5, end_time="then")
    metadata = document.cells[1].metadata
    assert metadata.nbflow == {"cell": 1, "state": str(state), "cause": cause, "seconds": 1.5}
    assert metadata.papermill == {
        "status": status, "exception": exception, "duration": 1.5, "start_time": None, "end_time": "then",
    }  # fmt: skip


def test_the_end_is_told_on_top() -> None:
    document = begun("1")
    document.show(1, [{"output_type": "stream", "name": "stdout", "text": "a\nb"}], 4)
    document.end(AT + timedelta(seconds=90), "**Failed**", {"state": "failed", "cause": "error"})
    saved = nbformat.reads(b"".join(document.dump()).decode(), as_version=4)
    nbformat.validate(saved)
    assert [cell.source for cell in saved.cells] == ["**Failed**", "1"]
    assert saved.cells[0].metadata.tags == ["nbflow-banner"]
    assert saved.cells[1].execution_count == 4
    assert saved.metadata.papermill.duration == 90
    assert saved.metadata.papermill.exception is True
    assert saved.metadata.nbflow == {"state": "failed", "cause": "error", "task": "clean"}


def test_what_json_cannot_say() -> None:
    document = begun("1")
    document.show(1, [{"output_type": "display_data", "data": {"application/json": {"a": float("nan")},
                       "text/plain": "\udc80"}, "metadata": {}}], None)  # fmt: skip
    saved = json.loads(b"".join(document.dump()), parse_constant=pytest.fail)
    assert saved["cells"][0]["outputs"][0]["data"] == {"application/json": {"a": None}, "text/plain": ["\udc80"]}


def test_the_file_says_what_nbformat_would_write() -> None:
    document = begun("a = 1\nb = 2", "", text("# text\n"))
    data = {"text/html": "<b>\n</b>", "image/png": "aa\nbb", "image/svg+xml": "<svg>\n", "application/json": {"b": [1]}}
    document.show(1, [
        {"output_type": "stream", "name": "stdout", "text": "one\ntwo"},
        {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": 1},
        {"output_type": "error", "ename": "E", "evalue": "x", "traceback": ["a", "b"]},
        {"output_type": "stream", "name": "stderr", "text": ""},
    ], 1)  # fmt: skip
    document.cells[1].metadata["trusted"] = True
    document.notebook.metadata["orig_nbformat"] = 3
    picture = nbformat.v4.new_markdown_cell("![a](attachment:a)", attachments={"a": {"text/plain": "x\ny"}})
    document.notebook.cells.append(picture)
    file = b"".join(document.dump()).decode()
    assert json.loads(file) == json.loads(nbformat.v4.writes(document.notebook))
    assert file.splitlines()[:3] == ["{", ' "cells": [', "  {"]
    assert '    "a = 1\\n",\n    "b = 2"\n   ]' in file
    document.notebook.cells = []
    assert json.loads(b"".join(document.dump())) == json.loads(nbformat.v4.writes(document.notebook))


def test_a_log_is_read_as_nbformat_reads_it() -> None:
    png, table = {"image/png": "iVBO\nrw0K"}, {"text/html": "<b>\nx</b>", "application/json": ["a", "b"]}
    outputs = [
        new_output("stream", name="stdout", text="one\ntwo\n"),
        new_output("display_data", data={**png, **table}),
        new_output("error", ename="E", evalue="x", traceback=["a", "b"]),
    ]
    cells = [new_markdown_cell("# a\n\nb", attachments={"a.png": png}), new_code_cell("x\ny", outputs=outputs)]
    text = nbformat.writes(new_notebook(cells=cells))
    assert read_log(text) == nbformat.reads(text, as_version=4)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"nbformat": 4, "cells": [3]}', b"\xff"])
def test_a_log_that_is_no_notebook_is_said_to_be_one_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    """Who only wants to show it, such as an alert, can go on without."""
    folder = tmp_path / "nightly" / "r1" / "extract" / "1"
    folder.mkdir(parents=True)
    (folder / "notebook.ipynb").write_bytes(content)
    with pytest.raises(NotFound, match=r"notebook\.ipynb cannot be read: "):
        FolderLogs(tmp_path).notebook(AttemptId("r1/extract/1"), PipelineName("nightly"))


@pytest.mark.parametrize("content", [b"", b"[]\n", b"\xff\n", None])
def test_of_events_that_cannot_be_read_no_progress_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    """Whoever shows a run can go on without, also where another user runs it (None)."""
    folder = tmp_path / "nightly" / "r1" / "extract" / "1"
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_bytes(content or b"")
    if content is None:

        def refuse(*_: object) -> None:
            raise PermissionError

        monkeypatch.setattr(Path, "open", refuse)
    assert FolderLogs(tmp_path).progress(AttemptId("r1/extract/1"), PipelineName("nightly")) is None
