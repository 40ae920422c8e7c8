"""The curl commands of the how-to page are sent as they stand, and answered as the page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rest_world import World

from nbflow.rest import PREFIX, Listening

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "api.md").read_text()
COMMANDS = [
    (line, int(status))
    for status, text in re.findall(r"^```bash status=(\d+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line in text.splitlines()
]


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path, listening=Listening())
    made.people()
    made.seen()
    made.failed_run()
    return made


def sent(world: World, line: str) -> Any:
    """What curl would send: its method, address, headers and JSON."""
    program, *words = shlex.split(line.replace("$NBFLOW", PREFIX).replace("$TOKEN", world.secrets["operator"]))
    assert program == "curl"
    method, path, headers, body = "GET", "", {}, None
    while words:
        match words.pop(0):
            case "-X":
                method = words.pop(0)
            case "-H":
                name, _, value = words.pop(0).partition(": ")
                headers[name] = value
            case "--json":
                body = words.pop(0)
                headers["Content-Type"] = "application/json"
            case address:
                path = address
    return world.ask(method, path, None, headers=headers, content=body)


def test_every_command_is_answered_as_the_page_says(world: World) -> None:
    assert len(COMMANDS) > 10
    for line, status in COMMANDS:
        answer = sent(world, line)
        assert answer.status_code == status, f"{line}\n{answer.text}"


def test_the_page_names_every_figure(world: World) -> None:
    text = world.ask("GET", "/metrics").text
    families = {family.name for family in text_string_to_metric_families(text)}
    told = {name.removesuffix("_total") for name in re.findall(r"`(nbflow_[a-z_]+)`", PAGE)}
    assert told == families
