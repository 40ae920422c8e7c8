"""Papermill knows the engine, by its entry point, whichever of the two is imported first."""

from __future__ import annotations

import subprocess
import sys

import pytest
from attempts import notebook
from papermill.engines import papermill_engines

from nbflow.notebooks.engine import TruthfulEngine


def test_papermill_finds_the_engine() -> None:
    assert papermill_engines.get_engine("nbflow") is TruthfulEngine


@pytest.mark.parametrize("first", ["papermill", "nbflow.notebooks.engine"])
def test_the_order_of_imports_does_not_matter(first: str) -> None:
    program = f"import {first}; from papermill.engines import papermill_engines as e; print(e.get_engine('nbflow'))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert "TruthfulEngine" in done.stdout


def test_it_hands_the_notebook_on_and_keeps_papermill_from_judging_it() -> None:
    seen = []
    book = notebook("1 / 0")
    book.metadata.papermill = {"exception": True}
    given_back = TruthfulEngine.execute_notebook(book, "python3", execute=seen.append, progress_bar=False)
    assert seen == [book]
    assert given_back.cells == []
    assert given_back.metadata == book.metadata


def test_it_works_only_in_a_runner() -> None:
    with pytest.raises(RuntimeError, match="only inside nbflow's own runner"):
        TruthfulEngine.execute_notebook(notebook(), "python3")


def test_names_are_papermills_to_tell() -> None:
    assert TruthfulEngine.nb_kernel_name(notebook(), None) == "python3"
    assert TruthfulEngine.nb_language(notebook(language="R")) == "R"
