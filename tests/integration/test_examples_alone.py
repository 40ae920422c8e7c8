"""The shipped examples stand on their own: every notebook runs in order with plain papermill, without nbflow's engine.

Only what a notebook needs from a manifest is done here: the order of the tasks, their parameters, and the values that
one notebook reports to the next.
"""

from __future__ import annotations

import ast
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import matplotlib.font_manager  # noqa: F401  builds the font cache here, or a first kernel would say so on its screen
import nbformat
import pandas as pd
import papermill
import pytest
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from making import PATIENCE
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError
from ruamel.yaml import YAML
from traitlets.config import Config

from nbflow import manifest
from nbflow.notebooks.inspect import inspect

if TYPE_CHECKING:
    from postgres_server import PostgresServer

EXAMPLES = Path(__file__).parents[2] / "notebooks"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/pipeline.yaml"))
SOURCES = sorted(EXAMPLES.glob("*/*.ipynb"))
MESSAGE = "application/vnd.nbflow+json"
WEDNESDAY, SUNDAY, AFTER_BLACK_FRIDAY = "2026-04-01", "2026-04-05", "2026-11-28"


@dataclass
class Example:
    """One copy of an example's folder. `done` has the executed notebooks, `outputs` what they reported."""

    folder: Path
    sockets: Path
    run_id: str = "r1"
    done: dict[str, NotebookNode] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def manifest(self) -> dict[str, Any]:
        text = (self.folder / "pipeline.yaml").read_text(encoding="utf-8")
        return dict(YAML(typ="safe").load(text))

    def run(self, run_date: str = WEDNESDAY, **params: Any) -> None:
        """Run every task in order."""
        tasks = self.manifest["tasks"]
        for name in TopologicalSorter({n: t.get("depends_on", []) for n, t in tasks.items()}).static_order():
            self.run_task(name, run_date, **params)

    def run_task(self, name: str, run_date: str = WEDNESDAY, **params: Any) -> None:
        """Run one task, with the values that its upstreams reported before."""
        task = self.manifest["tasks"][name]
        executed = self.folder / f"{name}.executed.ipynb"
        try:
            papermill.execute_notebook(
                self.folder / task["notebook"],
                executed,
                resolve(task.get("params", {}), self._names(run_date, params)),
                cwd=self.folder,
                progress_bar=False,
                config=Config(KernelManager={"transport": "ipc", "ip": str(self.sockets / "k")}),
            )
        finally:
            self.done[name] = nbformat.read(executed, as_version=4)
        self.outputs[name] = reported(self.done[name])

    def _names(self, run_date: str, params: Mapping[str, Any]) -> dict[str, Any]:
        defaults = {name: spec["default"] for name, spec in self.manifest.get("params", {}).items()}
        tasks = {name: {"outputs": values} for name, values in self.outputs.items()}
        return {"run_date": run_date, "params": defaults | params, "tasks": tasks, "run": {"id": self.run_id}}


def resolve(value: Any, names: Mapping[str, Any]) -> Any:
    """The value with its templates replaced; a lone template keeps the type of what it names."""
    if isinstance(value, Mapping):
        return {key: resolve(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, names) for item in value]
    if not isinstance(value, str):
        return value
    jinja = SandboxedEnvironment(undefined=StrictUndefined)
    if alone := re.fullmatch(r"\{\{(.*)\}\}", value):
        return jinja.compile_expression(alone[1], undefined_to_none=False)(**names)
    return jinja.from_string(value).render(**names)


def reported(notebook: NotebookNode) -> dict[str, Any]:
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", []))
    messages = (output["data"][MESSAGE] for output in outputs if MESSAGE in output.get("data", {}))
    return {message["name"]: message["value"] for message in messages if message["type"] == "output"}


def screen(notebook: NotebookNode, stream: str) -> str:
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", []))
    return "".join(output["text"] for output in outputs if output.get("name") == stream)


def copied(name: str, below: Path, sockets: Path) -> Example:
    """A copy of an example's folder, without data of earlier runs."""
    ignored = shutil.ignore_patterns("data", "published", "__pycache__", ".*")
    return Example(Path(shutil.copytree(EXAMPLES / name, below / name, ignore=ignored)), sockets)


