"""The demo: the shipped pipelines in a folder of their own, a few runs of them, and the app to look at it all."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from nbflow.cli.serving import PANEL, Host, Port, up
from nbflow.cli.session import Session, command
from nbflow.errors import InvalidInput, MissingExtra

if TYPE_CHECKING:
    from nbflow.api import Api

PACKAGE = Path(__file__).parents[1]
MADE_BY_RUNS = ("data", "published", ".ipynb_checkpoints", "__pycache__")
NEEDED = ("pandas", "pyarrow", "duckdb", "matplotlib", "sklearn")


class Wish(NamedTuple):
    """A run to begin with."""

    pipeline: str
    day: date
    texts: Mapping[str, str] = {}


BEGIN_WITH = (
    *(Wish("daily_orders_by_region", date(2026, 4, day)) for day in (1, 2, 3)),
    Wish("nightly_revenue", date(2026, 4, 1), {"payments_api": "steady"}),
    Wish("black_friday", date(2026, 11, 27)),
    Wish("black_friday", date(2026, 11, 28), {"fail_in": "join"}),
)


def add_to(app: typer.Typer) -> None:
    command(app, panel=PANEL)(demo)


def demo(
    session: Session,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The demo's own folder.")] = Path("nbflow-demo"),
    host: Host = None,
    port: Port = None,
) -> int:
    """Serve the shipped example pipelines, with a few runs to look at; one of them fails on purpose.

    Everything happens in DIR, with data that it makes itself. A demo that is there already goes on.
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise MissingExtra(f"the demo ({', '.join(missing)})", "examples")
    is_new = make(folder)
    if is_new:
        session.say(f"made {folder} with four pipelines")
        with Session(project=folder).open() as live:
            begin(live.api)
    session.say(
        "Open the link below. black_friday will be red: its join fails on purpose. Open the failing cell, then press "
        "Re-run and set fail_in to none."
    )
    return up(Session(project=folder, debug=session.debug), host=host, port=port)


def make(folder: Path) -> bool:
    """Copy the examples; False where they are there already. Raises InvalidInput for a folder of something else."""
    from nbflow.settings import FILE

    if (folder / FILE).exists() and (folder / "notebooks" / "black_friday").exists():
        return False
    if folder.exists() and any(folder.iterdir()):
        raise InvalidInput(f"{folder} is not empty, and no demo", hint="Name another folder: nbflow demo DIR.")
    examples = next(each for each in (PACKAGE / "_examples", PACKAGE.parent) if (each / "notebooks").is_dir())
    ignored = shutil.ignore_patterns(*MADE_BY_RUNS)
    shutil.copytree(examples / "notebooks", folder / "notebooks", ignore=ignored)
    shutil.copy(examples / FILE, folder)
    return True


def begin(api: Api) -> None:
    """Queue the first runs; the scheduler begins them when it starts."""
    for wish in BEGIN_WITH:
        api.trigger(wish.pipeline, texts=wish.texts, when=wish.day)
