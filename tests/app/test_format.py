"""Times, shares and sizes as the app says them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from nbflow_app import format as form

from nbflow.text import counted, size_text, took

BERLIN, DENVER = ZoneInfo("Europe/Berlin"), ZoneInfo("America/Denver")
NOW = datetime(2026, 11, 26, 17, 30, tzinfo=UTC)


@pytest.mark.parametrize("name", ["", "Middle/Earth", "../../etc/passwd", "\0", "Europe", "a" * 5000])
def test_an_unknown_zone_is_utc(name: str) -> None:
    assert form.zone_of(name).key == "UTC"
    assert form.zone_of("Europe/Berlin") == BERLIN


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (NOW, "18:30"),
        (NOW - timedelta(hours=19), "25 Nov 23:30"),
        (NOW + timedelta(hours=6), "27 Nov 00:30"),
        (NOW - timedelta(days=400), "2025-10-22 19:30"),
        (datetime(2025, 12, 31, 23, 30, tzinfo=UTC), "1 Jan 00:30"),
    ],
)
def test_a_short_time_is_that_of_the_viewer(at: datetime, said: str) -> None:
    assert form.short_time(at, BERLIN, NOW) == said


def test_a_full_time_names_offset_and_zone() -> None:
    assert form.full_time(NOW, BERLIN) == "Thu 2026-11-26 18:30 +01:00 (Europe/Berlin)"
    summer = datetime(2026, 7, 1, 0, 0, 5, tzinfo=UTC)
    assert form.full_time(summer, DENVER) == "Tue 2026-06-30 18:00:05 -06:00 (America/Denver)"


def test_a_time_tag_tells_the_schedules_clock_on_hover() -> None:
    assert form.time_tag(NOW, BERLIN, NOW, DENVER) == (
        '<time datetime="2026-11-26T17:30:00Z" title="Thu 2026-11-26 18:30 +01:00 (Europe/Berlin)\n'
        'Thu 2026-11-26 10:30 -07:00 (America/Denver)">18:30</time>'
    )
    assert "Denver" not in form.time_tag(NOW, BERLIN, NOW, BERLIN)
    assert form.time_tag(None, BERLIN, NOW) == ""


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "now"), (0.4, "now"), (12, "in 12 s"), (-4, "4.0 s ago"), (180, "in 3 min"), (-90_000, "25 h 0 min ago")],
)
def test_how_far_a_time_is(seconds: float, said: str) -> None:
    assert form.from_now(NOW + timedelta(seconds=seconds), NOW) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [(None, ""), (0, "0 %"), (0.001, "1 %"), (0.93, "93 %"), (0.9999, "99 %"), (1, "100 %")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(share: float | None, said: str) -> None:
    assert form.percent(share) == said


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (1234, "1.2 kB"),
        (9960, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (20_000_000, "20 MB"),
        (3 * 10**16, "30000 TB"),
    ],
)
def test_sizes(size: int, said: str) -> None:
    assert size_text(size) == said


def test_counts_and_durations() -> None:
    assert [counted(count, "task") for count in (0, 1, 1200)] == ["0 tasks", "1 task", "1,200 tasks"]
    assert took(NOW, None) == took(None, NOW) == ""
    assert took(NOW, None, NOW + timedelta(seconds=90)) == "90 s"
    assert took(NOW, NOW - timedelta(seconds=1)) == "0.0 s", "clocks of two machines differ"
