"""Tables that several commands print."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nbflow.cli.words import short_time, state_text, style_of
from nbflow.text import one_line, took

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from nbflow.ports import Message
    from nbflow.run import Run


def new_table(*headers: str) -> Table:
    """Columns without lines, the last of which gives way first; no row of headers where there are none."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=bool(headers), header_style="dim")
    for at, header in enumerate(headers, start=1):
        table.add_column(header, no_wrap=at < len(headers), overflow="ellipsis")
    return table


def cut(text: str, style: str = "") -> Text:
    """A cell that is cut where the screen ends, and never goes on below."""
    from rich.text import Text

    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def print_runs(out: Console, runs: Sequence[Run], *, with_pipeline: bool = True) -> None:
    """A row for each run, in the given order."""
    now = datetime.now(UTC)
    table = new_table("run", *(["pipeline"] if with_pipeline else []), "state", "for", "started", "took", "kind")
    table.columns[0].min_width = max((len(run.id) for run in runs), default=0)  # to be pasted
    for run in runs:
        table.add_row(
            run.id,
            *([run.pipeline] if with_pipeline else []),
            cut(state_text(run.state), style_of(run.state)),
            run.run_date.isoformat(),
            short_time(run.started_at, now),
            took(run.started_at, run.ended_at, now),
            cut(str(run.kind)),
        )
    out.print(table)


def print_messages(out: Console, messages: Sequence[Message]) -> None:
    """A row for each message to people, in the given order."""
    now = datetime.now(UTC)
    table = new_table("at", "state", "channel", "tries", "message", "")
    for each in messages:
        colour = "red" if each.error and not each.ended_at else ""
        table.add_row(
            short_time(each.notice.at, now),
            cut(each.state, colour),
            each.channel,
            str(each.tries),
            each.notice.id,
            one_line(each.error) or (f"counted in {each.lead}" if each.lead else ""),
        )
    out.print(table)
