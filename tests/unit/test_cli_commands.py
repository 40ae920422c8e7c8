"""What each command asks of the api, what it prints where, and the exit code it leaves with."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from building import Play, pipeline, task
from cli_world import CHAIN, FAILURE, SUCCESS, CommandLine, Step, failing, played, succeeding, view_of
from typer.testing import CliRunner

from nbflow import __main__, shapes
from nbflow.api import Check, PipelineView
from nbflow.cli import app
from nbflow.cli.session import Session
from nbflow.errors import Conflict, InvalidInput, InvalidManifest, NotAllowed, NotFound, Problem, Unavailable
from nbflow.model import Schedule, TaskKey
from nbflow.ports import Definition
from nbflow.run import Asked, CancelRequested, MarkRequested
from nbflow.states import RunState, TaskState

ERROR = Problem(file="a/pipeline.yaml", line=3, column=5, message="unknown key 'taks'.", hint="Did you mean 'tasks'?")
COMMANDS = [each.name or each.callback.__name__ for each in app.registered_commands if each.callback]
WARNING = Problem(file="b/pipeline.yaml", line=9, column=1, message="nothing reads 'x'.", severity="warning")


@pytest.fixture
def nbflow(monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(monkeypatch)


def definition(*problems: Problem) -> Definition:
    return Definition(path=Path("/project/nightly/pipeline.yaml"), pipeline=CHAIN, problems=problems)


def view(**about: object) -> PipelineView:
    of = type(CHAIN)(name="nightly", tasks=CHAIN.tasks, **about)  # type: ignore[arg-type]
    return PipelineView(definition=Definition(path=Path("/project/nightly/pipeline.yaml"), pipeline=of))


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
    assert nbflow("status", "latest").exit_code == 130


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
    }
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


# --- looking ------------------------------------------------------------------------------------------------------


def test_status_as_text_and_as_json(nbflow: CommandLine) -> None:
    nbflow.api.play = played(*FAILURE)
    text = nbflow("status", "latest")
    assert (text.exit_code, text.stderr) == (0, "")
    for said in ("failed  run r1 of nightly", "clean in cell 3", "blocked by clean", "nbflow rerun r1"):
        assert said in text.stdout
    assert json.loads(nbflow("status", "latest", "--json").stdout) == shapes.status_document(view_of(nbflow.api.play))


def test_status_of_an_unfinished_run_says_when_it_will_be_ready(nbflow: CommandLine) -> None:
    nbflow.api.play = Play(CHAIN)
    assert re.search(r"  expected ready at .*\d\d:\d\d", nbflow("status", "latest").stdout)
    estimate = json.loads(nbflow("status", "latest", "--json").stdout)["estimate"]
    assert (estimate["ready"], estimate["usual"]) == ("2026-04-01T09:00:09Z", None)


def test_failures_that_fail_the_run_come_first_and_some_may_be(nbflow: CommandLine) -> None:
    play = Play(pipeline(task("probe", allow_failure=True), *(task(f"t{at}") for at in range(10))))
    for name in ("probe", *(f"t{at}" for at in range(10))):
        failing(name)(play)
    nbflow.api.play = play
    text = nbflow("status", "latest").stdout
    assert "nbflow logs r1 t0\n" in text
    assert "… and 1 more failed task: nbflow status r1" in text
    nbflow.api.play = Play(pipeline(task("probe", allow_failure=True)))
    nbflow.api.steps = [failing("probe")]
    ended = nbflow("run", "nightly")
    assert ended.exit_code == 0
    assert "✕ failed  probe in cell 3, as it may\n" in ended.stderr


def test_runs_can_be_narrowed_down(nbflow: CommandLine) -> None:
    nbflow.api.play = played(*SUCCESS)
    done = nbflow("runs", "nightly", "--state", "failed", "--limit", "5", "--json")
    assert nbflow.api.asked("runs") == {"pipeline": "nightly", "state": RunState.FAILED, "limit": 5}
    assert [each["id"] for each in json.loads(done.stdout)["runs"]] == ["r1"]
    assert re.search(r"r1 +nightly +✓ success +2026-04-01 .* 6.0 s +manual", nbflow("runs").stdout)


def test_why_of_a_run_is_a_sentence_too(nbflow: CommandLine) -> None:
    assert nbflow("why", "latest").stdout == "run r1 is about to start.\n"
    document = json.loads(nbflow("why", "latest", "--json").stdout)
    assert (document["state"], document["why"]) == ("queued", "run r1 is about to start.")
    assert "task" not in document


def test_why_is_a_sentence(nbflow: CommandLine) -> None:
    assert nbflow("why", "latest", "clean").stdout == "clean waits for extract, which is running.\n"
    assert json.loads(nbflow("why", "latest", "clean", "--json").stdout) == {
        "run": "r1",
        "task": "clean",
        "state": "waiting",
        "why": "clean waits for extract, which is running.",
    }


def test_doctor_fails_with_a_check_and_says_what_to_do(nbflow: CommandLine) -> None:
    fine = Check(name="system", is_fine=True, message="Python 3.11", hint="never shown")
    nbflow.api.checks = [fine]
    assert nbflow("doctor").exit_code == 0
    nbflow.api.checks = [fine, Check(name="disk", is_fine=False, message="full", hint="Make room.")]
    text = nbflow("doctor")
    assert text.exit_code == 1
    assert "Make room." in text.stdout
    assert "never shown" not in text.stdout
    told = nbflow("doctor", "--json")
    assert (told.exit_code, json.loads(told.stdout)["ok"]) == (1, False)


def test_doctor_reports_a_project_that_cannot_be_opened(nbflow: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Session, slots: int | None = None) -> None:
        raise InvalidManifest([ERROR])

    monkeypatch.setattr(Session, "open", broken)
    done = nbflow("doctor", "--json")
    assert done.exit_code == 1
    (check,) = json.loads(done.stdout)["checks"]
    assert (check["name"], check["ok"]) == ("settings", False)
    assert "a/pipeline.yaml:3:5" in check["message"]


# --- definitions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problems", "code", "counts"),
    [
        ([], 0, "2 pipelines checked: no problems"),
        ([WARNING], 0, "2 pipelines checked: 0 errors and 1 warning"),
        ([ERROR, WARNING], 2, "2 pipelines checked: 1 error and 1 warning"),
    ],
)
def test_validate_counts_and_exits(nbflow: CommandLine, problems: list[Problem], code: int, counts: str) -> None:
    nbflow.api.definitions = [definition(), definition(*problems)]
    done = nbflow("validate")
    assert done.exit_code == code
    assert done.stderr.strip() == counts
    assert len(done.stdout.splitlines()) == len(problems)
    told = nbflow("validate", "--json")
    assert (told.exit_code, json.loads(told.stdout)) == (code, shapes.problems_document(problems))


def test_validate_prints_positions(nbflow: CommandLine) -> None:
    nbflow.api.definitions = [definition(ERROR), definition()]
    done = nbflow("validate", "a", "b")
    assert done.stdout == "a/pipeline.yaml:3:5: error: unknown key 'taks'. Did you mean 'tasks'?\n"
    assert nbflow.api.asked("validate") == {"paths": ["a", "b"]}
    assert "2 pipelines checked" in done.stderr


def test_validate_says_when_there_is_nothing(nbflow: CommandLine) -> None:
    done = nbflow("validate")
    assert (done.exit_code, done.stderr) == (0, "there is no pipeline to check\n")


def test_list_shows_schedule_and_last_run_and_what_is_broken(nbflow: CommandLine) -> None:
    scheduled = view(schedule=Schedule(cron="0 2 * * *", timezone="America/Los_Angeles"))
    ran = PipelineView(definition=scheduled.definition, last_runs=(view_of(played(*FAILURE)).run,))
    broken = PipelineView(definition=Definition(path=Path("b/pipeline.yaml"), pipeline=None, problems=(ERROR,)))
    nbflow.api.views = [ran, broken]
    done = nbflow("list")
    assert done.exit_code == 0
    assert re.search(r"nightly +3 +✕ failed +2026-04-01 .*every day at 02:00, America/Los_Angeles", done.stdout)
    assert re.search(r"a/pipeline.yaml +cannot be used: 1 error", done.stdout)
    assert "nbflow validate" in done.stderr
    assert json.loads(nbflow("list", "--json").stdout) == shapes.pipelines_document([ran, broken])


def test_show_draws_the_graph_layer_by_layer(nbflow: CommandLine) -> None:
    nbflow.api.views = [view(description="Orders per region")]
    done = nbflow("show", "nightly")
    assert done.exit_code == 0
    assert "Orders per region" in done.stdout
    assert [line.split() for line in done.stdout.splitlines() if "extract" in line or "←" in line] == [
        ["1", "extract"],
        ["2", "clean", "←", "extract"],
        ["3", "publish", "←", "clean"],
    ]


def test_show_of_a_broken_manifest_tells_its_problems(nbflow: CommandLine) -> None:
    definition = Definition(path=Path("b/pipeline.yaml"), pipeline=None, problems=(ERROR,))
    nbflow.api.views = [PipelineView(definition=definition)]
    done = nbflow("show", "b")
    assert done.exit_code == 2
    assert "a/pipeline.yaml:3:5" in done.stderr


# --- next ---------------------------------------------------------------------------------------------------------


def test_next_of_an_expression_needs_no_project(nbflow: CommandLine) -> None:
    words = "next --cron 0_2_*_*_* --timezone America/Los_Angeles --after 2026-03-07 -n 3"
    done = nbflow(*(word.replace("_", " ") if "*" in word else word for word in words.split()), "--json")
    assert json.loads(done.stdout) == {
        "timezone": "America/Los_Angeles",
        "ticks": [
            {"utc": "2026-03-07T10:00:00Z", "local": "2026-03-07T02:00:00-08:00", "note": ""},
            {
                "utc": "2026-03-08T10:00:00Z",
                "local": "2026-03-08T03:00:00-07:00",
                "note": "02:00 does not exist on this day",
            },
            {"utc": "2026-03-09T09:00:00Z", "local": "2026-03-09T02:00:00-07:00", "note": ""},
        ],
    }
    assert nbflow.opened == []


def test_next_of_a_pipeline_counts_from_its_own_midnight(nbflow: CommandLine) -> None:
    nbflow.api.views = [view(schedule=Schedule(cron="0 2 * * *", timezone="America/Los_Angeles"))]
    done = nbflow("next", "nightly", "--after", "2026-04-01", "-n", "1")
    assert done.stdout.split() == ["Wed", "2026-04-01", "02:00", "-07:00", "2026-04-01", "09:00Z"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name a pipeline, or give --cron an expression"),
        (["nightly", "--cron", "@daily"], "name a pipeline, or give --cron an expression"),
        (["--cron", "0 0 30 2 *"], "no date ever matches"),
        (["--cron", "@daily", "--timezone", "Mars/Olympus"], "'Mars/Olympus' is no IANA time zone"),
        (["--cron", "@daily", "--after", "2026-04-01T10:00"], "has no UTC offset"),
        (["nightly"], "has no schedule"),
        (["nightly", "--timezone", "UTC"], "--timezone belongs to --cron"),
    ],
)
def test_wrong_use_of_next(nbflow: CommandLine, words: list[str], said: str) -> None:
    nbflow.api.views = [view()]
    done = nbflow("next", *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_next_says_when_nothing_comes(nbflow: CommandLine) -> None:
    nbflow.api.views = [view(schedule=Schedule(cron="@daily", end=date(2020, 1, 1)))]
    done = nbflow("next", "nightly")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "the schedule has no later tick\n")


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


ACTIONS = {"init", "cancel", "retry-now", "pause", "resume", "up", "scheduler", "app", "demo"}
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
