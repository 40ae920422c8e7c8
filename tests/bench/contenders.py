"""The ways to run the same notebooks: nbflow's command, papermill's, its API in one process, and in a process pool."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from making import Project
from works import WIDTH

LONGEST = 1800.0
"""Seconds after which a contender is given up, and the benchmark with it."""

Run = Callable[[Project, list[list[Path]]], None]


def by_nbflow(project: Project, layers: list[list[Path]]) -> None:
    done = project.nbflow("run", "work", timeout=LONGEST)
    if done.returncode:
        raise RuntimeError(done.stderr)


def by_command(project: Project, layers: list[list[Path]]) -> None:
    for path in (path for layer in layers for path in layer):
        words = [sys.executable, "-m", "papermill", path.name, path.with_suffix(".out.ipynb").name]
        subprocess.run(words, check=True, capture_output=True, cwd=path.parent, timeout=LONGEST)


def by_api(project: Project, layers: list[list[Path]]) -> None:
    """In a process of its own, so that its imports count."""
    worker = multiprocessing.get_context("spawn").Process(
        target=execute_all, args=([str(path) for layer in layers for path in layer],)
    )
    worker.start()
    worker.join(LONGEST)
    if worker.exitcode is None:
        worker.kill()
    if worker.exitcode != 0:
        raise RuntimeError(f"papermill in one process ended with {worker.exitcode}")


def by_pool(project: Project, layers: list[list[Path]]) -> None:
    with ProcessPoolExecutor(WIDTH, mp_context=multiprocessing.get_context("spawn")) as pool:
        for layer in layers:
            list(pool.map(execute, map(str, layer), timeout=LONGEST))


def execute_all(paths: list[str]) -> None:
    for path in paths:
        execute(path)


def execute(path: str) -> None:
    import papermill

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # each kernel would warn that it listens on TCP
    os.chdir(Path(path).parent)
    papermill.execute_notebook(path, path.replace(".ipynb", ".out.ipynb"), progress_bar=False)


NBFLOW, COMMAND, API, POOL = "nbflow", "papermill, command line", "papermill, one process", "papermill, pool of 2"
CONTENDERS: dict[str, Run] = {NBFLOW: by_nbflow, COMMAND: by_command, API: by_api, POOL: by_pool}
