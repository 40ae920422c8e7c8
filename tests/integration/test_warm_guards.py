"""Forked guards and kernels when processes are killed: adopted, handed over again, and never anything left behind."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import random
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from attempts import LATE, Attempt, notebook
from guards import PRELUDE, STRAYS, end_by_force, left_behind, start_order, stop_order
from making import PATIENCE, eventually, kill, write_notebook
from proc import children_of, freeze, open_files, originals

from nbflow.codec import to_json
from nbflow.executors import guarded
from nbflow.executors.launch import Warm
from nbflow.executors.local import LocalExecutor
from nbflow.executors.processes import identify
from nbflow.failpoints import VARIABLE
from nbflow.notebooks import sockets
from nbflow.notebooks.folder import AttemptFolder
from nbflow.run import AttemptEnded, AttemptStarted, StartAttempt
from nbflow.states import AttemptState, Cause
from nbflow.testing.executor_contract import attempt_of, end_of, facts_until_ends, until_started

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can fork kernels")

SCHEDULER = """
import json, sys
from pathlib import Path
from nbflow.codec import from_json
from nbflow.executors.launch import Warm
from nbflow.executors.local import LocalExecutor
from nbflow.run import StartAttempt
place = Path(sys.argv[1])
made = LocalExecutor(outputs=place / "runs", frozen=place / "frozen", project=place, slots=4, warm=Warm())
for order in json.loads(sys.argv[2]):
    made.start(from_json(StartAttempt, order))
print("started", flush=True)
while True:
    made.wait(60)
    made.poll()
"""

READY = """
import os, time
from pathlib import Path
me = os.environ["NBFLOW_ATTEMPT"]
Path(f"ready.{me}.part").write_text(str(os.getpid()))
Path(f"ready.{me}.part").rename(f"ready.{me}")
"""
WAITS = f"""{READY}
while not Path("go").exists():
    time.sleep(0.01)
