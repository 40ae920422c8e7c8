"""`/runs`: the runs of all pipelines, newest first, page by page. The filter is in the address."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TypeVar

from nbflow.errors import InvalidInput
from nbflow.states import RunKind, RunState
from nbflow_app.pages.runrows import KINDS, run_rows
from nbflow_app.visit import Page, Visit

STEP = 50

E = TypeVar("E", bound=StrEnum)


def show(visit: Visit) -> Page:
    """Raises InvalidInput for a state or a kind that is none."""
    chosen = {name: visit.field(name) for name in ("q", "pipeline", "state", "kind")}
    state, kind = _word(RunState, chosen["state"]), _word(RunKind, chosen["kind"])
    runs = visit.api.runs(
        chosen["pipeline"] or None,
        state,
        STEP + 1,
        kind=kind,
        text=chosen["q"],
        before=visit.field("before") or None,
    )
    return Page(
        template="runs.html",
        title="Runs",
        section="runs",
        watch="runs",
        data={
            **chosen,
            "rows": run_rows(visit, runs[:STEP]),
            "pipelines": sorted({view.definition.name for view in visit.api.pipelines() if view.definition.name}),
            "states": list(RunState),
            "kinds": KINDS,
            "counts": visit.api.run_counts(chosen["pipeline"] or None),
            "next": {**chosen, "before": runs[STEP - 1].id} if len(runs) > STEP else None,
            "first": chosen if visit.field("before") else None,
            "is_filtered": any(chosen.values()),
        },
    )


def _word(kind: type[E], text: str) -> E | None:
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        raise InvalidInput(f"no run can be '{text}'", hint=f"There are: {_listed(kind)}.") from None


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
