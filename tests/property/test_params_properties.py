"""What holds for every value: templates keep it, its text reads back, its duration does too."""

from __future__ import annotations

import json
import string
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbflow import params
from nbflow.errors import InvalidInput
from nbflow.model import DataInterval, Param, PipelineName, RunId
from nbflow.run import Run
from nbflow.scalars import LONGEST, read_duration, write_duration
from nbflow.states import RunKind, RunState

NOW = datetime(2026, 4, 1, 2, tzinfo=UTC)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
names = st.text(string.ascii_letters, min_size=1) | st.sampled_from(
    ["items", "keys", "get", "values", "pop", "_values"]
)


def names_of(given: dict[str, Any], outputs: dict[str, Any]) -> Any:
    run = Run(
        id=RunId("r"),
        pipeline=PipelineName("p"),
        run_key="k",
        kind=RunKind.MANUAL,
        state=RunState.RUNNING,
        manifest="",
        params=given,
        logical_date=NOW,
        run_date=date(2026, 4, 1),
        interval=DataInterval(NOW, NOW),
        created_at=NOW,
    )
    return params.context(run, upstream={"up": ("success", outputs)})


@given(names, json_values)
def test_a_lone_template_keeps_the_value_and_its_type(name: str, value: Any) -> None:
    context = names_of({name: value}, {name: value})
    for template in (f"{{{{ params.{name} }}}}", f"{{{{ tasks.up.outputs['{name}'] }}}}"):
        assert json.dumps(params.resolve(template, context)) == json.dumps(value)


@given(names, json_values)
def test_a_value_in_a_sentence_is_text(name: str, value: Any) -> None:
    assert isinstance(params.resolve(f"= {{{{ params.{name} }}}}", names_of({name: value}, {})), str)


@given(json_values)
def test_what_is_no_template_stays(value: Any) -> None:
    assert params.resolve(value, {}) == value or "{{" in json.dumps(value) or "{%" in json.dumps(value)


@given(st.text(max_size=30))
def test_a_template_gives_json_or_a_reason(inner: str) -> None:
    try:
        value = params.resolve(f"{{{{ {inner} }}}}", names_of({"x": [1]}, {"y": "z"}))
    except InvalidInput:
        return
    json.dumps(value, allow_nan=False)


annotations = st.recursive(
    st.sampled_from(["int", "str", "None", "date", "Any", "Frame", "'int'", "x.y"]),
    lambda inner: (
        st.builds(
            "{}[{}]".format,
            st.sampled_from(["list", "dict", "tuple", "Optional", "Literal", "Union", "q"]),
            inner | st.lists(inner, min_size=1, max_size=3).map(", ".join),
        )
        | st.lists(inner, min_size=2, max_size=3).map(" | ".join)
    ),
    max_leaves=6,
)


@given(annotations | st.text(max_size=20), json_values, st.text(max_size=10))
def test_any_annotation_takes_or_refuses_any_value(annotation: str, value: Any, text: str) -> None:
    param = Param(name="p", type=annotation)
    for attempt in (lambda: params.check(param, value), lambda: params.parse_text(param, text)):
        with suppress(InvalidInput):
            json.dumps(attempt(), allow_nan=False)


@given(json_values)
def test_the_json_of_an_untyped_value_reads_back(value: Any) -> None:
    if isinstance(value, str | list | dict):
        assert params.parse_text(Param(name="p"), json.dumps(value)) == value


@given(st.timedeltas(timedelta(0), LONGEST))
def test_a_duration_reads_back(duration: timedelta) -> None:
    assert read_duration(write_duration(duration)) == duration


@given(st.text(max_size=8).filter(lambda text: not text[:1].isdigit()))
def test_a_duration_begins_with_a_digit(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        read_duration(text)
