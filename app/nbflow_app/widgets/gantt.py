"""When the tasks of a run were busy, as bars: a row for each task, a bar for each attempt, and what is still expected.

Bars that run grow by the browser's own clock, counted from the server's time; the server sends only what changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import nan
from typing import Any

from bokeh.core.properties import value
from bokeh.models import (
    AdaptiveTicker,
    CustomJS,
    CustomJSTickFormatter,
    Dodge,
    FixedTicker,
    GlyphRenderer,
    HoverTool,
    PanTool,
    Range1d,
    Rect,
    Span,
    TapTool,
)
from bokeh.plotting import figure

from nbflow.states import AttemptState, TaskState
from nbflow.text import took
from nbflow_app import theme
from nbflow_app.widgets import looks
from nbflow_app.widgets.rows import Rows

ROW, MOST_ROWS, NAME_WIDTH = 24, 24, 150
"""Pixels of a row; rows that are seen at once; pixels for the name of a task."""

RUNS = -1.0
"""The end of an attempt that has none yet."""

_TELL_SECONDS = """
  const whole = (seconds, unit, name) => `${Math.round(seconds / unit * 10) / 10} ${name}`
  if (tick < 0) return ""
  if (tick < 60) return whole(tick, 1, "s")
  return tick < 7200 ? whole(tick, 60, "min") : whole(tick, 3600, "h")
"""


_SPAN = ("y", "x", "width")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """An attempt of a task; `end` is None while it runs."""

    task: str
    number: int
    state: AttemptState
    start: datetime
    end: datetime | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a run stands: its attempts, and what is expected."""

    now: datetime
    bars: Sequence[Bar]
    rest: Mapping[str, tuple[datetime, datetime]] = field(default_factory=dict)
    """When each unfinished task began or will begin, and will end."""
    critical: Collection[str] = ()
    """The tasks that decide when the run ends."""


