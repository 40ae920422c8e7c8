"""Every setting of a project: name, kind, default and meaning. What is read, checked and documented is this table."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

from nbflow.settings.kinds import (
    ADDRESS,
    ADDRESSES,
    COUNT,
    DATABASE,
    DURATION,
    FOLDER_ADDRESS,
    FOLDERS,
    OUTPUTS,
    PLACES,
    PORT,
    TEXT,
    TEXTS,
    VARIABLES,
    Kind,
    one_of,
)

_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one project. What each means stands in `SETTINGS`."""

    pipelines: tuple[str, ...] = (".",)
    database: str = f"{_SQLITE}.nbflow/nbflow.db"
    outputs: str = ".nbflow/runs"
    executor: Literal["local"] = "local"
    slots: int | None = None
    pools: Mapping[str, int] = field(default_factory=dict)
    channels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    host: str = "127.0.0.1"
    port: int = 5006
    on_restart: tuple[str, ...] = ()
    server_url: str | None = None
    jupyter_url: str | None = None
    kernel_start: Literal["warm", "cold"] = "warm"
    kernel_preload: tuple[str, ...] = ()
    kernel_idle: timedelta = timedelta(minutes=10)
    kernel_spare: int | None = None
    keep_runs: timedelta = timedelta(days=180)
    keep_count: int | None = None
    env: tuple[str, ...] = ()

    def database_url(self, project: Path) -> str:
        """The database's address; the path of a SQLite file becomes absolute, percent-encoded as in any URL."""
        path = self.database.removeprefix(_SQLITE)
        folder = Path(quote(str(project.absolute())))
        return self.database if path == self.database else f"{_SQLITE}{folder / path}"

    def database_file(self, project: Path) -> Path | None:
        """The database's file, absolute; None where it is a server."""
        path = self.database_url(project).removeprefix(_SQLITE).partition("?")[0]
        return Path(unquote(path)) if self.database.startswith(_SQLITE) else None

    def searched(self, project: Path) -> list[Path]:
        """The folders that are searched for manifests."""
        return [Path(os.path.normpath(project / folder)) for folder in self.pipelines]

    def template_env(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment variables that templates may use, as far as they are set."""
        return {name: environ[name] for name in self.env if name in environ}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. NAME in a key stands for a name that people choose, `[a-z][a-z0-9_]*`."""

    key: str
    field: str
    """The field of `Settings`: a mapping by name where the key has NAME."""
    kind: Kind
    default: str
    """As it would be written in the file; empty where the default is to have none."""
    about: str

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(self.key.split("."))

    @property
    def variable(self) -> str:
        """The environment variable that overrides it. `<NAME>` stands for the name in capitals."""
        return "_".join(("NBFLOW", *("<NAME>" if part == "NAME" else part.upper() for part in self.path)))


# fmt: off
SETTINGS = (
    Setting("pipelines", "pipelines", FOLDERS, '["."]',
            "Folders that are searched for pipeline.yaml, from the project folder."),
    Setting("store.database", "database", DATABASE, '"sqlite:///.nbflow/nbflow.db"',
            "Where runs are kept: a SQLite file, its path from the project folder, or postgresql+psycopg://…"),
    Setting("store.outputs", "outputs", OUTPUTS, '".nbflow/runs"',
            "Where executed notebooks are kept, from the project folder."),
    Setting("executor.kind", "executor", one_of("local", later="dask"), '"local"', "What runs the notebooks."),
    Setting("executor.slots", "slots", COUNT, "", "How many notebooks run at once; as many as there are cores."),
    Setting("pools.NAME", "pools", PLACES, "", "How many places a pool has, for the tasks of all pipelines together."),
    Setting("channels.NAME.urls", "channels", ADDRESSES, "", "Apprise addresses that the alerts of a channel go to."),
    Setting("server.host", "host", TEXT, '"127.0.0.1"',
            "Address that the app listens on; beyond this machine only with users."),
    Setting("server.port", "port", PORT, "5006", "Port of the app."),
    Setting("alerts.on_restart", "on_restart", TEXTS, "[]",
            "Channels that hear when the scheduler starts again after a crash."),
    Setting("server.url", "server_url", ADDRESS, "",
            "Address of the app: stands in the links of alerts; allowed host and origin."),
    Setting("jupyter.url", "jupyter_url", FOLDER_ADDRESS, "",
            "Where JupyterLab shows the project, such as http://localhost:8888/lab/tree; notebooks open there."),
    Setting("kernels.start", "kernel_start", one_of("warm", "cold"), '"warm"',
            "Whether kernels are forked from a process that has done its imports."),
    Setting("kernels.preload", "kernel_preload", TEXTS, "[]",
            "Modules that this process imports as well; where a file of your own changes, a new one is started."),
    Setting("kernels.idle", "kernel_idle", DURATION, '"10m"', "How long this process stays without use."),
    Setting("kernels.spare", "kernel_spare", COUNT, "",
            "How many kernels, and runners, are forked ahead while nothing else is to be done; none without it."),
    Setting("keep.runs", "keep_runs", DURATION, '"180d"', "How long finished runs are kept."),
    Setting("keep.count", "keep_count", COUNT, "", "How many finished runs of a pipeline are kept at most."),
    Setting("templates.env", "env", VARIABLES, "[]", "Environment variables that templates may use."),
)
# fmt: on
