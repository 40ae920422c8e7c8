"""Every way in which the text of a manifest can be wrong, with the exact message and place: `wrong_manifests.txt`."""

from __future__ import annotations

import json

import pytest
from manifest_cases import Case, read_cases

from nbflow.errors import InvalidManifest, Problem
from nbflow.manifest import check, parse
from nbflow.model import TaskName

CASES = read_cases("wrong_manifests.txt")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_what_is_wrong_and_where(case: Case) -> None:
    pipeline, problems = check(case.text)
    assert [str(problem) for problem in problems] == case.problems
    assert pipeline is None


def test_the_table_is_as_long_as_promised() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 60


def one_task(keys: str) -> str:
    return f"name: p\ntasks:\n  a:\n    notebook: a.ipynb\n    {keys}\n"


HUGE = {
    "more text than anybody writes": (
        "x" * (2**20 + 1),
        "1:1: the file is longer than 1,048,576 characters",
    ),
    "a character that no text has": (
        "name: p\nowner: \x07\n",
        "2:8: not valid YAML: the character U+0007 may not stand in it",
    ),
    "lists in lists in lists": (
        f"name: {'[' * 40}{']' * 40}\n",
        "1:37: nested deeper than 30 levels",
    ),
    "aliases that multiply": (
        "name: p\n0: &0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "".join(f"{n}: &{n} [{', '.join([f'*{n - 1}'] * 10)}]\n" for n in range(1, 9)),
        "6:4: more than 100,000 values, aliases counted in full",
    ),
    "an alias inside its own anchor": (
        "name: &n [*n]\n",
        "1:11: the alias '*n' has no anchor '&n' before it",
    ),
}


@pytest.mark.parametrize(("text", "problem"), HUGE.values(), ids=HUGE.keys())
def test_stops_at_what_cannot_be_read(text: str, problem: str) -> None:
    assert str(check(text)[1][-1]) == f"pipeline.yaml:{problem}"


@pytest.mark.parametrize(
    "items", [f"[{', '.join('1' * 1001)}]", f"{{x: [{', '.join('1' * 77)}], y: [{', '.join('1' * 13)}]}}"]
)
def test_counts_the_items_of_for_each(items: str) -> None:
    problems = check(one_task(f"for_each: {items}"))[1]
    assert [problem.message for problem in problems] == [
        "'for_each' is not yet supported",
        "tasks.a.for_each has 1,001 items; at most 1,000 are allowed",
    ]


def test_a_long_name_is_refused() -> None:
    assert check(f"name: {'a' * 100}\ntasks: {{b: {{notebook: c.ipynb}}}}\n")[1] == []
    assert len(check(f"name: {'a' * 101}\ntasks: {{b: {{notebook: c.ipynb}}}}\n")[1]) == 1


def test_the_two_halves_of_a_character_of_json_are_one() -> None:
    given = {"x": "grüß 😀"}
    pipeline, problems = check(one_task(f"params: {json.dumps(given)}"))
    assert problems == []
    assert pipeline is not None
    assert pipeline.tasks[TaskName("a")].params == given


WARNINGS = {
    "places without a pool": (
        one_task("pool_slots: 2"),
        "5:5: tasks.a.pool_slots has no effect without a pool",
    ),
    "a delay without retries": (
        one_task("retries: {delay: 2m}"),
        "5:15: tasks.a.retries.delay has no effect while max_retries is 0",
    ),
    "late without a schedule": (
        "name: p\nalerts: {late_after: 06:30}\ntasks: {a: {notebook: a.ipynb}}\n",
        "2:10: alerts.late_after has no effect without a schedule",
    ),
}


@pytest.mark.parametrize(("text", "warning"), WARNINGS.values(), ids=WARNINGS.keys())
def test_warns_of_what_has_no_effect(text: str, warning: str) -> None:
    pipeline, problems = check(text)
    assert [(str(problem), problem.severity) for problem in problems] == [(f"pipeline.yaml:{warning}", "warning")]
    assert pipeline is not None


def test_does_not_warn_of_defaults_that_one_task_has_no_use_for() -> None:
    text = (
        "name: p\ndefaults: {retries: {max_retries: 3, delay: 2m}, pool_slots: 2}\n"
        "tasks:\n  a: {notebook: a.ipynb, retries: 0}\n"
    )
    assert check(text)[1] == []


def test_a_problem_has_all_that_scripts_need() -> None:
    text = "name: p\ntasks:\n  clean: {notebook: a.ipynb}\n  report: {notebook: b.ipynb, depends_on: claen}\n"
    assert check(text, file="notebooks/daily/pipeline.yaml")[1] == [
        Problem(
            file="notebooks/daily/pipeline.yaml",
            line=4,
            column=43,
            where="tasks.report.depends_on",
            message="task 'report' depends on 'claen', which does not exist",
            hint="Did you mean 'clean'?",
            severity="error",
        )
    ]


def test_parse_raises_all_problems_at_once() -> None:
    with pytest.raises(InvalidManifest) as raised:
        parse("name: P\ntasks: {}\n")
    assert str(raised.value) == (
        "pipeline.yaml:1:7: name cannot be 'P'. Use up to 100 small letters, digits and _, a letter first.\n"
        "pipeline.yaml:2:1: a pipeline needs at least one task"
    )


@pytest.mark.parametrize(
    ("file", "notebook", "is_outside"),
    [
        ("pipeline.yaml", "../a.ipynb", True),
        ("daily/pipeline.yaml", "../a.ipynb", False),
        ("daily/pipeline.yaml", "sub/../../a.ipynb", False),
        ("daily/pipeline.yaml", "../../a.ipynb", True),
        ("daily/pipeline.yaml", "..a/b.ipynb", False),
    ],
)
def test_no_notebook_lies_outside_the_project(file: str, notebook: str, *, is_outside: bool) -> None:
    problems = check(f"name: p\ntasks: {{a: {{notebook: {notebook}}}}}\n", file=file)[1]
    assert [problem.message for problem in problems] == [
        f"tasks.a.notebook: '{notebook}' lies outside the project"
    ] * is_outside
