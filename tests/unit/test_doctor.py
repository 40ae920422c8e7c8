"""Checks of an installation that is not as it should be."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from nbflow import doctor
from nbflow.api import Check, SchedulerView
from nbflow.errors import Unavailable
from nbflow.settings import Settings
from nbflow.testing.dict_store import DictStore
from nbflow.wiring import later
from nbflow.workspace import FolderWorkspace


class Store(DictStore):
    """Whether it can be written is not known before it is tried."""

    trouble: Unavailable | None = None

    def try_to_write(self) -> None:
        if self.trouble:
            raise self.trouble


def look(
    project: Path,
    open_store: Callable[[], Any] = Store,
    scheduler: SchedulerView | None = None,
    place: str | None = None,
    *,
    is_begun: bool = True,
) -> dict[str, Check]:
    """Every finding by its name."""
    workspace = FolderWorkspace(project, Settings())
    looks = doctor.checks(
        project=project,
        outputs=project / ".nbflow/runs",
        open_store=open_store,
        is_begun=lambda: is_begun,
        store=later(open_store),
        find_scheduler=lambda: scheduler,
        workspace=workspace,
        find_place=lambda: place,
    )
    found = [each() for each in looks]
    assert len({each.name for each in found}) == len(found)
    return {each.name: each for each in found}


@pytest.fixture
def python3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Installs a kernel `python3` that goes before the real one."""

    def install(*argv: str) -> Path:
        spec = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"
        spec.parent.mkdir(parents=True)
        spec.write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}))
        monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
        return spec.parent

    return install


def test_all_is_fine_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    found = look(tmp_path)
    assert [each.name for each in found.values() if not each.is_fine] == []


@pytest.mark.parametrize(("seconds", "said"), [(600, "10 min behind"), (-61, "61 s ahead of"), (2, "")])
def test_a_clock_that_differs_from_the_database_s_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: int, said: str
) -> None:
    store = Store()
    monkeypatch.setattr(store, "now", lambda local: local + timedelta(seconds=seconds))
    found = look(tmp_path, lambda: store)["clock"]
    assert found.is_fine == (not said)
    assert not said or found.message == f"{said} the database's"


@pytest.mark.parametrize("folder", [".nbflow", ".nbflow/engines", ".nbflow/frozen"])
def test_a_folder_of_nbflow_that_somebody_else_owns_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != tmp_path / folder)
    found = look(tmp_path)["project folder"]
    assert (found.is_fine, found.message) == (False, f"{tmp_path / folder} is not writable")
    assert found.hint == "Change its owner or mode."


@pytest.mark.parametrize(("folder", "name"), [(".nbflow", "project folder"), (".nbflow/runs", "outputs folder")])
def test_a_folder_that_others_can_look_into_is_a_finding(folder: str, name: str) -> None:
    with TemporaryDirectory(dir="/tmp") as made:  # where everybody can look, unlike in pytest's own
        project = Path(made)
        project.chmod(0o755)
        (project / folder).mkdir(parents=True)
        for each in (project / folder, project / ".nbflow"):
            each.chmod(0o751)
        found = look(project)[name]
        said = f"other users of this machine can look into {project / folder}, where executed notebooks and keys lie"
        assert (found.is_fine, found.message) == (False, said)
        assert found.hint == f"Close it: chmod o-rwx {project / folder}"
        (project / folder).chmod(0o750)
        assert look(project)[name].is_fine
        (project / folder).chmod(0o751)
        project.chmod(0o700)
        assert look(project)[name].is_fine


def test_the_project_folder_says_what_engines_call_it(tmp_path: Path) -> None:
    assert look(tmp_path)["project folder"].message == str(tmp_path)
    assert look(tmp_path, place="web-1:3f9a1c")["project folder"].message == f"{tmp_path}, known as web-1:3f9a1c"


def test_a_store_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    found = look(tmp_path, is_begun=False)["database"]
    assert (found.is_fine, found.message) == (True, "none yet; the first run makes it")


def test_a_store_that_is_away_is_a_finding_with_its_hint(tmp_path: Path) -> None:
    def away() -> object:
        raise Unavailable("it does not answer", hint="Start it.")

    assert look(tmp_path, away)["database"] == Check(
        name="database", is_fine=False, message="it does not answer", hint="Start it."
    )


