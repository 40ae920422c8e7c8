"""Who types in the editor, in a real browser: forms, text and news of the draft wait for one another."""

from __future__ import annotations

import re

import pytest
from app_server import Running
from app_world import CHAIN
from fingers import edited, tab_to
from making import eventually, write_notebook
from playwright.sync_api import APIResponse, Page, Route, expect

from nbflow.manifest.edit import AddTask, SetPipelineKey, SetTaskKey

SLOW = """() => {
    const fast = window.fetch;
    window.fetch = (...asked) => new Promise((go) => setTimeout(go, 700)).then(() => fast(...asked));
}"""


# --- what is typed into a form ----------------------------------------------------------------------------------------


def test_what_was_typed_into_a_form_is_there_when_another_is_opened(page: Page, running: Running, name: str) -> None:
    page.goto(f"{running.base}/pipelines/{name}/edit")
    page.locator("#tasks a[href$='/tasks/clean']").click()
    page.locator("[name='timeout']").fill("2h")
    page.get_by_role("link", name="Pipeline…").click()
    expect(page.locator("#form h1")).to_have_text("Pipeline")
    edited(page)("timeout of clean was set")
    page.locator("[name='schedule.cron']").fill("never")
    page.evaluate("document.dispatchEvent(new CustomEvent('nbflow-open', {detail: {task: 'report'}}))")
    expect(page.locator("#form [role=alert]")).to_contain_text("never")
    expect(page.locator("#form h1")).to_have_text("Pipeline")
    expect(page.locator("[name='schedule.cron']")).to_have_value("never")


def test_a_save_has_what_was_typed_into_a_form(page: Page, running: Running, name: str) -> None:
    page.goto(f"{running.base}/pipelines/{name}/edit")
    page.locator("#tasks a[href$='/tasks/clean']").click()
    page.locator("[name='timeout']").fill("2h")
    page.keyboard.press("Escape")
    expect(page.locator("#refused")).to_contain_text("What you typed is not applied yet")
    page.locator("#save").click()
    expect(page.get_by_role("dialog").locator("tr.nb-new")).to_contain_text("timeout: 2h")
    page.keyboard.press("Escape")
    page.locator("[name='timeout']").fill("3h")
    page.keyboard.press("Escape")
    expect(page.locator("#refused")).to_be_visible()
    page.locator("#form [data-close]").click()
    expect(page.locator("#refused")).not_to_be_visible()
    assert "timeout: 2h" in running.world.api().draft(name).draft.text


def test_a_field_that_has_the_focus_is_not_behind_the_buttons(page: Page, running: Running, name: str) -> None:
    page.goto(f"{running.base}/pipelines/{name}/edit")
    page.locator("#tasks a[href$='/tasks/clean']").click()
    expect(page.locator("#form h1")).to_be_focused()
    edges, footer = "(each) => each.getBoundingClientRect()", page.locator("#side footer")
    for _ in range(page.locator("#form .nb-input").count()):
        page.keyboard.press("Tab")
        field = page.locator("#form .nb-input:focus")
        if field.count():
            assert field.evaluate(edges)["bottom"] <= footer.evaluate(edges)["top"], field.get_attribute("name")


def test_of_many_tasks_with_one_notebook_the_palette_names_a_few(page: Page, running: Running) -> None:
    tasks = "".join(f"  t{number}: {{notebook: a.ipynb}}\n" for number in range(300))
    many = running.world.pipeline(f"name: many\ntasks:\n{tasks}")
    page.goto(f"{running.base}/pipelines/{many}/edit")
    entry = page.locator("#palette-list li").first
    expect(entry).to_contain_text("used by t0, t1, t2 and 297 more")
    page.locator("#palette-search").fill("a.ipynb")
    page.keyboard.press("Enter")
    expect(entry).to_contain_text("and 298 more")


def test_a_text_that_cannot_be_read_asks_for_no_task(page: Page, running: Running) -> None:
    torn = running.world.pipeline("name: torn\ntasks: [\n")
    page.goto(f"{running.base}/pipelines/{torn}/edit")
    canvas = page.locator("#canvas")
    expect(canvas).to_have_attribute("data-hint", re.compile("Mend it under Text"))
    page.get_by_role("link", name="Text", exact=True).click()
    page.get_by_label("Text of the manifest").fill("name: torn\ntasks: {}\n")
    expect(canvas).to_have_attribute("data-hint", re.compile("drop a notebook here"))


