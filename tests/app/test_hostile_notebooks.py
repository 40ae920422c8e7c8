"""A notebook that means harm, in a real browser: nothing of it runs in the app's origin, nothing leaves its frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import bokeh
import pytest
from bokeh.embed.notebook import notebook_content
from bokeh.plotting import figure
from cli_world import executed, ran
from hostile import PIECES, RUN, everywhere
from nbformat.v4 import new_output
from playwright.sync_api import Browser, Page, Route

from nbflow.notebooks.render import Libraries, Links, folded, fragments, frame_page, frame_policy, stylesheet

APP = "http://app.invalid"
STATIC = Path(bokeh.__file__).parent / "server" / "static" / "js"
LINKS = Links(whole=lambda key, place: f"/whole/{key}/{place}", frame=lambda key, place: f"/frame/{key}/{place}")
Serve = Callable[..., Page]


@pytest.fixture
def serve(chromium: Browser) -> Iterator[Serve]:
    """Opens a page of an app that serves these documents; what it asks of anybody else is kept in `page.asked`."""
    context = chromium.new_context(viewport={"width": 1000, "height": 700})
    context.add_cookies([{"name": "session", "value": "secret", "url": APP}])

    def opened(documents: dict[str, str], headers: dict[str, dict[str, str]] | None = None) -> Page:
        asked: list[str] = []

        def answer(route: Route) -> None:
            path = route.request.url.removeprefix(APP)
            if path in documents:
                kind = "text/javascript" if path.endswith(".js") else "text/html; charset=utf-8"
                more = (headers or {}).get(path, {})
                route.fulfill(body=documents[path], headers={"content-type": kind, **more})
            else:
                asked.append(route.request.url)
                route.abort()

        context.route("**/*", answer)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("dialog", lambda dialog: (asked.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        context.on("page", lambda other: asked.append(f"window: {other.url}"))
        page.goto(f"{APP}/")
        page.asked = asked  # type: ignore[attr-defined]
        return page

    yield opened
    context.close()


def document(body: str) -> str:
    """A page of the app without a policy: the cleaning alone must do."""
    kept = "<script>window.heard = []; addEventListener('message', event => heard.push(event.data))</script>"
    return (
        f"<!doctype html><html><head>{kept}<style>{stylesheet()}</style></head><body><main>{body}</main></body></html>"
    )


def test_nothing_runs_or_loads_in_the_origin_of_the_app(serve: Serve) -> None:
    bodies = [folded(fragments(executed(*everywhere(piece)), LINKS), None) for piece in PIECES]
    page = serve({"/": document("".join(f"<article>{body}</article>" for body in bodies))})
    assert page.locator("article").count() == len(PIECES), "a piece broke out of its place"
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    page.evaluate("document.querySelectorAll('main *').forEach(each => each.focus?.())")
    page.mouse.move(300, 300)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("[window.pwned ?? null, heard]") == [None, []]
    assert page.asked == []  # type: ignore[attr-defined]
    assert page.url == f"{APP}/"
    active = """[...document.querySelectorAll('main *')].filter(each =>
      each.matches('script,style,iframe,form,svg,object') ||
      [...each.attributes].some(({name}) => name.startsWith('on'))).length"""
    assert page.evaluate(active) == 0


PROBE = """
const out = (name, is) => parent.postMessage({name, is: String(is)}, '*')
const tell = async (name, act) => {
  try { out(name, await act()) } catch { out(name, 'refused') }
}
tell('cookie', () => document.cookie)
tell('storage', () => localStorage.length)
tell('parent', () => parent.document.title)
tell('fetch', () => fetch('http://app.invalid/api').then(() => 'reached'))
tell('away', () => fetch('http://canary.invalid/').then(() => 'reached'))
tell('beacon', () => { new Image().src = 'http://canary.invalid/x.png' })
tell('socket', () => new Promise((good, bad) => {
  const socket = new WebSocket('ws://app.invalid/ws')
  socket.onopen = good
  socket.onerror = bad
}))
tell('window', () => open('http://canary.invalid/') ? 'opened' : 'refused')
tell('top', () => { top.location = 'http://canary.invalid/' })
tell('form', () => {
  const form = document.createElement('form')
  form.action = 'http://canary.invalid/'
  document.body.append(form)
  form.submit()
})
tell('modal', () => { alert(1); return 'done' })
"""
NAMES = {"cookie", "storage", "parent", "fetch", "away", "beacon", "socket", "window", "top", "form", "modal"}


def framed(*pages: str) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """A page of the app with these pages in frames, and the headers that go with them."""
    paths = [f"/frame/c1/{place}" for place in range(len(pages))]
    frames = "".join(
        f'<iframe sandbox="allow-scripts" src="{path}" width="600" height="400"></iframe>' for path in paths
    )
    headers = {path: {"content-security-policy": frame_policy(APP)} for path in paths}
    return {"/": document(frames), **dict(zip(paths, pages, strict=True))}, headers


def test_a_frame_reaches_nobody(serve: Serve) -> None:
    hostile = new_output("display_data", data={"text/html": f"<script>{PROBE}</script>", "text/plain": "x"})
    page = serve(*framed(frame_page([hostile], 0, Libraries())))
    page.wait_for_function(f"heard.filter(each => each.name).length >= {len(NAMES)}")
    page.wait_for_load_state("networkidle")
    said = {each["name"]: each["is"] for each in page.evaluate("heard.filter(each => each.name)")}
    assert said.keys() == NAMES
    refused = {"cookie", "storage", "parent", "fetch", "away", "socket", "window", "top"}
    assert {name: said[name] for name in refused} == dict.fromkeys(refused, "refused")
    assert page.asked == []  # type: ignore[attr-defined]
    assert page.url == f"{APP}/"


def test_what_runs_in_frames_stays_in_them(serve: Serve) -> None:
    outputs = [new_output("display_data", data={"text/html": piece}) for piece in PIECES if RUN in piece][:12]
    page = serve(*framed(*(frame_page(outputs, place, Libraries()) for place in range(len(outputs)))))
    page.wait_for_function("heard.includes('pwned') && heard.some(each => each.nbx === 'height')")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.pwned ?? null") is None
    assert page.asked == []  # type: ignore[attr-defined]


def test_a_bokeh_plot_of_a_notebook_is_drawn_in_its_frame(serve: Serve) -> None:
    plot = figure(width=300, height=200, title="orders")
    plot.line([1, 2, 3], [1, 3, 2])
    script, element, _ = notebook_content(plot)
    data = {"application/javascript": script, "application/vnd.bokehjs_exec.v0+json": ""}
    outputs = [new_output("display_data", data={"text/html": element}), new_output("display_data", data=data)]
    (fragment,) = fragments(executed(ran("show(plot)", *outputs)), LINKS)
    assert 'data-frame="/frame/c1/1"' in fragment.html
    documents, headers = framed("", frame_page(outputs, 1, Libraries(bokeh=(f"{APP}/bokeh.js",))))
    page = serve({**documents, "/bokeh.js": (STATIC / "bokeh.min.js").read_text(encoding="utf-8")}, headers)
    canvas = page.frame_locator("iframe >> nth=1").locator("canvas").first
    canvas.wait_for(state="attached")
    page.wait_for_function("heard.some(each => each.nbx === 'height' && each.height > 150)")
    assert page.asked == []  # type: ignore[attr-defined]


def test_a_frame_tells_how_high_its_content_is_and_not_how_high_it_is_itself(serve: Serve) -> None:
    outputs = [
        new_output("display_data", data={"text/html": "<p style='height:40px;margin:5px 0'>small<script></script>"})
    ]
    page = serve(*framed(frame_page(outputs, 0, Libraries())))
    page.wait_for_function("heard.some(each => each.nbx === 'height' && each.height === 50)")
