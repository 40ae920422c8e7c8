"""What `pip install` brings: the packages, the example pipelines, a new project's files, and nothing else."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]
PARTS = ("nbflow", "app", "notebooks", "pyproject.toml", "README.md", "LICENSE", "nbflow.toml", ".gitignore")
LEFT_BY_A_RUN = ("data/warehouse.duckdb", "published/orders.csv", ".ipynb_checkpoints/clean_orders.ipynb")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a wheel is built from, in which a pipeline has run."""
    folder = tmp_path_factory.mktemp("source")
    for part in map(ROOT.joinpath, PARTS):
        if part.is_dir():
            made = shutil.ignore_patterns("data", "published", "__pycache__", ".ipynb_checkpoints")
            shutil.copytree(part, folder / part.name, ignore=made)
        else:
            shutil.copy(part, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    for name in LEFT_BY_A_RUN:
        path = source / "notebooks" / "daily_orders_by_region" / name
        path.parent.mkdir()
        path.touch()
    (path,) = WheelBuilder(str(source)).build(directory=str(tmp_path_factory.mktemp("dist")), versions=["standard"])
    return zipfile.ZipFile(path)


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_it_holds_the_packages_with_all_their_files(source: Path, wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert {f"nbflow/{name}" for name in files_of(source / "nbflow")} <= names
    assert {f"nbflow_app/{name}" for name in files_of(source / "app" / "nbflow_app")} <= names
    others = {name.split("/")[0] for name in names} - {"nbflow", "nbflow_app"}
    assert [name.endswith(".dist-info") for name in others] == [True]


def test_it_holds_the_examples_without_what_their_runs_left(source: Path, wheel: zipfile.ZipFile) -> None:
    root = "nbflow/_examples/"
    shipped = {name.removeprefix(root) for name in wheel.namelist() if name.startswith(root)}
    left = {f"notebooks/daily_orders_by_region/{name}" for name in LEFT_BY_A_RUN}
    assert shipped == {"nbflow.toml", *(f"notebooks/{name}" for name in files_of(source / "notebooks"))} - left


def test_it_is_found_by_shell_papermill_and_jupyter(wheel: zipfile.ZipFile) -> None:
    (file,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    entries = wheel.read(file).decode()
    for group in ("[console_scripts]", "[papermill.engine]", "[jupyter_client.kernel_provisioners]"):
        assert group in entries
