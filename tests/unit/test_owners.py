"""Engines prove that they live by locks on files; what killed ones left is swept."""

from __future__ import annotations

import fcntl
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nbflow.model import RunId
from nbflow.owners import LockedOwners
from nbflow.ports import Lease
from nbflow.testing.samples import NOW


def lease(engine: str) -> Lease:
    return Lease(run=RunId("r1"), engine=engine, epoch=1, expires=NOW + timedelta(seconds=15))


def names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.lock"))


def test_an_engine_is_alive_as_long_as_its_lock_is_held(tmp_path: Path) -> None:
    mine, others = LockedOwners(tmp_path), LockedOwners(tmp_path)
    engine = mine.new_name("run")
    mine.hold(engine)
    assert mine.is_alive(lease(engine), NOW)
    assert others.is_alive(lease(engine), NOW + timedelta(days=1))
    mine.close()
    assert not others.is_alive(lease(engine), NOW)
    assert names(tmp_path) == []


def test_a_folder_that_somebody_else_owns_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "glob", refuse)
    LockedOwners(tmp_path).close()


def test_of_one_whose_lock_cannot_be_looked_at_the_time_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is another user's, as of `sudo nbflow run`; or no descriptor is left."""
    owners = LockedOwners(tmp_path)
    held = lease(owners.new_name("run"))

    def refuse(*_: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "open", refuse)
    assert owners.is_alive(held, NOW)
    assert not owners.is_alive(held, held.expires)


def test_of_engines_elsewhere_the_time_tells(tmp_path: Path) -> None:
    owners, away = LockedOwners(tmp_path), lease("scheduler@another-host.1.abcdef")
    assert owners.is_alive(away, NOW)
    assert not owners.is_alive(away, away.expires)


def test_a_copy_of_the_folder_and_a_machine_of_the_same_name_are_other_places(tmp_path: Path) -> None:
    """What lives there holds no lock here, and is not taken for dead."""
    here, again, elsewhere = (LockedOwners(tmp_path / name) for name in ("here", "here", "elsewhere"))
    assert here.place == again.place != elsewhere.place
    shutil.copytree(tmp_path / "here", tmp_path / "copy")
    copy = LockedOwners(tmp_path / "copy")
    held = lease(here.new_name("scheduler"))
    here.hold(held.engine)
    for other in (copy, elsewhere, LockedOwners(tmp_path / "nobody was here")):
        assert other.is_alive(held, NOW)
        assert not other.is_alive(held, held.expires)
    assert again.is_alive(held, held.expires)
    assert not (tmp_path / "nobody was here").exists()
    here.close()


def test_a_folder_is_one_place_whoever_comes_first(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        places = set(threads.map(lambda _: LockedOwners(tmp_path).place, range(50)))
    assert len(places) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_the_files_of_killed_engines_are_swept_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    mine, others = LockedOwners(tmp_path), LockedOwners(tmp_path)
    engine = others.new_name("run")
    others.hold(engine)
    (tmp_path / "scheduler@host.1.abcdef.lock").touch()
    mine.hold(mine.new_name("run"))
    mine.close()
    assert names(tmp_path) == [engine]
    others.close()


def test_an_engine_whose_file_is_swept_before_it_is_locked_makes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners = LockedOwners(tmp_path)
    engine = owners.new_name("run")
    flock, sweeps = fcntl.flock, [tmp_path / f"{engine}.lock"]

    def swept_first(*about: Any) -> None:
        if sweeps:
            sweeps.pop().unlink()
        flock(*about)

    monkeypatch.setattr(fcntl, "flock", swept_first)
    owners.hold(engine)
    assert LockedOwners(tmp_path).is_alive(lease(engine), NOW)
    owners.close()
