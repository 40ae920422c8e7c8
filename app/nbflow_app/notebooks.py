"""Executed notebooks for the pages: the renderer, with the addresses of this server in what it makes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import nbformat

from nbflow.api import LogView
from nbflow.errors import NotFound
from nbflow.notebooks import render
from nbflow.notebooks.following import Following
from nbflow.notebooks.render import Fragment, Libraries, Links
from nbflow.ports import Happened
from nbflow.run import Attempt, Run
from nbflow.states import in_words
from nbflow.text import took
from nbflow_app.frame import Frame

BOKEH = ("bokeh.min.js", "bokeh-widgets.min.js", "bokeh-tables.min.js")


class Notebooks:
    """What the pages of attempts show. `plotly` is the script that draws its figures, where there is one."""

    def __init__(self, frame: Frame, plotly: Path | None = None) -> None:
        self._frame, self._plotly = frame, plotly

    def fragments(self, log: LogView, address: str) -> Sequence[Fragment]:
        """The cells; their outputs link to what lies below `address`, that of the attempt."""
        return render.fragments(log.notebook, self._links(address))

    def watch(self, log: LogView, address: str, read: Callable[[int], Happened]) -> Watched:
        """The cells of an attempt that runs; `read` gives its events behind a place."""
        return Watched(Following(log.notebook), self._links(address), read)

    def _links(self, address: str) -> Links:
        return Links(
            whole=lambda key, place: self._frame.url(f"{address}/whole", key, str(place)),
            frame=lambda key, place: self._frame.url(f"{address}/frame", key, str(place)),
        )

    def folded(self, fragments: Sequence[Fragment], failing: int | None) -> str:
        """The cells as one; those above the failing one are folded away."""
        return render.folded(fragments, render.key_of(failing) if failing else None)

    def banner(self, attempt: Attempt) -> str:
        return render.banner_html(attempt)

    def document(self, run: Run, log: LogView) -> str:
        """The notebook as one HTML file that needs nothing else."""
        attempt = log.attempt
        facts = {
            "state": in_words(attempt.state),
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
        version = {"v": self._plotly.stat().st_mtime_ns} if self._plotly else {}
        plotly = (self._frame.url("/assets", self._plotly.name, **version),) if self._plotly else ()
        return Libraries(plotly=plotly, bokeh=tuple(self._frame.url(f"/static/js/{name}") for name in BOKEH))


class Watched:
    """The cells of an attempt that runs, as far as its events were read."""

    def __init__(self, following: Following, links: Links, read: Callable[[int], Happened]) -> None:
        self._following, self._links, self._read = following, links, read
        self._changed: dict[int | None, int] = {}
        """Cell → how far was read when it changed last."""
        self.upto = 0

    def read(self) -> Mapping[str, str]:
        """What happened since the last call: the cells that look different now, by element id."""
        happened = self._read(self.upto)
        changed, self.upto = self._following.apply(happened.events), happened.upto
        self._changed |= dict.fromkeys(changed, self.upto)
        return self._html(changed)

    def since(self, upto: int) -> Mapping[str, str]:
        """The cells that look different from when it was read up to there."""
        return self._html([number for number, at in self._changed.items() if at > upto])

    def fragments(self) -> Sequence[Fragment]:
        """All cells."""
        return render.fragments(self._following.notebook, self._links)

    def _html(self, numbers: Collection[int | None]) -> Mapping[str, str]:
        if not numbers:
            return {}
        return {each.key: each.html for each in render.fragments(self._following.notebook, self._links, numbers)}
