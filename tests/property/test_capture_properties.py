"""Whatever a kernel sends, and whenever its events are written: a reader of the events sees what the notebook shows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from nbflow.notebooks import capture
from nbflow.notebooks.capture import CellCapture
from nbflow.notebooks.mask import Mask
from nbflow.notebooks.outputs import Replay, StreamOutput, overwrite
from nbflow.notebooks.spill import Spill

pieces = st.text("ab\r\n", max_size=6)
names = st.sampled_from(["stdout", "stderr"])
ids = st.sampled_from(["x", "y"])
data = st.dictionaries(st.sampled_from(["text/plain", "text/html"]), st.text("abc", max_size=30), max_size=2)

Step = Callable[[CellCapture], Any]


def show(bundle: dict[str, str], display_id: str | None) -> Step:
    fields = {"output_type": "display_data", "data": bundle, "metadata": {}}
    return lambda cell: cell.show(fields, display_id)


steps = st.one_of(
    st.builds(lambda name, text: lambda cell: cell.stream(name, text), names, pieces),
    st.builds(show, data, st.none() | ids),
    st.builds(lambda bundle, to: lambda cell: cell.update(to, bundle, {}), data, ids),
    st.builds(lambda wait: lambda cell: cell.clear(wait), st.booleans()),
    st.builds(lambda text: lambda cell: cell.error("Error", text, [text]), pieces),
    st.just(lambda cell: cell.finish()),
    st.just("tell"),
)


@given(st.lists(steps, max_size=30))
def test_events_tell_what_the_notebook_shows(script: list[Any]) -> None:
    replay = Replay()
    caps = patch.multiple(capture, LARGEST=60, MOST=4, LOWEST_ROOM=10)
    with tempfile.TemporaryDirectory() as folder, caps:
        cell = CellCapture(1, Mask(["abba"]), Spill(Path(folder) / "outputs", 1))
        for step in [*script, "tell"]:
            if step == "tell":
                replay.apply_all(cell.news())
                assert replay.cells[1].to_nbformat() == cell.outputs.to_nbformat()
            else:
                step(cell)
        cell.finish()


@given(st.lists(pieces, max_size=10), st.integers(0, 10))
def test_pieces_may_be_joined_at_any_point(script: list[str], at: int) -> None:
    one, two = StreamOutput("stdout"), StreamOutput("stdout")
    for piece in script:
        one.add(piece)
    two.add("".join(script[:at]))
    two.add(overwrite("".join(script[at:]), continues=True))
    assert two.text == one.text
    assert two.size == one.size == len(one.text)
