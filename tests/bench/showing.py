"""How soon large executed notebooks are on the screen, what the sessions of drawings weigh, and how long they stay.

The app runs in this process over a store in dicts, Chromium beside it; notebooks are read from real files.
"""

from __future__ import annotations

import asyncio
import gc
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from app_server import Running, served
from app_world import World
from cli_world import executed, printed, ran
from nbformat.v4 import new_output
from playwright.sync_api import Browser, sync_playwright

from nbflow.notebooks.logs import FolderLogs
from nbflow.run import Run

LINES = "2026-11-26 12:00:00 INFO one more line of a log\n" * 20_000
TABLE = "<table>" + "<tr><td>1</td><td>north</td></tr>" * 30_000 + "</table>"
NOTEBOOKS = {
    "200 cells": [ran("x = load()\nx.head()", printed("12 rows\n")) for _ in range(200)],
    "20 MB of text": [ran("print(log)", printed(LINES)) for _ in range(20)],
    "20 MB of tables": [ran("table", new_output("display_data", data={"text/html": TABLE})) for _ in range(20)],
}


def save(world: World, run: Run, cells: list[Any]) -> None:
    logs = FolderLogs(world.folder / "runs")
    folder = logs.folder(f"{run.id}/clean/1", run.pipeline)  # type: ignore[arg-type]
    folder.mkdir(parents=True)
    nbformat.write(executed(*cells), folder / "notebook.ipynb")
    world.logs = logs  # type: ignore[assignment]


def show(browser: Browser, running: Running, run: Run) -> tuple[float, float]:
    """Milliseconds of the server until the page was there, and of everything until the first cell could be seen."""
    cookie = {"name": running.entry.cookie, "value": running.entry.cookie_value, "url": running.base}
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_cookies([cookie])  # type: ignore[list-item]
    page = context.new_page()
    page.goto(f"{running.base}/runs")
    busy, began = time.process_time(), time.perf_counter()
    page.goto(f"{running.base}/pipelines/{run.pipeline}/runs/{run.id}/tasks/clean/1", wait_until="commit")
    page.locator("#c1").wait_for()
    seen, used = time.perf_counter() - began, time.process_time() - busy
    context.close()
    return 1000 * used, 1000 * seen


def sessions(running: Running) -> int:
    app = running.app.server._tornado
    return sum(len(app.get_sessions(path)) for path in app.app_paths)


def watch(browser: Browser, running: Running, run: Run, viewers: int) -> None:
    """Opens the page of a run often, and closes all at once."""
    process = psutil.Process()
    gc.collect()
    before = process.memory_info().rss
    context = browser.new_context()
    cookie = {"name": running.entry.cookie, "value": running.entry.cookie_value, "url": running.base}
    context.add_cookies([cookie])  # type: ignore[list-item]
    for _ in range(viewers):
        page = context.new_page()
        page.goto(f"{running.base}/pipelines/{run.pipeline}/runs/{run.id}")
        page.locator("#graph canvas").first.wait_for()
        page.locator("#times canvas").first.wait_for()
    open_now = sessions(running)
    gc.collect()
    grown = (process.memory_info().rss - before) / open_now / 1e6
    context.close()
    closed = time.perf_counter()
    while sessions(running):
        time.sleep(0.2)
    print(f"{open_now} sessions of a small run, {grown:.2f} MB each; ", end="")
    print(f"the last one was freed {time.perf_counter() - closed:.0f} s after the windows were closed")


def browsers() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])


def main() -> None:
    for browser in browsers():
        for name, cells in NOTEBOOKS.items():
            with tempfile.TemporaryDirectory() as folder:
                world = World(Path(folder))
                world.pipeline()
                run = world.run()
                save(world, run, cells)
                with served(world) as running:
                    used, seen = map(min, zip(*(show(browser, running, run) for _ in range(3)), strict=True))
                print(f"{name:16} {used:5.0f} ms of CPU in the server, {seen:5.0f} ms until a cell is seen")
        with tempfile.TemporaryDirectory() as folder:
            world = World(Path(folder))
            world.pipeline()
            run = world.run()
            with served(world) as running:
                watch(browser, running, run, viewers=10)
        browser.close()


if __name__ == "__main__":
    asyncio.set_event_loop(None)
    main()
