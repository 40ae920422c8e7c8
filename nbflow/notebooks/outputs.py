"""What one cell shows, built up message by message, by the runner or by a reader of `events.jsonl`. Pure."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]


def byte_size(text: str) -> int:
    """Length in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "backslashreplace"))


class StreamOutput:
    """The text of one stream, in one piece. As on a terminal, a carriage return lets new text overwrite its line."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._done: list[str] = []
        self._line: list[str] = []
        self._done_size = self._line_size = 0

    @property
    def size(self) -> int:
        """Bytes of the text as it is now."""
        return self._done_size + self._line_size

    def add(self, text: str) -> None:
        """Costs what the new text costs, plus the length of the last line where that is overwritten."""
        if "\r" in text or (self._line and self._line[-1].endswith("\r")):
            text = overwrite("".join(self._line) + text)
            self._line, self._line_size = [], 0
        finished, newline, rest = text.rpartition("\n")
        if newline:
            self._done += [*self._line, finished, newline]
            self._done_size += self._line_size + byte_size(finished) + 1
            self._line, self._line_size = [], 0
        if rest:
            self._line.append(rest)
            self._line_size += byte_size(rest)

    @property
    def text(self) -> str:
        self._done = ["".join(self._done)]
        return self._done[0] + "".join(self._line)

    def to_nbformat(self) -> Json:
        return {"output_type": "stream", "name": self.name, "text": self.text}


def overwrite(text: str, *, continues: bool = False) -> str:
    """The text without what carriage returns in it overwrote.

    Where it `continues` a line that is not given, a return that overwrites that line is kept.
    """
    first, *others = text.split("\n")
    return "\n".join([_visible(first, keep_return=continues), *map(_visible, others)])


def _visible(line: str, keep_return: bool = False) -> str:
    """Returns at the end of a line overwrite nothing yet: a line end may follow."""
    body = line.rstrip("\r")
    cut = body.rfind("\r") + 1
    return ("\r" if keep_return and cut else "") + body[cut:] + ("\r" if line != body else "")


class RichOutput:
    """An output that is one thing: a display, a result, an error (nbformat's fields in `fields`)."""

    def __init__(self, fields: Json) -> None:
        self.fields = fields
        self.size = size_of(fields)

    def replace(self, data: Json, metadata: Json) -> None:
        self.fields = {**self.fields, "data": data, "metadata": metadata}
        self.size = size_of(self.fields)

    def to_nbformat(self) -> Json:
        return self.fields


def size_of(fields: Mapping[str, Any]) -> int:
    """Bytes that an output takes in a notebook, near enough."""
    return sum(
        byte_size(value) if isinstance(value, str) else byte_size(json.dumps(value, ensure_ascii=False))
        for value in (*fields.get("data", {}).values(), *(fields.get(name) for name in ("evalue", "traceback")))
        if value is not None
    )


class CellOutputs:
    """The outputs of one cell, in order."""

    def __init__(self) -> None:
        self.items: list[StreamOutput | RichOutput] = []

    def stream(self, name: str) -> StreamOutput:
        """The stream to add text to: the last output if it is of that name, else a new one."""
        last = self.items[-1] if self.items else None
        if isinstance(last, StreamOutput) and last.name == name:
            return last
        new = StreamOutput(name)
        self.items.append(new)
        return new

    def ends_with_stream(self, name: str) -> bool:
        last = self.items[-1] if self.items else None
        return isinstance(last, StreamOutput) and last.name == name

    def add(self, fields: Json) -> RichOutput:
        new = RichOutput(fields)
        self.items.append(new)
        return new

    def clear(self) -> None:
        self.items = []

    def to_nbformat(self) -> list[Json]:
        return [item.to_nbformat() for item in self.items]


class Replay:
    """The outputs of every cell, rebuilt from events (semantics §8). The injected cell has the number None."""

    def __init__(self) -> None:
        self.cells: dict[int | None, CellOutputs] = defaultdict(CellOutputs)
        self._displays: dict[tuple[int | None, str], list[RichOutput]] = defaultdict(list)

    def apply(self, event: Mapping[str, Any]) -> None:
        """Events that are not about outputs are passed over."""
        match event:
            case {"event": "output", "cell": cell, "output": output}:
                self._output(cell, output, event.get("display_id"))
            case {"event": "update_display", "cell": cell, "display_id": display_id}:
                for shown in self._displays[cell, display_id]:
                    shown.replace(event["data"], event["metadata"])
            case {"event": "clear_output", "cell": cell}:
                self.cells[cell].clear()

    def apply_all(self, events: Iterable[Mapping[str, Any]]) -> None:
        for event in events:
            self.apply(event)

    def _output(self, cell: int | None, output: Json, display_id: str | None) -> None:
        if output["output_type"] == "stream":
            self.cells[cell].stream(output["name"]).add(output["text"])
            return
        shown = self.cells[cell].add(output)
        if display_id is not None:
            self._displays[cell, display_id].append(shown)
