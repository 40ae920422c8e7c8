"""nbflow against papermill, paired: the same notebooks, in turn, on the same machine. `make bench` prints the tables.

Takes about half an hour; `make bench ONLY=noop,attempt` does a part. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

import engine_cost
import single
from contenders import CONTENDERS, NBFLOW, Run
from usage import Usage, end_servers, measuring, set_mark
from works import NO_OP, WORKS, Work, lay_out

from nbflow.executors.launch import Warm

MANY = 50
"""Notebooks from which on a work's memory is looked at while it is timed, and seldom; others get a run of their own."""

LOOK, LOOK_SELDOM = 0.03, 0.5
"""Seconds between two looks at the memory."""

REST = 1.0
"""Seconds between two attempts, in which servers fork ahead."""

PRELOADED = "nbflow, preloaded"
TASKS = (1_000, 10_000)
CELLS = (50, 100, 200, 400)


def measure(work: Work, run: Run, look: float | None, **env: str) -> Usage:
    folder = Path(tempfile.mkdtemp(prefix="nbflow-bench-"))
    try:
        project, layers = lay_out(work, folder)
        project.env.update(env)
        with measuring(look, with_servers=run is CONTENDERS[NBFLOW]) as meter:
            run(project, layers)
        return meter.usage
    finally:
        shutil.rmtree(folder)


def compare(work: Work, rounds: int) -> dict[str, Usage]:
    """Medians of each contender; in each round all of them, in turn."""
    ways = {name: (run, {}) for name, run in CONTENDERS.items()}
    if work.preload:
        ways[PRELOADED] = (CONTENDERS[NBFLOW], {"NBFLOW_KERNELS_PRELOAD": ",".join(work.preload)})
    for run, env in ways.values():
        if run is CONTENDERS[NBFLOW]:
            measure(WORKS[0], run, None, **env)  # the servers are up from here on, as on any but the first run of a day
    seen: dict[str, list[Usage]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (run, env) in ways.items():
            seen[name].append(measure(work, run, LOOK_SELDOM if work.size >= MANY else None, **env))
    if work.size < MANY:
        for name, (run, env) in ways.items():
            seen[name].append(measure(work, run, LOOK, **env))
    return {name: _median(each, rounds) for name, each in seen.items()}


def _median(seen: Sequence[Usage], rounds: int) -> Usage:
    timed = seen[:rounds]
    return Usage(
        statistics.median(each.wall for each in timed),
        statistics.median(each.cpu for each in timed),
        max(each.wrote for each in timed),
        max(each.memory for each in seen),
    )


# --- tables ---------------------------------------------------------------------------------------------------------

Rows = Iterator[Sequence[str]]


def works_table(chosen: Sequence[Work], rounds: int | None) -> Rows:
    yield "work", "", "wall s", "CPU s", "memory MB", "written MB", "nbflow is faster by", "goal"
    for work in chosen:
        end_servers()  # one that another work had modules preloaded in is not this one's memory
        found = compare(work, rounds or work.rounds)
        for name, usage in found.items():
            ratio = "" if name.startswith(NBFLOW) else f"{usage.wall / found[NBFLOW].wall:.1f}"
            if ratio and PRELOADED in found:
                ratio += f", preloaded {usage.wall / found[PRELOADED].wall:.1f}"
            sizes = f"{usage.memory / 1e6:.0f}", f"{usage.wrote / 1e6:.1f}"
            title, goal = (work.title, work.goals) if name == NBFLOW else ("", "")
            yield title, name, f"{usage.wall:.2f}", f"{usage.cpu:.2f}", *sizes, ratio, goal


def attempts_table(times: int) -> Rows:
    yield "one attempt", "wall ms, median", "slowest", "CPU ms", "goal"
    ways = {
        "forked": (Warm(), 0.0, "120 wall, 130 CPU"),
        "forked, after a rest": (Warm(), REST, ""),
        "forked ahead, after a rest": (Warm(spare=1), REST, "60 wall"),
        "a new program each": (None, 0.0, ""),
    }
    for name, (warm, rest, goal) in ways.items():
        cost = single.cost(warm, times, rest=rest)
        yield name, *(f"{1000 * each:.0f}" for each in (cost.wall, cost.slowest, cost.cpu)), goal


def bytes_table() -> Rows:
    yield "cells", "written KB", "KB a cell"
    for count in CELLS:
        wrote = single.cost(Warm(), 1, NO_OP[:1] * count).wrote
        yield f"{count}", f"{wrote / 1e3:.0f}", f"{wrote / 1e3 / count:.1f}"


def tasks_table() -> Rows:
    yield "tasks in one run", "CPU s", "CPU ms a task", "goal"
    for size in TASKS:
        used = engine_cost.cpu_of_run(size)
        yield f"{size:,}", f"{used:.1f}", f"{1000 * used / size:.2f}", "2"


def imports_table() -> Rows:
    yield "a process that imports", "wall s, median of 5"
    for name, code in engine_cost.IMPORTS.items():
        yield name, f"{engine_cost.import_seconds(code):.2f}"


def main() -> None:
    parts: dict[str, Callable[[], Rows]] = {
        "attempt": lambda: attempts_table(given.times),
        "bytes": bytes_table,
        "dag": tasks_table,
        "imports": imports_table,
    }
    names = [work.name for work in WORKS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help=f"parts, with commas between them: {', '.join([*names, *parts])}")
    parser.add_argument("--rounds", type=int, help="of each comparison, instead of its own number")
    parser.add_argument("--times", type=int, default=40, help="attempts that are measured one by one")
    parser.add_argument("--out", type=Path, help="a file for the tables, besides the screen")
    given = parser.parse_args()
    wanted = [name for name in given.only.split(",") if name] or [*names, *parts]
    if unknown := set(wanted) - {*names, *parts}:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join([*names, *parts])}")
    set_mark()
    say = Screen(given.out)
    say(f"Printed on {datetime.now(UTC):%Y-%m-%d} by `make bench`: {_machine()}.")
    try:
        for name, part in parts.items():
            if name in wanted:
                say.table(part())
        if chosen := [work for work in WORKS if work.name in wanted]:
            say.table(works_table(chosen, given.rounds))
    finally:
        end_servers()


class Screen:
    """Prints Markdown as it comes, and keeps it in a file."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        if file is not None:
            file.write_text("")

    def __call__(self, line: str) -> None:
        print(line, flush=True)
        if self._file is not None:
            with self._file.open("a") as file:
                file.write(line + "\n")

    def table(self, rows: Rows) -> None:
        self("")
        for at, row in enumerate(rows):
            self(f"| {' | '.join(row)} |")
            if at == 0:
                self("|---" * len(row) + "|")


def _machine() -> str:
    cpu = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "?")
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores ({cpu}), Python {platform.python_version()}, load {load:.1f} at the start"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


if __name__ == "__main__":
    main()
