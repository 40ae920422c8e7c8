"""What the REST app answers: the documents of the command line, errors in one shape, tokens and cookies, hosts."""

from __future__ import annotations

import errno
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rest_world import HOST, NIGHTLY, NOTEBOOK, World

from nbflow import shapes
from nbflow.api import Role
from nbflow.errors import NbflowError, Unavailable
from nbflow.people import xsrf
from nbflow.run import CancelRequested, MarkRequested, ResetRequested

API = "/api/v1"
PASSWORD = "correct horse"


@pytest.fixture
def world(app: Any, tmp_path: Path) -> World:
    made = World(tmp_path, app=app)
    made.people()
    return made


def plain(document: Any) -> Any:
    return json.loads(json.dumps(document))


# --- documents ------------------------------------------------------------------------------------------------------


def test_reads_are_the_documents_of_the_command_line(world: World) -> None:
    run, api = world.failed_run(), world.root
    assert world.get("/pipelines") == plain(shapes.pipelines_document(api.pipelines()))
    assert world.get("/pipelines/nightly") == plain(shapes.show_document(api.pipeline("nightly")))
    assert world.get("/problems") == {"ok": True, "problems": []}
    assert world.get(f"/runs/{run}") == plain(shapes.status_document(api.status(run)))
    assert world.get("/runs/latest:nightly")["run"]["id"] == run
    assert world.get("/runs") == plain(shapes.runs_document(api.runs()))
    log = shapes.log_document(run, api.log(run, "extract"))
    assert world.get(f"/runs/{run}/tasks/extract/log") == plain(log)
    assert world.get("/doctor") == plain(shapes.doctor_document(api.doctor()))
    assert world.get("/users") == plain(shapes.users_document(api.users()))
    assert world.get("/tokens") == plain(shapes.tokens_document(api.tokens()))
    assert world.get("/me", "viewer") == {"name": "viewer", "role": "viewer", "until": None}
    assert world.get("/changes") == plain(shapes.changes_document(api.changes(), 0))


def test_the_next_ticks(world: World) -> None:
    found = world.get("/pipelines/nightly/next?after=2026-03-07T12:00:00%2B02:00&count=2")
    assert [tick["utc"] for tick in found["ticks"]] == ["2026-03-08T02:00:00Z", "2026-03-09T02:00:00Z"]


def test_why(world: World) -> None:
    run = world.failed_run()
    of_run = world.get(f"/runs/{run}/why")
    assert of_run == {"run": run, "state": "failed", "why": world.root.why_run(run)}
    said = world.get(f"/runs/{run}/tasks/clean/why")
    assert said == {"run": run, "task": "clean", "state": "upstream_failed", "why": world.root.why(run, "clean")}


def test_runs_page_by_page(world: World) -> None:
    made = []
    for _ in range(5):
        made.append(world.failed_run())
        world.clock.advance(timedelta(seconds=1))
    seen, path = [], "?pipeline=nightly&state=failed&limit=2"
    for _ in range(3):
        answer = world.ask("GET", f"{API}/runs{path}")
        seen += [run["id"] for run in answer.json()["runs"]]
        link = answer.headers.get("Link", "")
        path = link.removeprefix("<").removesuffix('>; rel="next"')
    assert seen == made[::-1]
    assert path == ""
    assert world.get("/runs?state=success") == {"runs": []}


def test_logs_are_downloads_or_a_page_that_runs_nothing(world: World) -> None:
    run = world.failed_run()
    notebook = world.ask("GET", f"{API}/runs/{run}/tasks/extract/notebook")
    assert notebook.headers["Content-Type"] == "application/x-ipynb+json"
    assert notebook.headers["Content-Disposition"] == 'attachment; filename="extract.1.ipynb"'
    assert notebook.json() == plain(NOTEBOOK)
    events = world.ask("GET", f"{API}/runs/{run}/tasks/extract/events?attempt=1")
    assert events.text == '{"n": 1, "event": "started"}\n'
    page = world.ask("GET", f"{API}/runs/{run}/tasks/extract/html")
    assert "ValueError: bad country" in page.text
    assert "alert(1)" not in page.text
    assert page.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")


def test_a_log_that_is_not_there_says_why(world: World) -> None:
    run = world.failed_run()
    answer = world.ask("GET", f"{API}/runs/{run}/tasks/clean/log")
    assert answer.status_code == 404
    assert answer.json()["hint"] == world.root.why(run, "clean")


