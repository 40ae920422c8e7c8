"""The scripts that outputs of notebooks need, as files of this machine; nothing is loaded from elsewhere."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tornado.web import RequestHandler

from nbflow.errors import InvalidInput
from nbflow.notebooks import kernelspecs

PLOTLY = Path("plotly/package_data/plotly.min.js")
"""Where the Python package has its script."""


def plotly_script(panel: Path) -> Path | None:
    """Plotly's script: of the packages that draw, whose version fits, else the one in `panel`, Panel's own files."""
    bundled = sorted((panel / "bundled" / "plotlyplot").glob("plotly-*.min.js"), reverse=True)
    return next((path for path in (*_installed(), *bundled) if path.is_file()), None)


def _installed() -> Iterator[Path]:
    """Of the kernels' environments, then of this one."""
    for name in kernelspecs.installed():
        try:
            program = Path(kernelspecs.interpreter_of(kernelspecs.find_spec(name)))
        except InvalidInput:
            continue
        for packages in sorted(program.parent.parent.glob("lib/python3*/site-packages")):
            yield packages / PLOTLY
    if (found := find_spec("plotly")) and found.origin:
        yield Path(found.origin).parents[1] / PLOTLY


class LibraryHandler(RequestHandler):
    """One script, packed once: no two frames share what a browser keeps, so that each asks for it anew."""

    role = None

    def initialize(self, path: Path) -> None:
        self._path = path

    async def get(self) -> None:
        takes_packed = "gzip" in self.request.headers.get("Accept-Encoding", "")
        content = await asyncio.to_thread(_packed if takes_packed else Path.read_bytes, self._path)
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")
        self.set_header("Vary", "Accept-Encoding")
        if takes_packed:
            self.set_header("Content-Encoding", "gzip")
        self.finish(content)


@cache
def _packed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), compresslevel=6)
