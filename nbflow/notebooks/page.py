"""An executed notebook as one HTML file: no script, and no request to anywhere.

nbconvert renders; what notebooks bring as HTML is sanitised, and the page carries a policy that forbids the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import bleach
from bs4 import BeautifulSoup
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter

from nbflow.notebooks.document import BANNER, Cell, Notebook, tags_of
from nbflow.notebooks.show import shown_cell

TEMPLATES = Path(__file__).parent / "templates"

TAGS = {
    *("a", "abbr", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "del", "details", "div", "dl"),
    *(
        "dt",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "kbd",
        "li",
        "ol",
        "p",
        "pre",
        "q",
        "s",
        "small",
    ),
    *("span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul"),
}
ATTRIBUTES = frozenset({"align", "alt", "class", "colspan", "height", "rowspan", "title", "width"})

FIRST_CHOICE = (
    "text/html",
    "text/markdown",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "text/latex",
    "text/plain",
)
"""Which representation of an output is shown; those that need a script are not among them."""


def page(notebook: Notebook, *, title: str, state: str, facts: Mapping[str, str], failing_cell: int | None) -> str:
    """The whole page; `facts` stand below its title."""
    shown = deepcopy(notebook)
    shown.cells = [_prepared(cell) for cell in shown.cells if BANNER not in tags_of(cell)]
    about = {
        "title": title,
        "state": state,
        "facts": [(name, value) for name, value in facts.items() if value],
        "failing_cell": failing_cell,
        "css": _css(),
    }
    html, _ = _exporter().from_notebook_node(shown, resources={"page": about})
    return str(html)


def _exporter() -> HTMLExporter:
    log = logging.getLogger("nbflow.page")
    log.setLevel(logging.ERROR)  # nbconvert warns of every image that has no alternative text
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]  # traitlets makes its arguments
        template_name="log",
        extra_template_basedirs=[str(TEMPLATES)],
        sanitize_html=True,
        exclude_anchor_links=True,
        filters={"clean_html": clean},
        log=log,
    )
    exporter.config.NbConvertBase.display_data_priority = list(FIRST_CHOICE)
    return exporter


def clean(html: object) -> str:
    """HTML without scripts, styles, and whatever would load something."""
    soup = BeautifulSoup(html.decode() if isinstance(html, bytes) else str(html), "html.parser")
    for tag in soup(["script", "style", "template", "noscript", "title"]):
        tag.decompose()  # bleach takes off the tags and would leave their text
    cleaned = bleach.clean(str(soup), tags=TAGS, attributes=_is_allowed, protocols=_PROTOCOLS, strip=True)
    return str(cleaned)


_PROTOCOLS = frozenset({"http", "https", "mailto", "data"})


def _is_allowed(tag: str, name: str, value: str) -> bool:
    if (tag, name) == ("img", "src"):
        return value.startswith("data:image/")
    if (tag, name) == ("a", "href"):
        return value.startswith(("http://", "https://", "mailto:", "#"))
    return name in ATTRIBUTES


def _prepared(cell: Cell) -> Cell:
    """The cell with the title that the template shows."""
    cell.metadata["log_title"] = shown_cell(cell).title
    for output in cell.get("outputs", ()):
        if "data" in output:
            _choose(output["data"])
    return cell


def _choose(data: dict[str, Any]) -> None:
    """Leave what can be shown without a script; where there is nothing, say what it was."""
    if "<script" in data.get("text/html", "") and len(data) > 1:
        del data["text/html"]  # its plain form says more than what is left of it
    if not data.keys() & set(FIRST_CHOICE):
        data["text/plain"] = f"[{', '.join(data)}]"


def _css() -> str:
    light = HtmlFormatter(style="friendly", nobackground=True).get_style_defs(".highlight")
    return f"{(TEMPLATES / 'log' / 'page.css').read_text()}\n{light}"
