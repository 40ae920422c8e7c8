"""What `nbflow logs` shows: the failing cell first, then the whole log; or as it grows; or as HTML or JSON."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from nbflow.api import Api, LogView
from nbflow.cli.words import local_time, state_text, style_of, utc_time
from nbflow.errors import InvalidInput, NotFound
from nbflow.files import write_whole
from nbflow.model import TaskKey
from nbflow.notebooks.show import cell_lines, cells_of, failing_cell, followed_lines, language_of
from nbflow.run import Attempt, Run
from nbflow.states import CAUSE_SENTENCES, AttemptState
from nbflow.streams import reader_has_left
from nbflow.text import one_line, took

if TYPE_CHECKING:
    from rich.console import Console

    from nbflow.cli.session import Session

MOST_LINES, MOST_OF_FAILING = 40, 200
"""Lines of a cell's source, and of its outputs, that are shown; the whole is in the notebook."""

LOOK_AGAIN = 1.0
"""Seconds between two looks at a log that grows; the runner saves it every 2 s."""


def print_log(out: Console, run: Run, log: LogView) -> None:
    """The log for a terminal; long outputs are cut in the middle."""
    attempt, cells, language = log.attempt, cells_of(log.notebook), language_of(log.notebook)
    _print_header(out, run, attempt)
    failing = failing_cell(cells, attempt)
    if failing:
        _print_lines(out, cell_lines(failing, language, most=MOST_OF_FAILING))
        out.print("The whole log", style="bold underline")
        out.print()
    for cell in cells:
        if cell is failing:
            out.print(f"── {cell.title}: above", style="bold red")
            out.print()
        else:
            _print_lines(out, cell_lines(cell, language, most=MOST_LINES))
    out.print(f"notebook  {log.path}", style="dim", soft_wrap=True)


def _print_header(out: Console, run: Run, attempt: Attempt) -> None:
    duration = took(attempt.started_at, attempt.ended_at, datetime.now(UTC))
    text = f"{state_text(attempt.state)}  {attempt.key.address}, attempt {attempt.number} of run {run.id}"
    out.print(f"{text}, {duration}" if duration else text, style=style_of(attempt.state), soft_wrap=True)
    if because := attempt.reason or (CAUSE_SENTENCES[attempt.cause] if attempt.cause else ""):
        out.print(f"  {one_line(because)}", soft_wrap=True)
    out.print()


def _print_lines(out: Console, lines: list[Text]) -> None:
    for line in lines:
        out.print(line, soft_wrap=True)


# --- as it grows --------------------------------------------------------------------------------------------------


def follow(session: Session, api: Api, ref: str, task: str) -> None:
    """Print what is added to the log, attempt after attempt, until the task run has ended or nobody reads on."""
    key = TaskKey.parse(task)
    run, said, printed = api.status(ref).run.id, "", _Printed(session.out)
    while True:
        view = api.status(run)
        try:
            log = api.log(run, task)
        except NotFound:
            if key not in view.tasks:
                raise
            if (sentence := api.why(run, task)) != said:
                session.say(sentence)
                said = sentence
        else:
            printed.add(view.run, log)
        if view.tasks[key].state.is_terminal or reader_has_left(sys.stdout):
            return
        time.sleep(LOOK_AGAIN)


class _Printed:
    """How much of a log is on the screen already."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._attempt: Attempt | None = None
        self._lines: list[str] = []

    def add(self, run: Run, log: LogView) -> None:
        before, self._attempt = self._attempt, log.attempt
        if before is None or log.attempt.id != before.id:
            self._lines = []
            _print_header(self._out, run, log.attempt)
        self._add_lines(log)
        if before and log.attempt.state is not before.state and log.attempt.state.is_terminal:
            self._out.print()
            _print_header(self._out, run, log.attempt)

    def _add_lines(self, log: LogView) -> None:
        lines = followed_lines(log.notebook)
        texts = [line.plain for line in lines]
        same = next((at for at, (old, new) in enumerate(zip(self._lines, texts, strict=False)) if old != new), None)
        _print_lines(self._out, lines[len(self._lines) if same is None else same :])
        self._lines = texts


# --- as a document ------------------------------------------------------------------------------------------------


def write_html(run: Run, log: LogView, path: Path) -> None:
    """One file that needs nothing else. Raises InvalidInput where it cannot be written."""
    from nbflow.notebooks.render.page import page

    attempt = log.attempt
    failing = failing_cell(cells_of(log.notebook), attempt)
    html = page(
        log.notebook,
        title=f"{run.pipeline} / {attempt.key.address}",
        state=attempt.state,
        facts=_facts(run, attempt),
        failing_cell=failing.number if failing else None,
    )
    try:
        write_whole(path, html)
    except OSError as error:
        raise InvalidInput(f"cannot write {path}: {error.strerror}") from None


def _facts(run: Run, attempt: Attempt) -> Mapping[str, str]:
    is_bad = attempt.state is not AttemptState.SUCCESS
    return {
        "state": state_text(attempt.state),
        "reason": attempt.reason or (CAUSE_SENTENCES[attempt.cause] if attempt.cause and is_bad else ""),
        "run": run.id,
        "for": f"{run.run_date} ({utc_time(run.logical_date)})",
        "attempt": str(attempt.number),
        "started": local_time(attempt.started_at),
        "took": took(attempt.started_at, attempt.ended_at),
    }
