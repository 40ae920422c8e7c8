"""What the graph and the editor's canvas share: the look of a task's box, and the texts and icons in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.core.properties import value
from bokeh.models import Bezier, ColumnDataSource, Dodge, Glyph, GlyphRenderer, Scatter, Text
from bokeh.plotting import figure

from nbflow_app.layout import HEIGHT, WIDTH
from nbflow_app.theme import Icon
from nbflow_app.widgets import looks

ICON_AT, TEXT_AT, TEXT_WIDTH = 21, 40, 132
"""Pixels from the left side of a box; and what is left for the text."""

NAME_SIZE, DETAIL_SIZE = 13, 11
"""Pixels of the two lines of text."""

MEASURES = {
    "boxSize": [WIDTH, HEIGHT],
    "iconAt": ICON_AT - WIDTH / 2,
    "nameSize": NAME_SIZE,
    "detailSize": DETAIL_SIZE,
    "textWidth": TEXT_WIDTH,
}
"""All of these for the scripts; places are counted from the middle of a box."""

BOX = {"width": WIDTH, "height": HEIGHT, "border_radius": 9}

SCRIPTS = ("theme.js", "sight.js", "minimap.js", "boxes.js")
"""What the scripts of both begin with."""


def add(plot: figure, source: ColumnDataSource, glyph: Glyph, **glyphs: Glyph) -> GlyphRenderer:
    """Chosen boxes stand out by their line; nothing else changes where something is chosen."""
    return plot.add_glyph(source, glyph, nonselection_glyph=None, **{"selection_glyph": None, **glyphs})


def curve(width: float) -> Bezier:
    """An edge, or a piece of one, that leaves and arrives level: `middle` is the x of both control points."""
    ends = {"x0": "x0", "y0": "y0", "x1": "x1", "y1": "y1"}
    return Bezier(cx0="middle", cy0="y0", cx1="middle", cy1="y1", line_width=width, syncable=False, **ends)


def arrows() -> Scatter:
    return Scatter(x="x", y="y", marker="triangle", angle=-np.pi / 2, line_color=None, syncable=False)


def icon(column: str, icons: dict[str, Icon], line: dict[str, Any], fill: dict[str, Any]) -> Scatter:
    return Scatter(
        x=from_left(ICON_AT),
        y="y",
        marker=column,
        defs={name: looks.marker(icon) for name, icon in icons.items()},
        line_color=line,
        fill_color=fill,
        line_cap="round",
        line_join="round",
        syncable=False,
    )


def text(column: str, up: float, *, bold: bool = False) -> Text:
    return Text(
        x=from_left(TEXT_AT),
        y={"field": "y", "transform": Dodge(value=up)},
        text=column,
        text_font=value(looks.FONT),
        text_font_style="bold" if bold else "normal",
        text_baseline="middle",
        syncable=False,
    )


def from_left(pixels: float) -> dict[str, Any]:
    """The x of what stands so far from the left side of its box."""
    return {"field": "x", "transform": Dodge(value=pixels - WIDTH / 2)}
