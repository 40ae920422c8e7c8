"""What people read in an alert: a mail as text and as HTML, a few lines for a chat. Pure: facts in, a letter out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from nbflow.messages.facts import Facts, Failure
from nbflow.messages.page import page
from nbflow.messages.texts import cell_title, command, headline, held_back, left_out, link, rows, sentence
from nbflow.notice import NoticeKind
from nbflow.ports import Letter
from nbflow.text import join_names

__all__ = ["Facts", "Failure", "render", "trial"]


def render(facts: Facts) -> Letter:
    return Letter(
        id=facts.message,
        subject=headline(facts),
        text="\n\n".join(filter(None, _parts(facts))) + "\n",
        html=page(facts),
        short="\n".join(filter(None, _few_lines(facts))),
        tone=_tone(facts.notice.kind),
    )


def _tone(kind: NoticeKind) -> Literal["failure", "warning", "success"]:
    match kind:
        case NoticeKind.FAILED:
            return "failure"
        case NoticeKind.RECOVERED:
            return "success"
        case _:
            return "warning"


def trial(message: str, channel: str, project: str) -> Letter:
    """What `nbflow alerts test` sends. The names have no character that HTML knows."""
    said = f"This is a test. Alerts for the channel {channel} of the project {project} arrive here."
    html = f"<!doctype html>\n<p>{said}</p>\n"
    return Letter(id=message, subject=f"Test of the channel {channel}", text=f"{said}\n", html=html, short=said)


def _parts(facts: Facts) -> Iterator[str]:
    yield headline(facts)
    yield sentence(facts)
    yield "\n".join(f"{row.name:<13}  {row.value}" for row in rows(facts))
    yield _cell(facts)
    yield "\n".join(filter(None, (link(facts), command(facts))))
    yield held_back(facts)
    yield f"-- \nnbflow message {facts.message}"


def _cell(facts: Facts) -> str:
    cell = facts.failure.cell if facts.failure else None
    if cell is None:
        return ""
    output = f"\n\nOutput, the last lines{left_out(cell)}:\n\n{_indented(cell.output)}" if cell.output else ""
    return f"{cell_title(cell)}:\n\n{_indented(cell.source.splitlines())}{output}"


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"    {line}".rstrip() for line in lines)


def _few_lines(facts: Facts) -> Iterator[str]:
    yield sentence(facts)
    if facts.failure and facts.failure.blocked:
        yield f"blocked: {join_names(facts.failure.blocked)}"
    yield link(facts) or command(facts)
    yield held_back(facts)
    yield f"nbflow message {facts.message}"
