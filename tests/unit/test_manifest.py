"""What a right manifest means: every key, the shorthands, the defaults, the canonical text, the schema."""

from __future__ import annotations

from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from nbflow.manifest import check, document, dump, json_schema, parse
from nbflow.model import Alerts, Keep, Param, Pipeline, PipelineName, Retries, Schedule, Task, TaskName
from nbflow.states import JoinRule

FULL = """\
name: daily_orders
description: Orders per region.
owner: data-platform
tags: [orders, daily]
schedule:
  cron: "0 2 * * *"
  timezone: America/Los_Angeles
  start: 2026-04-01
  end: 2026-12-31
  missed: {last: 3}
  grace: 5m
  overlap: skip
max_active_runs: 2
params:
  region: {type: str, default: all, choices: [all, emea], description: Which region}
  limit: {type: int | None, default: null}
alerts:
  on_failure: [ops, lead]
  on_recovery: ops
  late_after: 06:30
keep: 90d
tasks:
  extract:
    notebook: extract.ipynb
    params: {run_date: "{{ run_date }}", limit: "{{ params.limit }}", sizes: [1, 2.5, {deep: true}]}
    retries: {max_retries: 5, delay: 1m, backoff: fixed, max_delay: 1h, jitter: 0.2, never_on: KeyError, on_lost: fail}
    timeout: 1h30m
    cell_timeout: 10m
    pool: warehouse
    pool_slots: 2
    priority: -1
    env: {LEVEL: debug, DAY: "{{ run_date }}"}
    secrets: {API_KEY: payments_key}
    position: [10, 20.5]
  report:
    notebook: sub/report.ipynb
    depends_on: extract
    run_if: all_done
    when: "{{ tasks.extract.outputs.rows > 0 }}"
    allow_failure: true
    kernel: python3
"""

PIPELINE = Pipeline(
    name=PipelineName("daily_orders"),
    description="Orders per region.",
    owner="data-platform",
    tags=("orders", "daily"),
    schedule=Schedule(
        cron="0 2 * * *",
        timezone="America/Los_Angeles",
        start=date(2026, 4, 1),
        end=date(2026, 12, 31),
        missed=3,
        grace=timedelta(minutes=5),
        overlap="skip",
    ),
    max_active_runs=2,
    params={
        "region": Param(name="region", type="str", default="all", choices=("all", "emea"), description="Which region"),
        "limit": Param(name="limit", type="int | None"),
    },
    alerts=Alerts(on_failure=("ops", "lead"), on_recovery=("ops",), late_after=time(6, 30)),
    keep=Keep(runs=timedelta(days=90)),
    tasks={
        TaskName("extract"): Task(
            name=TaskName("extract"),
            notebook="extract.ipynb",
            params={"run_date": "{{ run_date }}", "limit": "{{ params.limit }}", "sizes": [1, 2.5, {"deep": True}]},
            retries=Retries(
                max_retries=5,
                delay=timedelta(minutes=1),
                backoff="fixed",
                max_delay=timedelta(hours=1),
                jitter=0.2,
                never_on=("KeyError",),
                on_lost="fail",
            ),
            timeout=timedelta(minutes=90),
            cell_timeout=timedelta(minutes=10),
            pool="warehouse",
            pool_slots=2,
            priority=-1,
            env={"LEVEL": "debug", "DAY": "{{ run_date }}"},
            secrets={"API_KEY": "payments_key"},
            position=(10.0, 20.5),
        ),
        TaskName("report"): Task(
            name=TaskName("report"),
            notebook="sub/report.ipynb",
            depends_on=(TaskName("extract"),),
            run_if=JoinRule.ALL_DONE,
            when="{{ tasks.extract.outputs.rows > 0 }}",
            allow_failure=True,
            kernel="python3",
        ),
    },
)


def test_reads_every_key() -> None:
    assert check(FULL) == (PIPELINE, [])


def test_keeps_the_order_of_the_tasks() -> None:
    names = ["zeta", "alpha", "mid"]
    tasks = "".join(f"  {name}: {{notebook: a.ipynb}}\n" for name in names)
    assert list(parse(f"name: p\ntasks:\n{tasks}").tasks) == names


