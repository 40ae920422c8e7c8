"""Attempts for tests: a notebook from a few cells, its runner as a process without a guard, and what it left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import flying
import nbformat
from making import PATIENCE, eventually, kill
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from proc import environment_of, pids

from nbflow.model import FrozenNotebook, Param, TaskKey
from nbflow.notebooks import sockets
from nbflow.notebooks.events import read_events
from nbflow.notebooks.folder import AttemptFolder
from nbflow.run import AttemptEnded, StartAttempt, StopAttempt

RUN = "from nbflow.notebooks.runner import run; run(AttemptFolder(Path(sys.argv[1])))"
PROGRAM = "import sys; from pathlib import Path; from nbflow.notebooks.folder import AttemptFolder; {before}; {run}"

LATE = """
import atexit, pathlib, sys, time, types
def publishing_late(publish, iopub, wait=time.sleep):  # what it needs is not gone with the notebook's variables
    def late(status, channel, *more):
        if channel == "control":
            iopub.join({seconds})
            if not iopub.is_alive():
                wait(600)
        publish(status, channel, *more)
    return late
kernel = get_ipython().kernel
kernel._publish_status_and_flush = publishing_late(kernel._publish_status_and_flush, kernel.iopub_thread.thread)
class Held:
    def __del__(self, path=pathlib.Path("finalised").absolute()):
        path.touch()
