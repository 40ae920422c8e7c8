from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from nbflow import params
from nbflow.errors import InvalidInput
from nbflow.model import DataInterval, PipelineName, RunId
from nbflow.params import names
from nbflow.params.names import NAME_SENTENCES
from nbflow.params.templates import LIMIT, is_lone
from nbflow.run import Run
from nbflow.states import RunKind, RunState

RUN = Run(
    id=RunId("r1"),
    pipeline=PipelineName("daily"),
    run_key="manual:r1",
    kind=RunKind.MANUAL,
    state=RunState.RUNNING,
    manifest="",
    params={"region": "emea", "items": 3, "digits": "1e5", "nothing": None, "table": {"items": [1], "rate": 0.5}},
    logical_date=datetime(2026, 4, 1, 2, tzinfo=UTC),
    run_date=date(2026, 4, 1),
    interval=DataInterval(datetime(2026, 3, 31, 2, tzinfo=UTC), datetime(2026, 4, 1, 2, tzinfo=UTC)),
    created_at=datetime(2026, 4, 1, 2, tzinfo=UTC),
)
NAMES = params.context(
    RUN,
    upstream={
        "extract": ("success", {"rows": 12, "items": "a", "files": ["x", "y"]}),
        "load": ("failed", {}),
    },
    env={"HOME": "/home/me"},
)


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ run_date }}", "2026-04-01"),
        ("{{ logical_date }}", "2026-04-01T02:00:00+00:00"),
        ("{{ data_interval.start }}", "2026-03-31T02:00:00+00:00"),
        ("{{ data_interval['end'] }}", "2026-04-01T02:00:00+00:00"),
        ("{{ run.id }} {{ run.kind }} {{ pipeline.name }}", "r1 manual daily"),
        ("{{ env.HOME }}", "/home/me"),
        ("{{ params.items }}", 3),
        ("{{ params.nothing }}", None),
        ("{{ params.table.items }}", [1]),
        ("{{ params.table }}", {"items": [1], "rate": 0.5}),
        ("{{ params.table.rate * 2 }}", 1.0),
        ("{{ tasks.extract.outputs.rows }}", 12),
        ("{{ tasks.extract.outputs.items }}", "a"),
        ("{{ tasks.extract.outputs.files[1] }}", "y"),
        ("{{ tasks.extract.outputs }}", {"rows": 12, "items": "a", "files": ["x", "y"]}),
        ("{{ tasks.extract.outputs | length }}", 3),
        ("{{ 'rows' in tasks.extract.outputs }}", True),
        ("{{ tasks.load.state }}", "failed"),
        ("{{ tasks.load.outputs.rows | default(0) }}", 0),
        ("{{ tasks.load.outputs.rows is defined }}", False),
        ("{{ params.digits }}", "1e5"),
        ("{{ '1e5' }}", "1e5"),
        ("{{ params.region.upper() }}", "EMEA"),
        ("{{ [1, (2, 3), {'a': none}] }}", [1, [2, 3], {"a": None}]),
        ("{{ range(3) }}", [0, 1, 2]),
        ("{{ 1, 2 }}", [1, 2]),
        ("{{ params.table.items | map('string') }}", ["1"]),
        ("{{- 1 -}}", 1),
        ("{{--1 }}", -1),
        ("{{+ 1 }}", 1),
        ("\n {{ 1 }} \n", 1),
        ("{{ '{{' }}", "{{"),
        ("{{ 1 }}{{ 2 }}", "12"),
        ("rows: {{ tasks.extract.outputs.rows }}\n", "rows: 12\n"),
        ("{{ params.table }} ", {"items": [1], "rate": 0.5}),
        ("p={{ params }}", 'p={"region": "emea", "items": 3, "digits": "1e5", "nothing": null, "table": '
         '{"items": [1], "rate": 0.5}}'),
        ("{% if params.items > 2 %}many{% else %}few{% endif %}", "many"),
        ("{% for file in tasks.extract.outputs.files %}{{ loop.index }}{{ file }} {% endfor %}", "1x 2y "),
        ("{% set n = 4 %}{{ n }}", "4"),
        ("no { template } here", "no { template } here"),
        ("{# not a comment either", "{# not a comment either"),
    ],
)  # fmt: skip
def test_resolve_keeps_the_type_of_a_lone_template(template: str, value: Any) -> None:
    found = params.resolve(template, NAMES)
    assert (found, type(found)) == (value, type(value))


