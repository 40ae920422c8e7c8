"""The pages by which people come in and go."""

from __future__ import annotations

import asyncio

from nbflow.errors import NotSignedIn
from nbflow_app.entry import Asks, Entry, Refusals, safe_next
from nbflow_app.frame import fields_of
from nbflow_app.handlers import Handler, Site
from nbflow_app.visit import Page

LIFE_IN_DAYS = 30
"""How long a browser keeps the cookie; a session may end before."""


class SignInHandler(Handler):
    """`/sign-in?next=…`; with `&token=…` it is the link that the terminal printed."""

    role = None

    def initialize(self, site: Site, entry: Entry, refusals: Refusals, is_secure: bool) -> None:  # type: ignore[override]
        super().initialize(site)
        self.entry, self.refusals, self.is_secure = entry, refusals, is_secure

    async def get(self) -> None:
        if getattr(self.request.connection, "caller", None) is not None:
            self.redirect(self._next)
        elif self.get_query_argument("token", "") and await self._asks() == "link":
            await self._come_in()
        else:
            await self._ask()

    async def post(self) -> None:
        await self._come_in()

    @property
    def _next(self) -> str:
        return safe_next(self.get_argument("next", ""), self.site.frame.prefix)

    async def _come_in(self) -> None:
        address = self.request.remote_ip or ""
        # Not by get_argument, which takes blanks and control characters out of a password.
        fields = {name: given[-1] for name, given in fields_of(self.request.arguments).items()}
        try:
            self.refusals.check(address)
            value = await asyncio.get_running_loop().run_in_executor(self.site.acting, self.entry.admit, fields)
        except NotSignedIn as error:
            self.refusals.note(address)
            self.set_status(403)
            await self._ask(error)
            return
        path = self.site.frame.prefix or "/"
        self.set_cookie(
            self.entry.cookie,
            value,
            path=path,
            expires_days=LIFE_IN_DAYS,
            httponly=True,
            samesite="Lax",  # not Strict: the link of an alert must work at the first click
            secure=self.is_secure,
        )
        self.redirect(self._next, status=303)

    async def _asks(self) -> Asks:
        return await asyncio.get_running_loop().run_in_executor(self.site.acting, self.entry.asks)

    async def _ask(self, error: NotSignedIn | None = None) -> None:
        about = {"asks": await self._asks(), "next": self._next, "error": error, "name": self.get_argument("name", "")}
        self.write(self.html(Page(template="sign_in.html", title="Sign in", data=about)))


class SignOutHandler(Handler):
    """Ends the session, and has the browser forget it."""

    def initialize(self, site: Site, entry: Entry) -> None:  # type: ignore[override]
        super().initialize(site)
        self.entry = entry

    async def post(self) -> None:
        cookies = {name: morsel.value for name, morsel in self.request.cookies.items()}
        await asyncio.get_running_loop().run_in_executor(self.site.acting, self.entry.leave, cookies)
        self.clear_cookie(self.entry.cookie, path=self.site.frame.prefix or "/")
        self.redirect(self.site.frame.url("/sign-in"), status=303)
