"""The files of `nbflow init`. Writes a new project; never changes a file that exists."""

from __future__ import annotations

from pathlib import Path

from nbflow.errors import InvalidInput
from nbflow.text import join_names

TEMPLATE = Path(__file__).parents[1] / "template"
FIRST_PIPELINE = "daily_visits"
GITIGNORE = ".gitignore"


def write_project(folder: Path) -> tuple[list[Path], list[Path]]:
    """The files written, and those kept because they were there: only a `.gitignore` may be.

    Raises InvalidInput, and writes nothing, where the folder has a project already.
    """
    targets = {folder / _name(source): source for source in sorted(TEMPLATE.rglob("*")) if source.is_file()}
    existing = [target for target in targets if target.exists()]
    kept = [target for target in existing if target.name == GITIGNORE]
    if in_the_way := [str(target) for target in existing if target not in kept]:
        raise InvalidInput(
            f"{join_names(in_the_way)} {'exists' if len(in_the_way) == 1 else 'exist'} already",
            hint="Nothing was written. Name another folder: nbflow init DIR.",
        )
    written = [target for target in targets if target not in kept]
    try:
        for target in written:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(targets[target].read_bytes())
    except OSError as error:
        raise InvalidInput(f"cannot write {error.filename}: {error.strerror}") from None
    return written, kept


def _name(source: Path) -> Path:
    # A file named .gitignore would act on this repository too.
    relative = source.relative_to(TEMPLATE)
    return relative.with_name(GITIGNORE) if relative.name == "gitignore" else relative
