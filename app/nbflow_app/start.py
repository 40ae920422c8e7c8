"""Start the app of a project: what `nbflow app` does."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from nbflow.access import check_address, is_loopback
from nbflow.errors import Unavailable
from nbflow.ports import Say
from nbflow.rest import create_app
from nbflow.settings import STATE
from nbflow.wiring import Doors, this_user
from nbflow_app.entry import Entry, LinkEntry, LocalEntry, PeopleEntry, derived, read_key
from nbflow_app.frame import Frame
from nbflow_app.handlers import Site
from nbflow_app.jupyter import Jupyter
from nbflow_app.serve import App, Place

Answer = TypeVar("Answer")


def start(
    project: Path | None,
    *,
    host: str | None,
    port: int | None,
    say: Say,
    is_orphan: Callable[[], bool] = lambda: False,
) -> None:
    """Serve until SIGTERM, Ctrl-C, or `is_orphan`. `say` is told where to look.

    Raises InvalidInput where an address beyond this machine would be open to everybody, Unavailable where the port is
    taken.
    """
    with Doors(project) as doors:
        chosen = doors.settings
        place = Place(host=host or chosen.host, port=port or chosen.port, url=chosen.server_url)
        doors.store.open()  # before threads ask for it
        entrance = doors.entrance()
        has_users = entrance.has_users()
        check_address(place.host, has_users=has_users)
        key = read_key(doors.project / STATE)
        link, people = LinkEntry(key, this_user(), place.port), PeopleEntry(entrance, place.port)
        entry: Entry = LocalEntry(link, people, entrance.has_users) if is_loopback(place.host) else people
        token = "" if has_users else link.token
        rest = create_app(
            doors.api,
            bearer=entry.bearer,
            cookies=entry.who,
            cookie=entry.cookie,
            hosts=place.hosts,
            probes=doors.probes(),
        )

        def new_app() -> App:
            frame = Frame(place.prefix, Jupyter(doors.project, chosen.jupyter_url or ""))
            site = Site(api=doors.api, clock=doors.clock, frame=frame, health=for_threads(rest.state.probes.reasons))
            return App(site, entry, place, secret=derived(key, "panel"), rest=rest)

        asyncio.run(_serve(new_app, place, lambda: say(f"open {address(place, token)}"), is_orphan))
        say("ended")


async def _serve(
    new_app: Callable[[], App], place: Place, ready: Callable[[], None], is_orphan: Callable[[], bool]
) -> None:
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    try:
        app = new_app()
    except OSError as error:
        raise Unavailable(
            f"cannot listen on {place.host}:{place.port}: {error.strerror}",
            hint="Name another with --port, or as server.port in nbflow.toml.",
        ) from None
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(each, stopping.set)
    watching = loop.create_task(_end_with_parent(is_orphan, stopping))
    ready()
    await app.serve(stopping)
    watching.cancel()


def for_threads(ask: Callable[[], Coroutine[Any, Any, Answer]]) -> Callable[[], Answer]:
    """Ask on this loop, from any thread."""
    loop = asyncio.get_running_loop()
    return lambda: asyncio.run_coroutine_threadsafe(ask(), loop).result()


async def _end_with_parent(is_orphan: Callable[[], bool], stopping: asyncio.Event) -> None:
    while not is_orphan():
        await asyncio.sleep(1)
    stopping.set()


def address(place: Place, token: str) -> str:
    """What to open; the token is the way in while there are no users."""
    base = place.url or f"http://{place.host}:{place.port}"
    return f"{base}/sign-in?token={token}" if token else base
