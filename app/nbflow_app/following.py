"""How a run stands, as JSON: what the editor's canvas colours its tasks by."""

from __future__ import annotations

from typing import Any

from nbflow_app.handlers import JsonHandler
from nbflow_app.pages.run import run_of
from nbflow_app.pages.taskrows import TaskRow, done_text, task_rows
from nbflow_app.visit import Visit


class StatesHandler(JsonHandler):
    """`/pipelines/P/runs/R/states`, for everybody who may read."""

    async def get(self, **parts: str) -> None:
        visit = self.visit(parts)
        await self.answer(self.site.reading, lambda: states(visit))


def states(visit: Visit) -> dict[str, Any]:
    """Raises NotFound."""
    seen = visit.api.latest_change()  # before it: told twice is better than never
    view = run_of(visit)
    whys = visit.api.whys(view.stored, zone=visit.zone)
    rows = task_rows(visit, view, whys)
    return {
        "seen": seen,
        "state": view.run.state,
        "held_up": whys.held_up,
        "is_over": view.run.state.is_terminal,
        "done": done_text([row.state for row in rows]),
        "tasks": {row.address: _task(row) for row in rows},
    }


def _task(row: TaskRow) -> dict[str, str]:
    return {"state": row.state, "took": row.progress or row.took.striptags(), "why": row.said, "log": row.log}
