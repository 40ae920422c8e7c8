"""The REST API as it is served: by `nbflow app`, on the app's port, asked over the network."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from making import Project, eventually, free_port

LIMIT = 60.0


class Served:
    """A project without users, and its app."""

    def __init__(self, folder: Path) -> None:
        self.project = Project(folder)
        self.project.pipeline("nightly", "name: nightly\ntasks:\n  a: {notebook: a.ipynb}\n", a="print(1)")
        self.port = free_port()
        self.process = self.project.spawn("app", "--port", str(self.port))
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=LIMIT)
        eventually(self.is_up, LIMIT)

    def is_up(self) -> bool:
        assert self.process.poll() is None, self.said()
        try:
            return self.client.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def said(self) -> str:
        return (self.project.folder / "nbflow.stderr").read_text()

    def ask(self, method: str, path: str, token: str, **about: Any) -> httpx.Response:
        return self.client.request(method, path, headers={"Authorization": f"Bearer {token}"}, **about)

    def close(self) -> None:
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(LIMIT)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    found = Served(tmp_path / "project")
    yield found
    found.close()


def test_from_the_printed_link_to_a_token_that_is_revoked(served: Served) -> None:
    (link,) = re.findall(r"token=(\w+)", served.said())
    me = served.ask("GET", "/api/v1/me", link)
    assert (me.status_code, me.json()["role"]) == (200, "admin")
    assert served.client.get("/api/v1/me").status_code == 401
    assert served.client.get("/api/v1/me", headers={"Host": "evil.example"}).status_code == 421
    ready = served.client.get("/readyz")
    assert (ready.status_code, ready.json()["reasons"]) == (503, {"scheduler": "none runs"})

    for name, role in {"root": "admin", "ci": "operator"}.items():
        made = served.project.nbflow("user", "add", name, "--role", role, "--no-password")
        assert made.returncode == 0, made.stderr
    assert served.ask("GET", "/api/v1/me", link).status_code == 401  # users are there now: the link is nobody's

    new = served.project.json("token", "create", "--user", "ci", "--role", "operator", "--expires", "1h")
    token, number = new["secret"], new["token"]["id"]
    started = served.ask("POST", "/api/v1/pipelines/nightly/runs", token, json={})
    assert started.status_code == 201, started.text
    run = started.json()["run"]["id"]
    assert served.ask("GET", started.headers["Location"], token).json()["run"]["id"] == run
    assert 'nbflow_unfinished_runs{state="queued"} 1.0' in served.ask("GET", "/metrics", token).text

    listening = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    with served.client.stream("GET", "/api/v1/changes", headers=listening) as stream:
        events = (json.loads(line.removeprefix("data: ")) for line in stream.iter_lines() if line.startswith("data: "))
        assert next(each for each in events if each["event"] == "run")["run"] == run
        again = served.ask("POST", "/api/v1/pipelines/nightly/runs", token).json()["run"]["id"]
        assert next(events)["run"] == again

    gone = served.ask("DELETE", f"/api/v1/tokens/{number}", token)
    assert (gone.status_code, gone.content) == (204, b"")
    assert served.ask("GET", "/api/v1/me", token).status_code == 401
    assert token not in served.said()
