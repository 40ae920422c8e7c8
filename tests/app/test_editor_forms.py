"""The editor's forms without a browser: fields become commands, and a refusal keeps what was typed."""

from __future__ import annotations

import re
from typing import Any

import pytest
from app_world import CHAIN, Shown, World
from making import write_notebook
from nbflow_app.routes import EDIT_FORMS
from nbflow_app.visit import Page, Redirect

from nbflow.api import Role
from nbflow.errors import NotAllowed, NotFound
from nbflow.manifest import parse
from nbflow.manifest.edit import values_of
from nbflow.testing.executor import Script

EDIT = "/pipelines/nightly/edit"
CLEAN = f"{EDIT}/tasks/clean"
PIPELINE = f"{EDIT}/pipeline"


@pytest.fixture
def world(world: World) -> World:
    typed = "day: str = ''  # the day to clean\nrows: int = 10\nis_dry: bool = False\nmust: float"
    write_notebook(world.folder / "nightly" / "typed.ipynb", "print(day)", parameters=typed)
    return world


def text(world: World) -> str:
    return world.api().draft("nightly").draft.text


def task(world: World, name: str = "clean") -> dict[str, Any]:
    found: dict[str, Any] = values_of(text(world))["tasks"][name]
    return found


def fill(world: World, address: str, **fields: Any) -> dict[str, Any]:
    """What a browser sends when these fields of the form are filled in."""
    page = world.page(address)
    sent: dict[str, Any] = page.fields()
    for side in ("after", "before"):
        chosen = [box["value"] for box in page.soup.select(f"input[name={side}]")]
        sent[side] = chosen
    return {**sent, **{name.replace("__", "."): given for name, given in fields.items()}}


def send(world: World, address: str, **fields: Any) -> Redirect:
    return world.act(address, **fill(world, address, **fields))


def refused(world: World, address: str, **fields: Any) -> Shown:
    """The form as it comes back."""
    for pattern, _, act in EDIT_FORMS:
        if found := re.fullmatch(pattern, address):
            page = act(world.visit(found.groupdict(), fill(world, address, **fields)))
            assert isinstance(page, Page), page
            return Shown(world.frame.render(page))
    raise AssertionError(address)


# --- a task -----------------------------------------------------------------------------------------------------------


def test_a_form_that_is_sent_as_it_came_changes_nothing(world: World) -> None:
    for address in (CLEAN, PIPELINE):
        send(world, address)
        assert text(world) == CHAIN


def test_the_fields_of_a_task_become_keys_of_the_manifest(world: World) -> None:
    done = send(
        world,
        CLEAN,
        notebook="typed.ipynb",
        run_if="all_done",
        when="{{ params.mood == 'calm' }}",
        retries__max_retries="3",
        retries__delay="1m",
        retries__never_on="KeyError, PermissionError",
        timeout="1h",
        allow_failure="1",
        priority="5",
        secrets="API_KEY=shop_key",
        **{"params.must": "1.5", "params.day": "{{ run_date }}"},
    )
    assert done.to == CLEAN
    assert task(world) == {
        "notebook": "typed.ipynb",
        "depends_on": "extract",
        "run_if": "all_done",
        "when": "{{ params.mood == 'calm' }}",
        "retries": {"max_retries": 3, "delay": "1m", "never_on": ["KeyError", "PermissionError"]},
        "timeout": "1h",
        "allow_failure": True,
        "priority": 5,
        "secrets": {"API_KEY": "shop_key"},
        "params": {"must": 1.5, "day": "{{ run_date }}"},
    }
    parse(text(world))
    assert world.api().undo_draft("nightly", "u").draft.text == CHAIN, "a form is one step"


def test_an_emptied_field_takes_its_key_out(world: World) -> None:
    send(world, CLEAN, timeout="1h", allow_failure="1", retries__max_retries="2", when="false")
    assert task(world)["when"] is False
    sent = fill(world, CLEAN, timeout="", retries__max_retries="", when="")
    del sent["allow_failure"]
    world.act(CLEAN, **sent)
    assert text(world) == CHAIN


