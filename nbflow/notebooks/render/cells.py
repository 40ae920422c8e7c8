"""A cell of an executed notebook as HTML, by itself, so that a view that is live can replace just one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from html import escape
from typing import TYPE_CHECKING

from nbflow.notebooks.document import Notebook
from nbflow.notebooks.render.markdown import markdown_html
from nbflow.notebooks.render.outputs import NO_LINKS, Links, output_html
from nbflow.notebooks.show import ShownCell, cells_of, language_of
from nbflow.text import counted, seconds_text

if TYPE_CHECKING:
    from pygments.formatter import Formatter
    from pygments.lexer import Lexer

LONGEST_SOURCE, MOST_OUTPUTS = 100_000, 200
"""Characters of a source that are coloured; outputs of a cell that are shown."""

PREFIX = "nbx-hl-"
"""Of the classes for coloured source: Pygments' own are as short as `.n`."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """One cell as HTML, an element with `id` = `key`: `c4` for cell 4, `parameters` for those of the run."""

    key: str
    html: str
    cell: ShownCell


def fragments(
    notebook: Notebook, links: Links = NO_LINKS, only: Collection[int | None] | None = None
) -> list[Fragment]:
    """The cells in order, all or those numbers; nbflow's banner is not among them, for `banner_html` says it better."""
    language = language_of(notebook)
    return [
        Fragment(key_of(cell.number), cell_html(cell, language, links), cell)
        for cell in cells_of(notebook)
        if only is None or cell.number in only
    ]


def cell_html(cell: ShownCell, language: str, links: Links = NO_LINKS) -> str:
    key = key_of(cell.number)
    if cell.kind == "markdown":
        inside = f'<div class="nbx-markdown">{markdown_html(cell.source, cell.attachments)}</div>'
    elif cell.kind == "code":
        inside = _title(cell, key) + source_html(cell.source, language) + _outputs(cell, key, links)
    else:
        inside = f'<pre class="nbx-raw">{escape(cell.source)}</pre>'
    return (
        f'<section class="nbx-cell nbx-{_kind(cell)}" id="{key}" aria-label="{escape(cell.title)}">{inside}</section>'
    )


def folded(cells: Sequence[Fragment], failing: str | None) -> str:
    """The whole notebook; what stands above the failing cell is folded away, what comes after it stays open."""
    at = next((at for at, each in enumerate(cells) if each.key == failing), 0)
    above, rest = cells[:at], "".join(each.html for each in cells[at:])
    if not above:
        return rest
    seconds = sum(each.cell.seconds or 0 for each in above)
    said = f"{counted(len(above), 'cell')} before it, {seconds_text(seconds)}"
    return f'<details class="nbx-above"><summary>{said}</summary>{_html(above)}</details>{rest}'


@lru_cache(maxsize=1024)  # a live view renders the same sources again and again
def source_html(source: str, language: str) -> str:
    from pygments import highlight

    if not source.strip():
        return ""
    is_long = len(source) > LONGEST_SOURCE
    html = escape(source) if is_long else highlight(source, _lexer(language), _formatter())
    return f'<pre class="nbx-source" tabindex="0">{html}</pre>'


@cache
def _formatter() -> Formatter:
    from pygments.formatters.html import HtmlFormatter

    return HtmlFormatter(nowrap=True, classprefix=PREFIX)


@cache
def _lexer(language: str) -> Lexer:
    from pygments.lexers import get_lexer_by_name
    from pygments.lexers.special import TextLexer
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return TextLexer(stripnl=False)


def _html(cells: Iterable[Fragment]) -> str:
    return "".join(each.html for each in cells)


def key_of(number: int | None) -> str:
    """Of a cell by its number in the source; None for the cell with the parameters of the run."""
    return "parameters" if number is None else f"c{number}"


def _kind(cell: ShownCell) -> str:
    if cell.kind != "code":
        return cell.kind if cell.kind == "markdown" else "raw"
    return f"code nbx-{cell.state or 'unknown'}{' nbx-injected' if cell.number is None else ''}"


def _title(cell: ShownCell, key: str) -> str:
    return f'<p class="nbx-title"><a href="#{key}">{escape(cell.title)}</a></p>'


def _outputs(cell: ShownCell, key: str, links: Links) -> str:
    shown = [output_html(output, key, place, links) for place, output in enumerate(cell.outputs[:MOST_OUTPUTS])]
    if left_out := len(cell.outputs) - MOST_OUTPUTS if len(cell.outputs) > MOST_OUTPUTS else 0:
        shown.append(f'<p class="nbx-note">{counted(left_out, "more output")}: they are in the notebook.</p>')
    html = "".join(shown)
    return f'<div class="nbx-outputs">{html}</div>' if html else ""
