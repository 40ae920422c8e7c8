"""What a page is asked with and what it answers: plain values, so that every page can be tested without a browser."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from nbflow.api import Api, Role
from nbflow_app.format import time_tag

UTC_ZONE = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request: the api of its caller, the parts of its address, and its fields (query or form)."""

    api: Api
    now: datetime
    parts: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    zone: ZoneInfo = UTC_ZONE
    """The viewer's."""
    health: Callable[[], Mapping[str, str]] = dict
    """What of nbflow itself is not well, by name. May block."""

    def part(self, name: str) -> str:
        return self.parts[name]

    def field(self, name: str, default: str = "") -> str:
        """The last value given, without blanks around it."""
        given = self.fields.get(name)
        return given[-1].strip() if given else default

    def many(self, name: str) -> list[str]:
        return [text for text in self.fields.get(name, ()) if text]

    def flag(self, name: str) -> bool:
        return self.field(name) not in {"", "0", "no"}

    def time(self, at: datetime | None, schedule: ZoneInfo | None = None) -> Markup:
        """An instant as the viewer's clock shows it."""
        return Markup(time_tag(at, self.zone, self.now, schedule))

    @property
    def may_act(self) -> bool:
        return self.api.caller.role >= Role.OPERATOR

    @property
    def may_edit(self) -> bool:
        return self.api.caller.role >= Role.EDITOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page to show. `watch` names what it follows live; `section` is the entry of the menu that it belongs to."""

    template: str
    title: str
    data: Mapping[str, Any] = field(default_factory=dict)
    crumbs: Sequence[tuple[str, str]] = ()
    """Text and address of what lies above it."""
    section: str = ""
    watch: str = ""
    seen: int = 0
    """The last change that it may know of."""
    upto: int = 0
    """How far the events were read of the attempt that it shows running."""
    has_canvas: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """Go on at another address of the app; `note` is said there."""

    to: str
    note: str = ""
