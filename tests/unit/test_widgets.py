"""Widgets as text: what stands in the log of a notebook that shows its progress in them."""

from __future__ import annotations

from typing import Any

import pytest

from nbflow.notebooks.widgets import LONGEST, shown


def of(kind: str, **state: Any) -> dict[str, Any]:
    return {"_model_name": f"{kind}Model", **state}


BAR = {
    "box": of("HBox", children=["IPY_MODEL_left", "IPY_MODEL_bar", "IPY_MODEL_right"]),
    "left": of("HTML", value="orders: 50%"),
    "bar": of("FloatProgress", value=25.0, min=0.0, max=50.0, description=""),
    "right": of("HTML", value="&nbsp;25/50 [00:01&lt;00:01, <b>20.0</b>it/s]"),
}


def test_a_bar_of_tqdm_is_where_it_is() -> None:
    assert shown("box", BAR) == "orders: 50% |█████     | 25/50 [00:01<00:01, 20.0it/s]"


def test_an_output_widget_shows_what_it_took() -> None:
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": "one\n"},
        {"output_type": "display_data", "data": {"text/plain": "two"}},
        {"output_type": "error", "ename": "E", "evalue": "three", "traceback": ["E: three"]},
    ]
    states = {
        "all": of("VBox", children=["IPY_MODEL_slider", "IPY_MODEL_out", "IPY_MODEL_button", "IPY_MODEL_gone"]),
        "slider": of("IntSlider", value=3, description="x"),
        "out": of("Output", outputs=outputs),
        "button": of("Button", description="go"),
    }
    assert shown("all", states) == "x: 3\none\ntwo\nE: three"


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (of("IntProgress", value=9, min=0, max=10, description="rows"), "rows |█████████ |"),
        (of("IntProgress", value=99, min=0, max=10), "|██████████|"),
        (of("FloatProgress", value=0, min=0, max=0), "|          |"),
        (of("IntSlider", value=3, description=""), "IntSlider: 3"),
        (of("Label", value="  a < b  "), "a < b"),
        (of("Output", outputs=[]), None),
        (of("Button", description="go"), None),
        (of("VBox", children=["IPY_MODEL_it", "IPY_MODEL_it"]), None),
        ({}, None),
    ],
)
def test_others(state: dict[str, Any], text: str | None) -> None:
    assert shown("it", {"it": state}) == text


def test_of_a_long_text_the_end_is_shown() -> None:
    text = shown("it", {"it": of("Label", value="x" * LONGEST + "end")})
    assert text is not None
    assert (len(text), text[-3:]) == (LONGEST, "end")
