"""The app over a store in dicts and a clock that stands still: manifests on disk, attempts by script, pages as HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nbformat
from bs4 import BeautifulSoup
from engines import FakeOwners
from making import write_manifest, write_notebook
from nbflow_app.frame import Frame
from nbflow_app.notebooks import Notebooks
from nbflow_app.pages.attempt import AttemptPage
from nbflow_app.routes import ATTEMPT, EDIT_FORMS, EDIT_PAGES, FORMS, PAGES
from nbflow_app.visit import Page, Redirect, Visit
from nbformat.v4 import new_code_cell, new_notebook
from shared_store import SharedStore

from nbflow import schedule
from nbflow.api import Api, Caller, Role
from nbflow.backfill import run_key
from nbflow.creation import new_run
from nbflow.engine import Engine
from nbflow.errors import NotFound
from nbflow.git import Git
from nbflow.model import RunId
from nbflow.ports import Happened, Leader, Progress
from nbflow.run import ErrorInfo, Run, StartAttempt
from nbflow.settings import Settings
from nbflow.states import AttemptState, Cause, RunKind
from nbflow.testing.clock import FakeClock
from nbflow.testing.drafts import DictDrafts
from nbflow.testing.executor import FakeExecutor, Script
from nbflow.testing.scheduling import a_standing
from nbflow.workspace import FolderWorkspace
from nbflow.workspace.library import FolderLibrary

NOW = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
BAD_COUNTRY = ErrorInfo(name="ValueError", message="bad country", bases=("Exception", "BaseException", "object"))
FAILS = Script(
    state=AttemptState.FAILED, cause=Cause.ERROR, reason="ValueError: bad country", error=BAD_COUNTRY, failing_cell=3
)
CHAIN = """\
name: nightly
description: What the shop earned.
owner: finance
tags: [revenue]
schedule: {cron: "0 2 * * *", timezone: Europe/Berlin}
params:
  day: {type: date, default: 2026-04-01, description: The day to count.}
  mood: {type: str, default: calm, choices: [calm, wild]}
tasks:
  extract: {notebook: a.ipynb}
  clean: {notebook: a.ipynb, depends_on: extract}
  report: {notebook: a.ipynb, depends_on: clean}