def test_parameters_are_typed_from_the_notebook_with_their_defaults(world: World) -> None:
    world.run(extract=Script(outputs={"rows": 12}))
    send(world, CLEAN, notebook="typed.ipynb", **{"params.must": "1"})
    page = world.page(CLEAN)
    rows, must = page.soup.find(id="params.rows"), page.soup.find(id="params.must")
    assert (rows["value"], rows["placeholder"]) == ("", "10")
    assert "float · required" in page.text
    assert "the day to clean" in page.text
    assert must["value"] == "1"
    assert [each["value"] for each in page.soup.select("#of-is_dry option")] == ["true", "false"]
    proposed = [each["value"] for each in page.soup.select("#templates option")]
    of_others = {"{{ tasks.extract.outputs.rows }}", "{{ tasks.extract.state }}"}
    wanted = of_others | {"{{ run_date }}", "{{ params.mood }}", "{{ data_interval.start }}"}
    assert wanted <= {*proposed}
    send(world, CLEAN, **{"params.rows": "25", "params.is_dry": "true"})
    assert task(world)["params"] == {"must": 1, "rows": 25, "is_dry": True}
    again = refused(world, CLEAN, **{"params.rows": "many"})
    assert "parameter 'rows' must be int" in again.text
    assert again.soup.find(id="params.rows")["value"] == "many"


def test_a_parameter_that_the_notebook_does_not_have_is_shown_and_can_go(world: World) -> None:
    world.pipeline(
        CHAIN.replace("clean: {notebook: a.ipynb,", "clean: {notebook: typed.ipynb, params: {must: 1, x: 2},")
    )
    page = world.page(CLEAN)
    assert page.soup.find(id="params.x")["value"] == "2"
    assert "no parameter of the notebook" in page.text
    send(world, CLEAN, **{"params.x": ""})
    assert task(world)["params"] == {"must": 1}


def test_a_name_is_changed_everywhere(world: World) -> None:
    assert send(world, CLEAN, name="tidy", timeout="1h").to == f"{EDIT}/tasks/tidy"
    values = values_of(text(world))["tasks"]
    assert values["tidy"]["timeout"] == "1h"
    assert values["report"]["depends_on"] == "tidy"


def test_runs_after_and_runs_before_need_no_canvas(world: World) -> None:
    send(world, f"{EDIT}/tasks/report", after=["clean"], after__add="extract")
    assert task(world, "report")["depends_on"] == ["clean", "extract"]
    send(world, f"{EDIT}/tasks/extract", before=["clean"])
    assert task(world, "report")["depends_on"] == ["clean"]
    send(world, CLEAN, after=[], before=[])
    assert "depends_on" not in task(world)
    assert "depends_on" not in task(world, "report")
    send(world, CLEAN, before__add="extract, report")
    assert task(world, "extract")["depends_on"] == ["clean"]
    again = refused(world, CLEAN, after__add="report")
    assert "cycle: clean → report → clean" in again.text
    assert again.soup.find(id="after-report").has_attr("checked"), "what was typed is still there"
    again = refused(world, CLEAN, after__add="reprot")
    assert "there is no task 'reprot'. Did you mean 'report'?" in again.text


def test_a_refusal_keeps_what_was_typed_and_names_the_field(world: World) -> None:
    page = refused(world, CLEAN, timeout="soon", priority="3")
    assert "timeout must be a duration" in page.soup.find(id="timeout").parent.text, "beside the field"
    assert "timeout must be a duration" not in page.soup.find(id="priority").parent.text
    assert (page.soup.find(id="timeout")["value"], page.soup.find(id="timeout")["aria-invalid"]) == ("soon", "true")
    assert page.soup.find(id="priority")["value"] == "3"
    assert not page.soup.find(id="priority").has_attr("aria-invalid")
    assert text(world) == CHAIN
    assert "priority of clean" not in world.api().draft("nightly").draft.said
    fixed = {**page.fields(), "timeout": "1h", "after": ["extract"], "before": ["report"]}
    world.act(CLEAN, **fixed)
    assert (task(world)["timeout"], task(world)["priority"]) == ("1h", 3)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"retries.max_retries": "some"}, "Retries must be a number, not 'some'"),
        ({"retries.max_retries": "true"}, "Retries must be a number, not 'true'"),
        ({"secrets": "KEY"}, "line 1 of Secrets is not NAME=VALUE"),
        ({"name": "Clean up"}, "Clean up"),
        ({"name": "report"}, "there is already a task 'report'"),
        ({"run_if": "sometimes"}, "sometimes"),
        ({"was": "["}, "has lost what it was opened with"),
    ],
)
def test_what_does_not_fit_is_refused(world: World, fields: dict[str, str], said: str) -> None:
    if "was" in fields:
        with pytest.raises(Exception, match=said):
            send(world, CLEAN, **fields)
    else:
        assert said in refused(world, CLEAN, **fields).text
    assert text(world) == CHAIN


def test_what_somebody_changed_meanwhile_is_not_set_back(world: World) -> None:
    sent = fill(world, CLEAN, timeout="1h")
    send(world, CLEAN, priority="7", after=[])
    world.act(CLEAN, **sent)
    assert (task(world)["timeout"], task(world)["priority"]) == ("1h", 7)
    assert "depends_on" not in task(world)


