"""Commands about pipelines as they are written: init, new, validate, list, show."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbflow.cli.session import OK, WRONG_USE, Json, Session, command
from nbflow.cli.tables import cut, new_table, print_runs
from nbflow.cli.words import local_time, shell, short_time, state_text, style_of
from nbflow.errors import InvalidInput, Problem
from nbflow.text import counted, join_names, one_line, with_offset

if TYPE_CHECKING:
    from rich.text import Text

    from nbflow.api import Api, PipelineView
    from nbflow.model import Pipeline, Task
    from nbflow.ports import Definition

PANEL = "Pipelines"

Name = Annotated[str, typer.Argument(metavar="PIPELINE", help="A pipeline's name, or the path of its folder or file.")]


def add_to(app: typer.Typer) -> None:
    command(app, panel=PANEL)(init)
    command(app, panel=PANEL)(new)
    command(app, panel=PANEL)(validate)
    command(app, panel=PANEL, name="list")(list_)
    command(app, panel=PANEL)(show)


def init(
    session: Session,
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="The new project's folder. Without it, the current one.")
    ] = None,
) -> None:
    """Make a project with one small working pipeline.

    Files that exist are never overwritten.
    """
    from nbflow.cli.starter import FIRST_PIPELINE, write_project
    from nbflow.settings import FILE

    folder = folder or session.project or Path()
    written, kept = write_project(folder)
    if around := next((each for each in folder.resolve().parents if (each / FILE).is_file()), None):
        session.say(f"this project lies inside another one: {around}", "yellow")
    for path in written:
        session.out.print(str(path))
    for path in kept:
        session.say(f"kept {path}, which was there; it should name .nbflow/", "yellow")
    session.say("\nNext:")
    if folder.resolve() != Path.cwd():
        session.say(f"  {shell('cd', str(folder))}")
    session.say(f"  nbflow run {FIRST_PIPELINE}")
    session.say("  nbflow logs latest report")


# --- new ----------------------------------------------------------------------------------------------------------


def new(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the pipeline shall be called.")],
    notebooks: Annotated[list[str], typer.Argument(metavar="NOTEBOOK", help="Notebooks of the project, a task each.")],
    folder: Annotated[
        str,
        typer.Option(
            metavar="DIR",
            help="Where its manifest shall stand. Without it, beside the notebooks, or in a folder of its own.",
        ),
    ] = "",
    bare: Annotated[bool, typer.Option("--no-edges", help="Leave out the edges that suggest themselves.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the manifest, and write nothing.")] = False,
) -> None:
    """Make a pipeline of notebooks that are there.

    A notebook that reads what another one writes runs after it. No file is overwritten.
    """
    from nbflow.api import usable
    from nbflow.ports import Wish

    with session.open() as live:
        paths = tuple(_from_project(each, live.project) for each in notebooks)
        wish = Wish(name=name, notebooks=paths, folder=_from_project(folder, live.project) if folder else "")
        gaps = () if bare else live.api.plan_pipeline(wish).gaps
        wish = replace(wish, edges=frozenset((gap.up, gap.down) for gap in gaps))
        definition = live.api.plan_pipeline(wish).definition if dry_run else live.api.create_pipeline(wish)
    for gap in gaps:
        session.say(f"{gap.down} runs after {gap.up}: it reads {gap.thing}, which {gap.up} writes")
    if dry_run:
        usable(definition)
        typer.echo(definition.text, nl=False)
        return
    session.out.print(definition.file, soft_wrap=True)
    session.say("\nNext:")
    session.say(f"  {session.command('run', name)}")


def _from_project(given: str, project: Path) -> str:
    """A path that begins at the current folder, as one from the project's."""
    return Path(os.path.relpath(Path.cwd() / given, project)).as_posix()


# --- validate -----------------------------------------------------------------------------------------------------


