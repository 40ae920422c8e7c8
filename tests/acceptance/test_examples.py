"""The shipped pipelines, run by nbflow itself in a copy of the project."""

from __future__ import annotations

import hashlib
import html
import importlib.util
import re
import shlex
import shutil
from pathlib import Path

import duckdb
import pytest
from making import Project, states

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("shop") / "project"
    ignored = shutil.ignore_patterns("data", "published", ".ipynb_checkpoints", "__pycache__")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=ignored)
    shutil.copy(ROOT / "nbflow.toml", folder)
    return Project(folder)


def tables(project: Project) -> dict[str, str]:
    """A digest of every table of the warehouse, rows in the order of their text."""
    (path,) = (project.folder / "notebooks" / "daily_orders_by_region" / "data").glob("*.duckdb")
    with duckdb.connect(str(path), read_only=True) as warehouse:
        names = warehouse.execute("select table_schema, table_name from information_schema.tables").fetchall()
        found = {}
        for schema, name in names:
            rows = sorted(map(str, warehouse.execute(f'select * from "{schema}"."{name}"').fetchall()))
            found[f"{schema}.{name}"] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return found


def test_the_main_job_twice_for_one_date_leaves_identical_tables(project: Project) -> None:
    words = ("run", "notebooks/daily_orders_by_region", "--date", "2026-04-01")
    first = project.json(*words)
    assert list(states(first).values()) == ["success"] * 3
    before = tables(project)
    assert {name.split(".")[0] for name in before} == {"raw", "stg", "mart"}
    second = project.json(*words)
    assert list(states(second).values()) == ["success"] * 3
    assert tables(project) == before
    assert second["run"]["id"] != first["run"]["id"]


def test_black_friday_fails_on_request_blocks_only_its_descendants_and_is_repaired(project: Project) -> None:
    failed = project.json("run", "black_friday", "-p", "fail_in=join", code=1)
    assert states(failed) == {
        "extract": "success",
        "clean": "success",
        "join": "failed",
        "aggregate": "upstream_failed",
        "publish": "upstream_failed",
        "stock_report": "success",
    }
    repaired = project.json("rerun", "latest", "-p", "fail_in=none")
    assert set(states(repaired).values()) == {"success"}
    assert {task["id"] for task in repaired["tasks"] if len(task["attempts"]) == 2} == {"join"}


COMMAND = re.compile(r"\| `(nbflow [^`]+)` \|$", re.MULTILINE)


def test_the_commands_of_the_readme_work(project: Project, tmp_path: Path) -> None:
    """In a project of `nbflow init`. After a good run no cell has failed and nothing is to be repaired."""
    commands = dict.fromkeys(COMMAND.findall((ROOT / "README.md").read_text()))
    assert len(commands) == 6
    mine, codes = str(tmp_path / "my-project"), {}
    assert project.nbflow("init", mine).returncode == 0
    for command in sorted(commands, key=lambda each: " run " not in each):
        done = project.nbflow(*shlex.split(command)[1:], "--project", mine)
        codes[command] = done.returncode
    refused = {command: code for command, code in codes.items() if code}
    assert refused == {"nbflow logs latest": 2, "nbflow rerun latest": 1}


def words_of(svg: str) -> list[str]:
    """The words of a picture; what differs from run to run is taken out."""
    text = " ".join(html.unescape(text) for text in re.findall(r">([^<>]+)</text>", svg))
    return re.sub(r"\d{8}-\d{6}-\w{10}|[\d.]+\s(?:s|min)\b", "…", text).split()


def test_the_readme_shows_what_a_run_shows(project: Project) -> None:
    spec = importlib.util.spec_from_file_location("picture", ROOT / "docs" / "picture.py")
    assert spec is not None
    assert spec.loader is not None
    docs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(docs)
    project.json(*docs.WORDS, code=1)
    assert words_of(docs.picture(project.folder)) == words_of(docs.FILE.read_text()), "run `make picture`"


def test_downstream_waits_for_a_slow_extract(project: Project) -> None:
    done = project.json("run", "black_friday", "-p", "extract_seconds=4")
    attempts = {task["id"]: task["attempts"][0] for task in done["tasks"]}
    assert attempts["extract"]["seconds"] > 4
    assert attempts["clean"]["started_at"] >= attempts["extract"]["ended_at"]


def test_the_night_with_a_moody_payments_api(project: Project) -> None:
    """A Wednesday: the API answers at the first try. On a Sunday the retry waits its honest 30 s."""
    done = project.json("run", "nightly_revenue", "--date", "2026-04-01")
    assert set(states(done).values()) == {"success"}


def test_the_sweep_compares_its_fits(project: Project) -> None:
    done = project.json("run", "model_sweep")
    assert len(done["tasks"]) == 8
    assert set(states(done).values()) == {"success"}
