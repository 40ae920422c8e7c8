"""A server whose files are replaced while it serves: it stays whole until it is started again."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nbflow_app

import nbflow

SERVER = """
import sys
from pathlib import Path
import nbflow_app.drawings
from nbflow.api import Role
from nbflow.notebooks.render.styles import page_style
from nbflow_app.frame import ASSETS, Frame, asset
from nbflow_app.visit import Page
from nbflow_app.widgets.looks import script

frame, folder = Frame(), Path(sys.argv[1])
scripts = [each.name for each in (folder / "nbflow_app" / "widgets").glob("*.js")]
for each in folder.rglob("*"):
    if each.suffix in {".html", ".css", ".js", ".svg"}:
        each.write_text("{{ of_the_new_release }}")
page = Page(template="error.html", title="Wrong", data={"code": 404, "message": "no such run", "hint": ""})
said = [frame.render(page), page_style(), script(*scripts), *(asset(name).decode() for name in ASSETS)]
assert "no such run" in said[0]
assert not [each for each in said if "of_the_new_release" in each]
"""


def test_an_upgrade_in_place_gives_old_code_no_new_files(tmp_path: Path) -> None:
    for package in (nbflow, nbflow_app):
        folder = Path(package.__file__).parent
        shutil.copytree(folder, tmp_path / folder.name, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SERVER, str(tmp_path)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
