"""The pages that are read, without a browser."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from app_world import CHAIN, FAILS, World
from nbflow_app.pages import home, pipeline, runs

from nbflow.api import Role
from nbflow.errors import InvalidInput, NotFound
from nbflow.testing.executor import Script

SLOW = Script(after=timedelta(hours=1))
BROKEN = "name: weekly\ntasks:\n  report: {notebook: a.ipynb, depends_on: [claen]}\n  clean: {notebook: a.ipynb}\n"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# --- pipelines ------------------------------------------------------------------------------------------------------


def test_a_project_without_pipelines_says_how_to_begin(world: World) -> None:
    for address in ("/", "/pipelines"):
        assert "drop a pipeline.yaml" in world.page(address).text
    assert "Nothing has run yet" in world.page("/runs").text


def test_every_pipeline_has_a_row_with_its_last_runs(world: World) -> None:
    world.pipeline()
    world.run()
    world.run(clean=FAILS)
    row = world.page("/pipelines").rows()[0]
    assert row[0] == "nightly 3 tasks · finance revenue"
    assert row[1] == "failed"
    assert row[2] == "1 of the last 2 runs failed"
    assert row[4] == "every day at 02:00, Europe/Berlin next 2 Apr 00:00"
    assert row[5] == "50 %"


def test_times_are_those_of_the_viewer_and_on_hover_those_of_the_schedule(world: World) -> None:
    world.pipeline()
    time = world.page("/pipelines").soup.find("time")
    assert time["datetime"] == "2026-04-02T00:00:00Z"
    assert "02:00 +02:00 (Europe/Berlin)" in time["title"]


def test_a_manifest_with_problems_comes_first_and_says_so(world: World) -> None:
    world.pipeline()
    world.pipeline(BROKEN)
    rows = world.page("/pipelines").rows()
    assert [row[0].split()[0] for row in rows] == ["weekly", "nightly"]
    assert rows[0][1] == "1 problem"


def test_a_manifest_without_a_name_is_shown_without_a_page(world: World) -> None:
    world.pipeline("tasks: 3\n")
    page = world.page("/pipelines")
    assert "nameless/pipeline.yaml" in page.rows()[0][0]
    assert not any("pipeline.yaml" in text for text in page.links())


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, ["nightly", "weekly"]),
        ({"q": "FINANCE night"}, ["nightly"]),
        ({"tag": "revenue"}, ["nightly"]),
        ({"state": "success"}, ["nightly"]),
        ({"state": "failed"}, []),
        ({"q": "nothing of that name"}, []),
    ],
)
def test_the_list_is_filtered_by_the_address(world: World, fields: dict[str, str], names: list[str]) -> None:
    world.pipeline()
    world.pipeline(CHAIN.replace("nightly", "weekly").replace("finance", "ops").replace("[revenue]", "[]"))
    world.run()
    page = world.page("/pipelines", **fields)
    assert [row[0].split()[0] for row in page.rows()] == names if names else "Nothing fits" in page.text


# --- one pipeline ---------------------------------------------------------------------------------------------------


def test_the_page_of_a_pipeline_shows_its_tasks_in_order_with_the_states_of_the_last_run(world: World) -> None:
    world.pipeline()
    world.run(clean=FAILS)
    rows = world.page("/pipelines/nightly").rows()
    assert [(row[0], row[1]) for row in rows] == [
        ("extract", "success"),
        ("clean", "failed"),
        ("report", "upstream failed"),
    ]


def test_another_run_can_be_chosen(world: World) -> None:
    world.pipeline()
    first = world.run()
    world.run(extract=FAILS)
    rows = world.page("/pipelines/nightly", run=first.id).rows()
    assert [row[1] for row in rows] == ["success", "success", "success"]


def test_runs_for_one_date_are_told_from_each_other_by_their_time(world: World) -> None:
    world.pipeline()
    world.run()
    world.clock.advance(timedelta(minutes=5))
    world.run()
    choices = [each.text for each in world.page("/pipelines/nightly").soup.select("#run option")]
    assert choices == ["2026-04-01 · success · 09:05", "2026-04-01 · success · 09:00"]


def test_the_next_five_ticks_have_their_offset(world: World) -> None:
    world.pipeline()
    text = world.page("/pipelines/nightly").part("facts")
    assert "Thu 2026-04-02 02:00 +02:00" in text
    assert "Mon 2026-04-06 02:00 +02:00" in text


def test_a_tick_that_has_a_run_is_not_called_the_next_one_where_the_clock_was_set_back(world: World) -> None:
    world.pipeline()
    assert world.tick().logical_date.isoformat() == "2026-04-02T00:00:00+00:00"
    world.clock.advance(timedelta(hours=-3))
    assert "next 3 Apr 00:00" in world.page("/pipelines").rows()[0][4]
    text = world.page("/pipelines/nightly").part("facts")
    assert "2026-04-02" not in text
    assert "Fri 2026-04-03 02:00 +02:00" in text


def test_a_pipeline_that_is_paused_has_no_next_tick(world: World) -> None:
    world.pipeline()
    world.seen("nightly")
    world.api().pause("nightly", note="the source moves")
    text = world.page("/pipelines/nightly").part("facts")
    assert "paused the source moves" in text
    assert "Next" not in text


def test_a_pipeline_that_never_ran_says_what_starts_it(world: World) -> None:
    world.pipeline()
    assert "wait for its schedule" in world.page("/pipelines/nightly", tab="runs").text
    world.pipeline("name: byhand\ntasks: {a: {notebook: a.ipynb}}\n")
    assert "started by hand" in world.page("/pipelines/byhand", tab="runs").text


def test_the_manifest_has_every_problem_at_its_line(world: World) -> None:
    world.pipeline(BROKEN)
    page = world.page("/pipelines/weekly")
    assert "depends on 'claen', which does not exist" in page.part("L3")
    assert "Did you mean 'clean'?" in page.text
    assert "so nothing new can start" in page.text


def test_the_runs_of_a_pipeline_are_listed_newest_first(world: World) -> None:
    world.pipeline()
    first, second = world.run(), world.run(clean=FAILS)
    rows = world.page("/pipelines/nightly", tab="runs").rows()
    assert [(row[0], row[1]) for row in rows] == [(second.id, "failed"), (first.id, "success")]


def test_a_run_that_has_not_started_says_when_it_was_created(world: World) -> None:
    world.pipeline()
    world.clock.advance(timedelta(minutes=1))
    started, waits = world.run(), world.tick()
    rows = {row[0]: row[4] for row in world.page("/pipelines/nightly", tab="runs").rows()}
    assert rows == {started.id: "1 Apr 09:01 3.0 s", waits.id: "created 00:00"}
    (row,) = world.page("/pipelines").rows()
    assert "created 00:00" in row


def test_older_runs_are_a_link_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "STEP", 2)
    monkeypatch.setattr(pipeline, "STEP", 2)
    world.pipeline()
    made = [world.run().id for _ in range(3)]
    for address, fields in (("/pipelines/nightly", {"tab": "runs"}), ("/runs", {})):
        page = world.page(address, **fields)
        assert len(page.rows()) == 2
        older = parse_qs(urlsplit(page.links()["Older runs"]).query)
        assert older["before"] == [made[1]]
        last = world.page(address, **fields, before=made[1])
        assert len(last.rows()) == 1
        assert "Older runs" not in last.links()
        assert "Newest" in last.links()


# --- runs -----------------------------------------------------------------------------------------------------------


def test_runs_are_filtered_by_pipeline_and_state(world: World) -> None:
    world.pipeline()
    world.pipeline(CHAIN.replace("nightly", "weekly"))
    world.run("nightly")
    world.run("weekly", clean=FAILS)
    assert [row[0].split()[0] for row in world.page("/runs").rows()] == ["weekly", "nightly"]
    assert [row[0].split()[0] for row in world.page("/runs", pipeline="nightly").rows()] == ["nightly"]
    assert [row[0].split()[0] for row in world.page("/runs", state="failed").rows()] == ["weekly"]
    assert [row[0].split()[0] for row in world.page("/runs", q="WEEK").rows()] == ["weekly"]
    assert "No run fits" in world.page("/runs", kind="backfill").text
    assert "No run fits" in world.page("/runs", state="cancelled").text
    with pytest.raises(InvalidInput, match="no run can be 'red'"):
        world.page("/runs", state="red")


def test_a_failed_run_leads_to_the_failing_cell(world: World) -> None:
    world.pipeline()
    run = world.run(clean=FAILS)
    page = world.page(f"/pipelines/nightly/runs/{run.id}")
    assert page.links()["clean"] == f"/pipelines/nightly/runs/{run.id}/tasks/clean/1#c3"
    assert "3 of 3 tasks done (1 failed, 1 upstream failed) took" in page.part("head")
    assert "ValueError: bad country" in page.part("failures")
    report = page.rows()[2]
    assert (report[1], report[4]) == ("upstream failed", "blocked by clean (failed)")


def test_what_waits_says_for_what_and_what_runs_how_far_it_is(world: World) -> None:
    world.pipeline()
    run = world.begin(extract=SLOW)
    world.clock.advance(timedelta(seconds=90))
    world.step()
    page = world.page(f"/pipelines/nightly/runs/{run.id}")
    extract, clean, _ = page.rows()
    assert extract[1:3] == ["running", "90 s"]
    assert extract[4] == "cell 2 of 7"
    assert clean[4] == "waits for extract, which is running"
    assert page.soup.find(id="task-extract").find(attrs={"data-since": True})


def test_a_run_is_only_found_under_its_own_pipeline(world: World) -> None:
    world.pipeline()
    world.pipeline(CHAIN.replace("nightly", "weekly"))
    run = world.run()
    with pytest.raises(NotFound, match="pipeline 'weekly' has no run"):
        world.page(f"/pipelines/weekly/runs/{run.id}")


def test_the_parameters_of_a_run_are_shown_as_text(world: World) -> None:
    world.pipeline(CHAIN.replace("default: calm, choices: [calm, wild]", 'default: "<img src=x onerror=alert(1)>"'))
    run = world.run()
    page = world.page(f"/pipelines/nightly/runs/{run.id}")
    assert "<img src=x" in page.text
    assert page.soup.find("img") is None


def test_what_holds_all_of_a_run_up_is_said_once(world: World) -> None:
    world.pipeline()
    run = world.tick()
    world.api().pause("nightly")
    page = world.page(f"/pipelines/nightly/runs/{run.id}")
    assert page.text.count("was paused by") == 1
    assert "Held up: pipeline nightly was paused by ada, and goes on with nbflow resume nightly ." in page.part("head")
    assert page.soup.find(id="head").code.text == "nbflow resume nightly"
    assert [row[4] for row in page.rows()] == ["waits for its run to start"] * 3


def test_the_date_that_a_run_is_for_has_no_time_of_another_zone_behind_it(world: World) -> None:
    world.pipeline(CHAIN.replace('"0 2 * * *", timezone: Europe/Berlin', '"0 20 * * *", timezone: America/New_York'))
    run = world.tick()
    assert (str(run.run_date), f"{run.logical_date:%d %H:%M}") == ("2026-04-01", "02 00:00")
    text = world.page(f"/pipelines/nightly/runs/{run.id}").text
    assert "For 2026-04-01 Logical date 00:00 Data 1 Apr 00:00 to 00:00" in text


def test_what_has_not_begun_is_not_said_to_be_ready_soon(world: World) -> None:
    world.pipeline()
    world.run()
    queued = world.tick()
    assert "ready about" not in world.page(f"/pipelines/nightly/runs/{queued.id}").part("head")
    assert "ready about" not in world.page("/").part("going")
    begun = world.begin(extract=SLOW)
    assert "ready about" in world.page(f"/pipelines/nightly/runs/{begun.id}").part("head")
    assert "ready about" in world.page("/").part("going")
    world.clock.advance(timedelta(minutes=1))  # without a sign of life of whoever has it
    held = world.page(f"/pipelines/nightly/runs/{begun.id}").part("head")
    assert "Held up" in held
    assert "ready about" not in held


def test_a_task_in_short(world: World) -> None:
    world.pipeline()
    run = world.run(clean=FAILS)
    page = world.page(f"/pipelines/nightly/runs/{run.id}/tasks/clean")
    assert "clean failed: ValueError: bad country" in page.text
    assert page.links()["Attempt 1"] == f"/pipelines/nightly/runs/{run.id}/tasks/clean/1"
    with pytest.raises(NotFound, match="has no task 'claen'"):
        world.page(f"/pipelines/nightly/runs/{run.id}/tasks/claen")


def test_an_attempt_that_queues_says_when_it_was_created(world: World) -> None:
    world.pipeline()
    world.clock.advance(timedelta(minutes=1))
    run = world.api().create_run("nightly")
    world.engine.own(run.id)
    address = f"/pipelines/nightly/runs/{run.id}/tasks/extract"
    world.step()
    assert "Attempt 1 queued created 09:01" in world.page(address).text
    world.step()
    assert "Attempt 1 running 09:01" in world.page(address).text


# --- now ------------------------------------------------------------------------------------------------------------


def test_the_first_page_says_what_is_red_and_what_runs(world: World) -> None:
    world.pipeline()
    world.pipeline(CHAIN.replace("nightly", "weekly"))
    failed = world.run("nightly", clean=FAILS)
    world.begin("weekly", extract=SLOW)
    page = world.page("/")
    assert page.links()["nightly / clean"] == f"/pipelines/nightly/runs/{failed.id}/tasks/clean/1#c3"
    assert "weekly running by hand, ada 0 of 3 tasks" in page.part("going")
    assert page.part("late") == ""


def test_runs_that_the_first_page_has_no_room_for_are_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "MOST", 2)
    world.pipeline(CHAIN.replace("name: nightly", "name: nightly\nmax_active_runs: 9"))
    world.begin(extract=SLOW)
    assert "more" not in world.page("/").part("going")
    for _ in range(4):
        world.tick()
    page = world.page("/")
    assert page.part("going").endswith("And 2 more are queued.")
    assert page.links()["2 more"] == "/runs?state=queued"


def test_runs_that_cannot_be_read_hide_no_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nightly", "yearly", "weekly", "monthly"):
        world.pipeline(CHAIN.replace("nightly", name))
    red, going = world.run("nightly", clean=FAILS), world.begin("yearly", extract=SLOW)
    broken = [world.run("weekly", clean=FAILS).id, world.begin("monthly", extract=SLOW).id]
    load = world.store.load

    def loading(run: str) -> Any:
        return load(run) if run not in broken else {}["a column of another version"]

    monkeypatch.setattr(world.store, "load", loading)
    page = world.page("/")
    told = page.part("health")
    assert "Runs that cannot be read , by a fault of nbflow's own" in told
    assert f"monthly {broken[1]} , weekly {broken[0]}" in told
    assert f"/pipelines/nightly/runs/{red.id}/tasks/clean/1#c3" in page.links().values()
    assert f"/pipelines/yearly/runs/{going.id}" in page.links().values()


def test_a_task_that_failed_is_red_although_its_run_goes_on(world: World) -> None:
    text = "name: wide\ntasks: {one: {notebook: a.ipynb}, other: {notebook: a.ipynb}}\n"
    world.pipeline(text)
    run = world.begin("wide", one=FAILS, other=SLOW)
    world.clock.advance(timedelta(minutes=1))
    world.step()
    page = world.page("/")
    assert page.links()["wide / one"] == f"/pipelines/wide/runs/{run.id}/tasks/one/1#c3"
    assert "wide running" in page.part("going")


def test_a_run_that_has_not_begun_is_late_a_minute_after_it_was_due(world: World) -> None:
    world.pipeline()
    world.seen("nightly")
    world.clock.advance(timedelta(hours=15, seconds=59))
    assert world.page("/").part("late") == ""
    world.clock.advance(timedelta(seconds=1))
    page = world.page("/")
    assert page.part("late") == "Late nightly has not begun; it was due at 00:00"
    assert page.links()["nightly"] == "/pipelines/nightly"
    world.api().pause("nightly")
    assert world.page("/").part("late") == ""


@pytest.mark.parametrize("has_begun", [False, True])
def test_a_scheduled_run_is_late_past_the_hour_of_its_manifest(world: World, has_begun: bool) -> None:
    text = CHAIN + "alerts: {late_after: '05:00'}\n"
    world.pipeline(text)
    run = world.tick()
    if has_begun:
        world.scripts[("extract", 1)] = SLOW
        world.engine.own(run.id)
        world.step()
        world.step()
    world.clock.advance(timedelta(hours=2, minutes=59))
    assert world.page("/").part("late") == ""
    world.clock.advance(timedelta(minutes=1))
    state = "running" if has_begun else "queued"
    page = world.page("/")
    assert page.part("late") == f"Late nightly {state} should have ended by 03:00"
    assert page.links()["nightly"] == f"/pipelines/nightly/runs/{run.id}"


def test_a_run_is_late_ten_minutes_after_it_usually_has_ended(world: World) -> None:
    world.pipeline()
    world.run()
    world.begin(extract=SLOW)
    world.clock.advance(timedelta(minutes=10))
    assert world.page("/").part("late") == ""
    world.clock.advance(timedelta(minutes=1))
    assert world.page("/").part("late") == "Late nightly running would usually have ended at 09:00"


def test_nbflow_itself_is_shown_part_by_part(world: World) -> None:
    world.pipeline(BROKEN)
    world.begin(world.pipeline(), extract=SLOW)
    page = world.page("/")
    assert "scheduler alive executor 1 of 1 slot busy database answers" in page.part("health")
    assert "A manifest with errors , from which nothing new can start: weekly (1 problem)" in page.part("health")
    world.troubles["disk"] = "low: 0.5 GiB free"
    assert "disk low: 0.5 GiB free" in world.page("/").part("health")


def test_a_calm_morning(world: World) -> None:
    world.pipeline()
    world.run()
    page = world.page("/")
    assert "Nothing is red." in page.text
    assert "Nothing is running." in page.text


# --- roles ----------------------------------------------------------------------------------------------------------


def test_a_viewer_sees_no_action(world: World) -> None:
    world.pipeline()
    run = world.run(clean=FAILS)
    for address in (f"/pipelines/nightly/runs/{run.id}", f"/pipelines/nightly/runs/{run.id}/tasks/clean"):
        assert "Re-run" in world.page(address, Role.OPERATOR).text
        assert "Re-run" not in world.page(address, Role.VIEWER).text


def test_a_run_is_run_again_by_the_same_keys_as_elsewhere(world: World) -> None:
    world.pipeline()
    page = world.page(f"/pipelines/nightly/runs/{world.run(clean=FAILS).id}")
    keys = {each["data-key"]: each.get_text() for each in page.soup.select("[data-key]")}
    assert keys == {"r": "Re-run what failed…", "t": "Trigger again…"}
