"""What a kernel sends for one cell, masked and kept within the caps; and what of it the events do not say yet.

Writes nothing but the files beside the notebook.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from nbflow.notebooks.mask import Mask, StreamMask
from nbflow.notebooks.outputs import CellOutputs, Json, RichOutput, byte_size, overwrite, size_of
from nbflow.notebooks.spill import Spill
from nbflow.notebooks.texts import plain_text, text_of
from nbflow.run import ErrorInfo

LARGEST = 1024 * 1024
"""Bytes of output that a cell shows at one time."""

MOST = 2000
"""Outputs that a cell shows at one time; text of one stream in a row is one."""

LARGEST_ERROR = 64 * 1024
"""Bytes of an exception's message, and of its traceback: errors are shown however full the cell is."""

MOST_ON_TOP = 10
"""Errors that are shown in a full cell."""

LOWEST_ROOM = 256
"""Bytes. A display that does not fit becomes a note of this size; with less room the cell is full."""


@dataclass(slots=True)
class _Text:
    name: str
    parts: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Shown:
    output: RichOutput
    display_id: str | None


@dataclass(slots=True)
class _Updated:
    output: RichOutput
    display_id: str


class CellCapture:
    """Takes messages; `outputs` is what the notebook shows.

    `news` are the events that bring a reader of all events before them to the same outputs. What was shown and
    replaced between two calls is not in them, so a progress bar costs no more than it shows.
    """

    def __init__(self, cell: int | None, mask: Mask, spill: Spill) -> None:
        self.cell = cell
        self.outputs = CellOutputs()
        self.is_changed = False
        """Since somebody last set it to False."""
        self._mask, self._spill = mask, spill
        self._masks: dict[str, StreamMask] = defaultdict(mask.stream)
        self._displays: dict[str, list[RichOutput]] = defaultdict(list)
        self._used = 0
        self._is_full = False
        self._is_spilling = False
        """Everything goes to the text file as well, from the first time that the cell was full."""
        self._errors_on_top = 0
        self._clears_next = False
        self._was_cleared = False
        self._news: list[_Text | _Shown | _Updated] = []

    # --- what arrives -----------------------------------------------------------------------------------------------

    def stream(self, name: str, text: str) -> None:
        """Text; its end is held back while it could be the beginning of a secret."""
        self._add_text(name, self._masks[name].feed(text))

    def show(self, fields: Json, display_id: str | None = None) -> None:
        """A display or a result. One that is too large is kept beside the notebook."""
        self._clear_if_due()
        fields = {**fields, "data": self._mask.value(fields["data"]), "metadata": self._mask.value(fields["metadata"])}
        if self._lacks_room():
            self._fill()
        if self._is_spilling:
            self._spill.text(plain_text(fields))
        if not self._is_full:
            self._add(self._fitted(fields), display_id)
        else:
            for mime in fields["data"].keys() - {"text/plain"}:
                self._spill.text(f"{self._spill.aside(mime, fields['data'][mime])}\n")

    def update(self, display_id: str, data: Json, metadata: Json) -> None:
        """New content, the same for all displays of that id which this cell still shows."""
        if not (displays := self._displays.get(display_id)):
            return
        self._used -= sum(shown.size for shown in displays)
        new = self._fitted({"data": self._mask.value(data), "metadata": self._mask.value(metadata)}, len(displays))
        for shown in displays:
            shown.replace(new["data"], new["metadata"])
            self._used += shown.size
            self.is_changed = True
            if not any(news.output is shown for news in self._news if not isinstance(news, _Text)):
                self._news.append(_Updated(shown, display_id))

    def error(self, name: str, message: str, traceback: list[str]) -> None:
        """An exception: shown whatever the caps say, in reasonable length."""
        self._clear_if_due()
        fields = {
            "output_type": "error",
            "ename": self._mask.text(name),
            "evalue": _shortened(self._mask.text(message)),
            "traceback": _shortened(self._mask.text("\n".join(traceback))).split("\n") if traceback else [],
        }
        if self._is_spilling:
            self._spill.text(plain_text(fields))
        if self._is_full or self._lacks_room():
            self._errors_on_top += 1
        if self._errors_on_top <= MOST_ON_TOP:
            self._add(fields, None)

    def note(self, text: str) -> None:
        """A remark of nbflow's own, on the error stream."""
        self._add_text("stderr", f"[nbflow] {self._mask.text(text)}\n")

    def clear(self, wait: bool) -> None:
        """Remove the outputs, or let the next one do it."""
        if wait:
            self._clears_next = True
        else:
            self._clear()

    def finish(self) -> None:
        """The cell has ended: show what was held back. Late messages are still taken."""
        for name, stream in self._masks.items():
            self._add_text(name, stream.flush())
        self._spill.close()

    @property
    def shown_error(self) -> ErrorInfo | None:
        """The last exception that the cell shows."""
        for each in reversed(self.outputs.items):
            if isinstance(each, RichOutput) and each.fields["output_type"] == "error":
                return ErrorInfo(name=each.fields["ename"], message=each.fields["evalue"])
        return None

    # --- what is told -----------------------------------------------------------------------------------------------

    @property
    def has_news(self) -> bool:
        return self._was_cleared or bool(self._news)

    def news(self) -> list[Json]:
        """The events since the last call."""
        events: list[Json] = [{"event": "clear_output", "cell": self.cell}] if self._was_cleared else []
        events += [self._event(news) for news in self._news]
        self._news, self._was_cleared = [], False
        return events

    def _event(self, news: _Text | _Shown | _Updated) -> Json:
        match news:
            case _Text(name, parts):
                text = overwrite("".join(parts), continues=True)
                return self._output({"output_type": "stream", "name": name, "text": text})
            case _Shown(output, None):
                return self._output(output.fields)
            case _Shown(output, display_id):
                return {**self._output(output.fields), "display_id": display_id}
            case _Updated(output, display_id):
                fields = output.fields
                about = {"display_id": display_id, "data": fields["data"], "metadata": fields["metadata"]}
                return {"event": "update_display", "cell": self.cell, **about}

    def _output(self, fields: Json) -> Json:
        return {"event": "output", "cell": self.cell, "output": fields}

    # --- caps -------------------------------------------------------------------------------------------------------

    def _add_text(self, name: str, text: str) -> None:
        if not text:
            return
        self._clear_if_due()
        if self._is_spilling:
            self._spill.text(text)
        if self._is_full:
            return
        shown = overwrite(text, continues=True) if "\r" in text else text
        room = LARGEST - self._used
        if byte_size(shown) <= room and not self._has_too_many(name):
            self._put_text(name, shown)
            return
        self._spill_so_far(text)
        if not self._has_too_many(name):
            self._put_text(name, shown.encode("utf-8", "replace")[:room].decode("utf-8", "ignore"))
        self._fill()

    def _put_text(self, name: str, text: str) -> None:
        item = self.outputs.stream(name)
        before = item.size
        item.add(text)
        self._used += item.size - before
        self.is_changed = True
        last = self._news[-1] if self._news else None
        if not isinstance(last, _Text) or last.name != name:
            last = _Text(name)
            self._news.append(last)
        last.parts.append(text)

    def _add(self, fields: Json, display_id: str | None) -> None:
        shown = self.outputs.add(fields)
        self._used += shown.size
        self.is_changed = True
        if display_id is not None:
            self._displays[display_id].append(shown)
        self._news.append(_Shown(shown, display_id))

    def _lacks_room(self) -> bool:
        return not self._is_full and (len(self.outputs.items) >= MOST or LARGEST - self._used < LOWEST_ROOM)

    def _has_too_many(self, name: str) -> bool:
        return len(self.outputs.items) >= MOST and not self.outputs.ends_with_stream(name)

    def _fill(self) -> None:
        """From here on the cell shows nothing more, except an error."""
        self._spill_so_far()
        self._is_full = True
        self._put_text("stderr", f"\n[nbflow] More than a log can hold. The whole text is in {self._spill.name}.\n")

    def _spill_so_far(self, *more: str) -> None:
        """Begin the text file with everything that was shown until now."""
        if not self._is_spilling:
            self._is_spilling = True
            for item in self.outputs.to_nbformat():
                self._spill.text(plain_text(item))
            for text in more:
                self._spill.text(text)

    def _fitted(self, fields: Json, times: int = 1) -> Json:
        """The display with its largest representations kept in files, until the rest fits so many times."""
        data, notes = dict(fields["data"]), list[str]()
        while data and times * size_of({"data": data}) > LARGEST - self._used - LOWEST_ROOM * bool(notes):
            largest = max(data, key=lambda mime: size_of({"data": {mime: data[mime]}}))
            notes.append(self._spill.aside(largest, data.pop(largest)))
        if notes:
            data["text/plain"] = "\n".join([*filter(None, [text_of(data.get("text/plain") or "")]), *notes])
        return {**fields, "data": data}

    # --- clearing ---------------------------------------------------------------------------------------------------

    def _clear_if_due(self) -> None:
        if self._clears_next:
            self._clear()

    def _clear(self) -> None:
        self.outputs.clear()
        self._displays.clear()
        self._news = []
        self._used = self._errors_on_top = 0
        self._is_full = self._clears_next = False
        self._was_cleared = self.is_changed = True


def _shortened(text: str) -> str:
    if byte_size(text) <= LARGEST_ERROR:
        return text
    half = LARGEST_ERROR // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"
