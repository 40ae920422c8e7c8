"""The JSON that scripts rely on: golden documents, as the reference of the command line prints them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from building import NOW, pipeline, task
from cli_world import FAILED_LOG, FAILURE, SUCCESS, played, succeeding, view_of

from nbflow import shapes
from nbflow.api import Check, LogView, PipelineView, RepairView
from nbflow.errors import Problem
from nbflow.model import Param, Retries, Schedule, TaskKey
from nbflow.ports import Definition
from nbflow.schedule import Tick

RUN = {
    "id": "r1",
    "pipeline": "nightly",
    "state": "failed",
    "kind": "manual",
    "run_key": "manual:r1",
    "logical_date": "2026-04-01T09:00:00Z",
    "params": {},
    "created_at": "2026-04-01T09:00:00Z",
    "started_at": "2026-04-01T09:00:00Z",
    "ended_at": "2026-04-01T09:00:06Z",
}

PROBLEM = Problem(
    file="pipeline.yaml",
    line=14,
    column=17,
    where="tasks.report.depends_on",
    message="task 'report' depends on 'claen', which does not exist.",
    hint="Did you mean 'clean'?",
)


def test_a_run_with_its_tasks_and_attempts() -> None:
    document = shapes.status_document(view_of(played(*FAILURE)))
    assert document["run"] == RUN
    assert [each["id"] for each in document["tasks"]] == ["extract", "clean", "publish"]
    assert document["tasks"][1] == {
        "id": "clean",
        "item": None,
        "state": "failed",
        "cause": "error",
        "reason": "ValueError: bad country",
        "set_by": None,
        "note": None,
        "outputs": {},
        "attempts": [
            {
                "number": 1,
                "state": "failed",
                "cause": "error",
                "started_at": "2026-04-01T09:00:02Z",
                "ended_at": "2026-04-01T09:00:06Z",
                "seconds": 4.0,
                "notebook": "/project/.nbflow/runs/nightly/r1/clean/1/notebook.ipynb",
                "failing_cell": 3,
                "error": {"name": "ValueError", "message": "bad country"},
                "signal": None,
                "kernel_start": None,
                "peak_memory": None,
            }
        ],
    }
    assert document["tasks"][2]["state"] == "upstream_failed"
    assert document["tasks"][2]["attempts"] == []


def test_a_success_has_outputs_and_no_reason() -> None:
    extract = shapes.status_document(view_of(played(*SUCCESS)))["tasks"][0]
    assert extract["outputs"] == {"rows": 3}
    assert (extract["cause"], extract["reason"]) == (None, None)


def test_what_has_not_ended_has_no_end() -> None:
    play = played(succeeding("extract"))
    play.start("clean")
    document = shapes.status_document(view_of(play))
    assert document["run"]["ended_at"] is None
    (attempt,) = document["tasks"][1]["attempts"]
    assert (attempt["state"], attempt["ended_at"], attempt["seconds"]) == ("running", None, None)


def test_history_is_a_list_of_runs() -> None:
    assert shapes.runs_document([view_of(played(*FAILURE)).run]) == {"runs": [RUN]}


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (None, None),
        (datetime(2026, 4, 1, 9, tzinfo=UTC), "2026-04-01T09:00:00Z"),
        (datetime(2026, 4, 1, 2, tzinfo=timezone(timedelta(hours=-7))), "2026-04-01T09:00:00Z"),
        (datetime(2026, 4, 1, 9, 0, 0, 123456, tzinfo=UTC), "2026-04-01T09:00:00.123Z"),
    ],
)
def test_times_are_utc_with_a_z(at: datetime | None, said: str | None) -> None:
    assert shapes.instant(at) == said


def test_ticks_have_utc_local_time_and_what_daylight_saving_did() -> None:
    local = datetime(2026, 3, 8, 3, tzinfo=timezone(timedelta(hours=-7)))
    moved = Tick(
        instant=local.astimezone(UTC), run_date=date(2026, 3, 8), local=local, note="02:00 does not exist on this day"
    )
    assert shapes.ticks_document("America/Los_Angeles", [moved]) == {
        "timezone": "America/Los_Angeles",
        "ticks": [
            {
                "utc": "2026-03-08T10:00:00Z",
                "local": "2026-03-08T03:00:00-07:00",
                "note": "02:00 does not exist on this day",
            }
        ],
    }


def test_problems_are_ok_without_an_error() -> None:
    assert shapes.problems_document([PROBLEM]) == {
        "ok": False,
        "problems": [
            {
                "file": "pipeline.yaml",
                "line": 14,
                "column": 17,
                "where": "tasks.report.depends_on",
                "message": "task 'report' depends on 'claen', which does not exist.",
                "hint": "Did you mean 'clean'?",
                "severity": "error",
            }
        ],
    }
    warning = Problem(file="pipeline.yaml", message="nothing reads it", severity="warning")
    assert shapes.problems_document([warning])["ok"] is True
    assert shapes.problems_document([]) == {"ok": True, "problems": []}


def view(**about: object) -> PipelineView:
    of = pipeline(
        task("extract", retries=Retries(max_retries=2), pool="warehouse", timeout=timedelta(hours=1)),
        task("clean", "extract", allow_failure=True),
    )
    return PipelineView(
        definition=Definition(
            path=Path("/project/notebooks/nightly/pipeline.yaml"),
            pipeline=type(of)(
                name=of.name,
                description="Orders per region",
                owner="data-platform",
                tags=("orders",),
                schedule=Schedule(cron="0 2 * * *", timezone="America/Los_Angeles", start=date(2026, 4, 1)),
                params={"region": Param(name="region", type="str", default="all", choices=("all", "emea"))},
                tasks=of.tasks,
            ),
        ),
        last_runs=(view_of(played(*FAILURE)).run,),
        next_tick=Tick(instant=NOW, run_date=NOW.date(), local=NOW),
    )


def test_a_pipeline_of_the_list() -> None:
    assert shapes.pipelines_document([view()]) == {
        "pipelines": [
            {
                "name": "nightly",
                "path": "/project/notebooks/nightly/pipeline.yaml",
                "description": "Orders per region",
                "owner": "data-platform",
                "tags": ["orders"],
                "tasks": 2,
                "schedule": {
                    "cron": "0 2 * * *",
                    "every": None,
                    "timezone": "America/Los_Angeles",
                    "start": "2026-04-01",
                    "end": None,
                },
                "next": "2026-04-01T09:00:00Z",
                "paused": False,
                "last_run": RUN,
                "problems": [],
            }
        ]
    }


def test_a_manifest_that_cannot_be_used_is_in_the_list_with_its_problems() -> None:
    broken = PipelineView(definition=Definition(path=Path("pipeline.yaml"), pipeline=None, problems=(PROBLEM,)))
    (row,) = shapes.pipelines_document([broken])["pipelines"]
    assert (row["name"], row["tasks"], row["schedule"], row["next"], row["last_run"]) == (None, 0, None, None, None)
    assert [each["line"] for each in row["problems"]] == [14]


def test_one_pipeline_has_parameters_tasks_and_runs() -> None:
    document = shapes.show_document(view())
    assert document["params"] == [
        {
            "name": "region",
            "type": "str",
            "default": "all",
            "required": False,
            "choices": ["all", "emea"],
            "description": "",
        }
    ]
    assert document["tasks"] == [
        {
            "id": "extract",
            "notebook": "extract.ipynb",
            "depends_on": [],
            "run_if": "all_success",
            "max_retries": 2,
            "timeout": 3600.0,
            "pool": "warehouse",
            "allow_failure": False,
        },
        {
            "id": "clean",
            "notebook": "clean.ipynb",
            "depends_on": ["extract"],
            "run_if": "all_success",
            "max_retries": 0,
            "timeout": None,
            "pool": None,
            "allow_failure": True,
        },
    ]
    assert document["runs"] == [RUN]


def test_a_schedule_by_elapsed_time_is_in_seconds() -> None:
    every = shapes.schedule(Schedule(every=timedelta(minutes=15)))
    assert every == {"cron": None, "every": 900.0, "timezone": "UTC", "start": None, "end": None}


def test_a_repair_names_what_runs_again() -> None:
    clean, publish, extract = (TaskKey.parse(name) for name in ("clean", "publish", "fit.3"))
    assert shapes.repair_document(
        "r1", RepairView(again=(clean, publish), changed=(clean,), old_params=(extract,))
    ) == {
        "run": "r1",
        "again": ["clean", "publish"],
        "changed_notebooks": ["clean"],
        "old_params": ["fit.3"],
        "manifest_changed": False,
    }


def test_why_is_one_sentence() -> None:
    document = shapes.why_document("r1", TaskKey.parse("clean"), "waiting", "clean waits for extract.")
    assert document == {"run": "r1", "task": "clean", "state": "waiting", "why": "clean waits for extract."}


def test_a_doctor_who_found_something() -> None:
    fine = Check(name="system", is_fine=True, message="Python 3.11")
    bad = Check(name="disk", is_fine=False, message="0.1 GiB free", hint="Make room.")
    assert shapes.doctor_document([fine])["ok"] is True
    assert shapes.doctor_document([fine, bad]) == {
        "ok": False,
        "checks": [
            {"name": "system", "ok": True, "message": "Python 3.11", "hint": ""},
            {"name": "disk", "ok": False, "message": "0.1 GiB free", "hint": "Make room."},
        ],
    }


def test_a_log_has_its_attempt_and_its_cells() -> None:
    shown = view_of(played(*FAILURE))
    attempt = shown.attempts[TaskKey.parse("clean")][0]
    log = LogView(attempt=attempt, path=shown.notebooks[attempt.id], notebook=FAILED_LOG)
    document = shapes.log_document("r1", log)
    assert (document["run"], document["task"]) == ("r1", "clean")
    assert document["attempt"]["failing_cell"] == 3
    assert [(cell["number"], cell["type"], cell["state"]) for cell in document["cells"]] == [
        (1, "markdown", None),
        (2, "code", "success"),
        (3, "code", "failed"),
        (4, "code", "not_run"),
    ]
    assert document["cells"][1] == {
        "number": 2,
        "type": "code",
        "state": "success",
        "seconds": 0.2,
        "source": "orders = load()",
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "12 orders\n"}],
    }
