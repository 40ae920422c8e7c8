"""`from nbflow import task`: what it says, and what it says when it cannot; and how the runner reads it."""

from __future__ import annotations

import ast
import datetime
import pathlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy
import pandas
import pytest

from nbflow import task
from nbflow.notebooks import messages
from nbflow.notebooks.messages import Output, Refused, Skip, parse


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is displayed in a kernel."""
    shown: list[dict[str, Any]] = []
    publisher = SimpleNamespace(publish=shown.append)
    shell = SimpleNamespace(configurables=[object(), publisher], display_pub_class=SimpleNamespace, display_pub=None)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    return shown


@pytest.mark.parametrize(
    ("value", "kept", "shown"),
    [
        (1234, 1234, "1234"),
        ({"a": [1.5, None, True, "ü"]}, {"a": [1.5, None, True, "ü"]}, None),
        (numpy.int64(3), 3, "3"),
        (numpy.float32(0.5), 0.5, "0.5"),
        (datetime.date(2026, 4, 1), "2026-04-01", '"2026-04-01"'),
        (pathlib.PurePosixPath("a/b"), "a/b", '"a/b"'),
        ("x" * 60_000, "x" * 60_000, None),
    ],
)
def test_a_value_is_reported(sent: list[dict[str, Any]], value: Any, kept: Any, shown: str | None) -> None:
    task.output("rows", value)
    (data,) = sent
    assert parse(data[messages.MIME]) == Output("rows", kept)
    assert len(data["text/plain"]) < 300
    if shown is not None:
        assert data["text/plain"] == f"rows = {shown}"


@pytest.mark.parametrize(
    ("name", "value", "kind", "complaint"),
    [
        ("row count", 1, ValueError, "must be an identifier such as row_count, not 'row count'"),
        (3, 1, ValueError, "must be an identifier"),
        ("rows", object(), TypeError, "the value of 'rows' cannot be reported: type object is no JSON"),
        ("rows", {1, 2}, TypeError, "type set is no JSON"),
        ("rows", numpy.arange(3), TypeError, "type ndarray is no JSON"),
        ("rows", pandas.NaT, TypeError, "type NaTType is no JSON"),
        ("rows", float("nan"), ValueError, "JSON cannot hold it"),
        ("rows", "x" * 65_535, ValueError, "has 65,537 bytes of JSON, and at most 65,536"),
    ],
)
def test_values_that_cannot_be_reported(
    sent: list[dict[str, Any]], name: Any, value: Any, kind: type[Exception], complaint: str
) -> None:
    with pytest.raises(kind, match=complaint):
        task.output(name, value)
    assert sent == []


def test_skipping(sent: list[dict[str, Any]]) -> None:
    with pytest.raises(task.Skipped, match="nothing new") as skipped:
        task.skip("nothing new")
    assert parse(sent[0][messages.MIME]) == Skip("nothing new")
    assert not isinstance(skipped.value, Exception)
    assert type(skipped.value).__name__ == messages.SKIPPED
    assert skipped.value._render_traceback_() == ["Skipped: nothing new"]


def test_outside_a_kernel_a_line_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    monkeypatch.delenv("NBFLOW_TASK", raising=False)
    task.output("rows", 3)
    with pytest.raises(task.Skipped):
        task.skip()
    assert capsys.readouterr().out == "rows = 3\nskipped\n"


def test_it_needs_nothing_but_python() -> None:
    tree = ast.parse(Path(task.__file__).read_text())
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= set(sys.stdlib_module_names)
    assert (task.MIME, task.LARGEST) == (messages.MIME, messages.LARGEST)


# --- the runner's side: any language can send anything ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"type": "output", "name": "rows", "value": None}, Output("rows", None)),
        ('{"type": "output", "name": "rows", "value": [1]}', Output("rows", [1])),
        ({"type": "output", "name": "größe", "value": 1, "more": 2}, Output("größe", 1)),
        ({"type": "skip"}, Skip("")),
        ({"type": "skip", "reason": 3}, Skip("3")),
        ({"type": "skip", "reason": "x" * 5000}, Skip("x" * 1000)),
    ],
)
def test_messages(data: Any, message: messages.Message) -> None:
    assert parse(data) == message


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("no json", "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ([1], 'no object with a "type"'),
        (None, 'no object with a "type"'),
        ({"kind": "output"}, 'no object with a "type"'),
        ({"type": "progress", "value": 3}, "knows the types output and skip, not 'progress'"),
        ({"type": ["x"] * 1000}, "knows the types"),
        ({"type": "output", "name": "rows"}, "needs a name"),
        ({"type": "output", "name": 3, "value": 1}, "needs a name"),
        ({"type": "output", "name": "a b", "value": 1}, "no identifier"),
        ({"type": "output", "name": "x" * 101, "value": 1}, "no identifier"),
        ({"type": "output", "name": "rows", "value": "x" * 70_000}, "70,002 bytes"),
        ({"type": "output", "name": "rows", "value": [float("inf")]}, "NaN or infinite"),
    ],
)
def test_messages_that_cannot_be_used(data: Any, why: str) -> None:
    message = parse(data)
    assert isinstance(message, Refused)
    assert why in message.why
    assert len(message.why) < 300