"""


class FakeLogs:
    """Executed notebooks, and the events behind them, by attempt."""

    def __init__(self) -> None:
        self.notebooks: dict[str, Any] = {}
        self.events: dict[str, list[dict[str, Any]]] = {}

    def folder(self, attempt: str, pipeline: str) -> Path:
        return Path("/runs") / pipeline / attempt

    def notebook(self, attempt: str, pipeline: str) -> Any:
        if attempt not in self.notebooks:
            raise NotFound("there is no executed notebook", hint="The attempt has not begun.")
        return nbformat.from_dict(self.notebooks[attempt])

    def progress(self, attempt: str, pipeline: str) -> Progress | None:
        return Progress(cell=2, cells=7)

    def happened(self, attempt: str, pipeline: str, *, after: int = 0) -> Happened:
        known = self.events.get(attempt, [])
        return Happened(events=known[after:], upto=len(known))


class World:
    """One project with its engine, and the pages of its app."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.store, self.logs = folder, FakeClock(NOW), SharedStore(), FakeLogs()
        self.scripts: dict[tuple[str, int], Script] = {}
        self.troubles: dict[str, str] = {}
        self.executor = FakeExecutor(self.clock.now, self._script, pass_time=self.clock.advance)
        self.owners = FakeOwners()
        self.workspace = FolderWorkspace(folder, Settings(), kernels={"python3"})
        self.drafts = DictDrafts()
        self.library = FolderLibrary(folder, Settings(), kernels={"python3"})
        self.engine = Engine(
            name="first", store=self.store, executor=self.executor, clock=self.clock, owners=self.owners
        )
        self.frame = Frame()
        self.attempts = AttemptPage(Notebooks(self.frame))

    def _script(self, order: StartAttempt) -> Script:
        return self.scripts.get((order.key.address, order.number), Script())

    def pipeline(self, text: str = CHAIN, notebooks: Iterable[str] = ("a",)) -> str:
        """Write a manifest with its notebooks; returns its name."""
        found = re.search(r"^name: (\w+)", text, re.MULTILINE)
        name = found[1] if found else "nameless"
        for notebook in notebooks:
            write_notebook(self.folder / name / f"{notebook}.ipynb", "print(1)")
        write_manifest(self.folder / name, text)
        return name

    def api(self, role: Role = Role.ADMIN, name: str = "ada") -> Api:
        return Api(
            caller=Caller(name=name, role=role),
            store=self.store,
            workspace=self.workspace,
            logs=self.logs,
            clock=self.clock,
            driver=self.engine,
            owners=self.owners,
            drafts=self.drafts,
            library=self.library,
            versions=Git(),
        )

    def seen(self, pipeline: str) -> Leader:
        """Let a scheduler see a pipeline, as one does at its first step."""
        definition = self.workspace.load(pipeline)
        assert definition.pipeline
        now = self.clock.now()
        leader = self.store.lead("scheduler", now=now, ttl=timedelta(days=365))
        standing = a_standing(pipeline, first_seen=now, cursor=now)
        self.store.see(leader, standing, (definition.pipeline, definition.text))
        return leader

    def tick(self, pipeline: str = "nightly") -> Run:
        """The run of the next tick, at its time; nobody has begun it."""
        leader, definition = self.seen(pipeline), self.workspace.load(pipeline)
        assert definition.pipeline
        assert definition.pipeline.schedule
        tick = next(schedule.ticks(definition.pipeline.schedule, self.clock.now()))
        self.clock.advance(tick.instant - self.clock.now())
        dates = schedule.for_tick(definition.pipeline.schedule, tick)
        about: Any = {"kind": RunKind.SCHEDULED, "run_key": run_key(tick.instant), "by": "scheduler"}
        made = new_run(self.workspace.freeze(definition), dates, now=tick.instant, **about)
        self.store.fire(leader, definition.pipeline.name, cursor=tick.instant, runs=[made], now=tick.instant)
        return made.run

    def run(self, pipeline: str = "nightly", **scripts: Script) -> Run:
        """A run carried to its end; `scripts` say what becomes of the first attempt of a task."""
        return self.engine.drive(self.begin(pipeline, **scripts).id)

    def begin(self, pipeline: str = "nightly", **scripts: Script) -> Run:
        """A run with its first attempts started."""
        self.scripts.clear()
        self.scripts.update({(task, 1): script for task, script in scripts.items()})
        run = self.api().create_run(pipeline)
        self.engine.own(run.id)
        self.step()  # hands over
        self.step()  # sees them running
        return run

    def step(self) -> None:
        self.engine.step(self.clock.now())

    def visit(self, parts: Mapping[str, str], fields: Mapping[str, Any], role: Role = Role.ADMIN) -> Visit:
        given = {name: [value] if isinstance(value, str) else list(value) for name, value in fields.items()}
        return Visit(api=self.api(role), now=self.clock.now(), parts=parts, fields=given, health=lambda: self.troubles)

    def page(self, address: str, role: Role = Role.ADMIN, **fields: Any) -> Shown:
        """What an address shows. Raises what the page raises."""
        known = (*EDIT_FORMS, *PAGES, *EDIT_PAGES, *FORMS)
        shows = {pattern: show for pattern, show, *_ in known} | {ATTEMPT: self.attempts.show}
        for pattern, show in shows.items():
            if found := re.fullmatch(pattern, address):
                page = show(self.visit(found.groupdict(), fields, role))
                assert isinstance(page, Page)
                return Shown(self.frame.render(page, caller=Caller(name="ada", role=role)))
        raise AssertionError(f"no page at {address}")

    def act(self, address: str, role: Role = Role.ADMIN, **fields: Any) -> Redirect:
        """Send a form."""
        done = self._sent(address, role, fields)
        assert isinstance(done, Redirect)
        return done

    def again(self, address: str, role: Role = Role.ADMIN, **fields: Any) -> Shown:
        """Send a form that is shown again."""
        page = self._sent(address, role, fields)
        assert isinstance(page, Page)
        return Shown(self.frame.render(page, caller=Caller(name="ada", role=role)))

    def _sent(self, address: str, role: Role, fields: Mapping[str, Any]) -> Page | Redirect:
        for pattern, _, act in (*EDIT_FORMS, *FORMS):
            if found := re.fullmatch(pattern, address):
                return act(self.visit(found.groupdict(), fields, role))
        raise AssertionError(f"no form at {address}")

    def write_log(self, run: Run, task: str, *cells: Any, number: int = 1) -> None:
        """The executed notebook of an attempt."""
        self.logs.notebooks[f"{run.id}/{task}/{number}"] = executed(*cells)

    def states(self, run: RunId) -> dict[str, str]:
        return {key.address: str(task.state) for key, task in self.store.load(run).tasks.items()}


def executed(*cells: Any) -> Any:
    """An executed notebook; cells of code by `ran`."""
    for number, cell in enumerate(cells, start=1):
        cell["metadata"].setdefault("nbflow", {})["cell"] = number
    return new_notebook(cells=list(cells), metadata={"language_info": {"name": "python"}})


def ran(source: str, *outputs: Any, state: str = "success", seconds: float | None = 1.0) -> Any:
    return new_code_cell(source, outputs=list(outputs), metadata={"nbflow": {"state": state, "seconds": seconds}})


class Shown:
    """A page as a person reads it."""

    def __init__(self, html: str) -> None:
        self.html = html
        self.soup = BeautifulSoup(html.replace("<wbr>", ""), "html.parser")

    @property
    def text(self) -> str:
        main = self.soup.find(id="main")
        return " ".join((main or self.soup).get_text(" ").split())

    def rows(self, index: int = 0) -> list[list[str]]:
        """The cells of a table's body."""
        table = self.soup.find_all("table")[index]
        return [[_said(cell) for cell in row.find_all(["th", "td"])] for row in table.tbody.find_all("tr")]

    def links(self) -> dict[str, str]:
        """Text → address; of equal texts the first."""
        found: dict[str, str] = {}
        for link in self.soup.find_all("a", href=True):
            found.setdefault(_said(link), link["href"])
        return found

    def part(self, id: str) -> str:
        found = self.soup.find(id=id)
        assert found is not None, f"nothing has the id {id}"
        return _said(found)

    def fields(self) -> dict[str, str]:
        """Name → value of what a form would send, without the token against forgery."""
        sent: dict[str, str] = {}
        for each in self.soup.select("form[method=post] :is(input, select, textarea)"):
            if each.name == "select":
                chosen = each.find("option", selected=True) or each.find("option")
                sent[each["name"]] = chosen.get("value", chosen.text)
            elif each.get("type") not in {"checkbox", "radio"} or each.has_attr("checked"):
                sent[each["name"]] = each.get("value", each.text)
        sent.pop("_xsrf", None)
        return sent


def _said(of: Any) -> str:
    return " ".join(of.get_text(" ").split())
