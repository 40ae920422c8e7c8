"""nbflow against papermill, paired: the same notebooks, in turn, on the same machine. `make bench` prints the table.

Contenders: `nbflow run`; a shell loop over papermill's command line; its API in one process; its API in a process pool
of the same width. CPU is what the whole machine spent meanwhile, so nothing else should be running.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from making import Project, write_notebook

WIDTH = 2


@dataclass(frozen=True)
class Work:
    """Notebooks in layers: those of one layer may run side by side, each layer after the one before."""

    name: str
    layers: tuple[int, ...]
    cells: tuple[str, ...] = ("print(1)", "1 + 1", "print(2)")


FLOOD = "line = 'x' * 99\nfor at in range(200_000): print(line)"

WORKS = [
    Work("one no-op notebook", (1,)),
    Work("a chain of 10", (1,) * 10),
    Work("1 → 20 → 1", (1, 20, 1)),
    Work("100 independent", (100,)),
    Work("one notebook of 200 cells", (1,), ("print(1)",) * 200),
    Work("20 MB of output", (1,), (FLOOD,)),
]


def lay_out(work: Work, folder: Path) -> tuple[Project, list[list[Path]]]:
    project = Project(folder, NBFLOW_EXECUTOR_SLOTS=str(WIDTH))
    home = project.folder / "notebooks" / "work"
    lines, layers, before = ["name: work", "tasks:"], [], ""
    for depth, size in enumerate(work.layers):
        names = [f"t{depth}_{at}" for at in range(size)]
        layers.append([write_notebook(home / f"{name}.ipynb", *work.cells) for name in names])
        after = f", depends_on: [{before}]" if before else ""
        lines += [f"  {name}: {{notebook: {name}.ipynb{after}}}" for name in names]
        before = ", ".join(names)
    (home / "pipeline.yaml").write_text("\n".join(lines) + "\n")
    return project, layers


def by_nbflow(project: Project, layers: list[list[Path]]) -> None:
    done = project.nbflow("run", "work", timeout=3600)
    if done.returncode:
        raise RuntimeError(done.stderr)


def by_command(project: Project, layers: list[list[Path]]) -> None:
    for layer in layers:
        for path in layer:
            words = [sys.executable, "-m", "papermill", str(path), str(path.with_suffix(".out.ipynb"))]
            subprocess.run(words, check=True, capture_output=True, cwd=path.parent)


def by_api(project: Project, layers: list[list[Path]]) -> None:
    """In a process of its own, so that its imports count."""
    worker = multiprocessing.get_context("spawn").Process(
        target=execute_all, args=([str(p) for x in layers for p in x],)
    )
    worker.start()
    worker.join()


def by_pool(project: Project, layers: list[list[Path]]) -> None:
    with ProcessPoolExecutor(WIDTH, mp_context=multiprocessing.get_context("spawn")) as pool:
        for layer in layers:
            list(pool.map(execute, map(str, layer)))


def execute_all(paths: list[str]) -> None:
    for path in paths:
        execute(path)


def execute(path: str) -> None:
    import papermill

    papermill.execute_notebook(path, path.replace(".ipynb", ".out.ipynb"), progress_bar=False)


CONTENDERS: dict[str, Callable[[Project, list[list[Path]]], None]] = {
    "nbflow": by_nbflow,
    "papermill, command line": by_command,
    "papermill, one process": by_api,
    "papermill, pool of 2": by_pool,
}


def busy_seconds() -> float:
    """CPU that all processes of this machine have used since it started."""
    user, nice, system, _idle, _wait, irq, soft, *_ = map(
        int, Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    )
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def measure(work: Work, run: Callable[[Project, list[list[Path]]], None]) -> tuple[float, float]:
    folder = Path(tempfile.mkdtemp())
    try:
        project, layers = lay_out(work, folder)
        began, busy = time.perf_counter(), busy_seconds()
        run(project, layers)
        return time.perf_counter() - began, busy_seconds() - busy
    finally:
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most", type=int, default=1000, help="leave out works of more notebooks than this")
    given = parser.parse_args()
    rounds = given.rounds
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}, {rounds} rounds\n"
    )
    print("| work | " + " | ".join(f"{name}: wall s (CPU s)" for name in CONTENDERS) + " | pool / nbflow |")
    print("|---|" + "---|" * (len(CONTENDERS) + 1))
    measure(WORKS[0], by_nbflow)  # the servers are up from here on, as on any but the first run of a day
    for work in (work for work in WORKS if sum(work.layers) <= given.most):
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTENDERS}
        for _ in range(rounds if sum(work.layers) < 50 else 1):
            for name, run in CONTENDERS.items():
                taken[name].append(measure(work, run))
        wall = {name: statistics.median(each[0] for each in seen) for name, seen in taken.items()}
        cpu = {name: statistics.median(each[1] for each in seen) for name, seen in taken.items()}
        cells = " | ".join(f"{wall[name]:.2f} ({cpu[name]:.2f})" for name in CONTENDERS)
        print(f"| {work.name} | {cells} | {wall['papermill, pool of 2'] / wall['nbflow']:.1f} |", flush=True)


if __name__ == "__main__":
    main()
