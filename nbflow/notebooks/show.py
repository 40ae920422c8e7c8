"""An executed notebook as text for a terminal: what ran, what it printed, where it failed. Never runs anything.

What a notebook prints is not trusted: colours are kept, every other terminal sequence is removed.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from rich.text import Text

from nbflow.notebooks.document import BANNER, INJECTED, Cell, CellState, Notebook, tags_of
from nbflow.notebooks.texts import overwritten, safe, text_of
from nbflow.run import Attempt
from nbflow.states import Cause, in_words
from nbflow.text import seconds_text, size_text

LONGEST_LINE = 2000
"""Characters of a line that are shown."""

_STYLES: dict[str, str] = {
    CellState.NOT_RUN: "dim",
    CellState.RUNNING: "blue",
    CellState.SUCCESS: "green",
    CellState.SKIPPED: "dim",
    CellState.FAILED: "red",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCell:
    """A cell of an executed notebook. `number` counts in the source, so the injected cell has none."""

    number: int | None
    kind: str
    source: str
    state: str = ""
    """Of a code cell; empty for others, and where the log does not say."""
    cause: str = ""
    """Of a failed cell, what ended it."""
    seconds: float | None = None
    outputs: tuple[Mapping[str, Any], ...] = ()
    attachments: Mapping[str, Any] = field(default_factory=dict)
    """Pictures inside a markdown cell: name → representations."""

    @property
    def was_reached(self) -> bool:
        return self.state != CellState.NOT_RUN

    @property
    def title(self) -> str:
        """`cell 3 · failed · 0.2 s`, or what ended it where no error did: `cell 3 · timeout · 60 s`."""
        name = "parameters of this run" if self.number is None else f"cell {self.number}"
        ended = self.state if self.cause in {"", Cause.ERROR} else self.cause
        took = seconds_text(self.seconds) if self.seconds is not None else ""
        return " · ".join(filter(None, (name, in_words(ended), took)))


def cells_of(notebook: Notebook) -> list[ShownCell]:
    """The cells in order, without nbflow's banner."""
    return [shown_cell(cell) for cell in notebook.cells if BANNER not in tags_of(cell)]


def shown_cell(cell: Cell) -> ShownCell:
    about = cell.metadata.get("nbflow", {})
    return ShownCell(
        number=None if INJECTED in tags_of(cell) else _of_kind(int, about.get("cell")),
        kind=cell.cell_type,
        source=text_of(cell.source),
        state=_of_kind(str, about.get("state"), among=CellState) or "",
        cause=_of_kind(str, about.get("cause"), among=Cause) or "",
        seconds=_of_kind((int, float), about.get("seconds")),
        outputs=tuple(cell.get("outputs", ())),
        attachments=cell.get("attachments", {}),
    )


def _of_kind(kind: Any, value: Any, among: type[StrEnum] | None = None) -> Any:
    """What nbflow writes; None for anything else, which was written by somebody else."""
    is_ours = isinstance(value, kind) and not isinstance(value, bool) and (among is None or value in set(among))
    return value if is_ours else None


def failing_cell(cells: Iterable[ShownCell], attempt: Attempt) -> ShownCell | None:
    """The cell that ended the attempt; of one that failed in the injected cell, that one."""
    if attempt.failing_cell is not None:
        return next((cell for cell in cells if cell.number == attempt.failing_cell), None)
    return next((cell for cell in cells if cell.state == CellState.FAILED), None)


def language_of(notebook: Notebook) -> str:
    about = notebook.metadata
    return str(about.get("language_info", {}).get("name") or about.get("kernelspec", {}).get("language") or "text")


# --- lines --------------------------------------------------------------------------------------------------------


def cell_lines(cell: ShownCell, language: str, *, most: int | None = None) -> list[Text]:
    """A cell as lines: its title, its source, its outputs; of source and outputs at most `most` lines each."""
    title = Text(f"── {cell.title}", style=f"bold {_STYLES.get(cell.state, '')}".strip())
    if not cell.was_reached:
        return [title]
    source = _highlighted(cell.source, language) if cell.kind == "code" else _plain(cell.source, style="dim")
    outputs = [line for output in cell.outputs for line in output_lines(output)]
    return [title, *_cut(source, most), *([Text("")] if outputs else []), *_cut(outputs, most), Text("")]


def followed_lines(notebook: Notebook) -> list[Text]:
    """What has run until now, in order. Later calls only add lines, unless a cell changes what it has shown.

    The blank line behind the last cell is left to what comes next: the cell may have more to say.
    """
    language, lines, held = language_of(notebook), list[Text](), list[Text]()
    for cell in cells_of(notebook):
        shown = cell_lines(_without_ending(cell), language)
        if cell.kind == "code" and cell.was_reached:
            lines += [*held, *shown]
            held = []
        elif cell.kind != "code":
            held += shown
    return lines[:-1]


def _without_ending(cell: ShownCell) -> ShownCell:
    state = "" if cell.was_reached else cell.state
    return ShownCell(number=cell.number, kind=cell.kind, source=cell.source, state=state, outputs=cell.outputs)


def output_lines(output: Mapping[str, Any]) -> Iterator[Text]:
    """An output as lines: text with its colours; an image by type and size."""
    match output["output_type"]:
        case "stream":
            yield from _lines(text_of(output["text"]), style="yellow" if output["name"] == "stderr" else "")
        case "error":
            yield from _lines("\n".join(output["traceback"]) or f"{output['ename']}: {output['evalue']}")
        case _:
            data = output["data"]
            image = next((mime for mime in data if mime.startswith("image/")), None)
            if image is None:
                yield from _lines(text_of(data.get("text/plain", "")) or f"[{', '.join(data)}]")
            else:
                yield Text(
                    f"[{image}, {_size(image, text_of(data[image]))}; to see it: nbflow logs --html]", style="dim"
                )


def _lines(text: str, style: str = "") -> Iterator[Text]:
    for line in safe(overwritten(text)).rstrip("\n").split("\n"):
        shown = Text.from_ansi(line, style=style)
        if (more := len(shown) - LONGEST_LINE) > 0:
            shown.right_crop(more)
            shown.append(f" … {more:,} characters more", style="dim")
        yield shown


def _plain(source: str, style: str) -> list[Text]:
    return [Text(line, style=style) for line in safe(source).split("\n")]


def _highlighted(source: str, language: str) -> list[Text]:
    from rich.syntax import Syntax

    text = Syntax("", language, theme="ansi_light", background_color="default").highlight(safe(source))
    return list(text.split("\n", allow_blank=False))


def _cut(lines: list[Text], most: int | None) -> Iterable[Text]:
    """The first and the last lines, with a count of those between."""
    if most is None or len(lines) <= most:
        return lines
    half = most // 2
    left_out = Text(f"… {len(lines) - 2 * half:,} lines left out …", style="dim")
    return [*lines[:half], left_out, *lines[-half:]]


def _size(mime: str, data: str) -> str:
    """Of the image itself: SVG is text, the others are base64."""
    try:
        size = len(data.encode()) if mime == "image/svg+xml" else len(base64.b64decode(data))
    except ValueError:
        size = len(data)
    return size_text(size)
