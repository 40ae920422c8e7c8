"""The graph widget: what it sends to the browser, and how little when something changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bokeh.embed import file_html
from bokeh.resources import INLINE
from drawn import drawn
from graphs import chain, etl
from nbflow_app import theme
from nbflow_app.layout import layout
from nbflow_app.widgets import boxes, looks
from nbflow_app.widgets.graph import Graph, Node, task_list
from playwright.sync_api import Browser, Page
from tags import Tags
from wire import Sent

from nbflow.states import TaskState

WAITING, RUNNING, SUCCESS, FAILED = (
    Node(state=state) for state in (TaskState.WAITING, TaskState.RUNNING, TaskState.SUCCESS, TaskState.FAILED)
)


def test_five_changed_tasks_of_a_thousand_are_less_than_a_kilobyte() -> None:
    laid = layout(etl(1000, seed=3, width=40))
    graph = Graph(laid, dict.fromkeys(laid.nodes, WAITING))
    sent = Sent(graph.figure)
    names = list(laid.nodes)[100:105]
    graph.update(dict.fromkeys(laid.nodes, WAITING) | dict.fromkeys(names, Node(state=TaskState.FAILED, took="12 s")))
    assert 0 < len(sent.take()) < 1000


def test_nothing_is_sent_where_nothing_changed() -> None:
    laid = layout(chain(5))
    graph = Graph(laid, dict.fromkeys(laid.nodes, RUNNING))
    sent = Sent(graph.figure)
    graph.update(dict.fromkeys(laid.nodes, Node(state=TaskState.RUNNING)))
    assert sent.take() == b""
    graph.update({"task_1": SUCCESS})
    first = sent.take()
    assert b"@success" in first
    graph.update({"task_1": SUCCESS, "of another pipeline": FAILED})
    assert sent.take() == b""


def test_only_what_differs_is_sent() -> None:
    laid = layout(chain(3))
    graph = Graph(laid, dict.fromkeys(laid.nodes, Node(state=TaskState.RUNNING, took="1 s", why="on host a")))
    sent = Sent(graph.figure)
    graph.update({"task_1": Node(state=TaskState.RUNNING, took="2 s", why="on host a")})
    said = sent.take()
    assert b"running \\u00b7 2 s" in said or "running · 2 s".encode() in said
    assert b"host" not in said
    assert b"@running" not in said


def test_a_mark_by_hand_gets_and_loses_its_pencil() -> None:
    laid = layout(chain(3))
    graph = Graph(laid, dict.fromkeys(laid.nodes, FAILED))
    sent = Sent(graph.figure)
    graph.update({"task_2": Node(state=TaskState.SUCCESS, set_by="ana")})
    hands = sent.document.select_one({"name": "hands"}).data_source
    assert (hands.data["x"], hands.data["y"]) == ([laid.nodes["task_2"].x], [-laid.nodes["task_2"].y])
    graph.update({"task_2": SUCCESS})
    assert hands.data["x"] == []


def test_a_thousand_tasks_are_less_than_four_hundred_kilobytes() -> None:
    laid = layout(etl(1000, seed=3, width=40))
    graph = Graph(laid, dict.fromkeys(laid.nodes, Node(state=TaskState.SUCCESS, took="12 s")))
    html = file_html(graph.figure, resources=None, title="graph")
    assert len(html) < 400_000


def test_the_list_says_the_same_in_words() -> None:
    nodes = {"fit.3": Node(state=TaskState.FAILED, label="<b>fit</b>", took="12 s", set_by="ana")}
    tags = Tags(task_list(nodes, "/pipelines/p/runs/r/tasks/"))
    assert tags.values("href") == ["/pipelines/p/runs/r/tasks/fit.3"]
    assert {"<b>fit</b>", "failed", ", set by hand", "12 s"} <= set(map(str.strip, tags.words))
    assert tags.of("b") == []


# --- in a browser -------------------------------------------------------------------------------------------------

NASTY = "KeyError: <img src=x onerror=alert(1)>"
LOOK = """
window.plot = Bokeh.documents[0].roots()[0]
window.glyphs = Object.fromEntries(plot.renderers.map(each => [each.name, each]))
window.scale = () => plot.inner_width / (plot.x_range.end - plot.x_range.start)
window.at = name => {
  const view = Bokeh.index.find_one(plot), {left, top} = view.canvas_view.el.getBoundingClientRect()
  const {x, y, name: names} = glyphs.boxes.data_source.data, row = names.indexOf(name)
  return [left + view.frame.x_scale.compute(x[row]), top + view.frame.y_scale.compute(y[row])]
}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with a graph of sixty tasks, too wide for it; one of the last failed."""
    laid = layout(etl(60, seed=1))
    nodes = dict.fromkeys(laid.nodes, SUCCESS) | {"join_58": Node(state=TaskState.FAILED, took="3 s", why=NASTY)}
    graph = Graph(laid, nodes, height=480, link="#/tasks/")
    html = file_html(graph.figure, INLINE, title="graph")
    file = tmp_path_factory.mktemp("graph") / "graph.html"
    file.write_text(html.replace("</head>", f"<style>{theme.stylesheet()}</style></head>"), encoding="utf-8")
    return file


@pytest.fixture
def page(chromium: Browser, file: Path) -> Iterator[Page]:
    with drawn(chromium, file, width=1000, height=600, color_scheme="light") as page:
        page.evaluate(LOOK)
        page.wait_for_function("scale() > 0.75 && scale() < 0.85")
        yield page


class TestInABrowser:
    def test_it_begins_readable_and_with_what_failed_in_sight(self, page: Page) -> None:
        x, y = page.evaluate("at('join_58')")
        assert 0 < x < 1000
        assert 0 < y < 480
        assert page.evaluate("glyphs.names.visible && glyphs.details.visible && glyphs.icons.visible")
        assert page.evaluate("parseFloat(glyphs.names.glyph.text_font_size.value)") >= 9

    @pytest.mark.parametrize(
        "name", ["extract_orders_of_all_marketplaces_a", "illicit_till", "mmm_www_mmm_www_mmm", "a1"]
    )
    def test_a_name_fits_into_its_box_in_the_font_of_this_machine(self, page: Page, name: str) -> None:
        label = looks.fitted(name, boxes.TEXT_WIDTH, size=boxes.NAME_SIZE, bold=True)
        font = f"bold {boxes.NAME_SIZE}px {looks.FONT}"
        width = page.evaluate(
            """([label, font]) => {
              const ink = new OffscreenCanvas(1, 1).getContext("2d")
              return Object.assign(ink, {font}).measureText(label).width
            }""",
            [label, font],
        )
        assert width <= boxes.TEXT_WIDTH, label

    def test_all_of_it_fits_and_names_that_could_not_be_read_are_left_out(self, page: Page) -> None:
        page.get_by_title("Show all tasks").click()
        page.wait_for_function("scale() < 0.5")
        for name in ("extract_0", "extract_59"):
            x, y = page.evaluate(f"at('{name}')")
            assert 0 < x < 1000
            assert 0 < y < 600
        assert not page.evaluate("glyphs.names.visible")
        page.get_by_title("Go to what failed or runs").click()
        page.wait_for_function("scale() > 0.7 && glyphs.names.visible")

    def test_a_small_picture_leads_to_what_is_out_of_sight(self, page: Page) -> None:
        small = page.locator("[data-minimap]")
        place = small.bounding_box()
        assert place
        page.mouse.click(place["x"] + 12, place["y"] + place["height"] / 2)
        page.wait_for_function("at('extract_0')[0] > 0 && at('join_58')[0] > 1000")
        page.get_by_title("Show all tasks").click()
        small.wait_for(state="hidden")

    @pytest.mark.parametrize(("turn", "least", "most"), [(900, 0.2, 0.5), (-900, 1.9, 2.01)])
    def test_the_wheel_has_limits_and_keeps_the_shape(self, page: Page, turn: int, least: float, most: float) -> None:
        page.mouse.move(500, 300)
        for _ in range(30):
            page.mouse.wheel(0, turn)
        page.wait_for_function(f"scale() >= {least} && scale() <= {most}")
        across, up = page.evaluate(
            "[scale(), plot.inner_height / (plot.y_range.end - plot.y_range.start)]",
        )
        assert across == pytest.approx(up, rel=0.01)

    def test_pointing_at_a_task_lights_its_edges_and_says_why_as_text(self, page: Page) -> None:
        x, y = page.evaluate("at('join_58')")
        page.mouse.move(x - 8, y)
        page.mouse.move(x, y)
        page.wait_for_function("glyphs.lit.data_source.data.x0.length > 0")
        right = page.evaluate("Math.max(...glyphs.lit.data_source.data.x1)")
        assert right == page.evaluate(
            "glyphs.boxes.data_source.data.x[glyphs.boxes.data_source.data.name.indexOf('join_58')] - 90"
        )
        page.wait_for_function(
            "document.querySelector('.bk-Tooltip')?.shadowRoot.textContent.includes('KeyError: <img')"
        )
        page.mouse.move(2, 2)
        page.wait_for_function("glyphs.lit.data_source.data.x0.length == 0")

    def test_a_tap_opens_the_task(self, page: Page) -> None:
        x, y = page.evaluate("at('join_58')")
        page.mouse.click(x, y)
        page.wait_for_function("location.hash == '#/tasks/join_58'")

    def test_colours_follow_the_theme(self, page: Page) -> None:
        line = theme.look_of(TaskState.FAILED).line
        colour = f"glyphs.boxes.glyph.line_color.transform.palette[{list(TaskState).index(TaskState.FAILED)}]"
        page.wait_for_function(f"{colour} == '{line.light}'")
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
        page.wait_for_function(f"{colour} == '{line.dark}'")
        page.evaluate("delete document.documentElement.dataset.theme")
        page.wait_for_function(f"{colour} == '{line.light}'")
        page.emulate_media(color_scheme="dark")
        page.wait_for_function(f"{colour} == '{line.dark}'")


@pytest.mark.parametrize(("links", "rows", "shown"), [(6, 2, "none"), (1, 20, "block")])
def test_a_narrow_drawing_has_a_small_picture_only_where_rows_are_out_of_sight(
    chromium: Browser, tmp_path: Path, links: int, rows: int, shown: str
) -> None:
    names = {f"t{row}_{at}": [f"t{row}_{at - 1}"] if at else [] for row in range(rows) for at in range(links + 1)}
    laid = layout(names)
    graph = Graph(laid, dict.fromkeys(laid.nodes, WAITING), height=240)
    file = tmp_path / "graph.html"
    file.write_text(file_html(graph.figure, INLINE, title="graph"), encoding="utf-8")
    with drawn(chromium, file, width=390, height=600, color_scheme="light") as page:
        page.wait_for_function("Bokeh.documents[0].roots()[0].graph?.minimap.frame === null")
        assert page.locator("[data-minimap]").evaluate("each => each.style.display") == shown


def test_a_task_of_a_pipeline_that_never_ran_does_not_claim_to_wait() -> None:
    laid = layout(chain(1))
    graph = Graph(laid, dict.fromkeys(laid.nodes, Node(about="a.ipynb")))
    assert list(graph.figure.select_one({"name": "boxes"}).data_source.data["detail"]) == ["a.ipynb"]
