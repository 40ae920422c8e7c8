"""An executed notebook in the terminal, as one HTML file and as JSON."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from building import Play
from cli_world import (
    CHAIN,
    FAILED_LOG,
    FAILURE,
    SUCCESS,
    CommandLine,
    display,
    executed,
    played,
    printed,
    raised,
    ran,
    succeeding,
)
from hostile import PIECES, hostile_notebook
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from tags import Tags

from nbflow.cli import logs as log_commands
from nbflow.notebooks.document import BANNER, INJECTED
from nbflow.notebooks.render.page import page
from nbflow.notebooks.render.styles import page_style
from nbflow.notebooks.show import LONGEST_LINE, cell_lines, cells_of, followed_lines, output_lines, shown_cell
from nbflow.notebooks.texts import safe

PIXEL = base64.b64encode(b"\x89PNG" + b"0" * 2996).decode()


@pytest.fixture
def nbflow(nbflow: CommandLine) -> CommandLine:
    nbflow.api.play = played(*FAILURE)
    return nbflow


def shown(output: Any) -> list[str]:
    return [line.plain for line in output_lines(output)]


# --- nbflow logs --------------------------------------------------------------------------------------------------


def test_without_a_task_it_is_the_one_that_failed(nbflow: CommandLine) -> None:
    assert nbflow("logs", "latest").exit_code == 0
    assert nbflow.api.asked("log")["task"] == "clean"


def test_without_a_task_it_is_the_one_that_runs(nbflow: CommandLine) -> None:
    nbflow.api.play = played(succeeding("extract"), lambda play: play.start("clean"))
    nbflow("logs", "latest")
    assert nbflow.api.asked("log")["task"] == "clean"


def test_where_no_task_stands_out_one_is_to_be_named(nbflow: CommandLine) -> None:
    nbflow.api.play = played(*SUCCESS)
    done = nbflow("logs", "latest")
    assert done.exit_code == 2
    assert done.stderr == "error: no task of run r1 failed or runs. Name one: extract, clean and publish.\n"


@pytest.mark.parametrize(
    ("about", "title"),
    [
        ({"state": "failed", "cause": None}, "cell 3 · failed · 0.2 s"),
        ({"state": "failed", "cause": "error"}, "cell 3 · failed · 0.2 s"),
        ({"state": "failed", "cause": "cancelled"}, "cell 3 · cancelled · 0.2 s"),
        ({"state": "failed", "cause": "kernel_died"}, "cell 3 · kernel died · 0.2 s"),
        ({"state": "not_run", "seconds": None}, "cell 3 · not run"),
    ],
)
def test_a_cell_says_what_ended_it(about: dict[str, Any], title: str) -> None:
    cell = new_code_cell("x", metadata={"nbflow": {"cell": 3, "seconds": 0.2, **about}})
    assert shown_cell(cell).title == title


def test_the_failing_cell_comes_first(nbflow: CommandLine) -> None:
    done = nbflow("logs", "latest", "clean")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "✕ failed  clean, attempt 1 of run r1, 4.0 s",
        "  ValueError: bad country",
        "",
        "── cell 3 · failed · 0.2 s",
        "check(orders)",
        "",
        "Traceback",
        "cell 3, line 1",
        "ValueError: bad country",
        "",
        "The whole log",
        "",
        "── cell 1",
        "# Clean the orders",
        "",
        "── cell 2 · success · 0.2 s",
        "orders = load()",
        "",
        "12 orders",
        "",
        "── cell 3 · failed · 0.2 s: above",
        "",
        "── cell 4 · not run",
        "notebook  /project/.nbflow/runs/nightly/r1/clean/1/notebook.ipynb",
    ]


def test_an_attempt_can_be_chosen(nbflow: CommandLine) -> None:
    nbflow("logs", "latest", "clean", "--attempt", "2")
    assert nbflow.api.asked("log") == {"ref": "r1", "task": "clean", "number": 2}


def test_a_long_output_is_cut_in_the_middle(nbflow: CommandLine) -> None:
    nbflow.api.play = played(succeeding("extract"))
    nbflow.api.notebook = executed(ran("print()", printed("\n".join(f"line {at}" for at in range(10_000)))))
    lines = nbflow("logs", "latest", "extract").stdout.splitlines()
    assert "… 9,960 lines left out …" in lines
    assert "line 19" in lines
    assert "line 20" not in lines
    assert "line 9999" in lines


def test_the_log_as_json(nbflow: CommandLine) -> None:
    document = json.loads(nbflow("logs", "latest", "clean", "--json").stdout)
    assert (document["run"], document["task"], document["attempt"]["failing_cell"]) == ("r1", "clean", 3)
    assert document["cells"][1] == {
        "number": 2,
        "type": "code",
        "state": "success",
        "seconds": 0.2,
        "source": "orders = load()",
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "12 orders\n"}],
    }


def test_the_log_as_html(nbflow: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "log.html"
    done = nbflow("logs", "latest", "clean", "--html", str(path))
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", f"written to {path}\n")
    text = path.read_text()
    assert "<title>nightly / clean</title>" in text
    assert '<a href="#c3">' in text
    assert 'id="c3"' in text
    assert "ValueError: bad country" in text


def test_html_that_cannot_be_written(nbflow: CommandLine, tmp_path: Path) -> None:
    done = nbflow("logs", "latest", "clean", "--html", str(tmp_path / "missing" / "log.html"))
    assert done.exit_code == 2
    assert "cannot write" in done.stderr


def test_the_ways_to_show_a_log_exclude_each_other(nbflow: CommandLine) -> None:
    assert nbflow("logs", "latest", "clean", "--follow", "--json").exit_code == 2
    assert nbflow("logs", "latest", "clean", "--follow", "--attempt", "1").exit_code == 2
    assert nbflow.api.calls == []


def test_follow_prints_what_is_added_until_the_task_has_ended(
    nbflow: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbflow.api.play = played(succeeding("extract"))
    nbflow.api.play.start("clean")
    growing = [
        executed(ran("a()", printed("1\n"), state="running"), ran("b()", state="not_run")),
        executed(ran("a()", printed("1\n2\n")), ran("b()", printed("3\n"), state="running")),
    ]
    nbflow.api.notebook = growing[0]

    def later(seconds: float) -> None:
        if nbflow.api.notebook is growing[0]:
            nbflow.api.notebook = growing[1]
        else:
            nbflow.api.play.end("clean")

    monkeypatch.setattr(log_commands.time, "sleep", later)
    lines = nbflow("logs", "latest", "clean", "--follow").stdout.splitlines()
    assert lines[1:] == [
        "",
        "── cell 1",
        "a()",
        "",
        "1",
        "2",
        "",
        "── cell 2",
        "b()",
        "",
        "3",
        "",
        "✓ success  clean, attempt 1 of run r1, 0.0 s",
        "",
    ]
    assert lines[0].startswith("▶ running  clean, attempt 1 of run r1")


# --- cells --------------------------------------------------------------------------------------------------------


def test_numbers_are_those_of_the_source() -> None:
    notebook = executed(new_markdown_cell("# Title"), ran("x = 1"))
    injected = new_code_cell("x = 2", metadata={"tags": [INJECTED], "nbflow": {"cell": None, "state": "success"}})
    banner = new_markdown_cell("**failed**", metadata={"tags": [BANNER]})
    notebook.cells = [banner, notebook.cells[0], injected, notebook.cells[1]]
    assert [cell.title for cell in cells_of(notebook)] == [
        "cell 1",
        "parameters of this run · success",
        "cell 2 · success · 0.2 s",
    ]


def test_of_a_cell_that_was_not_run_there_is_only_its_title() -> None:
    (cell,) = cells_of(executed(ran("never()", state="not_run", seconds=None)))
    assert [line.plain for line in cell_lines(cell, "python")] == ["── cell 1 · not run"]


def test_a_language_that_nobody_colours_is_shown_plainly() -> None:
    (cell,) = cells_of(executed(ran("(+ 1 2)"), language="klingon"))
    assert cell_lines(cell, "klingon")[1].plain == "(+ 1 2)"


def test_followed_lines_only_grow() -> None:
    first = executed(new_markdown_cell("# A"), ran("a()", printed("1\n"), state="running"), ran("b()", state="not_run"))
    then = executed(new_markdown_cell("# A"), ran("a()", printed("1\n2\n")), ran("b()", printed("3\n")))
    before, after = ([line.plain for line in followed_lines(each)] for each in (first, then))
    assert before == ["── cell 1", "# A", "", "── cell 2", "a()", "", "1"]
    assert after[: len(before)] == before


# --- outputs ------------------------------------------------------------------------------------------------------


def test_an_image_is_named_by_type_and_size() -> None:
    assert shown(display(image_png=PIXEL, text_plain="<Figure>")) == [
        "[image/png, 3 kB; to see it: nbflow logs --html]"
    ]
    assert shown(display(**{"image/svg+xml": "<svg/>"})) == ["[image/svg+xml, 6 bytes; to see it: nbflow logs --html]"]


def test_a_table_is_shown_as_its_text() -> None:
    assert shown(display(text_html="<table/>", text_plain="   a\n0  1")) == ["   a", "0  1"]


def test_what_has_no_text_is_named_by_its_types() -> None:
    assert shown(display(**{"application/x-unknown": "?"})) == ["[application/x-unknown]"]


def test_an_error_without_a_traceback_still_says_what_it_was() -> None:
    assert shown(new_output("error", ename="KeyError", evalue="'x'", traceback=[])) == ["KeyError: 'x'"]


def test_a_progress_bar_shows_its_last_state() -> None:
    assert shown(printed(" 10%\r 50%\r100%\ndone\r\n")) == ["100%", "done"]


def test_a_line_without_end_is_cut() -> None:
    (line,) = shown(printed("x" * 1_000_000))
    assert line == "x" * LONGEST_LINE + f" … {1_000_000 - LONGEST_LINE:,} characters more"


def test_colours_are_kept_and_nothing_else_reaches_the_terminal() -> None:
    (line,) = output_lines(printed("\x1b[31mred\x1b[0m\x1b[2J\x1b]0;title\x07\x1b[1;1Hhome\x9b31m\x07\x00!"))
    assert line.plain == "redhome!"
    assert [str(span.style) for span in line.spans] == ["color(1)"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("\x1b[1;31mx\x1b[0m", "\x1b[1;31mx\x1b[0m"),
        ("\x1b[?25l\x1b[10Ax", "x"),
        ("\x1b]52;c;aGk=\x1b\\x", "x"),
        ("\x1bc\x1b", ""),
        ("\x08\x0b\x0c\x7f\x85", ""),
    ],
)
def test_safe(text: str, kept: str) -> None:
    assert safe(text) == kept


# --- the page -----------------------------------------------------------------------------------------------------


def rendered(*cells: Any, failing_cell: int | None = None) -> Tags:
    return Tags(page(executed(*cells), title="a < b", state="failed", facts={"why": "<i>"}, failing_cell=failing_cell))


def test_no_part_of_the_page_is_active() -> None:
    facts = dict.fromkeys(("reason", PIECES[0]), PIECES[1])
    tags = Tags(page(hostile_notebook(), title=PIECES[0], state=PIECES[1], facts=facts, failing_cell=3))
    for tag, attributes in tags.tags:
        assert tag not in {"script", "iframe", "form", "object", "embed", "link", "base", "svg", "math", "video"}
        assert not [name for name in attributes if name.startswith("on") or name in {"srcset", "background"}]
        assert (attributes.get("src") or "data:image/").startswith("data:image/")
        assert (attributes.get("href") or "#").startswith(("#", "http://", "https://", "mailto:"))
    assert [tag for tag, _ in tags.tags].count("style") == 1


def test_the_policy_of_the_page_forbids_scripts_and_requests() -> None:
    (policy,) = (
        each["content"] for tag, each in rendered().tags if each.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "script" not in policy


def test_what_stands_above_the_failing_cell_is_folded() -> None:
    tags = rendered(ran("x"), ran("y", raised("E", "e"), state="failed"), failing_cell=2)
    assert "Go to the failing cell" in tags.text
    assert [each["id"] for tag, each in tags.tags if tag == "section"] == ["c1", "c2"]
    assert [tag for tag, _ in tags.tags].count("details") == 1


def test_title_and_facts_are_text() -> None:
    tags = rendered()
    assert "a < b" in tags.text
    assert "<i>" in tags.text
    assert not [tag for tag, _ in tags.tags if tag == "i"]


def test_the_notebook_itself_is_not_changed() -> None:
    before = json.dumps(FAILED_LOG)
    page(FAILED_LOG, title="x", state="failed", facts={}, failing_cell=3)
    assert json.dumps(FAILED_LOG) == before


def test_a_log_that_still_grows_has_no_failing_cell(nbflow: CommandLine, tmp_path: Path) -> None:
    nbflow.api.play = Play(CHAIN)
    nbflow.api.play.start("extract")
    nbflow.api.notebook = executed(ran("x", state="running", seconds=None))
    path = tmp_path / "log.html"
    assert nbflow("logs", "latest", "extract", "--html", str(path)).exit_code == 0
    assert "Go to the failing cell" not in path.read_text()


def test_the_colours_of_code_bring_no_ground_of_their_own() -> None:
    rules = [rule for rule in page_style().split("}") if ".nbx-hl-" in rule]
    assert rules
    assert not [rule for rule in rules if "background" in rule]
