"""Commits of one file, with a real git: what goes in, and that nothing is lost where it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from repository import begin, git, hook

from nbflow.errors import Unavailable
from nbflow.git import Git


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("pipeline.yaml", "other.txt"):
        (folder / name).write_text("one\n")
    begin(folder, monkeypatch)
    return folder


@pytest.fixture(params=["pipeline.yaml", "new.yaml", "*.yaml"])
def changed(request: pytest.FixtureRequest, repository: Path) -> Iterator[Path]:
    """A file with a change, beside others that were changed and staged by somebody."""
    path = repository / request.param
    path.write_text("two\n")
    (repository / "other.txt").write_text("theirs\n")
    (repository / "staged.txt").write_text("theirs\n")
    git(repository, "add", "staged.txt")
    return path


def test_only_this_file_is_committed(repository: Path, changed: Path) -> None:
    called = Git().commit(changed, "-m: later\n\nbecause", "ada")
    assert called == git(repository, "rev-parse", "--short", "HEAD")
    assert git(repository, "show", "--name-only", "--format=", "HEAD") == changed.name
    assert git(repository, "show", "--no-patch", "--format=%B", "HEAD") == "-m: later\n\nbecause\n\nEdited-by: ada"
    assert "A  staged.txt" in git(repository, "status", "--short")
    assert "M other.txt" in git(repository, "status", "--short")


def test_a_hook_that_refuses_changes_nothing(repository: Path, changed: Path) -> None:
    before, head = git(repository, "status", "--short"), git(repository, "rev-parse", "HEAD")
    hook(repository, "echo 'no yaml on a Friday' >&2; exit 1")
    with pytest.raises(Unavailable, match="git commit was refused: no yaml on a Friday"):
        Git().commit(changed, "m", "ada")
    assert (git(repository, "status", "--short"), git(repository, "rev-parse", "HEAD")) == (before, head)
    assert changed.read_text() == "two\n"


def test_a_hook_that_never_ends_is_ended(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbflow.git.PATIENCE", 1.0)
    hook(repository, "sleep 1000")
    (repository / "pipeline.yaml").write_text("two\n")
    with pytest.raises(Unavailable, match="did not end within 1 s"):
        Git().commit(repository / "pipeline.yaml", "m", "ada")


def test_where_nothing_is_changed_git_says_so(repository: Path) -> None:
    with pytest.raises(Unavailable, match="git commit was refused"):
        Git().commit(repository / "pipeline.yaml", "m", "ada")


def test_the_branch_is_named(repository: Path, tmp_path: Path) -> None:
    assert Git().branch(repository / "pipeline.yaml") == "trunk"
    git(repository, "checkout", "--quiet", "--detach")
    assert Git().branch(repository / "pipeline.yaml") == "a detached HEAD"
    (repository / ".gitignore").write_text("secret.yaml\n")
    (repository / "secret.yaml").write_text("")
    assert Git().branch(repository / "secret.yaml") is None
    assert Git().branch(tmp_path / "home" / "pipeline.yaml") is None
    (tmp_path / "home").mkdir()
    assert Git().branch(tmp_path / "home" / "pipeline.yaml") is None


def test_without_git_nothing_is_offered_and_it_is_said(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert Git().branch(repository / "pipeline.yaml") is None
    with pytest.raises(Unavailable, match="git cannot be started"):
        Git().commit(repository / "pipeline.yaml", "m", "ada")
