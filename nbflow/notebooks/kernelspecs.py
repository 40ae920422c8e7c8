"""The kernels that are installed, by name. Starts none."""

from __future__ import annotations

import shutil
import sys

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel

from nbflow.errors import InvalidInput
from nbflow.text import join_names


def installed() -> list[str]:
    """The names of all kernels, sorted."""
    return sorted(KernelSpecManager().find_kernel_specs())


def find_spec(name: str) -> KernelSpec:
    """The installed kernel of that name. Raises InvalidInput with the names of those that exist."""
    try:
        return KernelSpecManager().get_kernel_spec(name)
    except NoSuchKernel:
        names = join_names(installed(), most=20)
        raise InvalidInput(
            f"the kernel '{name}' is not installed",
            hint=f"There are: {names}." if names else "There is none at all; ipykernel brings one.",
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise InvalidInput(f"the description of the kernel '{name}' cannot be read: {error}") from error


def is_ipykernel(spec: KernelSpec) -> bool:
    """Whether the kernel is known to understand ipc sockets and IPython's options."""
    return any("ipykernel" in word for word in spec.argv)


def interpreter_of(spec: KernelSpec) -> str:
    """The program that runs the kernel, as a path where it can be found."""
    program = spec.argv[0] if spec.argv else ""
    if program in {"python", f"python{sys.version_info[0]}", "python{}.{}".format(*sys.version_info[:2])}:
        return sys.executable  # as jupyter_client does it
    return shutil.which(program) or program