def test_the_delays_are_spelled_out_while_they_are_typed(world: World) -> None:
    def delays(**fields: str) -> str:
        return world.page(CLEAN, **fill(world, CLEAN, **fields)).part("delays")

    assert delays() == "It is not tried again."
    assert delays(retries__max_retries="3", retries__delay="30s") == "It is tried again after 30 s, 1 min, 2 min."
    assert delays(retries__max_retries="3", retries__backoff="fixed") == "It is tried again after 30 s, 30 s, 30 s."
    assert delays(retries__max_retries="3", retries__delay="soon") == ""
    assert delays(retries__max_retries="20").endswith("10 min, 10 min, 10 min and so on.")
    assert text(world) == CHAIN, "a preview changes nothing"


def test_defaults_of_the_manifest_are_shown_where_the_task_says_nothing(world: World) -> None:
    world.pipeline(CHAIN + "defaults: {timeout: 2h, retries: 2}\n")
    page = world.page(CLEAN)
    assert page.soup.find(id="timeout")["placeholder"] == "2h"
    assert page.soup.find(id="retries.max_retries")["placeholder"] == "2"
    assert page.part("delays") == "It is tried again after 30 s, 1 min."


def test_keys_that_nbflow_cannot_run_yet_are_kept_and_marked(world: World) -> None:
    given = "for_each: [a, b], resources: {gpu: 1}"
    world.pipeline(CHAIN.replace("clean: {", f"clean: {{{given}, "))
    page = world.page(CLEAN)
    assert "nbflow does not run these yet" in page.text
    assert 'for_each ["a", "b"]' in page.text
    send(world, CLEAN, timeout="1h")
    assert given in text(world)


def test_a_task_can_be_deleted_and_duplicated(world: World) -> None:
    done = send(world, CLEAN, do="duplicate")
    assert done.to == f"{EDIT}/tasks/clean_2"
    assert task(world, "clean_2") == task(world, "clean")
    assert send(world, CLEAN, do="delete").to == EDIT
    assert "clean" not in values_of(text(world))["tasks"]
    with pytest.raises(NotFound, match="the draft has no task 'clean'"):
        world.page(CLEAN)


def test_names_of_a_stranger_are_text(world: World) -> None:
    world.pipeline(CHAIN.replace("mood: {type: str", "mood: {description: '<script>x</script>', type: str"))
    assert "<script>x" not in world.page(PIPELINE).html
    assert "&lt;script&gt;x" in world.page(PIPELINE).html


# --- the pipeline -----------------------------------------------------------------------------------------------------


def test_the_fields_of_the_pipeline_become_its_keys(world: World) -> None:
    send(world, PIPELINE, owner="sales", tags="revenue, daily", description="All of it.", max_active_runs="2")
    values = values_of(text(world))
    assert (values["owner"], values["tags"], values["description"]) == ("sales", ["revenue", "daily"], "All of it.")
    assert values["max_active_runs"] == 2
    send(world, PIPELINE, tags="", description="")
    assert {"tags", "description"} & values_of(text(world)).keys() == set()


def test_a_schedule_has_its_next_runs_with_their_offset(world: World) -> None:
    page = world.page(PIPELINE)
    assert page.part("coming").startswith("every day at 02:00, Europe/Berlin Thu 2026-04-02 02:00 +02:00")
    assert len(page.soup.select("#coming li")) == 5
    sent = fill(world, PIPELINE, schedule__cron="0 6 * * 1", schedule__timezone="America/New_York")
    assert "Mon 2026-04-06 06:00 -04:00" in world.page(PIPELINE, **sent).part("coming")
    assert text(world) == CHAIN
    world.act(PIPELINE, **sent)
    schedule = values_of(text(world))["schedule"]
    assert schedule == {"cron": "0 6 * * 1", "timezone": "America/New_York"}
    assert "Europe/Berlin" in [each["value"] for each in page.soup.select("#zones option")]
    assert "every day at 02:00" in [each.text for each in page.soup.select("#crons option")]


