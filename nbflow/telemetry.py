"""What a long-running process logs: lines of JSON, or readable ones on a terminal; never the value of a secret.

Everything that logs by Python's own way goes through it, libraries too.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, MutableMapping
from typing import IO, Any

import structlog

from nbflow.notebooks.mask import Mask

QUIET = ("apprise", "sqlalchemy", "alembic", "asyncio", "httpx", "urllib3", "tornado.access", "bokeh", "markdown_it")
"""Libraries that say more than anybody reads; Apprise also shows whole addresses. Their warnings are logged."""


def configure(who: str, *, secrets: Iterable[str] = (), stream: IO[str] | None = None) -> bool:
    """Log what this process has to say, for its whole life; returns whether that is JSON.

    `who` is the part of nbflow that it is, `secrets` are values that are masked wherever they turn up.
    """
    out = sys.stderr if stream is None else stream
    as_json = not out.isatty()
    handler = logging.StreamHandler(out)
    handler.setFormatter(_formatter(who, Mask(secrets), as_json=as_json))
    root = logging.getLogger()
    root.handlers, root.level = [handler], logging.INFO
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    return as_json


def _formatter(who: str, mask: Mask, *, as_json: bool) -> logging.Formatter:
    def add_who(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"] = who
        return event

    def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {name: _masked(mask, value) for name, value in event.items()}

    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
        add_who,
    ]
    last = structlog.processors.JSONRenderer(ensure_ascii=False) if as_json else _KeyValue()
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, last],
    )


class _KeyValue:
    """`2026-04-01T09:00:00Z info nbflow.courier: … logger=…`, a traceback below."""

    def __call__(self, _: Any, __: str, event: MutableMapping[str, Any]) -> str:
        time, level, name = (str(event.pop(key, "")) for key in ("time", "level", "logger"))
        said, trace = event.pop("event", ""), event.pop("exception", "")
        about = "".join(f" {key}={value}" for key, value in event.items())
        return f"{time} {level} {name}: {said}{about}" + (f"\n{trace}" if trace else "")


def _masked(mask: Mask, value: Any) -> Any:
    """Whatever is no JSON is text by then."""
    return mask.value(value if isinstance(value, str | int | float | bool | None | list | dict) else str(value))
