"""Alive, ready or why not, and the figures: also while something behind them hangs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rest_world import World

from nbflow.rest.health import Probes

QUICK = timedelta(milliseconds=20)


def ready(world: World) -> tuple[int, Any]:
    answer = world.ask("GET", "/readyz", None)
    return answer.status_code, answer.json()


def test_alive_and_ready_without_anything_to_look_at(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.ask("GET", "/healthz", None).json() == {"alive": True}
    assert ready(world) == (200, {"ready": True, "reasons": {}})


def test_what_is_not_ready_is_named_and_heals(tmp_path: Path) -> None:
    said = {"disk": "low: 0.4 GiB free", "database": ""}
    probes = {name: (lambda name=name: said[name]) for name in said}
    world = World(tmp_path, probes=probes)
    assert ready(world) == (503, {"ready": False, "reasons": {"disk": "low: 0.4 GiB free"}})
    said["disk"] = ""
    assert ready(world) == (200, {"ready": True, "reasons": {}})


def test_a_question_that_breaks_tells_no_detail(tmp_path: Path) -> None:
    def broken() -> str:
        raise RuntimeError("/home/ada/secret")

    world = World(tmp_path, probes={"outputs": broken})
    assert ready(world) == (503, {"ready": False, "reasons": {"outputs": "cannot be looked at: RuntimeError"}})


@pytest.fixture
def go_on() -> Iterator[Event]:
    event = Event()
    yield event
    event.set()


def test_what_hangs_is_told_in_time_asked_once_and_heals(go_on: Event) -> None:
    asked = []

    def hanging() -> str:
        asked.append(1)
        go_on.wait(30)
        return ""

    async def look() -> list[dict[str, str]]:
        probes = Probes({"database": hanging}, patience=QUICK)
        said = [await probes.reasons(), await probes.reasons()]
        go_on.set()
        while reasons := await probes.reasons():
            assert reasons == said[0]
        return said

    said = asyncio.run(look())
    assert said == [{"database": "no answer within 0.02 s"}] * 2
    assert len(asked) == 1


def test_what_hangs_keeps_no_other_from_being_told(go_on: Event) -> None:
    probes = Probes({"database": lambda: str(go_on.wait(30)), "disk": lambda: "low"}, patience=QUICK)
    wanted = {"database": "no answer within 0.02 s", "disk": "low"}

    async def look() -> None:
        while await probes.reasons() != wanted:  # a busy machine takes longer for a thread
            pass

    asyncio.run(asyncio.wait_for(look(), 100))


def test_every_look_asks_anew(tmp_path: Path) -> None:
    asked = []
    probes = Probes({"disk": lambda: asked.append(1) or ""})  # type: ignore[func-returns-value]

    async def look() -> None:
        for _ in range(3):
            assert await probes.reasons() == {}

    asyncio.run(look())
    assert len(asked) == 3


# --- metrics --------------------------------------------------------------------------------------------------------


def samples(text: str) -> dict[str, float]:
    return {
        f"{sample.name}{dict(sorted(sample.labels.items()))}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_figures(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.people()
    world.failed_run()
    world.lead()
    world.clock.advance(timedelta(seconds=4))
    world.post("/pipelines/nightly/runs", status=201)
    text = world.ask("GET", "/metrics").text
    found = samples(text)
    of = {"pipeline": "nightly"}
    expected = {
        f"nbflow_runs_total{ {**of, 'state': 'failed'} }": 1,
        f"nbflow_attempts_total{ {'cause': 'error', **of, 'state': 'failed'} }": 1,
        f"nbflow_attempt_seconds_bucket{ {'le': '1', **of} }": 0,
        f"nbflow_attempt_seconds_bucket{ {'le': '5', **of} }": 1,
        f"nbflow_attempt_seconds_bucket{ {'le': '+Inf', **of} }": 1,
        f"nbflow_attempt_seconds_count{of}": 1,
        f"nbflow_attempt_seconds_sum{of}": 2,
        "nbflow_unfinished_runs{'state': 'queued'}": 1,
        "nbflow_unfinished_task_runs{'state': 'waiting'}": 2,
        "nbflow_pool_places{'pool': 'warehouse'}": 2,
        "nbflow_pool_places_taken{'pool': 'warehouse'}": 0,
        "nbflow_scheduler_heartbeat_age_seconds{}": 4,
    }
    assert {name: found.get(name) for name in expected} == expected
    assert not re.search(r"\br\d|20260401", text)


def test_no_scheduler_is_no_sample(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.people()
    assert not any("heartbeat" in name for name in samples(world.ask("GET", "/metrics").text))
