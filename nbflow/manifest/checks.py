"""What must be true of a pipeline as a whole, as far as its text alone can tell."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo, available_timezones

from nbflow import graph, schedule
from nbflow.errors import InvalidInput
from nbflow.manifest.document import Mark, Node
from nbflow.manifest.reading import Reading
from nbflow.manifest.report import Report
from nbflow.model import Param
from nbflow.params import check
from nbflow.params.annotations import KNOWN, is_readable, read_annotation
from nbflow.text import did_you_mean


def check_text(reading: Reading, report: Report) -> None:
    """Add everything that is wrong with the pipeline itself, whatever exists around it."""
    _check_schedule(reading, report)
    _check_alerts(reading, report)
    _check_params(reading, report)
    _check_tasks(reading, report)
    _check_graph(reading, report)


# --- schedule, alerts, parameters ----------------------------------------------------------------------------------


def _check_schedule(reading: Reading, report: Report) -> None:
    plan, node = reading.pipeline.schedule, reading.root.find("schedule")
    if plan is None:
        return
    if plan.cron and plan.every:
        report.error(node, "schedule has both cron and every", "Keep one.", at=node.find("every").key)
    if isinstance(node.value, dict) and not node.entries.keys() & {"cron", "every"}:
        report.error(node, "schedule needs a 'cron' or an 'every'", at=node.key)
    if plan.cron and (problem := schedule.check_cron(plan.cron)):
        report.error(node.find("cron"), f"{node.find('cron').where}: {problem}")
    if not _is_zone(plan.timezone):
        message = f"schedule.timezone: there is no time zone '{plan.timezone}'"
        report.error(node.find("timezone"), message, did_you_mean(plan.timezone, available_timezones()))
    for key, day in (("start", plan.start), ("end", plan.end)):
        if day and day.year not in schedule.YEARS:
            hint = f"Use {schedule.YEARS[0]} to {schedule.YEARS[-1]}, or leave it out."
            report.error(node.find(key), f"schedule.{key}: no run can be for the year {day.year}", hint)
    if plan.start and plan.end and plan.end < plan.start:
        report.error(node.find("end"), f"schedule.end {plan.end} is before schedule.start {plan.start}")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # a folder, a path outside, an unknown name
        return False
    return True


def _check_alerts(reading: Reading, report: Report) -> None:
    if reading.pipeline.alerts.late_after and reading.pipeline.schedule is None:
        node = reading.root.find("alerts", "late_after")
        report.warn(node, "alerts.late_after has no effect without a schedule", at=node.key)


def _check_params(reading: Reading, report: Report) -> None:
    for name, param in reading.pipeline.params.items():
        node = reading.root.find("params", name)
        if not is_readable(read_annotation(param.type)):
            hint = did_you_mean(param.type, KNOWN)
            report.error(node.find("type"), f"{node.where}.type: '{param.type}' is no type that nbflow knows", hint)
            continue
        for index, choice in enumerate(param.choices):
            _check_value(Param(name=name, type=param.type), choice, node.find("choices", index), report)
        if not param.is_required:
            _check_value(param, param.default, node.find("default"), report)
        elif reading.pipeline.schedule:
            message = f"parameter '{name}' needs a default, because scheduled runs are given none"
            report.error(node, message, at=node.key)


def _check_value(param: Param, value: object, node: Node, report: Report) -> None:
    try:
        check(param, value)
    except InvalidInput as error:
        report.error(node, f"{node.where}: {error.message}", error.hint)


# --- tasks ---------------------------------------------------------------------------------------------------------


def _check_tasks(reading: Reading, report: Report) -> None:
    tasks = reading.root.child("tasks")
    if tasks and isinstance(tasks.value, dict) and not tasks.value:
        report.error(tasks, "a pipeline needs at least one task", at=tasks.key)
    for name, task in reading.pipeline.tasks.items():
        if problem := wrong_notebook(task.notebook, report.file):
            at = reading.node(name, "notebook")
            report.error(at, f"{at.where}: {problem[0]}", problem[1])
        for variable in task.env.keys() & task.secrets.keys():
            at = reading.node(name, "secrets", variable)
            report.error(at, f"task '{name}' has '{variable}' in both env and secrets", at=at.key)
        if task.pool is None and (node := reading.own(name, "pool_slots")):
            report.warn(node, f"{node.where} has no effect without a pool", at=node.key)
        if task.retries.max_retries == 0 and (node := reading.own(name, "retries", "delay")):
            report.warn(node, f"{node.where} has no effect while max_retries is 0", at=node.key)


def wrong_notebook(path: str, manifest: str) -> tuple[str, str] | None:
    """What is wrong with the path in itself, and a hint; `manifest` is empty where nobody knows how deep it stands."""
    folder = posixpath.dirname(manifest.replace("\\", "/"))
    if not path:
        return None
    if "\\" in path:
        return f"'{path}' has a backslash", f"Write '{path.replace(chr(92), '/')}'."
    if posixpath.isabs(path):
        return f"'{path}' is an absolute path", "Write it relative to the manifest."
    if manifest and posixpath.normpath(posixpath.join(folder, path)).split("/")[0] == "..":
        return f"'{path}' lies outside the project", ""
    if path.endswith((".py", ".md")):
        return f"'{path}' is a text notebook, which is not yet supported", ""
    if not path.endswith(".ipynb"):
        return f"'{path}' is no notebook", "Its name must end in .ipynb."
    return None


# --- the graph -----------------------------------------------------------------------------------------------------


def _check_graph(reading: Reading, report: Report) -> None:
    upstreams: dict[str, dict[str, Mark]] = {}
    for name, task in reading.tasks.items():
        upstreams[name] = {}
        for node in _dependencies(task):
            if node.value in upstreams[name]:
                report.error(node, f"task '{name}' depends on '{node.value}' twice")
            elif node.value == name:
                report.error(node, f"task '{name}' depends on itself")
            elif node.value not in reading.tasks:
                message = f"task '{name}' depends on '{node.value}', which does not exist"
                report.error(node, message, did_you_mean(node.value, reading.tasks.keys() - {name}))
            else:
                upstreams[name][node.value] = node.mark
    for cycle in _cycles(upstreams):
        node = reading.tasks[cycle[0]].find("depends_on")
        report.error(node, f"cycle: {' → '.join(cycle)}", at=upstreams[cycle[0]].pop(cycle[-2]))


def _dependencies(task: Node) -> Iterator[Node]:
    node = task.child("depends_on")
    items = () if node is None else node.value if isinstance(node.value, tuple) else (node,)
    yield from (item for item in items if isinstance(item.value, str))


def _cycles(upstreams: Mapping[str, Mapping[str, object]]) -> Iterator[tuple[str, ...]]:
    """Cycles in the order of execution, each beginning and ending with its task that comes first in the text.

    The caller takes the last step out of `upstreams` before it asks for the next one.
    """
    position = {name: at for at, name in enumerate(upstreams)}
    while found := graph.cycle_path(upstreams):
        *path, _ = found
        first = min(range(len(path)), key=lambda at: position[path[at]])
        yield (*path[first:], *path[:first], path[first])
