"""Draw docs/pictures/run.svg from a real run of a shipped pipeline. `make picture`; a test compares it with a run."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from nbflow import graph
from nbflow.cli.picture import draw, rows_to_show
from nbflow.cli.report import print_end
from nbflow.cli.words import shell
from nbflow.wiring import open_project

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docs" / "pictures" / "run.svg"
WORDS = ("run", "black_friday", "--date", "2026-11-28", "-p", "fail_in=join")  # the day after Black Friday
WIDTH = 116

FORMAT = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: DejaVu Sans Mono, Menlo, Consolas, monospace; font-size: {char_height}px; line-height: {line_height}px;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""Rich's own without the font that it would fetch from somewhere."""


def picture(project: Path) -> str:
    """What `nbflow run` shows on a terminal of the latest run in a project, as SVG; the project is called ~/shop."""
    console = Console(
        record=True, file=io.StringIO(), force_terminal=True, width=WIDTH, markup=False, highlight=False, emoji=False
    )
    console.print(f"$ nbflow {shell(*WORDS)}")
    with open_project(project) as live:
        view, progress = live.api.status("latest"), live.api.progress
    shown = {attempt: Path("~/shop") / path.relative_to(project) for attempt, path in view.notebooks.items()}
    view = replace(view, notebooks=shown)
    began = view.run.started_at or view.run.created_at
    rows = rows_to_show(view.stored, graph.order(view.stored.pipeline.tasks), len(view.tasks))
    console.print(draw(view.stored, rows, progress, {}, datetime.now(UTC)))
    console.print()
    print_end(console, view, lambda *words: shell("nbflow", *words), began)
    return console.export_svg(title="", code_format=FORMAT, unique_id="run")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "shop"
        ignored = shutil.ignore_patterns("data", "published", "__pycache__", ".ipynb_checkpoints")
        shutil.copytree(ROOT / "notebooks", project / "notebooks", ignore=ignored)
        shutil.copy(ROOT / "nbflow.toml", project)
        subprocess.run([sys.executable, "-m", "nbflow", *WORDS], cwd=project, check=False)  # fails, as it is asked to
        FILE.write_text(picture(project), encoding="utf-8")


if __name__ == "__main__":
    main()
