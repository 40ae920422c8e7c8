"""The style sheets: of the cells, for any page that has the colours of the app as variables; and of the page alone."""

from __future__ import annotations

from importlib.resources import files


def stylesheet() -> str:
    """Of the cells. It reads the app's variables, `--nb-text`, `--nb-failed` and so on."""
    return _CELLS


def page_style() -> str:
    """Of a page that stands alone; it brings the variables."""
    return _PAGE + _CELLS


_CELLS, _PAGE = (
    (files("nbflow.notebooks.render") / name).read_text(encoding="utf-8") for name in ("cells.css", "page.css")
)
"""Read with the code that they belong to."""
