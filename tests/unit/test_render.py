"""An executed notebook as HTML: nothing in it is active, and what is honest is still shown."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from cli_world import FAILED_LOG, display, executed, printed, raised, ran
from hostile import PIECES, everywhere, hostile_notebook
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from tags import Tags

from nbflow.model import AttemptId, RunId, TaskKey, TaskName
from nbflow.notebooks.document import BANNER, INJECTED
from nbflow.notebooks.render import (
    Libraries,
    Links,
    banner_html,
    folded,
    fragments,
    frame_page,
    frame_policy,
    stylesheet,
    whole_output,
)
from nbflow.notebooks.render.cells import MOST_OUTPUTS
from nbflow.notebooks.render.clean import clean
from nbflow.notebooks.render.outputs import LARGEST_HTML, LARGEST_TEXT
from nbflow.notebooks.render.terminal import terminal_html
from nbflow.notebooks.texts import text_of
from nbflow.run import Attempt
from nbflow.states import AttemptState, Cause

LINKS = Links(whole=lambda key, place: f"/whole/{key}/{place}", frame=lambda key, place: f"/frame/{key}/{place}")
PNG = base64.b64encode(b"\x89PNG picture").decode()


def shown(*outputs: Any, links: Links = LINKS) -> Tags:
    (fragment,) = fragments(executed(ran("x", *outputs)), links)
    return Tags(fragment.html)


# --- nothing is active --------------------------------------------------------------------------------------------

TAGS = set(
    re.findall(
        r"\w+",
        "a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5"
        " h6 hr i img kbd li mark ol p pre q s samp section small span strong sub summary sup table tbody td tfoot th"
        " thead tr u ul",
    )
)
ATTRIBUTES = {"align", "alt", "aria-label", "class", "colspan", "data-frame", "height", "href", "id", "rel", "rowspan"}
ATTRIBUTES |= {"scope", "src", "start", "style", "tabindex", "target", "title", "valign", "width"}


def assert_harmless(html: str) -> None:
    for tag, attributes in Tags(html).tags:
        assert tag in TAGS
        assert attributes.keys() <= ATTRIBUTES, tag
        assert (attributes.get("src") or "data:image/").startswith("data:image/")
        assert (attributes.get("href") or "#").startswith(("#", "http://", "https://", "mailto:", "/frame/", "/whole/"))
        assert "url" not in (attributes.get("style") or "")
        assert all(name.startswith("nbx-") for name in (attributes.get("class") or "").split())
        assert attributes.get("id", "c1") in {f"c{at}" for at in range(1, 9)} | {"parameters"}
        assert (
            tag != "a"
            or (attributes.get("href") or "").startswith(("#", "/"))
            or "noopener" in (attributes["rel"] or "")
        )


@pytest.mark.parametrize("piece", PIECES, ids=range(len(PIECES)))
def test_nothing_of_a_notebook_is_active(piece: str) -> None:
    for links in (LINKS, Links()):
        for fragment in fragments(executed(*everywhere(piece), language=piece), links):
            assert_harmless(fragment.html)


def test_metadata_of_somebody_else_is_no_state_and_no_address() -> None:
    for fragment in fragments(hostile_notebook(), LINKS):
        assert Tags(fragment.html).tags[0][1]["id"] == fragment.key
        assert fragment.key == "parameters" or fragment.key[1:].isdigit()


@pytest.mark.parametrize("piece", PIECES, ids=range(len(PIECES)))
def test_what_is_clean_stays_as_it_is(piece: str) -> None:
    once = clean(text_of(piece))
    assert clean(once) == once


def test_what_a_notebook_wrote_as_text_stays_text() -> None:
    tags = shown(printed("<b>not bold</b> & so on"))
    assert "<b>not bold</b> & so on" in tags.text
    assert not tags.of("b")


# --- what is honest is shown --------------------------------------------------------------------------------------

TABLE = (
    "<div><style scoped>.dataframe tbody tr th {vertical-align: top;}</style><table border='1' class='dataframe'>"
    "<thead><tr style='text-align: right;'><th></th><th>a</th></tr></thead>"
    "<tbody><tr><th>0</th><td>1</td></tr></tbody></table></div>"
)


def test_a_pandas_table_is_a_table() -> None:
    tags = shown(display(text_html=TABLE, text_plain="   a\n0  1"))
    assert [len(tags.of(tag)) for tag in ("table", "thead", "th", "td")] == [1, 1, 3, 1]
    assert "vertical-align" not in tags.text
    assert not tags.of("div", "nbx-frame")


def test_a_styled_table_is_shown_plain_until_its_frame_comes() -> None:
    styled = "<style>#T_1 td {background: red}</style><table id='T_1'><tr><td style='color: red'>1</td></tr></table>"
    tags = shown(display(text_html=styled, text_plain="<Styler>"))
    assert tags.of("div", "nbx-frame")[0]["data-frame"] == "/frame/c1/0"
    assert tags.of("td") == [{"style": "color:red"}]
    assert "background" not in tags.text


def test_pictures_are_in_the_page_and_say_what_they_are() -> None:
    tags = shown(display(image_png=PNG[:8] + "\n" + PNG[8:], text_plain="<Figure size 6x3>"))
    (image,) = tags.of("img")
    assert (image["src"], image["alt"]) == (f"data:image/png;base64,{PNG}", "<Figure size 6x3>")


def test_an_svg_is_a_picture_and_no_markup() -> None:
    svg = "<svg xmlns='http://www.w3.org/2000/svg'><circle r='4'/></svg>"
    (image,) = shown(display(**{"image/svg+xml": svg})).of("img")
    kind, _, data = (image["src"] or "").partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(data).decode() == svg


@pytest.mark.parametrize(
    "data",
    [
        {
            "application/vnd.plotly.v1+json": {"data": []},
            "text/html": "<script>draw()</script>",
            "text/plain": "Figure",
        },
        {"application/vnd.bokehjs_exec.v0+json": "", "application/javascript": "draw()", "text/plain": "Figure"},
        {"text/html": "<div></div><SCRIPT>draw()</SCRIPT>", "text/plain": "Figure"},
        {"text/html": "<iframe src='https://example.org'></iframe>", "text/plain": "Figure"},
        {"application/javascript": "draw()", "text/plain": "Figure"},
    ],
)
def test_what_needs_a_script_is_a_place_for_a_frame_and_its_text(data: dict[str, Any]) -> None:
    tags = shown(new_output("display_data", data=data))
    assert tags.of("div", "nbx-frame")[0]["data-frame"] == "/frame/c1/0"
    assert "draw()" not in tags.text
    assert "Figure" in tags.text or not tags.of("script")
    without = shown(new_output("display_data", data=data), links=Links())
    assert not without.of("div", "nbx-frame")
    assert "the notebook has them" in without.text


def test_the_loading_of_a_library_shows_nothing() -> None:
    data = {
        "application/vnd.bokehjs_load.v0+json": "load()",
        "application/javascript": "load()",
        "text/html": "Loading",
    }
    assert "oad" not in shown(new_output("display_data", data=data)).text


def test_a_live_widget_is_its_text() -> None:
    data = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "IntSlider(value=3)"}
    tags = shown(new_output("display_data", data=data))
    assert "IntSlider(value=3)" in tags.text
    assert not tags.of("div", "nbx-frame")


def test_an_unknown_representation_is_named() -> None:
    assert "[application/vnd.vega.v5+json]" in shown(display(**{"application/vnd.vega.v5+json": {}})).text


def test_markdown_has_its_attachments_and_loses_pictures_from_elsewhere() -> None:
    source = "![plot](attachment:my%20plot.png) ![x](http://example.org/x.png)\n\n| a |\n|---|\n| 1 |"
    cell = new_markdown_cell(source, attachments={"my plot.png": {"image/png": PNG}})
    tags = Tags(fragments(executed(cell))[0].html)
    assert [each.get("src") for each in tags.of("img")] == [f"data:image/png;base64,{PNG}"]
    assert "[no picture: x]" in tags.text
    assert tags.of("table")


def test_pictures_in_html_say_what_they_are_and_leave_no_hole_where_they_may_not_load() -> None:
    html = f"<img src='data:image/png;base64,{PNG}'><img src=/x width=9999 alt='sales & costs'><img>"
    tags = shown(display(text_html=html))
    assert [each.get("alt") for each in tags.of("img")] == ["a picture without a description"]
    assert "[no picture: sales & costs][no picture: a picture without a description]" in tags.text


def test_source_is_coloured_with_classes_of_its_own() -> None:
    tags = Tags(fragments(executed(ran("def f():\n    return 'x'")))[0].html)
    assert "def f():\n    return 'x'" in tags.text
    assert {"nbx-hl-k", "nbx-hl-nf", "nbx-hl-s1"} <= {each["class"] for each in tags.of("span")}


def test_an_unknown_language_is_plain() -> None:
    assert "x <- 1" in Tags(fragments(executed(ran("x <- 1"), language="of another world"))[0].html).text


# --- what is printed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("\x1b[31mred\x1b[0m plain", '<span class="nbx-fg-red">red</span> plain'),
        ("\x1b[1;32mok\x1b[22m\x1b[39m", '<span class="nbx-bold nbx-fg-green">ok</span>'),
        ("\x1b[91;44mx\x1b[49my", '<span class="nbx-fg-red nbx-bg-blue">x</span><span class="nbx-fg-red">y</span>'),
        ("\x1b[38;5;196mx\x1b[m", '<span class="nbx-fg-red">x</span>'),
        ("\x1b[38;5;28mx", '<span class="nbx-fg-green">x</span>'),
        ("\x1b[38;2;30;80;220mx", '<span class="nbx-fg-blue">x</span>'),
        ("\x1b[38;5;241mgrey", "grey"),
        ("\x1b[38;5m\x1b[38m\x1b[48;2mx", "x"),
        ("\x1b[;;mx\x1b[999mx", "xx"),
        ("\x1b[31m<b>&\x1b[0m", '<span class="nbx-fg-red">&lt;b&gt;&amp;</span>'),
        (" 10%\r 50%\r100%\r\ndone", "100%\ndone"),
        ("\x1b[2J\x1b[1;1H\x1b]0;title\x07x\x00\x08", "x"),
    ],
)
def test_colours_of_a_terminal(text: str, html: str) -> None:
    assert terminal_html(text) == html


def test_a_large_output_keeps_its_beginning_and_its_end() -> None:
    text = "first\n" + "x" * 1_000_000 + "\nlast"
    tags = shown(printed(text))
    assert len(tags.text) < LARGEST_TEXT + 500
    assert "first" in tags.text
    assert "last" in tags.text
    assert f"{len(text) - LARGEST_TEXT:,} characters left out" in tags.text
    assert "Large output, 1 MB" in tags.text
    assert tags.of("a")[-1]["href"] == "/whole/c1/0"


def test_a_large_table_keeps_its_beginning() -> None:
    html = f"<table>{''.join(f'<tr><td>row {at}</td></tr>' for at in range(20_000))}</table>"
    tags = shown(display(text_html=html))
    assert "row 0" in tags.text
    assert "row 19999" not in tags.text
    assert len(tags.text) < LARGEST_HTML
    assert tags.of("a")[-1]["href"] == "/whole/c1/0"


def test_a_picture_that_is_too_large_is_a_link() -> None:
    tags = shown(display(image_png="iVBO" * 1_500_000))
    assert not tags.of("img")
    assert tags.of("a")[-1]["href"] == "/whole/c1/0"


def test_too_many_outputs_are_counted() -> None:
    tags = shown(*(display(text_plain=f"output {at}") for at in range(MOST_OUTPUTS + 30)))
    assert f"output {MOST_OUTPUTS - 1}" in tags.text
    assert f"output {MOST_OUTPUTS}" not in tags.text
    assert "30 more outputs" in tags.text


@pytest.mark.parametrize(
    ("output", "kind", "content"),
    [
        (printed("a"), "text/plain; charset=utf-8", b"a"),
        (
            raised("E", "m"),
            "text/plain; charset=utf-8",
            b"\x1b[31mTraceback\x1b[0m\ncell 3, line 1\n\x1b[31mE\x1b[0m: m",
        ),
        (display(image_png=PNG, text_plain="x"), "image/png", b"\x89PNG picture"),
        (display(image_png="~"), "image/png", b""),
        (display(text_html="<script>", text_plain="x"), "text/plain; charset=utf-8", b"<script>"),
        (display(application_x=["1"]), "text/plain; charset=utf-8", b"{'application/x': ['1']}"),
    ],
)
def test_the_whole_output_is_a_file_that_no_browser_runs(output: Any, kind: str, content: bytes) -> None:
    assert whole_output(output) == (kind, content)


# --- cells and page -----------------------------------------------------------------------------------------------


def test_cells_have_their_number_in_the_source_and_their_state() -> None:
    injected = new_code_cell("limit = 3", metadata={"tags": [INJECTED], "nbflow": {"cell": None, "state": "success"}})
    failed, never = ran("x", raised("E", "e"), state="failed"), ran("y", state="not_run", seconds=None)
    notebook = executed(new_markdown_cell("# Title"), failed, never)
    banner = new_markdown_cell("nbflow's", metadata={"tags": [BANNER]})
    notebook.cells = [banner, notebook.cells[0], injected, *notebook.cells[1:]]
    cells = fragments(notebook)
    assert [each.key for each in cells] == ["c1", "parameters", "c2", "c3"]
    sections = [Tags(each.html).tags[0][1] for each in cells]
    assert [each["id"] for each in sections] == ["c1", "parameters", "c2", "c3"]
    assert [(each["class"] or "").removeprefix("nbx-cell nbx-") for each in sections] == [
        "markdown",
        "code nbx-success nbx-injected",
        "code nbx-failed",
        "code nbx-not_run",
    ]
    assert sections[3]["aria-label"] == "cell 3 · not run"
    assert "parameters of this run" in Tags(cells[1].html).text


def test_what_stands_above_the_failing_cell_is_folded() -> None:
    cells = fragments(FAILED_LOG)
    html = folded(cells, "c3")
    tags = Tags(html)
    assert [tag for tag, _ in tags.tags].index("details") == 0
    assert html.index("</details>") < html.index('id="c3"')
    assert "2 cells before it, 0.2 s" in tags.text
    assert not Tags(folded(cells, None)).of("details")
    assert not Tags(folded(cells, "c1")).of("details")


def test_a_change_in_one_cell_changes_one_fragment() -> None:
    notebook = executed(ran("x", printed("1\n")), ran("y", state="running"))
    before = fragments(notebook)
    notebook.cells[1].outputs = [printed("2\n")]
    after = fragments(notebook)
    assert [a.html == b.html for a, b in zip(before, after, strict=True)] == [True, False]


def attempt(state: AttemptState, **about: Any) -> Attempt:
    key = TaskKey(TaskName("clean"))
    ids = {"id": AttemptId("r/clean/1"), "run": RunId("r"), "key": key, "number": 1, "token": "t", "notebook": "h"}
    return Attempt(state=state, created_at=None, **ids, **about)  # type: ignore[arg-type]


def test_the_banner_says_the_cause_as_text_and_leads_to_the_cell() -> None:
    failed = attempt(AttemptState.FAILED, cause=Cause.ERROR, reason="KeyError: <b>", failing_cell=4)
    tags = Tags(banner_html(failed))
    assert "failed: KeyError: <b>" in tags.text
    assert tags.of("a") == [{"href": "#c4"}]
    assert "The process that ran the notebook is gone." in banner_html(attempt(AttemptState.LOST, cause=Cause.LOST))
    assert banner_html(attempt(AttemptState.RUNNING)) == banner_html(attempt(AttemptState.SUCCESS)) == ""


# --- frames -------------------------------------------------------------------------------------------------------

LIBRARIES = Libraries(plotly=("/static/plotly.js",), bokeh=("/static/bokeh.js", "/static/more.js"))


def sources(html: str) -> list[str | None]:
    return [each["src"] for each in Tags(html).of("script") if "src" in each]


def test_a_frame_draws_a_plotly_figure_with_the_librarys_own_script() -> None:
    figure = {"data": [{"y": [1, "</script><script>alert(1)</script>"]}], "layout": {"title": "<!--"}}
    html = frame_page([new_output("display_data", data={"application/vnd.plotly.v1+json": figure})], 0, LIBRARIES)
    assert sources(html) == ["/static/plotly.js"]
    assert len(Tags(html).of("script")) == 3
    assert json.dumps(figure["data"])[:12] in html


def test_a_frame_without_the_library_shows_what_the_notebook_brought() -> None:
    data = {"application/vnd.plotly.v1+json": {}, "text/html": "<div id=x></div><script>draw()</script>"}
    html = frame_page([new_output("display_data", data=data)], 0, Libraries())
    assert sources(html) == []
    assert "draw()" in html


def test_a_frame_runs_the_script_of_a_bokeh_plot_behind_its_element() -> None:
    data = {"application/vnd.bokehjs_exec.v0+json": "", "application/javascript": "embed('</script>')"}
    outputs = [display(text_html="<div id=p></div>"), printed("x"), new_output("display_data", data=data)]
    html = frame_page(outputs, 2, LIBRARIES)
    assert sources(html) == list(LIBRARIES.bokeh)
    assert html.index("<div id=p>") < html.index("embed('<\\/script>')")


def test_a_frame_may_reach_nobody() -> None:
    policy = dict(each.strip().split(" ", 1) for each in frame_policy("http://localhost:5006").split(";"))
    assert policy["sandbox"] == "allow-scripts"
    assert policy["default-src"] == policy["connect-src"] == policy["form-action"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == "'unsafe-inline' 'unsafe-eval' http://localhost:5006"
    assert policy["frame-ancestors"] == "'self'"


def test_the_style_sheet_has_only_classes_of_its_own_and_asks_nobody_for_anything() -> None:
    css = stylesheet()
    assert "url(" not in css
    assert "@import" not in css
    selectors = [part.partition("{")[0] for part in css.split("}")]
    assert all(".nbx-" in each or not each.strip() or each.strip().startswith("/*") for each in selectors)
