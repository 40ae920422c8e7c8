"""What routes take, as types that check themselves: names, instants, durations."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from nbflow.scalars import read_duration

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
Instant = Annotated[AwareDatetime, AfterValidator(lambda at: at.astimezone(UTC))]
Values = Annotated[dict[str, Any], Field(description="Names and values.")]


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