def test_what_was_typed_into_a_form_outlives_the_page(page: Page, running: Running, name: str) -> None:
    page.goto(f"{running.base}/pipelines/{name}/edit")
    page.locator("#tasks a[href$='/tasks/clean']").click()
    page.locator("[name='timeout']").fill("2h")
    page.goto("about:blank")
    eventually(lambda: "timeout: 2h" in running.world.api().draft(name).draft.text)


def test_a_form_follows_the_draft_until_somebody_types(page: Page, running: Running, name: str) -> None:
    page.goto(f"{running.base}/pipelines/{name}/edit")
    page.locator("#tasks a[href$='/tasks/clean']").click()
    timeout = page.locator("[name='timeout']")
    expect(page.locator("#form h1")).to_be_focused()
    running.world.api().edit_draft(name, "1", [SetTaskKey("clean", "timeout", "3h")])
    expect(timeout).to_have_value("3h")
    expect(page.locator("#form h1")).to_be_focused()
    timeout.select_text()
    running.world.api().edit_draft(name, "2", [SetTaskKey("clean", "timeout", "30m")])
    expect(timeout).to_have_value("30m")
    page.keyboard.insert_text("4h")
    expect(timeout).to_have_value("4h")
    page.locator("#form").get_by_role("button", name="Apply").click()
    eventually(lambda: "timeout: 4h" in running.world.api().draft(name).draft.text)

    page.evaluate(SLOW)
    with page.expect_request("**/tasks/clean"):
        running.world.api().edit_draft(name, "3", [SetTaskKey("clean", "timeout", "3h")])
    timeout.fill("5h")
    page.locator("#form").get_by_role("button", name="Apply").click()
    eventually(lambda: "timeout: 5h" in running.world.api().draft(name).draft.text)
    expect(timeout).to_have_value("5h")


def test_another_notebook_brings_its_parameters_also_to_who_types_on_at_once(
    page: Page, running: Running, name: str
) -> None:
    write_notebook(running.world.folder / name / "b.ipynb", "print(1)", parameters="other: int = 3")
    page.goto(f"{running.base}/pipelines/{name}/edit")
    page.locator("#tasks a[href$='/tasks/clean']").click()
    rows = page.locator("[name='params.rows']")
    with page.expect_response(re.compile(r"/tasks/clean\?")):
        rows.evaluate(
            """rows => {
              rows.form.elements.notebook.value = "b.ipynb"
              rows.form.elements.notebook.dispatchEvent(new InputEvent("input", {bubbles: true}))
              rows.focus()
            }"""
        )
    expect(page.locator("[name='params.other']")).to_be_visible()


# --- text and forms say the same --------------------------------------------------------------------------------------


def test_text_problems_and_tasks_follow_one_another(page: Page, running: Running, name: str) -> None:
    page.goto(f"{running.base}/pipelines/{name}/edit?view=text")
    text = page.locator("#text")
    text.fill(text.input_value().replace("depends_on: extract", "depends_on: extarct"))
    expect(page.locator("#problems li")).to_contain_text("'extarct', which does not exist")
    expect(page.locator("#problems li")).to_contain_text("Did you mean 'extract'?")
    expect(page.locator("#gutter .nb-failed")).to_have_text("11")
    text.fill(text.input_value() + "  [")
    expect(page.locator("#problems li").first).to_contain_text("not valid YAML")
    expect(page.locator("#tasks li")).to_have_count(3)
    page.locator("#problems button").first.press("Enter")
    expect(text).to_be_focused()
    page.locator("#undo").press("Enter")
    page.locator("#undo").press("Enter")
    expect(page.locator("#problems li")).to_have_count(0)
    expect(text).to_have_value(CHAIN.replace("name: nightly", f"name: {name}"))
    page.evaluate("nbflow.editor.edit([{do: 'remove_task', name: 'report'}])")
    expect(page.locator("#tasks li")).to_have_count(2)
    expect(text).not_to_have_value(re.compile("report"))


def test_news_of_the_draft_leave_the_keyboard_and_the_mouse_where_they_are(
    page: Page, running: Running, name: str
) -> None:
    running.world.api().edit_draft(name, "1", [SetTaskKey("clean", "retries", {"delay": "5s"})])
    page.goto(f"{running.base}/pipelines/{name}/edit?view=text")
    problem = page.locator("#problems button").first
    problem.focus()
    page.evaluate("nbflow.editor.look()")
    expect(problem).to_be_focused()
    problem.hover()
    page.mouse.down()
    page.evaluate("nbflow.editor.look()")
    page.mouse.up()
    expect(page.locator("#text")).to_be_focused()
    problem.focus()
    running.world.api().edit_draft(name, "2", [SetTaskKey("clean", "pool_slots", 2)])
    expect(page.locator("#problems li")).to_have_count(2)
    expect(problem).to_be_focused()


