"""Commands that only look: what each asks of the api, what it prints, and the exit code it leaves with."""

from __future__ import annotations

import json
import re
from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from building import Play, pipeline, task
from cli_world import CHAIN, ERROR, FAILURE, SUCCESS, WARNING, CommandLine, failing, played, view_of
from rich.console import Console

from nbflow import shapes
from nbflow.api import Check, PipelineView
from nbflow.cli.session import Session
from nbflow.cli.tables import print_runs
from nbflow.errors import InvalidManifest, NotFound, Problem
from nbflow.model import Schedule
from nbflow.ports import Definition
from nbflow.run import RunAbandoned
from nbflow.states import RunState
from nbflow.testing.samples import a_frozen, a_run


def definition(*problems: Problem) -> Definition:
    return Definition(path=Path("/project/nightly/pipeline.yaml"), pipeline=CHAIN, problems=problems)


def view(**about: object) -> PipelineView:
    of = type(CHAIN)(name="nightly", tasks=CHAIN.tasks, **about)  # type: ignore[arg-type]
    return PipelineView(definition=Definition(path=Path("/project/nightly/pipeline.yaml"), pipeline=of))


def test_a_narrow_terminal_leaves_ids_whole() -> None:
    screen = Console(file=StringIO(), width=40)
    print_runs(
        screen, [a_run("20260401-090000-3f9a1c77ab", a_frozen("extract"), pipeline="a_long_name_for_a_pipeline")]
    )
    assert "20260401-090000-3f9a1c77ab " in screen.file.getvalue()  # type: ignore[attr-defined]


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


def test_what_never_began_has_no_log_to_read(nbflow: CommandLine) -> None:
    nbflow.api.play = Play(pipeline(task("clean", params={"rows": "{{ 1 / 0 }}"})))
    refused = nbflow("status", "latest").stdout
    assert "mend the manifest, and start a new run" in refused
    assert "nbflow logs" not in refused
    assert "nbflow rerun" not in refused
    nbflow.api.play = Play(CHAIN)
    nbflow.api.play.tell(RunAbandoned())
    gone = nbflow("status", "latest").stdout
    assert "To go on:\n  nbflow rerun r1\n" in gone
    assert "nbflow logs" not in gone


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
    nbflow.api.definitions = [definition(ERROR)]
    done = nbflow("validate", "a", "b")
    assert done.stdout == "a/pipeline.yaml:3:5: error: unknown key 'taks'. Did you mean 'tasks'?\n" * 2
    assert nbflow.api.calls == [("validate", {"paths": ["a"]}), ("validate", {"paths": ["b"]})]
    assert "2 pipelines checked" in done.stderr


def test_validate_tells_of_a_wrong_path_beside_the_others(nbflow: CommandLine) -> None:
    nbflow.api.definitions = [definition(WARNING)]
    nbflow.api.missing = {"nosuch": NotFound("there is no pipeline 'nosuch'", hint="Did you mean 'a'?")}
    done = nbflow("validate", "nosuch", "a")
    assert (done.exit_code, done.stderr.strip()) == (2, "2 pipelines checked: 1 error and 1 warning")
    first, second = done.stdout.splitlines()
    assert first == "nosuch:1:1: error: there is no pipeline 'nosuch'. Did you mean 'a'?"
    assert "warning" in second


def test_validate_says_when_there_is_nothing(nbflow: CommandLine) -> None:
    done = nbflow("validate")
    assert (done.exit_code, done.stderr) == (0, "there is no pipeline to check\n")


def test_list_shows_schedule_and_last_run_and_what_is_broken(nbflow: CommandLine) -> None:
    scheduled = view(schedule=Schedule(cron="0 2 * * *", timezone="America/Los_Angeles"))
    ran = PipelineView(definition=scheduled.definition, last_runs=(view_of(played(*FAILURE)).run,))
    broken = PipelineView(definition=Definition(path=Path("b/pipeline.yaml"), pipeline=None, problems=(ERROR,)))
    nbflow.api.views = [ran, broken]
    nbflow.api.gone = ["old", "older"]
    done = nbflow("list")
    assert done.exit_code == 0
    assert re.search(r"nightly +3 +✕ failed +2026-04-01 .*every day at 02:00, America/Los_Angeles", done.stdout)
    assert re.search(r"a/pipeline.yaml +cannot be used: 1 error", done.stdout)
    assert "nbflow validate" in done.stderr
    assert "removed, and start no runs; their history stays: old and older\n" in done.stderr
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