"""
TELLS = "import os; from nbflow import task; task.output('pid', os.getpid())"
COUNTS = "open('ran', 'a').write('once\\n')"


WARM = Warm()
SPARE = Warm(spare=2)


class World:
    """A project with one notebook, and fork servers of its own: a variable makes them differ from all others."""

    def __init__(self, folder: Path, *cells: str) -> None:
        self.path, self.mark = folder.resolve(), f"OMP_TEST={folder}".encode()
        self.notebook = write_notebook(self.path / "frozen" / "notebook.ipynb", *cells)
        self.executors: list[LocalExecutor] = []
        self.orders: list[StartAttempt] = []

    def executor(self, warm: Warm | None = WARM) -> LocalExecutor:
        made = LocalExecutor(
            outputs=self.path / "runs", frozen=self.path / "frozen", project=self.path, slots=4, warm=warm
        )
        self.executors.append(made)
        return made

    def order(self) -> StartAttempt:
        self.orders.append(start_order(self.notebook, folder=self.path, number=len(self.orders) + 1))
        return self.orders[-1]

    def folder(self, order: StartAttempt) -> AttemptFolder:
        return AttemptFolder(self.path / "runs" / order.pipeline / order.attempt)

    def left(self, order: StartAttempt) -> list[str]:
        """What lives of an attempt that has ended: its guard may, between its last word and its own end."""
        guard = (self.folder(order).begun() or {}).get("pid")
        return [line for line in left_behind(self.folder(order)) if not line.startswith(f"{guard}:")]

    @contextlib.contextmanager
    def scheduler(self, *orders: StartAttempt, failpoint: str = "") -> Iterator[subprocess.Popen[str]]:
        """Another process with an executor, to which these attempts are handed over."""
        running = subprocess.Popen(
            [sys.executable, "-c", SCHEDULER, str(self.path), json.dumps([to_json(order) for order in orders])],
            env={**os.environ, **({VARIABLE: failpoint} if failpoint else {})},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            yield running
        finally:
            running.kill()
            running.communicate()

    def kernel(self, order: StartAttempt) -> int:
        ready = self.path / f"ready.{order.number}"
        return int(eventually(lambda: ready.exists() and ready.read_text()))

    def servers(self, kind: str) -> list[int]:
        return originals(kind, self.mark)

    def close(self) -> None:
        for executor in self.executors:
            executor.close()
        for order in self.orders:
            end_by_force(self.folder(order))
        for kind in ("attemptserver", "kernelserver"):
            for server in self.servers(kind):
                kill(server)


def memory_of(pid: int) -> int:
    """Megabytes that no other process shares."""
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(row.split()[1]) for row in rows if row.startswith("Private_")) // 1000


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("OMP_TEST", str(tmp_path))
    made: list[World] = []

    def make(*cells: str) -> World:
        made.append(World(tmp_path, *cells))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_killed_scheduler_leaves_forked_notebooks_running_and_the_next_one_adopts_them(world: Any) -> None:
    place = world(WAITS, TELLS)
    orders = [place.order(), place.order()]
    with place.scheduler(*orders) as running:
        before = [identify(place.kernel(order)) for order in orders]
        kill(running.pid)
        running.wait()
    executor = place.executor()
    executor.adopt([attempt_of(order) for order in orders], orders[0].pipeline)
    facts = list(executor.poll())
    assert {fact.attempt for fact in facts if isinstance(fact, AttemptStarted)} == {order.attempt for order in orders}
    assert len(facts) == len(orders)
    assert [identify(process.pid) for process in before] == before
    (place.path / "go").touch()
    ended = {fact.attempt: fact for fact in facts_until_ends(executor, len(orders))}
    for order, process in zip(orders, before, strict=True):
        fact = ended[order.attempt]
        assert (fact.state, fact.kernel_start, fact.outputs) == (AttemptState.SUCCESS, "warm", {"pid": process.pid})
        assert place.left(order) == []


def test_an_adopted_forked_notebook_is_cancelled_as_any_other(world: Any) -> None:
    place = world(WAITS)
    order = place.order()
    with place.scheduler(order) as running:
        place.kernel(order)
        kill(running.pid)
        running.wait()
    executor = place.executor()
    executor.adopt([attempt_of(order)], order.pipeline)
    until_started(executor)
    executor.stop(stop_order(order))
    ended = end_of(executor)
    assert (ended.state, ended.cause, ended.failing_cell) == (AttemptState.CANCELLED, Cause.CANCELLED, 2)
    assert place.left(order) == []


def test_scheduler_and_both_fork_servers_killed_at_once_harm_no_notebook(world: Any) -> None:
    place = world(WAITS, TELLS)
    order = place.order()
    with place.scheduler(order) as running:
        kernel = place.kernel(order)
        for victim in (running.pid, *place.servers("attemptserver"), *place.servers("kernelserver")):
            kill(victim)
        running.wait()
    executor = place.executor()
    executor.adopt([attempt_of(order)], order.pipeline)
    until_started(executor)
    (place.path / "go").touch()
    ended = end_of(executor)
    assert (ended.state, ended.outputs) == (AttemptState.SUCCESS, {"pid": kernel})
    assert place.left(order) == []


@pytest.mark.parametrize("point", ["executor.prepared", "executor.spawned"])
def test_a_hand_over_that_a_kill_cut_short_is_repeated_and_the_notebook_runs_once(world: Any, point: str) -> None:
    place = world(COUNTS)
    order = place.order()
    with place.scheduler(order, failpoint=point) as running:
        assert running.wait(PATIENCE) == -signal.SIGKILL
    executor = place.executor()
    executor.start(order)  # the same attempt, the same token
    ended = end_of(executor)
    assert ended.state is AttemptState.SUCCESS
    assert (place.path / "ran").read_text() == "once\n"
    assert place.left(order) == []


@pytest.mark.parametrize(
    "point", ["guard.locked", "guard.begun", "guard.forked", "runner.kernel_started", "guard.done"]
)
def test_a_forked_guard_killed_on_its_way_takes_everything_along(world: Any, monkeypatch: Any, point: str) -> None:
    """But nothing that was reached: with its last word the attempt has ended."""
    place = world(WAITS)
    if point == "guard.done":
        (place.path / "go").touch()
    order, executor = place.order(), place.executor()
    monkeypatch.setenv(VARIABLE, f"{point}:group" if point.startswith("runner") else point)
    executor.start(order)
    assert end_of(executor).state is (AttemptState.SUCCESS if point == "guard.done" else AttemptState.LOST)
    assert place.left(order) == []


TELLS_WHAT_IS_LEFT = (
    "from nbflow.notebooks.runner import run as go; sys.exit(3 if go(AttemptFolder(Path(sys.argv[1]))) else 0)"
)


def test_a_runner_knows_whether_its_kernel_has_left_anything(world: Any, tmp_path: Path) -> None:
    place = world("1 + 1")
    executor = place.executor()
    executor.start(place.order())
    assert end_of(executor).kernel_start == "warm"  # the kernels' server is up, and a runner alone may use it
    for number, (cell, code) in enumerate({"1 + 1": 3, PRELUDE + STRAYS["own session"]: 0}.items()):
        attempt = Attempt(tmp_path / f"alone{number}", notebook("MARK = ''", cell))
        with attempt.running(before=TELLS_WHAT_IS_LEFT, **WARM.variables()) as runner:
            assert runner.wait(PATIENCE) == code, (attempt.folder.path / "stderr").read_text()
        assert (attempt.outcome.state, attempt.outcome.kernel_start) == (AttemptState.SUCCESS, "warm")


@pytest.mark.parametrize(("seconds", "finalised"), [(0.3, True), (600, False)])
def test_a_forked_kernel_is_waited_for_as_long_as_it_can_end(world: Any, seconds: float, finalised: bool) -> None:
    place = world(LATE.format(seconds=seconds))
    executor = place.executor()
    executor.start(place.order())
    ended = end_of(executor)
    assert (ended.state, ended.kernel_start) == (AttemptState.SUCCESS, "warm")
    assert (place.path / "flushed").read_text() == "yes"
    assert (place.path / "finalised").exists() is finalised


def test_what_a_forked_kernel_has_left_ends_with_its_attempt(world: Any) -> None:
    cells = [textwrap.dedent(stray) for stray in STRAYS.values()]
    place = world("import os; MARK = os.environ['NBFLOW_ATTEMPT_TOKEN']", PRELUDE, "import ctypes", *cells)
    order, executor = place.order(), place.executor()
    executor.start(order)
    ended = end_of(executor)
    assert (ended.state, ended.kernel_start) == (AttemptState.SUCCESS, "warm")
    assert place.left(order) == []


def test_a_fork_server_that_hangs_is_passed_over(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    place = world(COUNTS)
    executor, first, second = place.executor(), place.order(), place.order()
    executor.start(first)
    assert end_of(executor).kernel_start == "warm"
    (server,) = place.servers("attemptserver")
    monkeypatch.setattr(guarded, "HAND_OVER", 0.5)
    freeze(server)
    executor.start(second)
    assert end_of(executor).state is AttemptState.SUCCESS
    os.kill(server, signal.SIGCONT)
    eventually(lambda: children_of(server) == place.servers("kernelserver"))
    assert (place.path / "ran").read_text() == "once\n" * 2
    assert place.left(second) == []


def test_cancelled_and_lost_attempts_look_the_same_whether_forked_or_not(world: Any) -> None:
    """The two endings that no notebook has by itself; all others are compared by the acceptance tests."""
    place, seen = world(f"{READY}time.sleep(600)  # one line, whenever the interrupt comes"), {}
    for warm in (WARM, None):
        executor, cancelled, lost = place.executor(warm), place.order(), place.order()
        executor.start(cancelled)
        executor.start(lost)
        for order in (cancelled, lost):
            place.kernel(order)
        executor.stop(stop_order(cancelled))
        os.killpg(place.folder(lost).begun()["pid"], signal.SIGKILL)
        ended = {fact.attempt: fact for fact in facts_until_ends(executor, 2) if isinstance(fact, AttemptEnded)}
        seen[warm] = [about(place.folder(order), ended[order.attempt]) for order in (cancelled, lost)]
    assert seen[WARM] == seen[None]
    assert [each[0] for each in seen[None]] == [AttemptState.CANCELLED, AttemptState.LOST]


def about(folder: AttemptFolder, ended: AttemptEnded) -> list[Any]:
    """What the outcome and the log tell, without times and numbers of processes."""
    log = nbformat.read(folder.notebook, as_version=4)
    cells = [(cell.metadata.nbflow.state, cell.outputs) for cell in log.cells if cell.cell_type == "code"]
    text = re.sub(r"on \d{4}-\S+ at \S+ UTC|ipykernel_\d+/\d+", "…", str([log.cells[0].source, cells]))
    return [ended.state, ended.cause, ended.reason, ended.failing_cell, ended.signal, left_behind(folder), text]


# --- forked ahead -------------------------------------------------------------------------------------------------


class Spares:
    """The processes that are forked ahead in a world whose servers are up: of each server, and the guards' runners."""

    def __init__(self, place: World) -> None:
        self.place = place
        executor, order = place.executor(SPARE), place.order()
        executor.start(order)
        assert end_of(executor).kernel_start == "warm"
        (self.kernelserver,), (self.attemptserver,) = place.servers("kernelserver"), place.servers("attemptserver")
        self.executor = executor

    def kernels(self) -> list[int]:
        return children_of(self.kernelserver)

    def guards(self) -> list[int]:
        return [pid for pid in children_of(self.attemptserver) if pid != self.kernelserver]

    def all(self) -> list[int]:
        """Once there are all of them."""
        eventually(lambda: len(self.kernels()) == len(self.guards()) == 2 and all(map(children_of, self.guards())))
        return [*self.kernels(), *self.guards(), *(pid for guard in self.guards() for pid in children_of(guard))]


