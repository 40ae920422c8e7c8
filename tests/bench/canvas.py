"""The editor's canvas with 300 tasks in headless Chromium: how a drag follows the mouse, a cycle's refusal, a save.

.venv/bin/python tests/bench/canvas.py [TASKS]

A frame is one that Bokeh painted with a place that the mouse had got to; its cost is processor time of the page's
thread, which hardly depends on what else the machine does. A refusal counts from the drop to the frame that says why,
a save from the press of the button to the page that has no change any more.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from app_server import Running, served
from app_world import World
from graphs import etl
from playwright.sync_api import CDPSession, Page, sync_playwright

SECONDS = 4.0
REFUSALS = 21

WATCH = """
const {canvas} = nbflow, {view, board} = canvas
window.frames = []
const paint = view._actual_paint.bind(view)
let shown = ""
view._actual_paint = () => {
  paint()
  const now = String(Object.values(board.has(canvas.names[0]) ? board.place(canvas.names[0]) : {}))
  if (now !== shown) frames.push(performance.now())
  shown = now
}
window.at = name => {
  const {left, top} = view.canvas_view.events_el.getBoundingClientRect(), {x, y} = board.place(name)
  return [left + view.frame.x_scale.compute(x), top + view.frame.y_scale.compute(y)]
}
window.refusals = []
let dropped = 0
document.addEventListener("pointerup", () => { dropped = performance.now() }, true)
document.addEventListener("nbflow-say", () => {
  requestAnimationFrame(() => setTimeout(() => refusals.push(performance.now() - dropped)))
})
null
"""


def manifest(tasks: int) -> str:
    lines = ["name: big", "tasks:"]
    for name, ups in etl(tasks, seed=3, width=14).items():
        lines += [f"  {name}: {{notebook: n.ipynb, depends_on: [{', '.join(ups)}]}}"]
    return "\n".join([*lines, ""])


def opened(page: Page, running: Running) -> None:
    page.context.add_cookies([{"name": running.entry.cookie, "value": running.entry.cookie_value, "url": running.base}])
    page.goto(f"{running.base}/pipelines/big/edit")
    page.wait_for_function("window.nbflow?.canvas?.sight.width > 0 && nbflow.canvas.sheet")
    page.evaluate(WATCH)
    page.wait_for_timeout(1000)


def drag(page: Page, names: list[str]) -> str:
    """Frames a second while the first of these tasks is drawn in circles, the others with it."""
    page.evaluate("names => { nbflow.canvas.select(names) }", names)
    page.wait_for_timeout(500)
    x, y = page.evaluate("name => at(name)", names[0])
    page.mouse.move(x, y)
    page.mouse.down()
    thread = page.context.new_cdp_session(page)
    thread.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.evaluate("frames.length = 0")
    began = busy(thread)
    ends, step = time.perf_counter() + SECONDS, 0
    while time.perf_counter() < ends:
        step += 1
        page.mouse.move(x + (step * 11) % 260, y + (step * 7) % 170)
    cost = busy(thread) - began
    page.mouse.up()
    frames = page.evaluate("frames")
    gaps = sorted(after - before for before, after in pairwise(frames))
    rate = 1000 * len(gaps) / (frames[-1] - frames[0])
    late = gaps[int(len(gaps) * 0.95)]
    return (
        f"{rate:3.0f} frames a second, 95 % within {late:3.0f} ms, {1000 * cost / len(frames):4.1f} ms of CPU a frame"
    )


def busy(thread: CDPSession) -> float:
    """Seconds that the page's thread has worked."""
    told = thread.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in told if each["name"] == "TaskDuration"))


def refuse(page: Page, up: str, down: str) -> str:
    """Milliseconds from the drop of an edge that would close a cycle to the message."""
    page.get_by_title("Show all tasks").click()
    for _ in range(REFUSALS):
        (x0, y0), (x1, y1) = page.evaluate("name => at(name)", up), page.evaluate("name => at(name)", down)
        port = x0 + 90 * page.evaluate("nbflow.canvas.sight.scale")
        page.mouse.move(port, y0)
        page.mouse.down()
        page.mouse.move((port + x1) / 2, (y0 + y1) / 2, steps=4)
        page.mouse.move(x1, y1, steps=4)
        page.mouse.up()
        page.wait_for_timeout(150)
    taken = page.evaluate("refusals")
    assert len(taken) == REFUSALS, f"{len(taken)} refusals were told"
    return f"median {median(taken):.0f} ms, slowest {max(taken):.0f} ms"


def save(page: Page) -> str:
    page.get_by_role("link", name="Save…").click()
    button = page.get_by_role("dialog").get_by_role("button", name="Save")
    button.wait_for()
    began = time.perf_counter()
    button.click()
    page.locator("#changed").wait_for(state="hidden")
    return f"{1000 * (time.perf_counter() - began):.0f} ms"


def path(tasks: int) -> tuple[str, str]:
    """The two ends of a long way through the graph."""
    graph = etl(tasks, seed=3, width=14)
    end = first = list(graph)[-1]
    while graph[first]:
        first = graph[first][0]
    return end, first


def main() -> None:
    tasks = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    world = World(Path(tempfile.mkdtemp()))
    world.pipeline(manifest(tasks), ("n",))
    chromium: Any = shutil.which("chromium") or shutil.which("google-chrome")
    print(f"{tasks} tasks, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with served(world) as running, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        opened(page, running)
        end, first = path(tasks)
        some = list(etl(tasks, seed=3, width=14))
        print(f"one task dragged:    {drag(page, [end])}")
        print(f"thirty tasks:        {drag(page, some[:30])}")
        page.get_by_title("Show all tasks").click()
        print(f"one, all in sight:   {drag(page, [some[tasks // 2]])}")
        print(f"a cycle is refused:  {refuse(page, end, first)}")
        print(f"a save:              {save(page)}")
        browser.close()


if __name__ == "__main__":
    main()
