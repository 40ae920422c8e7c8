"""A notebook alone as a pipeline of one task, whose run parameters are those of the notebook."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import replace
from keyword import iskeyword
from pathlib import Path

from nbflow.errors import InvalidInput
from nbflow.manifest import dump
from nbflow.manifest.kinds import PIPELINE_NAME
from nbflow.model import Param, Pipeline, PipelineName, Task, TaskName
from nbflow.params import check
from nbflow.params.annotations import is_readable, read_annotation
from nbflow.ports import Signature


def manifest_of(notebook: Path, signature: Signature | None, given: Collection[str] = ()) -> str:
    """The manifest that somebody would write beside the notebook to run it alone with these parameters.

    Of the others, one whose default is no literal keeps the notebook's own: no value could stand for it here.
    """
    name = task_name(notebook.stem)
    found = [param for param in (signature.params or () if signature else ()) if can_be_named(param)]
    run_params = [as_run_param(param) for param in found if param.name in given or not param.default_text]
    task = Task(
        name=TaskName(name),
        notebook=notebook.name,
        params=passed_on(run_params),
    )
    return dump(
        Pipeline(
            name=PipelineName(name if PIPELINE_NAME.allows(name) else f"{name}_notebook"),
            params={param.name: param for param in run_params},
            tasks={task.name: task},
        )
    )


def task_name(stem: str) -> str:
    """`01 Überblick (final)` → `n01_uberblick_final`: the nearest name that a task may have."""
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    return (name if name[:1].isalpha() else f"n{name}" if name else "notebook")[:100]


def passed_on(params: Iterable[Param]) -> dict[str, str]:
    """What a task gives its notebook so that it has the parameters of the run."""
    return {param.name: f"{{{{ params.{param.name} }}}}" for param in params}


def can_be_named(param: Param) -> bool:
    """Whether a run may have a parameter of that name."""
    return param.name.isidentifier() and param.name.isascii() and not iskeyword(param.name)


def as_run_param(param: Param) -> Param:
    """The parameter of a notebook as one of a run, without an annotation that does not say what its values are."""
    param = replace(param, is_required=param.is_required or bool(param.default_text), default_text="")
    try:
        if not is_readable(read_annotation(param.type)):
            return replace(param, type="")
        if not param.is_required:
            check(param, param.default)
    except InvalidInput:
        return replace(param, type="")
    return param
