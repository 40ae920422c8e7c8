"""What a kernel finds and leaves behind: environment, folder, parameters, sockets, descriptors, its own last words."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from attempts import LATE, Attempt, code, notebook, text
from flying import HOUR

from nbflow.model import Param
from nbflow.states import AttemptState, Cause


@pytest.fixture(scope="session")
def bash(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which the kernel `bash` is installed; it is no ipykernel to us, and speaks TCP."""
    prefix = tmp_path_factory.mktemp("prefix")
    install = [sys.executable, "-m", "bash_kernel.install", "--prefix", str(prefix)]
    subprocess.run(install, check=True, capture_output=True, timeout=60)
    return {"JUPYTER_PATH": str(prefix / "share" / "jupyter")}


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A user's runtime folder: its path is short enough for sockets, as pytest's own folders are not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder).resolve()


def test_what_a_kernel_finds(tmp_path: Path, runtime: Path) -> None:
    source = """
import os, sys
import helpers
interesting = {name: value for name, value in os.environ.items() if name.startswith(("NBFLOW", "MY_", "XDG_RUN"))}
links = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
marker = [link for link in links if link.endswith("marker")]
connection = sys.argv[sys.argv.index("-f") + 1]
facts = dict(env=interesting, cwd=os.getcwd(), marker=marker, session=os.getsid(0) == os.getpid(),
             sockets=sorted(os.listdir(os.path.dirname(connection))), folder=os.path.dirname(connection),
             mode=os.stat(os.path.dirname(connection)).st_mode & 0o777, helper=helpers.NAME)
print(facts)"""
    attempt = Attempt(tmp_path, notebook(source), env={"MY_REGION": "emea"})
    (attempt.project / "helpers.py").write_text("NAME = 'beside the notebook'")
    attempt.run(XDG_RUNTIME_DIR=str(runtime), NBFLOW_SECRET_OTHER="not for everybody")
    facts = ast.literal_eval(attempt.shown(1))
    assert facts["env"] == {
        "MY_REGION": "emea",
        "NBFLOW_RUN_ID": "r1",
        "NBFLOW_RUN_DATE": "2026-04-01",
        "NBFLOW_TASK": "clean",
        "NBFLOW_ATTEMPT": "1",
        "NBFLOW_ATTEMPT_TOKEN": attempt.order.token,
        "XDG_RUNTIME_DIR": str(runtime),
    }
    assert facts["cwd"] == str(attempt.project)
    assert facts["marker"] == [str(attempt.folder.marker)]
    assert facts["session"] is True
    assert facts["helper"] == "beside the notebook"
    assert facts["folder"] == str(runtime / f"nbflow-{os.getuid()}" / attempt.order.token[:12])
    assert facts["mode"] == 0o700
    assert facts["sockets"] == ["kernel-1", "kernel-2", "kernel-3", "kernel-4", "kernel-5", "kernel.json"]


def test_parameters_arrive_as_what_they_are(tmp_path: Path) -> None:
    declared = """
from datetime import date
import datetime as dt
run_date: date = date(2020, 1, 1)
moment: "date | None" = None
until: dt.datetime = None
ratio: float = 0.5
big, names, nothing = 0, [], 1"""
    source = "print(repr(run_date), repr(moment), repr(until), ratio, big == 2**70, names, nothing, dt.__name__)"
    params = {
        "run_date": "2026-04-01", "moment": None, "until": "2026-04-01T07:00:00Z",
        "ratio": 1e300, "big": 2**70, "names": ["a", 'b"{c}', "ü\n"], "nothing": None,
    }  # fmt: skip
    types = {"run_date": "date", "moment": "date | None", "until": "dt.datetime", "ratio": "float"}
    old = code("# Parameters\nrun_date = 'of an earlier run'", "injected-parameters")
    attempt = Attempt(
        tmp_path,
        notebook(text("# Title"), code(declared, "parameters"), old, code(source)),
        params=params,
        declared=tuple(Param(name=name, type=kind) for name, kind in types.items()),
    ).run()
    assert attempt.outcome.state is AttemptState.SUCCESS
    assert attempt.shown(3) == (
        "datetime.date(2026, 4, 1) None "
        "datetime.datetime(2026, 4, 1, 7, 0, tzinfo=datetime.timezone.utc) "
        "1e+300 True ['a', 'b\"{c}', 'ü\\n'] None datetime\n"
    )
    assert attempt.states == {None: "success", 2: "success", 3: "success"}
    assert attempt.cell(None).source.startswith(
        '# Parameters\nfrom datetime import date\n\nrun_date = date.fromisoformat("2026-04-01")\n'
    )
    assert attempt.notebook.metadata.papermill.parameters["run_date"] == "2026-04-01"
    assert attempt.notebook.metadata.papermill.input_path == "source.ipynb"