def test_a_store_that_can_be_read_and_not_written_is_a_finding(tmp_path: Path) -> None:
    store = Store()
    store.trouble = Unavailable("it is locked", hint="Another process holds it.")
    found = look(tmp_path, lambda: store)["database"]
    assert found == Check(name="database", is_fine=False, message="it is locked", hint="Another process holds it.")


def test_what_nobody_expected_is_a_finding_and_hides_no_other(tmp_path: Path) -> None:
    def odd() -> object:
        raise RuntimeError("odd")

    found = look(tmp_path, odd)
    assert found["database"] == Check(name="database", is_fine=False, message="RuntimeError: odd")
    assert found["kernels"].is_fine


def test_a_kernel_whose_interpreter_was_removed(tmp_path: Path, python3: Callable[..., Path]) -> None:
    folder = python3("/nowhere/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}")
    found = look(tmp_path)["kernels"]
    assert not found.is_fine
    assert found.message == f"/nowhere/bin/python: No such file or directory, says {folder}"
    assert found.hint.startswith("Remove that folder, or: ")


def test_an_interpreter_without_ipykernel(tmp_path: Path, python3: Callable[..., Path]) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'ipykernel'\" >&2\nexit 1\n")
    program.chmod(0o755)
    python3(str(program), "-m", "ipykernel_launcher")
    found = look(tmp_path)["kernels"]
    assert found.message == f"{program}: ModuleNotFoundError: No module named 'ipykernel'"
    assert found.hint == f"{program} -m pip install ipykernel"


def test_secrets_that_others_can_read(tmp_path: Path) -> None:
    secrets = tmp_path / ".nbflow" / "secrets.toml"
    secrets.parent.mkdir()
    secrets.touch(0o644)
    assert look(tmp_path)["secrets"].hint == f"chmod 600 {secrets}"
    secrets.chmod(0o600)
    assert look(tmp_path)["secrets"].is_fine


def test_secrets_that_no_task_could_read(tmp_path: Path) -> None:
    secrets = tmp_path / ".nbflow" / "secrets.toml"
    secrets.parent.mkdir()
    secrets.touch(0o600)
    secrets.write_text("stripe_key =")
    found = look(tmp_path)["secrets"]
    assert not found.is_fine
    assert found.message.startswith(f"{secrets}: it cannot be read: Invalid value")


def test_secrets_as_an_editor_of_windows_writes_them(tmp_path: Path) -> None:
    secrets = tmp_path / ".nbflow" / "secrets.toml"
    secrets.parent.mkdir()
    secrets.touch(0o600)
    secrets.write_text('stripe_key = "sk_live_1"\r\n', encoding="utf-8-sig")
    assert look(tmp_path)["secrets"].is_fine


def test_a_manifest_that_cannot_be_used(tmp_path: Path) -> None:
    manifest = tmp_path / "notebooks" / "pipeline.yaml"
    manifest.parent.mkdir()
    manifest.write_text("name: P\n")
    found = look(tmp_path)["pipelines"]
    assert (found.message, found.hint) == (f"cannot be used: {manifest}", "nbflow validate")


@pytest.mark.parametrize(
    ("is_alive", "silence", "is_fine", "message"),
    [
        (True, None, True, "scheduler@host.7.abc leads"),
        (True, timedelta(seconds=51), False, "scheduler@host.7.abc gave its last sign of life 51 s ago"),
        (False, None, False, "scheduler@host.7.abc is gone without a word, last seen 2026-04-01 09:00 UTC"),
    ],
)
def test_who_leads_is_a_finding(
    tmp_path: Path, is_alive: bool, silence: timedelta | None, is_fine: bool, message: str
) -> None:
    at = datetime(2026, 4, 1, 9, tzinfo=UTC)
    scheduler = SchedulerView(engine="scheduler@host.7.abc", expires=at, is_alive=is_alive, silence=silence)
    found = look(tmp_path, scheduler=scheduler)["scheduler"]
    assert (found.is_fine, found.message) == (is_fine, message)
