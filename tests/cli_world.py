"""A command line without a project behind it: an api that remembers what it was asked, and answers with played runs."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any

import pytest
from building import Play, pipeline
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from typer.testing import CliRunner, Result

from nbflow.api import Check, LogView, PipelineView, RepairView, RunView
from nbflow.cli import app
from nbflow.errors import Problem
from nbflow.estimates import Estimate, Past
from nbflow.housekeeping import Removed
from nbflow.model import PipelineName, TaskKey
from nbflow.ports import Definition, Message, Progress, StoredRun
from nbflow.run import Attempt, ErrorInfo, ResetRequested
from nbflow.states import AttemptState, Cause
from nbflow.testing.scheduling import a_standing
from nbflow.timetable import Standing

CHAIN = pipeline(extract="", clean="extract", publish="clean")
OUTPUTS = Path("/project/.nbflow/runs")
ERROR = Problem(file="a/pipeline.yaml", line=3, column=5, message="unknown key 'taks'.", hint="Did you mean 'tasks'?")
WARNING = Problem(file="b/pipeline.yaml", line=9, column=1, message="nothing reads 'x'.", severity="warning")

Step = Callable[[Play], None]


def view_of(play: Play) -> RunView:
    """What `api.status` gives of a played run."""
    attempts: dict[str, Attempt] = {each.id: each for decision in play.decisions for each in decision.attempts}
    tried: dict[TaskKey, list[Attempt]] = defaultdict(list)
    for attempt in attempts.values():
        tried[attempt.key].append(attempt)
    live = play.live
    return RunView(
        stored=StoredRun(run=live.run, pipeline=live.pipeline, tasks=dict(live.tasks)),
        attempts=tried,
        notebooks={name: OUTPUTS / live.run.pipeline / name / "notebook.ipynb" for name in attempts},
    )


def run_for(play: Play, name: str, seconds: float, **about: Any) -> None:
    """Start a task and let it end after some seconds."""
    play.start(name)
    play.now += timedelta(seconds=seconds)
    play.end(name, **about)


def failing(name: str = "clean", message: str = "bad country") -> Step:
    return lambda play: run_for(
        play,
        name,
        4,
        state=AttemptState.FAILED,
        cause=Cause.ERROR,
        error=ErrorInfo(name="ValueError", message=message),
        reason=f"ValueError: {message}",
        failing_cell=3,
    )


def succeeding(name: str, **outputs: Any) -> Step:
    return lambda play: run_for(play, name, 2, outputs=outputs)


SUCCESS: tuple[Step, ...] = (succeeding("extract", rows=3), succeeding("clean"), succeeding("publish"))
FAILURE: tuple[Step, ...] = (succeeding("extract"), failing())


def played(*steps: Step) -> Play:
    play = Play(CHAIN)
    for step in steps:
        step(play)
    return play


def executed(*cells: Any, language: str = "python") -> Any:
    """A log: cells get their numbers in order."""
    for number, cell in enumerate(cells, start=1):
        cell.metadata["nbflow"] = {"cell": number, **cell.metadata.get("nbflow", {})}
    return new_notebook(cells=list(cells), metadata={"language_info": {"name": language}})


def ran(source: str, *outputs: Any, state: str = "success", seconds: float | None = 0.2) -> Any:
    return new_code_cell(source, outputs=list(outputs), metadata={"nbflow": {"state": state, "seconds": seconds}})


def printed(text: str, name: str = "stdout") -> Any:
    return new_output("stream", name=name, text=text)


def display(**data: Any) -> Any:
    """`text_html` stands for `text/html`."""
    return new_output("display_data", data={name.replace("_", "/", 1): value for name, value in data.items()})


def raised(name: str, message: str) -> Any:
    lines = ["\x1b[31mTraceback\x1b[0m", "cell 3, line 1", f"\x1b[31m{name}\x1b[0m: {message}"]
    return new_output("error", ename=name, evalue=message, traceback=lines)


FAILED_LOG = executed(
    new_markdown_cell("# Clean the orders"),
    ran("orders = load()", printed("12 orders\n")),
    ran("check(orders)", raised("ValueError", "bad country"), state="failed"),
    ran("print('never')", state="not_run", seconds=None),
)


@dataclass
class FakeApi:
    """Answers like `nbflow.api.Api`; `steps` are what happens to the run while it is driven."""

    play: Play = field(default_factory=lambda: Play(CHAIN))
    steps: Sequence[Step] = ()
    definitions: Sequence[Definition] = ()
    views: Sequence[PipelineView] = ()
    checks: Sequence[Check] = ()
    abandoned: Sequence[str] = ()
    unclosed: BaseException | None = None
    notebook: Any = field(default_factory=lambda: FAILED_LOG)
    told: Sequence[Message] = ()
    gone: Sequence[str] = ()
    error: BaseException | None = None
    missing: dict[str, BaseException] = field(default_factory=dict)
    """Paths that lead nowhere, for `validate`."""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def _called(self, name: str, /, **arguments: Any) -> None:
        self.calls.append((name, arguments))
        if self.error is not None:
            raise self.error

    def asked(self, name: str) -> dict[str, Any]:
        """The arguments of the last call of that name."""
        return [arguments for called, arguments in self.calls if called == name][-1]

    def close_abandoned(self) -> Sequence[str]:
        if self.unclosed is not None:
            raise self.unclosed
        return self.abandoned

    def validate(self, paths: Sequence[str] = ()) -> Sequence[Definition]:
        self._called("validate", paths=paths)
        for path in paths:
            if path in self.missing:
                raise self.missing[path]
        return self.definitions

    def standings(self) -> Mapping[PipelineName, Standing]:
        """Of pipelines whose manifests are gone."""
        return {PipelineName(name): a_standing(name, is_removed=True) for name in self.gone}

    def pipelines(self) -> Sequence[PipelineView]:
        self._called("pipelines")
        return self.views

    def definition(self, name: str) -> Definition:
        self._called("definition", name=name)
        return self.views[0].definition

    def pipeline(self, name: str) -> PipelineView:
        self._called("pipeline", name=name)
        return self.views[0]

    def runs(self, pipeline: str | None, state: Any, limit: int) -> Sequence[Any]:
        self._called("runs", pipeline=pipeline, state=state, limit=limit)
        return [self.play.live.run]

    def status(self, ref: str) -> RunView:
        self._called("status", ref=ref)
        return view_of(self.play)

    def log(self, ref: str, task: str, number: int | None = None) -> LogView:
        self._called("log", ref=ref, task=task, number=number)
        view = view_of(self.play)
        attempt = view.attempts[TaskKey.parse(task)][-1]
        return LogView(attempt=attempt, path=view.notebooks[attempt.id], notebook=self.notebook)

    def progress(self, run: Any, attempt: Attempt) -> Progress:
        return Progress(cell=2, cells=7)

    def usual_seconds(self, pipeline: str) -> dict[str, float]:
        return {"extract": 9.0}

    def past(self, pipeline: str) -> Past:
        return Past(seconds={"extract": [9.0]}, good=(), slots=1)

    def estimate(self, ref: str) -> Estimate | None:
        return self.past("nightly").finish(self.play.live, self.play.now)

    def why_run(self, ref: str) -> str:
        self._called("why_run", ref=ref)
        return "run r1 is about to start."

    def why(self, ref: str, task: str) -> str:
        self._called("why", ref=ref, task=task)
        return f"{task} waits for extract, which is running."

    def preview_prune(self) -> dict[str, list[str]]:
        return {"nightly": ["r1", "r2"]}

    def prune(self) -> Removed:
        self._called("prune")
        return Removed(runs=2, manifests=1, notebooks=3)

    def try_channel(self, channel: str) -> int:
        self._called("try_channel", channel=channel)
        return 2

    def messages(self, *, only_troubled: bool, limit: int) -> Sequence[Message]:
        self._called("messages", only_troubled=only_troubled, limit=limit)
        return self.told

    def doctor(self) -> Sequence[Check]:
        return self.checks

    def create_run(self, name: str, **arguments: Any) -> Any:
        self._called("create_run", name=name, **arguments)
        return self.play.live.run

    def drive(self, run: str, watch: Callable[[Any], None]) -> Any:
        self._called("drive", run=run)
        return self._drive(watch)

    def _drive(self, watch: Callable[[Any], None]) -> Any:
        watch(self.play.live)
        for step in self.steps:
            step(self.play)
            watch(self.play.live)
        return self.play.live.run

    def repair_request(self, ref: str, **arguments: Any) -> ResetRequested:
        self._called("repair_request", ref=ref, **arguments)
        return ResetRequested(by="me", keys=tuple(TaskKey.parse(task) for task in arguments["tasks"]))

    def preview_rerun(self, ref: str, request: ResetRequested) -> RepairView:
        keys = tuple(TaskKey.parse(name) for name in ("clean", "publish"))
        return RepairView(again=keys, changed=keys[:1], old_params=(), has_new_manifest=True)

    def rerun(self, ref: str, request: ResetRequested, watch: Callable[[Any], None]) -> Any:
        self._called("rerun", ref=ref, request=request)
        return self._drive(watch)

    def mark(self, ref: str, task: str, state: Any, *, watch: Callable[[Any], None], **arguments: Any) -> Any:
        self._called("mark", ref=ref, task=task, state=state, **arguments)
        return self._drive(watch)

    def cancel(self, ref: str, task: str | None = None, *, note: str = "") -> Any:
        self._called("cancel", ref=ref, task=task, note=note)
        for step in self.steps:
            step(self.play)
        return self.play.live.run


class FakeLive:
    """What `open_project` gives."""

    def __init__(self, api: FakeApi) -> None:
        self.api = api
        self.interrupts = 0
        self.trouble = ""
        self.is_closed = False

    def interrupt(self) -> None:
        self.interrupts += 1

    def __enter__(self) -> FakeLive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_closed = True


class CommandLine:
    """`nbflow` in this process, with the fake behind it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.api = FakeApi()
        self.opened: list[tuple[Path | None, int | None]] = []
        self.live = FakeLive(self.api)
        monkeypatch.setitem(sys.modules, "nbflow.wiring", SimpleNamespace(open_project=self._open))

    def _open(self, project: Path | None, *, slots: int | None = None) -> FakeLive:
        self.opened.append((project, slots))
        self.live.api = self.api
        return self.live

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(app, list(words))
