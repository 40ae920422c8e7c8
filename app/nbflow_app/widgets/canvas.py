"""The canvas of the editor: tasks as boxes that are moved, connected and chosen, by hand or by keys.

The server sends it once, empty. It shows the sheets that the page gives it, and tells the page what its hands ask for
(`canvas.js`); by Bokeh's websocket nothing comes back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bokeh.core.properties import value
from bokeh.models import (
    Bezier,
    BoxAnnotation,
    ColumnDataSource,
    CustomAction,
    CustomJS,
    Dodge,
    Glyph,
    GlyphRenderer,
    HoverTool,
    Range1d,
    Rect,
    Scatter,
    Text,
    WheelZoomTool,
)
from bokeh.plotting import figure

from nbflow.states import TaskState
from nbflow_app import theme
from nbflow_app.layout import HEIGHT, WIDTH
from nbflow_app.widgets import boxes, looks

SCRIPTS = ("routes.js", "names.js", "board.js", "picture.js", "acts.js", "hands.js", "keys.js", "canvas.js")

_PLACES = ("x", "y")
_EDGES = ("x0", "y0", "cx0", "cy0", "cx1", "cy1", "x1", "y1")
_TASKS = (
    *_PLACES,
    *("name", "label", "detail", "why", "icon", "problems"),
    *("line", "width", "dash", "fill", "icon_line", "solid", "badge", "mark"),
)


def canvas() -> figure:
    """The canvas, as large as its place."""
    plot = looks.canvas(
        sizing_mode="stretch_both",
        min_height=240,
        x_range=Range1d(0, 1, syncable=False),
        y_range=Range1d(0, 1, syncable=False),
    )
    drawn = _draw(plot)
    lasso = BoxAnnotation(
        level="overlay", visible=False, fill_alpha=0.08, line_alpha=1, line_dash="dashed", syncable=False
    )
    plot.add_layout(lasso)
    _add_tools(plot, drawn, lasso)
    return plot


def _draw(plot: figure) -> dict[str, GlyphRenderer]:
    """Its glyphs, from the back to the front."""
    edge, arrow, task = _curve(1.5), boxes.arrows(), _task()
    telling = Rect(x="x", y="y", fill_alpha=0, line_alpha=0, syncable=False, **boxes.BOX)
    bottom = [
        (_EDGES, {"edges": edge}),
        (_PLACES, {"arrows": arrow}),
        (_TASKS, task),
        ((*_PLACES, "name", "why"), {"telling": telling}),
    ]
    top = [
        (_EDGES, {"topEdges": edge, "chosenEdge": _curve(3)}),
        (_PLACES, {"topArrows": arrow, "chosenArrow": boxes.arrows()}),
        (_TASKS, {f"top{name.capitalize()}": glyph for name, glyph in task.items()}),
        (_EDGES, {"rubber": _curve(2.5, line_dash="dashed")}),
        (_PLACES, {"tip": boxes.arrows(), "lit": _port()}),
    ]
    drawn = {}
    for layer, level in ((bottom, "glyph"), (top, "overlay")):
        for columns, glyphs in layer:
            shared = _source(columns)
            for name, glyph in glyphs.items():
                drawn[name] = boxes.add(plot, shared if columns is _TASKS else _source(columns), glyph)
                drawn[name].level = level
    return drawn


def _add_tools(plot: figure, drawn: dict[str, GlyphRenderer], lasso: BoxAnnotation) -> None:
    fit = CustomAction(icon="maximize", description="Show all tasks")
    hover = HoverTool(
        renderers=[drawn["telling"]],
        tooltips=looks.tooltip("name", "why"),
        attachment="vertical",
        point_policy="follow_mouse",
        visible=False,
        syncable=False,
    )
    script = CustomJS(
        args={
            **drawn,
            "plot": plot,
            "fit": fit,
            "hover": hover,
            "lasso": lasso,
            "themes": looks.themes(),
            "stateNames": [str(state) for state in TaskState],
            "font": looks.FONT,
            **boxes.MEASURES,
        },
        code=looks.script(*boxes.SCRIPTS, *SCRIPTS),
    )
    fit.callback = script
    wheel = WheelZoomTool(visible=False, zoom_on_axis=False, speed=1 / 500)
    plot.add_tools(wheel, hover, *looks.zooms(), fit)
    plot.toolbar.active_scroll = wheel
    plot.x_range.js_on_change("end", script)
    plot.js_on_change("inner_width", script)
    plot.js_on_change("inner_height", script)


# --- glyphs -------------------------------------------------------------------------------------------------------


def _source(columns: Iterable[str]) -> ColumnDataSource:
    return ColumnDataSource({column: [] for column in columns}, syncable=False)


def _curve(width: float, **line: Any) -> Bezier:
    return Bezier(**{part: part for part in _EDGES}, line_width=width, syncable=False, **line)


def _task() -> dict[str, Glyph]:
    icons = {f"@{state}": theme.look_of(state).icon for state in TaskState} | {"@notebook": theme.NOTEBOOK}
    return {
        "boxes": _box(),
        "icons": boxes.icon("icon", icons, {"field": "icon_line"}, {"field": "solid"}),
        "names": boxes.text("label", 8, bold=True),
        "details": boxes.text("detail", -9),
        "ports": _port(),
        "badges": _badge(),
        "counts": _count(),
    }


def _box() -> Rect:
    line = {"line_color": {"field": "line"}, "line_width": {"field": "width"}, "line_dash": {"field": "dash"}}
    return Rect(x="x", y="y", fill_color={"field": "fill"}, syncable=False, **boxes.BOX, **line)


def _port() -> Scatter:
    """Where edges begin that are drawn by hand."""
    return Scatter(x=boxes.from_left(WIDTH), y="y", line_width=1.5, syncable=False)


def _badge() -> Scatter:
    """At the corner of a task with problems."""
    shown = {"fill_alpha": {"field": "mark"}, "line_alpha": {"field": "mark"}}
    return Scatter(fill_color={"field": "badge"}, line_width=1.5, syncable=False, **_corner(), **shown)


def _count() -> Text:
    middle = {"text_align": "center", "text_baseline": "middle", "text_font_style": "bold"}
    return Text(text="problems", text_font=value(looks.FONT), syncable=False, **_corner(), **middle)


def _corner() -> dict[str, Any]:
    return {"x": boxes.from_left(WIDTH - 14), "y": {"field": "y", "transform": Dodge(value=HEIGHT / 2)}}
