"""The editor without a browser: orders in, the sheet out, over real requests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from app_server import Running, served
from app_world import CHAIN, World
from making import write_notebook
from nbflow_app import routes
from nbflow_app.editing import MOST_COMMANDS
from nbflow_app.routes import EDIT, EDIT_FORMS, EDIT_PAGES

from nbflow.api import Role
from nbflow.errors import NotAllowed

ORDERS = ("commands", "undo", "redo", "text", "arrange")
EVERYTHING = [
    re.sub(r"\(\?P<(\w+)>[^)]*\)", lambda found: {"pipeline": "nightly", "task": "clean"}[found[1]], pattern)
    for pattern, *_ in (*EDIT_PAGES, *EDIT_FORMS, *routes.ORDERS, (f"{EDIT}/sheet",))
]
"""Every address of the editor."""


class Editor:
    """One person who edits one pipeline."""

    def __init__(self, client: httpx.Client, name: str) -> None:
        self.client, self.path, self._ids = client, f"/pipelines/{name}/edit", count()
        page = client.get(self.path)
        assert page.status_code == 200, page.text
        client.headers["X-Xsrftoken"] = page.text.split('data-xsrf="')[1].split('"')[0]

    def post(self, order: str, **body: Any) -> httpx.Response:
        return self.client.post(f"{self.path}/{order}", json={"id": f"{next(self._ids)}", **body})

    def order(self, order: str, **body: Any) -> dict[str, Any]:
        answer = self.post(order, **body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def do(self, *commands: dict[str, Any]) -> dict[str, Any]:
        return self.order("commands", commands=commands)

    def sheet(self) -> dict[str, Any]:
        return dict(self.client.get(f"{self.path}/sheet").json())


names = (f"nightly_{number}" for number in count())


@pytest.fixture
def editor(running: Running) -> Iterator[Editor]:
    name = running.world.pipeline(CHAIN.replace("name: nightly", f"name: {next(names)}"))
    with running.client() as client:
        yield Editor(client, name)


def connect(up: str, down: str) -> dict[str, str]:
    return {"do": "connect", "up": up, "down": down}


# --- the sheet --------------------------------------------------------------------------------------------------------


def test_the_sheet_says_all_that_the_page_shows(editor: Editor) -> None:
    sheet = editor.sheet()
    assert {key: sheet[key] for key in ("changed", "can_undo", "can_redo", "stale", "said", "problems")} == {
        "changed": False, "can_undo": False, "can_redo": False, "stale": False, "said": "", "problems": [],
    }  # fmt: skip
    assert sheet["text"] == CHAIN.replace("nightly", editor.path.split("/")[2])
    assert sheet["edges"] == [["extract", "clean"], ["clean", "report"]]
    assert [task["name"] for task in sheet["tasks"]] == ["extract", "clean", "report"]
    assert {task["placed"] for task in sheet["tasks"]} == {False}
    assert sheet["tasks"][0]["x"] < sheet["tasks"][1]["x"] < sheet["tasks"][2]["x"]


def test_a_command_changes_the_sheet_and_the_manifest_stays(editor: Editor, running: Running) -> None:
    before = editor.sheet()
    sheet = editor.do(
        {"do": "add_task", "name": "mail", "notebook": "a.ipynb", "after": ["report"], "position": [900, 40.5]},
        {"do": "set_task_key", "task": "mail", "key": "retries", "value": 3},
        {"do": "set_task_key", "task": "mail", "key": "timeout", "value": "1h"},
    )
    mail = sheet["tasks"][-1]
    assert (mail["x"], mail["y"], mail["placed"], mail["detail"]) == (900, 40.5, True, "3 retries · up to 1h")
    assert ["report", "mail"] in sheet["edges"]
    assert sheet["said"] == "mail was added after report, and 2 more changes"
    assert (sheet["changed"], sheet["can_undo"], sheet["version"]) == (True, True, before["version"] + 1)
    assert "mail" not in (running.world.folder / editor.path.split("/")[2] / "pipeline.yaml").read_text()
    undone = editor.order("undo")
    assert undone["text"] == before["text"]
    assert editor.order("redo")["text"] == sheet["text"]


def test_keys_that_nbflow_cannot_run_yet_are_kept_and_marked(running: Running) -> None:
    text = "name: loops\ntasks:\n  a: {notebook: a.ipynb, for_each: [1, 2], resources: {gpu: 1}}\n"
    with running.client() as client:
        editor = Editor(client, running.world.pipeline(text))
        task = editor.do({"do": "set_task_key", "task": "a", "key": "timeout", "value": "1h"})["tasks"][0]
        assert (task["kept"], task["problems"], task["detail"]) == (["for_each", "resources"], 2, "up to 1h")
        assert "for_each: [1, 2], resources: {gpu: 1}, timeout: 1h" in editor.sheet()["text"]


def test_what_is_sent_twice_is_done_once(editor: Editor) -> None:
    body = {"id": "the same", "commands": [{"do": "duplicate_task", "name": "report", "copy": "copy"}]}
    one, two = (editor.client.post(f"{editor.path}/commands", json=body).json() for _ in range(2))
    assert one == two
    editor.order("undo", id="u")
    assert not editor.order("undo", id="u")["can_undo"]


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (connect("report", "extract"), 400, "cycle: extract → clean → report → extract"),
        (connect("nope", "extract"), 404, "there is no task 'nope'"),
        ({"do": "add_task", "name": "clean", "notebook": "b.ipynb"}, 409, "there is already a task 'clean'"),
        ({"do": "explode"}, 400, "there is no command 'explode'"),
        ("explode", 400, "a command must be a mapping"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(editor: Editor, command: Any, code: int, said: str) -> None:
    before = editor.sheet()
    answer = editor.post("commands", commands=[{"do": "set_pipeline_key", "path": "owner", "value": "me"}, command])
    assert (answer.status_code, said in answer.json()["error"]) == (code, True), answer.text
    assert {"error", "where", "hint"} == answer.json().keys()
    assert editor.sheet() == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"id": "x"}',
        b'{"commands": []}',
        b'{"id": "", "commands": []}',
        b'{"id": 1, "commands": []}',
    ],
)
def test_a_body_that_makes_no_sense_is_refused(editor: Editor, body: bytes) -> None:
    assert editor.client.post(f"{editor.path}/commands", content=body).status_code == 400


def test_too_many_commands_at_once_are_refused(editor: Editor) -> None:
    many = [{"do": "set_pipeline_key", "path": "owner", "value": "me"}] * (MOST_COMMANDS + 1)
    assert editor.post("commands", commands=many).status_code == 400


def test_arranging_takes_the_positions_out(editor: Editor) -> None:
    before = editor.sheet()
    moved = editor.do({"do": "move_task", "name": "clean", "position": [5, 6]})
    assert moved["tasks"][1]["placed"]
    editor.do({"do": "move_task", "name": "report", "position": [7, 8]})
    arranged = editor.order("arrange")
    assert arranged["tasks"] == before["tasks"]
    assert arranged["said"] == "2 tasks stand where the layout puts them"


# --- text and problems ------------------------------------------------------------------------------------------------


def test_a_text_is_taken_as_it_was_typed_with_its_problems(editor: Editor) -> None:
    before = editor.sheet()
    typed = before["text"].replace("depends_on: extract", "depends_on: [extarct]")
    sheet = editor.order("text", text=typed, version=before["version"])
    problem = sheet["problems"][0]
    assert (problem["severity"], problem["task"], problem["line"]) == ("error", "clean", 11)
    assert "'extarct', which does not exist" in problem["message"]
    assert problem["hint"] == "Did you mean 'extract'?"
    assert sheet["edges"] == [["clean", "report"]]
    broken = editor.order("text", text=typed + "  [", version=sheet["version"])
    assert broken["text"].endswith("  [")
    assert broken["edges"] == sheet["edges"], "the canvas shows the last text that could be read"
    assert "not valid YAML" in broken["problems"][0]["message"]
    assert editor.post("commands", commands=[connect("extract", "report")]).status_code == 400


def test_a_text_typed_into_an_old_version_overwrites_nothing(editor: Editor) -> None:
    before = editor.sheet()
    editor.do(connect("extract", "report"))
    answer = editor.post("text", text=before["text"] + "# mine\n", version=before["version"])
    assert answer.status_code == 409
    assert "changed elsewhere" in answer.json()["error"]
    assert ["extract", "report"] in editor.sheet()["edges"]


@pytest.mark.parametrize("body", [{"text": 1, "version": 1}, {"text": "x"}, {"text": "x", "version": True}])
def test_a_text_without_its_version_is_refused(editor: Editor, body: dict[str, Any]) -> None:
    assert editor.post("text", **body).status_code == 400


def test_the_problems_are_those_of_validate(editor: Editor, running: Running) -> None:
    name = editor.path.split("/")[2]
    folder = running.world.folder / name
    write_notebook(folder / "p.ipynb", "print(day)", parameters="day: str")
    sheet = editor.do(
        {"do": "add_task", "name": "p", "notebook": "p.ipynb"},
        {"do": "add_task", "name": "q", "notebook": "none.ipynb"},
        {"do": "set_task_key", "task": "q", "key": "pool", "value": "x"},
    )
    (folder / "pipeline.yaml").write_text(sheet["text"])
    found = running.world.api().validate([str(folder)])[0].problems
    assert [(each["message"], each["hint"], each["line"], each["column"]) for each in sheet["problems"]] == [
        (each.message, each.hint, each.line, each.column) for each in found
    ]
    assert len(found) == 3


def test_a_manifest_that_never_could_be_read_can_be_mended(running: Running) -> None:
    name = running.world.pipeline("name: torn\ntasks: [\n")
    with running.client() as client:
        editor = Editor(client, name)
        before = editor.sheet()
        assert (before["tasks"], before["unread"], len(before["problems"])) == ([], True, 1)
        text = "name: torn\ntasks: {a: {notebook: a.ipynb}}\n"
        mended = editor.order("text", text=text, version=before["version"])
        assert (mended["problems"], mended["unread"]) == ([], False)


def test_a_cycle_that_somebody_wrote_is_drawn_and_can_be_cut(running: Running) -> None:
    text = "name: round\ntasks:\n  a: {notebook: a.ipynb, depends_on: b}\n  b: {notebook: a.ipynb, depends_on: a}\n"
    with running.client() as client:
        editor = Editor(client, running.world.pipeline(text))
        assert sorted(editor.sheet()["edges"]) == [["a", "b"], ["b", "a"]]
        assert editor.do({"do": "disconnect", "up": "b", "down": "a"})["problems"] == []


# --- the page, two windows, two people --------------------------------------------------------------------------------


def test_the_page_has_the_draft_in_it(editor: Editor) -> None:
    editor.do(connect("extract", "report"))
    page = editor.client.get(editor.path).text
    assert '["extract", "report"]' in page
    assert 'id="canvas"' in page
    assert "unsafe-eval" in editor.client.get(editor.path).headers["Content-Security-Policy"]


def test_two_windows_of_one_person_edit_one_draft(editor: Editor, running: Running) -> None:
    with running.client() as client:
        other = Editor(client, editor.path.split("/")[2])
        other._ids = count(1000)
        editor.do(connect("extract", "report"))
        assert other.do({"do": "set_pipeline_key", "path": "owner", "value": "me"})["edges"][-1] == [
            "extract",
            "report",
        ]
        assert "owner: me" in editor.sheet()["text"]


def test_two_people_have_drafts_of_their_own(running: Running) -> None:
    name = running.world.pipeline(CHAIN.replace("name: nightly", "name: shared"))
    ada, bob = running.world.api(Role.EDITOR, "ada"), running.world.api(Role.EDITOR, "bob")
    ada.discard_draft(name)
    assert ada.draft(name).draft.text == bob.draft(name).draft.text
    ada.write_draft(name, "1", "name: shared\n", seen=ada.draft(name).draft.version)
    assert not bob.draft(name).draft.is_changed


def test_a_draft_in_which_nothing_is_changed_follows_the_manifest(editor: Editor, running: Running) -> None:
    editor.do(connect("extract", "report"))
    editor.order("undo")
    path = running.world.folder / editor.path.split("/")[2] / "pipeline.yaml"
    path.write_text(path.read_text().replace("finance", "sales"))
    assert "owner: sales" in editor.sheet()["text"]
    assert not editor.sheet()["stale"]


def test_somebody_elses_save_is_seen(editor: Editor, running: Running) -> None:
    editor.do(connect("extract", "report"))
    path = running.world.folder / editor.path.split("/")[2] / "pipeline.yaml"
    path.write_text(path.read_text().replace("finance", "sales"))
    sheet = editor.sheet()
    assert sheet["stale"]
    assert "owner: finance" in sheet["text"], "what I did is still what I see"


# --- roles ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_only_editors_edit(tmp_path: Path, role: Role) -> None:
    world = World(tmp_path)
    world.pipeline()
    with served(world, role=role) as running, running.client() as client:
        page = client.get("/pipelines/nightly")
        client.headers["X-Xsrftoken"] = client.cookies.get("nbflow-xsrf", "")
        for path in EVERYTHING:
            assert client.get(path).status_code in {403, 405}, path
            assert client.post(path, json={"id": "1", "commands": [], "text": ""}).status_code in {403, 405}, path
            assert 403 in {client.get(path).status_code, client.post(path, json={}).status_code}, path
    assert "/edit" not in page.text
    api = world.api(role)
    for verb in (
        lambda: api.draft("nightly"),
        lambda: api.edit_draft("nightly", "1", []),
        lambda: api.write_draft("nightly", "1", "", seen=1),
        lambda: api.undo_draft("nightly", "1"),
        lambda: api.redo_draft("nightly", "1"),
        lambda: api.discard_draft("nightly"),
    ):
        with pytest.raises(NotAllowed):
            verb()


def test_orders_need_the_token(editor: Editor) -> None:
    del editor.client.headers["X-Xsrftoken"]
    for order in ORDERS:
        assert editor.post(order, commands=[], text="", version=1).status_code == 403


def test_editors_find_the_editor_on_the_page_of_a_pipeline(editor: Editor) -> None:
    assert f'href="{editor.path}"' in editor.client.get(editor.path.removesuffix("/edit")).text
