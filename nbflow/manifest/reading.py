"""A pipeline as far as its manifest can be understood, and where in the text each part of it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nbflow.manifest.document import Node
from nbflow.model import Alerts, Keep, Param, Pipeline, PipelineName, Retries, Schedule, Task, TaskName
from nbflow.states import JoinRule

_MERGED = ("params", "retries", "env", "secrets", "resources")


@dataclass(frozen=True, slots=True)
class Reading:
    """Wrong parts are missing from the pipeline; they have been reported."""

    pipeline: Pipeline
    root: Node

    @property
    def tasks(self) -> Mapping[str, Node]:
        """The tasks that the text names, also those that could not be read."""
        return self._named("tasks")

    @property
    def params(self) -> Mapping[str, Node]:
        """The parameters of the pipeline, likewise."""
        return self._named("params")

    def node(self, task: str, *path: str) -> Node:
        """Where a value of a task stands: in the task, else in the defaults, else the task itself."""
        return self.own(task, *path) or _exact(self.root, "defaults", *path) or self.tasks[task]

    def own(self, task: str, *path: str) -> Node | None:
        """Where the task itself gives a value; None where it does not."""
        return _exact(self.tasks[task], *path)

    def parts(self, task: str, key: str) -> Iterator[Node]:
        """What stands under a key of a task, with what the defaults add to it."""
        own, common = self.tasks[task].child(key), _exact(self.root, "defaults", key)
        if own is None or common is None or key not in _MERGED:
            yield from (node for node in (own or common,) if node)
            return
        yield own
        yield from (node for name, node in common.entries.items() if name not in own.entries)

    def _named(self, key: str) -> Mapping[str, Node]:
        node = self.root.child(key)
        return node.entries if node else {}


def _exact(node: Node | None, *path: str) -> Node | None:
    for step in path:
        node = node.child(step) if node else None
    return node


def build(root: Node, values: Mapping[str, Any]) -> Reading:
    """Make the pipeline of what `MANIFEST` read, with the defaults merged into every task."""
    defaults, given = values.get("defaults", {}), dict(values)
    given.pop("defaults", None)
    tasks = {TaskName(name): _task(TaskName(name), own, defaults) for name, own in given.pop("tasks", {}).items()}
    params = {name: _param(name, own) for name, own in given.pop("params", {}).items()}
    return Reading(
        Pipeline(
            name=PipelineName(given.pop("name", "")),
            schedule=Schedule(**given.pop("schedule")) if "schedule" in given else None,
            alerts=Alerts(**given.pop("alerts", {})),
            keep=Keep(**given.pop("keep", {})),
            params=params,
            tasks=tasks,
            **given,
        ),
        root,
    )


def _task(name: TaskName, own: Mapping[str, Any], defaults: Mapping[str, Any]) -> Task:
    """A task's own keys win.

    Those that are mappings are merged key by key, so that `retries: 5` in a task changes the number and keeps the
    delay of the defaults; every other key is replaced whole.
    """
    merged = {key: {**defaults.get(key, {}), **own.get(key, {})} for key in _MERGED}
    given = {**defaults, **own, **merged}
    return Task(
        name=name,
        notebook=given.pop("notebook", ""),
        run_if=JoinRule(given.pop("run_if", JoinRule.ALL_SUCCESS)),
        retries=Retries(**given.pop("retries")),
        **given,
    )


def _param(name: str, own: Mapping[str, Any]) -> Param:
    return Param(name=name, is_required="default" not in own, **own)