def test_an_attempt_is_carried_out_by_processes_that_were_forked_ahead(world: Any) -> None:
    place = world(TELLS)
    spares = Spares(place)
    before = [identify(pid) for pid in spares.all()]
    assert len(before) == 6
    order = place.order()
    spares.executor.start(order)
    ended = end_of(spares.executor)
    assert (ended.state, ended.kernel_start) == (AttemptState.SUCCESS, "warm")
    used = {ended.outputs["pid"], place.folder(order).begun()["pid"]}
    assert used < {process.pid for process in before if process is not None}
    assert place.left(order) == []
    after = spares.all()
    assert len(after) == 6
    assert not used & {*after}
    assert len([process for process in before if process is not None and process.pid in after]) == 3


@pytest.mark.parametrize("victim", ["kernelserver", "attemptserver"])
def test_processes_that_were_forked_ahead_end_with_their_server(world: Any, victim: str) -> None:
    spares = Spares(world(TELLS))
    before = [identify(pid) for pid in spares.all()]
    gone = before[:2] if victim == "kernelserver" else before[2:]
    kill(getattr(spares, victim))
    eventually(lambda: not any(identify(process.pid) == process for process in gone if process))
    order = spares.place.order()
    spares.executor.start(order)
    assert end_of(spares.executor).kernel_start == "warm"
    assert spares.place.left(order) == []


