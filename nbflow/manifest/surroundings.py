"""What exists around a manifest, and the checks that need it: notebooks, kernels, pools, channels. Reads nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from nbflow.errors import InvalidInput
from nbflow.manifest.checks import wrong_notebook
from nbflow.manifest.reading import Reading
from nbflow.manifest.report import Report
from nbflow.manifest.touching import Touches, check_touches
from nbflow.model import Param, Task
from nbflow.params import check, is_template
from nbflow.text import did_you_mean, join_names


class Notebook(Protocol):
    """What the checks need to know of a notebook: `ports.Signature`, which stands above this floor."""

    @property
    def kernel(self) -> str: ...
    @property
    def params(self) -> tuple[Param, ...] | None: ...
    @property
    def has_open_params(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a manifest may name. None: not known, so not checked."""

    notebooks: Callable[[str], Notebook] | None = None
    """Reads the notebook at a path relative to the manifest. Raises NotFound with the nearest name as the hint, or
    InvalidInput where it cannot be read."""
    touches: Callable[[str, Mapping[str, Any]], Touches] | None = None
    """What the notebook at a path reads and writes with these parameters; its files as seen from the manifest. Raises
    like `notebooks`."""
    kernels: Collection[str] | None = None
    pools: Mapping[str, int] | None = None
    """Places of each pool."""
    channels: Collection[str] | None = None
    env: Collection[str] | None = None
    """Environment variables that templates may use."""


def check_surroundings(reading: Reading, report: Report, around: Surroundings) -> None:
    """Add everything that the manifest names and that does not exist, or is not what the manifest takes it for."""
    if around.channels is not None:
        _check_channels(reading, report, around.channels)
    for task in reading.pipeline.tasks.values():
        if around.pools is not None and task.pool is not None:
            _check_pool(reading, report, task, around.pools)
        notebook = _read(reading, report, task, around)
        if around.kernels is not None:
            _check_kernel(reading, report, task, notebook, around.kernels)
        if notebook is not None:
            _check_names(reading, report, task, notebook)
            _check_values(reading, report, task, notebook)
    if around.touches is not None and len(reading.pipeline.tasks) > 1:
        check_touches(reading, report, _touches(reading, report, around.touches))


def _touches(
    reading: Reading, report: Report, touches: Callable[[str, Mapping[str, Any]], Touches]
) -> Mapping[str, Touches]:
    found: dict[str, Touches] = {}
    for name, task in reading.pipeline.tasks.items():
        if task.notebook and not wrong_notebook(task.notebook, report.file):
            with suppress(InvalidInput):  # said where the notebook was read
                found[name] = touches(task.notebook, task.params)
    return found


def _check_channels(reading: Reading, report: Report, channels: Collection[str]) -> None:
    alerts = reading.root.child("alerts")
    for key, node in alerts.entries.items() if alerts else ():
        for name in node.texts() if key.startswith("on_") else ():
            if name.value not in channels:
                message = f"{node.where} names the channel '{name.value}', which nbflow.toml does not have"
                report.error(name, message, did_you_mean(name.value, channels) or f"Add [channels.{name.value}] there.")


def _check_pool(reading: Reading, report: Report, task: Task, pools: Mapping[str, int]) -> None:
    node, pool = reading.node(task.name, "pool"), str(task.pool)
    if pool not in pools:
        message = f"task '{task.name}' uses the pool '{pool}', which nbflow.toml does not have"
        report.error(node, message, did_you_mean(pool, pools) or f"Add '{pool} = 1' there, below [pools].")
    elif task.pool_slots > pools[pool]:
        node = reading.node(task.name, "pool_slots")
        report.error(
            node, f"task '{task.name}' takes {task.pool_slots} places of the pool '{pool}', which has {pools[pool]}"
        )


def _read(reading: Reading, report: Report, task: Task, around: Surroundings) -> Notebook | None:
    if around.notebooks is None or not task.notebook or wrong_notebook(task.notebook, report.file):
        return None  # nothing outside the project is touched
    try:
        return around.notebooks(task.notebook)
    except InvalidInput as error:
        report.error(reading.node(task.name, "notebook"), error.message, error.hint)
        return None


def _check_kernel(
    reading: Reading, report: Report, task: Task, notebook: Notebook | None, kernels: Collection[str]
) -> None:
    if task.kernel is not None:
        if task.kernel not in kernels:
            message = f"task '{task.name}' names the kernel '{task.kernel}', which does not exist"
            report.error(reading.node(task.name, "kernel"), message, _that_exist(kernels))
    elif notebook is not None and notebook.kernel not in kernels:
        message = f"notebook '{task.notebook}' names the kernel '{notebook.kernel}', which does not exist"
        hint = f"{_that_exist(kernels)} Choose the kernel in Jupyter, or give the task one with 'kernel'."
        report.error(reading.node(task.name, "notebook"), message, hint)


def _that_exist(kernels: Collection[str]) -> str:
    """Asked for only when one is missing: to list all kernels is slow."""
    return f"There are: {', '.join(sorted(kernels))}." if kernels else "There is none at all."


def _check_names(reading: Reading, report: Report, task: Task, notebook: Notebook) -> None:
    if notebook.params is None:
        if task.params:
            message = f"task '{task.name}' gives parameters, but '{task.notebook}' has no cell tagged 'parameters'"
            report.error(reading.node(task.name, "params"), message, "Tag the cell that sets them.")
        return
    known = {param.name for param in notebook.params}
    for name in task.params:
        if name not in known and not notebook.has_open_params:
            node = reading.node(task.name, "params", name)
            message = f"task '{task.name}' gives '{name}', which is no parameter of '{task.notebook}'"
            report.error(node, message, did_you_mean(name, known) or "It has none.", at=node.key)
    missing = [param.name for param in notebook.params if param.is_required and param.name not in task.params]
    if missing:
        message = f"task '{task.name}' must give {join_names(missing)}: '{task.notebook}' has no default"
        report.error(reading.node(task.name, "params"), message, at=reading.node(task.name, "params").key)


def _check_values(reading: Reading, report: Report, task: Task, notebook: Notebook) -> None:
    """Constants against the notebook's annotations; what a template gives is checked when it is known."""
    for param in notebook.params or ():
        node = reading.node(task.name, "params", param.name)
        if param.name not in task.params or any(is_template(text.value) for text in node.texts()):
            continue
        try:
            check(param, task.params[param.name])
        except InvalidInput as error:
            report.error(node, f"task '{task.name}': {error.message}", error.hint)
