"""The app's server: Panel's own Tornado server on one port, with our pages, the REST API, and the gate before all.

The only module of the app that knows how everything is put together.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from tornado.web import StaticFileHandler

from nbflow.access import hosts_of
from nbflow.api import Caller, Role
from nbflow_app.asgi import Asgi
from nbflow_app.entry import Entry, Refusals
from nbflow_app.gate import Gate
from nbflow_app.handlers import NothingHandler, Site
from nbflow_app.hub import Hub
from nbflow_app.libraries import LibraryHandler, plotly_script
from nbflow_app.notebooks import Notebooks
from nbflow_app.pages.attempt import AttemptPage
from nbflow_app.rooms import Rooms, Subject
from nbflow_app.routes import Route, routes
from nbflow_app.signing import SignInHandler, SignOutHandler
from nbflow_app.subjects import subject_of
from nbflow_app.visit import Visit

if TYPE_CHECKING:
    from panel.io.server import Server

XSRF = "nbflow-xsrf"

PANEL = "/panel"
"""Where Panel's own files are, in the place of its content delivery network."""

UNUSED = 10_000
"""Milliseconds after which the session of a drawing goes that no window has open; it takes half of it more at most."""

ITSELF = Caller(name="nbflow", role=Role.VIEWER)
"""Who reads for the pages that watch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the app is found. `url` is its public address, where that is not the one it listens on."""

    host: str = "127.0.0.1"
    port: int = 5006
    url: str | None = None

    @property
    def prefix(self) -> str:
        """What a reverse proxy leaves before every path; empty without one."""
        return urlsplit(self.url).path.rstrip("/") if self.url else ""

    @property
    def hosts(self) -> frozenset[str]:
        return hosts_of(self.url)

    @property
    def is_secure(self) -> bool:
        return bool(self.url and self.url.startswith("https:"))

    @property
    def origins(self) -> frozenset[str]:
        """The hosts, with their ports, of pages that may open a websocket."""
        own = {f"{name}:{self.port}" for name in ("localhost", "127.0.0.1")}
        return frozenset(own | ({urlsplit(self.url).netloc} if self.url else set()))


class App:
    """The app, bound to its port when it is made, on a running loop; it answers while `serve` runs."""

    def __init__(self, site: Site, entry: Entry, place: Place, *, secret: str, rest: Asgi | None = None) -> None:
        os.environ["PANEL_CDN_ROOT"] = f"{place.prefix}{PANEL}/"  # read when panel is imported
        from panel.io.resources import DIST_DIR

        self.site = site
        self.plotly = plotly_script(DIST_DIR)
        self.notebooks = Notebooks(site.frame, self.plotly)
        self.hub = Hub(site.api(ITSELF))
        self.rooms = Rooms(self.hub, self._subject)
        self.server = self._panel_server(entry, place, secret, rest)
        self.gate = Gate(self.server._tornado, who=entry.who, hosts=place.hosts, prefix=place.prefix)
        self.server._http.request_callback = self.gate  # bokeh offers no place in front of its router

    def _visit(self, zone: ZoneInfo) -> Visit:
        return Visit(api=self.site.api(ITSELF), now=self.site.clock.now(), zone=zone)

    def _subject(self, watch: str, zone: ZoneInfo) -> Subject:
        return subject_of(watch, lambda: self._visit(zone), self.site.frame, AttemptPage(self.notebooks))

    async def serve(self, stopping: asyncio.Event) -> None:
        """Answer until `stopping`; what is being answered then is answered to its end."""
        work = [asyncio.create_task(self.hub.run()), asyncio.create_task(self.gate.look_after())]
        self.server.start()
        await stopping.wait()
        self.server._http.stop()
        for each in work:
            each.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.server._http.close_all_connections(), timeout=5)
        self.server.stop(wait=False)
        self.site.close()

    def _panel_server(self, entry: Entry, place: Place, secret: str, rest: Asgi | None) -> Server:
        import panel as pn
        from panel.io.resources import DIST_DIR
        from panel.io.server import get_server

        from nbflow_app.drawings import drawings

        pn.config.disconnect_notification = pn.config.ready_notification = ""  # our pages have a banner of their own
        here = {"site": self.site, "entry": entry}
        return get_server(
            dict(drawings(self._visit, self.rooms, self.site.frame)),
            port=place.port,
            address=place.host,
            prefix=place.prefix,
            websocket_origin=sorted(place.origins),
            extra_patterns=[
                (rf"{PANEL}/[^/]+/dist/(.*)", StaticFileHandler, {"path": DIST_DIR}),
                *_library(self.plotly),
                (r"/sign-in", SignInHandler, {**here, "refusals": Refusals(), "is_secure": place.is_secure}),
                (r"/sign-out", SignOutHandler, here),
                *routes(self.site, self.rooms, self.notebooks, place.origins, rest),
            ],
            use_index=False,
            default_handler_class=NothingHandler,
            default_handler_args={"site": self.site},
            compress_response=True,
            use_xheaders=place.url is not None,
            secret_key=secret.encode(),
            sign_sessions=True,
            xsrf_cookies=True,
            xsrf_cookie_name=XSRF,
            xsrf_cookie_kwargs={"httponly": True, "samesite": "Lax", "secure": place.is_secure},
            websocket_ping_interval=20,
            unused_session_lifetime_milliseconds=UNUSED,
            check_unused_sessions_milliseconds=UNUSED // 2,
        )


def _library(path: Path | None) -> list[Route]:
    return [(rf"/assets/{re.escape(path.name)}", LibraryHandler, {"path": path})] if path else []
