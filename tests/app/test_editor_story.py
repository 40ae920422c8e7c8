"""The editor in a real browser: a change from the first key to the saved file without the mouse, and two windows.

The canvas has stories of its own; here every step goes through forms and text.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from app_server import Running, window
from app_world import CHAIN
from axe import serious
from fingers import edited, tab_to
from playwright.sync_api import Browser, Page, expect

from nbflow.api import Role
from nbflow.manifest.edit import SetPipelineKey

PICTURES = os.environ.get("NBFLOW_PICTURES")


def manifest(running: Running, name: str) -> Path:
    return running.world.folder / name / "pipeline.yaml"


def replace_by(page: Page, text: str) -> None:
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


# --- without the mouse ------------------------------------------------------------------------------------------------


def test_a_change_is_made_seen_and_saved_without_the_mouse(page: Page, running: Running, name: str) -> None:
    page.goto(f"{running.base}/pipelines/{name}")
    page.keyboard.press("e")
    page.wait_for_url(f"**/pipelines/{name}/edit")
    expect(page.locator("#tasks li")).to_have_count(3)

    tab_to(page, page.locator("#tasks a[href$='/tasks/report']"))
    page.keyboard.press("Enter")
    expect(page.locator("#form h1")).to_have_text("report")
    expect(page.locator("#form h1")).to_be_focused()
    tab_to(page, page.locator("[name='params.day']"))
    page.keyboard.type("{{ run_date }}")
    tab_to(page, page.locator("[name='after.add']"))
    page.keyboard.type("extract")
    tab_to(page, page.locator("[name='retries.max_retries']"))
    replace_by(page, "3")
    expect(page.locator("#delays")).to_have_text("It is tried again after 30 s, 1 min, 2 min.")
    tab_to(page, page.locator("[name='timeout']"))
    replace_by(page, "soon")
    page.keyboard.press("Enter")
    expect(page.locator("#form [role=alert]")).to_contain_text("must be a duration")
    expect(page.locator("[name='timeout']")).to_have_value("soon")
    tab_to(page, page.locator("[name='timeout']"))
    replace_by(page, "1h")
    page.keyboard.press("Enter")
    edited(page)("retries.max_retries of report was set, and 3 more changes")

    page.keyboard.press("Escape")
    report = page.locator("#tasks a[href$='/tasks/report']")
    expect(report).to_be_focused()
    expect(report).to_contain_text("after clean, extract · 3 retries · up to 1h")

    tab_to(page, page.locator("a[data-side][href$='/edit/pipeline']"), "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#form h1")).to_have_text("Pipeline")
    tab_to(page, page.locator("[name='schedule.cron']"))
    replace_by(page, "0 6 * * 1-5")
    expect(page.locator("#coming")).to_contain_text("Monday to Friday at 06:00, Europe/Berlin")
    expect(page.locator("#coming li")).to_have_count(5)
    page.keyboard.press("Enter")
    edited(page)("schedule.cron was set")

    page.keyboard.press("Control+s")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("tr.nb-new")).to_have_count(2)
    expect(dialog.locator("tr.nb-gone")).to_have_count(2)
    tab_to(page, page.locator("dialog button.nb-primary"))
    page.keyboard.press("Enter")
    expect(page.locator("#changed")).not_to_be_visible()
    wanted = CHAIN.replace("name: nightly", f"name: {name}").replace("0 2 * * *", "0 6 * * 1-5")
    more = 'depends_on: [clean, extract], retries: {max_retries: 3}, timeout: 1h, params: {day: "{{ run_date }}"}}'
    assert manifest(running, name).read_text() == wanted.replace("depends_on: clean}", more)


def test_a_cycle_is_refused_in_the_form(page: Page, running: Running, name: str) -> None:
    page.goto(f"{running.base}/pipelines/{name}/edit")
    tab_to(page, page.locator("#tasks a[href$='/tasks/extract']"))
    page.keyboard.press("Enter")
    expect(page.locator("#form h1")).to_be_focused()
    tab_to(page, page.locator("[name='after.add']"))
    page.keyboard.type("report")
    expect(page.locator("#refusal")).to_contain_text("cycle: extract → clean → report → extract")
    page.keyboard.press("Enter")
    expect(page.locator("#refusal")).to_contain_text("cycle: extract → clean → report → extract")
    expect(page.locator("#undo")).to_be_disabled()


# --- windows, people, a lost connection -------------------------------------------------------------------------------


def test_two_windows_show_one_draft(page: Page, running: Running, name: str, chromium: Browser) -> None:
    page.goto(f"{running.base}/pipelines/{name}/edit")
    with window(running, chromium) as other:
        other.goto(f"{running.base}/pipelines/{name}/edit?view=text")
        page.evaluate("nbflow.editor.edit([{do: 'connect', up: 'extract', down: 'report'}])")
        expect(other.locator("#text")).to_have_value(
            CHAIN.replace("name: nightly", f"name: {name}").replace("on: clean}", "on: [clean, extract]}")
        )
        expect(other.locator("#said")).to_have_text("report now runs after extract")
        other.locator("#undo").press("Enter")
        expect(page.locator("#undo")).to_be_disabled()


def test_what_somebody_else_saves_is_seen_at_once_and_nothing_is_lost(page: Page, running: Running, name: str) -> None:
    page.goto(f"{running.base}/pipelines/{name}/edit")
    page.evaluate("nbflow.editor.edit([{do: 'rename_task', old: 'report', new: 'mail'}])")
    edited(page)("report is now called mail")
    bob = running.world.api(Role.EDITOR, "bob")
    bob.edit_draft(name, "1", [SetPipelineKey("owner", "sales")])
    bob.save_draft(name)
    expect(page.locator("#stale")).to_be_visible()
    page.locator("#stale a").press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("All of your changes fit.")
    dialog.get_by_role("button", name="Take theirs").press("Enter")
    expect(page.locator("#stale")).not_to_be_visible()
    page.keyboard.press("Control+s")
    dialog.get_by_role("button", name="Save", exact=True).press("Enter")
    expect(page.locator("#changed")).not_to_be_visible()
    wanted = CHAIN.replace("name: nightly", f"name: {name}").replace("finance", "sales").replace("report:", "mail:")
    assert manifest(running, name).read_text() == wanted


def test_a_lost_connection_and_a_closed_window_lose_nothing(running: Running, name: str, chromium: Browser) -> None:
    context = chromium.new_context()
    context.set_default_timeout(60_000)
    context.add_cookies([{"name": running.entry.cookie, "value": running.entry.cookie_value, "url": running.base}])
    page = context.new_page()
    page.goto(f"{running.base}/pipelines/{name}/edit")
    expect(page.locator("#tasks li")).to_have_count(3)
    context.set_offline(True)
    page.evaluate("void nbflow.editor.edit([{do: 'set_pipeline_key', path: 'owner', value: 'offline'}])")
    expect(page.get_by_text("Your changes are kept and sent again.")).to_be_visible()
    context.set_offline(False)
    expect(page.locator("#changed")).to_be_visible()
    assert "owner: offline" in running.world.api().draft(name).draft.text
    page.close()
    again = context.new_page()
    again.goto(f"{running.base}/pipelines/{name}/edit?view=text")
    expect(again.locator("#changed")).to_be_visible()
    assert "owner: offline" in again.locator("#text").input_value()
    context.close()


# --- every dress ------------------------------------------------------------------------------------------------------

DRESSES = {
    f"{title}-{scheme}": (size, scheme)
    for title, size in (("wide", (1440, 900)), ("phone", (390, 844)))
    for scheme in ("light", "dark")
}


@pytest.mark.parametrize("dress", DRESSES)
def test_the_editor_fits_and_is_accessible(
    running: Running, chromium: Browser, name: str, tmp_path: Path, dress: str
) -> None:
    folder, found = Path(PICTURES) if PICTURES else tmp_path, list[str]()
    (width, height), scheme = DRESSES[dress]
    running.world.api().edit_draft(name, "1", [SetPipelineKey("owner", "sales")])
    edit = f"/pipelines/{name}/edit"
    with window(running, chromium, viewport={"width": width, "height": height}, color_scheme=scheme) as page:
        for view, path in {
            "editor": edit,
            "editor-text": f"{edit}?view=text",
            "editor-task": f"{edit}/tasks/clean",
            "editor-pipeline": f"{edit}/pipeline",
            "editor-save": f"{edit}/save",
            "editor-discard": f"{edit}/discard",
        }.items():
            page.goto(running.base + path)
            if view == "editor":
                page.locator("#tasks a").first.press("Enter")
                expect(page.locator("#form h1")).to_be_focused()
                expect(page.locator("#canvas canvas").first).to_be_visible()
            page.screenshot(path=folder / f"{view}-{dress}.png")
            if (seen := page.evaluate("document.documentElement.scrollWidth")) > width:
                found.append(f"{view} is {seen} pixels wide")
            found += [f"{view}: {problem}" for problem in serious(page, "#canvas")]
    assert found == [], "\n".join(found)


def test_the_task_whose_form_is_opened_from_the_list_is_chosen_on_the_canvas(
    page: Page, running: Running, name: str
) -> None:
    page.goto(f"{running.base}/pipelines/{name}/edit")
    page.wait_for_function("window.nbflow?.canvas?.sight.width")
    page.evaluate("nbflow.canvas.select(['extract'])")
    page.locator("#tasks a[href$='/tasks/report']").click()
    expect(page.locator("#form h1")).to_have_text("report")
    page.wait_for_function("nbflow.canvas.names.join() === 'report'")


def test_the_task_whose_form_is_open_stays_chosen_under_a_new_name_and_so_does_its_copy(
    page: Page, running: Running, name: str
) -> None:
    page.goto(f"{running.base}/pipelines/{name}/edit")
    page.wait_for_function("window.nbflow?.canvas?.sight.width")
    page.locator("#tasks a[href$='/tasks/clean']").click()
    page.wait_for_function("nbflow.canvas.names.join() === 'clean'")
    page.locator("#form [name=name]").fill("tidy")
    page.locator("#form").get_by_role("button", name="Apply").click()
    expect(page.locator("#form h1")).to_have_text("tidy")
    page.wait_for_function("nbflow.canvas.names.join() === 'tidy'")
    page.locator("#form").get_by_role("button", name="Duplicate").click()
    expect(page.locator("#form h1")).to_have_text("tidy_2")
    page.wait_for_function("nbflow.canvas.names.join() === 'tidy_2'")
