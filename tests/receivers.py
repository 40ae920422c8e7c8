"""Where alerts go in tests: a real SMTP server and a real HTTP receiver on loopback, that keep what they get."""

from __future__ import annotations

import email
import email.policy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from making import free_port


class _Keep(Message):
    def __init__(self, got: list[EmailMessage]) -> None:
        super().__init__(message_class=EmailMessage)
        self.got = got

    def handle_message(self, message: Any) -> None:
        parsed = email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        self.got.append(parsed)


@dataclass
class Mailbox:
    url: str
    got: list[EmailMessage] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [str(mail["X-Nbflow-Message"]) for mail in self.got]


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox(url="")
    port = free_port()
    controller = Controller(_Keep(box.got), hostname="127.0.0.1", port=port, ready_timeout=60)
    controller.start()
    box.url = f"mailto://127.0.0.1:{port}?from=nbflow@example.org&to=ops@example.org&mode=insecure"
    yield box
    controller.stop()


@dataclass
class Hook:
    url: str
    got: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    status: int = 200
    """What it answers."""


@contextmanager
def hook() -> Iterator[Hook]:
    kept = Hook(url="")

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if kept.status == 200:
                kept.ids.append(self.headers["X-Nbflow-Message"])
                kept.got.append(json.loads(body))
            self.send_response(kept.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    kept.url = f"json://127.0.0.1:{server.server_address[1]}/hook-secret-3141"
    serving = Thread(target=server.serve_forever, daemon=True)
    serving.start()
    yield kept
    server.shutdown()
    server.server_close()
    serving.join()
