"""The form of a task: its fields become commands on the draft. It needs no canvas."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

from nbflow import policy
from nbflow.api import DraftView
from nbflow.errors import NbflowError, NotFound
from nbflow.manifest.edit import (
    Command,
    Connect,
    Disconnect,
    DuplicateTask,
    RemoveTask,
    RenameTask,
    SetTaskKey,
    sketch,
)
from nbflow.manifest.keys import TASK
from nbflow.model import Param, Pipeline, Retries, Task, TaskName
from nbflow.params import is_template, parse_text
from nbflow.ports import NotebookFile
from nbflow.scalars import write_duration
from nbflow.states import JOIN_SENTENCES
from nbflow.text import did_you_mean, seconds_text
from nbflow_app.forms.fields import choices_of, text_of
from nbflow_app.forms.keys import Key, changed, names, shown, typed, was
from nbflow_app.forms.proposals import templates
from nbflow_app.forms.words import BACKOFFS
from nbflow_app.sheet import shown_values, tasks_of, upstreams
from nbflow_app.visit import Page, Redirect, Visit

PARAM = "params."
MOST_DELAYS = 8

RUNS = (
    Key(path="run_if", label="Runs when", kind="select", choices=tuple(JOIN_SENTENCES.items())),
    Key(path="when", label="And only if", kind="when", hint="A template that gives true or false."),
)
FAILS = (
    Key(path="retries.max_retries", label="Retries", kind="number"),
    Key(path="retries.delay", label="First delay", hint="30s, 2m, 1h30m"),
    Key(path="retries.backoff", label="The next delays are", kind="select", choices=tuple(BACKOFFS.items())),
    Key(path="retries.max_delay", label="Never longer than"),
    Key(path="retries.never_on", label="Not worth a retry", kind="names", hint="Names of exceptions, with commas."),
    Key(path="timeout", label="Timeout of one attempt", hint="10m, 2h; no limit without one."),
    Key(path="allow_failure", label="The run may succeed although this fails", kind="check"),
)
MACHINE = (
    Key(path="pool", label="Pool", options="pools", hint="At most so many at once, over all pipelines."),
    Key(path="pool_slots", label="Places in the pool", kind="number"),
    Key(path="priority", label="Priority", kind="number", hint="Among ready tasks the higher one starts first."),
    Key(path="kernel", label="Kernel", hint="The notebook's own without one."),
    Key(path="cell_timeout", label="Timeout of one cell"),
    Key(path="secrets", label="Secrets", kind="pairs", hint="VARIABLE=name of the secret, one a line."),
    Key(path="env", label="Environment", kind="pairs", hint="VARIABLE=text, one a line."),
)
NAME = Key(path="name", label="Name")
NOTEBOOK = Key(path="notebook", label="Notebook", options="notebooks")
PLAIN = (NOTEBOOK, *RUNS, *FAILS, *MACHINE)


def show(visit: Visit) -> Page:
    """Raises NotFound for a task that the draft does not have."""
    return _page(visit, None)


def act(visit: Visit) -> Page | Redirect:
    pipeline, task = visit.part("pipeline"), visit.part("task")
    try:
        commands, goes_to = _orders(visit)
        view = visit.api.edit_draft(pipeline, visit.field("id") or uuid4().hex, commands)
    except NbflowError as error:
        return _page(visit, error)
    place = f"/pipelines/{pipeline}/edit" + (f"/tasks/{goes_to}" if goes_to else "")
    return Redirect(to=place, note=view.draft.said if commands else f"Nothing of {task} was changed")


# --- what was asked for -----------------------------------------------------------------------------------------------


def _orders(visit: Visit) -> tuple[list[Command], str]:
    """The commands, and the task whose form is shown next; empty for none."""
    task = visit.part("task")
    match visit.field("do"):
        case "delete":
            return [RemoveTask(task)], ""
        case "duplicate":
            tasks = tasks_of(shown_values(visit.api.draft(visit.part("pipeline"))))
            copy = next(name for at in range(2, len(tasks) + 3) if (name := f"{task}_{at}") not in tasks)
            return [DuplicateTask(task, copy)], copy
        case _:
            return list(_changes(visit, _Form(visit))), visit.field("name") or task


def _changes(visit: Visit, form: _Form) -> Iterator[Command]:
    task = visit.part("task")
    for path, new in changed(PLAIN, form.texts, form.before):
        yield SetTaskKey(task, path, new)
    for key, param in form.params.items():
        if form.texts[key.path] != form.before.get(key.path, ""):
            yield SetTaskKey(task, key.path, _given(param, form.texts[key.path]))
    ups, downs = _chosen(visit, "after"), _chosen(visit, "before")
    if form.is_sent:
        yield from (Disconnect(up, task) for up in form.listed("after") if up not in ups)
        yield from (Connect(up, task) for up in ups if up not in form.listed("after"))
        yield from (Disconnect(task, down) for down in form.listed("before") if down not in downs)
        yield from (Connect(task, down) for down in downs if down not in form.listed("before"))
    new_name = form.texts["name"]
    if new_name != form.before.get("name", task):
        yield RenameTask(task, new_name)


def _chosen(visit: Visit, side: str) -> list[str]:
    return list(dict.fromkeys([*visit.many(side), *names(visit.field(f"{side}.add"))]))


def _given(param: Param, text: str) -> Any:
    """A template as it is, anything else as the notebook's annotation says. Raises InvalidInput."""
    if not text:
        return None
    return text if is_template(text) else parse_text(param, text)


