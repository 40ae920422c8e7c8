"""Pages and forms behind Tornado routes: find out who asks, let a thread answer, turn errors into pages.

Every handler declares the role it needs; the api asks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http.client import NOT_FOUND, responses
from typing import Any
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo

from tornado.web import HTTPError, RequestHandler

from nbflow.api import Api, Caller, Role
from nbflow.errors import Conflict, InvalidInput, NbflowError, NotAllowed, NotFound, Unavailable
from nbflow.ports import Clock
from nbflow_app.format import zone_of
from nbflow_app.frame import ASSETS, Frame, asset, fields_of
from nbflow_app.gate import policy
from nbflow_app.visit import Page, Redirect, Visit

Show = Callable[[Visit], Page | Redirect]
"""What a page or a form does when it is asked; may block."""

THEME, FLASH, ZONE = "nb-theme", "nb-flash", "nb-zone"
A_YEAR = 365 * 24 * 3600


@dataclass
class Site:
    """What every handler of a server shares."""

    api: Callable[[Caller], Api]
    clock: Clock
    frame: Frame
    health: Callable[[], Mapping[str, str]] = dict
    """Why nbflow is not ready for work, by name. May block."""
    reading: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(12, "nbflow-page"))
    acting: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(24, "nbflow-action"))
    """Apart, because an action waits for the scheduler's answer."""

    def close(self) -> None:
        self.reading.shutdown(wait=False, cancel_futures=True)
        self.acting.shutdown(wait=False, cancel_futures=True)


class Handler(RequestHandler):
    """The base of our handlers: whoever asks must have `role`; None is for everybody."""

    role: Role | None = Role.VIEWER

    def initialize(self, site: Site) -> None:
        self.site = site

    @property
    def caller(self) -> Caller:
        """Whoever asks, as the gate found out."""
        caller: Caller | None = self.request.connection.caller  # type: ignore[union-attr]
        if caller is None:
            raise HTTPError(403)
        return caller

    def prepare(self) -> None:
        self.set_header("Cache-Control", "no-store")
        if self.role is not None and self.caller.role < self.role:
            raise NotAllowed(f"{self.caller.name} is {self.caller.role.name.lower()}; this needs {_a(self.role)}")

    @property
    def wants_json(self) -> bool:
        return self.request.headers.get("X-Requested-With") == "nbflow"

    def log_exception(self, kind: Any, value: Any, trace: Any) -> None:
        if not isinstance(value, NbflowError):
            super().log_exception(kind, value, trace)

    def write_error(self, status_code: int, **about: Any) -> None:
        error = about.get("exc_info", (None, None, None))[1]
        if isinstance(error, NbflowError):
            self.set_status(status_of(error))
            message, where, hint = error.message, error.where, error.hint
        else:
            message, where, hint = (
                SENTENCES.get(status_code, responses.get(status_code, "Something went wrong")),
                "",
                "",
            )
        if self.wants_json:
            self.finish({"error": message, "where": where, "hint": hint})
            return
        title = "Not found" if self.get_status() == NOT_FOUND else "Error"
        page = Page(template="error.html", title=title, data={"message": message, "hint": hint})
        self.finish(self.html(page))

    def html(self, page: Page) -> str:
        known: Caller | None = getattr(self.request.connection, "caller", None)
        flash = unquote(self.get_cookie(FLASH, "") or "")
        if flash:
            self.clear_cookie(FLASH, path=self.site.frame.prefix or "/")
        chosen = self.get_cookie(THEME, "")
        return self.site.frame.render(
            page,
            caller=known,
            xsrf=self.xsrf_token.decode(),
            flash=flash,
            theme=chosen if chosen in {"light", "dark"} else "",
            zone=zone_cookie(self).key,
        )

    def visit(self, parts: dict[str, str]) -> Visit:
        return Visit(
            api=self.site.api(self.caller),
            now=self.site.clock.now(),
            parts={name: unquote(value) for name, value in parts.items() if value is not None},
            fields=fields_of(self.request.arguments),
            zone=zone_cookie(self),
            health=self.site.health,
        )


