"""Forked kernels: the same as fresh ones in everything but time, and nothing of them stays behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import pytest
from making import PATIENCE, Project, eventually, kill, write_notebook
from proc import children_of, originals

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can fork kernels")

REPORT = "from nbflow import task\n"

# What a notebook can see of the process it runs in.
SURROUNDINGS = {
    "argv": "import sys; task.output('seen', [sys.argv[0], len(sys.argv), sys.argv[1]])",
    "path": "import sys; task.output('seen', sys.path)",
    "folder": "import os; task.output('seen', os.getcwd())",
    "umask": "import os; mask = os.umask(0); os.umask(mask); task.output('seen', mask)",
    "environment": (
        "import os; task.output('seen', {k: v for k, v in sorted(os.environ.items()) if k not in "
        "('NBFLOW_ATTEMPT_TOKEN', 'NBFLOW_RUN_ID', 'JPY_PARENT_PID', '_')})"
    ),
    "descriptors": (
        "import os\n"
        "links = [os.readlink(f'/proc/self/fd/{n}').split(':')[0] for n in (1, 2)]\n"
        "task.output('seen', [len(os.read(0, 1)), *links])"
    ),
    "threads": (  # less the one that watches a cold kernel's parent
        "import threading; names = sorted(t.name for t in threading.enumerate())\n"
        "task.output('seen', [name for name in names if not name.startswith('Thread-')])"
    ),
    "signals": (
        "import signal\n"
        "task.output('seen', [str(signal.getsignal(n)) for n in (signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE)])"
    ),
    "session": "import os; task.output('seen', [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()])",
    "limits": (
        "import resource; task.output('seen', {n: resource.getrlimit(getattr(resource, n)) "
        "for n in dir(resource) if n.startswith('RLIMIT_')})"
    ),
    "main": "import sys; task.output('seen', [__name__, sys.modules['__main__'].__name__, sys.flags.interactive])",
    "recursion": "import sys; task.output('seen', [sys.getrecursionlimit(), sys.getswitchinterval()])",
    "locale": "import locale, time; task.output('seen', [locale.getlocale(), time.tzname])",
    "encoding": "import sys; task.output('seen', [sys.stdout.encoding, sys.getfilesystemencoding()])",
    "interactivity": "task.output('seen', get_ipython().ast_node_interactivity)",
    "settings": (
        "shell = get_ipython()\n"
        "seen = [shell.history_manager.enabled, shell.kernel._execute_sleep, sorted(shell.config)]\n"
        "assert seen[:2] == [False, 0.0], seen\n"
        "task.output('seen', seen)"
    ),
    "history": "get_ipython().run_line_magic('history', '-n')",
    "collector": "import gc; task.output('seen', [gc.isenabled(), gc.get_threshold(), gc.get_debug()])",
    "warnings": "import warnings; task.output('seen', len(warnings.filters) > 0)",
    "loop": "import asyncio; task.output('seen', type(asyncio.get_running_loop()).__name__)",
    "hooks": "import sys; task.output('seen', [sys.displayhook.__class__.__name__, sys.gettrace(), sys.getprofile()])",
    "data": "task.output('seen', __import__('pathlib').Path('data.txt').read_text())",
    "helper": "import helper; task.output('seen', helper.VALUE)",
}

# What an interpreter does at its end, after the atexit handlers.
FINALIZERS = """
import os, weakref
import helper
os.mkdir("{folder}")
class Noisy:
    def __init__(self, name): self.name, self.me = name, self
    def __del__(self, open=open): open("{folder}/ended.txt", "a").write(self.name + "\\n")