# --- the form ---------------------------------------------------------------------------------------------------------


class _Form:
    """A task of the draft with the texts of its fields, as they stand or as they were sent."""

    def __init__(self, visit: Visit) -> None:
        self.view = visit.api.draft(visit.part("pipeline"))
        self.name = visit.part("task")
        self.tasks = tasks_of(shown_values(self.view))
        if self.name not in self.tasks:
            message = f"the draft has no task '{self.name}'"
            raise NotFound(message, hint=did_you_mean(self.name, self.tasks))
        self.values = self.tasks[self.name]
        self.notebooks = {_from(self.view, each.path): each for each in visit.api.notebooks()}
        self.texts = typed(visit, PLAIN, self.values)
        self.notebook = self.notebooks.get(posixpath.normpath(self.texts["notebook"] or "-"))
        self.params = dict(_params(self.notebook, self.values.get("params")))
        self.texts |= typed(visit, self.params, self.values)
        self.texts |= {"name": visit.field("name")} if visit.fields.get("was") else {"name": self.name}
        self.ups = upstreams(self.values, self.tasks)
        self.downs = [other for other, task in self.tasks.items() if self.name in upstreams(task, self.tasks)]
        self.is_sent = "was" in visit.fields
        now = {**self.texts, "after": ", ".join(self.ups), "before": ", ".join(self.downs)}
        self.before = was(visit, now)

    def listed(self, side: str) -> list[str]:
        """The neighbours that it had when the form was opened."""
        return names(self.before.get(side, ""))


