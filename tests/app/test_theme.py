"""Every state has a look that people can tell from the others, whatever their eyes and their screen."""

from __future__ import annotations

from itertools import combinations
from xml.etree import ElementTree

import pytest
from nbflow_app import theme
from seeing import EYES, contrast, distance
from tags import Tags

from nbflow.states import AttemptState, RunState, TaskState

SCREENS = ("light", "dark")
MAIN = [state for state in TaskState if state not in {TaskState.WAITING, TaskState.SKIPPED}]
"""The states that a person looks for; the two grey ones stand back."""


@pytest.mark.parametrize("states", [RunState, TaskState, AttemptState])
def test_every_state_has_a_look_a_label_and_a_sentence(states: type) -> None:
    for state in states:
        assert theme.look_of(state).icon.path
        assert theme.label_of(state).replace(" ", "_") == state
        assert theme.sentence_of(state).endswith(".")


def test_each_word_of_a_sentence_is_that_of_its_own_kind() -> None:
    assert theme.sentence_of(RunState.QUEUED) != theme.sentence_of(TaskState.QUEUED)


def test_a_lost_attempt_looks_failed() -> None:
    assert theme.look_of(AttemptState.LOST) == theme.look_of(AttemptState.FAILED)


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("eye", EYES)
def test_main_states_keep_apart_for_every_eye(eye: str, screen: str) -> None:
    near = min(
        (distance(_line(one, screen), _line(other, screen), eye), one, other) for one, other in combinations(MAIN, 2)
    )
    assert near[0] >= 16, near


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("state", TaskState)
def test_lines_stand_out_from_the_paper_and_text_from_every_surface(state: TaskState, screen: str) -> None:
    fill = getattr(theme.look_of(state).fill, screen)
    assert contrast(_line(state, screen), getattr(theme.PAPER, screen)) >= 4.7
    assert contrast(_line(state, screen), fill) >= 3, "WCAG 1.4.11: a graphic against what it lies on"
    assert contrast(getattr(theme.TEXT, screen), fill) >= 7


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize(
    ("front", "back"),
    [
        (theme.TEXT, theme.PAPER),
        (theme.DIM, theme.PAPER),
        (theme.DIM, theme.RAISED),
        (theme.ACCENT, theme.PAPER),
        (theme.ACCENT, theme.RAISED),
        (theme.ON_ACCENT, theme.ACCENT),
    ],
)
def test_text_can_be_read(front: theme.Shade, back: theme.Shade, screen: str) -> None:
    assert contrast(getattr(front, screen), getattr(back, screen)) >= 4.5


def test_nothing_is_told_by_colour_alone() -> None:
    icons = [theme.look_of(state).icon for state in TaskState]
    assert len(set(icons)) == len(icons)


def test_an_icon_is_an_image_without_words() -> None:
    svg = ElementTree.fromstring(theme.icon_svg(theme.PENCIL))
    assert svg.get("aria-hidden") == "true"
    assert svg[0].get("d") == theme.PENCIL.path


def test_a_badge_says_its_state_and_who_set_it() -> None:
    badge = theme.badge(TaskState.UPSTREAM_FAILED, set_by='<b>"ana"')
    tags = Tags(badge)
    assert tags.words == ["upstream failed", ", set by hand"]
    assert tags.values("title") == ['set by <b>"ana"']
    assert tags.of("b") == []


def test_the_stylesheet_has_every_colour_and_asks_nobody_for_anything() -> None:
    css = theme.stylesheet()
    for state in TaskState:
        line = theme.look_of(state).line
        assert f"--nb-{state}:light-dark({line.light},{line.dark});" in css
    assert "url(" not in css
    assert "@import" not in css
    assert css.count("{") == css.count("}")


def _line(state: TaskState, screen: str) -> str:
    return str(getattr(theme.look_of(state).line, screen))