here, helper.there = Noisy("global"), Noisy("module")
Noisy.held = Noisy("class")
weakref.finalize(Noisy, lambda: open("{folder}/ended.txt", "a").write("finalize\\n"))
unclosed = open("{folder}/unclosed.txt", "w"); unclosed.write("flushed")
Noisy("history")"""

# What it can do.
DOINGS = {
    "prints": "for at in range(3): print(at)",
    "stderr": "import sys; print('to stderr', file=sys.stderr)",
    "raw": "import os; os.write(1, b'straight to the descriptor\\n'); os.system('echo from a shell')",
    "value": "{'a': [1, 2.5, None], 'b': (1, 2)}",
    "html": "from IPython.display import HTML; HTML('<b>bold</b>')",
    "updates": "from IPython.display import display; h = display('one', display_id='x'); h.update('two')",
    "clears": "from IPython.display import clear_output; print('gone'); clear_output(); print('stays')",
    "subprocess": "import subprocess; print(subprocess.run(['echo', 'hi'], capture_output=True, text=True).stdout)",
    "bang": "!echo from the shell",
    "magic": "%timeit -n1 -r1 -q 1",
    "threads_at_work": (
        "import threading\n"
        "done = []\n"
        "workers = [threading.Thread(target=done.append, args=(n,)) for n in range(9)]\n"
        "[w.start() for w in workers]; [w.join() for w in workers]; print(sorted(done))"
    ),
    "pool": (
        "from concurrent.futures import ProcessPoolExecutor\n"
        "with ProcessPoolExecutor(2) as pool: print(list(pool.map(abs, [-1, -2])))"
    ),
    "spawned": (
        "import multiprocessing\n"
        "with multiprocessing.get_context('spawn').Pool(1) as pool: print(pool.map(abs, [-1, -2]))"
    ),
    "memory": "block = bytearray(200 * 1024**2); print(len(block))",
    "asynchronous": "import asyncio; await asyncio.sleep(0.01); print('awaited')",
    "seeded": "import random; random.seed(7); print(random.random())",
    "plot": (
        "import matplotlib.pyplot as plt\n"
        "fig, ax = plt.subplots(); ax.plot([1, 2, 3]); print(plt.get_fignums(), plt.get_backend())"
    ),
    "numpy_seeded": "import numpy; numpy.random.seed(3); print(numpy.random.random())",
    "sqlite": "import sqlite3; print(sqlite3.connect(':memory:').execute('select 1').fetchone())",
    "atexit": "import atexit; atexit.register(lambda: open('atexit.txt', 'w').write('ran')); print('registered')",
    "finalizers": FINALIZERS.format(folder="plain"),
    "finalizers_and_libraries": "import pandas\n" + FINALIZERS.format(folder="libraries"),
    "widgets": "from IPython import get_ipython; print(type(get_ipython()).__name__)",
    "completer": "print(get_ipython().complete('impor')[1][:1])",
}

# How it can end.
ENDINGS = {
    "raises": "raise ValueError('bad country')",
    "chained": "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise RuntimeError('second') from error",
    "own_class": "class Odd(LookupError): ...\nraise Odd('odd')",
    "syntax": "def",
    "name": "print(nothing_of_that_name)",
    "asserts": "assert 1 == 2, 'no'",
    "exits_well": "import sys; sys.exit(0)",
    "exits_badly": "import sys; sys.exit(3)",
    "quits": "quit()",
    "dies": "import os; os._exit(7)",
    "killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "segfault": "import ctypes; ctypes.string_at(0)",
    "terminated": "import os, signal; os.kill(os.getpid(), signal.SIGTERM); import time; time.sleep(30)",
    "asks": "input('name?')",
    "unknown_magic": "%nothing_of_that_name",
    "unknown_cell_magic": "%%nothing_of_that_name\n1",
    "skips": "task.skip('nothing to do')",
    "hangs": "import time; time.sleep(600)",
    "hangs_in_c": (
        "import ctypes, signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\nctypes.PyDLL(None).sleep(99)"
    ),
    "out_of_memory": (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30)); block = bytearray(2**31)"
    ),
    "too_large_a_value": "task.output('rows', 'x' * 70_000)",
    "interrupted": "raise KeyboardInterrupt",
    "deep": "def down(): down()\ntry: down()\nexcept RecursionError as error: print(error)\nassert False",
    "leaves_children": (
        "import subprocess\n"
        "for fresh in (True, False): subprocess.Popen(['sleep', '61'], start_new_session=fresh, env={})\n"
        "print('left two')"
    ),
}

RAW = "raw"
"""What it writes past Python is read by a thread of the kernel, perhaps only when the next cell has begun."""

CASES = {**SURROUNDINGS, **DOINGS, **ENDINGS}


# Only what hangs may run into its limit; any other cell may have to wait for a busy machine.
HANGS = {"hangs", "hangs_in_c"}


def manifest(names: list[str]) -> str:
    limits = {name: ", cell_timeout: 3s" if name in HANGS else "" for name in names}
    tasks = [f"  {name}: {{notebook: {name}.ipynb, allow_failure: true{limit}}}" for name, limit in limits.items()]
    return "\n".join(["name: cases", "tasks:", *tasks])


def run_cases(folder: Path, cases: Mapping[str, str], **env: str) -> dict[str, Any]:
    project = Project(folder, **env)
    home = project.pipeline("cases", manifest(list(cases)))
    (home / "data.txt").write_text("beside the notebook")
    (home / "helper.py").write_text("VALUE = 42\n")
    for name, code in cases.items():
        before = [] if name in HANGS else [REPORT]  # that cell would have their limit
        write_notebook(home / f"{name}.ipynb", *before, code, "print('the end')")
    document = project.json("run", "cases", timeout=900)
    return {task["id"]: task for task in document["tasks"]}


def run_all(folder: Path, mode: str) -> dict[str, Any]:
    tasks = run_cases(folder, CASES, NBFLOW_KERNELS_START=mode)
    home = folder / "notebooks" / "cases"
    assert (home / "atexit.txt").read_text() == "ran"
    for end in ("plain", "libraries"):
        assert (home / end / "unclosed.txt").read_text() == "flushed"
        ended = sorted((home / end / "ended.txt").read_text().split())
        assert ended == ["class", "finalize", "global", "history", "module"]
    return tasks


VARIES = [
    (re.compile(r"0x[0-9a-f]+"), "0x…"),
    (re.compile(r"ipykernel_\d+/\d+\.py"), "cell.py"),
    (re.compile(r"/tmp/\S*?/project[-\w]*"), "PROJECT"),
    (re.compile(r"used up to [\d.]+ [MG]iB"), "used up to some memory"),
    (re.compile(r"nbflow-\d+/[0-9a-f]{12}"), "nbflow-0/token"),
]


def plain(value: Any) -> str:
    """The value as text, without what no two processes have in common."""
    text = str(value)
    for pattern, stand_in in VARIES:
        text = pattern.sub(stand_in, text)
    return text


def essence(task: dict[str, Any]) -> dict[str, str]:
    (attempt,) = task["attempts"]
    log = nbformat.read(attempt["notebook"], as_version=4)
    cells = [
        (cell.metadata.get("nbflow", {}).get("state"), [strip(output) for output in cell.get("outputs", [])])
        for cell in log.cells
        if "nbflow" in cell.metadata
    ]
    if task["id"] == RAW:
        cells = [sorted("".join(output.get("text", "") for _, outputs in cells for output in outputs).splitlines())]
    known = ("state", "cause", "reason", "outputs")
    about = ("failing_cell", "error", "signal")
    seen = {name: plain(task[name]) for name in known} | {name: plain(attempt[name]) for name in about}
    return {**seen, "cells": plain(cells)}


def strip(output: Any) -> Any:
    """Pictures are compared by their kind: two runs of matplotlib need not agree on a byte."""
    if "data" in output:
        return {
            **output,
            "data": {kind: "…" if kind.startswith("image/") else text for kind, text in output.data.items()},
        }
    return output


def test_a_forked_kernel_differs_from_a_fresh_one_in_nothing_but_time(tmp_path: Path) -> None:
    assert len(CASES) >= 60
    warm = run_all(tmp_path / "project-w", "warm")
    cold = run_all(tmp_path / "project-c", "cold")
    assert {task["attempts"][0]["kernel_start"] for task in warm.values()} == {"warm"}
    assert {task["attempts"][0]["kernel_start"] for task in cold.values()} == {"cold"}
    assert differences(cold, warm) == {}


BIRTH = """
ticks = int(pathlib.Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
written = pathlib.Path("birth.txt").write_text(str(ticks / os.sysconf("SC_CLK_TCK")))
"""
"""The moment in which a kernel was forked, in seconds since the machine started."""


def test_a_kernel_that_was_forked_ahead_does_not_differ_either(tmp_path: Path) -> None:
    cells = [code.replace("'seen'", f"'{name}'") for name, code in SURROUNDINGS.items()]
    found = {}
    for mode in ("cold", "warm"):
        project = Project(tmp_path / f"project-{mode}", NBFLOW_KERNELS_START=mode, NBFLOW_KERNELS_SPARE="1")
        project.env |= {"OMP_TEST": str(tmp_path), "NBFLOW_KERNELS_IDLE": "60s"}
        home = project.pipeline("all", "name: all\ntasks:\n  a: {notebook: a.ipynb}\n")
        (home / "data.txt").write_text("beside the notebook")
        (home / "helper.py").write_text("VALUE = 42\n")
        write_notebook(home / "a.ipynb", REPORT + "import os, pathlib", BIRTH, *cells)
        if mode == "warm":  # the first one is not; the server takes a moment to fork another, and may have one rehearse
            project.json("run", "all")
            (server,) = own_servers(project)
            task = eventually(lambda: children_of(server) and of_one_forked_ahead(project, home))  # noqa: B023
            eventually(lambda: children_of(server))  # noqa: B023
        else:
            (task,) = project.json("run", "all")["tasks"]
        assert task["attempts"][0]["kernel_start"] == mode
        assert task["state"] == "success", task["reason"]
        assert len(task["outputs"]) >= len(cells) - 1
        found[mode] = {"all": task}
    assert differences(found["cold"], found["warm"]) == {}


def of_one_forked_ahead(project: Project, home: Path) -> Any:
    """The task of another run, if its kernel was there before the run was."""
    before = float(Path("/proc/uptime").read_text().split()[0])
    (task,) = project.json("run", "all")["tasks"]
    return float((home / "birth.txt").read_text()) <= before and task


def differences(one: dict[str, Any], other: dict[str, Any]) -> dict[str, dict[str, tuple[str, str]]]:
    """Case → what → how it is in the one and in the other."""
    pairs = {
        name: {key: (value, essence(other[name])[key]) for key, value in essence(task).items()}
        for name, task in one.items()
    }
    found = {name: {key: pair for key, pair in each.items() if len({*pair}) == 2} for name, each in pairs.items()}
    return {name: each for name, each in found.items() if each}


# What a module that was imported before the fork could change.
TOUCHY = {
    "plot": DOINGS["plot"],
    "inline": "import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.show()",
    "style": "import matplotlib; task.output('seen', [matplotlib.get_backend(), str(matplotlib.rcParams)])",
    "frame": "import pandas; pandas.DataFrame({'a': [1, 2]})",
    "product": "import numpy; print((numpy.ones((300, 300)) @ numpy.ones((300, 300))).sum())",
    "numpy_seeded": DOINGS["numpy_seeded"],
    "pool": DOINGS["pool"],
    "environment": SURROUNDINGS["environment"],
    "threads": SURROUNDINGS["threads"],
    "signals": SURROUNDINGS["signals"],
    "path": SURROUNDINGS["path"],
}


def test_modules_that_were_imported_before_the_fork_change_nothing(tmp_path: Path) -> None:
    modules = "numpy,pandas,matplotlib.pyplot,nothing_of_that_name"
    cold = run_cases(tmp_path / "project-c", TOUCHY, NBFLOW_KERNELS_START="cold")
    warm = run_cases(tmp_path / "project-w", TOUCHY, NBFLOW_KERNELS_START="warm", NBFLOW_KERNELS_PRELOAD=modules)
    assert {task["attempts"][0]["kernel_start"] for task in warm.values()} == {"warm"}
    assert {task["state"] for task in cold.values()} == {"success"}, {
        name: task["reason"] for name, task in cold.items()
    }
    assert differences(cold, warm) == {}


def test_a_preloaded_module_that_starts_a_thread_makes_kernels_start_the_ordinary_way(project: Project) -> None:
    home = project.pipeline("odd", "name: odd\ntasks:\n  a: {notebook: a.ipynb}\n", a="print(1)")
    (home / "threaded.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(9e9,)).start()\n"
    )
    (home / "broken.py").write_text("raise ValueError('no module for you')\n")
    project.env["PYTHONPATH"] = str(home)
    for module, way in (("broken", "warm"), ("threaded", "cold")):
        project.env["NBFLOW_KERNELS_PRELOAD"] = module
        (task,) = project.json("run", "odd")["tasks"]
        assert (module, task["state"], task["attempts"][0]["kernel_start"]) == (module, "success", way)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """With servers of its own: the variable makes them different from all others."""
    return Project(tmp_path / "project", NBFLOW_KERNELS_START="warm", OMP_TEST=str(tmp_path), NBFLOW_KERNELS_IDLE="60s")


def own_servers(project: Project) -> list[int]:
    """Without what they forked, kernels for instance, which has the same command line."""
    return originals("kernelserver.py", project.env["OMP_TEST"].encode())


def server_and_kernel(project: Project) -> tuple[int, int]:
    """Of the one notebook that runs, once its cell does."""
    eventually(lambda: any("cell_start" in path.read_text() for path in project.folder.glob(".nbflow/**/events.jsonl")))
    (server,) = own_servers(project)
    (kernel,) = children_of(server)
    return server, kernel


def slow(project: Project) -> None:
    project.pipeline(
        "slow",
        "name: slow\ntasks:\n  wait: {notebook: wait.ipynb}\n",
        wait="import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.02)",
    )


def test_two_kernels_do_not_share_random_numbers_or_state(project: Project) -> None:
    cell = (
        "import random, sys, uuid, numpy; from nbflow import task\n"
        "task.output('seen', [random.random(), numpy.random.random(), str(uuid.uuid4()), hasattr(sys, 'left_here')])\n"
        "sys.left_here = True"
    )
    project.pipeline("two", "name: two\ntasks:\n  a: {notebook: a.ipynb}\n  b: {notebook: b.ipynb}\n", a=cell, b=cell)
    project.env["NBFLOW_KERNELS_PRELOAD"] = "numpy"
    first, second = (task["outputs"]["seen"] for task in project.json("run", "two")["tasks"])
    assert not {str(value) for value in first[:3]} & {str(value) for value in second[:3]}
    assert first[3] is second[3] is False


def test_a_killed_server_takes_no_kernel_along_and_is_replaced(project: Project) -> None:
    slow(project)
    running = project.spawn("run", "slow", "--json")
    server, kernel = server_and_kernel(project)
    kill(server)
    eventually(lambda: not Path(f"/proc/{server}/exe").exists())
    assert Path(f"/proc/{kernel}").exists()
    (project.folder / "notebooks" / "slow" / "go").touch()
    assert running.wait(PATIENCE) == 0
    document = project.json("run", "slow")
    assert document["tasks"][0]["attempts"][0]["kernel_start"] == "warm"
    assert server not in own_servers(project)


def test_a_changed_environment_gets_a_new_server(project: Project, tmp_path: Path) -> None:
    packages = tmp_path / "site-packages"
    packages.mkdir()
    project.env["PYTHONPATH"] = str(packages)
    project.pipeline("fresh", "name: fresh\ntasks:\n  a: {notebook: a.ipynb}\n", a="import freshly_installed")
    project.json("run", "fresh", code=1)
    (before,) = own_servers(project)
    (packages / "freshly_installed.py").write_text("")
    done = project.json("run", "fresh")
    assert done["tasks"][0]["state"] == "success"
    eventually(lambda: before not in own_servers(project))


def test_a_preloaded_module_that_was_edited_is_imported_anew(project: Project, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    module = tmp_path / "lib" / "ours.py"
    module.write_text("VALUE = 1\n")
    project.env |= {"PYTHONPATH": str(tmp_path / "lib"), "NBFLOW_KERNELS_PRELOAD": "ours"}
    project.pipeline(
        "own",
        "name: own\ntasks:\n  a: {notebook: a.ipynb}\n",
        a=REPORT + "import ours; task.output('seen', ours.VALUE)",
    )
    assert project.json("run", "own")["tasks"][0]["outputs"] == {"seen": 1}
    module.write_text("VALUE = 22\n")
    assert project.json("run", "own")["tasks"][0]["outputs"] == {"seen": 22}


def test_an_idle_server_ends(project: Project) -> None:
    project.env["NBFLOW_KERNELS_IDLE"] = "1s"
    project.pipeline("quick", "name: quick\ntasks:\n  a: {notebook: a.ipynb}\n", a="print(1)")
    project.json("run", "quick")
    eventually(lambda: not own_servers(project))


def test_a_kernel_dies_with_its_runner_also_while_a_cell_holds_the_gil(project: Project) -> None:
    project.pipeline(
        "held",
        "name: held\ntasks:\n  a: {notebook: a.ipynb, retries: {on_lost: fail}}\n",
        a="import ctypes; ctypes.PyDLL(None).sleep(600)",
    )
    running = project.spawn("run", "held", "--json")
    _, kernel = server_and_kernel(project)
    os.killpg(running.pid, signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{kernel}").exists())
    running.wait(PATIENCE)


def test_another_language_starts_the_ordinary_way(project: Project, tmp_path: Path) -> None:
    data = tmp_path / "jupyter"
    env = {**os.environ, "JUPYTER_DATA_DIR": str(data)}
    subprocess.run([sys.executable, "-m", "bash_kernel.install", "--user"], env=env, check=True, capture_output=True)
    project.env["JUPYTER_PATH"] = str(data)
    folder = project.pipeline("shell", "name: shell\ntasks:\n  a: {notebook: a.ipynb, kernel: bash}\n", a="echo hello")
    notebook = nbformat.read(folder / "a.ipynb", as_version=4)
    notebook.metadata = {"kernelspec": {"name": "bash", "display_name": "Bash", "language": "bash"}}
    nbformat.write(notebook, folder / "a.ipynb")
    (task,) = project.json("run", "shell")["tasks"]
    assert (task["state"], task["attempts"][0]["kernel_start"]) == ("success", "cold")