def only_task(text: str) -> Task:
    (task,) = parse(text).tasks.values()
    return task


def with_top(keys: str) -> Pipeline:
    return parse(f"name: p\n{keys}\ntasks: {{a: {{notebook: a.ipynb}}}}\n")


# --- shorthands ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ('"0 2 * * *"', Schedule(cron="0 2 * * *")),
        ("'@daily'", Schedule(cron="@daily")),
        ("{every: 15m}", Schedule(every=timedelta(minutes=15))),
        ("{every: 1h, missed: none}", Schedule(every=timedelta(hours=1), missed="none")),
    ],
)
def test_schedule(schedule: str, expected: Schedule) -> None:
    assert with_top(f"schedule: {schedule}").schedule == expected


def test_retries_as_a_number_have_the_other_defaults() -> None:
    task = only_task("name: p\ntasks: {a: {notebook: a.ipynb, retries: 3}}\n")
    assert task.retries == Retries(max_retries=3)


def test_keep_long_and_short() -> None:
    assert with_top("keep: {runs: 2d}").keep == with_top("keep: 2d").keep == Keep(runs=timedelta(days=2))
    assert with_top("keep: {count: 100}").keep == Keep(count=100)


@pytest.mark.parametrize(("written", "when"), [("true", True), ("false", False), ("'{{ 1 > 0 }}'", "{{ 1 > 0 }}")])
def test_when(written: str, when: bool | str) -> None:
    assert only_task(f"name: p\ntasks: {{a: {{notebook: a.ipynb, when: {written}}}}}\n").when == when


def test_an_alias_stands_for_its_anchor() -> None:
    pipeline = parse(
        "name: p\ntasks:\n"
        "  a: {notebook: a.ipynb, params: &p {x: 1}}\n"
        "  b: {notebook: b.ipynb, params: *p, depends_on: [a]}\n"
    )
    assert pipeline.tasks[TaskName("b")].params == {"x": 1}


def test_yaml_1_2_reads_only_what_it_must() -> None:
    task = only_task(
        "name: p\ntasks: {a: {notebook: a.ipynb, params: {a: no, b: 2026-04-01, c: 012, d: 0o14, e: 1_000, f: ~}}}\n"
    )
    assert task.params == {"a": "no", "b": "2026-04-01", "c": 12, "d": 12, "e": "1_000", "f": None}


# --- defaults ------------------------------------------------------------------------------------------------------

DEFAULTS = """\
name: p
defaults:
  retries: {max_retries: 3, delay: 2m}
  timeout: 1h
  env: {LEVEL: info, REGION: emea}
  params: {run_date: "{{ run_date }}"}
  kernel: python3
tasks:
"""


def test_defaults_reach_every_task() -> None:
    task = only_task(f"{DEFAULTS}  a: {{notebook: a.ipynb}}\n")
    assert task.retries == Retries(max_retries=3, delay=timedelta(minutes=2))
    assert task.timeout == timedelta(hours=1)
    assert (task.env, task.params) == ({"LEVEL": "info", "REGION": "emea"}, {"run_date": "{{ run_date }}"})
    assert task.kernel == "python3"


def test_a_task_wins_over_the_defaults_and_mappings_merge_key_by_key() -> None:
    task = only_task(
        f"{DEFAULTS}  a: {{notebook: a.ipynb, retries: 5, timeout: 2h, env: {{LEVEL: debug}}, params: {{x: 1}}}}\n"
    )
    assert task.retries == Retries(max_retries=5, delay=timedelta(minutes=2))
    assert task.timeout == timedelta(hours=2)
    assert task.env == {"LEVEL": "debug", "REGION": "emea"}
    assert task.params == {"run_date": "{{ run_date }}", "x": 1}


def test_a_default_that_a_task_replaces_is_not_its_problem() -> None:
    text = (
        "name: p\ndefaults: {params: {rows: '{{ tasks.a.outputs.rows }}'}}\ntasks:\n"
        "  a: {notebook: a.ipynb, params: {rows: 0}}\n"
        "  b: {notebook: b.ipynb, depends_on: a}\n"
    )
    assert check(text)[1] == []


