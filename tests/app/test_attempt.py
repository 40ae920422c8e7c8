"""The executed notebook of an attempt, without a browser."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from app_server import Running
from app_world import CHAIN, FAILS, World, ran
from nbflow_app.rooms import News, Seen, Subject
from nbflow_app.subjects import subject_of
from nbformat.v4 import new_markdown_cell, new_output

from nbflow.api import Role
from nbflow.errors import NotFound
from nbflow.run import Run
from nbflow.testing.executor import Script

RAISED = new_output(
    "error", ename="ValueError", evalue="bad country", traceback=["\x1b[31mValueError\x1b[0m: bad country"]
)
HOSTILE = new_output(
    "display_data", data={"text/html": "<script>top.pwned = 1</script><b>table</b>", "text/plain": "a table"}
)
LONG = new_output("stream", name="stdout", text="x" * 200_000)


def failed(world: World) -> Run:
    run = world.run(clean=FAILS)
    cells = (
        new_markdown_cell("# Clean"),
        ran("rows = load()", new_output("stream", name="stdout", text="12 rows\n")),
        ran("check(rows)", RAISED, state="failed"),
        ran("print('never')", state="not_run", seconds=None),
    )
    world.write_log(run, "clean", *cells)
    return run


def address(run: Run, task: str = "clean", number: int = 1) -> str:
    return f"/pipelines/{run.pipeline}/runs/{run.id}/tasks/{task}/{number}"


def test_the_failing_cell_is_where_the_page_arrives_and_what_is_above_is_folded(world: World) -> None:
    page = world.page(address(failed(world)))
    assert page.soup.find(id="notebook")["data-arrive"] == "c3"
    assert "ValueError : bad country" in page.part("c3")
    above = page.soup.find("details", class_="nbx-above")
    assert [cell["id"] for cell in above.find_all("section")] == ["c1", "c2"]
    assert "cell 4 · not run" in page.part("c4")


def test_the_page_says_why_and_what_cannot_run_because_of_it(world: World) -> None:
    page = world.page(address(failed(world)))
    assert "failed : ValueError: bad country Go to cell 3" in page.part("head")
    assert "Because of it, this cannot run: report." in page.part("head")


def test_attempts_are_tabs(world: World) -> None:
    world.pipeline(CHAIN.replace("clean: {notebook: a.ipynb,", "clean: {notebook: a.ipynb, retries: 1,"))
    world.scripts["clean", 2] = FAILS
    run = world.run()
    assert world.page(address(run)).soup.find("nav", id="attempts") is None
    run = world.begin(clean=FAILS)
    world.engine.drive(run.id)
    page = world.page(address(run, number=2))
    tabs = page.soup.find(id="attempts").find_all("a")
    assert [tab["href"] for tab in tabs] == [address(run, number=1), address(run, number=2)]
    assert [tab.get("aria-current") for tab in tabs] == [None, "page"]


def test_an_attempt_that_has_not_begun_says_so_and_one_that_never_was_is_not_found(world: World) -> None:
    run = world.begin(extract=Script(after=timedelta(hours=1)))
    assert "It has not begun yet." in world.page(address(run, "extract")).text
    with pytest.raises(NotFound, match="has no attempt 7"):
        world.page(address(run, "extract", 7))


def test_an_attempt_without_a_notebook_says_so(world: World) -> None:
    run = world.run(clean=FAILS)
    assert "There is no notebook of this attempt." in world.page(address(run)).text


def test_the_same_task_in_the_runs_before(world: World) -> None:
    first, second = world.run(clean=FAILS), world.run()
    page = world.page(address(second))
    assert page.links()["2026-04-01"] == f"/pipelines/nightly/runs/{first.id}/tasks/clean"


def test_a_viewer_sees_the_notebook_and_no_action(world: World) -> None:
    page = world.page(address(failed(world)), Role.VIEWER)
    assert "bad country" in page.text
    assert "Re-run" not in page.text


# --- while it runs --------------------------------------------------------------------------------------------------


def printed(cell: int, text: str) -> dict[str, object]:
    return {"event": "output", "cell": cell, "output": {"output_type": "stream", "name": "stdout", "text": text}}


BEGUN = [{"event": "started", "cells": 2}, {"event": "cell_start", "cell": 1}, printed(1, "one\n")]
ENDED = {"event": "cell_end", "cell": 1, "state": "success", "cause": None, "seconds": 2.5, "execution_count": 1}


@pytest.fixture
def going(world: World) -> Run:
    """An attempt whose notebook was saved when it began, and whose events are ahead of it."""
    run = world.begin(extract=Script(after=timedelta(minutes=1)))
    world.write_log(run, "extract", *(ran(text, state="not_run", seconds=None) for text in ("a = 1", "b = 2")))
    world.logs.events[f"{run.id}/extract/1"] = [*BEGUN]
    return run


def watched(world: World, run: Run, task: str = "extract") -> Subject:
    seen = world.visit({}, {}, Role.VIEWER)
    return subject_of(f"attempt:{run.id}/{task}/1", lambda: seen, world.frame, world.attempts)


def happens(world: World, run: Run, *events: dict[str, object]) -> None:
    world.logs.events[f"{run.id}/extract/1"] += events


def test_what_was_printed_is_shown_before_the_notebook_is_saved(world: World, going: Run) -> None:
    page = world.page(address(going, "extract"))
    assert page.part("c1") == "cell 1 · running a = 1 one"
    assert page.part("c2") == "cell 2 · not run b = 2"
    assert page.soup.find(id="main")["data-upto"] == "3"


def test_only_the_cells_that_changed_are_told(world: World, going: Run) -> None:
    subject = watched(world, going)
    assert subject.pulse > 0
    assert subject.news([]) == News()
    happens(world, going, printed(1, "two\n"))
    told = subject.news([])
    assert (told.parts.keys(), told.refresh) == ({"c1"}, False)
    assert "one\ntwo" in told.parts["c1"]
    happens(world, going, ENDED, {"event": "cell_start", "cell": 2})
    parts = subject.news([]).parts
    assert "cell 1 · success · 2.5 s" in parts["c1"]
    assert "cell 2 · running" in parts["c2"]


def test_who_comes_late_is_told_what_the_page_had_not_seen(world: World, going: Run) -> None:
    subject = watched(world, going)
    happens(world, going, ENDED, {"event": "cell_start", "cell": 2}, printed(2, "b\n"))
    subject.news([])
    assert subject.since(Seen(change=0, upto=3)).parts.keys() == {"c1", "c2"}
    happens(world, going, printed(2, "more\n"))
    subject.news([])
    assert subject.since(Seen(change=0, upto=6)).parts.keys() == {"c2"}
    assert subject.since(Seen(change=0, upto=7)) == News()
    assert subject.since(Seen(change=0, upto=0)).refresh, "that page has no cells to patch"


def test_a_page_that_waits_looks_again_when_the_first_cell_is_there(world: World) -> None:
    run = world.begin(extract=Script(after=timedelta(minutes=1)))
    subject = watched(world, run)
    assert subject.news([]) == News()
    world.write_log(run, "extract", ran("a = 1"))
    assert subject.news([]) == News(refresh=True)
    assert subject.news([]) == News()


def test_at_its_end_the_saved_notebook_is_told_and_nobody_looks_any_more(world: World, going: Run) -> None:
    subject = watched(world, going)
    world.write_log(going, "extract", ran("a = 1"), ran("b = 2"))
    after = world.store.latest_change()
    world.clock.advance(timedelta(minutes=2))
    world.step()
    ended = subject.news([change for change in world.store.changes(after) if subject.concerns(change)])
    assert ended.refresh
    assert "cell 2 · success" in ended.parts["c2"]
    assert subject.pulse == 0
    assert subject.since(Seen(change=after, upto=3)).refresh
    assert subject.since(Seen(change=world.store.latest_change(), upto=0)) == News()


def test_only_changes_of_its_own_task_concern_it(world: World) -> None:
    run = world.run()
    subject = watched(world, run, "clean")
    concerned = {change.key.address for change in world.store.changes(0) if change.key and subject.concerns(change)}
    assert concerned == {"clean"}


# --- files and frames -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile(running: Running) -> str:
    run = running.world.run()
    running.world.write_log(run, "clean", ran("show()", HOSTILE, LONG))
    return address(run)


def test_the_notebook_can_be_kept(running: Running, hostile: str) -> None:
    with running.client() as client:
        notebook = client.get(f"{hostile}.ipynb")
        html = client.get(f"{hostile}.html")
    assert json.loads(notebook.text)["cells"][0]["source"] == ["show()"]
    assert "attachment" in notebook.headers["Content-Disposition"]
    assert "attachment" in html.headers["Content-Disposition"]
    assert "<script" not in html.text


def test_an_output_with_scripts_is_a_frame_that_reaches_nobody(running: Running, hostile: str) -> None:
    with running.client() as client:
        page = client.get(hostile)
        frame = client.get(f"{hostile}/frame/c1/0")
    assert "top.pwned" not in page.text
    assert f'data-frame="{hostile}/frame/c1/0"' in page.text
    assert "top.pwned" in frame.text
    policy = frame.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none'")
    assert "allow-same-origin" not in policy
    assert "connect-src 'none'" in policy
    assert frame.headers["X-Frame-Options"] == "SAMEORIGIN"


def test_a_long_output_is_cut_with_a_link_to_the_whole(running: Running, hostile: str) -> None:
    with running.client() as client:
        page = client.get(hostile)
        whole = client.get(f"{hostile}/whole/c1/1")
        gone = client.get(f"{hostile}/whole/c1/9")
    assert len(page.text) < 150_000
    assert f"{hostile}/whole/c1/1" in page.text
    assert len(whole.text) == 200_000
    assert whole.headers["Content-Type"].startswith("text/plain")
    assert "attachment" in whole.headers["Content-Disposition"]
    assert gone.status_code == 404