def test_a_date_that_is_none(tmp_path: Path) -> None:
    declared = (Param(name="run_date", type="date"),)
    attempt = Attempt(tmp_path, notebook("1"), params={"run_date": "yesterday"}, declared=declared).run()
    assert attempt.outcome.cause is Cause.INVALID
    assert "the parameter 'run_date' is to be a date, and 'yesterday' is none" in attempt.outcome.reason
    assert attempt.states == {1: "not_run"}


def test_a_notebook_of_an_old_format(tmp_path: Path) -> None:
    old = nbformat.v3.new_notebook(
        worksheets=[
            nbformat.v3.new_worksheet(
                cells=[nbformat.v3.new_heading_cell("Old"), nbformat.v3.new_code_cell("print('upgraded')")]
            )
        ]
    )
    attempt = Attempt(tmp_path, nbformat.v3.writes_json(old)).run()
    assert attempt.outcome.state is AttemptState.SUCCESS
    assert attempt.shown(2) == "upgraded\n"
    assert attempt.notebook.nbformat == 4


def test_exit_handlers_run_and_raw_output_is_kept(tmp_path: Path) -> None:
    source = """
import atexit, os, pathlib, subprocess, sys, time
def at_exit():
    time.sleep(0.3)
    pathlib.Path("flushed").write_text("yes")
    os.write(2, b"written at exit\\n")
atexit.register(at_exit)
sleeper = subprocess.Popen(["sleep", "1000"], start_new_session=True)
print(sleeper.pid)"""
    attempt = Attempt(tmp_path, notebook(source)).run()
    assert attempt.outcome.state is AttemptState.SUCCESS
    assert (attempt.project / "flushed").read_text() == "yes"


@pytest.mark.parametrize(("seconds", "finalised"), [(0.3, True), (600, False)])
def test_a_kernel_is_waited_for_as_long_as_it_can_end(tmp_path: Path, seconds: float, finalised: bool) -> None:
    attempt = Attempt(tmp_path, notebook(LATE.format(seconds=seconds))).run(
        before="import datetime, nbflow.notebooks.execution as e; e.GRACE = datetime.timedelta(minutes=10)"
    )
    assert attempt.outcome.state is AttemptState.SUCCESS
    assert (attempt.project / "flushed").read_text() == "yes"
    assert (attempt.project / "finalised").exists() is finalised
    assert attempt.processes() == []


def test_exit_handlers_have_a_limit(tmp_path: Path) -> None:
    source = "import atexit, time\natexit.register(time.sleep, 600)"
    attempt = Attempt(tmp_path, notebook(source)).run(
        before="import datetime, nbflow.notebooks.execution as e; e.GRACE = datetime.timedelta(seconds=1)"
    )
    assert attempt.outcome.state is AttemptState.SUCCESS
    assert attempt.processes() == []


def test_a_kernel_that_never_says_that_it_is_done(tmp_path: Path) -> None:
    deaf = "import nbflow.notebooks.execution as e; from nbflow.notebooks.listener import Listener; e.SILENCE = 2; "
    deaf += "take = Listener.take; Listener.take = lambda *about: take(*about) and False"
    attempt = Attempt(tmp_path, notebook("print('one')", "print('two')")).run(before=deaf)
    assert attempt.outcome.state is AttemptState.SUCCESS
    assert attempt.shown(1) == "one\n[nbflow] The kernel did not say that it was done; output may be missing.\n"
    assert attempt.shown(2).startswith("two\n")


