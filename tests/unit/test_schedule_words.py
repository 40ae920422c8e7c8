"""Schedules in words."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from nbflow.model import Schedule
from nbflow.schedule import words


@pytest.mark.parametrize(
    ("cron", "text"),
    [
        ("0 2 * * *", "every day at 02:00"),
        ("5 14 * * 1-5", "Monday to Friday at 14:05"),
        ("5 14 * * mon-fri", "Monday to Friday at 14:05"),
        ("0 6 * * 1", "every Monday at 06:00"),
        ("0 6 * * 7", "every Sunday at 06:00"),
        ("0 6 * * MON", "every Monday at 06:00"),
        ("0 6 * * tue,5", "every Tuesday and Friday at 06:00"),
        ("0 6 * * 6-7", "Saturday to Sunday at 06:00"),
        ("0 6 * * 1,2,3", "cron 0 6 * * 1,2,3"),
        ("0 6 * * 1-3,5", "cron 0 6 * * 1-3,5"),
        ("*/15 * * * *", "every 15 minutes"),
        ("*/1 * * * *", "every minute"),
        ("*/7 * * * *", "cron */7 * * * *"),
        ("* * * * *", "every minute"),
        ("30 * * * *", "every hour at :30"),
        ("1,31 * * * *", "cron 1,31 * * * *"),
        ("0 2 1 * *", "cron 0 2 1 * *"),
        ("0 2 * * 5#3", "cron 0 2 * * 5#3"),
        ("0 0 0 * * *", "cron 0 0 0 * * *"),
        ("@daily", "every day at 00:00"),
        ("@hourly", "every hour at :00"),
        ("@weekly", "every Sunday at 00:00"),
        ("@monthly", "cron @monthly"),
    ],
)
def test_cron_in_words_where_words_are_plainer(cron: str, text: str) -> None:
    assert words.cron_text(cron) == text


@pytest.mark.parametrize(
    ("every", "text"),
    [
        (timedelta(minutes=15), "every 15 minutes"),
        (timedelta(minutes=90), "every 90 minutes"),
        (timedelta(hours=1), "every hour"),
        (timedelta(days=2), "every 2 days"),
        (timedelta(seconds=45), "every 45 seconds"),
    ],
)
def test_elapsed_time_in_words(every: timedelta, text: str) -> None:
    assert words.every_text(every) == text


def test_a_schedule_says_zone_and_limits() -> None:
    assert words.schedule_text(None) == "by hand"
    limited = Schedule(every=timedelta(hours=1), timezone="Europe/Berlin", start=date(2026, 4, 1), end=date(2026, 5, 1))
    assert words.schedule_text(limited) == "every hour, Europe/Berlin, from 2026-04-01, until 2026-05-01"
