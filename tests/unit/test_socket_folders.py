"""Short, private folders for sockets: made, trusted only if they are ours alone, removed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nbflow.errors import Unavailable
from nbflow.notebooks import sockets

TOKEN = "0123456789abcdef0123"


@pytest.fixture
def root(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose name is short enough, in place of all that this machine's users share."""
    short = tmp_path_factory.mktemp("s")
    monkeypatch.setattr(sockets, "_roots", lambda: (str(short),))
    return short


def test_a_folder_is_made_and_removed(root: Path) -> None:
    folder = sockets.make(TOKEN)
    assert folder == root / f"nbflow-{os.getuid()}" / TOKEN[:12]
    assert folder.stat().st_mode & 0o777 == folder.parent.stat().st_mode & 0o777 == 0o700
    (folder / "kernel-1").touch()
    assert sockets.make(TOKEN) == folder
    assert list(folder.iterdir()) == []
    sockets.remove(TOKEN)
    sockets.remove(TOKEN)
    assert not folder.exists()


@pytest.mark.parametrize("token", ["", "../../etc", ".", "a/b"])
def test_a_token_is_a_name(root: Path, token: str) -> None:
    with pytest.raises(ValueError, match="no token"):
        sockets.remove(token)


def test_a_folder_that_others_can_enter_is_refused(root: Path) -> None:
    home = root / f"nbflow-{os.getuid()}"
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    with pytest.raises(Unavailable, match="not a folder that only this user can enter"):
        sockets.make(TOKEN)
    (home / TOKEN[:12]).mkdir()
    sockets.remove(TOKEN)
    assert (home / TOKEN[:12]).exists()


def test_where_somebody_else_has_the_name_another_place_is_taken(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("o")
    monkeypatch.setattr(sockets, "_roots", lambda: (str(root), str(other)))
    (root / f"nbflow-{os.getuid()}").write_text("a file, for instance")
    assert sockets.make(TOKEN).is_relative_to(other)
    assert sockets.places(TOKEN) == [other / f"nbflow-{os.getuid()}" / TOKEN[:12]]


def test_a_link_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (root / f"nbflow-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unavailable):
        sockets.make(TOKEN)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_file_in_the_way(root: Path) -> None:
    (root / f"nbflow-{os.getuid()}").write_text("")
    with pytest.raises(Unavailable):
        sockets.make(TOKEN)


def test_long_paths_are_passed_over(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = root / ("x" * 90)
    long.mkdir()
    monkeypatch.setattr(sockets, "_roots", lambda: ("", "/nowhere", str(long), str(root)))
    folder = sockets.make(TOKEN)
    assert folder.parent.parent == root
    assert len(os.fsencode(folder / "kernel-5")) <= sockets.LONGEST
