"""The bars of a run: what is sent to the browser, how little when something changes; they grow by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from math import isnan
from pathlib import Path
from typing import Any

import pytest
from bokeh.embed import file_html
from bokeh.models import Span
from bokeh.resources import INLINE
from drawn import drawn
from nbflow_app.widgets.gantt import Bar, Course, Gantt
from playwright.sync_api import Browser
from wire import Sent

from nbflow.states import AttemptState

BEGIN = datetime(2026, 11, 26, 17, 0, tzinfo=UTC)
TASKS = ("extract", "clean", "report")


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def bar(task: str, start: float, end: float | None, state: AttemptState, number: int = 1, why: str = "") -> Bar:
    until = None if end is None else at(end)
    return Bar(task=task, number=number, state=state, start=at(start), end=until, why=why)


DONE = bar("extract", 0, 30, AttemptState.SUCCESS)
RUNNING = bar("clean", 32, None, AttemptState.RUNNING)
REST = {"clean": (at(32), at(80)), "report": (at(80), at(100))}


def course(
    now: float, *bars: Bar, rest: Mapping[str, Any] = REST, critical: Iterable[str] = (), **about: Any
) -> Course:
    return Course(now=at(now), bars=bars, rest=rest, critical=tuple(critical), **{"is_over": False, **about})


def rows(gantt: Gantt, name: str) -> list[dict[str, Any]]:
    (renderer,) = [each for each in gantt.figure.renderers if each.name == name]
    data = renderer.data_source.data
    return [dict(zip(data, cells, strict=True)) for cells in zip(*data.values(), strict=True)]


def ends(row: dict[str, Any]) -> tuple[float, float]:
    return row["x"] - row["width"] / 2, row["x"] + row["width"] / 2


def test_every_attempt_is_a_bar_in_the_row_of_its_task() -> None:
    failed = bar("clean", 31, 35, AttemptState.LOST, why="the host is gone")
    again = bar("clean", 40, None, AttemptState.RUNNING, number=2)
    gantt = Gantt(TASKS, BEGIN, course(50, DONE, failed, again, bar("of another run", 0, 1, AttemptState.SUCCESS)))
    first, lost, running = rows(gantt, "attempts")
    assert (first["y"], lost["y"], running["y"]) == (0, -1, -1)
    assert (ends(first), ends(lost)) == ((0, 30), (31, 35))
    assert (first["detail"], lost["detail"], running["detail"]) == (
        "success · 30 s",
        "lost · 4.0 s",
        "running · attempt 2",
    )
    assert (lost["state"], lost["why"]) == ("@failed", "the host is gone")


def test_an_attempt_that_is_short_beside_the_others_is_seen() -> None:
    gantt = Gantt(TASKS, BEGIN, course(3000, bar("extract", 0, 0.1, AttemptState.FAILED), RUNNING))
    (renderer,) = [each for each in gantt.figure.renderers if each.name == "attempts"]
    for glyph in (renderer.glyph, renderer.hover_glyph):
        assert glyph.line_color == glyph.fill_color
        assert glyph.line_width == 2


def test_what_is_expected_and_what_decides_are_marked() -> None:
    gantt = Gantt(TASKS, BEGIN, course(50, DONE, RUNNING, critical=["extract", "clean"]))
    plans, critical = rows(gantt, "plans"), rows(gantt, "critical")
    assert isnan(plans[0]["width"])
    assert [ends(row) for row in plans[1:]] == [(32, 80), (80, 100)]
    assert [ends(row) for row in critical[:2]] == [(0, 30), (32, 80)]
    assert isnan(critical[2]["width"])


def test_attempts_before_the_beginning_are_of_another_picture() -> None:
    gantt = Gantt(TASKS, BEGIN, course(5, bar("extract", -90_000, -80_000, AttemptState.FAILED), RUNNING))
    assert [row["name"] for row in rows(gantt, "attempts")] == ["clean"]


def test_only_what_changed_is_sent() -> None:
    gantt = Gantt(TASKS, BEGIN, course(50, DONE, RUNNING))
    sent = Sent(gantt.figure)
    gantt.update(course(55, DONE, RUNNING))
    assert sent.take() == b"", "a bar that runs grows in the browser"
    ended = bar("clean", 32, 60, AttemptState.SUCCESS)
    gantt.update(course(60, DONE, ended, rest={"report": REST["report"]}))
    said = sent.take()
    assert b"@success" in said
    assert b"extract" not in said
    assert len(said) < 1000
    gantt.update(
        course(62, DONE, bar("clean", 32, 60, AttemptState.SUCCESS), bar("report", 61, None, AttemptState.RUNNING))
    )
    assert b"report" in sent.take()
    assert [row["name"] for row in rows(gantt, "attempts")] == ["extract", "clean", "report"]


def test_the_axis_reaches_what_is_expected_and_grows_with_it() -> None:
    gantt = Gantt(TASKS, BEGIN, course(50, DONE, RUNNING))
    assert gantt.figure.x_range.end == pytest.approx(105)
    gantt.update(course(50, DONE, RUNNING, rest={"report": (at(80), at(400))}))
    assert gantt.figure.x_range.end == 500


def test_now_is_shown_until_the_run_is_over_also_while_it_waits() -> None:
    ended = [bar(task, 0, 5, AttemptState.SUCCESS) for task in TASKS]
    gantt = Gantt(TASKS, BEGIN, course(5, *ended, rest={}, is_over=True))
    (now,) = gantt.figure.select({"type": Span})
    assert not now.visible
    gantt.update(course(6, *ended[1:], rest={}))
    assert now.visible


def test_a_short_run_that_is_over_has_all_of_the_width() -> None:
    ended = bar("extract", 0, 4, AttemptState.SUCCESS)
    assert Gantt(TASKS, BEGIN, course(4, ended, rest={}, is_over=True)).figure.x_range.end == pytest.approx(4.2)
    assert Gantt(TASKS, BEGIN, course(4, ended, rest={})).figure.x_range.end == pytest.approx(10.5)


def test_of_many_rows_those_that_failed_are_in_sight() -> None:
    tasks = [f"task_{place}" for place in range(1000)]
    gantt = Gantt(tasks, BEGIN, course(50, bar("task_500", 0, 5, AttemptState.FAILED), rest={}))
    low, high = gantt.figure.y_range.start, gantt.figure.y_range.end
    assert low < -500 < high
    assert high - low < 30
    assert gantt.figure.height < 700


def test_in_a_browser_bars_grow_and_a_tap_opens_the_task(chromium: Browser, tmp_path: Path) -> None:
    gantt = Gantt(TASKS, BEGIN, course(50, DONE, RUNNING), link="#/tasks/")
    file = tmp_path / "gantt.html"
    file.write_text(file_html(gantt.figure, INLINE, title="gantt"), encoding="utf-8")
    with drawn(chromium, file, width=900, height=400, color_scheme="dark") as page:
        page.evaluate("window.bars = Bokeh.documents[0].roots()[0].renderers.find(each => each.name === 'attempts')")
        page.wait_for_function("bars.data_source.data.width[1] > 19.5")
        page.wait_for_function("bars.glyph.fill_color.transform.palette[2] === '#A9C4FF'")
        x, y = page.evaluate("""(() => {
          const plot = Bokeh.documents[0].roots()[0], view = Bokeh.index.find_one(plot)
          const {left, top} = view.canvas_view.el.getBoundingClientRect()
          return [left + view.frame.x_scale.compute(10), top + view.frame.y_scale.compute(0)]
        })()""")
        page.mouse.click(x, y)
        page.wait_for_function("location.hash == '#/tasks/extract'")


def test_the_times_below_are_written_as_durations_are_elsewhere(chromium: Browser) -> None:
    gantt = Gantt(TASKS, BEGIN, course(50, DONE))
    page = chromium.new_page()
    code = gantt.figure.xaxis[0].formatter.code
    said = page.evaluate(f"[-1, 0, 45, 75, 120, 150, 3600, 9000].map(tick => {{{code}}})")
    page.close()
    assert said == ["", "0 s", "45 s", "75 s", "2 min", "2 min 30 s", "60 min", "2 h 30 min"]
