"""The commands and manifests that the documentation shows are run as they stand."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from making import Project, states, write_manifest, write_notebook

from nbflow import manifest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[tuple[str, str]]:
    """The options and the text of each fenced block in that language."""
    return [(about.strip(), text) for found, about, text in BLOCK.findall(page.read_text()) if found == language]


STARTS = {"notebooks.md": "init", "schedules.md": "init", "housekeeping.md": "init", "on-call.md": "examples"}
"""The project in which a page's commands are to be given, where the page does not make it itself."""


@pytest.fixture
def begun(page: Path, tmp_path: Path) -> Path:
    """The folder in which whoever reads the page is."""
    match STARTS.get(page.name):
        case "init":
            nbflow(["init", "project"], tmp_path)
            return tmp_path / "project"
        case "examples":
            return Path(
                shutil.copytree(ROOT / "notebooks", tmp_path / "shop", ignore=shutil.ignore_patterns(".nbflow"))
            )
        case _:
            return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "console")], ids=lambda page: page.name)
def test_every_command_works_in_order(page: Path, begun: Path) -> None:
    folder = begun
    for about, text in blocks(page, "console"):
        expected = int(about.removeprefix("expect=") or 0)
        for line in text.replace("&&", "\n").strip().splitlines():
            words = shlex.split(line, comments=True)
            if words[0] in {"make", "pip"}:  # they set up what runs this test
                continue
            if words[0] == "cd":
                folder = folder / words[1]
                continue
            assert words[0] == "nbflow", line
            nbflow(words[1:], folder, expected)


def nbflow(words: list[str], folder: Path, expected: int = 0) -> None:
    command = [sys.executable, "-m", "nbflow", *words]
    done = subprocess.run(command, cwd=folder, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == expected, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"


def test_the_cells_that_the_documentation_shows_make_a_task(tmp_path: Path) -> None:
    """Typed parameters, values that are handed on, and an end by `skip`, which `stores` decides."""
    page = ROOT / "docs" / "how-to" / "notebooks.md"
    (text,) = (text for name, text in named_manifests(page) if name == "store_visits")
    parameters, *cells = [text for _, text in blocks(page, "python")]
    project = Project(tmp_path)
    folder = project.pipeline("store_visits", text)
    write_notebook(folder / "count_visits.ipynb", *cells, parameters=parameters)
    (visits,) = project.json("run", "store_visits", "--date", "2026-05-01")["tasks"]
    assert visits["outputs"] == {"path": "data/visits_2026-05-01.csv", "rows": 1234}
    write_manifest(folder, text.replace("limit: 500", "limit: 500, stores: []"))
    assert states(project.json("run", "store_visits")) == {"count_visits": "skipped"}


def named_manifests(page: Path) -> list[tuple[str, str]]:
    """Of each manifest that a page shows, the pipeline's name and the text."""
    texts = [text for _, text in blocks(page, "yaml") if text.startswith("name:")]
    return [(text.splitlines()[0].removeprefix("name:").strip(), text) for text in texts]


MANIFESTS = [pytest.param(text, id=f"{page.name}-{name}") for page in PAGES for name, text in named_manifests(page)]


@pytest.mark.parametrize("text", MANIFESTS)
def test_every_manifest_that_the_documentation_shows_is_valid(text: str) -> None:
    pipeline, problems = manifest.check(text)
    assert not problems
    assert pipeline is not None


LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_is_broken(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []


def test_every_decision_is_listed_under_its_title() -> None:
    folder = ROOT / "docs" / "decisions"
    lines = (folder / "README.md").read_text().splitlines()
    for page in sorted(folder.glob("0*.md")):
        number, title = page.read_text().splitlines()[0].removeprefix("# ").split(". ", 1)
        assert f"- [{number}]({page.name}) {title}" in lines
