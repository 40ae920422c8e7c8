"""When the tasks of a run were busy, as bars: a row for each task, a bar for each attempt, and what is still expected.

Bars that run grow by the browser's own clock, counted from the server's time; the server sends only what changed.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
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
from nbflow_app.widgets.rows import Rows, Sheet

ROW, MOST_ROWS, NAME_WIDTH = 24, 24, 150
"""Pixels of a row; rows that are seen at once; pixels for the name of a task."""

SHORTEST = 2.0
"""Seconds of the shortest axis."""

RUNS = -1.0
"""The end of an attempt that has none yet."""

_TELL_SECONDS = """
  const both = (unit, name, part, of) => {
    const whole = Math.floor(tick / unit), rest = Math.round(tick % unit / part)
    return `${whole} ${name}${rest ? ` ${rest} ${of}` : ""}`
  }
  if (tick < 0) return ""
  if (tick < 120) return `${Math.round(tick)} s`
  return tick < 7200 ? both(60, "min", 1, "s") : both(3600, "h", 60, "min")
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Course:
    """How a run stands: its attempts, and what is expected. One object for all drawings of the run."""

    now: datetime
    """For one that has ended, its end."""
    is_over: bool
    bars: Sequence[Bar]
    rest: Mapping[str, tuple[datetime, datetime]] = field(default_factory=dict)
    """When each unfinished task began or will begin, and will end."""
    critical: Collection[str] = ()
    """The tasks that decide when the run ends."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The rows from the top, and where the time begins, from which it is counted in seconds."""

    tasks: tuple[str, ...]
    begin: datetime

    def at(self, when: datetime) -> float:
        """In tenths."""
        return round((when - self.begin).total_seconds(), 1)

    def span(self, row: int, left: float, right: float) -> dict[str, Any]:
        return {"y": -row, "x": round((left + right) / 2, 2), "width": round(right - left, 1)}


class Tables:
    """What is drawn of a course."""

    def __init__(self, axis: Axis, course: Course) -> None:
        self._axis, self._course = axis, course
        self._row = {task: at for at, task in enumerate(axis.tasks)}
        self.shown = [bar for bar in course.bars if bar.task in self._row and (bar.end is None or bar.end > axis.begin)]
        self.attempts = Sheet({(bar.task, bar.number): self._bar(bar) for bar in self.shown})
        self.plans = Sheet({task: self._planned(task) for task in axis.tasks})
        self.critical = Sheet(self._deciding())
        ends = (*(end for _, end in course.rest.values()), *(bar.end for bar in course.bars if bar.end), course.now)
        self.last = max(SHORTEST if course.is_over else 10.0, *map(axis.at, ends))

    def _bar(self, bar: Bar) -> dict[str, Any]:
        """The browser gives an attempt that runs its width."""
        left, end = self._axis.at(bar.start), RUNS if bar.end is None else self._axis.at(bar.end)
        duration = took(bar.start, bar.end) if bar.end else ""
        said = (theme.label_of(bar.state), duration, f"attempt {bar.number}" if bar.number > 1 else "")
        return {
            **self._axis.span(self._row[bar.task], left, max(left, end)),
            "left": left,
            "end": end,
            "name": bar.task,
            "state": f"@{_as_task(bar.state)}",
            "detail": " · ".join(filter(None, said)),
            "why": bar.why,
        }

    def _planned(self, task: str) -> dict[str, Any]:
        left, right = map(self._axis.at, self._course.rest[task]) if task in self._course.rest else (nan, nan)
        return self._axis.span(self._row[task], left, right)

    def _deciding(self) -> dict[Hashable, dict[str, Any]]:
        """From the first attempt of a critical task to its end, or to the end that is expected."""
        times: dict[str, list[float]] = {task: [] for task in self._axis.tasks}
        for bar in self.shown:
            if bar.task in self._course.critical:
                times[bar.task] += [self._axis.at(each) for each in (bar.start, bar.end) if each]
        for task, span in self._course.rest.items():
            if task in self._course.critical and task in times:
                times[task] += map(self._axis.at, span)
        return {
            task: self._axis.span(self._row[task], min(known, default=nan), max(known, default=nan))
            for task, known in times.items()
        }


