"""The HTML of a mail. Styles stand on the elements, because mail programs drop style sheets; nothing is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from nbflow.messages.facts import Facts
from nbflow.messages.texts import cell_title, command, headline, held_back, left_out, link, rows, sentence
from nbflow.notice import NoticeKind
from nbflow.ports import FailedCell

_COLOURS = {NoticeKind.FAILED: "#8C1505", NoticeKind.RECOVERED: "#117A65"}
_OTHER_COLOUR = "#7F7418"

_BODY = (
    "margin:0;padding:24px;background:#f4f5f7;color:#1f2933;"
    "font:15px/1.5 -apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
)
_CARD = "max-width:680px;margin:0 auto;background:#ffffff;border:1px solid #d9dee5;border-top:4px solid {colour}"
_CODE = (
    "margin:0;padding:12px 14px;background:{ground};border:1px solid #e1e5ea;"
    "font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre-wrap;overflow-wrap:anywhere"
)
_LABEL = "padding:3px 18px 3px 0;color:#5b6675;white-space:nowrap;vertical-align:top"
_BUTTON = (
    "display:inline-block;padding:9px 18px;background:{colour};color:#ffffff;text-decoration:none;border-radius:4px"
)


def page(facts: Facts) -> str:
    colour = _COLOURS.get(facts.notice.kind, _OTHER_COLOUR)
    title = escape(headline(facts))
    inside = "\n".join(_sections(facts, colour))
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title></head>\n'
        f'<body style="{_BODY}">\n<div style="{_CARD.format(colour=colour)}">\n'
        f'<div style="padding:20px 24px">\n{inside}\n</div>\n</div>\n</body>\n</html>\n'
    )


def _sections(facts: Facts, colour: str) -> Iterator[str]:
    yield f'<h1 style="margin:0 0 6px;font-size:19px;line-height:1.3;color:{colour}">{escape(headline(facts))}</h1>'
    if said := sentence(facts):
        yield f'<p style="margin:0 0 16px;font-weight:600;overflow-wrap:anywhere">{escape(said)}</p>'
    address = link(facts)
    if address:
        words = "Open the failing cell" if "#" in address else "Open in nbflow"
        style = _BUTTON.format(colour=colour)
        yield f'<p style="margin:0 0 18px"><a href="{escape(address)}" style="{style}">{words}</a></p>'
    yield _table(facts)
    if facts.failure and facts.failure.cell:
        yield from _cell(facts.failure.cell)
    if address:
        # For those who read the mail as text, which Apprise makes of this page.
        small = "margin:14px 0 0;color:#5b6675;font-size:12px;overflow-wrap:anywhere"
        yield f'<p style="{small}">{escape(address)}</p>'
    if typed := command(facts):
        yield f'<p style="margin:14px 0 0;color:#5b6675">or type <code>{escape(typed)}</code></p>'
    if told := held_back(facts):
        yield f'<p style="margin:14px 0 0">{escape(told)}</p>'
    small = "margin:20px 0 0;padding-top:10px;border-top:1px solid #e1e5ea;color:#7b8794;font-size:12px"
    yield f'<p style="{small}">nbflow message {escape(facts.message)}</p>'


def _table(facts: Facts) -> str:
    lines = (
        f'<tr><th align="left" style="font-weight:400;{_LABEL}">{escape(row.name)}</th>'
        f'<td style="padding:3px 0;overflow-wrap:anywhere">{escape(row.value)}</td></tr>'
        for row in rows(facts)
    )
    body = "\n".join(lines)
    return f'<table role="presentation" style="border-collapse:collapse;font-size:14px">\n{body}\n</table>'


def _cell(cell: FailedCell) -> Iterator[str]:
    heading = "margin:20px 0 6px;font-size:14px"
    yield f'<h2 style="{heading}">{cell_title(cell)}</h2>'
    yield f'<pre style="{_CODE.format(ground="#f8f9fb")}">{escape(cell.source)}</pre>'
    if cell.output:
        yield f'<h2 style="{heading}">Output, the last lines{left_out(cell)}</h2>'
        yield f'<pre style="{_CODE.format(ground="#fdf6f5")}">{escape(chr(10).join(cell.output))}</pre>'
