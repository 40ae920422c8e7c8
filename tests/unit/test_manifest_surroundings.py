"""Every way in which a manifest can be at odds with what exists around it: `wrong_surroundings.txt`."""

from __future__ import annotations

import pytest
from manifest_cases import Case, read_cases

from nbflow.errors import InvalidInput, NotFound
from nbflow.manifest import Surroundings, check
from nbflow.model import Param
from nbflow.ports import Signature
from nbflow.text import did_you_mean

CASES = read_cases("wrong_surroundings.txt")

CLEAN = (
    Param(name="day", type="date", is_required=True),
    Param(name="region", type="str", default="all"),
    Param(name="n", type="int", default=1),
    Param(name="mode", type="Literal['fast', 'exact']", default="fast"),
    Param(name="names", type="list[str]", default=[]),
    Param(name="frame", type="pd.DataFrame", default_text="pd.DataFrame()"),
)


def signature(params: tuple[Param, ...] | None, *, kernel: str = "python3", is_open: bool = False) -> Signature:
    return Signature(language="python", kernel=kernel, cells=3, params=params, has_open_params=is_open)


NOTEBOOKS = {
    "clean.ipynb": signature(CLEAN),
    "none.ipynb": signature(()),
    "plain.ipynb": signature(None),
    "open.ipynb": signature((Param(name="x"),), is_open=True),
    "julia.ipynb": signature((), kernel="julia-1.11"),
}


def notebooks(path: str) -> Signature:
    if path == "broken.ipynb":
        raise InvalidInput("notebook 'broken.ipynb' cannot be read: it is empty", hint="Save it again.")
    try:
        return NOTEBOOKS[path]
    except KeyError:
        raise NotFound(f"notebook '{path}' does not exist", hint=did_you_mean(path, NOTEBOOKS)) from None


AROUND = Surroundings(
    notebooks=notebooks, kernels={"python3", "bash"}, pools={"warehouse": 2}, channels={"ops"}, env={"HOME"}
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_what_does_not_exist(case: Case) -> None:
    pipeline, problems = check(case.text, around=AROUND)
    assert [str(problem) for problem in problems] == case.problems
    assert pipeline is None


@pytest.mark.parametrize(
    "keys",
    [
        "{notebook: clean.ipynb, params: {day: 2026-04-01, n: 5, mode: exact, names: [a], frame: [1]}}",
        '{notebook: clean.ipynb, params: {day: "{{ run_date }}", n: "{{ 1 + 1 }}", names: ["{{ run_date }}", 5]}}',
        "{notebook: open.ipynb, params: {x: 1, y: 2}}",
        "{notebook: plain.ipynb}",
        "{notebook: julia.ipynb, kernel: bash}",
        "{notebook: none.ipynb, pool: warehouse, pool_slots: 2}",
    ],
)
def test_takes_what_exists(keys: str) -> None:
    pipeline, problems = check(f"name: p\ntasks:\n  a: {keys}\n", around=AROUND)
    assert problems == []
    assert pipeline is not None


def test_checks_nothing_that_is_not_known() -> None:
    text = "name: p\nalerts: {on_failure: x}\ntasks:\n  a: {notebook: x.ipynb, pool: x, kernel: x, params: {x: 1}}\n"
    assert check(text)[1] == []


def test_reads_nothing_outside_the_project() -> None:
    text = "name: p\ntasks: {a: {notebook: ../a.ipynb}, b: {notebook: /b.ipynb}, c: {notebook: c.py}}\n"
    asked: list[str] = []
    _, problems = check(text, around=Surroundings(notebooks=lambda path: asked.append(path) or NOTEBOOKS["none.ipynb"]))
    assert (asked, len(problems)) == ([], 3)


def test_names_no_kernels_where_there_are_none() -> None:
    _, problems = check("name: p\ntasks: {a: {notebook: none.ipynb, kernel: x}}\n", around=Surroundings(kernels=()))
    assert [problem.hint for problem in problems] == ["There is none at all."]
