"""The commands about alerts, backfills and housekeeping, and what the doctor says of messages."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from cli_world import CommandLine

from nbflow import doctor
from nbflow.api import BackfillView
from nbflow.backfill import BackfillState
from nbflow.errors import Unavailable
from nbflow.ports import BackfillProgress, Message, MessageState
from nbflow.testing.dict_store import DictStore
from nbflow.testing.samples import NOW, full_notice
from nbflow.testing.scheduling import a_backfill


def a_message(**about: object) -> Message:
    values = {"id": "failed/r1/4/ops", "channel": "ops", "notice": full_notice(), "due": NOW}
    return Message(**{**values, **about})  # type: ignore[arg-type]  # fields of Message


def test_a_channel_is_tried(nbflow: CommandLine) -> None:
    done = nbflow("alerts", "test", "ops")
    assert (done.exit_code, done.stderr) == (0, "sent: 2 of 2 addresses of channel ops took it\n")
    assert nbflow.api.asked("try_channel") == {"channel": "ops"}
    nbflow.api.error = Unavailable("address 1 of channel 'ops': no route")
    done = nbflow("alerts", "test", "ops")
    assert (done.exit_code, done.stderr) == (1, "error: address 1 of channel 'ops': no route\n")


def test_messages_are_listed(nbflow: CommandLine) -> None:
    assert nbflow("alerts", "list").stderr == "There is no such message.\n"
    nbflow.api.told = [
        a_message(tries=2, error="no route"),
        a_message(state=MessageState.JOINED, lead="failed/r2/9/ops", ended_at=NOW),
    ]
    lines = nbflow("alerts", "list", "--troubled", "--limit", "2").stdout.splitlines()
    assert lines[1].rstrip().endswith("waiting  ops      2      failed/r1/4  no route")
    assert lines[2].rstrip().endswith("joined   ops      0      failed/r1/4  counted in failed/r2/9/ops")
    assert nbflow.api.asked("messages") == {"only_troubled": True, "limit": 2}
    [first, second] = json.loads(nbflow("alerts", "list", "--json").stdout)["messages"]
    assert (first["kind"], first["task"], first["error"], first["held_in"]) == ("failed", "fit.3", "no route", None)
    assert (second["state"], second["held_in"]) == ("joined", "failed/r2/9/ops")


def alerts_check(store: DictStore, **channels: list[str]) -> tuple[bool, str, str]:
    checks = doctor.checks(
        project=Path(),
        outputs=Path(),
        open_store=lambda: store,
        is_begun=lambda: True,
        store=store,
        find_scheduler=lambda: None,
        workspace=None,
        channels=channels,
    )
    found = next(check for check in (look() for look in checks[-1:]) if check.name == "alerts")
    return found.is_fine, found.message, found.hint


def test_the_doctor_sees_addresses_that_nothing_understands_and_messages_that_were_not_sent() -> None:
    store = DictStore()
    assert alerts_check(store) == (True, "no channel", "")
    assert alerts_check(store, ops=["json://here"]) == (True, "ops", "")
    fine, message, hint = alerts_check(store, ops=["json://here", "fax://secret"])
    assert (fine, message) == (False, "Apprise does not understand address 2 of channel 'ops'")
    assert "secret" not in message + hint
    store.tell([full_notice()])
    claim = store.claim_message(now=NOW.replace(year=2027), ttl=NOW - NOW)
    assert claim is not None
    store.put_off_message(replace(claim.message, error="no route"), due=NOW)
    assert alerts_check(store, ops=["json://here"]) == (
        False,
        "1 message could not be sent yet, 0 were given up; the latest, failed/r1/4/ops: no route",
        "Mend the channel, and try it: nbflow alerts test ops",
    )


def test_pruning_can_be_seen_before_it_is_done(nbflow: CommandLine) -> None:
    seen = nbflow("prune", "--dry-run")
    assert (seen.stdout, seen.stderr) == ("nightly: 2 runs, r1 to r2\n", "nothing was removed\n")
    assert nbflow.api.calls == []
    done = nbflow("prune")
    assert done.stderr == "removed 2 runs, and 1 manifest and 3 frozen notebooks that no run needs any more\n"
    assert nbflow.api.asked("prune") == {}
    assert json.loads(nbflow("prune", "--json").stdout) == {"runs": {"nightly": ["r1", "r2"]}, "removed": 2}


def test_a_paused_backfill_says_who_paused_it_and_why(nbflow: CommandLine) -> None:
    reason = "no run can be created: notebooks/load.ipynb does not exist"
    of = a_backfill(id=3, state=BackfillState.PAUSED, changed_at=NOW, changed_by="scheduler", reason=reason)
    progress = BackfillProgress(waiting=2, active=0, ended=1, failed=0, passed=0)
    nbflow.api.backfills = lambda only_active: [  # type: ignore[attr-defined]
        BackfillView(backfill=of, progress=progress),
        BackfillView(backfill=replace(of, id=2, state=BackfillState.DONE), progress=progress),
    ]
    table, *told = " ".join(nbflow("backfill", "list").stdout.split()).split(" backfill ")
    assert table.endswith(
        "3 nightly 2026-03-01 – 2026-03-03 paused 1 of 3 0 ada 2 nightly 2026-03-01 – 2026-03-03 done 1 of 3 0 ada"
    )
    assert told == [f"3 was paused by scheduler ({reason}), and goes on with `nbflow", "resume 3`."]
    [first, _] = json.loads(nbflow("backfill", "list", "--json").stdout)["backfills"]
    assert (first["changed_at"], first["changed_by"], first["reason"]) == (
        "2026-04-01T09:00:00.123Z",
        "scheduler",
        reason,
    )
