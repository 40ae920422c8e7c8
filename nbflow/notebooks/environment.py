"""What a kernel finds in its environment, and where the values of secrets come from. Writes nothing, logs nothing."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from nbflow.errors import InvalidInput
from nbflow.notebooks.mask import SHORTEST
from nbflow.run import StartAttempt
from nbflow.text import fault
from nbflow.tomltext import read_toml

PREFIX = "NBFLOW_"
SECRET_PREFIX = "NBFLOW_SECRET_"
PROJECT = "NBFLOW_PROJECT"
"""Names the project's folder to the runner; a kernel never sees it."""
START, PRELOAD, IDLE = "NBFLOW_KERNELS_START", "NBFLOW_KERNELS_PRELOAD", "NBFLOW_KERNELS_IDLE"
SPARE = "NBFLOW_KERNELS_SPARE"
"""How runners and servers are told: `warm` or `cold`; modules to import before the fork, with commas between them;
seconds that a server stays without use; how many processes it forks ahead."""


def kernel_environment(order: StartAttempt, inherited: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, str]:
    """The inherited environment without `NBFLOW_*`, then the order's own variables, its secrets, and who it is."""
    return {
        **{name: value for name, value in inherited.items() if not name.startswith(PREFIX)},
        **order.env,
        **secrets,
        "NBFLOW_RUN_ID": order.run,
        "NBFLOW_RUN_DATE": order.run_date.isoformat(),
        "NBFLOW_TASK": order.key.address,
        "NBFLOW_ATTEMPT": str(order.number),
        "NBFLOW_ATTEMPT_TOKEN": order.token,
    }


def read_secrets(wanted: Mapping[str, str], inherited: Mapping[str, str]) -> dict[str, str]:
    """The kernel's variable → the value of the secret it asks for.

    A value comes from `NBFLOW_SECRET_<NAME>`, else from the project's `.nbflow/secrets.toml`. Raises InvalidInput with
    the name of a secret that is missing or too short to be masked.
    """
    file: Mapping[str, object] | None = None
    found = {}
    for variable, name in wanted.items():
        value: object = inherited.get(_variable_of(name))
        if value is None:
            file = _read_file(inherited) if file is None else file
            value = file.get(name)
        found[variable] = _checked(name, value)
    return found


def known_secrets(inherited: Mapping[str, str]) -> set[str]:
    """Every value that some notebook may ask for, for those who mask them; a file that cannot be read has none."""
    values = {value for name, value in inherited.items() if name.startswith(SECRET_PREFIX)}
    with contextlib.suppress(InvalidInput):
        values |= {value for value in _read_file(inherited).values() if isinstance(value, str)}
    return {value for value in values if len(value) >= SHORTEST}


def _checked(name: str, value: object) -> str:
    if value is None or value == "":
        raise InvalidInput(
            f"the secret '{name}' is not there",
            hint=f"Set {_variable_of(name)}, or write it into .nbflow/secrets.toml.",
        )
    if not isinstance(value, str):
        raise InvalidInput(f"the secret '{name}' is no text", hint="Write its value in quotes in .nbflow/secrets.toml.")
    if len(value) < SHORTEST:
        raise InvalidInput(
            f"the secret '{name}' has fewer than {SHORTEST} characters: too short to be masked in logs",
            hint="Use a longer value, or pass it as an ordinary variable (env).",
        )
    return value


def _variable_of(name: str) -> str:
    return SECRET_PREFIX + re.sub(r"\W", "_", name).upper()


def _read_file(inherited: Mapping[str, str]) -> Mapping[str, object]:
    project = inherited.get(PROJECT)
    return read_secrets_file(Path(project) / ".nbflow" / "secrets.toml") if project else {}


def read_secrets_file(path: Path) -> Mapping[str, object]:
    """What is in it; nothing where there is none. Raises InvalidInput, also where it is not its reader's alone."""
    try:
        with path.open("rb") as file:
            about = os.fstat(file.fileno())
            if about.st_mode & 0o177 or about.st_uid != os.getuid():
                raise InvalidInput(
                    "others could read it, or it belongs to somebody else",
                    where=str(path),
                    hint=f"chmod 600 {path}",
                )
            return read_toml(file.read().decode("utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InvalidInput(f"it cannot be read: {fault(error)}", where=str(path)) from error