@lru_cache(maxsize=4)
def tables(axis: Axis, course: Course) -> Tables:
    """Worked out once for all who watch."""
    return Tables(axis, course)


class Gantt:
    """`figure` goes into the page; `update` says how the run stands now.

    `tasks` are the rows from the top; `begin` is the left end of the axis, which counts from there. Attempts that had
    ended by then are left out: what a repair does days later is a picture of its own. A tap on a bar opens `link`
    followed by the name of its task.
    """

    def __init__(self, tasks: Sequence[str], begin: datetime, course: Course, *, link: str = "") -> None:
        self._axis = Axis(tuple(tasks), begin)
        shown = tables(self._axis, course)
        texts = ("name", "state", "detail", "why")
        self._attempts = Rows(shown.attempts, numbers=(*_SPAN, "left", "end"), texts=texts)
        self._plans = Rows(shown.plans, numbers=_SPAN, texts=())
        self._critical = Rows(shown.critical, numbers=_SPAN, texts=())
        self._x = Range1d(0, shown.last * 1.05, min_interval=SHORTEST, syncable=False)
        self._now = Span(location=self._axis.at(course.now), dimension="height", line_dash="dashed", syncable=False)
        self._now.visible = not course.is_over
        self.figure = self._draw(course, shown.shown, link)

    def update(self, course: Course) -> None:
        shown = tables(self._axis, course)
        self._attempts.put(shown.attempts)
        self._plans.put(shown.plans)
        self._critical.put(shown.critical)
        self._now.visible = not course.is_over
        if shown.last > self._x.end:
            self._x.end = shown.last * 1.25

    # --- what is drawn --------------------------------------------------------------------------------------------

    def _draw(self, course: Course, bars: Sequence[Bar], link: str) -> figure:
        tasks = self._axis.tasks
        seen = min(MOST_ROWS, max(1, len(tasks)))
        first = self._first_row(bars, seen)
        y = Range1d(0.4 - first - seen, 0.6 - first, bounds=(0.4 - len(tasks), 0.6), syncable=False)
        plot = looks.canvas(
            height=seen * ROW + 110, x_range=self._x, y_range=y, x_axis_type="linear", y_axis_type="linear"
        )
        _dress(plot, tasks)
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
                "started": self._axis.at(course.now),
                "link": link,
            },
            code=looks.script("theme.js", "gantt.js"),
        )
        for name, renderer in drawn.items():
            renderer.name = name
        _add_tools(plot, drawn["attempts"], script)
        return plot

    def _first_row(self, bars: Sequence[Bar], seen: int) -> int:
        """The row at the top, such that what failed or runs is in sight."""
        wanted = {AttemptState.FAILED, AttemptState.LOST, AttemptState.RUNNING}
        urgent = {bar.task for bar in bars if bar.state in wanted}
        tasks = self._axis.tasks
        first = next((at for at, task in enumerate(tasks) if task in urgent), 0)
        return min(max(0, first - seen // 2), max(0, len(tasks) - seen))


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
        colour = mappers.line("state")
        return _bar(height, border_radius=3, fill_color=colour, line_color=colour, line_width=2)  # a short one is seen

    glyphs = {"hover_glyph": bar(0.74), "selection_glyph": bar(0.56), "nonselection_glyph": None}
    return plot.add_glyph(rows.source, bar(0.56), **glyphs)


def _bar(height: float, dodge: float = 0, /, **looks_like: Any) -> Rect:
    """Bokeh's own HBar would draw on the edge of the frame what lies beyond it."""
    y = {"field": "y", "transform": Dodge(value=dodge)}
    size = {"width": "width", "height": value(height)}
    return Rect(x="x", y=y, syncable=False, **size, **{"line_color": None, **looks_like})


def _add_tools(plot: figure, attempts: GlyphRenderer, script: CustomJS) -> None:
    hover = HoverTool(
        renderers=[attempts], tooltips=looks.tooltip("name", "detail", "why"), attachment="vertical", visible=False
    )
    pan, tap = PanTool(visible=False), TapTool(renderers=[attempts], callback=script, visible=False)
    closer, wider = looks.zooms()
    closer.dimensions = wider.dimensions = "width"
    plot.add_tools(pan, tap, hover, closer, wider)
    plot.toolbar.active_drag = pan
    plot.js_on_change("inner_width", script)
