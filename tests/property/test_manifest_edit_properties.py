"""What holds for every edit of every manifest: it says what was asked and nothing else, or it is refused."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any, assert_never

from hands import Line, commands, manifests, text_of
from hypothesis import given, settings
from hypothesis import strategies as st

from nbflow.errors import NbflowError, Problem
from nbflow.manifest import check, dump, parse
from nbflow.manifest.edit import (
    AddTask,
    Command,
    Connect,
    Disconnect,
    DuplicateTask,
    History,
    MoveTask,
    RemoveTask,
    RenameTask,
    SetPipelineKey,
    SetTaskKey,
    apply,
)
from nbflow.model import Pipeline, Task, TaskName

# --- the same change, made on the model ----------------------------------------------------------------------------


def changed(pipeline: Pipeline, command: Command) -> Pipeline | None:
    """None where the command names what does not exist, or what exists already, or gives no value that fits."""
    tasks: dict[str, Task] = {str(name): task for name, task in pipeline.tasks.items()}
    match command:
        case AddTask(name, notebook, after, position):
            if not set(after) <= tasks.keys():
                return None
            ups = tuple(map(TaskName, dict.fromkeys(after)))
            new = Task(name=TaskName(name), notebook=notebook, depends_on=ups, position=position)
            if tasks.setdefault(name, new) != new:
                return None
        case RemoveTask(name):
            tasks.pop(name, None)
            tasks = {key: without(task, name) for key, task in tasks.items()}
        case RenameTask(old, new_name):
            if old == new_name or (old not in tasks and new_name in tasks):
                return pipeline
            if old not in tasks or new_name in tasks:
                return None
            tasks = {new_name if key == old else key: renamed(task, old, new_name) for key, task in tasks.items()}
        case DuplicateTask(name, copy, position):
            if name not in tasks:
                return None
            new = replace(tasks[name], name=TaskName(copy), position=position or tasks[name].position)
            if tasks.setdefault(copy, new) != new:
                return None
        case Connect(up, down) | Disconnect(up, down):
            if not {up, down} <= tasks.keys():
                return None
            ups = without(tasks[down], up).depends_on
            if isinstance(command, Connect):
                ups = tasks[down].depends_on if up in tasks[down].depends_on else (*ups, TaskName(up))
            tasks[down] = replace(tasks[down], depends_on=ups)
        case MoveTask(name, position):
            if name not in tasks:
                return None
            tasks[name] = replace(tasks[name], position=position)
        case SetTaskKey(name, key, value):
            if name not in tasks or value == "soon":
                return None
            tasks[name] = with_key(tasks[name], key, value)
        case SetPipelineKey(path, value):
            return None if value == 5 else replace(pipeline, **{path: "" if value is None else value})
        case _:
            assert_never(command)
    return replace(pipeline, tasks={TaskName(name): task for name, task in tasks.items()})


def without(task: Task, name: str) -> Task:
    return replace(task, depends_on=tuple(up for up in task.depends_on if up != name))


def renamed(task: Task, old: str, new: str) -> Task:
    def text(value: Any) -> Any:
        return value.replace(f"tasks.{old}.", f"tasks.{new}.") if isinstance(value, str) else value

    return replace(
        task,
        name=TaskName(new) if task.name == old else task.name,
        depends_on=tuple(TaskName(new) if up == old else up for up in task.depends_on),
        params={name: text(value) for name, value in task.params.items()},
        when=text(task.when),
    )


def with_key(task: Task, key: str, value: Any) -> Task:
    match key.split("."):
        case ["retries", _]:
            return replace(task, retries=replace(task.retries, max_retries=value))
        case ["params", name]:
            return replace(task, params={**task.params, name: value})
        case ["timeout"]:
            return replace(task, timeout=value and timedelta(hours=2))
        case ["priority"]:
            return replace(task, priority=value or 0)
        case _:
            return replace(task, pool=value)


# --- what holds ----------------------------------------------------------------------------------------------------


def outcome(text: str, command: Command) -> str | NbflowError:
    try:
        return apply(text, command)
    except NbflowError as refused:
        return refused


@settings(max_examples=200)
@given(manifests(), commands)
def test_an_edit_says_what_the_same_change_of_the_model_says(
    manifest: tuple[list[Line], str, str], command: Command
) -> None:
    text = text_of(manifest)
    edited, wanted = outcome(text, command), changed(parse(text), command)
    if isinstance(edited, NbflowError):
        assert wanted is None or check(dump(wanted))[0] is None, edited
        assert edited.message
        assert edited.where
    else:
        assert parse(edited) == wanted
        assert apply(edited, command) == edited


@settings(max_examples=200)
@given(manifests(), commands)
def test_an_edit_changes_only_its_own_lines(manifest: tuple[list[Line], str, str], command: Command) -> None:
    lines, ending, _ = manifest
    text = text_of(manifest)
    edited = outcome(text, command)
    if isinstance(edited, NbflowError):
        return
    before, after = text.split(ending), edited.split(ending)
    lost = Counter(before) - Counter(after)
    owners = own(lines, command)
    mine = Counter(line.text for line in lines if line.owner in owners)
    assert not {line for line in lost - mine if line.strip()}, f"{command}\n{text}"
    kept = [line for line in before if line not in lost and line.strip()]
    rest = iter(after)
    assert all(line in rest for line in kept), "the lines that stay keep their order"


def own(lines: list[Line], command: Command) -> set[str]:
    """What the lines that a command may change tell of: what it names, and aliases whose anchor it changes."""
    owners = {line.owner for line in lines if line.owner}
    aliases = {owner for owner in owners if owner.startswith("alias ")}
    match command:
        case AddTask() | DuplicateTask():
            return set()
        case RemoveTask(name):
            naming = {line.owner for line in lines if name in line.text and "depends_on" in f"{line.owner}{line.text}"}
            return {owner for owner in owners if of_task(owner, name)} | naming | aliases
        case RenameTask(old, _):
            return {line.owner for line in lines if old in line.text}
        case Connect(_, name) | Disconnect(_, name):
            return {f"tasks.{name}", f"tasks.{name}.depends_on"}
        case MoveTask(name, _):
            return {f"tasks.{name}", f"tasks.{name}.position"}
        case SetTaskKey(name, key, _):
            part = key.split(".")[0]
            return {f"tasks.{name}", f"tasks.{name}.{part}"} | (aliases if part == "retries" else set())
        case SetPipelineKey(path, _):
            return {path}
        case _:
            assert_never(command)


def of_task(owner: str, name: str) -> bool:
    return re.fullmatch(rf"(alias )?tasks\.{name}([ .].*)?", owner) is not None


scraps = st.sampled_from(
    ["{", "}", "[", "]", ": ", "- ", "\n", "&a ", "*a", "? ", "!!str ", "#", "'", '"', "\t", "|", "\u2028"]
)


@settings(max_examples=200)
@given(manifests(), st.lists(st.tuples(st.integers(0, 600), st.integers(0, 9), scraps), max_size=3), commands)
def test_an_edit_of_a_damaged_text_adds_no_error_or_is_refused(
    manifest: tuple[list[Line], str, str], damages: list[tuple[int, int, str]], command: Command
) -> None:
    text = text_of(manifest)
    for at, cut, scrap in damages:
        text = text[:at] + scrap + text[at + cut :]
    edited = outcome(text, command)
    if isinstance(edited, NbflowError):
        assert edited.where
    else:
        assert len(errors(edited)) <= len(errors(text))
        assert outcome(edited, command) == edited


def errors(text: str) -> list[Problem]:
    return [problem for problem in check(text)[1] if problem.severity == "error"]


@settings(max_examples=100)
@given(manifests(), st.lists(commands, max_size=8))
def test_any_sequence_leaves_a_valid_manifest_and_can_be_taken_back(
    manifest: tuple[list[Line], str, str], sequence: list[Command]
) -> None:
    history = History(text_of(manifest))
    texts = [history.text]
    for command in sequence:
        edited = outcome(history.text, command)
        if isinstance(edited, NbflowError):
            assert edited.message
            assert edited.where
            continue
        done = history.do(command)
        assert done.text == edited
        if done is not history:
            texts.append(done.text)
        history = done
        assert check(history.text)[0] is not None
    last = history
    for text in reversed(texts):
        assert history.text == text
        history = history.undo()
    assert history.text == texts[0]
    for _ in texts:
        history = history.redo()
    assert history == last
