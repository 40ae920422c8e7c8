"""What the server sends to browsers when a drawing changes."""

from __future__ import annotations

from typing import Any

from bokeh.document import Document
from bokeh.document.events import DocumentPatchedEvent
from bokeh.protocol import Protocol


class Sent:
    """What a document sends to its browsers, in bytes."""

    def __init__(self, figure: Any) -> None:
        self.document, self._events = Document(), list[DocumentPatchedEvent]()
        self.document.add_root(figure)
        self.document.on_change(self._events.append)

    def take(self) -> bytes:
        if not self._events:
            return b""
        message = Protocol().create("PATCH-DOC", self._events)
        size = message.content_json.encode() + b"".join(buffer.to_bytes() for buffer in message.buffers)
        self._events.clear()
        return size
