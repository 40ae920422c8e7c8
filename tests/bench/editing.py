"""What an order of the editor costs with 300 tasks: from the command to the sheet, and the save.

.venv/bin/python tests/bench/editing.py [TASKS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from app_world import World
from making import write_manifest, write_notebook
from nbflow_app.sheet import sheet

from nbflow.api import Api, DraftView
from nbflow.manifest.edit import AddTask, Connect, MoveTask, SetTaskKey

NOTEBOOKS = 20


def manifest(tasks: int) -> str:
    lines = ["name: big", "schedule: {cron: '0 2 * * *', timezone: Europe/Berlin}", "tasks:"]
    for at in range(tasks):
        lines += [f"  t{at}:", f"    notebook: n{at % NOTEBOOKS}.ipynb"]
        lines += [f"    depends_on: [t{(at - 1) // 2}]"] if at else []
        lines += [f'    params: {{a: {at}, day: "{{{{ run_date }}}}"}}', "    retries: {max_retries: 3, delay: 30s}"]
        lines += [f"    position: [{at * 10}, 20]"]
    return "\n".join([*lines, ""])


def _save(api: Api) -> DraftView:
    api.save_draft("big")
    return api.draft("big")


def main() -> None:
    tasks = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    world = World(Path(tempfile.mkdtemp()))
    for at in range(NOTEBOOKS):
        write_notebook(world.folder / "big" / f"n{at}.ipynb", "open('x.csv')", parameters="a: int = 1\nday: str = ''")
    write_manifest(world.folder / "big", manifest(tasks))
    api = world.api()
    times: dict[str, list[tuple[float, float]]] = {}

    def timed(name: str, verb: Callable[[], Any]) -> None:
        begin, cpu = time.perf_counter(), time.process_time()
        sheet(verb())
        times.setdefault(name, []).append((time.perf_counter() - begin, time.process_time() - cpu))

    timed("open, for the first time", lambda: api.draft("big"))
    for at in range(7):
        move, connect = MoveTask(f"t{at * 30 % tasks}", (1, at)), Connect(f"t{at}", f"t{tasks - at - 1}")
        for name, command in (("move", move), ("connect", connect), ("add", AddTask(f"new_{at}", "n1.ipynb"))):
            timed(f"{name} a task", partial(api.edit_draft, "big", f"{name}{at}", [command]))
        timed("undo", partial(api.undo_draft, "big", f"undo{at}"))
    arrange = [SetTaskKey(f"t{at}", "position", None) for at in range(tasks)]
    timed(f"arrange {tasks} tasks", partial(api.edit_draft, "big", "arrange", arrange))
    timed("save", partial(_save, api))
    for name, taken in times.items():
        wall, cpu = (1000 * median(each) for each in zip(*taken, strict=True))
        print(f"{name:28} {wall:6.0f} ms, of the processor {cpu:6.0f} ms")


if __name__ == "__main__":
    main()
