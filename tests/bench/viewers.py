"""Twenty people watch a run of a thousand tasks: how soon their pages hear of a change, and what that costs.

The app runs as its own process on SQLite; this process writes changes and listens as the pages do: to the news, and to
the graph and the timeline, which have a session on the server each. What a browser then takes to paint is not part of
it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import httpx
import psutil
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from nbflow.model import TaskKey, TaskName
from nbflow.ports import Lease
from nbflow.run import Change
from nbflow.states import RunState, TaskState
from nbflow.stores.sql import SqlStore
from nbflow.testing.samples import a_frozen, a_run, save, task_runs

PORT = 5987
PACE = 0.5
"""Seconds between two changes."""


def new_run(store: SqlStore, tasks: int) -> Lease:
    frozen = a_frozen(*(f"t{number}" for number in range(tasks)))
    now = datetime.now(UTC)
    run = replace(a_run("watched", frozen), created_at=now, started_at=now, state=RunState.RUNNING)
    lease = Lease(run=run.id, engine="bench", epoch=1, expires=now + timedelta(hours=1))
    assert store.add_run(run, task_runs(frozen), frozen, lease)
    return lease


def change(store: SqlStore, lease: Lease, number: int) -> None:
    """One task goes from waiting to queued."""
    stored = store.load(lease.run)
    key = TaskKey(TaskName(f"t{number}"))
    queued = replace(stored.tasks[key], state=TaskState.QUEUED)
    line = Change(
        at=datetime.now(UTC),
        run=lease.run,
        pipeline=stored.run.pipeline,
        event="task",
        key=key,
        before="waiting",
        after="queued",
    )
    save(store, lease, tasks=[queued], changes=[line])


async def listen(socket: WebSocketClientConnection, heard: dict[str, list[float]]) -> None:
    while message := await socket.read_message():
        for part in json.loads(message)["parts"]:
            heard.setdefault(part, []).append(time.perf_counter())


async def open_drawing(cookie: str, path: str) -> WebSocketClientConnection:
    """As Bokeh's script does it."""
    base = f"127.0.0.1:{PORT}{path}"
    async with httpx.AsyncClient(headers={"Cookie": cookie}, timeout=60) as browser:
        script = (await browser.get(f"http://{base}/autoload.js?bokeh-autoload-element=x&bokeh-app-path={path}")).text
    token = re.search(r'"token":\s*"([^"]+)"', script)
    assert token is not None
    headers = {"Cookie": cookie, "Origin": f"http://127.0.0.1:{PORT}"}
    return await websocket_connect(HTTPRequest(f"ws://{base}/ws", headers=headers), subprotocols=["bokeh", token[1]])


async def follow(socket: WebSocketClientConnection, heard: list[float], sizes: list[int]) -> None:
    """Every message that begins a change of a drawing is heard."""
    while message := await socket.read_message():
        sizes.append(len(message))
        if isinstance(message, str) and '"PATCH-DOC"' in message:
            heard.append(time.perf_counter())


def after(times: list[float], at: float) -> float:
    """Milliseconds until the first of the times that is not before."""
    return next((1000 * (each - at) for each in times if each >= at), math.inf)


async def measure(store: SqlStore, lease: Lease, cookie: str, viewers: int, changes: int, app: psutil.Process) -> None:
    heard: dict[str, list[float]] = {}
    headers = {"Cookie": cookie, "Origin": f"http://127.0.0.1:{PORT}"}
    address = f"ws://127.0.0.1:{PORT}/live?watch=run:{lease.run}"
    sockets = [await websocket_connect(HTTPRequest(address, headers=headers)) for _ in range(viewers)]
    listeners = [asyncio.create_task(listen(socket, heard)) for socket in sockets]
    before = app.memory_info().rss
    graphs, times, sizes = [list[float]() for _ in sockets], [list[float]() for _ in sockets], list[int]()
    for heard_graph, heard_times in zip(graphs, times, strict=True):  # one after the other, as people come
        for path, each in (("", heard_graph), ("/times", heard_times)):
            socket = await open_drawing(cookie, f"/drawings/runs/{lease.run}{path}")
            listeners.append(asyncio.create_task(follow(socket, each, sizes)))
    while await asyncio.to_thread(app.cpu_percent, 2) > 20:
        pass
    grown = (app.memory_info().rss - before) / 2 / len(sockets) / 1e6
    sent = sum(sizes)
    began, busy = time.perf_counter(), app.cpu_times()
    written: dict[str, float] = {}
    for number in range(changes):
        await asyncio.to_thread(change, store, lease, number)
        written[f"task-t{number}"] = time.perf_counter()
        await asyncio.sleep(PACE)
    await asyncio.sleep(2)
    took, used = time.perf_counter() - began, app.cpu_times()
    delays = sorted(1000 * (at - written[part]) for part in written for at in heard.get(part, ()))
    share = (used.user + used.system - busy.user - busy.system) / took
    print(f"{len(delays)} of {viewers * changes} told; ", end="")
    print(
        f"p50 {statistics.median(delays):.0f} ms, p95 {delays[int(len(delays) * 0.95)]:.0f} ms, {share:.0%} of a core"
        f", {1000 * share * took / changes:.0f} ms of CPU a change"
    )
    drawn = sorted(after(each, at) for each in graphs for at in written.values())
    print(f"their graphs: p50 {statistics.median(drawn):.0f} ms, p95 {drawn[int(len(drawn) * 0.95)]:.0f} ms; ", end="")
    print(
        f"{(sum(sizes) - sent) / changes / len(sockets):.0f} bytes for each change and viewer of both drawings; ",
        end="",
    )
    print(f"{grown:.2f} MB for each of their sessions")
    for each in listeners:
        each.cancel()
    for socket in sockets:
        socket.close()


def page_figures(cookie: str, run: str) -> None:
    with httpx.Client(headers={"Cookie": cookie, "Accept-Encoding": "gzip"}) as browser:
        for _ in range(2):
            began = time.perf_counter()
            page = browser.get(f"http://127.0.0.1:{PORT}/pipelines/nightly/runs/{run}")
            took = time.perf_counter() - began
    wire = page.num_bytes_downloaded
    print(
        f"the page: {1000 * took:.0f} ms, {wire / 1000:.0f} kB on the wire, {len(page.content) / 1000:.0f} kB of HTML"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tasks", type=int, default=1000)
    options.add_argument("--viewers", type=int, default=20)
    options.add_argument("--changes", type=int, default=40)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / ".nbflow").mkdir()
        store = SqlStore(f"sqlite:///{folder}/.nbflow/nbflow.db")
        lease = new_run(store, chosen.tasks)
        command = [sys.executable, "-m", "nbflow", "app", "--project", folder, "--port", str(PORT)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            link = next(found for line in process.stderr if (found := re.search(r"http://\S+?token=\w+", line)))
            said: deque[str] = deque(maxlen=20)
            Thread(target=said.extend, args=(process.stderr,), daemon=True).start()  # a full pipe would stop it
            cookies = httpx.get(link[0]).cookies
            cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
            print(f"{chosen.viewers} viewers of {chosen.tasks} tasks, a change every {PACE} s: ", end="", flush=True)
            app = psutil.Process(process.pid)
            asyncio.run(measure(store, lease, cookie, chosen.viewers, chosen.changes, app))
            page_figures(cookie, lease.run)
            process.terminate()
            process.wait(30)
        store.close()


if __name__ == "__main__":
    main()