def test_the_log_of_an_attempt_that_left_none_says_how_it_ended(world: World) -> None:
    run = world.failed_run()
    (world.root.log(run, "extract").path).unlink()
    answer = world.ask("GET", f"{API}/runs/{run}/tasks/extract/log")
    assert answer.status_code == 404
    assert answer.json()["hint"] == "The attempt ended as failed: ValueError: bad country."


@pytest.mark.parametrize("what", ["notebook", "events"])
def test_a_file_that_may_not_be_read_says_so(world: World, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    run = world.failed_run()
    opened = Path.open

    def refusing(path: Path, *about: Any, **more: Any) -> Any:
        if path.name in {"notebook.ipynb", "events.jsonl"}:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *about, **more)

    monkeypatch.setattr(Path, "open", refusing)
    answer = world.ask("GET", f"{API}/runs/{run}/tasks/extract/{what}")
    assert answer.status_code == 404
    assert answer.json()["error"].endswith("cannot be read: Permission denied")


# --- orders ---------------------------------------------------------------------------------------------------------


def test_a_run_is_triggered_once_for_each_key(world: World) -> None:
    body = {"logical_date": "2026-03-01"}
    first = world.ask(
        "POST", f"{API}/pipelines/nightly/runs", "operator", json=body, headers={"Idempotency-Key": "order-7"}
    )
    assert first.status_code == 201
    run = first.json()["run"]
    assert first.headers["Location"] == f"{API}/runs/{run['id']}"
    assert (run["run_key"], run["logical_date"]) == ("key:order-7", "2026-03-01T02:00:00Z")
    again = world.post("/pipelines/nightly/runs", status=201, headers={"Idempotency-Key": "order-7"})
    assert again["run"]["id"] == run["id"]
    other = world.post("/pipelines/nightly/runs", {}, status=201)
    assert other["run"]["id"] != run["id"]
    assert world.store.load(run["id"]).run.created_by == "operator"


def test_behind_a_proxy_addresses_begin_with_its_prefix(world: World) -> None:
    answer = world.ask("POST", f"/team{API}/pipelines/nightly/runs", prefix="/team")
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/team{API}/runs/{answer.json()['run']['id']}"
    assert world.ask("GET", answer.headers["Location"], prefix="/team").status_code == 200
    assert world.ask("GET", "/team/healthz", None, prefix="/team").status_code == 200


def test_a_repair_is_previewed_and_asked_for(world: World) -> None:
    run = world.failed_run()
    world.lead()
    body = {"tasks": ["extract"], "note": "mended"}
    preview = world.post(f"/runs/{run}/rerun/preview", body, "operator")
    assert preview == {
        "run": run,
        "again": ["extract", "clean"],
        "changed_notebooks": [],
        "old_params": [],
        "manifest_changed": False,
    }
    world.workspace.put(NIGHTLY, text="name: nightly  # mended\n")
    assert world.post(f"/runs/{run}/rerun/preview", body, "operator")["manifest_changed"]
    world.workspace.remove("nightly")
    assert not world.post(f"/runs/{run}/rerun/preview", body, "operator")["manifest_changed"]
    assert world.store.asked_for == []
    assert world.post(f"/runs/{run}/rerun", body, "operator")["run"]["id"] == run
    (asked,) = world.store.asked_for
    assert isinstance(asked, ResetRequested)
    assert (asked.by, asked.note, [key.address for key in asked.keys]) == ("operator", "mended", ["extract"])


def test_what_an_order_would_touch_is_said_before(world: World) -> None:
    run = world.failed_run()
    would = world.post(f"/runs/{run}/tasks/extract/mark/preview", {"state": "success"})
    assert would == {"run": run, "tasks": ["clean"]}
    ended = world.ask("POST", f"{API}/runs/{run}/cancel/preview")
    assert (ended.status_code, ended.json()["error"]) == (409, f"run {run} has ended already: failed")
    queued = world.post("/pipelines/nightly/runs", status=201)["run"]["id"]
    assert world.post(f"/runs/{queued}/cancel/preview") == {"run": queued, "tasks": ["extract", "clean"]}
    assert world.store.asked_for == []


def test_marks_and_cancels_are_asked_for(world: World) -> None:
    run = world.failed_run()
    world.lead()
    world.post(f"/runs/{run}/tasks/extract/mark", {"state": "success", "outputs": {"rows": 3}, "note": "by hand"})
    world.post(f"/runs/{run}/cancel", {"note": "enough"})
    world.post(f"/runs/{run}/tasks/clean/cancel")
    mark, cancel, one = world.store.asked_for
    assert isinstance(mark, MarkRequested)
    assert (mark.state, dict(mark.outputs), mark.note) == ("success", {"rows": 3}, "by hand")
    assert isinstance(cancel, CancelRequested)
    assert (cancel.key, cancel.note) == (None, "enough")
    assert one.key.address == "clean"