def test_resolve_goes_into_lists_and_mappings() -> None:
    value = {"{{ a }}": ["{{ params.items }}", {"b": ("{{ run_date }}", 5)}], "c": None}
    assert params.resolve(value, NAMES) == {"{{ a }}": [3, {"b": ["2026-04-01", 5]}], "c": None}


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        (
            "{{ tasks.extract.outputs.row }}",
            "task 'extract' reported no value 'row'; there are: rows, items, files",
        ),
        ("{{ tasks.load.outputs.rows }}", "task 'load' reported no value 'rows'; there are none"),
        ("{{ tasks.load.outputs.rows + 1 }}", "task 'load' reported no value 'rows'; there are none"),
        ("n={{ tasks.load.outputs.rows }}", "task 'load' reported no value 'rows'; there are none"),
        ("{{ tasks.clean.state }}", "there is no upstream task 'clean'; there are: extract, load"),
        ("{{ tasks.load.output }}", "tasks.load has no 'output'; there are: outputs, state"),
        (
            "{{ params.regoin }}",
            "there is no parameter 'regoin'; there are: region, items, digits, nothing, table",
        ),
        ("{{ params.table.size }}", "there is no 'size'; there are: items, rate"),
        ("{{ params.get('region') }}", "there is no parameter 'get'; there are: region, items, digits, nothing, table"),
        ("{{ run.key }}", "run has no 'key'; there are: id, kind"),
        ("{{ env.PASSWORD }}", "no environment variable is allowed by the name 'PASSWORD'; there are: HOME"),
        (
            "{{ rundate }}",
            "'rundate' is not defined; there are: run_date, logical_date, data_interval, run, pipeline, params, tasks, "
            "env, item",
        ),
        ("{{ params.region.upper }}", "it gives a function, which is no JSON value"),
        ("{{ run_date.day }}", "'str object' has no attribute 'day'"),
        ("{{ 1 / 0 }}", "ZeroDivisionError: division by zero"),
        ("{{ params.region + 1 }}", 'can only concatenate str (not "int") to str'),
    ],
)
def test_a_failing_template_says_what_exists(template: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        params.resolve(template, NAMES)
    assert raised.value.message == f"the template {template} failed: {reason}"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ 'a' * 10 ** 9 }}", "* gives more than fits"),
        ("{{ 10 ** 9 * [1] }}", "* gives more than fits"),
        ("{{ 2 ** 100000 }}", "** gives more than fits"),
        (f"{{{{ 'a' * {LIMIT} }}}}", "it gives more than 1,048,576 characters"),
        ("{% for i in range(99999) %}" + "x" * 20 + "{% endfor %}", "it gives more than 1,048,576 characters"),
        ("{{ range(100001) }}", "it counts further than 100,000"),
        (
            "{% for i in range(1000) %}{% for j in range(1000) %}{% endfor %}{% endfor %}",
            "it counts further than 100,000",
        ),
        ("{{ ''.__class__ }}", "access to attribute '__class__' of 'str' object is unsafe."),
        ("{{ params._values }}", "there is no parameter '_values'; there are: region, items, digits, nothing, table"),
    ],
)
def test_a_template_has_limits(template: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        params.resolve(template, NAMES)
    assert raised.value.message.endswith(f"failed: {reason}")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ x", "not a valid template: unexpected end of template, expected 'end of print statement'"),
        ("{{ x }", "not a valid template: unexpected '}'"),
        ("{% if x %}", "not a valid template: Unexpected end of template. Jinja was looking for the following tags: "
         "'elif' or 'else' or 'endif'. The innermost block that needs to be closed is 'if'"),
        ("{{ x | uper }}", "not a valid template: there is no filter 'uper'. Did you mean 'upper'?"),
        ("{{ x is odder }}", "not a valid template: there is no test 'odder'. Did you mean 'odd'?"),
        ("{% include 'x' %}", "not a valid template: include is not available in manifests"),
        ("{% macro m() %}{% endmacro %}", "not a valid template: macro is not available in manifests"),
        ("{{ " + "(" * 500 + "1" + ")" * 500 + " }}", "not a valid template: it is nested too deep"),
        ("{{ " + "1 + " * 5000 + "1 }}", "not a valid template: it is nested too deep"),
    ],
)  # fmt: skip
def test_a_broken_template_is_refused_before_it_runs(template: str, message: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        params.references(template)
    assert str(raised.value) == message


def test_a_number_that_python_refuses_is_no_template() -> None:
    with pytest.raises(InvalidInput, match=r"^not a valid template: Exceeds the limit"):
        params.references("{{ " + "9" * 5000 + " }}")


# --- condition -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "answer"),
    [(True, True), (False, False), ("{{ params.items > 2 }}", True), ("{{ tasks.load.state == 'success' }}", False)],
)
def test_condition(when: bool | str, *, answer: bool) -> None:
    assert params.condition(when, NAMES) is answer


