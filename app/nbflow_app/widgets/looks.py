"""What the drawings share: colours that follow the theme in the browser, icons as markers, texts that fit."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from bokeh.models import CategoricalColorMapper, CustomAction, CustomJS, ZoomInTool, ZoomOutTool
from bokeh.plotting import figure

from nbflow.states import TaskState
from nbflow_app import theme
from nbflow_app.theme import Icon, Shade

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"

_NARROW, _WIDE = frozenset("iljtfr.,:;'|! ()[]-"), frozenset("mwMWQO@%")


class Mappers:
    """State → colour. The browser gives them the colours of its theme."""

    def __init__(self) -> None:
        states = [f"@{state}" for state in TaskState]
        self._line, self._fill, self._solid = (
            CategoricalColorMapper(factors=states, palette=["#8A95A5"] * len(states), syncable=False) for _ in range(3)
        )

    def line(self, column: str) -> dict[str, Any]:
        return {"field": column, "transform": self._line}

    def fill(self, column: str) -> dict[str, Any]:
        return {"field": column, "transform": self._fill}

    def solid(self, column: str) -> dict[str, Any]:
        """The line's colour for icons that are filled; nothing for the others."""
        return {"field": column, "transform": self._solid}

    def args(self) -> dict[str, Any]:
        """For a script: the mappers and, for each theme, the colours."""
        mappers = {"lineColours": self._line, "fillColours": self._fill, "solidColours": self._solid}
        return {**mappers, "themes": themes()}


def themes() -> dict[str, Any]:
    """Light and dark → the colours; those of the states in the order of TaskState."""
    return {screen: _colours(screen) for screen in ("light", "dark")}


def _colours(screen: str) -> dict[str, Any]:
    def of(shade: Shade) -> str:
        return str(getattr(shade, screen))

    states = [theme.look_of(state) for state in TaskState]
    return {
        "line": [of(look.line) for look in states],
        "fill": [of(look.fill) for look in states],
        "solid": [of(look.line) if look.icon.is_solid else "#00000000" for look in states],
        "paper": of(theme.PAPER),
        "raised": of(theme.RAISED),
        "text": of(theme.TEXT),
        "dim": of(theme.DIM),
        "arrow": of(theme.ARROW),
        "edge": of(theme.EDGE),
        "accent": of(theme.ACCENT),
    }


def canvas(**settings: Any) -> figure:
    """An empty figure as wide as its place, without anything of Bokeh's own."""
    plain = {
        "sizing_mode": "stretch_width",
        "tools": "",
        "x_axis_type": None,
        "y_axis_type": None,
        "toolbar_location": "above",
        "output_backend": "canvas",
        "min_border": 2,  # at 0 a column of pixels outside of the frame is never cleared
        "outline_line_color": None,
        "background_fill_color": None,
        "border_fill_color": None,
        "lod_threshold": None,
    }
    plot = figure(**{**plain, **settings})
    plot.toolbar.logo = None
    plot.toolbar.stylesheets = [_FOCUS]
    return plot


_FOCUS = ":host > *:focus-visible { outline: 2px solid var(--nb-accent); }"
"""Bokeh's own is a pale dotted line."""


def buttons(*, fit: str, find: str) -> tuple[ZoomInTool, ZoomOutTool, CustomAction, CustomAction]:
    """What can be done to a drawing without a mouse wheel."""
    return (
        *zooms(),
        CustomAction(icon="maximize", description=fit),
        CustomAction(icon="crosshair", description=find),
    )


def zooms() -> tuple[ZoomInTool, ZoomOutTool]:
    return ZoomInTool(factor=0.25, description="Zoom in"), ZoomOutTool(factor=0.25, description="Zoom out")


def tooltip(*columns: str) -> str:
    """A line for each column, the first one in bold; Bokeh shows their text as text. An empty one takes no place."""
    lines = (
        f'<div style="{_LINE}{"" if at else "font-weight:600"}">@{{{name}}}</div>' for at, name in enumerate(columns)
    )
    return f'<div style="max-width:24rem;font:13px/1.4 var(--nb-font)">{"".join(lines)}</div>'


_LINE = "overflow-wrap:anywhere;white-space:pre-wrap;"


def marker(icon: Icon) -> CustomJS:
    """The icon as a marker of Bokeh's Scatter."""
    return CustomJS(args={"path": icon.path}, code=script("marker.js"))


def script(*names: str) -> str:
    """Files of this package, one after the other, as one module."""
    return "".join(_SCRIPTS[name] for name in names)


_SCRIPTS = {
    each.name: each.read_text(encoding="utf-8")
    for each in files("nbflow_app.widgets").iterdir()
    if each.name.endswith(".js")
}
"""Read with the code that they belong to."""


BOLD = 1.12
"""How much wider bold letters are."""


def fitted(text: str, width: float, *, size: float, bold: bool = False) -> str:
    """The text, or its beginning and its end around an ellipsis, in `width` pixels at a font of `size` pixels."""
    if _width(text) * size * (BOLD if bold else 1) <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        shorter = f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"
        if _width(shorter) * size * (BOLD if bold else 1) <= width:
            return shorter
    return text[:1] + "…"


def _width(text: str) -> float:
    """About how wide it is, in ems, in the fonts that systems use."""
    return sum(
        0.34 if letter in _NARROW else 0.92 if letter in _WIDE else 0.66 if letter.isupper() else 0.6 for letter in text
    )
