"""What routes take, as types that check themselves: names, instants, durations."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema

from nbflow.scalars import read_day_or_instant, read_duration

NAME = r"^[a-z][a-z0-9_]{0,99}$"
"""As manifests have it: no path, so that nothing outside the project can be named."""

PipelineName = Annotated[str, Field(pattern=NAME, description="A pipeline's name.")]
Ref = Annotated[
    str,
    Path(min_length=1, max_length=200, description="A run id, its beginning, `latest`, or `latest:PIPELINE`."),
]
Address = Annotated[str, Path(min_length=1, max_length=200, description="A task's name; `fit.3` for an item.")]
Number = Annotated[int | None, Query(ge=1, le=1_000_000, description="Which attempt; the latest without it.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]
Note = Annotated[str, Field(max_length=2000, description="Why; kept in the history.")]
RoleWord = Literal["viewer", "operator", "editor", "admin"]
Values = Annotated[dict[str, Any], Field(description="Names and values.")]


def _when(value: object) -> date | datetime:
    """As on the command line. Pydantic itself reads 20260401, also as text, as seconds since 1970."""
    if not isinstance(value, str):
        raise ValueError("a date is written as text: 2026-04-01, or 2026-04-01T02:00Z")
    return read_day_or_instant(value)


def _day(value: object) -> date:
    if isinstance(when := _when(value), datetime):
        raise ValueError("a date alone is wanted, without a time: 2026-04-01")
    return when


def _instant(value: object) -> datetime:
    if not isinstance(when := _when(value), datetime):
        raise ValueError("an instant is wanted, with its UTC offset: 2026-04-01T02:00Z")
    return when


_DAY: dict[str, Any] = {"type": "string", "format": "date"}
_INSTANT: dict[str, Any] = {"type": "string", "format": "date-time"}
Day = Annotated[date, PlainValidator(_day), WithJsonSchema(_DAY)]
Instant = Annotated[datetime, PlainValidator(_instant), WithJsonSchema(_INSTANT)]
DayOrInstant = Annotated[date | datetime, PlainValidator(_when), WithJsonSchema({"anyOf": [_DAY, _INSTANT]})]


def _duration(value: object) -> timedelta:
    if not isinstance(value, str):
        raise ValueError("a duration is written 30s, 10m, 12h or 90d")
    return read_duration(value)


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": r"^[1-9][0-9]{0,4}[dhms]$", "examples": ["90d"]}),
]


class Body(BaseModel):
    """What a request sends; a name that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class Noted(Body):
    """An action that says why."""

    note: Note = ""
