"""A small payments API on loopback, with bad nights: it stands in for a provider, so the demo needs no network.

`GET /payments?date=2026-03-31&page=1` answers `{"page": 1, "pages": 5, "payments": [...]}`, or 503 with a reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from shop import payments_of

PAGE = 250
SUNDAY = 6
MOODS = ("moody", "steady", "down")


@contextmanager
def serving(night: date, *, mood: str = "moody", attempt: int = 1) -> Iterator[str]:
    """Serve until the block ends; gives the base URL.

    `steady` always answers; `down` never gets past the first page; `moody` is down for the first attempt of a Sunday
    night, when the provider does its maintenance, and steady otherwise. Nothing is left to chance: the same night and
    attempt always meet the same answers.
    """
    if mood not in MOODS:
        raise ValueError(f"the payments API knows the moods {', '.join(MOODS)}, not {mood!r}")
    is_down = mood == "down" or (mood == "moody" and night.weekday() == SUNDAY and attempt == 1)
    handler = type("Handler", (_Payments,), {"is_down": is_down})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class _Payments(BaseHTTPRequestHandler):
    is_down = False

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if url.path != "/payments" or "date" not in query:
            return self._answer(HTTPStatus.NOT_FOUND, {"error": "try /payments?date=YYYY-MM-DD&page=1"})
        page = int(query.get("page", ["1"])[0])
        if self.is_down and page > 1:
            return self._answer(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "down for maintenance, try again soon"})
        return self._answer(HTTPStatus.OK, _page(date.fromisoformat(query["date"][0]), page))

    def log_message(self, *_: object) -> None:
        """Say nothing: standard error belongs to the notebook."""

    def _answer(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _page(day: date, page: int) -> dict[str, Any]:
    rows = payments_of(day)
    chosen = rows[(page - 1) * PAGE : page * PAGE]
    return {"page": page, "pages": -(-len(rows) // PAGE), "payments": [asdict(row) for row in chosen]}
