"""`kill -9` of every process of a run, at every named failpoint and at seeded moments (semantics §9).

Whatever dies: no false green, no process of an attempt left, every file whole, the dead run closed as failed, and
`nbflow rerun` goes on from there.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import nbformat
import pytest
from making import PATIENCE, Project, eventually, kill, states
from proc import environment_of, parent_of, pids, state_of, words_of

from nbflow.failpoints import VARIABLE

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="watches processes through /proc")

MANIFEST = """
    name: nightly
    defaults:
      retries: {max_retries: 0, on_lost: fail}
    tasks:
      extract: {notebook: extract.ipynb}
      clean: {notebook: clean.ipynb, depends_on: extract}
      other: {notebook: other.ipynb}
"""

CHILDREN = """
    import fcntl, subprocess
    alone = open("extract.lock", "w")
    fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails if another extract of this run is alive
    sleepers = [
        subprocess.Popen(["sleep", "{mark}"]),
        subprocess.Popen(["sleep", "{mark}"], start_new_session=True),
        subprocess.Popen(["sleep", "{mark}"], start_new_session=True, env={{}}, close_fds=True),
    ]
"""

NBFLOW_RUN = (
    "store.before_commit",
    "engine.before_save",
    "engine.after_save",
    "executor.prepared",
    "executor.spawned",
)
GUARD = (
    "guard.locked",
    "guard.begun",
    "guard.forked",
    "guard.runner_ended",
    "guard.swept",
    "guard.sealed",
    "guard.done",
)
RUNNER = (
    "runner.started",
    "runner.kernel_started",
    "runner.cell_start",
    "runner.cell_end",
    "runner.before_outcome",
    "runner.after_outcome",
    "runner.parted",
)
POINTS = [
    *NBFLOW_RUN,
    *GUARD,
    *RUNNER,
    *(f"{point}:parent" for point in RUNNER),
    *(f"{point}:group" for point in RUNNER),
]

SOAK = "NBFLOW_SOAK" in os.environ
MOMENTS = 200 if SOAK else 20


class Nightly:
    """A project whose first task leaves children behind, and what can be seen of it from outside."""

    def __init__(self, folder: Path) -> None:
        self.mark = f"9{uuid4().int % 10**9}"
        self.project = Project(folder)
        self.project.pipeline(
            "nightly",
            MANIFEST,
            extract=(CHILDREN.format(mark=self.mark), "import time; time.sleep(0.4)", "print('extracted')"),
            clean=("print('cleaned')",),
            other=("print('other')", "import time; time.sleep(0.3)"),
        )

    def processes(self) -> list[int]:
        """Everything that belongs to an attempt of this project, by token, command line or working folder."""
        return [pid for pid in pids() if self._is_ours(pid)]

    def _is_ours(self, pid: int) -> bool:
        words, environ = words_of(pid), environment_of(pid)
        if state_of(pid) in ("", "Z") or pid == os.getpid():
            return False
        of_attempt = str(self.project.folder).encode()
        return (
            self.mark.encode() in words
            or (b"nbflow.executors.worker" in words and of_attempt in words)
            or (b"NBFLOW_ATTEMPT_TOKEN=" in environ and of_attempt in words + environ)
        )

    def pid_of(self, role: str) -> int | None:
        """A living kernel, runner or guard of any attempt."""
        for folder in self.attempt_folders():
            guards = [pid for pid in self.processes() if str(folder).encode() in words_of(pid)]
            wanted = {
                "guard": [pid for pid in guards if parent_of(pid) not in guards],
                "runner": [pid for pid in guards if parent_of(pid) in guards],
                "kernel": [pid for pid in pids() if parent_of(pid) in guards and b"ipykernel" in words_of(pid)],
            }[role]
            if wanted:
                return wanted[0]
        return None

    def attempt_folders(self) -> list[Path]:
        return sorted(path.parent for path in self.project.folder.glob(".nbflow/runs/*/*/*/*/order.json"))

    def assert_clean_and_whole(self) -> None:
        """Nothing of it is left: within 5 s where processors are idle; here others may keep them busy."""
        eventually(lambda: not self.processes())
        for folder in self.attempt_folders():
            for name in ("order.json", "outcome.json"):
                if (folder / name).exists():
                    json.loads((folder / name).read_text())
            if (folder / "notebook.ipynb").exists():
                nbformat.validate(nbformat.read(folder / "notebook.ipynb", as_version=4))
            if (folder / "events.jsonl").exists():
                *lines, _ = (folder / "events.jsonl").read_text().split("\n")
                for line in lines:
                    json.loads(line)

    def assert_no_false_green(self, document: dict) -> None:
        for task in document["tasks"]:
            if task["state"] == "success":
                last = task["attempts"][-1]
                notebook = nbformat.read(last["notebook"], as_version=4)
                assert last["state"] == "success"
                assert "not_run" not in {cell.metadata.get("nbflow", {}).get("state") for cell in notebook.cells}

    def close_and_repair(self) -> str:
        """The next command closes what is dead, and a repair ends well; returns what became of the run."""
        runs = self.project.json("runs")["runs"]
        if not runs:
            return "came before there was a run"
        document = self.project.json("status", "latest")
        assert document["run"]["state"] in {"success", "failed"}, document
        self.assert_no_false_green(document)
        self.assert_clean_and_whole()
        became = "runs ended well"
        if document["run"]["state"] == "failed":
            became = "runs failed and were repaired"
            repaired = self.project.json("rerun", "latest")
            assert repaired["run"]["state"] == "success", repaired
            assert states(repaired) == {"extract": "success", "clean": "success", "other": "success"}
            assert repaired["run"]["id"] == document["run"]["id"]
            self.assert_no_false_green(repaired)
        self.assert_clean_and_whole()
        return became


@pytest.fixture
def nightly(tmp_path: Path) -> Iterator[Nightly]:
    made = Nightly(tmp_path / "project")
    yield made
    for pid in made.processes():
        kill(pid)


@pytest.fixture(scope="module")
def endings() -> Iterator[Counter[str]]:
    """What became of the runs that were struck at seeded moments."""
    counts: Counter[str] = Counter()
    yield counts
    if SOAK:
        print(f"\n{counts.total()} kills: {', '.join(f'{count} {what}' for what, count in counts.most_common())}")  # noqa: T201


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_failpoint(nightly: Nightly, point: str) -> None:
    ended = nightly.project.nbflow("run", "nightly", "--json", **{VARIABLE: point})
    if point.startswith(NBFLOW_RUN):
        assert ended.returncode == -signal.SIGKILL
    else:
        assert ended.returncode in {0, 1}, ended.stderr
    nightly.assert_clean_and_whole()
    nightly.close_and_repair()


@pytest.mark.parametrize("victim", ["kernel", "runner", "guard", "nbflow run", "group"])
@pytest.mark.parametrize("seed", range(MOMENTS // 5))
@pytest.mark.soak
def test_killed_at_a_seeded_moment(nightly: Nightly, endings: Counter[str], victim: str, seed: int) -> None:
    chance = random.Random(f"{victim}/{seed}")
    running = nightly.project.spawn("run", "nightly", "--json")
    try:
        strike(nightly, running, victim, chance)
        running.wait(PATIENCE)
    finally:
        kill(running.pid)
        running.wait(PATIENCE)
    nightly.assert_clean_and_whole()
    endings[nightly.close_and_repair()] += 1


def strike(nightly: Nightly, running: subprocess.Popen[str], victim: str, chance: random.Random) -> None:
    """Kill the victim at some moment of its life; a victim that was too quick is no failure."""
    if victim in {"nbflow run", "group"}:
        time.sleep(chance.uniform(0.2, 4.0))
        if victim == "group":  # the command and whatever it left in its own group, at once
            kill(-running.pid)
        kill(running.pid)
        return
    pid = eventually(lambda: nightly.pid_of(victim) or running.poll() is not None)
    time.sleep(chance.uniform(0.0, 1.0))
    if pid is not True:
        kill(pid)
