"""A run of what is being edited, and how the canvas learns how it stands; without a browser."""

from __future__ import annotations

from datetime import timedelta

import pytest
from app_server import served
from app_world import FAILS, World
from nbflow_app.following import states

from nbflow.api import Role
from nbflow.errors import InvalidInput, InvalidManifest, NotAllowed, NotFound
from nbflow.manifest.edit import AddTask
from nbflow.model import RunId
from nbflow.run import Run
from nbflow.testing.executor import Script

FORM = "/pipelines/nightly/edit/run"


def begun(world: World, **fields: str) -> Run:
    """The run that the form begins."""
    done = world.act(FORM, **fields)
    return world.store.load(RunId(done.to.partition("?run=")[2])).run


def tasks_of(world: World, run: Run) -> list[str]:
    return [key.address for key in world.store.load(run.id).tasks]


def test_the_draft_runs_with_its_own_text_and_the_manifest_stays(world: World) -> None:
    assert "Which version" not in world.page(FORM).text
    world.api().edit_draft("nightly", "1", [AddTask("added", "a.ipynb", ("report",))])
    assert "The draft as it is on the canvas" in world.page(FORM).text
    run = begun(world, version="draft")
    assert tasks_of(world, run) == ["extract", "clean", "report", "added"]
    assert "added" in world.store.manifest_text(run.manifest)
    assert tasks_of(world, begun(world, version="saved")) == ["extract", "clean", "report"]
    assert "added" not in (world.folder / "nightly/pipeline.yaml").read_text()


def test_a_draft_with_errors_does_not_run_and_says_why(world: World) -> None:
    api = world.api()
    api.write_draft(
        "nightly", "1", api.draft("nightly").draft.text + "when: never\n", seen=api.draft("nightly").draft.version
    )
    assert "it has errors" in world.page(FORM).text
    with pytest.raises(InvalidManifest, match="when"):
        world.act(FORM, version="draft")
    assert tasks_of(world, begun(world, version="saved")) == ["extract", "clean", "report"]


def test_one_task_runs_alone_or_with_all_that_follows(world: World) -> None:
    shown = world.page(FORM, task="clean").text
    assert "Only clean" in shown
    assert "From clean on, 2 tasks" in shown
    assert tasks_of(world, begun(world, what="only", task="clean")) == ["clean"]
    assert tasks_of(world, begun(world, what="on", task="clean")) == ["clean", "report"]
    assert tasks_of(world, begun(world, what="all", task="clean")) == ["extract", "clean", "report"]


def test_what_is_left_out_lends_what_it_reported_in_the_last_good_run(world: World) -> None:
    assert world.page(FORM, task="clean").fields()["what"] == "all", "nothing is there to be lent yet"
    world.run(extract=Script(outputs={"rows": 12}))
    assert world.page(FORM, task="clean").fields()["what"] == "only"
    world.run(extract=Script(outputs={"rows": 13}), report=FAILS)
    assert begun(world, what="only", task="clean").lent == {"extract": {"rows": 12}, "report": {}}
    assert begun(world).lent == {}


def test_what_is_not_there_is_said(world: World) -> None:
    world.api().edit_draft("nightly", "1", [AddTask("added", "a.ipynb")])
    with pytest.raises(InvalidInput, match="there is no task 'added'"):
        world.act(FORM, what="only", task="added")
    with pytest.raises(InvalidInput, match="what cannot be 'some'"):
        world.act(FORM, what="some", task="clean")
    assert "Which tasks" not in world.page(FORM, task="gone").text


def test_it_is_for_editors(world: World) -> None:
    with pytest.raises(NotAllowed):
        world.page(FORM, role=Role.OPERATOR)
    with pytest.raises(NotAllowed):
        world.api(Role.OPERATOR).trigger_draft("nightly")


# --- how it stands ----------------------------------------------------------------------------------------------------


def test_states_say_how_every_task_stands_and_where_its_notebook_is(world: World) -> None:
    run = world.run(clean=FAILS)
    told = states(world.visit({"pipeline": "nightly", "run": run.id}, {}))
    assert (told["state"], told["is_over"]) == ("failed", True)
    assert told["done"] == "3 of 3 tasks done (1 failed, 1 upstream failed)"
    assert [told["tasks"][name]["state"] for name in ("extract", "clean", "report")] == [
        "success", "failed", "upstream_failed",
    ]  # fmt: skip
    assert told["tasks"]["clean"]["why"] == "ValueError: bad country"
    assert told["tasks"]["clean"]["log"] == "/tasks/clean/1#c3"
    assert told["tasks"]["report"]["log"] == ""


def test_a_task_that_runs_says_how_far_it_is(world: World) -> None:
    run = world.begin(extract=Script(after=timedelta(minutes=1)))
    told = states(world.visit({"pipeline": "nightly", "run": run.id}, {}))
    about = told["tasks"]["extract"]
    assert (about["state"], about["took"], about["log"]) == ("running", "cell 2 of 7", "/tasks/extract/1")
    assert not told["is_over"]
    assert told["held_up"] == ""


def test_a_run_that_is_held_up_says_by_what(world: World) -> None:
    run = world.tick()
    world.api().pause("nightly")
    told = states(world.visit({"pipeline": "nightly", "run": run.id}, {}))
    assert told["held_up"] == "pipeline nightly was paused by ada, and goes on with `nbflow resume nightly`"


def test_a_run_of_another_pipeline_is_none(world: World) -> None:
    run = world.run()
    with pytest.raises(NotFound):
        states(world.visit({"pipeline": "weekly", "run": run.id}, {}))
    with served(world, role=Role.VIEWER) as running, running.client() as client:
        answer = client.get(f"/pipelines/weekly/runs/{run.id}/states")
        assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (404, "application/json")
        assert client.get(f"/pipelines/nightly/runs/{run.id}/states").json()["state"] == "success"