def test_after_a_change_the_sheet_is_fetched_and_not_the_page(page: Page, running: Running, name: str) -> None:
    page.clock.install()
    page.goto(f"{running.base}/pipelines/{name}/edit")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    running.world.api().edit_draft(name, "1", [AddTask("other", "b.ipynb")])
    expect(page.locator("#tasks li")).to_have_count(4)
    page.clock.run_for(1000)
    assert f"{page.url}/sheet" in asked
    assert page.url not in asked


def test_what_was_refused_stays_said_until_the_draft_is_another_one(page: Page, running: Running, name: str) -> None:
    page.goto(f"{running.base}/pipelines/{name}/edit")
    page.evaluate("nbflow.editor.edit([{do: 'add_task', name: 'clean', notebook: 'b.ipynb'}])")
    expect(page.locator("#refused")).to_contain_text("there is already a task 'clean'")
    page.evaluate("document.dispatchEvent(new CustomEvent('nbflow-say', {detail: {text: 'Not connected'}}))")
    page.evaluate("nbflow.editor.look()")
    expect(page.locator("#said")).to_have_text("Not connected")
    expect(page.locator("#refused")).to_be_visible()
    page.evaluate("nbflow.editor.edit([{do: 'connect', up: 'extract', down: 'report'}])")
    expect(page.locator("#refused")).not_to_be_visible()
    edited(page)("report now runs after extract")


def test_an_old_answer_that_comes_late_is_not_shown(page: Page, running: Running, name: str) -> None:
    page.goto(f"{running.base}/pipelines/{name}/edit")
    page.evaluate(
        "window.seen = []; document.addEventListener('nbflow-sheet', ({detail}) => seen.push(detail.sheet.version))"
    )
    late: list[tuple[Route, APIResponse]] = []
    page.route("**/edit/sheet", lambda route: late.append((route, route.fetch())), times=1)
    page.evaluate("window.looked = nbflow.editor.look(); null")
    eventually(lambda: page.evaluate("1") and late)
    page.evaluate("nbflow.editor.edit([{do: 'connect', up: 'extract', down: 'report'}])")
    edited(page)("report now runs after extract")
    route, answer = late[0]
    route.fulfill(response=answer)
    page.evaluate("looked")
    seen = page.evaluate("seen")
    assert seen == sorted(seen)
    edited(page)("report now runs after extract")


def test_whoever_types_faster_than_the_server_answers_loses_no_letter(page: Page, running: Running, name: str) -> None:
    page.goto(f"{running.base}/pipelines/{name}/edit?view=text")
    page.evaluate(SLOW)
    page.locator("#text").focus()
    page.keyboard.press("Control+End")
    typed = "# one letter after the other, and no end of it\n"
    page.keyboard.type(typed, delay=90)
    wanted = CHAIN.replace("name: nightly", f"name: {name}") + typed
    page.wait_for_function("wanted => nbflow.editor.sheet.text === wanted", arg=wanted)
    expect(page.locator("#text")).to_have_value(wanted)
    expect(page.locator("#refused")).not_to_be_visible()
    assert running.world.api().draft(name).draft.text == wanted


@pytest.mark.parametrize("keeps", ["Keep what I typed", "Show the other text"])
def test_two_windows_that_type_at_once_choose(page: Page, running: Running, name: str, keeps: str) -> None:
    page.goto(f"{running.base}/pipelines/{name}/edit?view=text")
    mine = CHAIN.replace("name: nightly", f"name: {name}").replace("finance", "mine")

    def meanwhile(route: Route) -> None:
        running.world.api().edit_draft(name, "other", [SetPipelineKey("owner", "other")])
        route.continue_()

    page.route("**/edit/text", meanwhile, times=1)
    page.locator("#text").fill(mine)
    expect(page.locator("#refused")).to_contain_text("was changed in another window while you typed")
    expect(page.locator("#text")).to_have_value(mine)
    page.get_by_role("button", name=keeps).press("Enter")
    expect(page.locator("#refused")).not_to_be_visible()
    shown = mine if keeps.startswith("Keep") else mine.replace("mine", "other")
    expect(page.locator("#text")).to_have_value(shown)
    page.wait_for_function("wanted => nbflow.editor.sheet.text === wanted", arg=shown)
    assert running.world.api().draft(name).draft.text == shown


