"""What people do in the app, in a real browser, with a real scheduler and real notebooks."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app_up import Eyes, Up, person
from axe import serious
from making import Project, eventually, write_notebook
from playwright.sync_api import Browser, Page, expect
from receivers import Hook, hook

PICTURES = os.environ.get("NBFLOW_PICTURES")
"""Where screenshots are kept; without it, in the test's own folder."""

NIGHTLY = """\
name: nightly
description: What the shop earned.
owner: finance
tags: [revenue]
schedule: {cron: "0 2 * * *", timezone: America/New_York}
params:
  country: {type: str, default: de, choices: [de, fr], description: Whose orders.}
tasks:
  load: {notebook: load.ipynb}
  clean: {notebook: clean.ipynb, depends_on: load}
  report: {notebook: load.ipynb, depends_on: clean}
"""
"""For all to look at. Who changes one, or whom its alerts concern, has one like it that never runs by itself."""

REPAIRED = NIGHTLY.replace("nightly", "repaired").replace(
    'schedule: {cron: "0 2 * * *", timezone: America/New_York}', "alerts: {on_failure: [ops], on_recovery: [team]}"
)
PAUSED = NIGHTLY.replace("nightly", "paused").replace("0 2 * * *", "0 2 29 2 *")
SLOW = """\
name: slow
params: {seconds: {type: int, default: 60}}
tasks: {wait: {notebook: wait.ipynb, params: {seconds: "{{ params.seconds }}"}}}
"""
HOSTILE = (
    "from IPython.display import HTML, SVG, Javascript, display",
    "display(HTML('<script>top.pwned = document.cookie</script><b>honest</b>'))",
    'display(HTML(\'<form action="/sign-out" method=post><button>go</button></form><iframe src="/"></iframe>\'))',
    "display(Javascript('parent.pwned = 1; fetch(\"/api/v1/runs\")'))",
    'display(SVG(\'<svg xmlns="http://www.w3.org/2000/svg"><script>top.pwned = 1</script><circle r="9"/></svg>\'))',
    "display(HTML('<img src=x onerror=\"pwned=1\"><table><tr><td>cell</td></tr>'))",
    "print('\\x1b[31mred\\x1b[0m', 'x' * 100_000)",
)
PLOTLY = {
    "data": [{"type": "scatter", "x": [1, 2, 3], "y": [1, 3, 2]}],
    "layout": {"title": {"text": "orders a day"}, "height": 300},
}
HONEST = (
    f"from IPython.display import display\ndisplay({{'application/vnd.plotly.v1+json': {PLOTLY!r}}}, raw=True)",
    "import pandas\nsales = pandas.DataFrame({'country': ['de', 'fr'], 'orders': [12, 7]})\nsales",
    "sales.style.highlight_max(subset=['orders'], color='rgb(1, 200, 3)')",
    "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\nplt.show()",
    "from IPython.display import HTML\nHTML('<img src=/nowhere.png width=4000><img alt=map src=http://elsewhere.invalid/>')",
)
GOOD = "print('all countries are known')"
BAD = "raise ValueError('bad country')"


def fill(project: Project) -> None:
    for name, manifest in (("nightly", NIGHTLY), ("repaired", REPAIRED), ("paused", PAUSED)):
        project.pipeline(name, manifest, load=("print('12 orders')",), clean=("rows = 12", BAD, "print('never')"))
    folder = project.pipeline("slow", SLOW)
    cells = ("print('first')", "import time", "for _ in range(seconds): time.sleep(1)", "print('last')")
    write_notebook(folder / "wait.ipynb", *cells, parameters="seconds = 1")
    project.pipeline("hostile", "name: hostile\ntasks: {show: {notebook: show.ipynb}}\n", show=HOSTILE)
    project.pipeline("honest", "name: honest\ntasks: {show: {notebook: show.ipynb}}\n", show=HONEST)
    project.pipeline("broken", "name: broken\ntasks: {a: {notebook: none.ipynb, depends_on: [b]}}\n")


