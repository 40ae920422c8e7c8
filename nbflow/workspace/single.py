"""A notebook alone as a pipeline of one task, whose run parameters are those of the notebook."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from keyword import iskeyword
from pathlib import Path

from nbflow.errors import InvalidInput
from nbflow.manifest import dump
from nbflow.model import Param, Pipeline, PipelineName, Task, TaskName
from nbflow.params import check
from nbflow.params.annotations import is_readable, read_annotation
from nbflow.ports import Signature


def manifest_of(notebook: Path, signature: Signature | None) -> str:
    """The manifest that somebody would write beside the notebook to run it alone.

    A parameter whose default is no literal keeps the notebook's own: no value could stand for it here.
    """
    name = task_name(notebook.stem)
    given = [param for param in (signature.params or () if signature else ()) if _can_be_given(param)]
    task = Task(
        name=TaskName(name),
        notebook=notebook.name,
        params={param.name: f"{{{{ params.{param.name} }}}}" for param in given},
    )
    return dump(
        Pipeline(
            name=PipelineName(name),
            params={param.name: _as_run_param(param) for param in given},
            tasks={task.name: task},
        )
    )


def task_name(stem: str) -> str:
    """`01 Überblick (final)` → `n01_uberblick_final`: the nearest name that a task may have."""
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    return (name if name[:1].isalpha() else f"n{name}" if name else "notebook")[:100]


def _can_be_given(param: Param) -> bool:
    return param.name.isidentifier() and param.name.isascii() and not iskeyword(param.name) and not param.default_text


def _as_run_param(param: Param) -> Param:
    """The parameter, without an annotation that does not say what its values are."""
    try:
        if not is_readable(read_annotation(param.type)):
            return replace(param, type="")
        if not param.is_required:
            check(param, param.default)
    except InvalidInput:
        return replace(param, type="")
    return param
