"""How the terminal says times and values; and the files of a new project."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import nbformat
import pytest
from cli_world import CommandLine

from nbflow import text
from nbflow.cli import words
from nbflow.cli.starter import FIRST_PIPELINE, TEMPLATE
from nbflow.estimates import Estimate
from nbflow.states import AttemptState, RunState, TaskState


def expected(**minutes: float) -> Estimate:
    at = {name: (datetime.now().astimezone() + timedelta(minutes=each)) for name, each in minutes.items()}
    return Estimate(ready=at["ready"], slow=at["ready"], usual=at.get("usual"), spans={}, unknown=())


def test_when_a_run_will_be_ready() -> None:
    now = datetime.now().astimezone()
    tomorrow, soon = expected(ready=1440, usual=1441), expected(ready=5)
    assert words.ready_text(None, now) == ""
    assert words.ready_text(soon, now) == f"ready at {soon.ready:%H:%M:%S}"
    assert words.ready_text(tomorrow, now) == (
        f"ready at {tomorrow.ready:%Y-%m-%d %H:%M}, usually {tomorrow.usual:%Y-%m-%d %H:%M}"
    )


@pytest.mark.parametrize("state", [*RunState, *TaskState, *AttemptState])
def test_every_state_has_an_icon_and_its_word(state: RunState | TaskState | AttemptState) -> None:
    icon, word = words.state_text(state).split(" ")
    assert (len(icon), word) == (1, str(state))


def test_times() -> None:
    local = datetime(2026, 3, 8, 3, 0, tzinfo=timezone(timedelta(hours=-7)))
    assert text.with_offset(local) == "Sun 2026-03-08 03:00 -07:00"
    assert text.with_offset(local.replace(second=5)) == "Sun 2026-03-08 03:00:05 -07:00"
    assert words.utc_time(local) == "2026-03-08 10:00Z"
    assert words.utc_time(local.replace(second=5)) == "2026-03-08 10:00:05Z"


def test_of_today_only_the_time_of_day_is_said() -> None:
    noon = datetime(2026, 4, 1, 12, 30).astimezone()
    assert words.short_time(noon, noon + timedelta(hours=1)) == "12:30"
    assert words.short_time(noon, noon + timedelta(days=1)) == "2026-04-01 12:30"
    assert words.short_time(None, noon) == ""


def test_durations_never_run_backwards() -> None:
    now = datetime(2026, 4, 1, tzinfo=UTC)
    assert text.took(now, None, now - timedelta(seconds=1)) == "0.0 s"
    assert text.took(None, None, now) == ""
    assert text.took(now, None) == ""


def test_counts() -> None:
    assert text.counted(1, "task") == "1 task"
    assert text.counted(2000, "task") == "2,000 tasks"
    assert (
        words.counts_text({TaskState.SUCCESS: 2, TaskState.FAILED: 1, TaskState.WAITING: 0}) == "1 failed · 2 success"
    )


def test_a_command_can_be_pasted() -> None:
    assert words.shell("nbflow", "run", "my pipeline") == "nbflow run 'my pipeline'"


def test_values_stay_on_one_line() -> None:
    assert words.values_text({"a": "x\ny", "b": 1}) == "a=x y, b=1"


def test_of_many_values_the_rest_is_counted() -> None:
    assert words.values_text({f"n{n}": n for n in range(2000)}).endswith(", n18=18, n19=19 and 1980 more")
    assert words.values_text({f"n{n}": n for n in range(20)}).endswith(", n18=18, n19=19")


# --- nbflow init --------------------------------------------------------------------------------------------------


def test_init_writes_a_project_and_says_what_comes_next(nbflow: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "project"
    done = nbflow("init", str(folder))
    assert done.exit_code == 0
    written = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert written == {
        ".gitignore",
        "nbflow.toml",
        f"notebooks/{FIRST_PIPELINE}/pipeline.yaml",
        *(f"notebooks/{FIRST_PIPELINE}/{name}.ipynb" for name in ("collect", "summarise", "report")),
    }
    assert set(done.stdout.splitlines()) == {str(folder / name) for name in written}
    assert f"cd {folder}\n  nbflow run {FIRST_PIPELINE}" in done.stderr


def test_init_never_overwrites(nbflow: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "nbflow.toml").write_text("mine")
    done = nbflow("init", str(tmp_path))
    assert done.exit_code == 2
    assert "nbflow.toml exists already. Nothing was written." in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["nbflow.toml"]
    assert (tmp_path / "nbflow.toml").read_text() == "mine"


def test_init_inside_another_project_says_so(nbflow: CommandLine, tmp_path: Path) -> None:
    assert "lies inside" not in nbflow("init", str(tmp_path / "outer")).stderr
    inner = nbflow("init", str(tmp_path / "outer" / "notebooks" / "inner"))
    assert inner.exit_code == 0
    assert f"this project lies inside another one: {tmp_path / 'outer'}\n" in inner.stderr


def test_init_keeps_a_gitignore(nbflow: CommandLine, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine")
    done = nbflow("init", str(tmp_path))
    assert done.exit_code == 0
    assert "kept" in done.stderr
    assert (tmp_path / ".gitignore").read_text() == "mine"
    assert (tmp_path / "nbflow.toml").exists()


def test_init_in_the_current_folder_needs_no_cd(
    nbflow: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "cd " not in nbflow("init").stderr


def test_init_where_nothing_can_be_written(nbflow: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = nbflow("init", str(tmp_path / "file" / "project"))
    assert done.exit_code == 2
    assert "cannot write" in done.stderr


@pytest.mark.parametrize("path", sorted(TEMPLATE.rglob("*.ipynb")), ids=lambda path: path.stem)
def test_the_notebooks_of_a_new_project_are_clean(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[0].cell_type == "markdown"
    assert not [cell for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")]
