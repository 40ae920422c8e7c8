"""A project that is served as people serve it, by `nbflow up`, and browsers that look at it and forgive nothing."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from making import PATIENCE, Project, eventually, free_port
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request


class Up:
    """`nbflow up` in a project."""

    def __init__(self, folder: Path) -> None:
        self.project, self.port = Project(folder, NBFLOW_KERNELS_IDLE="60s"), free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = self.project.spawn("up", "--port", str(self.port))
        self.link = str(eventually(self.link_told))

    def link_told(self) -> str | None:
        said = (self.project.folder / "nbflow.stderr").read_text()
        found = re.search(r"open (http://\S+token=\w+)", said)
        return found[1] if found else None

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(PATIENCE)
            self._process = None

    def run_of(self, pipeline: str) -> str:
        """The id of its newest run; it runs once if it never did."""
        if not self.project.json("runs", pipeline, "--limit", "1")["runs"]:
            self.project.nbflow("run", pipeline)
        return str(self.project.json("runs", pipeline, "--limit", "1")["runs"][0]["id"])


class Eyes:
    """One person's browser. Errors of the console, and requests that leave this machine, are kept for the test."""

    def __init__(self, up: Up, context: BrowserContext) -> None:
        self.up, self.context = up, context
        self.faults: list[str] = []
        self.page = self._new_page()
        self.page.goto(up.link)

    def _new_page(self) -> Page:
        page = self.context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("request", self._asked)
        page.set_default_timeout(60_000)
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"} and parts.hostname != "127.0.0.1":
            self.faults.append(f"it asked for {request.url}")

    def go(self, path: str) -> Page:
        self.page.goto(self.up.base + path)
        return self.page


@contextmanager
def person(up: Up, browser: Browser, **about: Any) -> Iterator[Eyes]:
    """Somebody who has opened the link."""
    settings = {"viewport": {"width": 1440, "height": 900}, "timezone_id": "Europe/Berlin", **about}
    context = browser.new_context(**settings)
    eyes = Eyes(up, context)
    try:
        yield eyes
    finally:
        context.close()