@pytest.fixture(scope="module")
def ops() -> Iterator[Hook]:
    with hook() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def team() -> Iterator[Hook]:
    """Of another channel: one channel hears of a pipeline once an hour."""
    with hook() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, ops: Hook, team: Hook) -> Iterator[Up]:
    up = Up(tmp_path_factory.mktemp("project"))
    settings = [f'[channels.{name}]\nurls = ["{each.url}"]\n' for name, each in (("ops", ops), ("team", team))]
    (up.project.folder / "nbflow.toml").write_text("".join(settings) + f'[server]\nurl = "{up.base}"\n')
    fill(up.project)
    up.start()
    try:
        yield up
    finally:
        up.stop()


def trigger(page: Page, **fields: str) -> None:
    page.get_by_role("link", name="Trigger…").first.click()
    dialog = page.get_by_role("dialog")
    for label, value in fields.items():
        dialog.get_by_label(label).fill(value)
    dialog.get_by_role("button", name="Trigger").click()


def link_in(alert: dict[str, Any]) -> str:
    """The page that an alert leads to."""
    found = re.search(r"http://127[^\s\"')<>]+/tasks/[^\s\"')<>]+", alert["message"])
    assert found is not None, alert["message"]
    return found[0]


def test_a_run_fails_and_is_repaired(up: Up, ada: Eyes, ops: Hook, team: Hook) -> None:
    page = ada.go("/pipelines/repaired")
    trigger(page)
    page.wait_for_url("**/runs/*")
    expect(page.locator("#task-clean")).to_contain_text("failed")
    expect(page.locator("#head")).to_contain_text("failed")

    # From the link of the alert: the failing cell is on the screen without a click.
    run = up.run_of("repaired")
    alert = eventually(lambda: ops.got and ops.got[0])
    link = link_in(alert)
    assert link == f"{up.base}/pipelines/repaired/runs/{run}/tasks/clean/1#c3"
    page.goto(link)
    cell = page.locator("#c3")
    expect(cell).to_be_in_viewport()
    expect(cell).to_contain_text("bad country")
    expect(page.locator("#c2")).not_to_be_visible()

    write_notebook(up.project.folder / "notebooks/repaired/clean.ipynb", "rows = 12", GOOD, "print('now')")
    page = ada.go(f"/pipelines/repaired/runs/{run}")
    page.keyboard.press("r")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("2 tasks run again")
    expect(dialog).to_contain_text("Changed on disk since they ran")
    dialog.get_by_label("Note", exact=True).fill("knows the country now")
    dialog.get_by_role("button", name="Re-run").click()
    for task in ("load", "clean", "report"):
        expect(page.locator(f"#task-{task}")).to_contain_text("success")
    expect(page.locator("#head")).to_contain_text("3 of 3 tasks done")
    expect(page.locator("#failures")).not_to_contain_text("bad country")
    recovery = eventually(lambda: team.got and team.got[0])
    assert "repaired has recovered" in recovery["title"]
    assert f"/pipelines/repaired/runs/{run}" in recovery["message"]
    assert len(ops.got) == 1


def test_trigger_with_a_parameter_watch_the_cells_and_cancel(up: Up, ada: Eyes) -> None:
    page = ada.go("/pipelines/slow")
    trigger(page, seconds="300")
    page.wait_for_url("**/runs/*")
    expect(page.locator("#task-wait")).to_contain_text("running")
    expect(page.locator("#task-wait")).to_contain_text("cell 5 of 6")
    page.locator("#task-wait").get_by_role("link", name="wait", exact=True).click()
    expect(page.locator("#parameters")).to_contain_text("300")
    expect(page.locator("#c5")).to_contain_text("running")
    expect(page.locator("#c3")).to_contain_text("first")
    page.get_by_role("link", name="Cancel…").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel wait").click()
    page.wait_for_url("**/runs/*")
    expect(page.locator("#task-wait")).to_contain_text("cancelled")
    page.locator("#task-wait").get_by_role("link", name="wait", exact=True).click()
    expect(page.locator("#head")).to_contain_text("cancelled")
    expect(page.locator("#c6")).to_contain_text("not run")


