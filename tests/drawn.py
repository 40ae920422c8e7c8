"""A drawing by itself: a file with a plot of Bokeh's in it, in a browser in which nothing may go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page


@contextmanager
def drawn(browser: Browser, file: Path, *, width: int, height: int, color_scheme: str) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=color_scheme)
    page.set_default_timeout(60_000)
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(file.as_uri())
    page.wait_for_function("window.Bokeh?.documents[0]?.is_idle")
    yield page
    page.close()
    assert faults == []
