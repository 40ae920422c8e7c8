"""The server: who is let in, what is refused, and what every answer carries."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from app_server import HTML, Running, served, xsrf_of
from app_world import FAILS, World
from nbflow_app.gate import PUBLIC
from tornado.httpclient import HTTPClientError
from tornado.ioloop import IOLoop

from nbflow.api import Role
from nbflow.testing.executor import Script

# --- the gate -------------------------------------------------------------------------------------------------------


def test_a_stranger_gets_the_sign_in_page_and_comes_back(running: Running) -> None:
    with running.stranger() as stranger:
        answer = stranger.get("/runs?state=failed")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/sign-in?next=%2Fruns%3Fstate%3Dfailed"


@pytest.mark.parametrize(
    "path", ["/", "/pipelines", "/live?watch=runs", "/drawings/runs/r1", "/drawings/runs/r1/ws", "/nope"]
)
def test_nothing_else_is_open_to_strangers(running: Running, path: str) -> None:
    assert not any(path == known or (path.startswith(known) and known.endswith("/")) for known in PUBLIC)
    with running.stranger() as stranger:
        assert stranger.get(path, headers={"Accept": "*/*"}).status_code == 403
        assert stranger.post(path).status_code == 403


@pytest.mark.parametrize(("accept", "code"), [("*/*", 403), ("text/html", 303)])
def test_who_asks_for_the_head_alone_is_refused_without_a_body(running: Running, accept: str, code: int) -> None:
    with running.stranger() as stranger:
        for path in ("/", "/runs"):  # on one connection
            answer = stranger.head(path, headers={"Accept": accept})
            assert (answer.status_code, answer.content) == (code, b"")


@pytest.mark.parametrize(("role", "code"), [(Role.VIEWER, 403), (Role.OPERATOR, 403), (Role.EDITOR, 200)])
@pytest.mark.parametrize("path", ["", "/autoload.js?bokeh-autoload-element=x"])
def test_the_canvas_of_the_editor_is_for_editors(tmp_path: Path, role: Role, code: int, path: str) -> None:
    world = World(tmp_path)
    world.pipeline()
    with served(world, role=role) as running, running.client() as client:
        assert client.get(f"/drawings/pipelines/nightly/edit{path}").status_code == code
        assert client.get("/drawings/pipelines/nightly").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost:x", ""])
@pytest.mark.parametrize("path", ["/", "/assets/app.js", "/static/js/bokeh.min.js", "/healthz"])
def test_a_host_that_is_not_ours_is_refused_everywhere(running: Running, host: str, path: str) -> None:
    with running.client() as client:
        assert client.get(path, headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("path", ["/", "/nope", "/assets/app.js", "/static/js/bokeh.min.js"])
def test_every_answer_carries_the_policy(running: Running, path: str) -> None:
    with running.client() as client:
        headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_only_pages_with_a_drawing_may_make_functions_from_text(running: Running) -> None:
    run = running.world.run()
    with running.client() as client:
        assert "unsafe-eval" not in client.get("/runs").headers["Content-Security-Policy"]
        policy = client.get(f"/pipelines/nightly/runs/{run.id}").headers["Content-Security-Policy"]
    assert "'unsafe-eval'" in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("/nope", 404, "There is no such page."),
        ("/pipelines/weekly", 404, "there is no pipeline 'weekly'"),
        ("/pipelines/nightly/runs/nope", 404, "there is no run"),
        ("/runs?state=red", 400, "There are: queued"),
        ("/pipelines/..%2F..%2Fsecret.ipynb", 404, "There is no such page."),
        ("/assets/secret.txt", 404, "There is no such page."),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(running: Running, path: str, code: int, said: str) -> None:
    with running.client() as client:
        answer = client.get(path)
    assert (answer.status_code, said in unescape(answer.text)) == (code, True), answer.text
    assert f"<h1>{'Not found' if code == 404 else 'Error'}</h1>" in answer.text


# --- what a browser keeps ---------------------------------------------------------------------------------------------


def test_the_zone_and_theme_of_the_viewer_are_known_by_cookies(running: Running) -> None:
    with running.client() as client:
        client.cookies.update({"nb-zone": "America%2FNew_York", "nb-theme": "dark"})
        page = client.get("/pipelines").text
    assert 'data-zone="America/New_York"' in page
    assert 'data-theme="dark"' in page
    assert "20:00 -04:00 (America/New_York)" in page
    with running.client() as client:
        client.cookies.update({"nb-zone": "..%2Fetc", "nb-theme": '"><script>'})
        page = client.get("/pipelines").text
    assert 'data-zone="UTC"' in page
    assert "<script>" not in page


def test_assets_are_kept_and_pages_are_not(running: Running) -> None:
    with running.client() as client:
        assert "immutable" in client.get("/assets/nbflow.css").headers["Cache-Control"]
        assert client.get("/").headers["Cache-Control"] == "no-store"


def test_a_page_without_a_drawing_needs_little_script(running: Running) -> None:
    with running.client() as client:
        page = client.get("/pipelines")
        scripts = page.text.count("<script")
        wire = client.get("/assets/app.js", headers={"Accept-Encoding": "gzip"})
    assert scripts == 1
    assert wire.headers["Content-Encoding"] == "gzip"
    assert int(wire.headers["Content-Length"]) < 20_000


# --- forms ------------------------------------------------------------------------------------------------------------


def test_a_form_needs_its_token(running: Running) -> None:
    run = running.world.run(clean=FAILS)
    path = f"/pipelines/nightly/runs/{run.id}/mark"
    given = {"task": "clean", "state": "success", "note": "seen"}
    with running.client() as client:
        assert client.post(path, data=given).status_code == 403
        assert running.world.states(run.id)["clean"] == "failed"
        token = xsrf_of(client.get(f"{path}?task=clean").text)
        done = client.post(path, data={**given, "_xsrf": token})
        assert (done.status_code, done.headers["Location"]) == (303, f"/pipelines/nightly/runs/{run.id}")
        assert "clean is marked success" in client.get(done.headers["Location"]).text
        assert "clean is marked success" not in client.get(done.headers["Location"]).text
    assert running.world.states(run.id)["clean"] == "success"


def test_a_form_sent_by_script_is_answered_for_a_script(running: Running) -> None:
    run = running.world.run(clean=FAILS)
    path = f"/pipelines/nightly/runs/{run.id}/mark"
    with running.client() as client:
        token = xsrf_of(client.get(f"{path}?task=clean").text)
        client.headers["X-Requested-With"] = "nbflow"
        wrong = client.post(path, data={"task": "clean", "state": "blue", "_xsrf": token})
        done = client.post(path, data={"task": "clean", "state": "skipped", "_xsrf": token})
    assert (wrong.status_code, wrong.json()["hint"]) == (400, "Choose success, failed or skipped.")
    assert done.json() == {"go": f"/pipelines/nightly/runs/{run.id}", "note": "clean is marked skipped"}


def test_the_script_of_plotly_is_sent_packed_and_kept(running: Running) -> None:
    path = running.app.plotly
    assert path
    with running.client() as client:
        packed = client.get(f"/assets/{path.name}")
        plain = client.get(f"/assets/{path.name}", headers={"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) < len(packed.content) / 2
    assert "Content-Encoding" not in plain.headers
    assert packed.content == plain.content == path.read_bytes()
    assert "immutable" in packed.headers["Cache-Control"]


# --- live -------------------------------------------------------------------------------------------------------------


Told = dict[str, Any]


def heard(
    running: Running,
    watch: str,
    then: Callable[[], object],
    headers: Mapping[str, str] = {},
    until: Callable[[Told], bool] = lambda told: True,
) -> Told:
    """The first that a page is told after `then` has happened, of what is wanted; empty where it is told nothing.

    As a page does, it says what it has seen: whatever happens before the server has let it in is told then.
    """
    seen = "" if "seen=" in watch else f"&seen={running.world.store.latest_change()}"

    async def listen() -> Told:
        socket = await running.socket(f"/live?watch={watch}{seen}", headers)
        await socket.write_message('{"order": "cancel everything"}')
        then()
        told: Told = {}
        while message := await socket.read_message():
            told = json.loads(message)
            if until(told):
                break
        else:
            told = {}
        socket.close()
        return told

    return IOLoop(make_current=False).run_sync(listen, timeout=60)


def test_the_page_of_a_run_is_told_the_rows_that_changed(running: Running) -> None:
    world = running.world
    run = world.begin(extract=Script(after=timedelta(minutes=1)))

    def go_on() -> None:
        world.clock.advance(timedelta(minutes=2))
        world.step()

    def has_ended(told: Told) -> bool:  # how far it has come is told as well
        return "success" in told["parts"].get("task-extract", "")

    parts = heard(running, f"run:{run.id}", go_on, until=has_ended)["parts"]
    assert {"head", "task-extract", "task-clean"} <= parts.keys()
    world.engine.drive(run.id)


def test_a_page_hears_first_what_happened_while_it_was_loading(running: Running) -> None:
    world = running.world
    before = world.store.latest_change()
    run = world.run()
    assert heard(running, f"run:{run.id}&seen={before}", lambda: None)["parts"]
    assert heard(running, f"runs&seen={before}", lambda: None)["refresh"] is True
    with running.client() as client:
        page = client.get(f"/pipelines/nightly/runs/{run.id}").text
    assert f'data-seen="{world.store.latest_change()}"' in page


@pytest.mark.parametrize("seen", ["x", "1&upto=-", "-1x"])
def test_a_page_that_says_nonsense_is_told_nothing(running: Running, seen: str) -> None:
    assert heard(running, f"runs&seen={seen}", lambda: None) == {}


def test_lists_are_told_to_look_again(running: Running) -> None:
    assert heard(running, "runs", running.world.run)["refresh"] is True


def test_another_site_cannot_listen(running: Running) -> None:
    with pytest.raises(HTTPClientError, match="403"):
        heard(running, "runs", lambda: None, headers={"Origin": "https://evil.example"})


def test_what_is_not_there_cannot_be_watched(running: Running) -> None:
    assert heard(running, "run:nope", lambda: None) == {}


# --- behind a proxy ---------------------------------------------------------------------------------------------------


def test_every_address_is_below_the_prefix(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.pipeline()
    run = world.run()
    with served(world, url="https://data.example.org/flows") as running, running.client() as client:
        client.headers["Host"] = "data.example.org"
        page = client.get(f"/pipelines/nightly/runs/{run.id}")
        with running.stranger() as browser:
            stranger = browser.get("/runs", headers={**HTML, "Host": "data.example.org"})
    addresses = [part.split('"')[0] for kind in ("href", "src", "action") for part in page.text.split(f'{kind}="')[1:]]
    assert addresses
    assert [each for each in addresses if not each.startswith(("/flows/", "#"))] == []
    assert stranger.headers["Location"].startswith("/flows/sign-in?next=%2Fflows%2Fruns")