def test_what_the_owner_refuses_is_a_conflict(world: World) -> None:
    run = world.failed_run()
    world.lead()
    world.store.said = "task 'extract' does not wait for a retry: it is failed"
    answer = world.ask("POST", f"{API}/runs/{run}/tasks/extract/retry-now")
    assert (answer.status_code, answer.json()["error"]) == (409, world.store.said)


def test_without_a_scheduler_nothing_is_left_behind(world: World) -> None:
    run = world.failed_run()
    answer = world.ask("POST", f"{API}/runs/{run}/rerun")
    assert (answer.status_code, world.store.asked_for) == (409, [])
    assert answer.json()["hint"] == "Start one with nbflow up."


def test_a_pipeline_is_paused_and_resumed(world: World) -> None:
    world.seen()
    assert world.post("/pipelines/nightly/pause", {"note": "audit"}, status=204) is None
    assert world.ask("POST", f"{API}/pipelines/nightly/pause").status_code == 409
    (standing,) = world.get("/standings")["pipelines"]
    assert (standing["paused_by"], standing["note"], standing["removed"]) == ("admin", "audit", False)
    assert world.get("/scheduler") == {
        "engine": "scheduler@host.1.aaaaaa",
        "alive": True,
        "expires": "2026-04-01T09:00:15Z",
    }
    world.clock.advance(timedelta(days=2))
    assert world.get("/scheduler")["alive"] is False
    passed = world.post("/pipelines/nightly/resume")["skips"]
    assert [(skip["first"], skip["last"]) for skip in passed] == [("2026-04-02T02:00:00Z", "2026-04-03T02:00:00Z")]
    assert world.get("/skips?pipeline=nightly")["skips"] == passed


def test_a_backfill_from_preview_to_cancel(world: World) -> None:
    dates = {"start": "2026-03-01", "end": "2026-03-02", "reverse": True}
    preview = world.post("/pipelines/nightly/backfills/preview", dates)
    assert [(item["run_date"], item["action"]) for item in preview["items"]] == [
        ("2026-03-02", "create"),
        ("2026-03-01", "create"),
    ]
    made = world.post("/pipelines/nightly/backfills", {**dates, "max_active": 2}, status=201)
    assert (made["state"], made["waiting"], made["max_active"]) == ("running", 2, 2)
    again = world.ask("POST", f"{API}/pipelines/nightly/backfills", json=dates)
    assert again.status_code == 409
    for action, state in {"pause": "paused", "resume": "running", "cancel": "cancelled"}.items():
        assert world.post(f"/backfills/{made['id']}/{action}")["state"] == state
    assert world.get("/backfills")["backfills"] == [world.get(f"/backfills/{made['id']}")]
    assert world.get("/backfills?active=true") == {"backfills": []}


# --- alerts --------------------------------------------------------------------------------------------------------


def test_a_channel_is_tried(world: World) -> None:
    world.post("/channels/oncall/test", status=204)
    assert world.notifier.sent == ["oncall"]
    world.notifier.errors = ("smtp: refused",)
    answer = world.ask("POST", f"{API}/channels/oncall/test")
    assert (answer.status_code, answer.json()["error"]) == (503, "smtp: refused")
    assert world.ask("POST", f"{API}/channels/oncal/test").status_code == 404
    assert world.get("/messages?troubled=true") == {"messages": []}


# --- people ---------------------------------------------------------------------------------------------------------


def test_users_and_tokens_are_administered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbflow.api.people.hash_password", lambda password: f"hash of {len(password)}")
    added = world.post("/users", {"name": "eve", "role": "viewer", "password": PASSWORD}, status=201)
    assert (added["name"], added["role"], added["signs_in"]) == ("eve", "viewer", True)
    assert world.ask("PATCH", f"{API}/users/eve", json={"role": "editor"}).json()["role"] == "editor"
    changed = world.ask("PUT", f"{API}/users/eve/password", json={"password": "another one"})
    assert (changed.status_code, changed.content) == (204, b"")
    made = world.post("/tokens", {"role": "viewer", "expires": "30d", "user": "eve", "note": "ci"}, status=201)
    assert made["token"]["expires_at"] == "2026-05-01T09:00:00Z"
    assert world.get("/me", headers={"Authorization": f"Bearer {made['secret']}"})["name"] == "eve"
    assert world.ask("DELETE", f"{API}/tokens/{made['token']['id']}").status_code == 204
    gone = world.ask("GET", f"{API}/me", None, headers={"Authorization": f"Bearer {made['secret']}"})
    assert (gone.status_code, gone.json()["error"]) == (401, "this token is not valid")
    assert world.ask("DELETE", f"{API}/users/eve").status_code == 204


