"""Parameters as Python source: what an analyst reads, and what Python makes of it."""

from __future__ import annotations

import ast
import copy
import json
import math
from typing import Any

import pytest
from papermill.translators import papermill_translators

from nbflow.errors import InvalidInput
from nbflow.model import Param
from nbflow.notebooks import parameters
from nbflow.notebooks.parameters import Translator, typed


def injected(values: dict[str, Any], **types: str) -> str:
    declared = [Param(name=name, type=kind) for name, kind in types.items()]
    return Translator.codify(typed(values, declared))


def run(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(source, names)
    return names


@pytest.mark.parametrize(
    ("annotation", "value", "source"),
    [
        ("date", "2026-04-01", 'from datetime import date\n\nx = date.fromisoformat("2026-04-01")\n'),
        ("date | None", "2026-04-01", 'from datetime import date\n\nx = date.fromisoformat("2026-04-01")\n'),
        ("Optional[datetime.date]", "20260401", 'import datetime\n\nx = datetime.date.fromisoformat("2026-04-01")\n'),
        ('"date"', "2026-04-01", 'from datetime import date\n\nx = date.fromisoformat("2026-04-01")\n'),
        (
            "datetime", "2026-04-01T07:00:00Z",
            'from datetime import datetime\n\nx = datetime.fromisoformat("2026-04-01T07:00:00+00:00")\n',
        ),
        (
            "datetime.datetime", "2026-04-01",
            'import datetime\n\nx = datetime.datetime.fromisoformat("2026-04-01T00:00:00")\n',
        ),
        ("dt.date", "2026-04-01", 'x = dt.date.fromisoformat("2026-04-01")\n'),
        ("date | None", None, "x = None\n"),
        ("date | str", "today", 'x = "today"\n'),
        ("date | datetime", "2026-04-01T07:00",
         'from datetime import datetime\n\nx = datetime.fromisoformat("2026-04-01T07:00:00")\n'),
        ("str", "2026-04-01", 'x = "2026-04-01"\n'),
        ("", "2026-04-01", 'x = "2026-04-01"\n'),
        ("list[date]", ["2026-04-01"], 'x = ["2026-04-01"]\n'),
        ("mandate", "2026-04-01", 'x = "2026-04-01"\n'),
    ],
)  # fmt: skip
def test_dates(annotation: str, value: Any, source: str) -> None:
    assert injected({"x": value}, x=annotation) == f"# Parameters\n{source}"


def test_one_import_for_all_of_a_kind() -> None:
    source = injected({"a": "2026-04-01", "n": 1, "b": "2026-04-02"}, a="date", b="date")
    assert source.count("import") == 1
    names = run(source)
    assert (names["b"] - names["a"]).days == 1


@pytest.mark.parametrize("value", ["yesterday", "2026-13-01", "2026-04-01T07:00:00"])
def test_no_date(value: str) -> None:
    with pytest.raises(InvalidInput, match=f"the parameter 'x' is to be a date, and '{value}' is none"):
        typed({"x": value}, [Param(name="x", type="date")])


def test_everything_else_is_papermills() -> None:
    values = {
        "big": 2**200, "minus": -1, "flag": False, "nothing": None, "inf": float("-inf"), "tiny": 1e-300,
        "text": 'a"b\\c {d}\n\u20ac', "nested": {"a b": [1, {"c": None}], "d": [True, float("inf")]},
    }  # fmt: skip
    names = run(injected(values))
    assert {name: names[name] for name in values} == values
    assert math.isnan(run(injected({"x": float("nan")}))["x"])


@pytest.mark.parametrize(
    ("value", "source"),
    [
        ("Köln", '"Köln"'),
        ("مبيعات", '"مبيعات"'),
        ("売上 😀", '"売上 😀"'),
        ('a "b" \\ \n \u202e \x00 ü', '"a \\"b\\" \\\\ \\n \\u202e \\x00 ü"'),
    ],
)
def test_a_text_stays_readable(value: str, source: str) -> None:
    for given in (value, {"in": [value]}):
        said = Translator.translate(given)
        assert ast.literal_eval(said) == given
        assert source in said


def test_a_moment_is_still_its_text() -> None:
    moment = typed({"x": "2026-04-01"}, [Param(name="x", type="date")])["x"]
    assert json.dumps(moment) == '"2026-04-01"'
    assert copy.deepcopy(moment).expression == moment.expression


def test_papermill_finds_it() -> None:
    parameters.register()
    assert papermill_translators.find_translator("python3", "python") is Translator
