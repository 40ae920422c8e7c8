"""What a kernel is given, and where secrets come from."""

from __future__ import annotations

from pathlib import Path

import pytest
from attempts import Attempt, notebook

from nbflow.errors import InvalidInput
from nbflow.notebooks.environment import kernel_environment, read_secrets


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".nbflow").mkdir()
    return tmp_path


def secrets_file(project: Path, text: str, mode: int = 0o600) -> dict[str, str]:
    file = project / ".nbflow" / "secrets.toml"
    file.write_text(text)
    file.chmod(mode)
    return {"NBFLOW_PROJECT": str(project)}


def test_the_environment_of_a_kernel(tmp_path: Path) -> None:
    order = Attempt(tmp_path, notebook(), env={"PATH": "/own", "REGION": "emea"}, number=4).order
    inherited = {"PATH": "/bin", "HOME": "/home/ana", "NBFLOW_PROJECT": "/project", "NBFLOW_SECRET_KEY": "s3cret"}
    assert kernel_environment(order, inherited, {"KEY": "s3cret"}) == {
        "PATH": "/own", "HOME": "/home/ana", "REGION": "emea", "KEY": "s3cret",
        "NBFLOW_RUN_ID": "r1", "NBFLOW_RUN_DATE": "2026-04-01", "NBFLOW_TASK": "clean", "NBFLOW_ATTEMPT": "4",
        "NBFLOW_ATTEMPT_TOKEN": order.token,
    }  # fmt: skip


def test_a_secret_comes_from_the_environment_first(project: Path) -> None:
    inherited = {**secrets_file(project, 'stripe-key = "from the file"'), "NBFLOW_SECRET_STRIPE_KEY": "from outside"}
    assert read_secrets({"KEY": "stripe-key"}, inherited) == {"KEY": "from outside"}
    del inherited["NBFLOW_SECRET_STRIPE_KEY"]
    assert read_secrets({"KEY": "stripe-key", "SAME": "stripe-key"}, inherited) == {
        "KEY": "from the file",
        "SAME": "from the file",
    }


def test_no_secret_no_file() -> None:
    assert read_secrets({}, {"NBFLOW_PROJECT": "/nowhere"}) == {}


@pytest.mark.parametrize(
    ("text", "mode", "complaint"),
    [
        ("", 0o600, r"the secret 'key' is not there. Set NBFLOW_SECRET_KEY, or write it into"),
        ('key = ""', 0o600, "the secret 'key' is not there"),
        ("key = 12345678", 0o600, "the secret 'key' is no text"),
        ('key = "abc"', 0o600, "the secret 'key' has fewer than 4 characters"),
        ('key = "s3cret"', 0o640, r"secrets\.toml: others could read it.*chmod 600"),
        ('key = "s3cret"', 0o604, r"secrets\.toml: others could read it.*chmod 600"),
        ("key = s3cret", 0o600, r"secrets\.toml: it cannot be read: Invalid value"),
    ],
)
def test_secrets_that_are_refused(project: Path, text: str, mode: int, complaint: str) -> None:
    inherited = secrets_file(project, text, mode)
    with pytest.raises(InvalidInput, match=complaint) as refusal:
        read_secrets({"KEY": "key"}, inherited)
    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize("inherited", [{}, {"NBFLOW_PROJECT": "/nowhere"}])
def test_without_a_project_or_a_file(inherited: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="the secret 'key' is not there"):
        read_secrets({"KEY": "key"}, inherited)