def test_no_secret_is_in_any_answer_but_the_one_that_makes_it(world: World, caplog: pytest.LogCaptureFixture) -> None:
    run = world.failed_run()
    world.post("/users", {"name": "eve", "role": "viewer", "password": PASSWORD}, status=201)
    made = world.post("/tokens", {"role": "viewer", "expires": "30d", "user": "eve"}, status=201)
    caplog.set_level("DEBUG")
    paths = ["/users", "/tokens", "/changes", f"/runs/{run}", f"/runs/{run}/tasks/extract/log", "/me"]
    said = [world.ask("GET", f"{API}{path}").text for path in paths]
    said += [world.ask("GET", "/metrics").text, caplog.text, repr(world.app.openapi())]
    wrong = {"name": "x", "role": "viewer", "password": PASSWORD, "more": made["secret"]}
    said += [world.ask("POST", f"{API}/users", json=wrong).text]
    hidden = [made["secret"], PASSWORD, *world.secrets.values()]
    hidden += [token.sha256 for token in world.store.tokens()]
    hidden += [attempt.token for tried in world.store.attempts(run).values() for attempt in tried]  # type: ignore[arg-type]
    hidden += [user.password for user in world.store.users() if user.password]
    assert not [secret for secret in hidden if any(secret in text for text in said)]


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error", "where"),
    [
        ("GET", "/runs/r9", None, 404, "there is no run 'r9'", ""),
        ("GET", "/pipelines/nightli", None, 404, "there is no pipeline 'nightli'", ""),
        ("GET", "/nowhere", None, 404, "there is nothing at /api/v1/nowhere", ""),
        ("DELETE", "/runs", None, 405, "DELETE is not for /api/v1/runs", ""),
        ("GET", "/runs?state=broken", None, 422, "input should be 'queued'", "query.state"),
        ("GET", "/runs?limit=0", None, 422, "input should be greater than or equal to 1", "query.limit"),
        ("GET", "/pipelines/..%2F..%2Fetc", None, 404, "there is nothing at", ""),
        ("GET", "/pipelines/x.ipynb", None, 422, "string should match pattern", "path.pipeline"),
        ("POST", "/pipelines/nightly/runs", {"parms": {}}, 422, "extra inputs are not permitted", "body.parms"),
        ("POST", "/pipelines/nightly/runs", {"params": {"x": 1}}, 422, "", ""),
        ("POST", "/users", {"name": "eve", "role": "boss"}, 422, "input should be 'viewer'", "body.role"),
        ("POST", "/users", {"name": "eve"}, 422, "field required", "body.role"),
        (
            "POST",
            "/users",
            {"name": "eve", "role": "viewer", "password": "short"},
            422,
            "value should",
            "body.password",
        ),
        ("POST", "/tokens", {"role": "viewer", "expires": "soon"}, 422, "value error, 'soon'", "body.expires"),
        ("GET", "/pipelines/nightly/next?after=2026-03-07T12:00:00", None, 422, "", "query.after"),
        ("GET", "/pipelines/nightly/next?after=1772884800", None, 422, "", "query.after"),
        ("GET", "/pipelines/nightly/next?after=2026-03-07", None, 422, "", "query.after"),
        *(
            ("POST", "/pipelines/nightly/runs", {"logical_date": date}, 422, "value error, ", "body.logical_date")
            for date in (20260401, 1.5, "1775000000", "2026-04-01T02:00", "9999-12-31T23:59:59-12:00", True)
        ),
        *(
            ("POST", "/pipelines/nightly/backfills/preview", {"start": day, "end": "2026-04-02"}, 422, "", "body.start")
            for day in (1775001600, "1775001600", "2026-04-01T00:00Z")
        ),
    ],
)
def test_what_is_wrong_is_said(
    world: World, method: str, path: str, body: Any, status: int, error: str, where: str
) -> None:
    answer = world.ask(method, f"{API}{path}", json=body)
    said = answer.json()
    assert (answer.status_code, set(said)) == (status, {"error", "where", "hint"})
    assert said["error"].startswith(error)
    assert said["where"].startswith(where)


def test_a_body_that_is_no_json(world: World) -> None:
    answer = world.ask("POST", f"{API}/users", content="{", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]) == (400, "the body is no JSON")


