"""The editor's canvas by itself, in a browser: what hands and keys ask for, and what sheets make it show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from bokeh.embed import components
from bokeh.resources import INLINE
from fingers import AT, Finger, box, drag, port
from nbflow_app import theme
from nbflow_app.widgets.canvas import canvas
from playwright.sync_api import Browser, Page

from nbflow.states import TaskState

PLACES = {"load": (100, 60), "clean": (400, 60), "join": (700, 60), "report": (400, 220)}
EDGES = (("load", "clean"), ("clean", "join"))

FAULTS: list[str] = []
"""What went wrong in a page."""

LISTEN = """
window.heard = []
for (const name of ["edit", "open", "add", "say", "undo", "redo"])
  document.addEventListener(`nbflow-${name}`, event => heard.push([name, event.detail]))
window.look = (name, column) => {
  const {topBoxes, boxes} = nbflow.canvas.picture
  const {data} = (topBoxes.data_source.data.name.includes(name) ? topBoxes : boxes).data_source
  return data[column][data.name.indexOf(name)]
}
null
"""


def sheet(
    places: dict[str, tuple[float, float]] = PLACES,
    edges: Sequence[tuple[str, str]] = EDGES,
    problems: Sequence[dict[str, str]] = (),
    **keys: Any,
) -> dict[str, Any]:
    def task(name: str, x: float, y: float) -> dict[str, Any]:
        about = {"notebook": f"{name}.ipynb", "detail": "3 retries", "placed": True, "kept": keys.get(name, [])}
        count = sum(problem["task"] == name for problem in problems)
        return {"name": name, "x": x, "y": y, "problems": count, **about}

    tasks = [task(name, *place) for name, place in places.items()]
    return {"tasks": tasks, "edges": [list(edge) for edge in edges], "problems": list(problems)}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("canvas") / "canvas.html"
    script, place = components(canvas())
    style = f"<style>{theme.stylesheet()} html, body, [data-drawing] {{height: 100%; margin: 0}}</style>"
    body = f"<body><div data-drawing>{place}</div></body>"
    file.write_text(f"<!doctype html><head>{INLINE.render()}{style}{script}</head>{body}", encoding="utf-8")
    return file


def shown(browser: Browser, file: Path, **about: Any) -> Page:
    page = browser.new_page(viewport={"width": 1000, "height": 600}, color_scheme="light", **about)
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: FAULTS.append(str(error)))
    page.goto(file.as_uri())
    page.wait_for_function("window.nbflow?.canvas?.sight.width > 0")
    page.evaluate(AT)
    page.evaluate(LISTEN)
    page.evaluate("sheet => nbflow.canvas.show(sheet)", sheet())
    return page


@pytest.fixture(autouse=True)
def no_faults() -> Iterator[None]:
    FAULTS.clear()
    yield
    assert FAULTS == []


@pytest.fixture(scope="module")
def opened(chromium: Browser, file: Path) -> Iterator[Page]:
    page = shown(chromium, file)
    yield page
    page.close()


@pytest.fixture
def page(opened: Page) -> Page:
    """The canvas as it was when it was opened."""
    opened.mouse.move(1, 1)
    opened.evaluate(
        """sheet => {
          const {canvas} = nbflow
          canvas.keys.stop()
          canvas.choose([])
          canvas.states(null)
          canvas.show(sheet)
          canvas.sight.show_all()
          canvas.announce("")
          document.activeElement.blur()
          heard.length = 0
        }""",
        sheet(),
    )
    return opened


def heard(page: Page, name: str) -> list[Any]:
    """What it has told since it was asked last; of edits the commands."""
    told = page.evaluate("heard.splice(0)")
    return [detail.get("commands", detail) for kind, detail in told if kind == name]


def chosen(page: Page) -> Any:
    return page.evaluate("nbflow.canvas.selected")


def test_two_canvases_share_nothing() -> None:
    one, two = ({model.id for model in canvas().references()} for _ in range(2))
    assert one.isdisjoint(two)


class TestTheMouse:
    def test_a_drag_from_a_port_to_a_task_connects_them(self, page: Page) -> None:
        drag(page, port(page, "load"), box(page, "report"))
        assert heard(page, "edit") == [[{"do": "connect", "up": "load", "down": "report"}]]

    def test_a_cycle_turns_red_and_is_refused_by_its_name(self, page: Page) -> None:
        drag(page, port(page, "join"), box(page, "load"), stop=True)
        red = theme.look_of(TaskState.FAILED).line.light
        page.wait_for_function(f"look('load', 'line') === '{red}'")
        assert page.evaluate("nbflow.canvas.picture.rubber.glyph.line_color.value") == red
        page.mouse.up()
        assert page.evaluate("heard") == [
            ["say", {"text": "Not connected: join → load → clean → join would be a cycle."}]
        ]
        assert page.evaluate("nbflow.canvas.picture.rubber.data_source.data.x0.length") == 0

    def test_what_is_connected_is_said_to_be_so(self, page: Page) -> None:
        drag(page, port(page, "load"), box(page, "clean"))
        assert heard(page, "say") == [{"text": "clean already runs after load."}]

    def test_an_edge_let_go_over_nothing_or_its_own_task_is_none(self, page: Page) -> None:
        drag(page, port(page, "load"), (500, 560))
        drag(page, port(page, "load"), box(page, "load"))
        assert page.evaluate("heard") == []

    def test_a_task_is_moved_to_the_grid_and_its_edges_follow(self, page: Page) -> None:
        x, y = box(page, "clean")
        before = page.evaluate("[...nbflow.canvas.board.ends.x]")
        drag(page, (x, y), (x + 33, y + 87), stop=True)
        page.wait_for_function("nbflow.canvas.board.place('clean').x === 430")
        assert page.evaluate("[...nbflow.canvas.board.ends.x]") != before
        page.mouse.up()
        assert heard(page, "edit") == [[{"do": "move_task", "name": "clean", "position": [430, 150]}]]

    def test_a_press_that_lasts_before_it_moves_still_moves(self, page: Page) -> None:
        x, y = box(page, "clean")
        page.mouse.move(x, y)
        page.mouse.down()
        page.wait_for_timeout(400)
        page.mouse.move(x + 50, y, steps=3)
        page.mouse.up()
        assert heard(page, "edit") == [[{"do": "move_task", "name": "clean", "position": [450, 60]}]]

    def test_all_that_is_chosen_moves_together(self, page: Page) -> None:
        page.mouse.click(*box(page, "load"))
        page.keyboard.down("Shift")
        page.mouse.click(*box(page, "report"))
        page.keyboard.up("Shift")
        assert chosen(page) == ["load", "report"]
        x, y = box(page, "report")
        drag(page, (x, y), (x + 20, y))
        assert [command["position"] for command in heard(page, "edit")[0]] == [[120, 60], [420, 220]]

    def test_escape_puts_back_what_is_being_moved(self, page: Page) -> None:
        x, y = box(page, "clean")
        drag(page, (x, y), (x + 60, y), stop=True)
        page.keyboard.press("Escape")
        page.mouse.up()
        assert page.evaluate("nbflow.canvas.board.position('clean')") == [400, 60]
        assert page.evaluate("heard") == []

    def test_a_shift_drag_chooses_what_lies_in_it(self, page: Page) -> None:
        x, y = box(page, "clean")
        page.keyboard.down("Shift")
        drag(page, (x - 130, y - 50), (x + 60, y + 200))
        page.keyboard.up("Shift")
        assert chosen(page) == ["clean", "report"]
        page.keyboard.press("Delete")
        assert heard(page, "edit") == [[{"do": "remove_task", "name": name} for name in ("clean", "report")]]

    def test_a_drag_on_nothing_moves_the_view_and_the_wheel_keeps_the_shape(self, page: Page) -> None:
        x, y = box(page, "clean")
        drag(page, (500, 520), (440, 480))
        page.wait_for_function(f"Math.abs(at('clean')[0] - {x - 60}) < 1 && Math.abs(at('clean')[1] - {y - 40}) < 1")
        page.mouse.wheel(0, 300)
        page.wait_for_function("nbflow.canvas.sight.scale < 0.9")
        up = page.evaluate(
            "nbflow.canvas.plot.inner_height / (nbflow.canvas.plot.y_range.end - nbflow.canvas.plot.y_range.start)"
        )
        assert up == pytest.approx(page.evaluate("nbflow.canvas.sight.scale"), rel=0.01)
        assert page.evaluate("heard") == []

    def test_an_edge_is_chosen_by_a_tap_and_taken_out(self, page: Page) -> None:
        (x0, y0), (x1, _) = box(page, "clean"), box(page, "join")
        page.mouse.click((x0 + x1) / 2, y0 + 3)
        assert chosen(page) == ["clean", "join"]
        page.keyboard.press("Delete")
        assert heard(page, "edit") == [[{"do": "disconnect", "up": "clean", "down": "join"}]]

    def test_two_taps_open_a_task_and_ask_for_one_on_nothing(self, page: Page) -> None:
        page.mouse.dblclick(*box(page, "join"))
        assert heard(page, "open") == [{"task": "join"}]
        x, y = box(page, "load")
        page.mouse.dblclick(x + 52, y + 301)
        assert heard(page, "add") == [{"place": [150, 360]}]

    def test_a_slow_hand_opens_a_task_too_and_two_drags_do_not(self, page: Page) -> None:
        page.mouse.dblclick(*box(page, "join"), delay=350)
        assert heard(page, "open") == [{"task": "join"}]
        for far in (30, -30):
            x, y = box(page, "clean")
            page.mouse.move(x, y)
            page.mouse.down(click_count=1 if far > 0 else 2)
            page.mouse.move(x + far, y, steps=3)
            page.mouse.up(click_count=1 if far > 0 else 2)
        assert heard(page, "open") == []

    def test_a_point_of_the_window_is_a_place_on_the_grid(self, page: Page) -> None:
        x, y = box(page, "load")
        assert page.evaluate(f"nbflow.canvas.place_under({x + 202}, {y + 299})") == [300, 360]
        assert page.evaluate("nbflow.canvas.place_under(1001, 300)") is None

    def test_one_more_task_finds_room_in_sight_where_tasks_are_placed_by_hand(self, page: Page) -> None:
        middle = {"clean": (400, 60), "join": (420, 100), "report": (380, 140)}
        page.evaluate("sheet => nbflow.canvas.show(sheet)", sheet(middle))
        page.evaluate("nbflow.canvas.sight.look_at(400, -60, 1)")
        x, y = page.evaluate("nbflow.canvas.free_place()")
        assert x == 400
        assert all(abs(y - top) >= 44 for _, top in middle.values())
        page.evaluate("nbflow.canvas.sheet.tasks.forEach(task => { task.placed = false })")
        assert page.evaluate("nbflow.canvas.free_place()") is None

    def test_who_drew_an_edge_sees_where_it_leads_to(self, page: Page) -> None:
        drag(page, port(page, "load"), box(page, "report"))
        far = {**PLACES, "report": (4000, 900)}
        page.evaluate("sheet => nbflow.canvas.show(sheet)", sheet(far))
        assert page.evaluate("at('report')[0]") > 1000
        page.evaluate("sheet => nbflow.canvas.show(sheet)", sheet(far, [*EDGES, ("load", "report")]))
        page.wait_for_function("(([x, y]) => x > 0 && x < 1000 && y > 0 && y < 600)(at('report'))")

    def test_what_is_chosen_stays_so_under_a_new_name(self, page: Page) -> None:
        places = {{"join": "all"}.get(name, name): place for name, place in PLACES.items()}
        renamed = sheet(places, [("load", "clean"), ("clean", "all")])
        for choose, then in (("['join', 'load']", ["all", "load"]), ("[], ['clean', 'join']", ["clean", "all"])):
            page.evaluate("sheet => nbflow.canvas.show(sheet)", sheet())
            page.evaluate(f"nbflow.canvas.choose({choose})")
            page.evaluate("sheet => nbflow.canvas.show(sheet)", renamed)
            assert chosen(page) == then

    def test_what_is_taken_out_while_another_comes_is_not_chosen_any_more(self, page: Page) -> None:
        page.evaluate("nbflow.canvas.choose(['clean'])")
        others = {name: place for name, place in PLACES.items() if name != "clean"} | {"late": (900, 300)}
        page.evaluate("sheet => nbflow.canvas.show(sheet)", sheet(others, []))
        assert chosen(page) == []

    def test_the_small_picture_is_there_where_not_all_is_in_sight_and_moves_the_view(self, page: Page) -> None:
        small = page.locator("[data-minimap]")
        small.wait_for(state="hidden")
        far = {**PLACES, "far": (4000, 1000)}
        page.evaluate("sheet => nbflow.canvas.show(sheet)", sheet(far))
        small.wait_for(state="visible")
        place = small.bounding_box()
        assert place
        page.mouse.click(place["x"] + place["width"] - 12, place["y"] + place["height"] - 10)
        page.wait_for_function("(([x, y]) => x > 0 && x < 1000 && y > 0 && y < 600)(at('far'))")
        page.get_by_title("Show all tasks").click()
        page.wait_for_function("(([x, y]) => x > 0 && x < 500)(at('load'))")
        small.wait_for(state="hidden")


class TestTheKeyboard:
    def test_it_goes_from_task_to_task_and_says_where_it_is(self, chromium: Browser, file: Path) -> None:
        page = shown(chromium, file)
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(nbflow.canvas.place).outlineStyle") == "solid"
        for keys, name in (("ArrowRight", "load"), ("Control+ArrowRight", "clean"), ("Control+ArrowDown", "report")):
            page.keyboard.press(keys)
            assert chosen(page) == [name]
        page.keyboard.press("Control+ArrowUp")
        assert page.get_by_role("status").text_content() == "clean, 3 retries, after load"
        page.keyboard.press("Enter")
        assert heard(page, "open") == [{"task": "clean"}]
        page.close()

    def test_arrows_move_what_is_chosen_and_ask_once(self, page: Page) -> None:
        page.mouse.click(*box(page, "clean"))
        page.keyboard.down("ArrowRight")
        page.keyboard.down("ArrowRight")
        page.keyboard.down("ArrowDown")
        assert page.evaluate("heard") == []
        page.keyboard.up("ArrowRight")
        assert heard(page, "edit") == [[{"do": "move_task", "name": "clean", "position": [420, 70]}]]

    def test_an_edge_is_aimed_and_drawn(self, page: Page) -> None:
        page.mouse.click(*box(page, "load"))
        page.keyboard.press("c")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
        assert page.get_by_role("status").text_content() == "report after load?"
        page.keyboard.press("Enter")
        assert heard(page, "edit") == [[{"do": "connect", "up": "load", "down": "report"}]]

    def test_a_cycle_is_refused_by_keys_too(self, page: Page) -> None:
        page.mouse.click(*box(page, "join"))
        page.keyboard.press("c")
        page.keyboard.press("ArrowLeft")
        assert "cannot run after join" in str(page.get_by_role("status").text_content())
        page.keyboard.press("Enter")
        assert heard(page, "say") == [{"text": "Not connected: join → clean → join would be a cycle."}]

    def test_a_copy_runs_after_the_copy_of_what_it_ran_after(self, page: Page) -> None:
        page.mouse.click(*box(page, "report"))
        page.keyboard.press("Control+a")
        assert chosen(page) == list(PLACES)
        page.keyboard.press("Escape")
        assert chosen(page) == []
        page.evaluate("nbflow.canvas.select(['load', 'clean'])")
        page.keyboard.press("Control+d")
        [commands] = heard(page, "edit")
        assert commands == [
            {"do": "duplicate_task", "name": "load", "copy": "load_2", "position": [120, 124]},
            {"do": "duplicate_task", "name": "clean", "copy": "clean_2", "position": [420, 124]},
            {"do": "disconnect", "up": "load", "down": "clean_2"},
            {"do": "connect", "up": "load_2", "down": "clean_2"},
        ]

    def test_undo_and_redo(self, page: Page) -> None:
        page.mouse.click(500, 560)
        for keys in ("Control+z", "Control+y", "Control+Shift+z"):
            page.keyboard.press(keys)
        assert [name for name, _ in page.evaluate("heard")] == ["undo", "redo", "redo"]


class TestTheFinger:
    def test_it_connects_moves_and_chooses_more_by_staying(self, chromium: Browser, file: Path) -> None:
        page = shown(chromium, file, has_touch=True)
        finger = Finger(page)
        x, y = port(page, "load")
        finger.drag((x + 10, y + 10), box(page, "report"))  # within 24 pixels of the port
        assert heard(page, "edit") == [[{"do": "connect", "up": "load", "down": "report"}]]
        x, y = box(page, "clean")
        finger.drag((x, y), (x + 40, y + 20))
        assert heard(page, "edit") == [[{"do": "move_task", "name": "clean", "position": [440, 80]}]]
        page.touchscreen.tap(*box(page, "join"))
        assert chosen(page) == ["join"]
        finger.down(*box(page, "report"))
        page.wait_for_function("nbflow.canvas.selected.length === 2")
        finger.up()
        assert chosen(page) == ["join", "report"]
        page.close()

    def test_two_fingers_come_nearer(self, chromium: Browser, file: Path) -> None:
        page = shown(chromium, file, has_touch=True)
        finger = Finger(page)
        scale = page.evaluate("nbflow.canvas.sight.scale")
        finger.send("touchStart", (480, 400), (520, 400))
        for far in range(30, 180, 10):
            finger.send("touchMove", (500 - far, 400), (500 + far, 400))
        finger.send("touchEnd")
        page.wait_for_function(f"nbflow.canvas.sight.scale > {scale} * 1.2")
        assert page.evaluate("heard") == []
        page.close()


class TestWhatItShows:
    def test_problems_and_kept_keys_are_marked(self, page: Page) -> None:
        problems = [
            {"severity": "error", "message": "no such notebook", "task": "join"},
            {"severity": "warning", "message": "nobody reads it", "task": "clean"},
        ]
        page.evaluate("sheet => nbflow.canvas.show(sheet)", sheet(problems=problems, report=["for_each"]))
        assert page.evaluate("nbflow.canvas.board.names.map(name => look(name, 'dash'))") == [
            "solid", "solid", "solid", "dashed",
        ]  # fmt: skip
        assert page.evaluate("[look('join', 'problems'), look('join', 'badge'), look('load', 'problems')]") == [
            "1", theme.look_of(TaskState.FAILED).line.light, "",
        ]  # fmt: skip
        assert page.evaluate("look('clean', 'badge')") == theme.look_of(TaskState.QUEUED).line.light

    def test_a_mouse_that_rests_is_told_the_problems_as_text(self, page: Page) -> None:
        message = "no such <img src=x onerror=alert(1)>"
        problems = [{"severity": "error", "message": message, "task": "join"}]
        page.evaluate("sheet => nbflow.canvas.show(sheet)", sheet(problems=problems))
        page.mouse.move(*box(page, "load"))
        x, y = box(page, "join")
        page.mouse.move(x - 5, y)
        page.mouse.move(x, y)
        page.wait_for_function("document.querySelector('.bk-Tooltip')?.shadowRoot.textContent.includes('no such <img')")
        page.mouse.move(*box(page, "load"))
        page.wait_for_function("!document.querySelector('.bk-Tooltip')?.checkVisibility()")

    def test_a_run_is_shown_in_the_colours_of_its_states(self, page: Page) -> None:
        page.evaluate(
            "nbflow.canvas.states({load: {state: 'success', took: '3 s'}, clean: {state: 'upstream_failed'}})"
        )
        assert page.evaluate("[look('load', 'detail'), look('clean', 'detail')]") == [
            "success · 3 s",
            "upstream failed",
        ]
        assert page.evaluate("look('load', 'line')") == theme.look_of(TaskState.SUCCESS).line.light
        page.evaluate("nbflow.canvas.states(null)")
        assert page.evaluate("look('load', 'detail')") == "3 retries"

    def test_a_hand_goes_on_when_a_sheet_comes(self, page: Page) -> None:
        x, y = box(page, "clean")
        drag(page, (x, y), (x + 60, y), stop=True)
        page.wait_for_function("nbflow.canvas.board.place('clean').x === 460")
        page.evaluate("sheet => nbflow.canvas.show(sheet)", sheet({**PLACES, "new": (100, 300)}))
        assert page.evaluate("nbflow.canvas.board.position('clean')") == [460, 60]
        page.mouse.up()
        assert heard(page, "edit") == [[{"do": "move_task", "name": "clean", "position": [460, 60]}]]

    def test_an_edge_back_goes_around_and_a_long_one_beside_what_is_between(self, page: Page) -> None:
        places = {"a": (100, 60), "b": (400, 60), "c": (700, 60), "d": (100, 120)}
        page.evaluate("sheet => nbflow.canvas.show(sheet)", sheet(places, [("c", "d"), ("a", "c")]))
        behind = page.evaluate(
            """nbflow.canvas.board.ways.flat().flatMap(piece => {
              const [x, y] = [0, 1].map(axis => [0, 2, 4, 6].map(part => piece[part + axis]))
              const along = ([a, b, c, d], t) => [a, 3 * b, 3 * c, d].reduce(
                (sum, each, power) => sum + each * (1 - t) ** (3 - power) * t ** power, 0)
              return Array.from({length: 39}, (_, at) => (at + 1) / 40)
                .map(t => nbflow.canvas.board.task_at(along(x, t), along(y, t))).filter(Boolean)
            })"""
        )
        assert behind == []

    def test_colours_follow_the_theme(self, page: Page) -> None:
        page.wait_for_function(f"look('load', 'fill') === '{theme.RAISED.light}'")
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
        page.wait_for_function(f"look('load', 'fill') === '{theme.RAISED.dark}'")
        page.evaluate("delete document.documentElement.dataset.theme")
        page.wait_for_function(f"look('load', 'fill') === '{theme.RAISED.light}'")