class PageHandler(Handler):
    """A page to read."""

    def initialize(self, site: Site, show: Show) -> None:  # type: ignore[override]
        super().initialize(site)
        self.show = show

    async def get(self, **parts: str) -> None:
        shown = await self.answer(self.site.reading, self.show, parts)
        if isinstance(shown, Redirect):
            self.redirect(self.site.frame.url(shown.to))
            return
        if shown.has_canvas:  # Bokeh makes functions and modules from text
            self.set_header("Content-Security-Policy", policy(script_src="'self' 'unsafe-eval' blob:"))
        self.write(self.html(shown))

    async def answer(self, threads: ThreadPoolExecutor, show: Show, parts: dict[str, str]) -> Page | Redirect:
        return await asyncio.get_running_loop().run_in_executor(threads, _shown, show, self.visit(parts))


def _shown(show: Show, visit: Visit) -> Page | Redirect:
    seen = visit.api.latest_change()  # before it: told twice is better than never
    shown = show(visit)
    return replace(shown, seen=seen) if isinstance(shown, Page) else shown


class JsonHandler(Handler):
    """The base of what answers a script of ours: with JSON, errors too."""

    @property
    def wants_json(self) -> bool:
        return True

    async def answer(self, threads: ThreadPoolExecutor, work: Callable[[], Mapping[str, Any]]) -> None:
        self.write(dict(await asyncio.get_running_loop().run_in_executor(threads, work)))


class EditPageHandler(PageHandler):
    """A page on which a pipeline is edited."""

    role = Role.EDITOR


class FormHandler(PageHandler):
    """A form to fill in: GET shows it with what it would do, POST does it."""

    role = Role.OPERATOR

    def initialize(self, site: Site, show: Show, act: Show) -> None:  # type: ignore[override]
        super().initialize(site, show)
        self.act = act

    async def post(self, **parts: str) -> None:
        done = await self.answer(self.site.acting, self.act, parts)
        if isinstance(done, Page):
            self.write(self.html(done))
            return
        to = f"{self.site.frame.prefix}{done.to}"
        if self.wants_json:
            self.write({"go": to, "note": done.note})
            return
        if done.note:
            self.set_cookie(FLASH, quote(done.note), path=self.site.frame.prefix or "/", httponly=True, samesite="Lax")
        self.redirect(to, status=303)


class EditFormHandler(FormHandler):
    """A form of whoever edits pipelines."""

    role = Role.EDITOR


class AssetHandler(Handler):
    """Our own CSS and script, kept by browsers until they change."""

    role = None

    def get(self, name: str) -> None:
        if name not in ASSETS:
            raise HTTPError(404)
        self.set_header("Content-Type", f"{ASSETS[name].type}; charset=utf-8")
        self.set_header("Cache-Control", f"public, max-age={A_YEAR}, immutable")
        self.write(asset(name))


class NothingHandler(Handler):
    """Whatever has no page."""

    role = None

    def prepare(self) -> None:
        raise HTTPError(404)


def zone_cookie(handler: RequestHandler) -> ZoneInfo:
    """The zone that the viewer's browser told us."""
    return zone_of(unquote(handler.get_cookie(ZONE, "") or ""))


SENTENCES = {
    403: "You may not do this.",
    404: "There is no such page.",
    405: "This address does not take that request.",
    500: "Something went wrong on the server; its log says more.",
}


def status_of(error: NbflowError) -> int:
    match error:
        case NotFound():
            return 404
        case NotAllowed():
            return 403
        case InvalidInput():
            return 400
        case Conflict():
            return 409
        case Unavailable():
            return 503
        case _:
            return 500


def _a(role: Role) -> str:
    name = role.name.lower()
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"
