"""Executed notebooks for the pages: the renderer, with the addresses of this server in what it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import nbformat

from nbflow.api import LogView
from nbflow.errors import NotFound
from nbflow.notebooks import render
from nbflow.notebooks.render import Fragment, Libraries, Links
from nbflow.run import Attempt, Run
from nbflow.text import took
from nbflow_app.frame import Frame

BOKEH = ("bokeh.min.js", "bokeh-widgets.min.js", "bokeh-tables.min.js")


class Notebooks:
    """What the pages of attempts show. `panel` is the folder of Panel's own files, which have the library of Plotly."""

    def __init__(self, frame: Frame, panel: Path) -> None:
        self._frame, self._panel = frame, panel

    def fragments(self, log: LogView, address: str) -> Sequence[Fragment]:
        """The cells; their outputs link to what lies below `address`, that of the attempt."""
        links = Links(
            whole=lambda key, place: self._frame.url(f"{address}/whole", key, str(place)),
            frame=lambda key, place: self._frame.url(f"{address}/frame", key, str(place)),
        )
        return render.fragments(log.notebook, links)

    def folded(self, fragments: Sequence[Fragment], failing: int | None) -> str:
        """The cells as one; those above the failing one are folded away."""
        return render.folded(fragments, render.key_of(failing) if failing else None)

    def banner(self, attempt: Attempt) -> str:
        return render.banner_html(attempt)

    def document(self, run: Run, log: LogView) -> str:
        """The notebook as one HTML file that needs nothing else."""
        attempt = log.attempt
        facts = {
            "state": attempt.state.replace("_", " "),
            "reason": attempt.reason,
            "run": run.id,
            "for": run.run_date.isoformat(),
            "attempt": str(attempt.number),
            "took": took(attempt.started_at, attempt.ended_at),
        }
        title = f"{run.pipeline} / {attempt.key.address}"
        failing = attempt.failing_cell
        return render.page(log.notebook, title=title, state=attempt.state, facts=facts, failing_cell=failing)

    def source(self, log: LogView) -> str:
        """The notebook as a file of Jupyter's."""
        return str(nbformat.writes(log.notebook))

    def whole(self, log: LogView, key: str, place: int) -> tuple[str, bytes]:
        """One output as a file: its media type and its content. Raises NotFound."""
        return render.whole_output(self._outputs(log, key, place)[place])

    def framed(self, log: LogView, key: str, place: int, origin: str) -> tuple[str, str]:
        """One output as a page for a frame, and the policy it must be sent with. Raises NotFound."""
        outputs = self._outputs(log, key, place)
        return render.frame_page(outputs, place, self._libraries), render.frame_policy(origin)

    def _outputs(self, log: LogView, key: str, place: int) -> Sequence[Mapping[str, Any]]:
        for each in render.fragments(log.notebook):
            if each.key == key and place < len(each.cell.outputs):
                return each.cell.outputs
        raise NotFound("there is no such output")

    @cached_property
    def _libraries(self) -> Libraries:
        found = sorted((self._panel / "bundled" / "plotlyplot").glob("plotly-*.min.js"))
        plotly = tuple(self._frame.url(f"/panel/own/dist/bundled/plotlyplot/{path.name}") for path in found[-1:])
        return Libraries(plotly=plotly, bokeh=tuple(self._frame.url(f"/static/js/{name}") for name in BOKEH))
