"""What an attempt gives beside its page: its notebook or an output as a file, an output that runs in a frame."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from nbflow.api import LogView
from nbflow.model import TaskKey
from nbflow_app.handlers import Handler, Site
from nbflow_app.notebooks import Notebooks
from nbflow_app.pages.attempt import attempt_of
from nbflow_app.pages.run import run_of
from nbflow_app.visit import Visit


class FileHandler(Handler):
    """Finds the attempt that an address names."""

    def initialize(self, site: Site, notebooks: Notebooks) -> None:  # type: ignore[override]
        super().initialize(site)
        self.notebooks = notebooks

    async def in_thread(self, work: Callable[..., Any], *given: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.site.reading, work, *given)

    def log(self, visit: Visit) -> LogView:
        """Raises NotFound."""
        view = run_of(visit)
        attempt = attempt_of(view, TaskKey.parse(visit.part("task")), int(visit.part("number")))
        return visit.api.log(view.run.id, attempt.key.address, attempt.number)

    def send(self, name: str, kind: str, content: bytes | str) -> None:
        """As a download: no browser shows it as a page of ours."""
        self.set_header("Content-Type", kind)
        self.set_header("Content-Disposition", f'attachment; filename="{name}"')
        self.set_header("Content-Security-Policy", "sandbox; default-src 'none'")
        self.finish(content)


class NotebookFileHandler(FileHandler):
    """`….ipynb` and `….html`."""

    async def get(self, **parts: str) -> None:
        visit = self.visit(parts)
        kind, content = await self.in_thread(self._content, visit)
        name = f"{visit.part('run')}-{visit.part('task')}-{visit.part('number')}.{visit.part('kind')}"
        self.send(name, kind, content)

    def _content(self, visit: Visit) -> tuple[str, str]:
        log = self.log(visit)
        if visit.part("kind") == "html":
            return "text/html; charset=utf-8", self.notebooks.document(run_of(visit).run, log)
        return "application/x-ipynb+json", self.notebooks.source(log)


class OutputHandler(FileHandler):
    """One output, whole."""

    async def get(self, **parts: str) -> None:
        visit = self.visit(parts)
        kind, content = await self.in_thread(
            lambda: self.notebooks.whole(self.log(visit), visit.part("cell"), int(visit.part("place")))
        )
        extension = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}.get(kind, "txt")
        self.send(f"{visit.part('task')}-{visit.part('cell')}-{visit.part('place')}.{extension}", kind, content)


class OutputFrameHandler(FileHandler):
    """One output that needs scripts: a page of an origin of its own, which reaches nobody."""

    async def get(self, **parts: str) -> None:
        visit = self.visit(parts)
        origin = f"{self.request.protocol}://{self.request.host}"
        html, policy = await self.in_thread(
            lambda: self.notebooks.framed(self.log(visit), visit.part("cell"), int(visit.part("place")), origin)
        )
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", policy)
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("X-Frame-Options", "SAMEORIGIN")
        self.finish(html)
