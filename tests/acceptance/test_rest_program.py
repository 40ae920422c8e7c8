"""REST over a real project: users and tokens by the command line, runs by HTTP, carried out by a real scheduler."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from making import eventually, states
from proc import freeze
from schedulers import Watched, watched

from nbflow.access import hosts_of
from nbflow.rest import create_app

SECRET = "k3y-of-the-warehouse"


class Server:
    """The app over the project's doors, as the web process makes it; and a client with a token."""

    def __init__(self, world: Watched, token: str) -> None:
        doors = world.doors
        self.token = token
        self._app = create_app(
            doors.api,
            bearer=doors.entrance().bearer,
            hosts=hosts_of(doors.settings.server_url),
            probes=doors.probes(),
        )

    def ask(self, method: str, path: str, **about: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8888", timeout=60) as client:
                return await client.request(method, path, headers={"Authorization": f"Bearer {self.token}"}, **about)

        return asyncio.run(ask())

    def get(self, path: str) -> Any:
        answer = self.ask("GET", f"/api/v1{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        answer = self.ask("POST", f"/api/v1{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def ended(self, run: str) -> Any:
        found = self.get(f"/runs/{run}")
        return found if found["run"]["state"] in {"success", "failed"} else None

    def reasons(self) -> Any:
        answer = self.ask("GET", "/readyz")
        assert (answer.status_code == 200) is answer.json()["ready"]
        return answer.json()["reasons"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Watched]:
    with watched(tmp_path / "project", NBFLOW_SECRET_WAREHOUSE=SECRET) as found:
        found.project.pipeline(
            "nightly",
            """
            name: nightly
            params: {limit: {type: int, default: 3}}
            tasks:
              extract:
                notebook: extract.ipynb
                secrets: {KEY: warehouse}
              clean: {notebook: clean.ipynb, depends_on: extract}
            """,
            extract="import os; from nbflow import task; task.output('key', len(os.environ['KEY']))",
            clean=("from pathlib import Path", "assert Path('ready').exists(), 'not ready'"),
        )
        yield found


@pytest.fixture
def server(world: Watched) -> Server:
    for words in ("root --role admin", "ci --role operator"):
        assert world.project.nbflow("user", "add", *words.split(), "--no-password").returncode == 0
    made = world.project.json("token", "create", "--role", "operator", "--expires", "1h", "--user", "ci")
    return Server(world, made["secret"])


def test_a_run_from_trigger_to_repair(world: Watched, server: Server) -> None:
    world.start_leader()
    run = server.post("/pipelines/nightly/runs", {"params": {"limit": 5}}, 201)["run"]["id"]
    failed = eventually(lambda: server.ended(run), 120)
    assert states(failed) == {"extract": "success", "clean": "failed"}
    assert failed == world.project.json("status", run)
    assert "AssertionError: not ready" in server.ask("GET", f"/api/v1/runs/{run}/tasks/clean/html").text
    cells = server.get(f"/runs/{run}/tasks/clean/log")["cells"]
    assert [cell["state"] for cell in cells if cell["type"] == "code"][-1] == "failed"
    assert cells == world.project.json("logs", run, "clean")["cells"]

    (world.project.folder / "notebooks" / "nightly" / "ready").touch()
    server.post(f"/runs/{run}/rerun", {"note": "it is there now"})
    repaired = eventually(lambda: server.ended(run), 120)
    assert states(repaired) == {"extract": "success", "clean": "success"}
    log = server.get(f"/changes?run={run}")["changes"]
    assert [(line["by"], line["note"]) for line in log if line["event"] == "reset"] == [("ci", "it is there now")]

    metrics = server.ask("GET", "/metrics").text
    assert 'nbflow_runs_total{pipeline="nightly",state="failed"} 1.0' in metrics
    assert 'nbflow_runs_total{pipeline="nightly",state="success"} 1.0' in metrics
    assert 'nbflow_attempts_total{cause="",pipeline="nightly",state="success"} 2.0' in metrics
    _hides(world, server, run, metrics)


def _hides(world: Watched, server: Server, run: str, metrics: str) -> None:
    """Neither the notebook's secret nor the token is anywhere but where it was given."""
    events = server.ask("GET", f"/api/v1/runs/{run}/tasks/extract/events").text
    said = [json.dumps(server.get(path)) for path in (f"/runs/{run}", "/changes", "/tokens", "/doctor")]
    with closing(sqlite3.connect(world.project.folder / ".nbflow" / "nbflow.db")) as connection:
        said += [*connection.iterdump(), metrics, events]
    files = [path.read_bytes() for path in (world.project.folder / ".nbflow" / "runs").rglob("*") if path.is_file()]
    for secret in (SECRET, server.token):
        assert not any(secret in text for text in said)
        assert not any(secret.encode() in data for data in files)


def test_only_pipelines_of_the_project_can_be_named(
    world: Watched, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that `nbflow run` would take, in the folder where the server was started."""
    folder = tmp_path / "elsewhere" / "trap"
    folder.mkdir(parents=True)
    source = world.project.folder / "notebooks" / "nightly"
    for name in ("pipeline.yaml", "extract.ipynb", "clean.ipynb"):
        (folder / name).write_bytes((source / name).read_bytes())
    monkeypatch.chdir(folder.parent)
    answer = server.ask("POST", "/api/v1/pipelines/trap/runs")
    assert (answer.status_code, answer.json()["error"]) == (404, "there is no pipeline 'trap'")
    assert server.get("/pipelines/nightly")["pipeline"]["name"] == "nightly"


def test_not_ready_while_the_scheduler_is_frozen_or_the_database_is_locked_or_gone(
    world: Watched, server: Server
) -> None:
    assert server.reasons() == {"scheduler": "none runs"}
    scheduler = world.start_leader()
    eventually(lambda: server.reasons() == {})
    freeze(scheduler.pid)
    try:
        assert eventually(server.reasons)["scheduler"].startswith("its last sign of life is ")
    finally:
        os.kill(scheduler.pid, signal.SIGCONT)
    eventually(lambda: server.reasons() == {})

    database = world.project.folder / ".nbflow" / "nbflow.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert eventually(server.reasons)["scheduler"].startswith("its last sign of life is ")
    eventually(lambda: server.reasons() == {})

    aside = database.rename(database.with_suffix(".aside"))
    assert server.reasons() == {"database": "its file is gone"}
    aside.rename(database)
    eventually(lambda: server.reasons() == {})