def test_a_schedule_that_is_not_understood_shows_no_runs_of_the_one_before(world: World) -> None:
    said = world.page(PIPELINE, **fill(world, PIPELINE, schedule__cron="61 2 * * *")).part("coming")
    assert said.startswith("schedule.cron: minute '61' is not understood")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"schedule.cron": "0 0 30 2 *"}, "schedule.cron"),
        ({"schedule.cron": "often"}, "schedule.cron"),
        ({"schedule.timezone": "Europe/Berlni"}, "Did you mean 'Europe/Berlin'?"),
        ({"schedule.start": "tomorrow"}, "schedule.start"),
        ({"max_active_runs": "0"}, "max_active_runs"),
        ({"missed": "last", "missed.last": "x"}, "How many missed runs must be a number"),
        ({"new.name": "mood"}, "there is already a parameter 'mood'"),
        ({"new.name": "n", "new.type": "int", "new.default": "x"}, "must be int"),
        ({"name": "Nightly Run"}, "Nightly Run"),
    ],
)
def test_a_wrong_field_of_the_pipeline_is_refused_at_once(world: World, fields: dict[str, str], said: str) -> None:
    assert said in world.page(PIPELINE, **fill(world, PIPELINE, **fields)).part("refusal")
    assert said in refused(world, PIPELINE, **fields).text
    assert text(world) == CHAIN


def test_between_by_hand_at_times_and_again_and_again(world: World) -> None:
    send(world, PIPELINE, kind="every", schedule__every="15m")
    assert values_of(text(world))["schedule"] == {"timezone": "Europe/Berlin", "every": "15m"}
    send(world, PIPELINE, kind="hand")
    assert "schedule" not in values_of(text(world))
    send(
        world, PIPELINE, kind="cron", schedule__cron="@daily", schedule__overlap="skip", missed="last", missed__last="3"
    )
    assert values_of(text(world))["schedule"] == {"cron": "@daily", "overlap": "skip", "missed": {"last": 3}}
    send(world, PIPELINE, missed="none")
    assert values_of(text(world))["schedule"]["missed"] == "none"
    send(world, PIPELINE, missed="")
    assert "missed" not in values_of(text(world))["schedule"]


def test_a_schedule_of_one_line_is_opened_when_it_needs_to_be(world: World) -> None:
    world.pipeline(CHAIN.replace('{cron: "0 2 * * *", timezone: Europe/Berlin}', '"0 2 * * *"'))
    page = world.page(PIPELINE)
    assert page.soup.find(id="schedule.cron")["value"] == "0 2 * * *"
    send(world, PIPELINE, schedule__timezone="Asia/Tokyo")
    assert values_of(text(world))["schedule"] == {"cron": "0 2 * * *", "timezone": "Asia/Tokyo"}


def test_parameters_of_a_run_are_added_changed_and_taken_out(world: World) -> None:
    given = {
        "new.name": "n",
        "new.type": "int",
        "new.default": "3",
        "new.choices": "3, 4",
        "new.description": "How many.",
    }
    send(world, PIPELINE, **given)
    params = values_of(text(world))["params"]
    assert params["n"] == {"type": "int", "default": 3, "choices": [3, 4], "description": "How many."}
    send(world, PIPELINE, **{"params.n.default": "4", "params.mood.gone": "1"})
    params = values_of(text(world))["params"]
    assert (params["n"]["default"], "mood" in params) == (4, False)
    assert params["day"] == values_of(CHAIN)["params"]["day"]


def test_a_parameter_may_be_called_new(world: World) -> None:
    send(world, PIPELINE, **{"new.name": "new", "new.type": "int", "new.default": "1"})
    send(world, PIPELINE, **{"params.new.default": "2", "new.name": "other", "new.default": "x"})
    params = values_of(text(world))["params"]
    assert (params["new"], params["other"]) == ({"type": "int", "default": 2}, {"default": "x"})


def test_who_is_told(world: World) -> None:
    send(world, PIPELINE, **{"alerts.on_failure": "ops, boss", "alerts.late_after": "06:30"})
    page = refused(world, PIPELINE, **{"alerts.late_after": "late"})
    assert "alerts.late_after" in page.text
    assert values_of(text(world))["alerts"] == {"on_failure": ["ops", "boss"], "late_after": "06:30"}
    send(world, PIPELINE, **{"alerts.on_failure": "", "alerts.late_after": ""})
    assert text(world) == CHAIN


def test_a_draft_that_cannot_be_read_has_forms_of_the_last_good_text(world: World) -> None:
    api = world.api()
    api.write_draft("nightly", "x", CHAIN + "  [", seen=api.draft("nightly").draft.version)
    assert world.page(CLEAN).soup.find(id="notebook")["value"] == "a.ipynb"
    assert "not valid YAML" in refused(world, CLEAN, timeout="1h").text


# --- roles ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [CLEAN, PIPELINE])
def test_an_operator_fills_in_nothing(world: World, address: str) -> None:
    sent = fill(world, address)
    with pytest.raises(NotAllowed):
        world.page(address, Role.OPERATOR)
    with pytest.raises(NotAllowed):
        world.act(address, Role.OPERATOR, **{**sent, "owner": "me", "timeout": "1h"})
    assert text(world) == CHAIN
