"""Templates that a parameter of a task can be given: what runs know of themselves, and what other tasks report."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from nbflow.model import Pipeline
from nbflow.params.names import NAMES
from nbflow_app.visit import Visit

_OUTPUT = re.compile(r"tasks\.([a-z][a-z0-9_]*)\.outputs\.(\w+)")
_PLAIN = ("run_date", "logical_date")


def templates(visit: Visit, plan: Pipeline | None, text: str, ups: Collection[str]) -> Iterator[str]:
    """Those of a task that runs after `ups`; their values by the names that the last run or the text has for them."""
    yield from (f"{{{{ {name} }}}}" for name in _PLAIN)
    yield from (f"{{{{ {name}.{each} }}}}" for name, inner in NAMES.items() for each in inner or ())
    if plan is None:
        return
    yield from (f"{{{{ params.{name} }}}}" for name in plan.params)
    known = dict.fromkeys([*_reported(visit), *_OUTPUT.findall(text)])
    yield from (f"{{{{ tasks.{task}.outputs.{name} }}}}" for task, name in known if task in ups)
    yield from (f"{{{{ tasks.{task}.state }}}}" for task in ups)


def _reported(visit: Visit) -> Iterator[tuple[str, str]]:
    for run in visit.api.runs(visit.part("pipeline"), None, 1):
        for key, task in visit.api.status(run.id).tasks.items():
            yield from ((key.task, name) for name in task.outputs)