@pytest.fixture(scope="module")
def sockets() -> Iterator[Path]:
    """A folder for the kernels' sockets with a short path: that of a socket has about 100 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="nb") as folder:
        yield Path(folder)


@pytest.fixture
def example(tmp_path: Path, sockets: Path) -> Callable[[str], Example]:
    """Gives a fresh copy of an example."""
    return lambda name: copied(name, tmp_path, sockets)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, sockets: Path) -> Callable[[str], Example]:
    """Gives a copy of an example in which every task ran once; only to be looked at."""

    @cache
    def run(name: str) -> Example:
        it = copied(name, tmp_path_factory.mktemp("finished"), sockets)
        it.run()
        return it

    return run


# --- as they are committed ------------------------------------------------------------------------------------------


def test_the_four_examples_are_there() -> None:
    assert NAMES == ["black_friday", "daily_orders_by_region", "model_sweep", "nightly_revenue"]
    assert all((EXAMPLES / name / "README.md").is_file() for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_manifest_has_no_problem(name: str) -> None:
    project = tomllib.loads((EXAMPLES.parent / "nbflow.toml").read_text(encoding="utf-8"))
    around = manifest.Surroundings(
        notebooks=lambda path: inspect(EXAMPLES / name / path),
        kernels=["python3"],
        pools=project["pools"],
        channels=[],
        env=project["templates"]["env"],
    )
    file = EXAMPLES / name / "pipeline.yaml"
    pipeline, problems = manifest.check(file.read_text(encoding="utf-8"), file=f"{name}/pipeline.yaml", around=around)
    assert problems == []
    assert pipeline is not None
    assert pipeline.name == name


def test_every_notebook_is_a_task_of_its_pipeline() -> None:
    for name in NAMES:
        tasks = Example(EXAMPLES / name, Path()).manifest["tasks"]
        assert {t["notebook"] for t in tasks.values()} == {path.name for path in SOURCES if path.parent.name == name}


def test_the_examples_share_one_look_and_one_way_to_write_files() -> None:
    for shared in ("charts.mplstyle", "whole_file.py"):
        assert len({path.read_text(encoding="utf-8") for path in EXAMPLES.glob(f"*/{shared}")}) == 1


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_notebook_is_clean_and_readable(path: Path) -> None:
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count is None and not cell.outputs for cell in code)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", cell_id) for cell_id in ids), ids
    assert notebook.cells[0].source.startswith("# ")
    assert max(len(line) for cell in code for line in cell.source.splitlines()) <= 120


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_parameters_have_annotations_and_comments(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(cells) == 1
    assert all(isinstance(statement, ast.AnnAssign) for statement in ast.parse(cells[0].source).body)
    assert all("  # " in line for line in cells[0].source.splitlines())


# --- as they run ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_example_says_nothing_on_standard_error(name: str, finished: Callable[[str], Example]) -> None:
    it = finished(name)
    assert {task: screen(notebook, "stderr") for task, notebook in it.done.items()} == dict.fromkeys(it.done, "")


@pytest.mark.parametrize("name", NAMES)
def test_example_writes_only_below_data_and_published(name: str, finished: Callable[[str], Example]) -> None:
    made = {path.name for path in finished(name).folder.iterdir() if not path.name.endswith(".executed.ipynb")}
    assert made - {path.name for path in (EXAMPLES / name).iterdir()} <= {"data", "published", "__pycache__"}
    leftovers = [path for path in finished(name).folder.rglob(".*") if path.is_file()]
    assert leftovers == []


@pytest.mark.parametrize("name", NAMES)
def test_example_shows_a_chart_and_reports_values(name: str, finished: Callable[[str], Example]) -> None:
    it = finished(name)
    shown = [o for nb in it.done.values() for cell in nb.cells for o in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in shown)
    assert all(it.outputs.values())


def test_made_data_is_the_same_on_every_machine(finished: Callable[[str], Example]) -> None:
    assert finished("daily_orders_by_region").outputs["aggregate_orders"]["revenue_usd"] == 52487.08
    assert finished("nightly_revenue").outputs["publish_revenue"]["net_revenue_usd"] == 60833.93


MAKE = (
    "import make_source, datetime, sys; make_source.fill_sqlite(sys.argv[1], datetime.date.fromisoformat(sys.argv[2]))"
)


def test_daily_orders_source_is_whole_when_made_side_by_side(example: Callable[[str], Example]) -> None:
    folder = example("daily_orders_by_region").folder

    def start(file: str, day: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", MAKE, file, day], cwd=folder)

    def rows(file: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(folder / file)) as db:
            return db.execute("select * from orders order by order_id, updated_at").fetchall()

    days = ("2026-03-31", "2026-04-07", "2026-03-24")
    together = [start("together.sqlite", day) for day in days]
    assert [process.wait(PATIENCE) for process in together] == [0, 0, 0]
    assert [start("in_turn.sqlite", day).wait(PATIENCE) for day in days] == [0, 0, 0]
    assert len(rows("together.sqlite")) > 25_000
    assert rows("together.sqlite") == rows("in_turn.sqlite")


def warehouse(folder: Path) -> dict[str, pd.DataFrame]:
    with duckdb.connect(folder / "data/warehouse.duckdb", read_only=True) as db:
        tables = db.sql("select schema_name || '.' || table_name from duckdb_tables() order by 1").fetchall()
        return {name: db.sql(f"from {name} order by all").df() for (name,) in tables}


def test_daily_orders_twice_leave_the_same_tables(example: Callable[[str], Example]) -> None:
    it = example("daily_orders_by_region")
    it.run("2026-04-02")
    it.run("2026-04-01")
    first = warehouse(it.folder)
    assert list(first) == ["mart.orders_by_region", "raw.orders", "stg.orders", "stg.rejected_orders"]
    assert first["mart.orders_by_region"].groupby("run_date").region.nunique().tolist() == [4, 4]

    it.run("2026-04-01")
    for name, table in warehouse(it.folder).items():
        pd.testing.assert_frame_equal(table, first[name])


def test_daily_orders_are_the_same_from_postgresql(
    example: Callable[[str], Example],
    finished: Callable[[str], Example],
    postgres: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    it, url = example("daily_orders_by_region"), postgres.url(postgres.new_database())
    for _ in range(2):  # filling twice leaves each day once
        subprocess.run([sys.executable, "make_source.py", url, "--until", "2026-03-31"], cwd=it.folder, check=True)
    monkeypatch.setenv("DEMO_POSTGRES", url)
    it.run_task("extract_orders")
    assert "source: postgresql" in screen(it.done["extract_orders"], "stdout")
    expected = warehouse(finished("daily_orders_by_region").folder)["raw.orders"]
    pd.testing.assert_frame_equal(warehouse(it.folder)["raw.orders"], expected)


def test_daily_orders_stop_when_too_many_rows_are_bad(example: Callable[[str], Example]) -> None:
    it = example("daily_orders_by_region")
    it.run_task("extract_orders")
    clean = it.folder / "clean_orders.ipynb"
    clean.write_text(
        clean.read_text(encoding="utf-8").replace("max_rejected: float = 0.05", "max_rejected: float = 0.0")
    )
    with pytest.raises(PapermillExecutionError, match="cannot be used, more than the 0% allowed"):
        it.run_task("clean_orders")


def test_nightly_revenue_survives_a_moody_night(
    example: Callable[[str], Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    it = example("nightly_revenue")
    with pytest.raises(PapermillExecutionError, match="HTTP Error 503"):
        it.run_task("pull_payments", SUNDAY)
    monkeypatch.setenv("NBFLOW_ATTEMPT", "2")
    it.run_task("pull_payments", SUNDAY)
    assert it.outputs["pull_payments"]["attempt"] == 2
    with pytest.raises(PapermillExecutionError, match="HTTP Error 503"):
        it.run_task("pull_payments", SUNDAY, payments_api="down")


def test_black_friday_refuses_rows_of_another_run(example: Callable[[str], Example]) -> None:
    it = example("black_friday")
    it.run_task("extract", AFTER_BLACK_FRIDAY)
    it.run_id = "r2"
    with pytest.raises(PapermillExecutionError, match="stale data"):
        it.run_task("clean", AFTER_BLACK_FRIDAY)


def test_black_friday_fails_where_it_is_asked_to_and_hands_nothing_over(example: Callable[[str], Example]) -> None:
    it = example("black_friday")
    tasks = list(it.manifest["tasks"])
    assert it.manifest["params"]["fail_in"]["choices"] == ["none", *tasks]
    for name in tasks:
        with pytest.raises(PapermillExecutionError, match="RehearsedFailure"):
            it.run_task(name, AFTER_BLACK_FRIDAY, fail_in=name)
        assert reported(it.done[name]) == {}
        it.run_task(name, AFTER_BLACK_FRIDAY, fail_in="a task that is not this one")
    assert it.outputs["aggregate"]["times_usual"] > 3


def test_black_friday_is_as_slow_as_it_is_told_to_be(example: Callable[[str], Example]) -> None:
    it = example("black_friday")
    it.run_task("extract", extract_seconds=1.5)
    assert "the tills answered after 1.5 seconds" in screen(it.done["extract"], "stdout")


def test_model_sweep_chooses_the_smallest_of_the_good(finished: Callable[[str], Example]) -> None:
    it = finished("model_sweep")
    fits = [values["result"] for name, values in it.outputs.items() if name.startswith("fit_")]
    assert len(fits) == 6
    chosen = it.outputs["compare_forests"]
    best = max(fit["validation"] for fit in fits)
    good = [fit for fit in fits if fit["validation"] >= best - 0.02]
    smallest = min(good, key=lambda fit: fit["leaves"])
    assert (chosen["depth"], chosen["trees"]) == (smallest["depth"], smallest["trees"])
