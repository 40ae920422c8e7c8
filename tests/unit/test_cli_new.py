"""`nbflow new`: a pipeline of notebooks that are there."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import write_notebook
from typer.testing import CliRunner, Result

from nbflow.cli import app


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "nbflow.toml").write_text("")
    write_notebook(tmp_path / "sales" / "clean.ipynb", 'df.to_csv("data/clean.csv")')
    write_notebook(tmp_path / "sales" / "join.ipynb", 'pd.read_csv("data/clean.csv")')
    monkeypatch.chdir(tmp_path / "sales")
    return tmp_path


def nbflow(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_a_pipeline_is_made_of_notebooks_in_their_order(project: Path) -> None:
    done = nbflow("new", "nightly", "join.ipynb", "clean.ipynb")
    assert (done.exit_code, done.stdout) == (0, "sales/pipeline.yaml\n")
    assert "join runs after clean: it reads data/clean.csv, which clean writes" in done.stderr
    assert "nbflow run nightly" in done.stderr
    text = (project / "sales" / "pipeline.yaml").read_text()
    assert text.index("clean.ipynb") < text.index("join.ipynb")
    assert "depends_on: [clean]" in text
    assert nbflow("validate").exit_code == 0
    again = nbflow("new", "nightly", "join.ipynb")
    assert (again.exit_code, "there is a pipeline 'nightly' already" in again.stderr) == (1, True)


def test_what_would_be_written_is_shown(project: Path) -> None:
    done = nbflow("new", "nightly", "join.ipynb", "clean.ipynb", "--folder", "../other", "--no-edges", "--dry-run")
    assert done.exit_code == 0
    assert done.stdout.startswith('name: nightly\ntasks:\n  join:\n    notebook: "../sales/join.ipynb"\n')
    assert "depends_on" not in done.stdout
    assert not list(project.rglob("pipeline.yaml"))


def test_a_notebook_that_is_not_there_is_wrong_use(project: Path) -> None:
    done = nbflow("new", "nightly", "jion.ipynb")
    assert (done.exit_code, "Did you mean 'sales/join.ipynb'?" in done.stderr) == (2, True)
