"""The app on a port of its own, in a thread of the test's process; and a browser's side of it without a browser."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
from app_world import World
from making import PATIENCE, free_port
from nbflow_app.entry import Entry, LinkEntry
from nbflow_app.frame import Frame
from nbflow_app.handlers import Site
from nbflow_app.serve import App, Place
from playwright.sync_api import Browser, Page
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from nbflow.api import Api, Caller, Role

HTML = {"Accept": "text/html"}


class Running:
    """A served world. `client` has signed in by the link."""

    def __init__(
        self, world: World, url: str | None = None, role: Role = Role.ADMIN, entry: Entry | None = None
    ) -> None:
        self.world, self.port = world, free_port()
        self.place = Place(port=self.port, url=url)
        self.app: App
        self.entry = LinkEntry(b"k" * 32, Caller(name="ada", role=role), self.port)
        self.used: Entry = entry or self.entry
        self.base = f"http://127.0.0.1:{self.port}{self.place.prefix}"

    def api(self, caller: Caller) -> Api:
        return self.world.api(caller.role, caller.name)

    def stranger(self) -> httpx.Client:
        return httpx.Client(base_url=self.base, headers=HTML)

    def client(self) -> httpx.Client:
        cookies = {self.entry.cookie: self.entry.cookie_value}
        return httpx.Client(base_url=self.base, headers=HTML, cookies=cookies)

    def socket(self, path: str, headers: Mapping[str, str] = {}, **about: Any) -> Awaitable[WebSocketClientConnection]:
        """A page's connection for this path; it has signed in by the link, where `headers` say nothing else."""
        own = {"Cookie": f"{self.entry.cookie}={self.entry.cookie_value}", "Origin": f"http://127.0.0.1:{self.port}"}
        address = f"ws://127.0.0.1:{self.port}{path}"
        return websocket_connect(HTTPRequest(address, headers={**own, **headers}), **about)


@contextmanager
def served(world: World, **about: Any) -> Iterator[Running]:
    """The app, answering; stopped as by SIGTERM."""
    running = Running(world, **about)
    ready, stop = threading.Event(), Stopper()

    async def serve() -> None:
        site = Site(api=running.api, clock=world.clock, frame=Frame(running.place.prefix))
        app = running.app = App(site, running.used, running.place, secret="s" * 32)
        stop.on = (asyncio.get_running_loop(), asyncio.Event())
        asyncio.get_running_loop().call_soon(ready.set)
        await app.serve(stop.on[1])

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="app")
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield running
    finally:
        stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


@contextmanager
def window(running: Running, browser: Browser, **about: Any) -> Iterator[Page]:
    """A browser that has signed in, and in which nothing may go wrong."""
    usual = {"viewport": {"width": 1440, "height": 900}, "timezone_id": "Europe/Berlin", "base_url": running.base}
    context = browser.new_context(**{**usual, **about})
    context.add_cookies([{"name": running.entry.cookie, "value": running.entry.cookie_value, "url": running.base}])
    page, faults = context.new_page(), list[str]()
    page.set_default_timeout(60_000)
    page.on("console", lambda told: faults.append(told.text) if told.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    assert [fault for fault in faults if "status of 409" not in fault] == [], "an order that is refused is no fault"
    context.close()


class Stopper:
    on: tuple[asyncio.AbstractEventLoop, asyncio.Event]

    def __call__(self) -> None:
        loop, event = self.on
        loop.call_soon_threadsafe(event.set)


def xsrf_of(page: str) -> str:
    """The token of a form."""
    from bs4 import BeautifulSoup

    found = BeautifulSoup(page, "html.parser").find("input", attrs={"name": "_xsrf"})
    assert found is not None
    return str(found["value"])
