"""What a widget shows, as text, from the states that the kernel told. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from typing import Any

from nbflow.notebooks.texts import plain_text

VIEW = "application/vnd.jupyter.widget-view+json"
"""The representation by which a display says which widget stands there."""

LONGEST = 20_000
"""Characters of a widget's text, the last ones."""

WIDTH = 10
"""Characters of a bar."""

_CHILD = "IPY_MODEL_"
_TAG = re.compile(r"<[^>]*>")

States = Mapping[str, Mapping[str, Any]]


def shown(model: str, states: States) -> str | None:
    """None for a widget that is not known, or has no text. May raise anything where a state is malformed."""
    return _text(model, states, set())[-LONGEST:] or None


def _text(model: str, states: States, seen: set[str]) -> str:
    """Each widget is looked at once, so that one which contains itself has an end."""
    if model in seen:
        return ""
    seen.add(model)
    state = states.get(model, {})
    kind = str(state.get("_model_name", "")).removesuffix("Model")
    value, name = state.get("value"), str(state.get("description") or "")
    if "children" in state:
        inside = (_text(child.removeprefix(_CHILD), states, seen) for child in state["children"])
        text = (" " if kind == "HBox" else "\n").join(filter(None, inside))
    elif kind == "Output":
        text = "".join(map(plain_text, state.get("outputs", ())))
    elif kind.endswith("Progress"):
        text = " ".join(filter(None, (name, _bar(state))))
    elif kind in {"HTML", "HTMLMath", "Label"}:
        text = unescape(_TAG.sub("", str(value)))
    else:
        text = f"{name or kind}: {value}" if isinstance(value, str | int | float) else ""
    return text.strip()


def _bar(state: Mapping[str, Any]) -> str:
    least, most, value = (float(state.get(key, 0)) for key in ("min", "max", "value"))
    done = round(WIDTH * min(1.0, max(0.0, (value - least) / (most - least)))) if most > least else 0
    return f"|{'█' * done}{' ' * (WIDTH - done)}|"
