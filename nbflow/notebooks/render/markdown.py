"""Markdown as HTML, its attachments as pictures. HTML inside it is cleaned; nothing is loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from nbflow.notebooks.render.clean import clean, image_source
from nbflow.notebooks.texts import text_of

if TYPE_CHECKING:
    from markdown_it import MarkdownIt


def markdown_html(source: str, attachments: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    parser = _parser()
    tokens = parser.parse(source)
    for token in tokens:
        for child in token.children or ():
            if child.type == "image":
                child.attrSet("src", _attached(str(child.attrGet("src")), attachments or {}))
    return clean(parser.renderer.render(tokens, parser.options, {}))


def _attached(address: str, attachments: Mapping[str, Mapping[str, Any]]) -> str:
    """`attachment:plot.png` → the picture itself."""
    name = unquote(address.removeprefix("attachment:")) if address.startswith("attachment:") else ""
    data = attachments.get(name, {})
    return next((source for mime, value in data.items() if (source := image_source(mime, text_of(value)))), address)


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