def test_a_reply_that_is_lost(tmp_path: Path) -> None:
    mute = "import asyncio, nbflow.notebooks.execution as e; from nbflow.notebooks.client import Client; "
    mute += "e.LATE_REPLY = 0.3; Client.reply_to = lambda *about: asyncio.sleep(99)"
    attempt = Attempt(tmp_path, notebook("print('one')", "2")).run(before=mute)
    assert attempt.outcome.reason == "NoReply: the kernel did not say how the cell ended"
    assert attempt.states == {1: "failed", 2: "not_run"}
    assert attempt.shown(1) == "one\n"


def test_raw_output_goes_to_the_runners_log(tmp_path: Path) -> None:
    source = "import os, sys\nprint('past the front end', file=sys.__stderr__, flush=True)\nos.abort()"
    attempt = Attempt(tmp_path, notebook(source)).run()
    assert attempt.outcome.cause is Cause.KERNEL_DIED
    assert (attempt.outcome.signal, attempt.outcome.exit_code) == (6, None)
    assert "past the front end" in (attempt.folder.log).read_text()


# --- another kernel -------------------------------------------------------------------------------------------------


def test_a_kernel_that_is_not_pythons(tmp_path: Path, bash: dict[str, str]) -> None:
    book = notebook("echo $region $KEY $NBFLOW_TASK", "ls /nowhere", "echo never", kernel="bash", language="bash")
    attempt = Attempt(tmp_path, book, kernel="bash", params={"region": "em ea"}, secrets={"KEY": "key"})
    attempt.run(NBFLOW_SECRET_KEY="a-long-secret", **bash)
    outcome = attempt.outcome
    assert (outcome.state, outcome.cause, outcome.failing_cell) == (AttemptState.FAILED, Cause.ERROR, 2)
    assert outcome.error is not None
    assert (outcome.error.name, outcome.error.message, outcome.error.bases) == ("Error", "2", ())
    assert attempt.shown(1) == "em ea *** clean\n"
    assert attempt.states == {None: "success", 1: "success", 2: "failed", 3: "not_run"}
    assert attempt.document["kernel"]["language"] == "bash"


def test_another_kernel_is_interrupted(tmp_path: Path, bash: dict[str, str]) -> None:
    book = notebook("echo begun; sleep 600", "echo never", kernel="bash", language="bash")
    attempt = Attempt(tmp_path, book, kernel="bash", cell_timeout=HOUR).run_too_long(**bash)
    assert (attempt.outcome.cause, attempt.outcome.failing_cell) == (Cause.TIMEOUT, 1)
    assert attempt.shown(1).startswith("begun\n")
    assert "ran longer than 60 min" in attempt.shown(1)
    assert attempt.states == {1: "failed", 2: "not_run"}


def test_parameters_that_a_language_has_no_words_for(tmp_path: Path, bash: dict[str, str]) -> None:
    attempt = Attempt(
        tmp_path, notebook("1", kernel="bash", language="bash"), kernel="bash", params={"table": {"a": 1}}
    ).run(**bash)
    assert attempt.outcome.cause is Cause.INVALID
    assert "the parameters cannot be injected" in attempt.outcome.reason
    assert attempt.states == {1: "not_run"}


def test_a_kernel_is_interrupted_by_message(tmp_path: Path) -> None:
    """Kernels say in their description how they want to be interrupted."""
    spec = tmp_path / "jupyter" / "kernels" / "by_message"
    spec.mkdir(parents=True)
    argv = '["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]'
    (spec / "kernel.json").write_text(
        f'{{"argv": {argv}, "display_name": "M", "language": "python", "interrupt_mode": "message"}}'
    )
    source = """
import signal, time
print("begun", flush=True)
time.sleep(600)"""
    attempt = Attempt(tmp_path, notebook(source), kernel="by_message", cell_timeout=HOUR)
    attempt.run_too_long(
        before="import nbflow.notebooks.kernels as k; k.Manager.signal_kernel = k.Manager._async_signal_kernel = None",
        JUPYTER_PATH=str(tmp_path / "jupyter"),
    )
    assert attempt.outcome.cause is Cause.TIMEOUT
    assert "KeyboardInterrupt" in attempt.shown(1)
