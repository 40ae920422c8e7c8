"""A project's history in one file, and back (ports.Backups): a tar of the database's rows, the logs, the notebooks."""

from __future__ import annotations

import json
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import IO

from nbflow.errors import InvalidInput, Unavailable
from nbflow.files import make_private, whole_file
from nbflow.ports.housekeeping import BackupContent
from nbflow.stores.copying import Plain, Row, dump, load, require_empty
from nbflow.stores.database import Database
from nbflow.text import fault

FORMAT = 1
ABOUT, ROWS, OUTPUTS, FROZEN = "backup.json", "rows", "outputs", "frozen"


class TarBackups:
    """`open_database` gives a database whose schema is up to date."""

    def __init__(self, open_database: Callable[[], Database], outputs: Path, frozen: Path) -> None:
        self._open, self._outputs, self._frozen = open_database, outputs, frozen

    # --- writing -------------------------------------------------------------------------------------------------

    def write(self, path: Path) -> BackupContent:
        """The rows are of one moment; then come the folders of the runs that they name."""
        with _made_whole(path) as file, tarfile.open(fileobj=file, mode="w:gz", compresslevel=3) as tar:
            found: list[tuple[str, str]] = []
            counts: dict[str, int] = {}
            revision = dump(self._open(), lambda *table: _add_table(tar, counts, found, *table))
            files = sum(self._add_files(tar, found))
            about = {"format": FORMAT, "schema": revision, "at": datetime.now(UTC).isoformat(), "rows": counts}
            _add_text(tar, ABOUT, json.dumps(about, indent=1))
        return BackupContent(runs=counts.get("runs", 0), attempts=counts.get("attempts", 0), files=files)

    def _add_files(self, tar: tarfile.TarFile, runs: Sequence[tuple[str, str]]) -> Iterator[int]:
        for pipeline, run in runs:
            yield _add_folder(tar, self._outputs / pipeline / run, f"{OUTPUTS}/{pipeline}/{run}")
        yield _add_folder(tar, self._frozen, FROZEN)

    # --- reading -------------------------------------------------------------------------------------------------

    def restore(self, path: Path) -> BackupContent:
        """Files first, and last the rows, in one transaction: what is killed half way can be begun again.

        Where there are rows already, no file is touched: it could be of one of their runs.
        """
        require_empty(self._open())
        try:
            with tarfile.open(path) as tar, _spool(self._frozen.parent) as spool:
                return self._restore(tar, spool)
        except (tarfile.TarError, EOFError, KeyError, ValueError) as error:
            raise InvalidInput(f"{path} is no backup that can be read: {error}") from error
        except OSError as error:
            raise Unavailable(f"{path} cannot be restored: {fault(error)}") from error

    def _restore(self, tar: tarfile.TarFile, spool: Path) -> BackupContent:
        files = 0
        for member in tar:
            place, _, rest = member.name.partition("/")
            target = {ROWS: spool, OUTPUTS: self._outputs, FROZEN: self._frozen, ABOUT: spool}.get(place)
            if target is None or not member.isfile():
                continue
            member.name = rest or member.name
            kept = tarfile.data_filter(member, str(target))
            make_private((target / kept.name).parent)
            tar.extract(kept, target, filter="data")
            files += place in {OUTPUTS, FROZEN}
        about = json.loads((spool / ABOUT).read_text())
        if about["format"] != FORMAT:
            raise InvalidInput(f"this backup is of format {about['format']}, which this nbflow does not know")
        load(self._open(), about["schema"], lambda table: _rows(spool / f"{table}.jsonl"))
        return BackupContent(runs=about["rows"]["runs"], attempts=about["rows"]["attempts"], files=files)


@contextmanager
def _spool(beside: Path) -> Iterator[Path]:
    """A folder for the rows, where the rest goes as well: a backup may lie where nothing can be written."""
    make_private(beside)
    with tempfile.TemporaryDirectory(dir=beside, prefix=".restore-") as folder:
        yield Path(folder)


@contextmanager
def _made_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file for its owner alone, because it has the tokens of live attempts; it is there whole, or not at all."""
    if path.exists():
        raise InvalidInput(f"{path} exists already", hint="Name another file.")
    try:
        with whole_file(path, mode=0o600) as file:
            yield file
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {fault(error)}") from error


def _add_table(
    tar: tarfile.TarFile,
    counts: dict[str, int],
    runs: list[tuple[str, str]],
    name: str,
    columns: Sequence[str],
    rows: Iterator[Row],
) -> None:
    """A line of JSON for each row. A table waits on disk until its size is known."""
    counts[name] = 0
    with tempfile.TemporaryFile() as spool:
        for row in rows:
            record = dict(zip(columns, row, strict=True))
            spool.write(json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
            counts[name] += 1
            if name == "runs":
                runs.append((str(record["pipeline"]), str(record["id"])))
        about = tarfile.TarInfo(f"{ROWS}/{name}.jsonl")
        about.size, about.mode = spool.tell(), 0o600
        spool.seek(0)
        tar.addfile(about, spool)


def _add_text(tar: tarfile.TarFile, name: str, said: str) -> None:
    about = tarfile.TarInfo(name)
    about.size, about.mode = len(said.encode()), 0o600
    tar.addfile(about, BytesIO(said.encode()))


def _add_folder(tar: tarfile.TarFile, folder: Path, name: str) -> int:
    """The regular files below a folder, as long as they are when they are opened; those that vanish are passed over."""
    count = 0
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file() or path.name.endswith(".tmp"):
            continue
        try:
            file = path.open("rb")
        except FileNotFoundError:
            continue
        except OSError as error:
            message = f"{path} cannot be read: {fault(error)}"
            raise Unavailable(message, hint="nbflow doctor looks for files that another user made.") from error
        with file:
            about = tar.gettarinfo(arcname=f"{name}/{path.relative_to(folder)}", fileobj=file)
            about.type, about.linkname = tarfile.REGTYPE, ""  # a frozen notebook is linked into its attempts
            about.size = os.fstat(file.fileno()).st_size
            tar.addfile(about, file)
        count += 1
    return count


def _rows(path: Path) -> Iterable[Mapping[str, Plain]]:
    if path.exists():
        with path.open(encoding="utf-8") as file:
            yield from map(json.loads, file)