# --- references ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "template",
    [
        "{{ tasks.first.outputs.rows }}",
        "{{ tasks['second'].state == 'success' }}",
        "{{ tasks.second.outputs.items[0].name | upper }}",
        "{{ params.region.lower() }}",
        "{{ run.id ~ run.kind ~ pipeline.name ~ logical_date ~ data_interval.start ~ data_interval.end }}",
        "{{ env.HOME }}",
        "{% for n in range(3) %}{{ n }}{{ loop.index }}{% endfor %}",
        "{% set name = run_date %}{{ name }}",
        "no template } at all {",
    ],
)
def test_may_refer_to_everything_upstream(template: str) -> None:
    text = (
        "name: p\nparams: {region: {default: EMEA}}\ntasks:\n"
        "  first: {notebook: a.ipynb}\n  second: {notebook: a.ipynb, depends_on: first}\n"
        f"  third:\n    notebook: a.ipynb\n    depends_on: second\n    params: {{x: {template!r}}}\n"
    )
    assert check(text)[1] == []


# --- the canonical text --------------------------------------------------------------------------------------------


def test_dump_and_parse_are_inverse() -> None:
    assert parse(dump(PIPELINE)) == PIPELINE


def test_dump_is_canonical_and_leaves_defaults_out() -> None:
    text = "# comment\nname: p\ntasks: {'a': {notebook: 'a.ipynb', retries: {max_retries: 2, delay: 90s}}}\n"
    assert dump(parse(text)) == (
        "name: p\ntasks:\n  a:\n    notebook: a.ipynb\n    retries: {max_retries: 2, delay: 1m30s}\n"
    )


@pytest.mark.parametrize(
    "text", [":0", "- a", "a: b", "# a", "no", "1e5", ".5e3", "2026-04-01", "a\nb", " a ", "\x85", "é", ""]
)
def test_dump_quotes_what_would_be_read_as_something_else(text: str) -> None:
    pipeline = Pipeline(
        name=PipelineName("p"),
        description=text,
        tasks={TaskName("a"): Task(name=TaskName("a"), notebook="a.ipynb", params={"x": [text, {text: text}]})},
    )
    assert parse(dump(pipeline)) == pipeline


# --- the schema ----------------------------------------------------------------------------------------------------

EXAMPLES = [FULL, *(path.read_text() for path in Path(__file__).parents[2].glob("notebooks/*/pipeline.yaml"))]


def plain(text: str) -> Any:
    root = document.read(text, lambda *problem: pytest.fail(str(problem)))
    assert root is not None
    return root.plain()


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: text.split("\n")[0])
def test_the_schema_accepts_the_examples(text: str) -> None:
    jsonschema.validate(plain(text), json_schema(), jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"shedule": "@daily"}, ""),
        ({"name": "Bad-Name"}, "name"),
        ({"max_active_runs": 0}, "max_active_runs"),
        ({"schedule": {"overlap": "stop"}}, "schedule"),
        ({"tasks": {"a": {}}}, "tasks.a"),
        ({"tasks": {"a": {"notebook": "a.ipynb", "timeout": 30}}}, "tasks.a.timeout"),
        ({"tasks": {"a": {"notebook": "a.ipynb", "run_if": "never"}}}, "tasks.a.run_if"),
        ({"tasks": {"A": {"notebook": "a.ipynb"}}}, "tasks"),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(change: dict[str, Any], path: str) -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    errors = list(validator.iter_errors({**plain(FULL), **change}))
    assert [".".join(map(str, error.absolute_path)) for error in errors] == [path]


def test_every_key_is_described() -> None:
    def undescribed(schema: dict[str, Any], path: str) -> list[str]:
        found = [path] if path and "description" not in schema else []
        for part in (schema, *schema.get("anyOf", ())):
            for name, child in part.get("properties", {}).items():
                found += undescribed(child, f"{path}.{name}")
        return found

    assert undescribed(json_schema(), "") == []
