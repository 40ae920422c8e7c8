"""How states look: colour, icon and label of each, for light and dark screens. Pure; legend and views read it.

The colours keep apart for people who see no red or no green, and nothing is told by colour alone: each state has an
icon of its own. Icons are paths on a 16 × 16 grid, because fonts lack some of the glyphs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files

from nbflow.states import (
    ATTEMPT_SENTENCES,
    RUN_SENTENCES,
    TASK_SENTENCES,
    AttemptState,
    RunState,
    TaskState,
    in_words,
)

State = RunState | TaskState | AttemptState


@dataclass(frozen=True, slots=True)
class Shade:
    """A colour as `#RRGGBB`, on light and on dark screens."""

    light: str
    dark: str


@dataclass(frozen=True, slots=True)
class Icon:
    """An SVG path on a 16 × 16 grid: an outline, which is also filled where `is_solid`."""

    path: str
    is_solid: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """`line` for icons, borders and bars; `fill` for surfaces that carry text."""

    line: Shade
    fill: Shade
    icon: Icon


PAPER = Shade("#FFFFFF", "#14171C")
RAISED = Shade("#F6F8FA", "#1C2129")
EDGE = Shade("#D5DBE3", "#37404D")
ARROW = Shade("#8A95A5", "#66717F")
TEXT = Shade("#1B2430", "#E6E9EE")
DIM = Shade("#586474", "#A3ADBA")
ACCENT = Shade("#0B5CAD", "#8AB8FF")
ON_ACCENT = Shade("#FFFFFF", "#0D1A2B")
HEADER = Shade("#12304F", "#0D1117")

_LOOKS: dict[str, Look] = {
    TaskState.QUEUED: Look(
        Shade("#7F7418", "#E8CB3A"),
        Shade("#F6F2DA", "#38320F"),
        Icon("M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 1 1 0-11Z M8 4.8V8.2L10.6 9.7"),
    ),
    TaskState.RUNNING: Look(
        Shade("#0B6BC4", "#A9C4FF"),
        Shade("#DCEBFA", "#1B2D4D"),
        Icon("M5 3.6 12.4 8 5 12.4Z", is_solid=True),
    ),
    TaskState.SUCCESS: Look(
        Shade("#117A65", "#5FE3CB"),
        Shade("#DCF2EC", "#0E352E"),
        Icon("M3.2 8.6 6.4 11.8 12.8 4.6"),
    ),
    TaskState.FAILED: Look(
        Shade("#8C1505", "#E3705A"),
        Shade("#FBDDD6", "#4A1D15"),
        Icon("M4.2 4.2 11.8 11.8 M11.8 4.2 4.2 11.8"),
    ),
    TaskState.UPSTREAM_FAILED: Look(
        Shade("#6A1B5E", "#C873AB"),
        Shade("#F1E1EE", "#3F1D36"),
        Icon("M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 1 1 0-11Z M4.1 11.9 11.9 4.1"),
    ),
    TaskState.RETRY_WAIT: Look(
        Shade("#43119E", "#9470EC"),
        Shade("#E6DFF7", "#2A1C4D"),
        Icon("M13 8a5 5 0 1 1-1.6-3.7L13 5.8 M13 2.4V5.8H9.6"),
    ),
    TaskState.WAITING: Look(
        Shade("#667085", "#98A2B3"),
        Shade("#F2F4F7", "#23272F"),
        Icon("M8 3.4a4.6 4.6 0 1 1 0 9.2a4.6 4.6 0 1 1 0-9.2Z"),
    ),
    TaskState.SKIPPED: Look(
        Shade("#5F5F5F", "#A8A8A8"),
        Shade("#EDEDED", "#2B2B2B"),
        Icon("M2.4 11.2C2.8 4.4 11 3.2 12.4 9.6 M14.2 6.4 12.5 10.2 8.8 8.4"),
    ),
    TaskState.CANCELLED: Look(
        Shade("#3A2A20", "#CCB490"),
        Shade("#EEE8E1", "#332C20"),
        Icon("M4 4H12V12H4Z", is_solid=True),
    ),
}
_LOOKS[AttemptState.LOST] = _LOOKS[AttemptState.FAILED]  # lost is a way to fail; its cause says which

PENCIL = Icon("M2.8 13.2 3.6 10.2 10.6 3.2 12.8 5.4 5.8 12.4Z M9 4.8 11.2 7")
"""Beside the icon of a state that an operator set by hand."""

NOTEBOOK = Icon("M4.5 2.5H12.8V13.5H4.5Z M7 2.5V13.5 M3.2 5.2H4.5 M3.2 8H4.5 M3.2 10.8H4.5")
"""In the place of a state where a task has none."""


def look_of(state: State) -> Look:
    return _LOOKS[state]


def label_of(state: State) -> str:
    """`upstream failed`: the word of database, CLI and REST, for people."""
    return in_words(state)


def sentence_of(state: State) -> str:
    """What the word means, for legends and tooltips."""
    match state:
        case RunState():
            return RUN_SENTENCES[state]
        case TaskState():
            return TASK_SENTENCES[state]
        case AttemptState():
            return ATTEMPT_SENTENCES[state]


def icon_svg(icon: Icon) -> str:
    """The icon as an inline SVG in the colour of the text; hidden from screen readers, for words stand beside it."""
    fill = "currentColor" if icon.is_solid else "none"
    return (
        f'<svg class="nb-icon" viewBox="0 0 16 16" aria-hidden="true" fill="{fill}" stroke="currentColor">'
        f'<path d="{icon.path}"/></svg>'
    )


def badge(state: State, *, set_by: str | None = None) -> str:
    """A state as icon and word, in HTML; with a pencil where `set_by` set it by hand."""
    pencil, title = "", sentence_of(state)
    if set_by is not None:
        title = f"set by {set_by}"
        pencil = f'{icon_svg(PENCIL)}<span class="nb-unseen">, set by hand</span>'
    return (
        f'<span class="nb-badge nb-{state}" title="{escape(title)}">{icon_svg(look_of(state).icon)}'
        f"{escape(label_of(state))}{pencil}</span>"
    )


def legend(states: type[RunState] | type[TaskState] | type[AttemptState]) -> str:
    """Every state of a kind with what it means, as an HTML list."""
    rows = (f"<dt>{badge(state)}</dt><dd>{escape(sentence_of(state))}</dd>" for state in states)
    return f'<dl class="nb-legend">{"".join(rows)}</dl>'


@cache
def stylesheet() -> str:
    """The whole CSS of the app: the colours of this module as variables, then `static/nbflow.css`.

    Views read `--nb-text`, `--nb-failed`, `--nb-failed-fill` and so on; an element of class `nb-failed` has the two of
    its state as `--nb-state` and `--nb-state-fill`. `data-theme="light"` or `"dark"` on the root overrules the system.
    """
    shades = {"paper": PAPER, "raised": RAISED, "edge": EDGE, "arrow": ARROW, "text": TEXT, "dim": DIM}
    shades |= {"accent": ACCENT, "on-accent": ON_ACCENT, "header": HEADER}
    for state, look in _LOOKS.items():
        shades |= {state: look.line, f"{state}-fill": look.fill}
    variables = "".join(f"--nb-{name}:light-dark({each.light},{each.dark});" for name, each in shades.items())
    states = "".join(
        f".nb-{state}{{--nb-state:var(--nb-{state});--nb-state-fill:var(--nb-{state}-fill)}}" for state in _LOOKS
    )
    rules = (files("nbflow_app") / "static" / "nbflow.css").read_text(encoding="utf-8")
    return f":root{{{variables}}}{states}\n{rules}"