def validate(
    session: Session,
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="PATH", help="Pipelines to check. Without one, all of the project.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Check manifests and their notebooks.

    Every problem is reported at once. Exits 2 if one is an error, 0 with warnings only.
    """
    from nbflow.shapes import problems_document

    with session.open() as live:
        found = [_problems(live.api, path) for path in paths or ()] or [each.problems for each in live.api.validate()]
    problems = [problem for each in found for problem in each]
    errors = sum(each.severity == "error" for each in problems)
    if as_json:
        session.print_json(problems_document(problems))
    else:
        _print_problems(session, problems)
        warnings = len(problems) - errors
        counts = f"{counted(errors, 'error')} and {counted(warnings, 'warning')}" if problems else "no problems"
        checked = f"{counted(len(found), 'pipeline')} checked: {counts}"
        session.say(checked if found else "there is no pipeline to check")
    return WRONG_USE if errors else OK


def _problems(api: Api, path: str) -> Sequence[Problem]:
    """That it cannot be found is a problem like any other: those beside it are reported, too."""
    try:
        return api.validate([path])[0].problems
    except InvalidInput as error:
        return [Problem(file=path, message=error.message, hint=error.hint)]


def _print_problems(session: Session, problems: Sequence[Problem]) -> None:
    for problem in problems:
        style = "red" if problem.severity == "error" else "yellow"
        place = f"{problem.file}:{problem.line}:{problem.column}: "
        said = str(problem).removeprefix(place)
        session.out.print(f"{place}{problem.severity}: {said}", style=style, soft_wrap=True)


# --- list and show ------------------------------------------------------------------------------------------------


def list_(session: Session, as_json: Json = False) -> None:
    """List the pipelines with schedule, next and last run."""
    from nbflow.shapes import pipelines_document

    with session.open() as live:
        views = live.api.pipelines()
        removed = [name for name, standing in live.api.standings().items() if standing.is_removed]
    if as_json:
        session.print_json(pipelines_document(views))
    elif views:
        _print_pipelines(session, views)
    else:
        session.say("There is no pipeline here yet. A first one:")
        session.say(f"  {shell('nbflow', 'init', *([str(session.project)] if session.project else []))}")
    if removed and not as_json:
        session.say(f"removed, and start no runs; their history stays: {join_names(removed)}")


def _print_pipelines(session: Session, views: Sequence[PipelineView]) -> None:
    from nbflow.schedule.words import schedule_text

    now = datetime.now(UTC)
    table = new_table("pipeline", "tasks", "last run", "", "next", "schedule")
    for view in views:
        pipeline = view.definition.pipeline
        if pipeline is None:
            table.add_row(*_broken(view.definition), "", "", "")
            continue
        last = view.last_runs[0] if view.last_runs else None
        table.add_row(
            cut(pipeline.name, "bold"),
            str(len(pipeline.tasks)),
            cut(state_text(last.state), style_of(last.state)) if last else "",
            short_time(last.created_at, now) if last else "",
            _next(view),
            cut(schedule_text(pipeline.schedule)),
        )
    session.out.print(table)
    if any(view.definition.pipeline is None for view in views):
        session.say(f"What is wrong with them: {session.command('validate')}")


def _next(view: PipelineView) -> Text:
    """When the next run starts, or that none does."""
    if view.is_paused:
        return cut("paused", "yellow")
    return cut(local_time(view.next_tick.instant) if view.next_tick else "")


def _broken(definition: Definition) -> tuple[str, str, Text]:
    """Path, no tasks, and how much is wrong."""
    errors = sum(each.severity == "error" for each in definition.problems)
    path = definition.problems[0].file if definition.problems else str(definition.path)
    return path, "", cut(f"cannot be used: {counted(errors, 'error')}", "red")


def show(session: Session, pipeline: Name, as_json: Json = False) -> None:
    """Show one pipeline: schedule, parameters, graph, last runs."""
    from nbflow.api import usable
    from nbflow.shapes import show_document

    with session.open() as live:
        view = live.api.pipeline(pipeline)
    shown = usable(view.definition)
    if as_json:
        session.print_json(show_document(view))
    else:
        _print_pipeline(session, view, shown)


def _print_pipeline(session: Session, view: PipelineView, pipeline: Pipeline) -> None:
    from nbflow.schedule.words import schedule_text

    out = session.out
    out.print(pipeline.name, style="bold")
    if pipeline.description:
        out.print(one_line(pipeline.description), soft_wrap=True)
    out.print()
    due = f", next {with_offset(view.next_tick.local)}" if view.next_tick else ""
    facts = {
        "schedule": f"{schedule_text(pipeline.schedule)}{due}",
        "paused": _paused(view),
        "owner": pipeline.owner,
        "tags": ", ".join(pipeline.tags),
        "file": str(view.definition.path),
    }
    for name, value in facts.items():
        if value:
            out.print(f"  {name:<9} {value}", soft_wrap=True)
    _print_params(session, pipeline)
    _print_graph(session, pipeline)
    if view.last_runs:
        out.print("\nLast runs", style="bold")
        print_runs(out, view.last_runs, with_pipeline=False)


def _paused(view: PipelineView) -> str:
    """Since when, by whom and why; empty where it is not."""
    standing = view.standing
    if standing is None or standing.paused_at is None:
        return ""
    by = f" by {standing.paused_by}" if standing.paused_by else ""
    note = f": {one_line(standing.note)}" if standing.note else ""
    return f"since {local_time(standing.paused_at)}{by}{note}"


def _print_params(session: Session, pipeline: Pipeline) -> None:
    if not pipeline.params:
        return
    session.out.print("\nParameters", style="bold")
    table = new_table()
    for param in pipeline.params.values():
        default = "required" if param.is_required else f"default {one_line(str(param.default))}"
        choices = f"one of {', '.join(str(each) for each in param.choices)}" if param.choices else ""
        table.add_row(f"  {param.name}", param.type, default, choices, one_line(param.description))
    session.out.print(table)


def _print_graph(session: Session, pipeline: Pipeline) -> None:
    """Layer by layer, each task with its upstreams: as readable for 60 tasks as for three."""
    from nbflow import graph

    session.out.print(f"\n{counted(len(pipeline.tasks), 'task').capitalize()}", style="bold")
    table = new_table()
    for number, layer in enumerate(graph.generations(pipeline.tasks), start=1):
        for at, name in enumerate(layer):
            task = pipeline.tasks[name]
            ups = f"← {join_names(task.depends_on, most=6)}" if task.depends_on else ""
            step = cut("" if at else f"{number:>3}", "dim")
            table.add_row(step, name, ups, cut(_particulars(task), "dim"))
    session.out.print(table)


def _particulars(task: Task) -> str:
    """What is not as usual about a task."""
    said = {
        "runs if": "" if task.run_if == "all_success" else str(task.run_if),
        "retries": str(task.retries.max_retries or ""),
        "pool": task.pool or "",
        "may fail": "yes" if task.allow_failure else "",
    }
    return ", ".join(f"{name} {value}" for name, value in said.items() if value)
