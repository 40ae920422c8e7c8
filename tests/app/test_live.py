"""What people do on a page while news of it come in, in a real browser: nothing that they hold is taken from them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from app_server import Running, served, window
from app_world import BAD_COUNTRY, CHAIN, FAILS, World, ran
from making import eventually
from nbformat.v4 import new_output
from playwright.sync_api import Browser, Page, Route, expect

from nbflow.api import Role


@pytest.fixture
def running(world: World) -> Iterator[Running]:
    with served(world) as running:
        yield running


def told(page: Page, part: str, was: str, now: str) -> None:
    """As if the server told this part with other words in it."""
    page.evaluate(
        "([id, was, now]) => patch({[id]: document.getElementById(id).outerHTML.replaceAll(was, now)})",
        [part, was, now],
    )


def test_a_press_that_is_half_done_when_news_come_is_a_press(page: Page, world: World) -> None:
    page.goto(f"/pipelines/nightly/runs/{world.run().id}")
    page.get_by_role("link", name="About and actions: clean").hover()
    page.mouse.down()
    told(page, "task-clean", "success", "failed")
    expect(page.locator("#task-clean")).to_contain_text("failed")
    page.mouse.up()
    expect(page.get_by_role("dialog")).to_contain_text("clean")


def test_a_row_that_comes_in_does_not_slide_under_a_press(page: Page, world: World) -> None:
    run = world.run().id
    page.goto("/runs")
    page.locator(f"#run-{run} a").hover()
    page.mouse.down()
    with page.expect_response(re.compile(r"/runs$")) as fetched:
        new = world.run().id
    fetched.value.finished()
    page.evaluate("new Promise(requestAnimationFrame)")
    expect(page.locator(f"#run-{new}")).to_have_count(0)
    page.mouse.up()
    page.wait_for_url(f"**/runs/{run}")
    page.go_back()
    expect(page.locator(f"#run-{new}")).to_be_visible()


def test_what_is_selected_and_what_was_opened_stays(page: Page, world: World) -> None:
    page.goto("/pipelines/nightly")
    page.locator("#facts summary").click()
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#facts dd'))")
    world.pipeline(CHAIN.replace("Europe/Berlin", "Europe/Berlin, start: 2026-03-01"))
    page.evaluate("refresh()")
    expect(page.locator("#facts")).to_contain_text("from 2026-03-01")
    expect(page.locator("#facts details")).to_have_attribute("open", "")
    assert "every day at 02:00" in page.evaluate("String(getSelection())")


def test_j_and_k_go_on_from_the_row_that_has_the_focus_while_others_come(page: Page, world: World) -> None:
    runs = [world.run().id for _ in range(3)]
    page.goto("/runs")
    page.keyboard.press("j")
    page.keyboard.press("j")
    second = page.locator(f"#run-{runs[1]} a")
    expect(second).to_be_focused()
    new = world.run().id
    expect(page.locator(f"#run-{new}")).to_be_visible()
    expect(second).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator(f"#run-{runs[0]} a")).to_be_focused()


def test_a_link_that_goes_away_leaves_the_others_what_they_were(page: Page, world: World) -> None:
    world.run(extract=FAILS)
    page.goto("/")
    world.pipeline(world.workspace.load("nightly").text.replace("name: nightly", "name: morning"))
    card = page.get_by_role("link", name="nightly / extract")
    card.focus()
    world.run("morning", extract=FAILS)
    page.evaluate("refresh()")
    expect(page.get_by_role("link", name="morning / extract")).to_be_visible()
    expect(card).to_be_focused()


def test_only_the_last_search_is_shown_whichever_is_answered_last(page: Page, world: World) -> None:
    world.pipeline(world.workspace.load("nightly").text.replace("name: nightly", "name: morning"))
    world.run()
    world.run("morning")
    page.goto("/runs")
    held: list[Route] = []
    page.route(re.compile(r"\?q=n$"), lambda route: held.append(route))
    search = page.get_by_role("searchbox")
    with page.expect_request(re.compile(r"\?q=n$")):
        search.fill("n")
    search.fill("morning")
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    with page.expect_response(re.compile(r"\?q=n$")) as late:
        held[0].continue_()
    late.value.finished()
    page.evaluate("new Promise(requestAnimationFrame)")
    expect(page.locator("#rows tbody")).to_contain_text("morning")
    expect(page.locator("#rows tbody tr")).to_have_count(1)


def test_a_link_that_is_pressed_twice_opens_one_dialog(page: Page) -> None:
    page.goto("/pipelines/nightly")
    page.evaluate("Promise.all([1, 2].map(() => openDialog(document.querySelector('[data-key=t]'))))")
    expect(page.get_by_role("dialog")).to_have_count(1)


def test_a_press_whose_answer_is_slow_is_seen_to_be_one(page: Page) -> None:
    page.goto("/pipelines/nightly")
    held: list[Route] = []
    page.route("**/trigger", lambda route: held.append(route))
    press = page.get_by_role("link", name="Trigger…")
    with page.expect_request("**/trigger"):
        press.click()
    expect(press).to_have_attribute("aria-busy", "true")
    held[0].continue_()
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(press).not_to_have_attribute("aria-busy", "true")


def test_a_form_that_is_open_outlives_a_lost_connection(page: Page) -> None:
    page.route("**/healthz", lambda route: route.fulfill(json={}))
    page.goto("/pipelines/nightly")
    page.get_by_role("link", name="Trigger…").click()
    field = page.get_by_role("dialog").get_by_label("Run for")
    field.fill("2026-03-01")
    page.evaluate("window.before = true; lost()")
    expect(page.get_by_text("Connected again")).to_be_visible()
    expect(field).to_have_value("2026-03-01")
    page.get_by_role("dialog").get_by_role("link", name="Close").click()
    page.wait_for_function("!window.before")
    expect(page.get_by_text("Connected again")).not_to_be_visible()


def test_frames_and_what_was_scrolled_in_a_notebook_stay_while_it_grows(page: Page, world: World) -> None:
    run = world.run(extract=FAILS)
    script = new_output("display_data", data={"text/html": "<script>1</script><p>drawn</p>"})
    lines, more = (new_output("stream", name="stdout", text="x\n" * count) for count in (400, 500))
    world.write_log(run, "extract", ran("show()", script, lines), ran("go()"))
    page.goto(f"/pipelines/nightly/runs/{run.id}/tasks/extract/1")
    expect(page.frame_locator("#c1 iframe").locator("p")).to_have_text("drawn")
    page.evaluate("window.inside = document.querySelector('#c1 iframe').contentWindow")
    page.evaluate("document.querySelector('#c1 .nbx-outputs pre').scrollTop = 300")
    world.write_log(run, "extract", ran("show()", script, more), ran("go()"))
    fresh = page.request.get(page.url, headers={"Accept": "text/html"}).text()
    page.evaluate("html => patch({c1: parsed(html).getElementById('c1').outerHTML})", fresh)
    assert page.evaluate("document.querySelector('#c1 .nbx-outputs pre').textContent.match(/x/g).length") == 500
    assert page.evaluate("inside === document.querySelector('#c1 iframe').contentWindow")
    assert page.evaluate("document.querySelector('#c1 .nbx-outputs pre').scrollTop") == 300


def test_what_is_found_in_a_long_output_comes_into_sight(page: Page, world: World) -> None:
    run = world.run()
    lines = "".join(f"line {number}\n" for number in range(200))
    world.write_log(run, "extract", ran("report()", new_output("stream", text=lines)), ran("1"))
    page.goto(f"/pipelines/nightly/runs/{run.id}/tasks/extract/1")
    for wanted in ("line 199", "line 3", "line 120"):
        page.get_by_role("searchbox").fill(wanted)
        page.keyboard.press("Enter")
        expect(page.locator("#found")).to_contain_text("1 of")
        inside, line = page.evaluate(
            """() => {
              const box = document.querySelector(".nbx-outputs > pre").getBoundingClientRect()
              const line = [...CSS.highlights.get("nb-here")][0].getBoundingClientRect()
              return [box.top <= line.top && line.bottom <= box.bottom, line.top]
            }"""
        )
        assert inside, wanted
        assert 0 < line < 900, wanted


def test_on_arrival_a_failing_cell_that_is_in_view_moves_nothing(page: Page, world: World) -> None:
    run = world.run(extract=FAILS)
    address = f"/pipelines/nightly/runs/{run.id}/tasks/extract/1"
    cells = [ran("1"), ran("2"), ran("raise ValueError", state="failed")]
    world.write_log(run, "extract", *cells)
    page.goto(address)
    expect(page.locator("#c3")).to_be_in_viewport(ratio=1)
    assert page.evaluate("scrollY") == 0
    long = ran("\n".join("raise ValueError" for _ in range(80)), state="failed")
    world.write_log(run, "extract", *cells[:2], long, *(ran(f"{number}") for number in range(20)))
    page.goto(address)
    page.wait_for_function("() => scrollY > 0 && document.getElementById('c3').getBoundingClientRect().top < 90")


@pytest.mark.parametrize("address", ["/pipelines/nightly/runs/{run}", "/pipelines/nightly"])
def test_what_stands_below_a_drawing_does_not_move_when_it_is_drawn(page: Page, world: World, address: str) -> None:
    more = "".join(f"  more_{number}: {{notebook: a.ipynb, depends_on: extract}}\n" for number in range(4))
    world.pipeline(world.workspace.load("nightly").text + more)
    page.goto("/")  # which learns of the time zone, and loads anew
    page.wait_for_function("() => document.documentElement.dataset.zone === 'Europe/Berlin'")
    held: list[Route] = []
    page.route(re.compile("/drawings/[^/]+/[^/]+/autoload"), lambda route: held.append(route))
    page.goto(address.format(run=world.run().id), wait_until="domcontentloaded")
    below = "document.querySelector('table').getBoundingClientRect().top"
    before = page.evaluate(below)
    (route,) = eventually(lambda: page.title() and held)
    route.continue_()
    expect(page.locator("#graph canvas").first).to_be_visible()
    assert page.evaluate(below) == pytest.approx(before, abs=1)


def test_the_table_below_a_graph_says_what_the_graph_says_and_stays_with_its_run(page: Page, world: World) -> None:
    run = world.begin()
    page.goto("/pipelines/nightly")
    state = page.locator("#tab tbody .nb-badge").first
    expect(page.locator("#graph canvas").first).to_be_visible()
    page.evaluate("window.drawn = document.querySelector('#graph > *')")
    expect(state).to_have_text("running")
    page.locator("#run").focus()
    world.engine.drive(run.id)
    world.run(extract=FAILS)
    expect(page.locator("#run option")).to_have_count(2)
    expect(state).to_have_text("success")
    expect(page.locator("#run")).to_have_value(run.id)
    assert page.evaluate("drawn === document.querySelector('#graph > *')"), "the graph is not drawn anew"


def test_the_first_run_of_a_pipeline_comes_into_its_graph(page: Page, world: World) -> None:
    page.goto("/pipelines/nightly")
    expect(page.locator("#graph canvas").first).to_be_visible()
    with page.expect_request(re.compile(r"/drawings/pipelines/nightly/autoload.js.*run=")):
        world.run()
    expect(page.locator("#graph canvas").first).to_be_visible()
    expect(page.locator("#tab tbody .nb-badge").first).to_have_text("success")


def test_the_timeline_comes_when_the_run_that_is_looked_at_starts(page: Page, world: World) -> None:
    run = world.api().create_run("nightly").id
    page.goto(f"/pipelines/nightly/runs/{run}")
    expect(page.locator("#head")).to_contain_text("queued")
    expect(page.locator("#times")).to_have_count(0)
    world.engine.own(run)
    world.step()
    world.step()
    expect(page.locator("#times canvas").first).to_be_visible()


def test_a_connection_that_is_lost_while_something_is_said_is_looked_for_as_well(page: Page) -> None:
    page.route("**/healthz", lambda route: route.fulfill(json={}))
    page.goto("/pipelines/nightly")
    page.evaluate("window.before = true; say('Triggered'); lost()")
    page.wait_for_function("!window.before")


def test_no_drawing_takes_the_focus_of_the_keyboard_for_nothing(page: Page, world: World) -> None:
    page.goto(f"/pipelines/nightly/runs/{world.run().id}")
    for place in ("#graph", "#times"):
        expect(page.locator(f"{place} .bk-events")).to_have_attribute("tabindex", "-1")


def test_the_columns_of_a_run_stay_where_they_are_whatever_comes_in(page: Page, world: World) -> None:
    page.goto(f"/pipelines/nightly/runs/{world.run().id}")
    left = "[...document.querySelectorAll('.nb-run thead th')].map(each => each.getBoundingClientRect().x)"
    before = page.evaluate(left)
    told(page, "task-clean", "success", "upstream failed")
    told(
        page,
        "task-report",
        'nb-why">',
        'nb-why">waits for a free slot: 2 of 2 used by load_the_orders, load_the_customers',
    )
    expect(page.locator("#task-report")).to_contain_text("waits for a free slot")
    assert page.evaluate(left) == before


def test_what_comes_in_above_a_table_waits_for_a_hand_that_moves_over_it(page: Page, world: World) -> None:
    page.goto(f"/pipelines/nightly/runs/{world.run().id}")
    page.get_by_role("link", name="About and actions: clean").hover()
    assert page.evaluate("held > 0")


@pytest.mark.parametrize("width", [1440, 390])
def test_the_rows_of_a_run_stay_where_they_are_whatever_comes_in(page: Page, world: World, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    long = replace(FAILS, error=replace(BAD_COUNTRY, message="a country that nobody knows; " * 20))
    run = world.begin(extract=long).id
    page.goto(f"/pipelines/nightly/runs/{run}")
    tops = """() => {
      const table = document.querySelector('.nb-run table')
      return [...table.rows].map(row => row.getBoundingClientRect().y - table.getBoundingClientRect().y)
    }"""
    expect(page.locator("#task-extract")).to_contain_text("cell 2 of 7")
    before = page.evaluate(tops)
    world.engine.drive(run)
    expect(page.locator("#task-report")).to_contain_text("upstream failed")
    expect(page.locator("#task-extract .nb-why")).to_contain_text("a country")
    assert page.evaluate(tops) == pytest.approx(before, abs=1)


def test_a_form_that_does_not_come_leaves_the_page_where_it_is(running: Running, chromium: Browser) -> None:
    context = chromium.new_context(base_url=running.base)
    context.add_cookies([{"name": running.entry.cookie, "value": running.entry.cookie_value, "url": running.base}])
    page = context.new_page()
    page.route("**/trigger", lambda route: route.abort())
    page.goto("/pipelines/nightly")
    page.get_by_role("link", name="Trigger…").click()
    expect(page.get_by_text("The server does not answer.")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/pipelines/nightly$"))
    context.close()


@pytest.mark.parametrize(("role", "keys"), [(Role.VIEWER, []), (Role.OPERATOR, ["r", "t"])])
def test_the_help_tells_of_no_key_that_does_nothing(
    world: World, chromium: Browser, role: Role, keys: list[str]
) -> None:
    run = world.run(clean=FAILS)
    with served(world, role=role) as running, window(running, chromium) as page:
        page.goto(f"/pipelines/nightly/runs/{run.id}")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_contain_text("this help")
        known = page.get_by_role("dialog").locator("kbd").all_inner_texts()
        assert [key for key in known if key in {"r", "t", "e"}] == keys
