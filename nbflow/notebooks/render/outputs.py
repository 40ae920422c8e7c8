"""One output of a cell as HTML. Nothing is active: what needs a script is a place for a frame, with a fallback."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from nbflow.notebooks.render.clean import NO_DESCRIPTION, clean, image_source, needs_frame
from nbflow.notebooks.render.markdown import markdown_html
from nbflow.notebooks.render.terminal import terminal_html
from nbflow.notebooks.texts import overwritten, text_of
from nbflow.text import size_text

LARGEST_TEXT, LARGEST_HTML, LARGEST_IMAGE = 60_000, 90_000, 4_000_000
"""Characters of one output that a page shows."""

IMAGES = ("image/svg+xml", "image/png", "image/jpeg", "image/gif", "image/webp")
_ACTIVE = (
    "application/vnd.plotly.v1+json",
    "application/vnd.bokehjs_exec.v0+json",
    "application/javascript",
    "text/javascript",
)


_LOADS = "application/vnd.bokehjs_load.v0+json"


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of an output, by the key of its cell and its place in it, from 0; None where there is no server.

    `whole`: the output as a file. `frame`: the page that `frame_page` makes of it.
    """

    whole: Callable[[str, int], str] | None = None
    frame: Callable[[str, int], str] | None = None


NO_LINKS = Links()


def output_html(output: Mapping[str, Any], key: str, place: int, links: Links = NO_LINKS) -> str:
    match output["output_type"]:
        case "stream":
            kind = "nbx-stderr" if output["name"] == "stderr" else "nbx-stdout"
            return _terminal(text_of(output["text"]), kind, _whole(links, key, place))
        case "error":
            said = "\n".join(map(str, output["traceback"])) or f"{output['ename']}: {output['evalue']}"
            return _terminal(text_of(said), "nbx-traceback", _whole(links, key, place))
    data = {mime: value for mime, value in output["data"].items() if value is not None}
    if _LOADS in data:
        return ""  # a library that the next outputs need, and that a frame has
    if is_active(data):
        return _frame(data, key, place, links)
    return _still(data, _whole(links, key, place))


def is_active(data: Mapping[str, Any]) -> bool:
    """It needs a script, or a style sheet of its own, to look as it was meant."""
    html = text_of(data.get("text/html", ""))
    return any(mime in data for mime in _ACTIVE) or needs_frame(html[:LARGEST_HTML] + html[-LARGEST_HTML:])


def _frame(data: Mapping[str, Any], key: str, place: int, links: Links) -> str:
    rest = {mime: value for mime, value in data.items() if mime not in _ACTIVE}
    if "<script" in text_of(rest.get("text/html", ""))[:LARGEST_HTML].lower() and len(rest) > 1:
        del rest["text/html"]  # its plain form says more than what is left of it
    still = _still(rest, _whole(links, key, place)) if rest else ""
    if links.frame is None:
        return f'{still}<p class="nbx-note">Shown without its scripts and styles; the notebook has them.</p>'
    address = escape(links.frame(key, place))
    return (
        f'<div class="nbx-frame" data-frame="{address}">{still}'
        f'<p class="nbx-note"><a href="{address}" target="_blank" rel="noopener">Show it interactively</a></p></div>'
    )


def _still(data: Mapping[str, Any], whole: str) -> str:
    """The best representation that needs no script."""
    if "text/html" in data:
        return _html(text_of(data["text/html"]), whole)
    if "text/markdown" in data:
        text, note = _cut(text_of(data["text/markdown"]), LARGEST_TEXT, whole)
        return f'<div class="nbx-html">{markdown_html(text)}</div>{note}'
    for mime in IMAGES:
        if mime in data and (shown := _image(mime, text_of(data[mime]), whole, text_of(data.get("text/plain", "")))):
            return shown
    for mime in ("text/latex", "text/plain"):
        if mime in data:
            return _terminal(text_of(data[mime]), "nbx-text", whole)
    return f'<p class="nbx-note">[{escape(text_of(", ".join(data)))}]{f" {whole}" if whole else ""}</p>' if data else ""


def _terminal(text: str, kind: str, whole: str) -> str:
    text, note = _cut(overwritten(text), LARGEST_TEXT, whole)
    return f'<pre class="{kind}" tabindex="0">{terminal_html(text)}</pre>{note}' if text.strip() else ""


def _html(html: str, whole: str) -> str:
    if len(html) <= LARGEST_HTML:
        return f'<div class="nbx-html" tabindex="0">{clean(html)}</div>'
    # only the beginning: what closes a table, or is left of one, would stand anywhere
    shown = html[: html.rfind("<", 0, LARGEST_HTML) + 1].removesuffix("<")
    return f'<div class="nbx-html" tabindex="0">{clean(shown)}</div>{_note("the beginning", html, whole)}'


def _image(mime: str, data: str, whole: str, alternative: str) -> str:
    if len(data) > LARGEST_IMAGE:
        return _note("no picture", data, whole)
    source = image_source(mime, data)
    name = " ".join(alternative.split())[:200] or NO_DESCRIPTION
    return f'<img class="nbx-image" alt="{escape(name)}" src="{source}">' if source else ""


def _cut(text: str, most: int, whole: str) -> tuple[str, str]:
    """The text with its middle cut out, and a note that says so."""
    if len(text) <= most:
        return text, ""
    half = most // 2
    left_out = f"\n\n… {len(text) - most:,} characters left out …\n\n"
    return text[:half] + left_out + text[-half:], _note("beginning and end", text, whole)


def _note(shown: str, of: str, whole: str) -> str:
    return f'<p class="nbx-note">Large output, {size_text(len(of))}: {shown} shown here. {whole}</p>'


def _whole(links: Links, key: str, place: int) -> str:
    if links.whole is None:
        return ""
    return f'<a href="{escape(links.whole(key, place))}">Open the whole output</a>'


def whole_output(output: Mapping[str, Any]) -> tuple[str, bytes]:
    """An output as a file: its media type, which no browser runs, and its content. To be sent as a download."""
    match output["output_type"]:
        case "stream":
            return _PLAIN, text_of(output["text"]).encode()
        case "error":
            return _PLAIN, text_of("\n".join(map(str, output["traceback"]))).encode()
    data = output["data"]
    for mime in IMAGES[1:]:
        if mime in data:
            return mime, _decoded(text_of(data[mime]))
    best = next((mime for mime in ("text/html", "image/svg+xml", "text/markdown", "text/plain") if mime in data), "")
    return _PLAIN, text_of(data.get(best, data)).encode()


_PLAIN = "text/plain; charset=utf-8"


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data)
    except ValueError:
        return data.encode()
