"""Files are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbflow.files import make_private, whole_file, write_new, write_whole


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def test_what_ends_half_way_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "notebook.ipynb"
    write_whole(path, "old")

    def pieces() -> Iterator[bytes]:
        yield b"ne"
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        write_whole(path, pieces())
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("notebook.ipynb", "old")]


def test_a_new_file_replaces_none(tmp_path: Path) -> None:
    write_new(tmp_path / "pipeline.yaml", "mine")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "pipeline.yaml", "yours")
    assert [each.read_text() for each in tmp_path.iterdir()] == ["mine"]


def test_a_file_has_the_mode_that_was_asked_for_else_that_of_new_files(tmp_path: Path) -> None:
    for name, mode in {"usual": None, "shared": 0o664, "own": 0o600}.items():
        write_whole(tmp_path / name, "x", mode=mode)
    modes = {each.name: each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}
    assert modes == {"usual": 0o640, "shared": 0o664, "own": 0o600}


def test_a_name_may_be_as_long_as_names_can_be(tmp_path: Path) -> None:
    with whole_file(tmp_path / ("n" * 255)) as file:
        file.write(b"x")
    assert [len(each.name) for each in tmp_path.iterdir()] == [255]


def test_a_private_folder_has_no_open_one_above_it_but_those_that_were_there(tmp_path: Path) -> None:
    there = tmp_path / "project"
    there.mkdir()
    there.chmod(0o755)
    for _ in range(2):
        make_private(there / ".nbflow" / "runs" / "monday")
    modes = {each.name: each.stat().st_mode & 0o777 for each in (there, *there.rglob("*"))}
    assert modes == {"project": 0o755, ".nbflow": 0o700, "runs": 0o700, "monday": 0o700}
