"""What an operator does, without a browser: what each form says before, and what it does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from app_world import CHAIN, FAILS, NOW, World
from making import write_notebook

from nbflow.api import Role
from nbflow.errors import Conflict, InvalidInput, InvalidManifest, NotAllowed, NotFound
from nbflow.run import Run
from nbflow.states import AttemptState, Cause, RunState
from nbflow.testing.executor import Script

SLOW = Script(after=timedelta(hours=1))


def address(run: Run, form: str = "") -> str:
    return f"/pipelines/{run.pipeline}/runs/{run.id}{form and '/' + form}"


# --- trigger --------------------------------------------------------------------------------------------------------


def test_the_form_has_a_field_for_each_parameter_with_its_kind_and_default(world: World) -> None:
    page = world.page("/pipelines/nightly/trigger")
    day, mood = page.soup.find(id="p.day"), page.soup.find(id="p.mood")
    assert (day["type"], day["value"]) == ("date", "2026-04-01")
    assert [option.text for option in mood.find_all("option")] == ["calm", "wild"]
    assert "The day to count." in page.text
    assert "The date in Europe/Berlin" in page.text


def test_what_was_filled_in_is_what_the_run_gets(world: World) -> None:
    sent = world.page("/pipelines/nightly/trigger").fields()
    done = world.act("/pipelines/nightly/trigger", **{**sent, "p.mood": "wild", "date": "2026-03-30"})
    run = world.store.load(done.to.rpartition("/")[2]).run
    assert run.params == {"day": "2026-04-01", "mood": "wild"}
    assert run.run_date == date(2026, 3, 30)
    assert run.created_by == "ada"


def test_the_form_can_be_filled_in_like_another_run(world: World) -> None:
    run = world.api().create_run("nightly", given={"mood": "wild"}, when=date(2026, 3, 30))
    sent = world.page("/pipelines/nightly/trigger", like=run.id).fields()
    assert (sent["p.mood"], sent["date"]) == ("wild", "2026-03-30")
    world.act("/pipelines/nightly/trigger", **sent)
    assert world.store.list_runs()[0].params["mood"] == "wild"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"p.day": "yesterday"}, "parameter 'day' must be date"),
        ({"p.mood": "grim"}, "parameter 'mood' cannot be"),
        ({"date": "tomorrow"}, "'tomorrow' is no date"),
    ],
)
def test_what_does_not_fit_is_refused(world: World, fields: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        world.act("/pipelines/nightly/trigger", **fields)
    assert world.store.list_runs() == []


def test_without_a_scheduler_the_form_says_that_the_run_will_wait(world: World) -> None:
    assert "No scheduler is running" in world.page("/pipelines/nightly/trigger").text
    assert "No scheduler is running" in world.page("/").text


def test_a_broken_pipeline_cannot_be_triggered(world: World) -> None:
    world.pipeline("name: weekly\ntasks: {a: {notebook: none.ipynb}}\n")
    with pytest.raises(InvalidManifest):
        world.page("/pipelines/weekly/trigger")


# --- re-run ---------------------------------------------------------------------------------------------------------


def test_the_preview_names_what_runs_again_and_what_changed(world: World) -> None:
    run = world.run(clean=FAILS)
    write_notebook(world.folder / "nightly" / "a.ipynb", "print(2)")
    page = world.page(address(run, "rerun"))
    assert "2 tasks run again" in page.text
    assert [item.text for item in page.soup.select("#preview li")] == ["clean", "report", "clean", "report"]
    assert "Changed on disk since they ran" in page.text
    assert "The manifest was changed" not in page.text
    manifest = world.folder / "nightly" / "pipeline.yaml"
    manifest.write_text(f"{manifest.read_text()}# slower now\n")
    assert "The manifest was changed since. This run keeps" in world.page(address(run, "rerun")).text


def test_a_rerun_repairs_the_run(world: World) -> None:
    run = world.run(clean=FAILS)
    done = world.act(address(run, "rerun"), note="fixed the country")
    assert done.note == "2 tasks will run again"
    assert world.states(run.id) == {"extract": "success", "clean": "success", "report": "success"}
    assert any(change.note == "fixed the country" for change in world.store.changes(0, run=run.id))


CANCELLED = Script(state=AttemptState.CANCELLED, cause=Cause.CANCELLED, reason="cancelled by bob")


@pytest.mark.parametrize(
    ("scripts", "said"),
    [
        ({"clean": FAILS}, "what failed"),
        ({"clean": CANCELLED}, "what was cancelled"),
        ({"clean": FAILS, "side": CANCELLED}, "what failed or was cancelled"),
    ],
)
def test_a_rerun_is_offered_as_what_it_does(world: World, scripts: dict[str, Script], said: str) -> None:
    world.pipeline(f"{CHAIN}  side: {{notebook: a.ipynb, depends_on: extract}}\n")
    run = world.run(**scripts)
    offered = world.page(f"/pipelines/nightly/runs/{run.id}").soup.select_one("[data-key=r]")
    assert offered is not None
    assert offered.text == f"Re-run {said}…"
    assert world.page(address(run, "rerun")).soup.h1.text == f"Re-run {said}"


def test_one_task_and_what_follows_it_can_run_again(world: World) -> None:
    run = world.run()
    page = world.page(address(run, "rerun"), task="clean")
    assert page.soup.h1.text == "Re-run from clean"
    assert [item.text for item in page.soup.select("#preview li")] == ["clean", "report"]
    world.act(address(run, "rerun"), **page.fields())
    assert {key.address: task.attempts for key, task in world.store.load(run.id).tasks.items()} == {
        "extract": 1,
        "clean": 2,
        "report": 2,
    }


def test_what_refuses_a_repair_names_the_choice_of_the_form(world: World) -> None:
    run = world.run(clean=FAILS)
    (world.folder / "nightly" / "a.ipynb").unlink()
    page = world.page(address(run, "rerun"))
    assert "run the notebooks as they were" in page.part("preview")
    assert "With the notebooks as they were" in page.text
    assert "clean" in world.page(address(run, "rerun"), frozen="1").part("preview")


def test_a_preview_of_nothing_says_why(world: World) -> None:
    run = world.run()
    page = world.page(address(run, "rerun"))
    assert "nothing in run" in page.part("preview")
    with pytest.raises(Conflict):
        world.act(address(run, "rerun"))


def test_changed_parameters_name_the_results_of_before(world: World) -> None:
    run = world.run(clean=FAILS)
    page = world.page(address(run, "rerun"), **{"p.mood": "wild"})
    assert "keep the results that they got with the parameters of before: extract" in page.text
    world.act(address(run, "rerun"), **{"p.mood": "wild"})
    assert world.store.load(run.id).run.params["mood"] == "wild"


# --- mark, cancel, retry --------------------------------------------------------------------------------------------


def test_a_mark_has_a_note_that_every_view_shows(world: World) -> None:
    run = world.run(clean=FAILS)
    world.act(address(run, "mark"), task="clean", state="success", note="checked by hand", outputs="rows=12\nok=true")
    assert world.states(run.id) == {"extract": "success", "clean": "success", "report": "success"}
    clean = world.page(address(run)).rows()[1]
    assert "set by hand" in clean[1]
    assert "set by ada: checked by hand" in clean[4]
    outputs = {key.address: task.outputs for key, task in world.store.load(run.id).tasks.items()}
    assert outputs["clean"] == {"rows": 12, "ok": True}


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"task": "clean", "state": "running"}, InvalidInput, "cannot be marked 'running'"),
        ({"task": "claen", "state": "success"}, NotFound, "has no task 'claen'"),
        ({"task": "clean", "state": "success", "outputs": "rows"}, InvalidInput, "line 1 of the values"),
        ({"task": "clean", "state": "success", "outputs": 'rows={"a'}, InvalidInput, "line 1 of the values"),
    ],
)
def test_a_mark_that_makes_no_sense_is_refused(world: World, fields: dict[str, str], error: Any, said: str) -> None:
    run = world.run(clean=FAILS)
    with pytest.raises(error, match=said):
        world.act(address(run, "mark"), **fields)


def test_cancelling_says_what_stops(world: World) -> None:
    run = world.begin(extract=SLOW)
    page = world.page(address(run, "cancel"))
    assert [item.text for item in page.soup.select(".nb-names li")] == ["extract", "clean", "report"]
    one = world.page(address(run, "cancel"), task="clean")
    assert [item.text for item in one.soup.select(".nb-names li")] == ["clean"]


def test_a_finished_run_has_nothing_to_cancel(world: World) -> None:
    run = world.run()
    assert "has ended already" in world.page(address(run, "cancel")).text
    assert "Cancel" not in world.page(address(run)).text


def test_a_task_that_waits_for_its_retry_offers_to_start_now(world: World) -> None:
    world.pipeline(CHAIN.replace("clean: {notebook: a.ipynb,", "clean: {notebook: a.ipynb, retries: 3,"))
    run = world.begin()
    world.scripts["clean", 1] = Script(state=AttemptState.FAILED, cause=Cause.TIMEOUT, reason="too slow")
    for _ in range(4):
        world.clock.advance(timedelta(seconds=2))
        world.step()
    assert world.states(run.id)["clean"] == "retry_wait"
    page = world.page(address(run, "tasks/clean"))
    assert "Retry now…" in page.text
    assert "next try" in world.page(address(run, "retry-now"), task="clean").text


# --- pause ----------------------------------------------------------------------------------------------------------


def test_what_no_scheduler_has_seen_cannot_be_paused(world: World) -> None:
    assert "No scheduler has seen this pipeline yet" in world.page("/pipelines/nightly/pause").text
    with pytest.raises(NotFound, match="no scheduler has seen"):
        world.act("/pipelines/nightly/pause")


def test_pause_and_resume(world: World) -> None:
    world.seen("nightly")
    world.act("/pipelines/nightly/pause", note="the source is moving")
    assert "paused the source is moving" in world.page("/pipelines/nightly").part("facts")
    assert "paused" in world.page("/pipelines").rows()[0][4]
    assert "by ada: the source is moving" in world.page("/pipelines/nightly/resume").text
    world.clock.advance(timedelta(days=3))
    done = world.act("/pipelines/nightly/resume")
    assert "nbflow backfill nightly --start 2026-04-02 --end 2026-04-04" in done.note
    assert "paused" not in world.page("/pipelines/nightly").part("facts")


# --- roles ----------------------------------------------------------------------------------------------------------

FORMS: dict[str, Callable[[Run], str]] = {
    form: lambda run, form=form: address(run, form)  # type: ignore[misc]
    for form in ("rerun", "cancel", "mark", "retry-now")
} | {form: lambda run, form=form: f"/pipelines/nightly/{form}" for form in ("trigger", "pause", "resume")}  # type: ignore[misc]


@pytest.mark.parametrize("form", FORMS)
def test_a_viewer_cannot_act(world: World, form: str) -> None:
    world.seen("nightly")
    run = world.run(clean=FAILS)
    before = len(world.store.changes(0))
    with pytest.raises(NotAllowed):
        world.act(FORMS[form](run), Role.VIEWER, task="clean", state="success")
    assert len(world.store.changes(0)) == before
    assert world.store.load(run.id).run.state is RunState.FAILED
    assert world.clock.now() >= NOW
