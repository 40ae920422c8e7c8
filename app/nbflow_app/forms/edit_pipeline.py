"""The form of the pipeline itself: what it is, when it runs, what a run may be given, who is told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any
from uuid import uuid4
from zoneinfo import available_timezones

from nbflow import schedule
from nbflow.errors import InvalidInput, NbflowError
from nbflow.manifest import check
from nbflow.manifest.edit import Command, SetPipelineKey, sketch
from nbflow.model import Param
from nbflow.params import parse_text
from nbflow.params.annotations import KNOWN
from nbflow.schedule.words import schedule_text
from nbflow.text import with_offset
from nbflow_app.forms.keys import Key, changed, names, shown, stored, typed, value, was
from nbflow_app.forms.words import CRONS, MISSED, OVERLAPS
from nbflow_app.sheet import shown_values
from nbflow_app.visit import Page, Redirect, Visit

COMING = 5
CRON_HINT = "Choose from the list, or type minute, hour, day, month and weekday."

ABOUT = (
    Key(path="name", label="Name"),
    Key(path="description", label="What it is for", kind="long"),
    Key(path="owner", label="Owner", hint="Who answers for it."),
    Key(path="tags", label="Tags", kind="names", hint="With commas."),
)
TIMES = (
    Key(path="schedule.cron", label="At these times", options="crons", hint=CRON_HINT),
    Key(path="schedule.every", label="Every", hint="15m, 6h, 1d"),
    Key(path="schedule.timezone", label="Time zone", options="zones"),
    Key(path="schedule.start", label="First day", kind="date"),
    Key(path="schedule.end", label="Last day", kind="date"),
)
LATE = (
    Key(
        path="schedule.overlap",
        label="While the last run goes on",
        kind="select",
        choices=tuple(OVERLAPS.items()),
    ),
    Key(path="max_active_runs", label="Runs at once", kind="number"),
    Key(path="schedule.grace", label="Late is missed after"),
)
TOLD = (
    Key(path="alerts.on_failure", label="Of a failed run", kind="names", options="channels"),
    Key(path="alerts.on_recovery", label="Of its recovery", kind="names", options="channels"),
    Key(path="alerts.on_late", label="Of a late run", kind="names", options="channels"),
    Key(path="alerts.late_after", label="Late after", hint="06:30, in its zone"),
    Key(path="alerts.on_missed", label="Of missed runs", kind="names", options="channels"),
)
PLAIN = (*ABOUT, *TIMES, *LATE, *TOLD)
KINDS = {"hand": "by hand only", "cron": "at certain times", "every": "again and again"}
DEFAULTS = {
    "schedule.timezone": "UTC",
    "schedule.overlap": "queue",
    "schedule.grace": "10m",
    "max_active_runs": "1",
}


def show(visit: Visit) -> Page:
    return _page(visit, None)


def act(visit: Visit) -> Page | Redirect:
    name = visit.part("pipeline")
    try:
        commands = list(_changes(visit, _Form(visit)))
        view = visit.api.edit_draft(name, visit.field("id") or uuid4().hex, commands)
    except NbflowError as error:
        return _page(visit, error)
    note = view.draft.said if commands else "Nothing was changed"
    return Redirect(to=f"/pipelines/{name}/edit/pipeline", note=note)


# --- what was asked for -----------------------------------------------------------------------------------------------


def _changes(visit: Visit, form: _Form) -> Iterator[Command]:
    kind, before = form.texts["kind"], form.before.get("kind", "hand")
    gone = {"hand": "schedule.", "cron": "schedule.every", "every": "schedule.cron"}[kind]
    if kind == "hand" and before != "hand":
        yield SetPipelineKey("schedule", None)
    elif kind != before and before != "hand":
        yield SetPipelineKey(gone, None)
    for path, new in changed(PLAIN, form.texts, form.before):
        if not path.startswith(gone):
            yield SetPipelineKey(path, new)
    if kind != "hand" and (form.texts["missed"], form.texts["missed.last"]) != (
        form.before.get("missed", ""),
        form.before.get("missed.last", ""),
    ):
        yield SetPipelineKey("schedule.missed", _missed(form.texts))
    yield from _params(visit, form)


def _missed(texts: Mapping[str, str]) -> Any:
    if texts["missed"] != "last":
        return texts["missed"] or None
    count = value(Key(path="missed.last", label="How many missed runs", kind="number"), texts["missed.last"] or "1")
    return {"last": count}


def _params(visit: Visit, form: _Form) -> Iterator[Command]:
    for name in form.params:
        place = f"params.{name}"
        if visit.flag(f"{place}.gone"):
            yield SetPipelineKey(place, None)
            continue
        for key in _keys_of(place):
            if form.texts[key.path] != form.before.get(key.path, ""):
                yield SetPipelineKey(key.path, _value_of(name, place, key, form))
    if new := form.texts["new.name"]:
        if new in form.params:
            raise InvalidInput(f"there is already a parameter '{new}'", where="new.name", hint="Choose another name.")
        given = {key.path.removeprefix("new."): _value_of(new, "new", key, form) for key in _keys_of("new")}
        yield SetPipelineKey(f"params.{new}", {name: each for name, each in given.items() if each is not None})


def _keys_of(place: str) -> tuple[Key, ...]:
    """The keys of a parameter that stands at `params.NAME`, or of the one that is `new`."""
    return (
        Key(path=f"{place}.type", label="Type", options="types"),
        Key(path=f"{place}.default", label="Default", hint="Without one it must be given to every run."),
        Key(path=f"{place}.choices", label="Choices", kind="names", hint="With commas."),
        Key(path=f"{place}.description", label="What it means"),
    )


def _value_of(name: str, place: str, key: Key, form: _Form) -> Any:
    """Defaults and choices by the type that stands beside them."""
    text, what = form.texts[key.path], key.path.removeprefix(f"{place}.")
    if not text or what not in {"default", "choices"}:
        return text or None
    param = Param(name=name, type=form.texts[f"{place}.type"])
    return parse_text(param, text) if what == "default" else [parse_text(param, each) for each in names(text)]


# --- the form ---------------------------------------------------------------------------------------------------------


class _Form:
    """The pipeline of the draft with the texts of its fields, as they stand or as they were sent."""

    def __init__(self, visit: Visit) -> None:
        self.view = visit.api.draft(visit.part("pipeline"))
        self.values = shown_values(self.view)
        self.is_sent = "was" in visit.fields
        params = self.values.get("params")
        self.params = list(params) if isinstance(params, dict) else []
        keys = (*PLAIN, *(key for name in self.params for key in _keys_of(f"params.{name}")))
        self.texts = typed(visit, keys, self.values)
        own = self._own()
        for name in (*own, "new.name", *(key.path for key in _keys_of("new"))):
            self.texts[name] = visit.field(name) if self.is_sent else own.get(name, "")
        if self.texts["kind"] not in KINDS:
            self.texts["kind"] = own["kind"]
        self.before = was(visit, self.texts)

    def _own(self) -> dict[str, str]:
        """What no key says by itself."""
        timing, every = self.values.get("schedule"), stored(TIMES[1], self.values)
        missed = timing.get("missed") if isinstance(timing, dict) else None
        last = missed.get("last") if isinstance(missed, dict) else None
        return {
            "kind": "hand" if timing is None else "every" if every else "cron",
            "missed": "last" if isinstance(missed, dict) else missed if isinstance(missed, str) else "",
            "missed.last": "" if last is None else f"{last}",
        }


def _page(visit: Visit, error: NbflowError | None) -> Page:
    name, form = visit.part("pipeline"), _Form(visit)
    text, refused = _tried(visit, form) if form.is_sent else (form.view.draft.text, None)
    error = error or refused
    wrong = error.where if error else ""

    def fields(keys: Sequence[Key]) -> list[Any]:
        return shown(keys, form.texts, DEFAULTS, wrong)

    return Page(
        template="forms/edit_pipeline.html",
        title="Pipeline",
        section="pipelines",
        crumbs=[(f"Edit {name}", f"/pipelines/{name}/edit")],
        data={
            "name": name,
            "error": error,
            "id": uuid4().hex,
            "was": json.dumps(form.before),
            "about": fields(ABOUT),
            "times": fields(TIMES),
            "late": fields(LATE),
            "told": fields(TOLD),
            "texts": form.texts,
            "kinds": KINDS,
            "missed": MISSED,
            "said": _said(text, visit.now),
            "params": {each: fields(_keys_of(f"params.{each}")) for each in form.params},
            "gone": {each for each in form.params if visit.flag(f"params.{each}.gone")},
            "new": fields(_keys_of("new")),
            "crons": CRONS,
            "zones": _zones(),
            "types": sorted(KNOWN),
            "channels": form.view.channels,
        },
    )


def _tried(visit: Visit, form: _Form) -> tuple[str, NbflowError | None]:
    """The text that the fields would make; empty where they are refused, and why."""
    try:
        return visit.api.try_draft(visit.part("pipeline"), list(_changes(visit, form))), None
    except NbflowError as error:
        return "", error


def _said(text: str, now: datetime) -> tuple[str, list[str]]:
    """The schedule in words, and its next runs as the clock of its zone shows them."""
    pipeline, problems = check(text)
    plan = pipeline or sketch(text)
    is_wrong = any(each.where.startswith("schedule") and each.severity == "error" for each in problems)
    if plan is None or plan.schedule is None or is_wrong:
        return "", []
    coming = islice(schedule.ticks(plan.schedule, now), COMING)
    return schedule_text(plan.schedule), [with_offset(tick.local) for tick in coming]


@cache
def _zones() -> list[str]:
    return sorted(available_timezones())
