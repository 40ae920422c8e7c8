"""Carry out a command on a manifest's text, or say why not. No text leaves here that does not say what was asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

from nbflow.errors import InvalidInput, NbflowError, Problem
from nbflow.manifest import Surroundings, examine
from nbflow.manifest.document import MOST_LEVELS, Node
from nbflow.manifest.edit.changes import change
from nbflow.manifest.edit.commands import Command, Connect, Disconnect, MoveTask, RemoveTask, SetPipelineKey, SetTaskKey
from nbflow.manifest.edit.patches import Overlap, patched
from nbflow.manifest.edit.places import Entangled
from nbflow.manifest.edit.rewrite import rewrite, same
from nbflow.manifest.parts import read
from nbflow.manifest.report import Report
from nbflow.model import Pipeline

_TOGETHER = ((SetTaskKey, SetPipelineKey, Connect, Disconnect, MoveTask), (RemoveTask,))
"""What is carried out in one reading: it leaves the names of the tasks alone, or it only takes tasks out, whatever they
tell of each other."""
_SOMEWHERE = ""
"""The manifest's path: where it stands is not known here, so neither is what lies outside the project."""
_KEY_OF_A_TASK = 3
"""How deep in the document `tasks.clean.retries` is."""


def apply(text: str, command: Command) -> str:
    """The manifest's text with the command carried out; the very text where that changes nothing.

    Raises NotFound, Conflict or InvalidInput with the reason, where the command, or what the manifest would then be,
    is wrong: an edit never adds an error to those that the manifest has.
    """
    return _applied(text, (command,))


def apply_all(text: str, commands: Sequence[Command]) -> str:
    """The text with all commands carried out, or none of them; raises as `apply`."""
    for kinds, run in groupby(commands, key=_together):
        for part in (tuple(run),) if kinds else ((command,) for command in run):
            text = _applied(text, part)
    return text


def _together(command: Command) -> tuple[type, ...]:
    return next((kinds for kinds in _TOGETHER if isinstance(command, kinds)), ())


def _applied(text: str, commands: Sequence[Command]) -> str:
    root = _root(text)
    values = root.plain()
    for command in commands:
        values = change(values, command)
    if same(root.plain(), values):
        return text
    edited = _edited(text, root, values)
    _refuse_errors(_errors(edited), _errors(text))
    return edited


def is_readable(text: str) -> bool:
    """Whether a command could change it at all."""
    try:
        _root(text)
    except InvalidInput:
        return False
    return True


def values_of(text: str) -> dict[str, Any]:
    """What the manifest says, as JSON, whatever is wrong with it. Raises InvalidInput where it cannot be read."""
    values: dict[str, Any] = _root(text).plain()
    return values


def sketch(text: str) -> Pipeline | None:
    """The pipeline as far as the text can be understood, whatever is wrong with it; None where it cannot be read."""
    return examine(_root(text), Report("pipeline.yaml"), Surroundings()) if is_readable(text) else None


@lru_cache(maxsize=8)
def _root(text: str) -> Node:
    report = Report(_SOMEWHERE)
    root = read(text, report.error)
    for problem in report.problems:
        raise InvalidInput(problem.message, where=f"line {problem.line}, column {problem.column}", hint=problem.hint)
    if root is None or not isinstance(root.value, dict):
        raise InvalidInput("the manifest must be a mapping", where="line 1, column 1")
    return root


@lru_cache(maxsize=8)
def _errors(text: str) -> tuple[Problem, ...]:
    report = Report(_SOMEWHERE)
    examine(_root(text), report, Surroundings())
    return tuple(problem for problem in report.problems if problem.severity == "error")


def _edited(text: str, root: Node, values: Mapping[str, Any]) -> str:
    for whole_from in (MOST_LEVELS, _KEY_OF_A_TASK):
        try:
            edited = patched(text, rewrite(text, root, values, whole_from=whole_from))
            if same(_root(edited).plain(), values):
                return edited
        except (Overlap, Entangled, NbflowError):
            continue
    where = next(_differences(root.plain(), values, ""))
    message = f"{where} is written in a way that cannot be changed here"
    raise InvalidInput(message, where=where, hint="Change it in the text.")


def _differences(before: Any, after: Any, where: str) -> Iterator[str]:
    """Where two values differ, as deep as both are mappings."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        yield where or "the manifest"
        return
    for name in {**before, **after}:
        if name not in before or name not in after or not same(before[name], after[name]):
            yield from _differences(before.get(name), after.get(name), f"{where}.{name}" if where else name)


def _refuse_errors(errors: tuple[Problem, ...], before: tuple[Problem, ...]) -> None:
    if len(errors) <= len(before):
        return
    known = {(problem.where, problem.message) for problem in before}
    added = (problem for problem in errors if (problem.where, problem.message) not in known)
    problem = next(added, errors[-1])
    raise InvalidInput(problem.message, where=problem.where, hint=problem.hint)
