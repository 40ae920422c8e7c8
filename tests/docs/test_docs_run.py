"""The commands and manifests that the documentation shows are run as they stand."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nbflow import manifest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[tuple[str, str]]:
    """The options and the text of each fenced block in that language."""
    return [(about.strip(), text) for found, about, text in BLOCK.findall(page.read_text()) if found == language]


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "quickstart.md"], ids=lambda page: page.name)
def test_every_command_works_in_order(page: Path, tmp_path: Path) -> None:
    folder = tmp_path
    for about, text in blocks(page, "console"):
        expected = int(about.removeprefix("expect=") or 0)
        for line in text.replace("&&", "\n").strip().splitlines():
            words = shlex.split(line, comments=True)
            if words[0] in {"make", "pip"}:  # they set up what runs this test
                continue
            if words[0] == "cd":
                folder = folder / words[1]
                continue
            assert words[0] == "nbflow", line
            done = subprocess.run(
                [sys.executable, "-m", *words], cwd=folder, env=os.environ, capture_output=True, text=True, check=False
            )
            assert done.returncode == expected, f"{line}\n{done.stdout}\n{done.stderr}"


MANIFESTS = [
    pytest.param(text, id=f"{page.name}-{at}")
    for page in PAGES
    for at, (_, text) in enumerate(blocks(page, "yaml"))
    if text.startswith("name:")
]


@pytest.mark.parametrize("text", MANIFESTS)
def test_every_manifest_that_the_documentation_shows_is_valid(text: str) -> None:
    pipeline, problems = manifest.check(text)
    assert not problems
    assert pipeline is not None


LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_is_broken(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []
