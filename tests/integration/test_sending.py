"""Alerts on their way: a real SMTP server and a real HTTP receiver get them, also when the sender is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from receivers import Hook, Mailbox, hook, mailbox

from nbflow.courier import Courier
from nbflow.messages import trial
from nbflow.model import RunId
from nbflow.notebooks.logs import FolderLogs
from nbflow.notice import Notice, NoticeKind
from nbflow.notify import AppriseNotifier
from nbflow.ports import MessageState
from nbflow.stores.sql import SqlStore
from nbflow.testing.samples import NOW, add, full_notice

KILLS = 200 if os.environ.get("NBFLOW_SOAK") else 20


@pytest.fixture(scope="module")
def post() -> Iterator[Mailbox]:
    with mailbox() as box:
        yield box


@pytest.fixture(scope="module")
def web() -> Iterator[Hook]:
    with hook() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def empty(post: Mailbox, web: Hook) -> None:
    post.got.clear()
    web.got.clear()
    web.ids.clear()
    web.status = 200


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    store = SqlStore(f"sqlite:///{tmp_path}/nbflow.db")
    yield store
    store.close()


def courier(store: SqlStore, folder: Path, **channels: list[str]) -> Courier:
    notifier = AppriseNotifier(channels, server_url="https://nbflow.example.org", tries=1)
    return Courier(store=store, logs=FolderLogs(folder), notifier=notifier, server_url="https://nbflow.example.org")


def of_each_kind() -> list[Notice]:
    """Of a pipeline each, because one is told once an hour; the failure before its recovery."""
    about = {"channels": ("ops",), "at": NOW, "run": None, "key": None, "attempt": None}
    kinds = [kind for kind in NoticeKind if kind is not NoticeKind.RECOVERED]
    told = [full_notice(id=f"{kind}/1", kind=kind, pipeline=f"of_{kind}", **about) for kind in kinds]
    again = {**about, "at": NOW + timedelta(hours=1)}
    return [*told, full_notice(id="recovered/1", kind=NoticeKind.RECOVERED, pipeline="of_failed", **again)]


def test_each_kind_of_alert_arrives_by_mail_and_by_web_hook(
    store: SqlStore, tmp_path: Path, post: Mailbox, web: Hook
) -> None:
    store.tell(of_each_kind())
    sender = courier(store, tmp_path, ops=[post.url, web.url])
    while sender.deliver(NOW):
        pass
    assert len(set(post.ids)) == len(NoticeKind) - 1
    assert sorted(post.ids) == sorted(web.ids)
    by_id = dict(zip(web.ids, web.got, strict=True))
    assert by_id["recovered/1/ops"]["type"] == "success"
    assert "1 message before this one was held back: 1 failed." in by_id["recovered/1/ops"]["message"]
    assert by_id["late/1/ops"]["title"] == "◷ of_late is late"
    assert all(message.state in {MessageState.SENT, MessageState.JOINED} for message in store.messages())


def test_a_mail_has_the_text_and_the_page_and_its_subject_whole(
    store: SqlStore, tmp_path: Path, post: Mailbox, web: Hook
) -> None:
    add(store, "r1")
    store.tell([full_notice(at=NOW, key=None, attempt=None, run=RunId("r1"))])
    assert courier(store, tmp_path, ops=[post.url, f"{post.url}&format=text"]).deliver(NOW)
    page, text = post.got
    assert page["Subject"] == text["Subject"] == "✕ nightly failed: for 2026-04-01"
    shown = page.get_body(("html",))
    assert shown is not None
    assert 'href="https://nbflow.example.org/pipelines/nightly/runs/r1"' in shown.get_content()
    plain = page.get_body(("plain",))
    assert plain is not None
    assert "https://nbflow.example.org/pipelines/nightly/runs/r1" in plain.get_content()
    assert "logical date   Wed 2026-04-01 02:00 -07:00 (America/Los_Angeles)" in text.get_content()


def test_an_address_that_took_a_message_does_not_get_it_again_because_another_failed(
    store: SqlStore, tmp_path: Path, post: Mailbox, web: Hook
) -> None:
    store.tell([full_notice(at=NOW)])
    sender = courier(store, tmp_path, ops=[web.url, post.url])
    web.status = 503
    assert sender.deliver(NOW)
    [message] = store.messages(only_troubled=True)
    assert "address 1 of channel 'ops': " in message.error
    assert "3141" not in message.error
    web.status = 200
    assert sender.deliver(message.due)
    assert (len(post.ids), len(web.ids)) == (1, 1)
    assert post.ids == web.ids
    assert store.messages(only_troubled=True) == []


def test_a_channel_that_nobody_knows_and_an_address_that_says_nothing_are_told(store: SqlStore, tmp_path: Path) -> None:
    store.tell([full_notice(at=NOW, channels=("ops", "gone"))])
    sender = courier(store, tmp_path, ops=["mailto://127.0.0.1:1?from=a@example.org&to=b@example.org&pass=hunter22"])
    while sender.deliver(NOW):
        pass
    errors = {message.channel: message.error for message in store.messages()}
    assert errors["gone"] == "nbflow.toml has no channel 'gone'"
    assert "address 1 of channel 'ops': " in errors["ops"]
    assert '"127.0.0.1"' in errors["ops"]
    assert "hunter22" not in errors["ops"]


def test_an_address_is_tried_thrice_with_growing_pauses(web: Hook) -> None:
    web.status = 503
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        web.status = 503 if len(pauses) < 2 else 200

    letter = trial("test/1", "ops", "shop")
    delivery = AppriseNotifier({"ops": [web.url]}, pause=pause).send("ops", letter)
    assert (pauses, delivery.errors, web.ids) == ([1.0, 2.0], (), ["test/1"])
    assert web.got[0]["message"] == "This is a test. Alerts for the channel ops of the project shop arrive here."


SENDER = """
import os, sys
from datetime import timedelta
from pathlib import Path
from nbflow.courier import TTL, Courier
from nbflow.failpoints import VARIABLE
from nbflow.notebooks.logs import FolderLogs
from nbflow.notify import AppriseNotifier
from nbflow.stores.sql import SqlStore
from nbflow.testing.samples import NOW, full_notice
from apprise import Apprise

database, mail, web, rounds, *points = sys.argv[1:]
Apprise.instantiate(web)  # loads the plugins, once for all children

def send(number, point, now):
    "In a process of its own, which dies at the point."
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.environ[VARIABLE] = point
    store = SqlStore(database)
    if point:
        store.tell([full_notice(id=f"failed/{number}", pipeline=f"p{number}", at=NOW)])
    notifier = AppriseNotifier({"ops": [mail, web]}, pause=lambda _: None)
    Courier(store=store, logs=FolderLogs(Path("/nowhere")), notifier=notifier).deliver(now)
    os._exit(0)

for number in range(int(rounds)):
    now = NOW + 2 * number * TTL
    assert send(number, points[number % len(points)], now) == -9
    assert send(number, "", now + TTL) == 0
"""


@pytest.mark.soak
def test_a_sender_that_is_killed_loses_nothing_and_repeats_under_the_same_id(
    store: SqlStore, tmp_path: Path, post: Mailbox, web: Hook
) -> None:
    points = ["courier.claimed", "courier.sent"]
    url = f"sqlite:///{tmp_path}/nbflow.db"
    subprocess.run(
        [sys.executable, "-c", SENDER, url, post.url, web.url, str(KILLS), *points], check=True, timeout=3000
    )
    expected = {f"failed/{number}/ops": 1 + number % 2 for number in range(KILLS)}
    assert Counter(post.ids) == Counter(web.ids) == expected
    assert {message.state for message in store.messages(limit=KILLS)} == {MessageState.SENT}
