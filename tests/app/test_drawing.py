"""What people do in the editor, in a real browser with real mouse and key events, and a real scheduler."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app_up import Eyes, Up
from fingers import AT, box, drag, port, tab_to
from making import eventually
from playwright.sync_api import Page, Route, expect

ROOT = Path(__file__).parents[2]
WAIT = 60_000
"""Milliseconds: a busy machine starts a kernel late."""

PICTURES = os.environ.get("NBFLOW_PICTURES")
"""Where screenshots are kept, as by the stories of the app; without it there are none."""

ALL_IN_SIGHT = """
(() => {
  const {board, sight} = nbflow.canvas, {left, right, low, high} = board.bounds()
  const {x_range: across, y_range: up} = sight.plot
  return across.start <= left && right <= across.end && up.start <= low && high <= up.end
})()
"""


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """A project of its own for each test: what a form offers depends on the runs before."""
    up = Up(tmp_path / "project")
    ignored = shutil.ignore_patterns("data", "published", ".ipynb_checkpoints", "__pycache__", "pipeline.yaml")
    folder = up.project.folder / "notebooks"
    shutil.copytree(ROOT / "notebooks" / "nightly_revenue", folder / "nightly_revenue", ignore=ignored)
    for name in ("pair", "keys"):
        up.project.pipeline(name, PAIR.replace("pair", name), first="print('one')", second="print('two')")
    up.start()
    try:
        yield up
    finally:
        up.stop()


PAIR = """\
# Two that know nothing of each other.
name: pair
tasks:
  first: {notebook: first.ipynb}   # begins
  second: {notebook: second.ipynb}
"""


class Canvas:
    """The canvas of a page, as hands find it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.wait_for_function("window.nbflow?.canvas?.sight.width > 0 && nbflow.canvas.sheet", timeout=WAIT)
        page.evaluate(AT)

    def see_all(self) -> None:
        """Bokeh's button takes a click that soon follows the last one for half of a double click, and does nothing."""
        button = self.page.get_by_title("Show all tasks")
        eventually(lambda: self.page.evaluate(ALL_IN_SIGHT) or button.click())

    def connect(self, up: str, down: str) -> None:
        drag(self.page, port(self.page, up), box(self.page, down))
        self.page.wait_for_function("edge => nbflow.canvas.board.is_edge(...edge)", arg=[up, down], timeout=WAIT)

    def look(self, task: str) -> Any:
        return self.page.evaluate("name => nbflow.canvas.run?.[name]?.state", task)


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.mouse.move(700, 850)
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


def save(page: Page) -> str:
    """The difference that is shown, before it is saved."""
    page.get_by_role("link", name="Save…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("pipeline.yaml", timeout=WAIT)
    shown = str(dialog.text_content())
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator("#changed")).to_be_hidden(timeout=WAIT)
    return shown


def save_by_keys(page: Page) -> None:
    page.keyboard.press("Control+s")
    button = page.get_by_role("dialog").get_by_role("button", name="Save")
    expect(button).to_be_visible(timeout=WAIT)
    tab_to(page, button)
    page.keyboard.press("Enter")
    expect(page.locator("#changed")).to_be_hidden(timeout=WAIT)