def _page(visit: Visit, error: NbflowError | None) -> Page:
    pipeline, form = visit.part("pipeline"), _Form(visit)
    tried, refused = _tried(visit, form) if form.is_sent else (form.view.draft.text, None)
    error = error or refused
    plan = sketch(tried)
    task = _task(plan, form.texts["name"]) or _task(plan, form.name)
    wrong = _wrong(error, form.name)
    defaults = _defaults(task, form) if task else {}
    return Page(
        template="forms/edit_task.html",
        title=form.name,
        section="pipelines",
        crumbs=[(f"Edit {pipeline}", f"/pipelines/{pipeline}/edit")],
        data={
            "name": pipeline,
            "task": form.name,
            "error": error,
            "id": uuid4().hex,
            "was": json.dumps(form.before),
            "named": shown([NAME, NOTEBOOK], form.texts, {}, wrong),
            "about": form.notebook,
            "params": shown(list(form.params), form.texts, defaults, wrong),
            "types": {key.path: param for key, param in form.params.items()},
            "choices": {key.path: choices_of(param) for key, param in form.params.items()},
            "runs": shown(RUNS, form.texts, defaults, wrong),
            "fails": shown(FAILS, form.texts, defaults, wrong),
            "machine": shown(MACHINE, form.texts, defaults, wrong),
            "uses_machine": any(form.texts[key.path] for key in MACHINE),
            "delays": None if wrong.startswith("retries") else _delays(task.retries) if task else "",
            "ups": _chosen(visit, "after") if form.is_sent else form.ups,
            "downs": _chosen(visit, "before") if form.is_sent else form.downs,
            "others": [other for other in form.tasks if other != form.name],
            "notebooks": [(path, each.heading) for path, each in form.notebooks.items()],
            "pools": form.view.pools,
            "templates": list(templates(visit, plan, form.view.draft.text, form.ups)),
            "kept": {key: text_of(form.values[key]) for key, about in TASK.items() if _is_kept(key, about, form)},
        },
    )


def _tried(visit: Visit, form: _Form) -> tuple[str, NbflowError | None]:
    """The draft's text as the fields would make it, or why they cannot."""
    try:
        commands = list(_changes(visit, form))
        return visit.api.try_draft(visit.part("pipeline"), commands), None
    except NbflowError as error:
        return form.view.draft.text, error


def _wrong(error: NbflowError | None, task: str) -> str:
    return error.where.removeprefix(f"tasks.{task}.") if error else ""


def _is_kept(key: str, about: Any, form: _Form) -> bool:
    return not about.is_supported and key in form.values


def _task(plan: Pipeline | None, name: str) -> Task | None:
    return plan.tasks.get(TaskName(name)) if plan else None


def _params(notebook: NotebookFile | None, given: Any) -> Iterator[tuple[Key, Param]]:
    """A field for each parameter of the notebook, and for each that is given besides."""
    known = {param.name: param for param in (notebook.params or () if notebook else ())}
    besides = given if isinstance(given, Mapping) else {}
    for name in [*known, *(name for name in besides if name not in known)]:
        param = known.get(name, Param(name=name))
        options = f"of-{name}" if choices_of(param) else "templates"
        yield Key(path=f"{PARAM}{name}", label=name, options=options), param


def _defaults(task: Task, form: _Form) -> dict[str, str]:
    """What holds where nothing is typed: from the notebook, from the manifest's defaults, or from nbflow."""
    retries = task.retries
    found = {
        "run_if": str(task.run_if),
        "retries.max_retries": f"{retries.max_retries}",
        "retries.delay": write_duration(retries.delay),
        "retries.backoff": retries.backoff,
        "retries.max_delay": write_duration(retries.max_delay),
        "timeout": write_duration(task.timeout) if task.timeout else "no limit",
        "pool": task.pool or "none",
        "pool_slots": f"{task.pool_slots}",
        "priority": f"{task.priority}",
        "kernel": task.kernel or "the notebook's own",
    }
    for key, param in form.params.items():
        default = task.params.get(param.name) if param.name not in (form.values.get("params") or {}) else None
        own = param.default_text or ("" if param.is_required else text_of(param.default))
        found[key.path] = text_of(default) or own
    return found


def _delays(retries: Retries) -> str:
    """`30 s, 1 min, 2 min`."""
    count = min(retries.max_retries, MOST_DELAYS)
    plain = (policy.delay(retries, number, seed="") for number in range(1, count + 1))
    said = ", ".join(_said(delay) for delay in plain)
    return f"{said} and so on" if retries.max_retries > MOST_DELAYS else said


def _said(delay: timedelta) -> str:
    seconds = delay.total_seconds()
    if seconds >= 60 and seconds % 60 == 0 and seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:g} s" if seconds < 120 else seconds_text(seconds)


def _from(view: DraftView, path: str) -> str:
    """A path of the project as the manifest names it."""
    return posixpath.relpath(path, posixpath.dirname(view.disk.file) or ".")