sys.modules["own"] = types.ModuleType("own")
sys.modules["own"].held = Held()
atexit.register(lambda: pathlib.Path("flushed").write_text("yes"))
"""
"""A kernel that takes so long to say that it is done with the request to shut down, and hangs where that is too late:
ipykernel by itself does both now and then. It leaves a file in each of two steps of its end: by an exit handler, and
when its modules are taken apart."""


def code(source: str, *tags: str) -> Any:
    return new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def text(source: str) -> Any:
    return new_markdown_cell(source)


def notebook(*cells: Any, kernel: str = "python3", language: str = "python") -> Any:
    """A notebook; a plain text stands for a code cell."""
    return new_notebook(
        cells=[code(cell) if isinstance(cell, str) else cell for cell in cells],
        metadata={"kernelspec": {"name": kernel, "display_name": kernel, "language": language}},
    )


class Attempt:
    """An attempt folder below `root`; the notebook's own folder is `root/project`."""

    def __init__(self, root: Path, source: Any, **order: Any) -> None:
        self.folder = AttemptFolder(root / "runs" / uuid4().hex[:6])
        self.project = root / "project"
        self.project.mkdir(parents=True, exist_ok=True)
        raw = root / "source.ipynb"
        raw.write_text(source if isinstance(source, str) else nbformat.writes(source))
        self.order = self._order(**order)
        assert self.folder.prepare(self.order, raw)

    def _order(self, kernel: str = "python3", declared: tuple[Param, ...] = (), **order: Any) -> StartAttempt:
        frozen = FrozenNotebook(
            path="source.ipynb", folder=str(self.project), sha256="0", kernel=kernel, params=declared
        )
        defaults: dict[str, Any] = {
            "attempt": "r1/clean/1", "token": uuid4().hex, "run": "r1", "pipeline": "nightly", "number": 1,
            "key": TaskKey("clean"), "params": {}, "env": {}, "secrets": {},
            "logical_date": datetime(2026, 4, 1, 9, tzinfo=UTC), "run_date": date(2026, 4, 1),
        }  # fmt: skip
        return StartAttempt(**{**defaults, **order}, notebook=frozen, kernel=kernel)

    # --- running it -------------------------------------------------------------------------------------------------

    def run(self, *, before: str = "pass", timeout: float = PATIENCE, **env: str) -> Attempt:
        """Run it to its end; `before` is Python for the runner's process."""
        with self.running(before=before, **env) as runner:
            assert runner.wait(timeout) == 0, (self.folder.path / "stderr").read_text()
        return self

    @contextlib.contextmanager
    def running(self, *, before: str = "pass", **env: str) -> Iterator[subprocess.Popen[bytes]]:
        """The runner's process, in a session of its own, for as long as the block lasts."""
        with (self.folder.path / "stderr").open("wb") as stderr:
            runner = subprocess.Popen(
                [sys.executable, "-c", PROGRAM.format(before=before, run=RUN), str(self.folder.path)],
                env={**os.environ, "NBFLOW_PROJECT": str(self.project), **env},
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
            )
        try:
            yield runner
        finally:
            runner.kill()
            runner.wait(PATIENCE)
            self.kill_all()

    def run_too_long(self, *, before: str = "pass", **env: str) -> Attempt:
        """Run it until a cell has said "begun", let the first of its limits pass, and run it to its end."""
        with self.running(before=f"{flying.IMPORT}; {before}", **env) as runner:
            self.wait_for("output", output={"output_type": "stream", "name": "stdout", "text": "begun\n"})
            runner.send_signal(signal.SIGUSR1)
            assert runner.wait(PATIENCE) == 0, (self.folder.path / "stderr").read_text()
        return self

    def kill_all(self) -> None:
        """End what a runner left that had no guard to tidy up."""
        sockets.remove(self.order.token)
        for pid in self.processes():
            kill(pid)

    def processes(self) -> list[int]:
        """Those that have the attempt's token in their environment."""
        return [pid for pid in pids() if self.order.token.encode() in environment_of(pid)]

    def stop(self, runner: subprocess.Popen[bytes], grace: float, by: str = "ana") -> None:
        self.folder.ask_to_stop(
            StopAttempt(attempt=self.order.attempt, token=self.order.token, by=by, grace=timedelta(seconds=grace))
        )
        runner.send_signal(signal.SIGTERM)

    def wait_for(self, event: str, **about: Any) -> dict[str, Any]:
        """The first event of that name which says all that."""
        wanted = {"event": event, **about}.items()
        found: dict[str, Any] = eventually(lambda: next((each for each in self.events if wanted <= each.items()), None))
        return found

    # --- what it left -----------------------------------------------------------------------------------------------

    @property
    def outcome(self) -> AttemptEnded:
        outcome = self.folder.outcome()
        assert outcome is not None
        return outcome

    @property
    def document(self) -> dict[str, Any]:
        """outcome.json, all of it."""
        loaded: dict[str, Any] = json.loads((self.folder.path / "outcome.json").read_text())
        return loaded

    @property
    def notebook(self) -> Any:
        """The executed notebook; must be valid."""
        read = nbformat.read(self.folder.notebook, as_version=4)
        nbformat.validate(read)
        return read

    @property
    def events(self) -> list[dict[str, Any]]:
        return read_events(self.folder.events)[0]

    @property
    def banner(self) -> str | None:
        first = self.notebook.cells[0]
        return str(first.source) if "nbflow-banner" in first.metadata.get("tags", []) else None

    @property
    def states(self) -> dict[int | None, str]:
        """Number → state of each code cell; the injected one is None."""
        cells = (cell.metadata.nbflow for cell in self.notebook.cells if cell.cell_type == "code")
        return {about["cell"]: about["state"] for about in cells}

    def cell(self, number: int | None) -> Any:
        return next(cell for cell in self.notebook.cells if cell.metadata.get("nbflow", {"cell": -1})["cell"] == number)

    def shown(self, number: int | None) -> str:
        """All text that a cell shows."""
        return "".join(map(_text, self.cell(number).outputs))

    def names(self) -> list[str]:
        return [event["event"] for event in self.events]


def _text(output: Mapping[str, Any]) -> str:
    match output["output_type"]:
        case "stream":
            return str(output["text"])
        case "error":
            return "\n".join([*output["traceback"], f"{output['ename']}: {output['evalue']}"])
        case _:
            return str(output["data"].get("text/plain", ""))