class Gantt:
    """`figure` goes into the page; `update` says how the run stands now.

    `tasks` are the rows from the top; `begin` is the left end of the axis, which counts from there. Attempts that had
    ended by then are left out: what a repair does days later is a picture of its own. A tap on a bar opens `link`
    followed by the name of its task.
    """

    def __init__(self, tasks: Sequence[str], begin: datetime, course: Course, *, link: str = "") -> None:
        self._row = {task: -at for at, task in enumerate(tasks)}
        self._begin = begin
        self._attempts = Rows(
            self._bars(course), numbers=(*_SPAN, "left", "end"), texts=("name", "state", "detail", "why")
        )
        self._plans = Rows(self._planned(course), numbers=_SPAN, texts=())
        self._critical = Rows(self._deciding(course), numbers=_SPAN, texts=())
        self._x = Range1d(0, self._last(course) * 1.05, min_interval=2, syncable=False)
        self._now = Span(location=self._at(course.now), dimension="height", line_dash="dashed", syncable=False)
        self._now.visible = _is_live(course)
        self.figure = self._draw(course, link)

    def update(self, course: Course) -> None:
        self._attempts.put(self._bars(course))
        self._plans.put(self._planned(course))
        self._critical.put(self._deciding(course))
        self._now.visible = _is_live(course)
        if (last := self._last(course)) > self._x.end:
            self._x.end = last * 1.25

    # --- rows -----------------------------------------------------------------------------------------------------

    def _at(self, when: datetime) -> float:
        """Seconds from the beginning, in tenths."""
        return round((when - self._begin).total_seconds(), 1)

    def _shown(self, course: Course) -> list[Bar]:
        return [bar for bar in course.bars if bar.task in self._row and (bar.end is None or bar.end > self._begin)]

    def _bars(self, course: Course) -> dict[Any, dict[str, Any]]:
        return {(bar.task, bar.number): self._bar(bar) for bar in self._shown(course)}

    def _bar(self, bar: Bar) -> dict[str, Any]:
        """The browser gives an attempt that runs its width."""
        left, end = self._at(bar.start), RUNS if bar.end is None else self._at(bar.end)
        duration = took(bar.start, bar.end) if bar.end else ""
        said = (theme.label_of(bar.state), duration, f"attempt {bar.number}" if bar.number > 1 else "")
        return {
            **self._span(bar.task, left, max(left, end)),
            "left": left,
            "end": end,
            "name": bar.task,
            "state": f"@{_as_task(bar.state)}",
            "detail": " · ".join(filter(None, said)),
            "why": bar.why,
        }

    def _planned(self, course: Course) -> dict[Any, dict[str, Any]]:
        spans = {task: map(self._at, course.rest[task]) for task in self._row if task in course.rest}
        return {task: self._span(task, *spans.get(task, (nan, nan))) for task in self._row}

    def _deciding(self, course: Course) -> dict[Any, dict[str, Any]]:
        """From the first attempt of a critical task to its end, or to the end that is expected."""
        times: dict[str, list[float]] = {task: [] for task in self._row}
        for bar in self._shown(course):
            if bar.task in course.critical:
                times[bar.task] += [self._at(each) for each in (bar.start, bar.end) if each]
        for task, span in course.rest.items():
            if task in course.critical and task in times:
                times[task] += map(self._at, span)
        return {
            task: self._span(task, min(known, default=nan), max(known, default=nan)) for task, known in times.items()
        }

    def _span(self, task: str, left: float, right: float) -> dict[str, Any]:
        return {"y": self._row[task], "x": round((left + right) / 2, 2), "width": round(right - left, 1)}

    def _last(self, course: Course) -> float:
        times = [*(end for _, end in course.rest.values()), *(bar.end for bar in course.bars if bar.end), course.now]
        return max(10.0, *map(self._at, times))

    # --- what is drawn --------------------------------------------------------------------------------------------

    def _draw(self, course: Course, link: str) -> figure:
        seen = min(MOST_ROWS, max(1, len(self._row)))
        first = self._first_row(course, seen)
        y = Range1d(0.4 - first - seen, 0.6 - first, bounds=(0.4 - len(self._row), 0.6), syncable=False)
        plot = looks.canvas(
            height=seen * ROW + 110, x_range=self._x, y_range=y, x_axis_type="linear", y_axis_type="linear"
        )
        _dress(plot, list(self._row))
        mappers = looks.Mappers()
        plot.add_layout(self._now)
        drawn = {
            "plans": plot.add_glyph(self._plans.source, _bar(0.5, hatch_pattern="/", hatch_scale=7, hatch_alpha=0.7)),
            "attempts": _attempts(plot, self._attempts, mappers),
            "critical": plot.add_glyph(self._critical.source, _bar(0.09, -0.42)),
        }
        script = CustomJS(
            args={
                **drawn,
                **mappers.args(),
                "plot": plot,
                "axes": [*plot.xaxis, *plot.yaxis],
                "grid": plot.xgrid[0],
                "now": self._now,
                "started": self._at(course.now),
                "link": link,
            },
            code=looks.script("theme.js", "gantt.js"),
        )
        for name, renderer in drawn.items():
            renderer.name = name
        _add_tools(plot, drawn["attempts"], script)
        return plot

    def _first_row(self, course: Course, seen: int) -> int:
        """The row at the top, such that what failed or runs is in sight."""
        wanted = {AttemptState.FAILED, AttemptState.LOST, AttemptState.RUNNING}
        rows = [-self._row[bar.task] for bar in self._shown(course) if bar.state in wanted]
        return min(max(0, min(rows, default=0) - seen // 2), max(0, len(self._row) - seen))


def _is_live(course: Course) -> bool:
    return bool(course.rest) or any(bar.end is None for bar in course.bars)


def _as_task(state: AttemptState) -> TaskState:
    return TaskState.FAILED if state is AttemptState.LOST else TaskState(state)


def _dress(plot: figure, tasks: Sequence[str]) -> None:
    """Names on the left, time below; colours come with the theme."""
    plot.ygrid.visible = False
    axis = plot.yaxis[0]
    axis.ticker = FixedTicker(ticks=[-at for at in range(len(tasks))])
    axis.major_label_overrides = {-at: looks.fitted(name, NAME_WIDTH, size=12) for at, name in enumerate(tasks)}
    plot.xaxis[0].ticker = AdaptiveTicker(base=60, mantissas=[1, 2, 5, 10, 15, 30], min_interval=1, desired_num_ticks=5)
    plot.xaxis[0].formatter = CustomJSTickFormatter(code=_TELL_SECONDS)
    plot.xaxis[0].axis_label = "underlined: critical path · hatched: expected"
    plot.xaxis[0].axis_label_text_font, plot.xaxis[0].axis_label_text_font_size = looks.FONT, "11px"
    plot.xaxis[0].axis_label_text_font_style = "normal"
    for each in (axis, plot.xaxis[0]):
        each.axis_line_color = each.major_tick_line_color = each.minor_tick_line_color = None
        each.major_label_text_font, each.major_label_text_font_size = looks.FONT, "12px"
        each.syncable = False


def _attempts(plot: figure, rows: Rows, mappers: looks.Mappers) -> GlyphRenderer:
    def bar(height: float) -> Rect:
        return _bar(height, border_radius=3, fill_color=mappers.line("state"))

    glyphs = {"hover_glyph": bar(0.74), "selection_glyph": bar(0.56), "nonselection_glyph": None}
    return plot.add_glyph(rows.source, bar(0.56), **glyphs)


def _bar(height: float, dodge: float = 0, /, **looks_like: Any) -> Rect:
    """Bokeh's own HBar would draw on the edge of the frame what lies beyond it."""
    y = {"field": "y", "transform": Dodge(value=dodge)}
    size = {"width": "width", "height": value(height)}
    return Rect(x="x", y=y, line_color=None, syncable=False, **size, **looks_like)


def _add_tools(plot: figure, attempts: GlyphRenderer, script: CustomJS) -> None:
    hover = HoverTool(
        renderers=[attempts], tooltips=looks.tooltip("name", "detail", "why"), attachment="vertical", visible=False
    )
    pan, tap = PanTool(visible=False), TapTool(renderers=[attempts], callback=script, visible=False)
    closer, wider, *_ = looks.buttons(fit="", find="")
    closer.dimensions = wider.dimensions = "width"
    plot.add_tools(pan, tap, hover, closer, wider)
    plot.toolbar.active_drag = pan
    plot.js_on_change("inner_width", script)
