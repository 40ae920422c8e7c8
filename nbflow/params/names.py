"""What a template may name, and what it then sees. Of Jinja it knows only how that says that nothing is there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from jinja2.runtime import Undefined

from nbflow.run import Run

NAMES: dict[str, tuple[str, ...] | None] = {
    "run_date": None,
    "logical_date": None,
    "data_interval": ("start", "end"),
    "run": ("id", "kind"),
    "pipeline": ("name",),
    "params": None,
    "tasks": None,
    "env": None,
    "item": None,
}
"""What a template may name, and of a fixed namespace its names."""

TASK_NAMES = ("outputs", "state")
"""What a task has, in a template."""

NAME_SENTENCES: dict[str, str] = {
    "run_date": "The date that the run is for, in the schedule's zone: `2026-04-01`.",
    "logical_date": "The instant that the run is for: the tick of the schedule, with its offset.",
    "data_interval.start": "The tick before that one. Without a schedule the same instant.",
    "data_interval.end": "The tick itself.",
    "run.id": "The run's id.",
    "run.kind": "`scheduled`, `manual` or `backfill`.",
    "pipeline.name": "The pipeline's name.",
    "params.NAME": "A parameter of the run.",
    "tasks.TASK.outputs.NAME": "A value that a task before this one reported.",
    "tasks.TASK.state": "How a task before this one ended: `success`, `failed`, `skipped` …",
    "env.NAME": "A variable of nbflow's environment, if `templates.env` of `nbflow.toml` names it.",
}

_NO_ITEM = object()
_MOST_ITEMS = 2**20


class Names(Mapping[str, Any]):
    """Values by name. A template sees only those, and none of a mapping's methods: `outputs.items` is a value."""

    __slots__ = ("_missing", "_values")

    def __init__(self, values: Mapping[str, Any], missing: str) -> None:
        self._values = values
        self._missing = missing

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __str__(self) -> str:
        return json.dumps(as_json(self), ensure_ascii=False)

    def lacks(self, name: object) -> str:
        return f"{self._missing} '{name}'; {listed(self)}"


def context(
    run: Run,
    *,
    upstream: Mapping[str, tuple[str, Mapping[str, Any]]],
    env: Mapping[str, str] | None = None,
    item: Any = _NO_ITEM,
) -> Mapping[str, Any]:
    """What the templates of one task run may name.

    `upstream` has the state and the reported values of each upstream task; `env` what nbflow.toml allows of the
    environment; `item` the item of a `for_each`.
    """
    tasks = {
        name: Names(
            {"outputs": Names(outputs, f"task '{name}' reported no value"), "state": str(state)},
            f"tasks.{name} has no",
        )
        for name, (state, outputs) in upstream.items()
    }
    names: dict[str, Any] = {
        "run_date": run.run_date.isoformat(),
        "logical_date": run.logical_date.isoformat(),
        "data_interval": _fixed("data_interval", run.interval.start.isoformat(), run.interval.end.isoformat()),
        "run": _fixed("run", run.id, run.kind.value),
        "pipeline": _fixed("pipeline", run.pipeline),
        "params": Names(run.params, "there is no parameter"),
        "tasks": Names(tasks, "there is no upstream task"),
        "env": Names(env or {}, "no environment variable is allowed by the name"),
    }
    return names if item is _NO_ITEM else {**names, "item": item}


def _fixed(name: str, *values: str) -> Names:
    return Names(dict(zip(NAMES[name] or (), values, strict=True)), f"{name} has no")


def listed(names: Iterable[str]) -> str:
    listed = ", ".join(islice(names, 20))
    return f"there are: {listed}" if listed else "there are none"


def as_json(value: Any) -> Any:
    """The value a template gave, as JSON. Raises TypeError, and jinja2's UndefinedError for what does not exist."""
    match value:
        case Undefined():
            return str(value)  # raises, with what is missing
        case None | bool() | int() | float():
            return value
        case str():
            return str(value)
        case Mapping():
            return {str(name): as_json(each) for name, each in value.items()}
        case Iterable():
            return [as_json(each) for each in islice(value, _MOST_ITEMS)]
        case _:
            kind = "a function" if callable(value) else type(value).__name__
            raise TypeError(f"it gives {kind}, which is no JSON value")
