"""Commands that keep working until they are told to end: up, scheduler, app."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from nbflow.cli.running import Slots
from nbflow.cli.session import OK, Session, command

if TYPE_CHECKING:
    from nbflow.ports import Say

PANEL = "Serving"

Host = Annotated[
    str | None, typer.Option(metavar="ADDRESS", show_default=False, help="Where to listen. Default: server.host.")
]
Port = Annotated[
    int | None,
    typer.Option(min=1, max=65535, metavar="N", show_default=False, help="On which port. Default: server.port."),
]
Parent = Annotated[int | None, typer.Option("--parent", hidden=True, help="End when this process is gone.")]


def add_to(app: typer.Typer) -> None:
    command(app, panel=PANEL)(up)
    command(app, panel=PANEL)(scheduler)
    command(app, panel=PANEL, name="app")(app_)


def up(session: Session, host: Host = None, port: Port = None, slots: Slots = None) -> int:
    """Run the scheduler and the web app as services, and start each again should it ever end.

    Ctrl-C starts nothing more and waits for the notebooks that run; a second one cancels them; a third one leaves them
    running, for the next nbflow up. SIGTERM leaves them running at once.
    """
    from nbflow.supervisor import Supervisor
    from nbflow.wiring import Doors

    with Doors(session.project) as doors:  # settings that are wrong are told here, once
        doors.store.open()
        project = doors.project
    say = _stamped(session, "nbflow up")
    say(f"serving {project}")
    services = {
        "scheduler": _service("scheduler", project, ("--slots", slots)),
        "app": _service("app", project, ("--host", host), ("--port", port)),
    }
    return Supervisor(services, say).run()


def _service(name: str, project: Path, *options: tuple[str, object]) -> list[str]:
    """The command of a part, which ends when this process does."""
    given = [word for option, value in options if value is not None for word in (option, str(value))]
    return [
        sys.executable, "-m", "nbflow", name, "--project", str(project), *given, "--parent", str(os.getpid()),
    ]  # fmt: skip


def scheduler(session: Session, slots: Slots = None, parent: Parent = None) -> int:
    """Start runs on time and execute them, until told to end; the part of nbflow up that does the work.

    Ctrl-C drains as in nbflow up. SIGTERM ends at once and leaves running notebooks to the next scheduler.
    """
    from nbflow.wiring import Doors

    with Doors(session.project, slots=slots) as doors:
        say = _stamped(session, "scheduler", doors.secrets())
        doors.store.open()
        service = doors.service(say=say, is_orphan=lambda: parent is not None and os.getppid() != parent)
        _heed_signals(service.interrupt, service.leave)
        say("started")
        try:
            service.run()
        except Exception:
            logging.getLogger("nbflow").exception("ended by a fault of its own")
            raise
        say("ended")
    return OK


def app_(session: Session, host: Host = None, port: Port = None, parent: Parent = None) -> int:
    """Serve the app, and say which address to open; Ctrl-C ends it.

    Without users it serves this machine only, and lets in whoever has the link that it prints. What is ordered in the
    app is carried out by the scheduler.
    """
    from nbflow.wiring import Doors

    start = import_module("nbflow_app.start").start  # the app stands above the command line, which knows it by name
    with Doors(session.project) as doors:
        say = _stamped(session, "app", doors.secrets())
    start(
        session.project, host=host, port=port, say=say, is_orphan=lambda: parent is not None and os.getppid() != parent
    )
    return OK


def _heed_signals(interrupt: Callable[[], None], leave: Callable[[], None]) -> None:
    def heed(number: int, frame: FrameType | None) -> None:
        interrupt() if number == signal.SIGINT else leave()

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, heed)


def _stamped(session: Session, who: str, secrets: Iterable[str] = ()) -> Say:
    """Messages with the time and the process they come from: on a terminal for people, else in the log."""
    from nbflow import telemetry

    is_logged, log = telemetry.configure(who, secrets=secrets), logging.getLogger("nbflow")

    def say(text: str, *, is_trouble: bool = False) -> None:
        if is_logged:
            log.log(logging.WARNING if is_trouble else logging.INFO, "%s", text)
        else:
            session.say(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S} {who}: {text}")

    return say
