"""The command line as a program: a new project, pipes, terminals, two commands at once, what a start loads."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from making import PATIENCE, Project, eventually, kill, states


def slow(project: Project, cell: str = "time.sleep(600)") -> None:
    project.pipeline(
        "slow",
        "name: slow\ntasks:\n  wait: {notebook: wait.ipynb}\n  after: {notebook: after.ipynb, depends_on: wait}\n",
        wait=f"import pathlib, time\nprint('waiting')\n{cell}",
        after="print('after')",
    )


def is_waiting(project: Project) -> bool:
    """The cell of `slow` is running."""
    return any(
        '"waiting' in path.read_text() for path in project.folder.glob(".nbflow/runs/slow/*/wait/1/events.jsonl")
    )


# --- a new project ------------------------------------------------------------------------------------------------


def test_a_new_project_validates_and_runs_with_nothing_but_the_standard_library(tmp_path: Path) -> None:
    project = Project(tmp_path)
    (tmp_path / ".nbflow").rmdir()
    made = project.nbflow("init", "new")
    assert made.returncode == 0, made.stderr
    project.folder = tmp_path / "new"
    assert project.json("validate") == {"ok": True, "problems": []}
    (listed,) = project.json("list")["pipelines"]
    assert (listed["name"], listed["tasks"]) == ("daily_visits", 3)
    first = project.json("run", "daily_visits", "--date", "2026-04-01")
    assert states(first) == {"collect": "success", "summarise": "success", "report": "success"}
    report = project.folder / "notebooks/daily_visits/data/report_2026-04-01.md"
    before = report.read_text()
    project.json("run", "daily_visits", "--date", "2026-04-01")
    assert report.read_text() == before
    imports = {
        line.split()[1].partition(".")[0]
        for path in project.folder.rglob("daily_visits/*.ipynb")
        for cell in json.loads(path.read_text())["cells"]
        if cell["cell_type"] == "code"
        for line in "".join(cell["source"]).splitlines()
        if line.startswith(("import ", "from "))
    }
    assert imports <= sys.stdlib_module_names | {"nbflow"}
    log = project.nbflow("logs", "latest", "report", "--html", "log.html")
    assert log.returncode == 0, log.stderr
    assert "reached the checkout" in (project.folder / "log.html").read_text()


# --- terminals ----------------------------------------------------------------------------------------------------


def test_a_terminal_without_unicode_gets_something(project: Project) -> None:
    slow(project)
    done = project.nbflow("show", "slow", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert re.search(r"after +\? wait", done.stdout)


def test_colours_only_on_a_terminal(project: Project) -> None:
    project.pipeline("bad", "name: bad\ntasks:\n  one: {notebook: one.ipynb}\n", one="1 / 0")
    project.json("run", "bad", code=1)
    for words in (("status", "latest"), ("logs", "latest", "one"), ("list",), ("show", "bad")):
        assert "\x1b" not in project.nbflow(*words).stdout
    assert "\x1b[31m" in on_a_terminal(project, "logs", "latest", "one")[1]


def on_a_terminal(
    project: Project, *words: str, interrupt: bool = False, touches: tuple[str, Path] | None = None
) -> tuple[int, str]:
    """Exit code and screen of a command on a terminal of 100 × 30; `interrupt` types Ctrl-C once a cell runs.

    Of a text and a file, the file is made once the text is on the screen.
    """
    ours, its = pty.openpty()
    env = {**project.env, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    running = subprocess.Popen(
        project.command(*words), cwd=project.folder, env=env, stdin=its, stdout=its, stderr=its, start_new_session=True
    )
    os.close(its)
    screen, deadline = b"", time.monotonic() + 120
    try:
        while time.monotonic() < deadline:
            if interrupt and is_waiting(project):
                running.send_signal(signal.SIGINT)
                interrupt = False
            if not select.select([ours], [], [], 0.1)[0]:
                continue
            try:
                screen += os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if touches and touches[0].encode() in screen:
                touches[1].touch()
        return running.wait(PATIENCE), screen.decode()
    finally:
        kill(running.pid)
        running.wait(PATIENCE)
        os.close(ours)


def test_a_run_on_a_terminal_is_a_picture(project: Project) -> None:
    slow(project, "while not pathlib.Path('go').exists(): time.sleep(0.02)")
    shown = "cell 2 of 2", project.folder / "notebooks" / "slow" / "go"
    code, screen = on_a_terminal(project, "run", "slow", touches=shown)
    assert code == 0, screen
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen)
    assert re.search(r"▶ running +wait +\d.*cell 2 of 2", plain)
    assert re.search(r"○ waiting +after", plain)
    assert "2 of 2 tasks ended" in plain
    assert "✓ success  run " in plain


def test_ctrl_c_on_a_terminal(project: Project) -> None:
    slow(project)
    code, screen = on_a_terminal(project, "run", "slow", interrupt=True)
    assert code == 130, screen
    assert "cancelling: notebooks are interrupted" in screen
    assert "nbflow rerun" in screen
    assert "\x1b[?25h" in screen.rpartition("\x1b[?25l")[2]  # the cursor is back


# --- two commands at once -----------------------------------------------------------------------------------------


def test_a_run_can_be_looked_at_followed_and_cancelled_from_elsewhere(project: Project) -> None:
    slow(project)
    running = project.spawn("run", "slow")
    try:
        eventually(lambda: is_waiting(project))
        eventually(lambda: states(project.json("status", "latest")) == {"wait": "running", "after": "waiting"})
        why = project.nbflow("why", "latest", "after")
        assert why.stdout.startswith("after waits for wait, which is running")
        refused = project.nbflow("mark", "latest", "wait", "success")
        assert (refused.returncode, "--kill" in refused.stderr) == (1, True)
        follower = subprocess.Popen(
            project.command("logs", "latest", "wait", "--follow"),
            cwd=project.folder,
            env=project.env,
            stdout=subprocess.PIPE,
            text=True,
        )
        cancelled = project.nbflow("cancel", "latest", "--note", "wrong date")
        assert cancelled.returncode == 0, cancelled.stderr
        assert "is cancelled" in cancelled.stderr
        assert running.wait(PATIENCE) == 1
        said, _ = follower.communicate(timeout=PATIENCE)
        assert "waiting" in said.splitlines()
        assert "■ cancelled  wait" in said
    finally:
        kill(running.pid)
        running.wait(PATIENCE)


def test_the_next_command_closes_a_run_that_was_killed_and_says_how_to_go_on(project: Project) -> None:
    slow(project)
    running = project.spawn("run", "slow")
    eventually(lambda: is_waiting(project))
    kill(running.pid)
    running.wait(PATIENCE)
    looked = project.nbflow("status", "latest")
    assert looked.returncode == 0
    assert re.search(r"closed run \S+ as failed", looked.stderr)
    assert re.search(r"go on with it: nbflow rerun \S+", looked.stderr)
    assert "closed" not in project.nbflow("status", "latest").stderr


# --- what a start loads -------------------------------------------------------------------------------------------

NOTEBOOKS = {"papermill", "nbclient", "nbconvert", "ipykernel", "IPython", "zmq", "bleach", "matplotlib", "pandas"}
SERVER = {"panel", "bokeh", "tornado", "fastapi", "starlette", "apprise", "prometheus_client", "argon2", "nh3"}
HEAVY = NOTEBOOKS | SERVER
SERVICES = {"nbflow.engine", "nbflow.scheduler", "nbflow.service", "nbflow.executors.local", "nbflow.courier"} | {
    "nbflow.manifest.edit",
    "nbflow.workspace.library",
    "nbflow.backup",
}
RULES = {"nbflow.api", "nbflow.run", "nbflow.estimates", "nbflow.manifest"}


@pytest.mark.parametrize(
    ("words", "never"),
    [
        (
            ["--help"],
            HEAVY | RULES | {"sqlalchemy", "networkx", "pydantic", "ruamel", "nbformat", "croniter", "jinja2"},
        ),
        (["next", "--cron", "@daily"], HEAVY | {"sqlalchemy", "networkx", "ruamel", "nbformat", "jinja2"}),
        (["next", "daily"], HEAVY | SERVICES | {"sqlalchemy", "networkx", "nbformat"}),
        (["validate"], HEAVY | SERVICES | {"sqlalchemy", "networkx", "nbformat"}),
        (["list"], HEAVY | SERVICES | {"networkx"}),
        (["status", "latest"], HEAVY | SERVICES | {"networkx"}),
        (["run", "daily"], HEAVY | {"networkx", "nbformat"}),
    ],
)
def test_a_command_loads_only_what_it_needs(project: Project, words: list[str], never: set[str]) -> None:
    """The start-up time of the command line hangs on this, and this does not hang on the machine."""
    project.pipeline("daily", "name: daily\nschedule: '@daily'\ntasks:\n  one: {notebook: one.ipynb}\n", one="1")
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['nbflow', *{words!r}]\n"
        "try:\n    runpy.run_module('nbflow', run_name='__main__')\n"
        "except SystemExit:\n    print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project.folder, env=project.env, capture_output=True, text=True, check=False
    )
    modules = done.stderr.split()  # whatever the command's exit code is
    loaded = {*modules, *(name.partition(".")[0] for name in modules)}
    assert "typer" in loaded
    assert not loaded & never
