"""What each command asks of the api, what it prints where, and the exit code it leaves with."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from building import Play
from cli_world import CHAIN, ERROR, FAILURE, SUCCESS, WARNING, CommandLine, Step, failing, played, succeeding, view_of
from typer.testing import CliRunner

from nbflow import __main__, shapes
from nbflow.cli import app
from nbflow.errors import Conflict, InvalidInput, InvalidManifest, NotAllowed, NotFound, Unavailable, Unclosed
from nbflow.model import TaskKey
from nbflow.run import Asked, CancelRequested, MarkRequested
from nbflow.states import TaskState

COMMANDS = [each.name or each.callback.__name__ for each in app.registered_commands if each.callback]


# --- run ----------------------------------------------------------------------------------------------------------


def test_a_run_that_succeeds(nbflow: CommandLine) -> None:
    nbflow.api.steps = SUCCESS
    done = nbflow("run", "nightly")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "run r1: 3 success" in done.stderr
    assert nbflow.api.asked("create_run") == {
        "name": "nightly",
        "given": {},
        "texts": {},
        "when": None,
        "tasks": (),
        "lend_from": None,
    }
    assert nbflow.live.is_closed


def test_a_run_that_fails_tells_cell_message_notebook_what_is_blocked_and_what_to_do(nbflow: CommandLine) -> None:
    nbflow.api.steps = FAILURE
    done = nbflow("run", "nightly")
    assert (done.exit_code, done.stdout) == (1, "")
    for said in (
        "clean in cell 3",
        "ValueError: bad country",
        "/project/.nbflow/runs/nightly/r1/clean/1/notebook.ipynb",
        "blocks    publish",
        "nbflow logs r1 clean",
        "nbflow rerun r1",
    ):
        assert said in done.stderr


def test_json_is_the_only_thing_on_standard_output(nbflow: CommandLine) -> None:
    nbflow.api.steps = FAILURE
    done = nbflow("run", "nightly", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == shapes.status_document(view_of(played(*FAILURE)))
    assert "ValueError: bad country" in done.stderr


def test_all_options_of_run(nbflow: CommandLine, tmp_path: Path) -> None:
    nbflow.api.steps = SUCCESS
    (tmp_path / "given.yaml").write_text("limit: 3\nday: 2026-04-01\nnames: [a, b]\n")
    words = "-p region=emea --param note=a=b --date 2026-04-01 --task clean --task publish --from latest --slots 4"
    done = nbflow("run", "nightly", *words.split(), "--params", str(tmp_path / "given.yaml"))
    assert done.exit_code == 0, done.stderr
    assert nbflow.api.asked("create_run") == {
        "name": "nightly",
        "given": {"limit": 3, "day": "2026-04-01", "names": ["a", "b"]},
        "texts": {"region": "emea", "note": "a=b"},
        "when": date(2026, 4, 1),
        "tasks": ["clean", "publish"],
        "lend_from": "latest",
    }
    assert nbflow.opened == [(None, 4)]


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2026-04-01T02:00Z", datetime(2026, 4, 1, 2, tzinfo=UTC)),
        ("2026-04-01T02:00:00-07:00", datetime(2026, 4, 1, 9, tzinfo=UTC)),
    ],
)
def test_a_date_may_be_an_instant(nbflow: CommandLine, text: str, when: datetime) -> None:
    nbflow.api.steps = SUCCESS
    nbflow("run", "nightly", "--date", text)
    assert nbflow.api.asked("create_run")["when"] == when


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--date 2026-04-01T02:00", "'2026-04-01T02:00' has no UTC offset, so it is not one instant. Add one: "),
        ("--date 9999-12-31T23:00-05:00", "is beyond the years of the calendar in UTC"),
        ("--date yesterday", "'yesterday' is no date and no time. Write 2026-04-01, or 2026-04-01T02:00Z."),
        ("-p region", "-p takes NAME=VALUE, not 'region'"),
        ("-p =emea", "-p takes NAME=VALUE, not '=emea'"),
        ("-p a=1 -p a=2", "-p names 'a' twice"),
        ("--from latest", "--from lends values to the tasks named with --task"),
        ("--params missing.yaml", "cannot read missing.yaml"),
    ],
)
def test_wrong_use_of_run_asks_nothing_of_the_api(nbflow: CommandLine, words: str, said: str) -> None:
    done = nbflow("run", "nightly", *words.split())
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert nbflow.api.calls == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "must be a mapping of parameter names to values"),
        ("a: 1\na: 2\n", ":2:1: "),
        ("a: [1\n", ": "),
    ],
)
def test_a_file_of_parameters_that_is_none(nbflow: CommandLine, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "given.yaml"
    path.write_text(text)
    done = nbflow("run", "nightly", "--params", str(path))
    assert done.exit_code == 2
    assert f"{path}" in done.stderr
    assert said in done.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput("a"), 2),
        (NotFound("there is no pipeline 'nigthly'", hint="Did you mean 'nightly'?"), 2),
        (NotAllowed("a"), 1),
        (Conflict("a"), 1),
        (Unavailable("the database does not answer"), 1),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(nbflow: CommandLine, error: Exception, code: int) -> None:
    nbflow.api.error = error
    done = nbflow("status", "latest")
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr == f"error: {error}\n"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_what_the_system_refuses_is_no_fault_of_nbflow(nbflow: CommandLine, number: int) -> None:
    nbflow.api.error = OSError(number, os.strerror(number), "/project/.nbflow/engines")
    done = nbflow("status", "latest")
    assert (done.exit_code, done.stdout) == (1, "")
    said = f"error: /project/.nbflow/engines: {os.strerror(number)}. What else is amiss: nbflow doctor\n"
    assert done.stderr == said


def test_all_problems_of_a_manifest_are_told(nbflow: CommandLine) -> None:
    nbflow.api.error = InvalidManifest([ERROR, WARNING])
    done = nbflow("run", "nightly")
    assert done.exit_code == 2
    assert done.stderr.splitlines() == [
        "error: a/pipeline.yaml:3:5: unknown key 'taks'. Did you mean 'tasks'?",
        "warning: b/pipeline.yaml:9:1: nothing reads 'x'.",
    ]


def test_what_nobody_expected_names_the_exception_and_the_way_to_see_more(nbflow: CommandLine) -> None:
    nbflow.api.error = ZeroDivisionError("division by zero")
    done = nbflow("status", "latest")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: ZeroDivisionError: division by zero\n")
    assert "--debug" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["--debug", "status", "latest"], ["status", "latest", "--debug"]])
@pytest.mark.parametrize("error", [ZeroDivisionError("division by zero"), InvalidInput("no")])
def test_debug_shows_the_traceback(nbflow: CommandLine, words: list[str], error: Exception) -> None:
    nbflow.api.error = error
    assert "Traceback (most recent call last)" in nbflow(*words).stderr


def test_an_interrupt_while_nothing_is_driven_leaves_at_once(nbflow: CommandLine) -> None:
    nbflow.api.error = KeyboardInterrupt()
    done = nbflow("status", "latest")
    assert (done.exit_code, done.stderr) == (130, "interrupted\n")


def test_an_interrupt_that_leaves_something_behind_says_what(nbflow: CommandLine) -> None:
    nbflow.api.error = KeyboardInterrupt("the end of run r1 cannot be written down")
    done = nbflow("status", "latest")
    assert (done.exit_code, done.stderr) == (130, "interrupted: the end of run r1 cannot be written down\n")


@pytest.mark.parametrize("words", ["--project {} runs", "runs --project {}", "--project /nowhere runs --project {}"])
def test_the_project_may_stand_before_and_behind_the_command(nbflow: CommandLine, tmp_path: Path, words: str) -> None:
    assert nbflow(*words.format(tmp_path).split()).exit_code == 0
    assert nbflow.opened == [(tmp_path, None)]


def test_a_project_that_does_not_exist(nbflow: CommandLine) -> None:
    done = nbflow("list", "--project", "/nowhere")
    assert (done.exit_code, done.stderr) == (2, "error: --project /nowhere: there is no such folder\n")
    assert nbflow.opened == []


def test_the_next_commands_name_the_project_that_was_given(nbflow: CommandLine, tmp_path: Path) -> None:
    nbflow.api.steps = FAILURE
    project = tmp_path / "my data"
    project.mkdir()
    assert f"nbflow rerun r1 --project '{project}'" in nbflow("run", "nightly", "--project", str(project)).stderr


@pytest.mark.parametrize("words", ["status latest", "runs", "logs latest clean", "why latest clean", "rerun latest"])
def test_runs_whose_command_is_gone_are_closed_and_told(nbflow: CommandLine, words: str) -> None:
    nbflow.api.play = played(*FAILURE)
    nbflow.api.abandoned = ["r1"]
    done = nbflow(*words.split(), *(["--dry-run"] if words.startswith("rerun") else []))
    assert done.exit_code == 0
    assert "closed run r1 as failed" in done.stderr
    assert "nbflow rerun r1" in done.stderr
    assert "closed" not in done.stdout


def cancelled(play: Play) -> None:
    play.tell(Asked(id=1, request=CancelRequested(by="me")))


@pytest.mark.parametrize(("steps", "said"), [([cancelled], "cancelled"), (SUCCESS, "success")])
def test_a_run_is_closed_as_it_ended(nbflow: CommandLine, steps: Sequence[Step], said: str) -> None:
    nbflow.api.play, nbflow.api.abandoned = played(*steps), ["r1"]
    told = nbflow("runs").stderr
    assert f"closed run r1 as {said}" in told
    assert ("rerun" in told) == (said == "cancelled")


def test_where_a_run_cannot_be_closed_people_can_look_all_the_same(nbflow: CommandLine) -> None:
    nbflow.api.play, nbflow.api.unclosed = played(*FAILURE), Unclosed("the disk is full")
    done = nbflow("status", "latest")
    assert done.exit_code == 0
    assert "could not be closed: the disk is full. The next command tries it again." in done.stderr
    nbflow.api.unclosed = Unavailable("the disk is full")
    assert nbflow("status", "latest").stderr == "error: the disk is full\n"


# --- repair -------------------------------------------------------------------------------------------------------


def test_rerun_says_what_it_will_do_and_does_it(nbflow: CommandLine) -> None:
    nbflow.api.play = Play(CHAIN)
    nbflow.api.steps = SUCCESS
    done = nbflow("rerun", "latest", "--task", "clean", "--only", "-p", "n=1", "--frozen", "--kill", "--note", "why")
    assert done.exit_code == 0
    assert "these 2 will run again: clean and publish" in done.stderr
    assert "notebooks that changed since: clean" in done.stderr
    assert nbflow.api.asked("repair_request") == {
        "ref": "r1",
        "tasks": ["clean"],
        "only": True,
        "texts": {"n": "1"},
        "frozen": True,
        "kill": True,
        "note": "why",
    }
    assert nbflow.api.asked("rerun")["request"].keys == (TaskKey.parse("clean"),)


def test_a_dry_run_only_says_it(nbflow: CommandLine) -> None:
    done = nbflow("rerun", "latest", "--dry-run", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {
        "run": "r1",
        "again": ["clean", "publish"],
        "changed_notebooks": ["clean"],
        "old_params": [],
        "manifest_changed": True,
    }
    assert "the manifest changed since" in done.stderr
    assert "these 2 would run again" in done.stderr
    assert "rerun" not in dict(nbflow.api.calls)


def test_rerun_exits_as_the_run_ends(nbflow: CommandLine) -> None:
    nbflow.api.steps = FAILURE
    done = nbflow("rerun", "latest", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["run"]["state"] == "failed"


def test_mark_sets_a_state_with_typed_outputs(nbflow: CommandLine) -> None:
    nbflow.api.play = played(*FAILURE)
    done = nbflow("mark", "latest", "clean", "failed", "--output", "rows=3", "--output", 'files=["a"]', "--note", "x")
    assert done.exit_code == 0
    assert "marked clean as failed in run r1" in done.stderr
    assert nbflow.api.asked("mark") == {
        "ref": "r1",
        "task": "clean",
        "state": TaskState.FAILED,
        "outputs": {"rows": 3, "files": ["a"]},
        "note": "x",
        "kill": False,
    }


def marked(play: Play) -> None:
    play.tell(Asked(id=1, request=MarkRequested(by="me", key=TaskKey.parse("clean"), state=TaskState.SUCCESS)))


def test_a_mark_shows_its_note(nbflow: CommandLine) -> None:
    request = MarkRequested(by="me", key=TaskKey.parse("clean"), state=TaskState.FAILED, note="rows are missing")
    nbflow.api.play = played(*SUCCESS, lambda play: play.tell(Asked(id=1, request=request)))
    lines = nbflow("status", "latest").stdout.splitlines()
    assert lines[lines.index("✕ failed  clean, set by me") + 1] == "  rows are missing"


@pytest.mark.parametrize(("then", "code"), [(succeeding("publish"), 0), (failing("publish"), 1)])
def test_mark_exits_as_what_it_set_free_ends(nbflow: CommandLine, then: Step, code: int) -> None:
    nbflow.api.play = played(*FAILURE)
    nbflow.api.steps = [marked, then]
    assert nbflow("mark", "latest", "clean", "success").exit_code == code


def test_mark_takes_only_its_three_states(nbflow: CommandLine) -> None:
    done = nbflow("mark", "latest", "clean", "cancelled")
    assert done.exit_code == 2
    assert nbflow.api.calls == []


def test_cancel_waits_for_the_end_and_says_how_it_stands(nbflow: CommandLine) -> None:
    nbflow.api.steps = FAILURE
    done = nbflow("cancel", "latest", "--note", "wrong date")
    assert (done.exit_code, done.stdout) == (0, "")
    assert nbflow.api.asked("cancel") == {"ref": "latest", "task": None, "note": "wrong date"}
    assert "run r1 is failed" in done.stderr


# --- the program --------------------------------------------------------------------------------------------------


def test_help_groups_the_commands() -> None:
    done = CliRunner().invoke(app, ["--help"])
    assert done.exit_code == 0
    for panel in ("Pipelines", "Runs", "Repair", "Installation"):
        assert panel in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    done = CliRunner().invoke(app, [name, "--help"])
    assert done.exit_code == 0
    assert "--project" in done.stdout
    assert "--debug" in done.stdout


@pytest.mark.parametrize("words", [[], ["run"], ["db"], ["backfill"], ["user", "add"]])
def test_help_gives_flags_no_type(words: list[str]) -> None:
    said = CliRunner().invoke(app, [*words, "--help"]).stdout
    assert "--help" in said
    assert "<bool>" not in said


ACTIONS = {"init", "new", "cancel", "retry-now", "pause", "resume", "up", "scheduler", "app", "demo"}
"""Commands that print no result."""


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - ACTIONS))
def test_every_reading_command_takes_json(name: str) -> None:
    assert "--json" in CliRunner().invoke(app, [name, "--help"]).stdout


def test_the_version() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert re.fullmatch(r"nbflow \d+\.\d+\.\d+\n", done.stdout)


def test_windows_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SystemExit) as left:
        __main__.main()
    assert left.value.code == 2
    assert "WSL" in capsys.readouterr().err
