"""Backups: of one moment while work goes on, the same for both databases, restored into nothing."""

from __future__ import annotations

import errno
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from nbflow.backup import TarBackups
from nbflow.errors import Conflict, InvalidInput, Unavailable
from nbflow.model import RunId
from nbflow.run import CancelRequested
from nbflow.states import RunState
from nbflow.stores.copying import dump, load
from nbflow.stores.sql import SqlStore
from nbflow.testing.samples import (
    NOW,
    a_frozen,
    a_run,
    add,
    full_attempt,
    full_change,
    full_notice,
    full_run,
    full_task_run,
    save,
)
from nbflow.testing.scheduling import NIGHTLY, a_backfill, a_skip, a_tick_run, items_of, see, tick_of
from nbflow.testing.store_contract.looking import EXTRACT, everything

Open = Callable[[str], SqlStore]


@pytest.fixture
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens an empty store in SQLite or PostgreSQL."""
    opened: list[SqlStore] = []

    def new(kind: str) -> SqlStore:
        if kind == "postgres":
            server = request.getfixturevalue("postgres")
            url = server.url(server.new_database())
        else:
            url = f"sqlite:///{tmp_path}/{len(opened)}/nbflow.db"
        opened.append(SqlStore(url))
        return opened[-1]

    yield new
    for each in opened:
        each.close()


def filled(store: SqlStore) -> SqlStore:
    """One of everything."""
    frozen = a_frozen("extract", "load", text="name: nightly\n")
    lease = add(store, full_run(frozen), frozen)
    attempt = full_attempt("r1", "extract")
    change = full_change("r1", EXTRACT)
    save(store, lease, tasks=[full_task_run(EXTRACT)], attempts=[attempt], changes=[change], notices=[full_notice()])
    store.release(lease)
    store.ask(RunId("r1"), CancelRequested(by="ada"), now=NOW)
    leader = see(store)
    store.fire(leader, NIGHTLY, cursor=tick_of(1), runs=[a_tick_run(run="t1")], skips=[a_skip(2)], now=NOW)
    store.add_backfill(a_backfill(), items_of(a_backfill()))
    store.resign(leader)
    return store


def backups(store: SqlStore, folder: Path) -> TarBackups:
    return TarBackups(lambda: store.database, folder / "runs", folder / "frozen")


def log_of(folder: Path, run: str) -> Path:
    path = folder / "runs" / "nightly" / run / "extract" / "1" / "notebook.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{{"run": "{run}"}}')
    return path


KINDS = ["sqlite", "postgres"]


def test_a_log_that_may_not_be_read_is_named(new_store: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user made it, as by `sudo nbflow run`."""
    foreign, opening = log_of(tmp_path, "r1"), Path.open

    def refuse(path: Path, *about: Any, **more: Any) -> Any:
        if path == foreign:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opening(path, *about, **more)

    monkeypatch.setattr(Path, "open", refuse)
    file = tmp_path / "backup.tar.gz"
    with pytest.raises(Unavailable) as caught:
        backups(filled(new_store("sqlite")), tmp_path).write(file)
    assert caught.value.message == f"{foreign} cannot be read: Permission denied"
    assert not file.exists()


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("source", KINDS)
def test_every_row_and_every_file_comes_back_on_either_database(
    new_store: Open, tmp_path: Path, source: str, target: str
) -> None:
    before, after = filled(new_store(source)), new_store(target)
    log_of(tmp_path / "a", "r1")
    (tmp_path / "a" / "frozen").mkdir()
    (tmp_path / "a" / "frozen" / "abc.ipynb").write_text("{}")
    file = tmp_path / "backup.tar.gz"
    written = backups(before, tmp_path / "a").write(file)
    assert (written.runs, written.attempts, written.files) == (2, 1, 2)
    assert file.stat().st_mode & 0o777 == 0o600
    assert backups(after, tmp_path / "b").restore(file) == written
    assert everything(after) == everything(before)
    assert (
        log_of(tmp_path / "a", "r1").read_text()
        == (tmp_path / "b" / "runs" / "nightly" / "r1" / "extract" / "1" / "notebook.ipynb").read_text()
    )
    assert (tmp_path / "b" / "frozen" / "abc.ipynb").exists()
    restored = [each for each in (tmp_path / "b").rglob("*") if each.is_dir()]
    assert {each.stat().st_mode & 0o777 for each in restored} == {0o700}
    add(after, "next")  # numbers go on where they were
    after.ask(RunId("next"), CancelRequested(by="ada"), now=NOW)
    assert len(after.changes(0)) > len(before.changes(0))


def test_a_backup_under_load_is_of_one_moment(new_store: Open, tmp_path: Path) -> None:
    """While another thread adds runs with an attempt and a change each."""
    store, stop = new_store("sqlite"), Event()
    frozen = a_frozen("extract")

    def work() -> None:
        number = 0
        while not stop.is_set():
            made = a_run(f"r{number:05}", frozen, created_at=NOW + timedelta(seconds=number))
            lease = add(store, made, frozen)
            attempt = replace(full_attempt(made.id, "extract"), token=f"token-{made.id}", number=1)
            save(store, lease, run={"state": RunState.SUCCESS, "ended_at": NOW}, attempts=[attempt])
            log_of(tmp_path / "a", made.id)
            number += 1

    working = Thread(target=work)
    working.start()
    try:
        for at in range(5):
            while len(store.list_runs(limit=1000)) < 20 * (at + 1):
                pass
            file = tmp_path / f"{at}.tar.gz"
            written = backups(store, tmp_path / "a").write(file)
            restored = new_store("sqlite")
            assert backups(restored, tmp_path / f"b{at}").restore(file) == written
            runs = restored.list_runs(limit=10_000)
            assert [run.id for run in runs][::-1] == [f"r{number:05}" for number in range(len(runs))]
            for run in runs:
                assert len(restored.attempts(run.id)) == run.version  # never one without the other
    finally:
        stop.set()
        working.join()


def test_nobody_owns_a_run_or_leads_after_a_restore(new_store: Open, tmp_path: Path) -> None:
    store, restored = new_store("sqlite"), new_store("sqlite")
    add(store, "r1")
    see(store)
    backups(store, tmp_path).write(tmp_path / "backup.tar.gz")
    backups(restored, tmp_path).restore(tmp_path / "backup.tar.gz")
    assert (restored.owned(), restored.leader()) == ([], None)
    assert restored.claim(RunId("r1"), "another", now=NOW, ttl=timedelta(seconds=1)).epoch == 2


def test_only_an_empty_database_is_filled_and_only_from_a_whole_backup(new_store: Open, tmp_path: Path) -> None:
    store, file, log = filled(new_store("sqlite")), tmp_path / "backup.tar.gz", log_of(tmp_path, "r1")
    backups(store, tmp_path).write(file)
    before = everything(store)
    log.write_text("written since")
    with pytest.raises(Conflict, match="is not empty"):
        backups(store, tmp_path).restore(file)
    assert everything(store) == before
    assert log.read_text() == "written since"
    with pytest.raises(InvalidInput, match="exists already"):
        backups(store, tmp_path).write(file)
    file.write_bytes(file.read_bytes()[:-200])
    empty = new_store("sqlite")
    with pytest.raises(InvalidInput, match="is no backup that can be read"):
        backups(empty, tmp_path).restore(file)
    assert empty.list_runs() == []


def test_a_restore_writes_nothing_beside_the_backup(new_store: Open, tmp_path: Path) -> None:
    """It may lie on a medium that can only be read."""
    (tmp_path / "medium").mkdir()
    file = tmp_path / "medium" / "backup.tar.gz"
    backups(filled(new_store("sqlite")), tmp_path / "one").write(file)
    before = (tmp_path / "medium").stat().st_mtime_ns
    backups(new_store("sqlite"), tmp_path / "other").restore(file)
    assert (tmp_path / "medium").stat().st_mtime_ns == before


def test_a_backup_writes_nowhere_but_where_it_may(new_store: Open, tmp_path: Path) -> None:
    file = tmp_path / "evil.tar"
    with tarfile.open(file, "w") as tar:
        tar.addfile(tarfile.TarInfo("outputs/../../evil"))
    with pytest.raises(InvalidInput, match="is no backup"):
        backups(new_store("sqlite"), tmp_path / "deep" / "er").restore(file)
    assert not (tmp_path / "evil").exists()
    assert not (tmp_path / "deep" / "evil").exists()


FIRST = {"manifests", "frozen_pipelines", "runs", "task_runs", "attempts", "changes", "requests"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_of_the_first_revision_is_brought_up_to_date_with_its_rows(new_store: Open, kind: str) -> None:
    """Every revision in between is passed with rows in."""
    store = filled(new_store("sqlite"))
    rows: dict[str, list[Mapping[str, Any]]] = {}
    dump(store.database, lambda name, columns, found: rows.update({name: [dict(zip(columns, row)) for row in found]}))  # noqa: B905
    later = {"runs": {"alerted_at"}, "changes": {"backfill"}}

    def of_old(table: str) -> list[Mapping[str, Any]]:
        found = rows[table] if table in FIRST else []
        found = [row for row in found if table != "changes" or row["run"] is not None]
        return [{name: value for name, value in row.items() if name not in later.get(table, ())} for row in found]

    target = new_store(kind)
    load(target.database, "0001", of_old)
    assert [run.id for run in target.list_runs()] == [run.id for run in store.list_runs()]
    assert target.attempts(RunId("r1")) == store.attempts(RunId("r1"))
    loaded = target.load(RunId("r1"))
    assert replace(loaded.run, alerted_at=store.load(RunId("r1")).run.alerted_at) == store.load(RunId("r1")).run
