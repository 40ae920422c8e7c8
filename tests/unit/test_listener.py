"""Messages as kernels send them, well formed or not, and widgets, which take output for themselves."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from attempts import Attempt, notebook

from nbflow.notebooks.document import Document, read_source
from nbflow.notebooks.listener import Listener
from nbflow.notebooks.log import NotebookLog
from nbflow.notebooks.mask import Mask
from nbflow.notebooks.messages import MIME
from nbflow.notebooks.widgets import VIEW
from nbflow.run import ErrorInfo


class Heard:
    """A listener that waits for the request `now`, sent for cell 1, after `before`, sent for no cell."""

    def __init__(self, root: Path) -> None:
        attempt = Attempt(root, notebook("1"))
        self.log = NotebookLog(
            attempt.folder, attempt.order, Document(read_source(attempt.folder.source)), Mask(["s3cret"])
        )
        self.log.begin()
        self.capture = self.log.start_cell(1)
        self.listener = Listener(self.log)
        self.listener.meet(MagicMock())
        self.listener.expect("now", self.capture)

    def take(self, kind: str, parent: str = "now", **content: Any) -> bool:
        header = {"msg_type": kind, "msg_id": "m"}
        message = {"msg_type": kind, "header": header, "parent_header": {"msg_id": parent}, "content": content}
        return self.listener.take(message, "now")

    @property
    def outputs(self) -> list[dict[str, Any]]:
        return self.capture.outputs.to_nbformat()


@pytest.fixture
def heard(tmp_path: Path) -> Heard:
    return Heard(tmp_path)


def test_only_the_requests_own_idle_is_its_end(heard: Heard) -> None:
    assert not heard.take("status", execution_state="busy")
    assert not heard.take("status", parent="before", execution_state="idle")
    assert not heard.listener.is_executing.is_set()
    assert not heard.take("execute_input", code="1", execution_count=1)
    assert heard.listener.is_executing.is_set()
    assert heard.take("status", execution_state="idle")


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("stream", {}),
        ("display_data", {"data": 3}),
        ("display_data", {"metadata": {}}),
        ("update_display_data", {"data": {}}),
        ("error", {"ename": "E"}),
        ("comm_open", {"comm_id": "c"}),
        ("status", {}),
    ],
)
def test_what_is_not_understood_is_said(
    heard: Heard, caplog: pytest.LogCaptureFixture, kind: str, content: dict[str, Any]
) -> None:
    with caplog.at_level(logging.WARNING):
        assert not heard.take(kind, **content)
    assert f"a message of type {kind} was not understood" in caplog.text
    assert heard.outputs == []


@pytest.mark.parametrize("kind", ["execute_input", "iopub_welcome", "debug_event", "shutdown_reply", "odd"])
def test_what_is_no_output_is_passed_over(heard: Heard, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    assert not heard.take(kind, whatever=1)
    assert heard.outputs == []
    assert caplog.text == ""


def test_a_message_of_nobody_belongs_to_the_cell_that_runs(heard: Heard) -> None:
    heard.take("stream", parent="unknown", name="stderr", text="s3cret\n")
    assert heard.outputs == [{"output_type": "stream", "name": "stderr", "text": "***\n"}]


def test_a_display_of_a_known_id_changes_the_one_before(heard: Heard) -> None:
    for text in ("one", "two"):
        heard.take("display_data", data={"text/plain": text}, metadata={}, transient={"display_id": "d"})
    heard.take("execute_result", data={"text/plain": "three"}, execution_count=3, transient=None)
    assert [output["data"]["text/plain"] for output in heard.outputs] == ["two", "two", "three"]
    assert heard.outputs[2]["execution_count"] == 3


def test_a_widget_that_nobody_opened(heard: Heard, caplog: pytest.LogCaptureFixture) -> None:
    heard.take("comm_open", comm_id="w", target_name="elsewhere", data={"state": {"a": 1}})
    heard.take("comm_msg", comm_id="w", data={"method": "update", "state": {"msg_id": "now"}})
    heard.take("stream", name="stdout", text="outside\n")
    assert heard.outputs == [{"output_type": "stream", "name": "stdout", "text": "outside\n"}]


def test_a_widget_takes_output_for_itself(heard: Heard) -> None:
    state = {"_model_module": "@jupyter-widgets/output", "_model_name": "OutputModel", "msg_id": "", "outputs": []}
    heard.take("comm_open", comm_id="w", target_name="jupyter.widget", data={"state": state})
    heard.take("comm_msg", comm_id="w", data={"method": "update", "state": {"msg_id": "now"}})
    heard.take("stream", name="stdout", text="inside s3cret\n")
    heard.take("clear_output", wait=True)
    heard.take("stream", name="stdout", text="the last s3cret\n")
    heard.take("comm_msg", comm_id="w", data={"method": "update", "state": {"msg_id": ""}})
    heard.take("stream", name="stdout", text="outside\n")
    heard.listener.set_widgets_metadata()
    assert heard.outputs == [{"output_type": "stream", "name": "stdout", "text": "outside\n"}]
    states = heard.log.document.notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    assert states["w"]["state"]["outputs"] == [{"output_type": "stream", "name": "stdout", "text": "the last ***\n"}]


def test_a_widget_keeps_nothing_from_nbflow(heard: Heard) -> None:
    state = {"_model_module": "@jupyter-widgets/output", "_model_name": "OutputModel", "msg_id": "now", "outputs": []}
    heard.take("comm_open", comm_id="w", target_name="jupyter.widget", data={"state": state})
    heard.take("comm_msg", comm_id="w", data={"method": "update", "state": {"msg_id": "now"}})
    told: Any = {"type": "output", "name": "rows", "value": 3}
    heard.take("display_data", data={MIME: told, "text/plain": "rows = 3"}, metadata={})
    heard.take("display_data", data={MIME: {"type": "odd"}}, metadata={})
    assert heard.listener.reported == {"rows": 3}
    assert ["[nbflow] A message to nbflow was not used" in each["text"] for each in heard.outputs] == [True]
    heard.take("error", ename="KeyError", evalue="country", traceback=["KeyError: country"])
    assert heard.capture.shown_error == ErrorInfo(name="KeyError", message="country")


def test_the_text_of_a_widget_is_what_it_shows_by_now(heard: Heard, caplog: pytest.LogCaptureFixture) -> None:
    for model, state in {"bar": {"_model_name": "IntProgressModel", "max": 4}, "odd": {"children": 3}}.items():
        heard.take("comm_open", comm_id=model, target_name="jupyter.widget", data={"state": state})
        view = {VIEW: {"model_id": model}, "text/plain": f"{model} at its beginning"}
        heard.take("display_data", data=view, metadata={})
    heard.take("comm_msg", comm_id="bar", data={"method": "update", "state": {"value": 4}})
    heard.listener.show_widgets()
    heard.listener.show_widgets()
    assert [each["data"]["text/plain"] for each in heard.outputs] == ["|██████████|", "odd at its beginning"]
    assert caplog.text.count("the state of a widget was not understood") == 1
