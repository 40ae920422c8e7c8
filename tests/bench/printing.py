"""How soon a line that a cell prints has reached the pages that watch the attempt, and what that costs the app.

Real: kernel, runner, scheduler and app. What a browser then takes to paint is not part of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import nbformat
import psutil
from nbformat.v4 import new_code_cell, new_notebook
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

PORT = 5988
SOURCE = """\
import time
for number in range({lines}):
    time.sleep({pace})
    print(f"line {{number}} at {{time.time():.6f}}")
"""
MANIFEST = "name: talk\ntasks: {say: {notebook: say.ipynb}}\n"
LINE = re.compile(r"line (\d+) at (\d+\.\d+)")


def make_project(folder: Path, lines: int, pace: float) -> None:
    place = folder / "notebooks" / "talk"
    place.mkdir(parents=True)
    (place / "pipeline.yaml").write_text(MANIFEST)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [new_code_cell(SOURCE.format(lines=lines, pace=pace))]
    nbformat.write(new_notebook(cells=cells, metadata=kernel), place / "say.ipynb")


async def listen(cookie: str, attempt: str, lines: int, delays: dict[int, float], messages: list[float]) -> None:
    headers = {"Cookie": cookie, "Origin": f"http://127.0.0.1:{PORT}"}
    request = HTTPRequest(f"ws://127.0.0.1:{PORT}/live?watch=attempt:{attempt}", headers=headers)
    socket = await websocket_connect(request)
    while len(delays) < lines and (message := await socket.read_message()):
        now, told = time.time(), json.loads(message)
        messages.append(now)
        for number, at in LINE.findall(told["parts"].get("c1", "")):
            delays.setdefault(int(number), now - float(at))


async def measure(cookie: str, attempt: str, viewers: int, lines: int, app: psutil.Process) -> None:
    heard = [(dict[int, float](), list[float]()) for _ in range(viewers)]
    began, busy = time.perf_counter(), app.cpu_times()
    await asyncio.gather(*(listen(cookie, attempt, lines, *each) for each in heard))
    took, used = time.perf_counter() - began, app.cpu_times()
    delays = sorted(1000 * delay for each, _ in heard for delay in each.values())
    fastest = min(min(b - a for a, b in pairwise(told)) for _, told in heard)
    share = (used.user + used.system - busy.user - busy.system) / took
    print(f"{len(delays)} lines told: p50 {statistics.median(delays):.0f} ms, ", end="")
    print(f"p95 {delays[int(len(delays) * 0.95)]:.0f} ms, worst {delays[-1]:.0f} ms; ", end="")
    print(f"two messages at least {1000 * fastest:.0f} ms apart; {share:.0%} of a core")


@contextmanager
def serving(command: list[str], **about: Any) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, **about) as process:
        try:
            yield process
        finally:
            process.terminate()


def wait_for_attempt(browser: httpx.Client) -> str:
    while True:
        runs = browser.get("/api/v1/runs").json()["runs"]
        if runs and runs[0]["state"] == "running":
            return f"{runs[0]['id']}/say/1"
        time.sleep(0.1)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--viewers", type=int, default=5)
    options.add_argument("--lines", type=int, default=60)
    options.add_argument("--pace", type=float, default=0.53)
    chosen = options.parse_args()
    nbflow = [sys.executable, "-m", "nbflow"]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        make_project(Path(folder), chosen.lines, chosen.pace)
        quiet = {"cwd": folder, "stderr": subprocess.DEVNULL}
        running.enter_context(serving([*nbflow, "scheduler"], **quiet))
        command = [*nbflow, "app", "--port", str(PORT)]
        app = running.enter_context(serving(command, cwd=folder, stderr=subprocess.PIPE, text=True))
        assert app.stderr is not None
        link = next(found[0] for line in app.stderr if (found := re.search(r"http://\S+?token=\w+", line)))
        cookies = httpx.get(link).cookies
        cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
        subprocess.run([*nbflow, "trigger", "talk"], cwd=folder, check=True, capture_output=True)
        with httpx.Client(base_url=f"http://127.0.0.1:{PORT}", headers={"Cookie": cookie}) as browser:
            attempt = wait_for_attempt(browser)
        print(f"{chosen.viewers} viewers, a line every {chosen.pace} s: ", end="", flush=True)
        asyncio.run(measure(cookie, attempt, chosen.viewers, chosen.lines, psutil.Process(app.pid)))


if __name__ == "__main__":
    main()
