"""What alerts say, word for word: tests/unit/messages holds each of them as it is sent."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from nbflow.messages import Facts, Failure, render
from nbflow.model import TaskKey, TaskName
from nbflow.notice import Notice, NoticeKind
from nbflow.ports import FailedCell, Letter
from nbflow.run import Run
from nbflow.states import Cause, RunKind
from nbflow.testing.samples import a_frozen, a_run

GOLDEN = Path(__file__).parent / "messages"
TICK = datetime(2026, 4, 1, 9, tzinfo=UTC)
PIPELINE = "daily_orders_by_region"
CELL = FailedCell(
    number=3,
    source='bad = orders[~orders["country"].isin(KNOWN)]\nif len(bad):\n    raise ValueError(f"bad country <{bad}>")',
    output=(
        "checking 12,403 orders",
        "Traceback (most recent call last)",
        "cell 3, line 3",
        "ValueError: bad country <XX> & 2 more",
    ),
    left_out=117,
)


def run(**about: object) -> Run:
    frozen = a_frozen("extract", pipeline=PIPELINE)
    values = {"kind": RunKind.SCHEDULED, "logical_date": TICK, "run_date": date(2026, 4, 1)}
    return a_run("20260401-090002-3f9a1c", frozen, **{**values, **about})


GOOD = run(
    run_date=date(2026, 3, 31),
    ended_at=TICK - timedelta(hours=23, minutes=46),
)


def notice(kind: NoticeKind, **about: object) -> Notice:
    values = {
        "id": f"{kind}/20260401-090002-3f9a1c/7",
        "kind": kind,
        "channels": ("ops",),
        "at": TICK + timedelta(minutes=9),
        "pipeline": PIPELINE,
        "timezone": "America/Los_Angeles",
        "run": "20260401-090002-3f9a1c",
    }
    return Notice(**{**values, **about})  # type: ignore[arg-type]  # fields of Notice


def facts(kind: NoticeKind, *, held: tuple[Notice, ...] = (), **about: object) -> Facts:
    of_facts = {name: about.pop(name) for name in ("run", "failure", "ready", "last_good") if name in about}
    told = notice(kind, **about)
    url = "https://nbflow.example.org"
    return Facts(message=f"{told.id}/ops", notice=told, held=held, server_url=url, **of_facts)  # type: ignore[arg-type]


FAILURE = Failure(
    reason="ValueError: bad country <XX> & 2 more (no retry left of 3)",
    cause=Cause.ERROR,
    attempts=4,
    allowed=4,
    failing_cell=3,
    cell=CELL,
    blocked=("aggregate_orders", "report"),
    also_failed=("check_prices",),
)
KEY = TaskKey(TaskName("clean_orders"))
NO_RUN = {"run": None}

MESSAGES: dict[str, Facts] = {
    "failed": facts(NoticeKind.FAILED, run=run(), failure=FAILURE, last_good=GOOD, key=KEY, attempt=4),
    "failed_for_the_12th_time": facts(
        NoticeKind.FAILED,
        run=run(),
        failure=replace(FAILURE, cell=None, failing_cell=None, cause=Cause.KERNEL_DIED, reason="killed by SIGKILL"),
        key=KEY,
        attempt=4,
        held=(*[notice(NoticeKind.FAILED)] * 9, *[notice(NoticeKind.RECOVERED)] * 2),
    ),
    "recovered": facts(NoticeKind.RECOVERED, run=run()),
    "missed": replace(
        facts(NoticeKind.MISSED, last_good=GOOD),
        notice=notice(
            NoticeKind.MISSED,
            run=None,
            first=TICK - timedelta(days=2),
            last=TICK - timedelta(days=1),
            text="no scheduler was there when they were due; the last of them runs now",
        ),
    ),
    "skipped": replace(
        facts(NoticeKind.SKIPPED, last_good=GOOD),
        notice=notice(
            NoticeKind.SKIPPED,
            run=None,
            first=TICK,
            last=TICK,
            text="overlap: run 20260331-090002-aaaaaa was not finished, and max_active_runs is 1",
        ),
    ),
    "paused": replace(
        facts(NoticeKind.PAUSED, last_good=GOOD),
        notice=notice(
            NoticeKind.PAUSED,
            run=None,
            text="backfill 3: no run can be created: there is no pipeline 'nightly' in the project; "
            "when that is mended: nbflow backfill resume 3",
        ),
    ),
    "late": facts(
        NoticeKind.LATE,
        run=run(),
        last_good=GOOD,
        ready=TICK + timedelta(hours=5, minutes=12),
        first=TICK + timedelta(hours=4, minutes=30),
    ),
    "overrun": facts(
        NoticeKind.OVERRUN,
        run=run(),
        last_good=GOOD,
        key=KEY,
        attempt=1,
        text="running for 61 min, usually done in 9 min",
    ),
    "restarted": replace(
        facts(NoticeKind.RESTARTED),
        notice=notice(
            NoticeKind.RESTARTED,
            pipeline=None,
            run=None,
            text="scheduler@host.12.aaaaaa ended without a word; scheduler@host.40.bbbbbb has taken over",
        ),
    ),
}


def as_text(letter: Letter) -> str:
    return f"Subject: {letter.subject}\n\n{letter.text}\n===== chat =====\n{letter.subject}\n{letter.short}\n"


@pytest.mark.parametrize("name", MESSAGES)
def test_says(name: str) -> None:
    """To change a message, run this with NBFLOW_WRITE_GOLDEN=1 and read the difference."""
    letter = render(MESSAGES[name])
    for path, said in {GOLDEN / f"{name}.txt": as_text(letter), GOLDEN / f"{name}.html": letter.html}.items():
        if os.environ.get("NBFLOW_WRITE_GOLDEN"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(said, encoding="utf-8")
        assert said == path.read_text(encoding="utf-8")


def test_there_is_one_of_each_kind() -> None:
    assert {each.notice.kind for each in MESSAGES.values()} == set(NoticeKind)


def test_what_notebooks_say_is_never_html_and_a_subject_is_one_line() -> None:
    evil = replace(FAILURE, reason="<script>\nx</script>", cell=replace(CELL, source="<b>&", output=("<i>",)))
    letter = render(replace(MESSAGES["failed"], failure=evil))
    assert "<script>" not in letter.html
    assert "<b>&" not in letter.html
    assert "<i>" not in letter.html
    assert "<script> x</script> — in cell 3" in letter.text
    assert all("\n" not in render(each).subject for each in MESSAGES.values())


def test_without_an_address_of_the_app_there_is_no_link_but_a_command() -> None:
    letter = render(replace(MESSAGES["failed"], server_url=None))
    assert "http" not in letter.text + letter.short
    assert "nbflow logs 20260401-090002-3f9a1c clean_orders" in letter.short
