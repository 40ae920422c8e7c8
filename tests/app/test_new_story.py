"""A pipeline of notebooks that are there, made and changed in a real browser without the mouse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from app_server import served, window
from app_world import World
from fingers import Finger, tab_to
from making import write_notebook
from playwright.sync_api import Browser, Locator, Page, expect

from nbflow.model import TaskName


@pytest.fixture
def world(tmp_path: Path) -> World:
    sales = tmp_path / "sales"
    write_notebook(sales / "pull.ipynb", 'df.to_csv("raw.csv")')
    write_notebook(sales / "clean.ipynb", 'pd.read_csv("raw.csv"); df.to_csv("clean.csv")')
    write_notebook(sales / "join.ipynb", 'pd.read_csv("clean.csv"); pd.read_csv("raw.csv")')
    write_notebook(tmp_path / "other" / "load.ipynb", "1")
    return World(tmp_path)


@pytest.fixture
def page(world: World, chromium: Browser) -> Iterator[Page]:
    with served(world) as running, window(running, chromium) as page:
        yield page


@pytest.fixture
def tablet(world: World, chromium: Browser) -> Iterator[Page]:
    size = {"width": 1180, "height": 820}
    with (
        served(world) as running,
        window(running, chromium, viewport=size, has_touch=True) as page,
    ):
        yield page


def test_a_pipeline_is_made_of_notebooks_and_goes_on_without_the_mouse(world: World, page: Page) -> None:
    page.goto("/pipelines")
    tab_to(page, page.get_by_role("link", name="Make one of notebooks"))
    page.keyboard.press("Enter")

    # Three notebooks; of the three edges that suggest themselves one is left.
    page.wait_for_url("**/pipelines/new")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("nightly")
    tab_to(page, page.get_by_role("searchbox", name="Search notebooks"))
    page.keyboard.type("sales")
    expect(page.get_by_role("checkbox", name="other/load.ipynb")).not_to_be_visible()
    for name in ("clean", "join", "pull"):
        tab_to(page, page.get_by_role("checkbox", name=f"sales/{name}.ipynb"))
        page.keyboard.press("Space")
    left = page.get_by_role("checkbox", name="clean after pull")
    expect(left).to_be_checked()
    manifest = page.get_by_label("Manifest")
    expect(manifest).to_contain_text("depends_on: [pull]")
    tab_to(page, left)
    page.keyboard.press("Space")
    expect(manifest).not_to_contain_text("depends_on: [pull]")
    tab_to(page, page.get_by_role("button", name="Create and edit"))
    page.keyboard.press("Enter")

    # It opens in the editor; what was left suggests itself, and is left again, then taken.
    page.wait_for_url("**/pipelines/nightly/edit")
    written = (world.folder / "sales" / "pipeline.yaml").read_text()
    assert "depends_on: [clean, pull]" in written
    assert "depends_on: [pull]" not in written
    leave = page.get_by_role("button", name="Leave: clean after pull")
    expect(leave).to_be_visible()
    tab_to(page, leave)
    page.keyboard.press("Enter")
    again = page.get_by_role("button", name="Show 1 that was left")
    expect(again).to_be_visible()
    page.reload()
    tab_to(page, again)
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("button", name="Take: clean after pull"))
    page.keyboard.press("Enter")
    expect(page.locator("#tasks")).to_contain_text("after pull")
    expect(page.get_by_role("heading", name="Suggested edges")).not_to_be_visible()

    # A notebook of the palette is added by its heading, and a new one is begun and added.
    search = page.get_by_role("searchbox", name="Search notebooks")
    tab_to(page, search)
    page.keyboard.type("load")
    expect(page.locator("#palette-list li")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#tasks")).to_contain_text("load")
    expect(page.locator("#palette-list")).to_contain_text("used by load")
    tab_to(page, page.locator("#palette-begin summary"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_label("Path from the project's folder"))
    page.keyboard.press("End")
    page.keyboard.type("report.ipynb")
    page.keyboard.press("Enter")
    add = page.get_by_role("button", name="Add report.ipynb")
    expect(add).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#tasks")).to_contain_text("report")
    text = world.api().draft("nightly").draft.text
    assert "notebook: ../other/load.ipynb" in text.replace('"', "")
    assert "notebook: report.ipynb" in text
    assert world.api().draft("nightly").definition.problems == ()


def test_a_notebook_is_dragged_onto_the_canvas(world: World, page: Page) -> None:
    entry = opened(world, page)
    entry.drag_to(page.locator("#canvas"), target_position={"x": 300, "y": 300})
    expect(page.locator("#tasks")).to_contain_text("load")
    assert placed(world)
    add = page.get_by_role("button", name="Add ../other/load.ipynb")
    add.click()
    expect(page.locator("#tasks")).to_contain_text("load_2")
    assert placed(world, "load_2"), "among tasks that are placed by hand it gets a place, too"


def test_a_notebook_that_is_added_twice_at_once_is_two_tasks(world: World, page: Page) -> None:
    opened(world, page)
    page.get_by_role("button", name="Add ../other/load.ipynb").dblclick()
    expect(page.locator("#tasks li")).to_contain_text(["load", "load_2"])
    expect(page.locator("#refused")).to_be_hidden()


def test_a_notebook_that_is_let_go_elsewhere_is_none(world: World, page: Page) -> None:
    entry, ghost = opened(world, page), page.locator(".nb-carried")
    entry.hover(position={"x": 20, "y": 10})
    page.mouse.down()
    page.mouse.move(1000, 300, steps=3)
    expect(ghost).to_have_text("load")
    page.mouse.move(500, 500, steps=3)
    expect(ghost).to_have_attribute("data-lands", "")
    page.keyboard.press("Escape")
    expect(ghost).to_have_count(0)
    page.mouse.up()
    entry.drag_to(page.locator("h1"))
    expect(ghost).to_have_count(0)
    page.evaluate("nbflow.editor.arrived()")
    assert not world.api().draft("nightly").draft.is_changed


def test_a_finger_carries_a_notebook_aside_and_scrolls_the_list_up_and_down(world: World, tablet: Page) -> None:
    page, finger = tablet, Finger(tablet)
    box = opened(world, page).bounding_box()
    assert box
    start = (box["x"] + 30, box["y"] + 12)
    finger.down(*start)
    for far in range(0, 60, 10):
        finger.send("touchMove", (start[0], start[1] - far))
    finger.up()
    finger.drag(start, (300, 500))
    expect(page.locator("#tasks")).to_contain_text("load")
    assert placed(world)
    assert world.api().draft("nightly").draft.text.count("load") == 2, "one task and its notebook"


def opened(world: World, page: Page) -> Locator:
    """The editor of a pipeline of one task; the entry of another notebook."""
    world.pipeline("name: nightly\ntasks:\n  a: {notebook: a.ipynb}\n", ["a"])
    page.goto("/pipelines/nightly/edit")
    page.wait_for_function("window.nbflow?.canvas?.sight.width > 0")
    return page.locator("#palette-list li", has_text="load.ipynb")


def placed(world: World, name: str = "load") -> bool:
    tasks = world.api().draft("nightly").definition.pipeline.tasks  # type: ignore[union-attr]  # it is well
    return tasks[TaskName(name)].notebook == "../other/load.ipynb" and tasks[TaskName(name)].position is not None