def test_two_tasks_are_connected_saved_and_run_to_green(up: Up, ada: Eyes) -> None:
    page = ada.go("/pipelines/pair/edit")
    canvas = Canvas(page)
    canvas.connect("first", "second")
    expect(page.locator("#said")).to_contain_text("second")
    save(page)
    text = (up.project.folder / "notebooks/pair/pipeline.yaml").read_text()
    assert text == PAIR.replace("second.ipynb}", "second.ipynb, depends_on: [first]}")

    page.mouse.click(*box(page, "second"))
    page.get_by_role("link", name="Run…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("All of them").check()
    dialog.get_by_role("button", name="Run").click()
    expect(page.locator("#followed-state")).to_contain_text("success, 2 of 2 tasks done", timeout=WAIT)
    assert (canvas.look("first"), canvas.look("second")) == ("success", "success")
    expect(page.get_by_role("link", name="Notebook of second")).to_be_visible()
    page.reload()
    canvas = Canvas(page)
    page.wait_for_function("nbflow.canvas.run?.second.state === 'success'", timeout=WAIT)
    page.get_by_role("button", name="Back to the draft").click()
    assert canvas.look("second") is None
    expect(page).not_to_have_url(re.compile("run="))


HOLD = """
run => {
  const fetched = fetch
  window.late_answers = []
  window.fetch = async (address, ...rest) => {
    const answer = await fetched(address, ...rest)
    if (!String(address).endsWith(`${run}/states`)) return answer
    const told = await answer.json()
    return {ok: true, json: () => new Promise(go => late_answers.push(() => go(told)))}
  }
}
"""
LET_GO = "async () => { late_answers.forEach(go => go()); await new Promise(requestAnimationFrame) }"


def test_what_is_told_late_of_one_run_does_not_stand_under_another(up: Up, ada: Eyes) -> None:
    one = up.project.json("run", "pair", "--task", "first")["run"]["id"]
    both = up.project.json("run", "pair")["run"]["id"]
    ada.page.add_init_script(f"({HOLD})('{one}')")
    page = ada.go(f"/pipelines/pair/edit?run={one}")
    page.wait_for_function("late_answers.length", timeout=WAIT)
    page.evaluate("go => document.dispatchEvent(new CustomEvent('nbflow:news', {detail: {go}}))", f"?run={both}")
    said = page.locator("#followed-state")
    expect(said).to_contain_text(f"Run {both} ended: success, 2 of 2 tasks done", timeout=WAIT)
    page.evaluate(LET_GO)
    assert "2 of 2 tasks done" in str(said.text_content())


def test_a_run_is_followed_though_the_server_could_not_answer_at_first(up: Up, ada: Eyes) -> None:
    run = up.project.json("run", "pair")["run"]["id"]
    refused = []

    def refuse_once(route: Route) -> None:
        if refused:
            route.continue_()
        else:
            refused.append(route.request.url)
            route.fulfill(status=503, body="")

    ada.page.route("**/states", refuse_once)
    page = ada.go(f"/pipelines/pair/edit?run={run}")
    expect(page.locator("#followed-state")).to_contain_text("success, 2 of 2 tasks done", timeout=WAIT)
    assert refused
    told = [fault for fault in ada.faults if refused[0] in fault]  # by the browser itself
    ada.faults = [fault for fault in ada.faults if fault not in told]


def test_one_task_of_a_draft_runs_before_it_is_saved(up: Up, ada: Eyes) -> None:
    page = ada.go("/pipelines/pair/edit")
    canvas = Canvas(page)
    page.mouse.click(*box(page, "first"))
    page.keyboard.press("Control+d")
    page.wait_for_function("nbflow.canvas.board.has('first_2')", timeout=WAIT)
    page.mouse.click(*box(page, "first_2"))
    page.get_by_role("link", name="Run…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("The draft as it is on the canvas")).to_be_checked()
    dialog.get_by_label("Only first_2").check()
    dialog.get_by_role("button", name="Run").click()
    expect(page.locator("#followed-state")).to_contain_text("success, 1 of 1 task done", timeout=WAIT)
    assert canvas.look("first_2") == "success"
    page.keyboard.press("Control+z")
    expect(page.locator("#changed")).to_be_hidden(timeout=WAIT)


def test_the_keyboard_is_enough_on_the_canvas(up: Up, ada: Eyes) -> None:
    manifest = up.project.folder / "notebooks/keys/pipeline.yaml"
    page = ada.go("/pipelines/keys/edit")
    Canvas(page)
    tab_to(page, page.locator("#canvas"))
    for keys in ("ArrowRight", "c", "ArrowRight", "Enter"):
        page.keyboard.press(keys)
    page.wait_for_function("nbflow.canvas.board.is_edge('first', 'second')", timeout=WAIT)
    page.keyboard.press("Enter")
    expect(page.locator("#form h1")).to_have_text("first", timeout=WAIT)
    page.keyboard.press("Escape")
    page.wait_for_function("document.activeElement === nbflow.canvas.place", timeout=WAIT)
    save_by_keys(page)
    assert manifest.read_text() == PAIR.replace("pair", "keys").replace(
        "second.ipynb}", "second.ipynb, depends_on: [first]}"
    )


# --- the six jobs of nightly_revenue, from nothing --------------------------------------------------------------------

EDGES = (
    ("pull_orders", "clean_orders"),
    ("pull_payments", "clean_payments"),
    ("clean_orders", "join_revenue"),
    ("clean_payments", "join_revenue"),
    ("join_revenue", "publish_revenue"),
)
FORMS = {
    "pull_orders": {"params.run_date": "{{ run_date }}"},
    "pull_payments": {
        "params.run_date": "{{ run_date }}",
        "params.mood": "{{ params.payments_api }}",
        "retries.max_retries": "5",
        "retries.delay": "30s",
        "retries.max_delay": "10m",
    },
    "clean_orders": {"params.raw_orders": "{{ tasks.pull_orders.outputs.path }}"},
    "clean_payments": {"params.raw_payments": "{{ tasks.pull_payments.outputs.path }}"},
    "join_revenue": {
        "params.orders": "{{ tasks.clean_orders.outputs.path }}",
        "params.payments": "{{ tasks.clean_payments.outputs.path }}",
    },
    "publish_revenue": {
        "params.run_date": "{{ run_date }}",
        "params.revenue": "{{ tasks.join_revenue.outputs.path }}",
    },
}
EXPECTED = Path(__file__).with_name("nightly_revenue.yaml")


def test_nightly_revenue_is_drawn_from_nothing_and_run_to_green(up: Up, ada: Eyes) -> None:
    manifest = begun(up)
    page = ada.go("/pipelines/nightly_revenue/edit")
    canvas = Canvas(page)
    for at, task in enumerate(FORMS):
        drop(canvas, task, x=140 + 240 * (at % 3), y=120 + 160 * (at // 3))
    page.get_by_role("button", name="Arrange").click()
    page.wait_for_function("nbflow.canvas.sheet.tasks.every(task => !task.placed)", timeout=WAIT)
    for up_, down in EDGES:
        canvas.see_all()
        canvas.connect(up_, down)
    canvas.see_all()
    drag(page, port(page, "publish_revenue"), box(page, "pull_orders"))
    expect(page.locator("#said")).to_contain_text(
        "publish_revenue → pull_orders → clean_orders → join_revenue → publish_revenue would be a cycle"
    )

    page.get_by_role("link", name="Pipeline…").click()
    fill(page, {"owner": "finance-analytics", "tags": "revenue"})
    page.locator("#form").get_by_label("at certain times").check()
    fill(page, {"schedule.cron": "0 3 * * *", "schedule.timezone": "America/New_York"})
    page.locator("#form").get_by_text("A new parameter").click()
    fill(page, {"new.name": "payments_api", "new.type": "str", "new.default": "steady", "new.choices": "moody, steady"})
    apply(page, "payments_api")
    for task, fields in FORMS.items():
        canvas.see_all()
        page.mouse.dblclick(*box(page, task))
        expect(page.locator("#form h1")).to_have_text(task, timeout=WAIT)
        fill(page, fields)
        apply(page, list(fields.values())[-1])
    expect(page.locator("#problems-title")).to_have_text("No problems", timeout=WAIT)
    page.mouse.dblclick(*box(page, "join_revenue"))
    expect(page.locator("#form h1")).to_have_text("join_revenue", timeout=WAIT)
    picture(page, "editor")
    save(page)
    assert manifest.read_text() == EXPECTED.read_text()

    page.get_by_role("link", name="Run…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Run for").fill("2026-04-01")
    expect(dialog.get_by_label("All of them")).to_be_checked()
    dialog.get_by_role("button", name="Run").click()
    if PICTURES:  # it soon has ended
        page.wait_for_function("nbflow.canvas.run?.clean_orders?.state === 'running'", timeout=2 * WAIT)
        picture(page, "editor-run")
    expect(page.locator("#followed-state")).to_contain_text("success, 6 of 6 tasks done", timeout=2 * WAIT)
    assert {canvas.look(task) for task in FORMS} == {"success"}

    # Opened again, one more task: only its own lines are new.
    page = ada.go("/pipelines/nightly_revenue/edit")
    canvas = Canvas(page)
    drop(canvas, "publish_revenue", x=400, y=80, named="publish_revenue_2")
    canvas.connect("join_revenue", "publish_revenue_2")
    page.mouse.dblclick(*box(page, "publish_revenue_2"))
    fill(page, FORMS["publish_revenue"])
    apply(page, "{{ tasks.join_revenue.outputs.path }}")
    before = manifest.read_text()
    save(page)
    assert manifest.read_text().startswith(before)
    assert re.sub(r"\[-?\d+, -?\d+\]", "[X, Y]", manifest.read_text().removeprefix(before)) == MORE


MORE = """\
  publish_revenue_2:
    notebook: publish_revenue.ipynb
    depends_on: [join_revenue]
    position: [X, Y]
    params: {run_date: "{{ run_date }}", revenue: "{{ tasks.join_revenue.outputs.path }}"}
"""


def test_nightly_revenue_is_built_and_run_to_green_without_the_mouse(up: Up, ada: Eyes) -> None:
    manifest = begun(up)
    page = ada.go("/pipelines/nightly_revenue/edit")
    canvas = Canvas(page)
    for task in FORMS:
        tab_to(page, page.get_by_role("searchbox", name="Search notebooks"))
        page.keyboard.press("Control+a")
        page.keyboard.type(f"{task}.ipynb")
        expect(page.locator("#palette-list li")).to_have_count(1)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_function("name => nbflow.canvas.board.has(name)", arg=task, timeout=WAIT)
    tab_to(page, page.get_by_role("button", name="Arrange"))
    page.keyboard.press("Enter")
    page.wait_for_function("nbflow.canvas.sheet.tasks.every(task => !task.placed)", timeout=WAIT)

    tab_to(page, page.get_by_role("link", name="Pipeline…"))
    page.keyboard.press("Enter")
    expect(page.locator("#form h1")).to_have_text("Pipeline", timeout=WAIT)
    typed(page, {"owner": "finance-analytics", "tags": "revenue"})
    tab_to(page, page.locator("#form").get_by_label("by hand only"))
    page.keyboard.press("ArrowDown")
    typed(page, {"schedule.cron": "0 3 * * *", "schedule.timezone": "America/New_York"})
    tab_to(page, page.locator("#form summary", has_text="A new parameter"))
    page.keyboard.press("Enter")
    typed(
        page, {"new.name": "payments_api", "new.type": "str", "new.default": "steady", "new.choices": "moody, steady"}
    )
    entered(page, "payments_api")
    page.keyboard.press("Escape")
    for task, fields in FORMS.items():
        tab_to(page, page.locator(f"#tasks a[href$='/tasks/{task}']"))
        page.keyboard.press("Enter")
        expect(page.locator("#form h1")).to_have_text(task, timeout=WAIT)
        for up_ in (up_ for up_, down in EDGES if down == task):
            typed(page, {"after.add": up_})
            entered(page, up_)
            page.wait_for_function("edge => nbflow.canvas.board.is_edge(...edge)", arg=[up_, task], timeout=WAIT)
        typed(page, fields)
        entered(page, list(fields.values())[-1])
        page.keyboard.press("Escape")
    expect(page.locator("#problems-title")).to_have_text("No problems", timeout=WAIT)
    save_by_keys(page)
    assert manifest.read_text() == EXPECTED.read_text()

    # No run ended well yet: all of them.
    tab_to(page, page.get_by_role("link", name="Run…"))
    page.keyboard.press("Enter")
    button, everything = page.get_by_role("dialog").get_by_role("button", name="Run"), page.get_by_label("All of them")
    expect(everything).to_be_checked(timeout=WAIT)
    tab_to(page, button)
    page.keyboard.press("Enter")
    expect(page.locator("#followed-state")).to_contain_text("success, 6 of 6 tasks done", timeout=2 * WAIT)
    assert {canvas.look(task) for task in FORMS} == {"success"}

    # Then the chosen task by itself, and the arrows lead to the others.
    tab_to(page, page.get_by_role("link", name="Run…"))
    page.keyboard.press("Enter")
    alone = page.get_by_label("Only publish_revenue")
    expect(alone).to_be_checked(timeout=WAIT)
    tab_to(page, alone)
    page.keyboard.press("ArrowUp")
    expect(everything).to_be_checked()
    page.keyboard.press("ArrowDown")
    expect(alone).to_be_checked()
    tab_to(page, button)
    page.keyboard.press("Enter")
    expect(page.locator("#followed-state")).to_contain_text("success, 1 of 1 task done", timeout=2 * WAIT)


def begun(up: Up) -> Path:
    """The manifest with nothing in it yet, its notebooks beside it."""
    manifest = up.project.folder / "notebooks/nightly_revenue/pipeline.yaml"
    manifest.write_text("name: nightly_revenue\n")
    return manifest


def typed(page: Page, fields: dict[str, str]) -> None:
    for name, text in fields.items():
        tab_to(page, page.locator(f'#form [name="{name}"]'))
        page.keyboard.press("Control+a")
        page.keyboard.type(text)


def entered(page: Page, said: str) -> None:
    """Apply by keys, and wait until the draft says so."""
    tab_to(page, page.locator("#form").get_by_role("button", name="Apply"))
    page.keyboard.press("Enter")
    page.wait_for_function("said => nbflow.editor.sheet.text.includes(said)", arg=said, timeout=WAIT)


def drop(canvas: Canvas, notebook: str, *, x: float, y: float, named: str = "") -> None:
    """Drag a notebook of the palette to a place of the canvas."""
    entry = canvas.page.locator("#palette-list li", has_text=f"{notebook}.ipynb")
    entry.drag_to(canvas.page.locator("#canvas"), target_position={"x": x, "y": y})
    canvas.page.wait_for_function("name => nbflow.canvas.board.has(name)", arg=named or notebook, timeout=WAIT)


def fill(page: Page, fields: dict[str, str]) -> None:
    for name, text in fields.items():
        page.locator(f'#form [name="{name}"]').fill(text)


def apply(page: Page, said: str) -> None:
    """Press Apply, and wait until the draft says so."""
    page.locator("#form").get_by_role("button", name="Apply").click()
    page.wait_for_function("said => nbflow.editor.sheet.text.includes(said)", arg=said, timeout=WAIT)
