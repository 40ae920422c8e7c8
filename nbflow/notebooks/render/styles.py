"""The style sheets: of the cells, for any page that has the colours of the app as variables; and of the page alone."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def stylesheet() -> str:
    """Of the cells. It reads the app's variables, `--nb-text`, `--nb-failed` and so on."""
    return _read("cells.css")


@cache
def page_style() -> str:
    """Of a page that stands alone; it brings the variables."""
    return _read("page.css") + stylesheet()


def _read(name: str) -> str:
    return (files("nbflow.notebooks.render") / name).read_text(encoding="utf-8")
