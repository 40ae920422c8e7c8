"""Whatever people call things, pages are as wide as their window, and a name is not a column of letters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from app_server import Running, served, window
from app_world import World
from making import write_notebook
from playwright.sync_api import Browser

from nbflow.run import ErrorInfo
from nbflow.states import AttemptState, Cause
from nbflow.testing.executor import Script

PIPELINE = "quarterly_reconciliation_of_all_regions_and_every_subsidiary_worldwide"
TASK = "extract_the_orders_of_all_regions_and_every_subsidiary_from_the_warehouse"
PARAM = "a_parameter_with_a_name_that_is_really_long_for_a_parameter"
MANIFEST = f"""\
name: {PIPELINE}
description: Résumé of 全地域の売上照合
owner: Équipe données et finances internationales
tags: [a-tag-that-is-quite-long-as-tags-go, finanças, 東京, q1, q2, q3, q4]
schedule: {{cron: "15 3 1,15 */3 mon-fri", timezone: America/Argentina/ComodRivadavia}}
params: {{{PARAM}: {{type: str, default: {"x" * 120}}}}}
tasks:
  {TASK}: {{notebook: {TASK}.ipynb, params: {{of: "{{{{ params.{PARAM} }}}}"}}}}
  {TASK}_again: {{notebook: a.ipynb, depends_on: {TASK}}}
"""
LONG = ErrorInfo(name="ValueError", message="longword" * 200, bases=())
SAYS = Script(state=AttemptState.FAILED, cause=Cause.ERROR, error=LONG)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    world = World(tmp_path_factory.mktemp("wide"))
    world.pipeline(MANIFEST)
    write_notebook(world.folder / PIPELINE / f"{TASK}.ipynb", "print(of)", parameters="of = ''")
    world.pipeline()
    with served(world) as running:
        yield running


@pytest.fixture(scope="module")
def pages(running: Running) -> Mapping[str, str]:
    run = running.world.run(PIPELINE, **{TASK: SAYS}).id
    of_run = f"/pipelines/{PIPELINE}/runs/{run}"
    return {
        "now": "/",
        "runs": "/runs",
        "pipeline": f"/pipelines/{PIPELINE}",
        "its runs": f"/pipelines/{PIPELINE}?tab=runs",
        "trigger": f"/pipelines/{PIPELINE}/trigger",
        "run": of_run,
        "task": f"{of_run}/tasks/{TASK}",
        "mark": f"{of_run}/mark?task={TASK}",
        "editor": f"/pipelines/{PIPELINE}/edit",
    }


NARROW = """[...document.querySelectorAll('tbody th, .nb-why, .nb-facts dd')]
    .filter((each) => each.textContent.trim() && each.checkVisibility() && each.getBoundingClientRect().width < 80)
    .map((each) => each.textContent.trim())"""
TOO_WIDE = "[...document.querySelectorAll('.nb-scroll')].map((each) => each.scrollWidth - each.clientWidth)"


@pytest.mark.parametrize("width", [1440, 1024, 700, 390])
def test_long_names_fit(running: Running, pages: Mapping[str, str], chromium: Browser, width: int) -> None:
    found: list[str] = []
    with window(running, chromium, viewport={"width": width, "height": 800}, base_url=running.base) as page:
        for title, path in pages.items():
            page.goto(path)
            if (seen := page.evaluate("document.documentElement.scrollWidth")) > width:
                found.append(f"{title} is {seen} pixels wide")
            found += [f"{title}: a table is {wider} pixels too wide" for wider in page.evaluate(TOO_WIDE) if wider]
            found += [f"{title}: hardly any room for '{said}'" for said in page.evaluate(NARROW)]
    assert found == [], "\n".join(found)


LINES = "(each) => each.getBoundingClientRect().height / parseFloat(getComputedStyle(each).lineHeight)"


@pytest.mark.parametrize("width", [1440, 390])
def test_one_long_message_hides_nothing_that_stands_below_it(
    running: Running, pages: Mapping[str, str], chromium: Browser, width: int
) -> None:
    with window(running, chromium, viewport={"width": width, "height": 800}, base_url=running.base) as page:
        most = {("now", "#red .nb-reason"): 4, ("run", "#failures p"): 6, ("run", ".nb-why > div"): 2}
        for (title, message), lines in most.items():
            page.goto(pages[title])
            assert "longword" in page.locator(message).first.inner_text()
            assert page.locator(message).first.evaluate(LINES) <= lines + 0.1


def test_on_a_phone_an_id_of_a_run_is_one_line_and_states_stand_in_line(
    running: Running, pages: Mapping[str, str], chromium: Browser
) -> None:
    running.world.run(PIPELINE)
    with window(running, chromium, viewport={"width": 390, "height": 800}, base_url=running.base) as page:
        page.goto(pages["its runs"])
        ids = page.locator("tbody th a").evaluate_all("all => all.map((each) => each.getClientRects().length)")
        assert ids == [1, 1]
        page.goto(pages["run"])
        took = page.locator("td.nb-nowrap").all_inner_texts()
        assert [bool(each) for each in took] == [True, False]
        ends = page.locator(".nb-run .nb-badge").evaluate_all(
            "all => all.map((each) => each.getBoundingClientRect().right)"
        )
        assert ends[0] == ends[1]