def test_pause_resume_and_mark_with_a_note(up: Up, ada: Eyes) -> None:
    page = ada.go("/pipelines/paused")
    page.get_by_role("link", name="Pause…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Note", exact=True).fill("the source moves")
    dialog.get_by_role("button", name="Pause").click()
    expect(page.locator("#facts")).to_contain_text("paused the source moves")
    page.get_by_role("link", name="Resume…").click()
    page.get_by_role("dialog").get_by_role("button", name="Resume").click()
    expect(page.locator("#facts")).not_to_contain_text("the source moves")

    trigger(page)
    page.wait_for_url("**/runs/*")
    expect(page.locator("#task-clean")).to_contain_text("failed")
    page.get_by_role("link", name="About and actions: clean").click()
    page.get_by_role("dialog").get_by_role("link", name="Mark…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Note", exact=True).fill("checked by hand")
    dialog.get_by_role("button", name="Mark").click()
    expect(page.locator("#task-clean")).to_contain_text("checked by hand")
    expect(page.locator("#task-report")).to_contain_text("success")
    expect(page.locator("#head")).to_contain_text("success")


def test_two_people_see_what_one_does(up: Up, ada: Eyes, chromium: Browser) -> None:
    page = ada.go("/pipelines/slow")
    trigger(page, seconds="300")
    page.wait_for_url("**/runs/*")
    with person(up, chromium) as bob:
        other = bob.go(f"/pipelines/slow/runs/{up.run_of('slow')}")
        expect(other.locator("#task-wait")).to_contain_text("running")
        other.get_by_role("link", name="Cancel run…").click()
        other.get_by_role("dialog").get_by_role("button", name="Cancel run").click()
        expect(other.locator("#task-wait")).to_contain_text("cancelled")
        assert bob.faults == []
    expect(page.locator("#task-wait")).to_contain_text("cancelled")
    expect(page.locator("#actions")).not_to_contain_text("Cancel")


def test_a_hostile_notebook_reaches_nothing(up: Up, chromium: Browser) -> None:
    with person(up, chromium) as eyes:
        page = eyes.go(f"/pipelines/hostile/runs/{up.run_of('hostile')}/tasks/show/1")
        expect(page.locator("#c7")).to_contain_text("cell")
        places, frames = page.locator(".nbx-frame"), page.locator("iframe")
        for at in range(places.count()):
            places.nth(at).scroll_into_view_if_needed()
        expect(frames).to_have_count(places.count())
        assert frames.count() >= 2
        expect(page.frame_locator("iframe").first.locator("b")).to_have_text("honest")
        assert page.evaluate("window.pwned") is None
        assert page.evaluate("document.title").startswith("show, attempt 1")
        assert [frames.nth(at).get_attribute("sandbox") for at in range(frames.count())] == [
            "allow-scripts"
        ] * frames.count()
        names = {cookie["name"] for cookie in page.context.cookies()}
        assert any(name.startswith("nbflow-") for name in names), "nobody was signed out"
        outside = [fault for fault in eyes.faults if "it asked for" in fault]
        assert outside == []


def test_honest_outputs_are_shown_from_this_machine_alone(up: Up, ada: Eyes) -> None:
    page = ada.go(f"/pipelines/honest/runs/{up.run_of('honest')}/tasks/show/1")
    expect(page.locator("#c3 table")).to_contain_text("fr")
    page.locator("#c2 .nbx-frame").scroll_into_view_if_needed()
    plot = page.frame_locator("#c2 iframe")
    expect(plot.locator(".gtitle")).to_have_text("orders a day")
    expect(plot.locator(".scatterlayer path").first).to_be_visible()
    page.locator("#c4 .nbx-frame").scroll_into_view_if_needed()
    highest = page.frame_locator("#c4 iframe").locator("td", has_text="12")
    expect(highest).to_have_css("background-color", "rgb(1, 200, 3)")
    picture = page.locator("#c5 img")
    picture.scroll_into_view_if_needed()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    expect(page.locator("#c6")).to_contain_text("[no picture: map]")
    assert serious(page) == []


