"""A git repository that nothing of this machine's or this user's settings reaches."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


def begin(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the folder is its first commit."""
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    git(folder, "init", "--quiet", "--initial-branch", "trunk")
    git(folder, "config", "user.name", "Machine")
    git(folder, "config", "user.email", "machine@example.org")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "first")


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(("git", "-C", str(folder), *words), capture_output=True, text=True, check=True)
    return done.stdout.strip()


def hook(folder: Path, script: str) -> None:
    """What git runs before a commit."""
    path = folder / ".git" / "hooks" / "pre-commit"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
