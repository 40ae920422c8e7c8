"""Outputs that need a script, each as a page of its own for an `<iframe sandbox="allow-scripts">`.

Such a page has an origin of its own and a policy under which it reaches nobody: it cannot read a cookie, call the
server, open a window or leave its frame. What it loads are the libraries that the server itself offers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from nbflow.notebooks.texts import text_of

_PLOTLY, _BOKEH = "application/vnd.plotly.v1+json", "application/vnd.bokehjs_exec.v0+json"

_HEIGHT = """
new ResizeObserver(() => parent.postMessage({nbx: "height", height: document.body.scrollHeight}, "*"))
  .observe(document.body)
"""

_STYLE = "body{display:flow-root;margin:0;background:#fff;font:14px system-ui,sans-serif}"


@dataclass(frozen=True, slots=True)
class Libraries:
    """Addresses of scripts that the server offers; empty where it has none."""

    plotly: tuple[str, ...] = ()
    bokeh: tuple[str, ...] = ()


def frame_policy(origin: str) -> str:
    """The Content-Security-Policy of a frame; `origin` is the server's, whose scripts it may load."""
    return (
        f"sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' {origin}; "
        "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; connect-src 'none'; form-action 'none'; "
        "base-uri 'none'; frame-ancestors 'self'"
    )


def frame_page(outputs: Sequence[Mapping[str, Any]], place: int, libraries: Libraries) -> str:
    """The whole page of one output of a cell; it tells its parent how high it is: `{nbx: "height", height}`.

    To be sent with `frame_policy`, or it is not safe.
    """
    data = outputs[place].get("data", {})
    scripts, body = _content(data, _element(outputs[:place]) if _BOKEH in data else "", libraries)
    loaded = "".join(f'<script src="{escape(address)}"></script>' for address in scripts)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Output of a notebook</title>'
        f'<meta name="color-scheme" content="light"><style>{_STYLE}</style>{loaded}</head>'
        f"<body>{body}<script>{_HEIGHT}</script></body></html>"
    )


def _element(before: Sequence[Mapping[str, Any]]) -> str:
    """Bokeh shows the element that its script fills as an output of its own."""
    html = (output["data"]["text/html"] for output in reversed(before) if "text/html" in output.get("data", {}))
    return text_of(next(html, ""))


def _content(data: Mapping[str, Any], element: str, libraries: Libraries) -> tuple[tuple[str, ...], str]:
    """What is to be loaded first, and the body."""
    if _PLOTLY in data and libraries.plotly:
        return libraries.plotly, _plotly(data[_PLOTLY])
    html = element + text_of(data.get("text/html", ""))
    script = "".join(text_of(data[mime]) for mime in ("application/javascript", "text/javascript") if mime in data)
    body = f"{html}<script>{_in_script(script)}</script>" if script else html
    return (libraries.bokeh if _BOKEH in data or "Bokeh" in html else ()), body


def _plotly(figure: Mapping[str, Any]) -> str:
    shown = {name: figure.get(name, kind) for name, kind in (("data", []), ("layout", {}), ("config", {}))}
    text = _in_script(json.dumps({**shown, "config": {**shown["config"], "responsive": True}}))
    return f'<div id="plot"></div><script>Plotly.newPlot("plot", {text})</script>'


def _in_script(text: str) -> str:
    """Text that neither ends its script element nor opens a comment in it; in a string it means the same."""
    return _ENDS.sub(r"<\\\1", text)


_ENDS = re.compile(r"<(/script|!--)", re.IGNORECASE)