@pytest.mark.parametrize("when", ["{{ params.items }}", "{{ params.nothing }}", "{{ 'true' }}", "yes {{ true }}"])
def test_condition_must_be_true_or_false(when: str) -> None:
    with pytest.raises(InvalidInput, match=r"^'when' must give true or false, not "):
        params.condition(when, NAMES)


# --- references ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "paths"),
    [
        ("plain", set()),
        ("{{ run_date }}", {("run_date",)}),
        ("{{ tasks.a.outputs.rows }}", {("tasks", "a", "outputs", "rows")}),
        ("{{ tasks['a']['outputs'].rows }}", {("tasks", "a", "outputs", "rows")}),
        ("{{ tasks.a.outputs.files[0].name }}", {("tasks", "a", "outputs", "files")}),
        ("{{ tasks[params.which].state }}", {("tasks",), ("params", "which")}),
        ("{{ run_date.replace('-', params.sep) }}", {("run_date", "replace"), ("params", "sep")}),
        ("{{ x | default(tasks.a.state) }}", {("x",), ("tasks", "a", "state")}),
        (
            "{% for f in tasks.a.outputs.files %}{{ f.name ~ loop.index }}{% endfor %}",
            {("tasks", "a", "outputs", "files")},
        ),
        ("{% set n = params.n %}{{ n.x + range(2)[0] }}", {("params", "n")}),
        (["{{ a }}", {"k": ("{{ b }} {{ c.d }}", 5)}], {("a",), ("b",), ("c", "d")}),
        ("{{ true and none }}", set()),
    ],
)
def test_references(value: Any, paths: set[tuple[str, ...]]) -> None:
    assert params.references(value) == paths


def test_tasks_named() -> None:
    assert params.tasks_named({"x": "{{ tasks.a.state }}", "y": ["{{ tasks.b }} {{ tasks }} {{ params.c }}"]}) == {
        "a",
        "b",
    }


@pytest.mark.parametrize(
    ("text", "answer"),
    [("{{ a }}", True), (" {{ a }}\n", True), ("{{ a }}.", False), ("{{ a }}{{ b }}", False), ("a", False)],
)
def test_is_lone(text: str, *, answer: bool) -> None:
    assert is_lone(text) is answer


def test_the_item_of_a_for_each() -> None:
    assert params.resolve("{{ item }}", params.context(RUN, upstream={}, item=None)) is None
    assert params.resolve("{{ item.x }}", params.context(RUN, upstream={}, item={"x": 1})) == 1


def test_every_name_that_a_template_may_use_has_its_sentence() -> None:
    spaces = {name.partition(".")[0] for name in NAME_SENTENCES}
    assert spaces == names.NAMES.keys() - {"item"}  # which needs for_each
    assert {f"{space}.{each}" for space in spaces for each in names.NAMES[space] or ()} <= NAME_SENTENCES.keys()
    assert {name.split(".")[2] for name in NAME_SENTENCES if name.startswith("tasks.")} == set(names.TASK_NAMES)
