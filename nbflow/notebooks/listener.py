"""What the messages of a kernel mean for the log: outputs, displays, widgets, and what the notebook tells nbflow."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from nbclient import NotebookClient
from nbclient.output_widget import OutputWidget

from nbflow.notebooks import messages, widgets
from nbflow.notebooks.capture import CellCapture
from nbflow.notebooks.log import NotebookLog
from nbflow.notebooks.outputs import Json

Content = Mapping[str, Any]

OUTPUTS = frozenset({"stream", "display_data", "execute_result", "error", "clear_output"})
"""Messages that an Output widget can take for itself."""

_logger = logging.getLogger("nbflow.kernel")


class Listener(NotebookClient):
    """Takes iopub messages one by one. From nbclient it has the handling of widgets, and nothing else."""

    def __init__(self, log: NotebookLog) -> None:
        super().__init__(log.document.notebook)
        self.reported: dict[str, Any] = {}
        """Values that the notebook reported so far."""
        self.skip: str | None = None
        """Why the notebook wants to be skipped, if it does."""
        self.is_executing = asyncio.Event()
        """The kernel has begun with the latest request, so that an interrupt reaches its code."""
        self._log = log
        self._captures: dict[str, CellCapture] = {}
        self._views: dict[str, tuple[Json, Json]] = {}
        """Displays of widgets, by the widget's model."""
        self._has_widget_news = False

    def meet(self, client: AsyncKernelClient) -> None:
        """Widgets talk back to the kernel."""
        self.kc = client

    def expect(self, request: str, capture: CellCapture) -> None:
        """What belongs to this request, whenever it comes, is shown in this cell."""
        self._captures[request] = capture
        self.is_executing.clear()

    def take(self, message: Mapping[str, Any], request: str) -> bool:
        """True for the last message about the request. What cannot be understood is left out, and said in the log.

        A message of an unknown parent counts as one about the request.
        """
        parent = message["parent_header"].get("msg_id")
        try:
            if message["msg_type"] == "status":
                return bool(parent == request and message["content"]["execution_state"] == "idle")
            if parent == request:
                self.is_executing.set()
            capture = self._captures.get(parent, self._captures[request])
            hooks = self.output_hook_stack.get(parent)
            if hooks and message["msg_type"] in OUTPUTS:
                self._show_in(hooks[-1], capture, message)
            else:
                self._show(capture, message)
        except OSError:  # our own files
            raise
        except Exception as error:
            _logger.warning("a message of type %s was not understood: %r", message["msg_type"], error)
        return False

    def show_widgets(self) -> None:
        """Let displays of widgets say in their text what they show by now: kernels leave it as it was at first."""
        if not self._has_widget_news:
            return
        self._has_widget_news = False
        for model, (data, metadata) in list(self._views.items()):
            try:
                text = widgets.shown(model, self.widget_state)
            except Exception as error:
                _logger.warning("the state of a widget was not understood: %r", error)
                del self._views[model]
                continue
            if text not in {None, data.get("text/plain")}:
                data["text/plain"] = text
                self._log.update_display(model, dict(data), metadata)

    def remark(self, request: str, text: str) -> None:
        """Say something in the cell of this request."""
        self._captures[request].note(text)

    def _show(self, capture: CellCapture, message: Mapping[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        match kind:
            case "stream":
                capture.stream(str(content["name"]), str(content["text"]))
            case "display_data" | "execute_result":
                self._display(capture, kind, content)
            case "update_display_data":
                self._log.update_display(content["transient"]["display_id"], *_bundle(content))
            case "error" if self.skip is None or content["ename"] != messages.SKIPPED:
                capture.error(str(content["ename"]), str(content["evalue"]), list(map(str, content["traceback"])))
            case "clear_output":
                capture.clear(bool(content.get("wait")))
            case "comm_open" | "comm_msg":
                self._has_widget_news = True
                self.handle_comm_msg([], self._masked(message), 0)

    def _display(self, capture: CellCapture, kind: str, content: Content) -> None:
        data, metadata = _bundle(content)
        self._heed(capture, data)
        fields: Json = {"output_type": kind, "data": data, "metadata": metadata}
        if kind == "execute_result":
            fields["execution_count"] = content.get("execution_count")
        display_id = (content.get("transient") or {}).get("display_id")
        if display_id is not None:
            self._log.update_display(display_id, data, metadata)
        elif widgets.VIEW in data:
            display_id = str(data[widgets.VIEW]["model_id"])
            self._views[display_id] = dict(data), metadata
            self._has_widget_news = True
        capture.show(fields, display_id)

    def _heed(self, capture: CellCapture, data: Json) -> None:
        """What the notebook tells nbflow. A message that cannot be used leaves the display, and a remark takes over."""
        if messages.MIME not in data:
            return
        message = messages.parse(self._log.mask.value(data[messages.MIME]))
        match message:
            case messages.Output(name, value):
                self.reported[name] = value
            case messages.Skip(reason):
                self.skip = reason
            case messages.Refused(why):
                capture.note(f"A message to nbflow was not used: {why}.")
                del data[messages.MIME]
        self._log.message(capture.cell, message)

    def _show_in(self, widget: OutputWidget, capture: CellCapture, message: Mapping[str, Any]) -> None:
        """Output that goes to an Output widget instead of the cell; messages to nbflow and exceptions go to both."""
        self._has_widget_news = True
        self._heed(capture, dict(message["content"].get("data") or {}))
        if message["msg_type"] == "error":
            self._show(capture, message)
        if message["msg_type"] == "clear_output":
            widget.clear_output([], self._masked(message), 0)
        else:
            widget.output([], self._masked(message), "", 0)

    def _masked(self, message: Mapping[str, Any]) -> dict[str, Any]:
        return {**message, "content": self._log.mask.value(message["content"])}


def _bundle(content: Content) -> tuple[Json, Json]:
    return dict(content["data"]), dict(content.get("metadata") or {})
