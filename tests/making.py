"""Projects on disk for tests: notebooks from a few lines of code, manifests from a few of YAML."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook


def write_notebook(path: Path, *cells: str, parameters: str = "") -> Path:
    """A Python notebook: a title, a `parameters` cell if asked for, and a cell a text. Code starts at cell 2 or 3."""
    built = [new_markdown_cell(f"# {path.stem}")]
    if parameters:
        built.append(new_code_cell(textwrap.dedent(parameters), metadata={"tags": ["parameters"]}))
    built += [new_code_cell(textwrap.dedent(cell).strip()) for cell in cells]
    for at, cell in enumerate(built):
        cell["id"] = f"cell-{at}"
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = new_notebook(cells=built, metadata={"kernelspec": kernelspec, "language_info": {"name": "python"}})
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def write_manifest(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pipeline.yaml"
    path.write_text(textwrap.dedent(text))
    return path


PATIENCE = 100.0
"""Seconds until a test gives up: a busy machine takes long for what is quick elsewhere.

Notebooks that shall be killed sleep for ten minutes, so that none of them ends by itself meanwhile;
what would like to stay where it must not lives longer than this as well.
"""


class Project:
    """A project folder, and the command line run in it as a user would."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".nbflow").mkdir(exist_ok=True)
        self.env = {**os.environ, "NBFLOW_EXECUTOR_SLOTS": "2", **env}

    def pipeline(self, name: str, manifest: str, **notebooks: str | tuple[str, ...]) -> Path:
        folder = self.folder / "notebooks" / name
        write_manifest(folder, manifest)
        for notebook, cells in notebooks.items():
            write_notebook(folder / f"{notebook}.ipynb", *([cells] if isinstance(cells, str) else cells))
        return folder

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "nbflow", *words]

    def nbflow(self, *words: str, timeout: float = 600, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env={**self.env, **env},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def json(self, *words: str, code: int = 0, timeout: float = 600, **env: str) -> Any:
        """What the command prints with `--json`; its exit code must be `code`."""
        done = self.nbflow(*words, "--json", timeout=timeout, **env)
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def spawn(self, *words: str, **env: str) -> subprocess.Popen[str]:
        """Start a command in a session of its own; the caller ends it.

        What commands say before the next one starts is in `nbflow.stderr`. All append to it: none writes over another.
        """
        messages_of_all = self.folder / "nbflow.stderr"
        messages_of_all.write_text("")
        with messages_of_all.open("a") as messages:
            return subprocess.Popen(
                self.command(*words),
                cwd=self.folder,
                env={**self.env, **env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=messages,
                text=True,
                start_new_session=True,
            )


def free_port() -> int:
    """A port that nobody listens on, below those that the system gives to whoever asks for any before it is used."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def states(document: Mapping[str, Any]) -> dict[str, str]:
    """Task → state, of what `run`, `rerun` and `status` print."""
    return {task["id"]: task["state"] for task in document["tasks"]}


def eventually(holds: Callable[[], Any], within: float = PATIENCE) -> Any:
    """The first true answer; fails after `within` seconds."""
    deadline = time.monotonic() + within
    while not (answer := holds()):
        assert time.monotonic() < deadline, f"not within {within} s: {holds}"
        time.sleep(0.02)
    return answer


def kill(pid: int) -> None:
    """`kill -9` of a process that may be gone already."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