def test_an_error_may_quote_half_a_character(world: World) -> None:
    body, kind = '{"params": {"half \\udcff": 1}}', {"Content-Type": "application/json"}
    answer = world.ask("POST", f"{API}/pipelines/nightly/runs", content=body, headers=kind)
    assert (answer.status_code, answer.json()["error"]) == (422, "there is no parameter 'half \\udcff'")


def test_a_database_that_is_away_is_told_and_may_be_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_: Any) -> None:
        raise Unavailable("the database does not answer", hint="Check it.")

    monkeypatch.setattr(world.store, "list_runs", away)
    answer = world.ask("GET", f"{API}/runs")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json() == {"error": "the database does not answer", "where": "", "hint": "Check it."}


def test_a_stranger_is_not_told_where_the_database_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: str) -> None:
        raise Unavailable("database postgresql://ada@10.0.0.7/db does not answer")

    monkeypatch.setattr(world.store, "holder", away)
    answer = world.ask("GET", f"{API}/runs")
    assert answer.status_code == 503
    assert answer.json()["error"] == "the database does not answer"


@pytest.mark.parametrize("error", [ZeroDivisionError("secret detail"), NbflowError("of no kind")])
def test_what_is_not_expected(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def broken(**_: Any) -> None:
        raise error

    monkeypatch.setattr(world.store, "list_runs", broken)
    answer = world.ask("GET", f"{API}/runs")
    assert answer.status_code == 500
    assert "secret detail" not in answer.text


# --- who asks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ("Bearer", "this token is not valid"),
        ("Bearer  ", "this token is not valid"),
        ("Bearer nbf_0", "this token is not valid"),
        ("nbf_0", "nobody is signed in"),
        ("Basic YWRh", "nobody is signed in"),
    ],
)
def test_a_header_that_tells_nobody(world: World, header: str, error: str) -> None:
    answer = world.ask("GET", f"{API}/me", None, headers={"Authorization": header})
    assert (answer.status_code, answer.json()["error"]) == (401, error)


def test_a_session_reads_by_its_cookie_and_acts_with_a_word_against_forgery(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbflow.api.entrance.is_password", lambda password, hashed: True)
    secret = world.entrance.sign_in("operator", PASSWORD).secret
    cookie = {"Cookie": f"nbflow={secret}"}
    assert world.get("/me", None, headers=cookie)["name"] == "operator"
    assert world.get("/me", None, headers={**cookie, "Authorization": "Basic cHJveHk="})["name"] == "operator"
    for word in ({}, {"X-Xsrf-Token": xsrf("another")}, {"X-Xsrf-Token": "ä".encode()}):
        answer = world.ask("POST", f"{API}/pipelines/nightly/runs", None, headers={**cookie, **word})
        assert (answer.status_code, answer.json()["error"]) == (403, "the header X-Xsrf-Token is missing or wrong")
    assert world.store.list_runs() == []
    world.post("/pipelines/nightly/runs", None, None, status=201, headers={**cookie, "X-Xsrf-Token": xsrf(secret)})
    world.entrance.sign_out(secret)
    assert world.ask("GET", f"{API}/me", None, headers=cookie).status_code == 401


def test_a_session_is_no_token(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbflow.api.entrance.is_password", lambda password, hashed: True)
    secret = world.entrance.sign_in("operator", PASSWORD).secret
    assert world.ask("GET", f"{API}/me", None, headers={"Authorization": f"Bearer {secret}"}).status_code == 401


def test_a_role_that_was_taken_away_is_gone_at_once(world: World) -> None:
    world.root.set_role("operator", Role.VIEWER)
    assert world.ask("POST", f"{API}/pipelines/nightly/runs", "operator").status_code == 403


# --- hosts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:8888", "nbflow.example.org", HOST])
def test_our_own_hosts(world: World, host: str) -> None:
    assert world.ask("GET", "/healthz", None, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", f"{API}/openapi.json", f"{API}/me", "/nowhere"])
@pytest.mark.parametrize("host", ["evil.example.org", "localhost.evil.org", "127.0.0.1@evil.org", "", "10.0.0.1:80"])
def test_another_host_is_refused_everywhere(world: World, host: str, path: str) -> None:
    answer = world.ask("GET", path, headers={"Host": host})
    assert (answer.status_code, answer.json()["error"]) == (421, "this host is not served here")


def test_every_answer_carries_our_headers(world: World) -> None:
    for path in ("/healthz", f"{API}/me", "/nowhere"):
        headers = world.ask("GET", path, None).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