def test_the_keyboard_is_enough(ada: Eyes) -> None:
    page = ada.go("/")
    page.keyboard.press("/")
    page.wait_for_url("**/pipelines#q")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("night")
    expect(page).to_have_url(re.compile(r"\?q=night$"))
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="nightly", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/pipelines/nightly")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("next and previous row")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_form_on_a_page_of_its_own_can_be_left(ada: Eyes) -> None:
    page = ada.go("/pipelines/nightly/trigger")
    page.get_by_role("link", name="Close").click()
    page.wait_for_url("**/pipelines/nightly")


# --- every page, in every dress -------------------------------------------------------------------------------------

DRESSES = [
    (name, size, scheme)
    for name, size in (("wide", (1440, 900)), ("phone", (390, 844)))
    for scheme in ("light", "dark")
]


def pages(up: Up) -> dict[str, str]:
    run, show = up.run_of("nightly"), up.run_of("hostile")
    return {
        "now": "/",
        "pipelines": "/pipelines",
        "new": "/pipelines/new?name=fresh&notebook=notebooks/nightly/load.ipynb&notebook=notebooks/slow/wait.ipynb",
        "pipeline": "/pipelines/nightly",
        "manifest": "/pipelines/broken?tab=manifest",
        "history": "/pipelines/nightly?tab=runs",
        "trigger": "/pipelines/nightly/trigger",
        "run": f"/pipelines/nightly/runs/{run}",
        "rerun": f"/pipelines/nightly/runs/{run}/rerun?task=clean",
        "notebook": f"/pipelines/nightly/runs/{run}/tasks/clean/1",
        "outputs": f"/pipelines/hostile/runs/{show}/tasks/show/1",
        "runs": "/runs",
        "missing": "/nope",
    }


FROM_NOTEBOOKS = (".nbx-html", ".nbx-markdown")
"""What notebooks bring themselves."""

TOO_WIDE = "[...document.querySelectorAll('.nb-scroll')].map((each) => each.scrollWidth - each.clientWidth)"


@pytest.mark.parametrize(("name", "size", "scheme"), DRESSES, ids=[f"{name}-{scheme}" for name, _, scheme in DRESSES])
def test_every_page_fits_and_is_accessible(
    up: Up, chromium: Browser, tmp_path: Path, name: str, size: tuple[int, int], scheme: str
) -> None:
    folder = Path(PICTURES) if PICTURES else tmp_path
    found: list[str] = []
    width, height = size
    with person(up, chromium, viewport={"width": width, "height": height}, color_scheme=scheme) as eyes:
        for title, path in pages(up).items():
            page = eyes.go(path)
            if page.locator("[data-drawing]").count():
                expect(page.locator("#graph canvas").first).to_be_visible()
            page.screenshot(path=folder / f"{title}-{name}-{scheme}.png")
            if (seen := page.evaluate("document.documentElement.scrollWidth")) > width:
                found.append(f"{title} is {seen} pixels wide")
            found += [f"{title}: a table is {wider} pixels too wide" for wider in page.evaluate(TOO_WIDE) if wider]
            found += [f"{title}: {problem}" for problem in serious(page, *FROM_NOTEBOOKS)]
    assert found == [], "\n".join(found)


# --- at the end, for it stops the server ----------------------------------------------------------------------------


def test_the_server_restarts_while_a_page_is_open(up: Up, chromium: Browser) -> None:
    run = up.run_of("honest")
    with person(up, chromium) as eyes:
        page = eyes.go("/runs?state=success")
        expect(page.locator(f"#run-{run}")).to_be_visible()
        up.stop()
        expect(page.get_by_text("Connection lost")).to_be_visible()
        up.start()
        expect(page.get_by_text("Connection lost")).not_to_be_visible()
        expect(page.locator(f"#run-{run}")).to_be_visible()
        expect(page).to_have_url(re.compile(r"/runs\?state=success$"))
        expect(page.locator("#state")).to_have_value("success")