def kill_and_see_gone(pids: list[int]) -> None:
    """One that is dying may still be given work, which is lost with it."""
    for pid in pids:
        kill(pid)
    eventually(lambda: not any(map(identify, pids)))


def test_processes_that_were_forked_ahead_may_be_killed(world: Any) -> None:
    spares = Spares(world(COUNTS))
    for which in ("kernels", "guards", "runners"):
        doomed = spares.all()
        place = {"kernels": doomed[:2], "guards": doomed[2:4], "runners": doomed[4:]}[which]
        kill_and_see_gone(place)
        order = spares.place.order()
        spares.executor.start(order)
        ended = end_of(spares.executor)
        assert (which, ended.state, ended.kernel_start) == (which, AttemptState.SUCCESS, "warm")
        assert spares.place.left(order) == []


@pytest.mark.parametrize("point", ["guard.locked", "guard.begun", "guard.forked", "runner.kernel_started"])
def test_a_guard_that_was_forked_ahead_and_is_killed_takes_everything_along(
    world: Any, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    place = world(WAITS)
    go = place.path / "go"
    go.touch()
    spares = Spares(place)
    go.unlink()
    before = spares.all()
    monkeypatch.setenv(VARIABLE, f"{point}:group" if point.startswith("runner") else point)
    order = spares.place.order()
    spares.executor.start(order)
    assert end_of(spares.executor).state is AttemptState.LOST
    assert (spares.place.folder(order).begun() or {"pid": before[2]})["pid"] in before
    assert spares.place.left(order) == []


# --- many, at any moment ------------------------------------------------------------------------------------------


MANY = 500 if "NBFLOW_SOAK" in os.environ else 16

LONGEST_LIFE = 0.8
"""Seconds until a kernel is killed, at most: some die while they start, some while a cell runs, some never."""


class Reaper:
    """Kills each kernel of a server at a random moment of its life."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._due: dict[int, float] = {}
        self.killed = 0

    def look(self, server: int) -> None:
        now, alive = time.monotonic(), children_of(server)
        for pid in alive:
            self._due.setdefault(pid, now + self._chance.uniform(0, LONGEST_LIFE))
        for pid in [pid for pid, due in self._due.items() if due <= now or pid not in alive]:
            if pid in alive:
                kill(pid)
                self.killed += 1
            del self._due[pid]


def leaves_nothing(place: World, times: int, warm: Warm) -> str:
    """Start so many kernels and kill each at a random moment. Returns what was seen, in a line."""
    executor, reaper = place.executor(warm), Reaper(seed=times)
    executor.start(place.order())
    assert end_of(executor).state is AttemptState.SUCCESS  # the servers are up
    (server,), (guards,) = place.servers("kernelserver"), place.servers("attemptserver")
    others = {*children_of(guards)} & {server}  # who started it is its parent

    def spares() -> list[int]:
        return [len(children_of(server)), len({*children_of(guards)} - others)]

    def files() -> list[int]:
        """Without the channel to each spare process."""
        processes = os.getpid(), server, guards
        return [open_files(pid) - spare for pid, spare in zip(processes, (0, *spares()), strict=True)]

    eventually(lambda: spares() == [warm.spare] * 2)
    gc.collect()  # what other tests left is not closed meanwhile
    memory = [memory_of(pid) for pid in (server, guards)]
    before, began = files(), time.monotonic()
    ends: list[AttemptEnded] = []
    while len(ends) < times:
        while executor.free_slots() and len(place.orders) <= times:
            executor.start(place.order())
        executor.wait(0.01)
        reaper.look(server)
        ends += [fact for fact in executor.poll() if isinstance(fact, AttemptEnded)]
    seconds = time.monotonic() - began
    assert {end.cause for end in ends} <= {None, Cause.KERNEL_DIED, Cause.KERNEL_START}
    assert all(end.signal in {None, signal.SIGKILL} for end in ends)
    died = sum(end.cause is not None for end in ends)
    assert died
    assert sum(map(len, (place.left(order) for order in place.orders))) == 0
    eventually(lambda: max(spares()) <= warm.spare and files() == before)
    assert [sockets.places(order.token) for order in place.orders] == [[]] * len(place.orders)
    assert [path for order in place.orders for path in place.folder(order).path.glob(".*.tmp")] == []
    return (
        f"{times} kernels in {seconds:.0f} s: {reaper.killed} killed, {died} attempts died of it, nothing left; "
        f"memory of the servers of kernels and guards {memory} → {[memory_of(pid) for pid in (server, guards)]} MB\n"
    )


@pytest.mark.soak
@pytest.mark.parametrize("warm", [WARM, SPARE], ids=["forked", "forked ahead"])
def test_kernels_killed_at_random_moments_leave_nothing(world: Any, warm: Warm) -> None:
    sys.stdout.write(leaves_nothing(world("print(1)", "import time; time.sleep(0.2)"), MANY, warm))