@pytest.mark.parametrize(
    ("key", "value", "field"),
    [("retries", {"delay": "5s"}, "retries.delay"), ("pool_slots", 2, "pool_slots"), ("params", {"x": 1}, "params.x")],
)
def test_a_problem_leads_to_its_field(
    page: Page, running: Running, name: str, key: str, value: object, field: str
) -> None:
    running.world.api().edit_draft(name, "1", [SetTaskKey("clean", key, value)])
    page.goto(f"{running.base}/pipelines/{name}/edit")
    page.locator("#problems button").first.press("Enter")
    expect(page.locator(f"[name='{field}']")).to_be_focused()


def test_what_is_typed_while_a_form_is_sent_stays_where_it_is_typed(page: Page, running: Running, name: str) -> None:
    page.goto(f"{running.base}/pipelines/{name}/edit")
    page.locator("#tasks a[href$='/tasks/report']").press("Enter")
    expect(page.locator("#form h1")).to_be_focused()
    page.evaluate(SLOW)
    page.locator("[name='after.add']").fill("extract")
    page.locator("[name='after.add']").press("Enter")
    tab_to(page, page.locator("[name='timeout']"))
    page.keyboard.type("1h")
    expect(page.locator("#form").get_by_label("extract", exact=True)).to_be_checked()
    expect(page.locator("[name='after.add']")).to_have_value("")
    expect(page.locator("[name='timeout']")).to_have_value("1h")
    expect(page.locator("[name='timeout']")).to_be_focused()
    page.keyboard.press("Enter")
    edited(page)("timeout of report was set")


def test_news_of_what_was_sent_forget_nothing_that_was_typed_meanwhile(page: Page, running: Running, name: str) -> None:
    """The news come before the form as it is after it was sent, which takes long here."""
    page.goto(f"{running.base}/pipelines/{name}/edit")
    page.locator("#tasks a[href$='/tasks/report']").press("Enter")
    expect(page.locator("#form h1")).to_be_focused()
    page.evaluate(
        """() => {
            const fast = window.fetch;
            const pause = (place, about) => !/tasks.report$/.test(place) ? 0 : about?.method === "POST" ? 700 : 2000;
            window.fetch = (place, about) => new Promise((go) => setTimeout(go, pause(place, about)))
              .then(() => fast(place, about));
        }"""
    )
    page.locator("[name='after.add']").fill("extract")
    page.locator("[name='after.add']").press("Enter")
    page.locator("[name='timeout']").fill("1h")
    expect(page.locator("#form").get_by_label("extract", exact=True)).to_be_checked()
    expect(page.locator("[name='timeout']")).to_have_value("1h")


def test_the_form_that_was_opened_last_is_shown_whichever_comes_last(page: Page, running: Running, name: str) -> None:
    page.goto(f"{running.base}/pipelines/{name}/edit")
    held: list[Route] = []
    page.route("**/tasks/clean", lambda route: held.append(route))
    with page.expect_request("**/tasks/clean"):
        page.locator("#tasks a[href$='/tasks/clean']").press("Enter")
    page.locator("#tasks a[href$='/tasks/report']").press("Enter")
    expect(page.locator("#form h1")).to_have_text("report")
    with page.expect_response("**/tasks/clean") as late:
        held[0].continue_()
    late.value.finished()
    page.evaluate("new Promise(requestAnimationFrame)")
    expect(page.locator("#form h1")).to_have_text("report")


def test_the_notebook_that_the_mouse_is_on_stays_there_while_tasks_come(
    page: Page, running: Running, name: str
) -> None:
    for number in range(20):
        write_notebook(running.world.folder / name / f"more_{number:02}.ipynb", "1")
    page.goto(f"{running.base}/pipelines/{name}/edit")
    button = page.get_by_role("button", name="Add more_00.ipynb")
    button.hover()
    before = button.evaluate("each => each.getBoundingClientRect().y")
    running.world.api().edit_draft(name, "1", [AddTask("mail", "more_01.ipynb")])
    expect(page.locator("#tasks li")).to_have_count(4)
    assert button.evaluate("each => each.getBoundingClientRect().y") == pytest.approx(before, abs=1)
