"""A run fails by itself, and the people who should know do: the command line, a real notebook, real mail."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from making import Project, write_notebook
from receivers import Hook, Mailbox, hook, mailbox

from nbflow.text import counted

SECRET = "hunter2hunter2"
MANIFEST = """
    name: nightly
    schedule: {cron: "0 2 * * *", timezone: America/Los_Angeles}
    alerts: {on_failure: [ops], on_recovery: [ops]}
    tasks:
      extract: {notebook: extract.ipynb}
      clean: {notebook: clean.ipynb, depends_on: extract, secrets: {PASSWORD: warehouse}}
      publish: {notebook: publish.ipynb, depends_on: clean}
      apart: {notebook: extract.ipynb}
"""
BROKEN = (
    "import os\npassword = os.environ['PASSWORD']",
    "print(f'logging in with {password}')\nfor at in range(100): print(f'line {at}')\n"
    "raise ValueError(f'bad country; {password}')",
)


@pytest.fixture(scope="module")
def post() -> Iterator[Mailbox]:
    with mailbox() as box:
        yield box


@pytest.fixture(scope="module")
def web() -> Iterator[Hook]:
    with hook() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, post: Mailbox, web: Hook) -> Project:
    project = Project(tmp_path_factory.mktemp("alerts") / "shop", NBFLOW_SECRET_WAREHOUSE=SECRET)
    urls = json.dumps([post.url, web.url])
    (project.folder / "nbflow.toml").write_text(
        f'[channels.ops]\nurls = {urls}\n[server]\nurl = "https://nbflow.example.org"\n'
    )
    project.pipeline("nightly", MANIFEST, extract="print('fine')", clean=BROKEN, publish="print('published')")
    return project


@pytest.fixture(scope="module")
def failed(project: Project) -> str:
    """A run that has failed; it may be repaired since."""
    run = project.json("run", "nightly", "--date", "2026-04-01", code=1)["run"]
    assert run["state"] == "failed"
    return str(run["id"])


FAILURE = "✕ nightly failed: clean for 2026-04-01"


def test_the_failure_mail_says_all_that_one_has_to_know(failed: str, post: Mailbox, web: Hook) -> None:
    (mail,) = [mail for mail in post.got if mail["Subject"] == FAILURE]
    text = mail.get_body(("plain",)).get_content()
    for said in (
        "ValueError: bad country; *** — in cell 3",
        "A cell raised an exception",
        "1 of 1",
        "publish",
        "Wed 2026-04-01 02:00 -07:00 (America/Los_Angeles)",
        "none is known",
        "raise ValueError(f'bad country; {password}')",
        "line 99",
        f"https://nbflow.example.org/pipelines/nightly/runs/{failed}/tasks/clean/1#c3",
    ):
        assert said in text
    assert "line 50" not in text
    posted = [id for id, got in zip(web.ids, web.got, strict=True) if got["type"] == "failure"]
    assert posted == [mail["X-Nbflow-Message"]]


def test_a_repair_that_ends_well_is_told_as_a_recovery_once(
    project: Project, failed: str, post: Mailbox, web: Hook
) -> None:
    write_notebook(project.folder / "notebooks" / "nightly" / "clean.ipynb", "print('mended')")
    project.json("rerun", failed)
    project.json("run", "nightly")
    told = project.json("alerts", "list")["messages"]
    assert [(each["kind"], each["state"]) for each in told] == [("recovered", "waiting"), ("failed", "sent")]
    subjects = [mail["Subject"] for mail in post.got if "nightly" in mail["Subject"]]
    assert subjects == [FAILURE], "the recovery is told an hour after the failure"
    assert [got["title"] for got in web.got if "nightly" in got["title"]] == [FAILURE]


def test_a_channel_is_tried_and_the_doctor_knows_what_could_not_be_sent(
    project: Project, post: Mailbox, web: Hook
) -> None:
    done = project.nbflow("alerts", "test", "ops")
    assert (done.returncode, done.stderr) == (0, "sent: 2 of 2 addresses of channel ops took it\n")
    assert post.got[-1]["Subject"] == "Test of the channel ops"
    missing = project.nbflow("alerts", "test", "opz")
    assert (missing.returncode, missing.stderr) == (
        2,
        "error: nbflow.toml has no channel 'opz'. Did you mean 'ops'?\n",
    )
    (alerts,) = [check for check in project.json("doctor")["checks"] if check["name"] == "alerts"]
    assert alerts == {"name": "alerts", "ok": True, "message": "ops", "hint": ""}


def test_a_secret_is_found_nowhere(project: Project, failed: str, post: Mailbox, web: Hook) -> None:
    """Neither in what was sent, nor in the database, the notebooks and the logs."""
    assert project.json("status", failed)["run"]["id"] == failed
    assert post.got
    assert web.got
    assert all(SECRET not in mail.as_string() for mail in post.got)
    assert all(SECRET not in str(got) for got in web.got)
    files = [Path(folder) / name for folder, _, names in os.walk(project.folder) for name in names]
    assert any(path.name == "runner.log" for path in files)
    assert any(path.name == "nbflow.db" for path in files)
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


def test_a_backup_brings_every_run_and_log_into_another_project(project: Project, failed: str, tmp_path: Path) -> None:
    """And no secret: it is opened before it is restored."""
    file = tmp_path / "backup.tar.gz"
    done = project.nbflow("db", "backup", str(file))
    assert done.returncode == 0
    assert done.stderr.startswith(f"{file}: {counted(len(project.json('runs')['runs']), 'run')}, ")
    with tarfile.open(file) as tar:
        contents = [tar.extractfile(member) for member in tar if member.isfile()]
        assert all(SECRET.encode() not in each.read() for each in contents if each)
    other = Project(tmp_path / "other")
    assert other.nbflow("db", "restore", str(file)).returncode == 0
    runs = project.json("runs")["runs"]
    assert other.json("runs")["runs"] == runs
    for run in runs:
        ours, theirs = project.json("status", run["id"]), other.json("status", run["id"])
        assert str(theirs).replace(str(other.folder), str(project.folder)) == str(ours)
    assert "bad country" in other.nbflow("logs", failed, "clean", "--attempt", "1").stdout
    again = other.nbflow("db", "restore", str(file))
    assert (again.returncode, "is not empty" in again.stderr) == (1, True)
    assert "(schema 0" in other.nbflow("db", "upgrade").stderr
