"""How far the estimate of a run's end is off at half time, on ten real histories.

Ten pipelines of different shapes, whose notebooks really run and take times with noise (log-normal, a quarter); six
good runs each, then one more that is watched. Prints; asserts nothing.
"""

from __future__ import annotations

import random
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from nbflow.live import LiveRun
from nbflow.wiring import open_project

sys.path.insert(0, str(Path(__file__).parents[1]))
from making import write_manifest, write_notebook

SHAPES: dict[str, dict[str, str]] = {
    "chain_of_three": {"a": "", "b": "a", "c": "b"},
    "chain_of_five": {"a": "", "b": "a", "c": "b", "d": "c", "e": "d"},
    "diamond": {"a": "", "b": "a", "c": "a", "d": "b c"},
    "fan_out": {"a": "", "b": "a", "c": "a", "d": "a", "e": "a"},
    "fan_in": {"a": "", "b": "", "c": "", "d": "a b c"},
    "two_chains": {"a": "", "b": "a", "c": "", "d": "c"},
    "ladder": {"a": "", "b": "", "c": "a b", "d": "a b", "e": "c d"},
    "one_long": {"a": "", "b": "", "c": "a", "z": "b c"},
    "single": {"a": ""},
    "wide": dict.fromkeys("abcdef", ""),
}
GOOD = int(sys.argv[1]) if len(sys.argv) > 1 else 6


def make(project: Path) -> None:
    chance = random.Random(5)
    for name, tasks in SHAPES.items():
        folder = project / "notebooks" / name
        lines = "".join(
            f"  {task}: {{notebook: {task}.ipynb, depends_on: [{', '.join(ups.split())}]}}\n"
            for task, ups in tasks.items()
        )
        write_manifest(folder, f"name: {name}\ntasks:\n{lines}")
        for task in tasks:
            usual = chance.uniform(1.0, 4.0)
            write_notebook(
                folder / f"{task}.ipynb",
                f"import random, time\ntime.sleep({usual:.2f} * random.lognormvariate(0, 0.25))",
            )


def watch_one(project: Path, name: str) -> tuple[float, float, float]:
    """Seconds that the run took, and how far the estimate was off at half time, of the whole and of the rest."""
    seen: list[tuple[datetime, datetime]] = []
    with open_project(project, slots=2) as live:
        run = live.api.create_run(name)
        past = live.api.past(run.pipeline)

        def look(running: LiveRun) -> None:
            now = datetime.now(UTC)
            if estimate := past.finish(running, now):
                seen.append((now, estimate.ready))

        ended = live.api.drive(run.id, look)
    assert ended.started_at is not None
    assert ended.ended_at is not None
    whole = (ended.ended_at - ended.started_at).total_seconds()
    half = ended.started_at + (ended.ended_at - ended.started_at) / 2
    ready = next(ready for now, ready in seen if now >= half)
    off = abs((ready - ended.ended_at).total_seconds())
    return whole, off / whole, off / (whole / 2)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / ".nbflow").mkdir()
        make(project)
        off = []
        for name in SHAPES:
            for _ in range(GOOD):
                with open_project(project, slots=2) as live:
                    run = live.api.create_run(name)
                    live.api.drive(run.id)
            whole, of_whole, of_rest = watch_one(project, name)
            off.append(of_whole)
            said = f"at half time off by {of_whole:4.0%} of it, {of_rest:4.0%} of the rest"
            print(f"{name:<16} took {whole:5.1f} s; {said}", flush=True)
        within = sum(each <= 0.2 for each in off)
        print(f"{within} of {len(off)} within 20 % of the whole; median {median(off):.0%}")


if __name__ == "__main__":
    main()
