"""Which kernels are installed. A name is answered by looking for its file; the whole list costs a heavy import."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cached_property
from pathlib import Path


class InstalledKernels(Collection[str]):
    """The names of the kernels that Jupyter finds on this machine."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (self._has_file(name) or name in self._all)

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def _has_file(self, name: str) -> bool:
        is_simple = Path(name).name == name
        return is_simple and any((folder / name / "kernel.json").is_file() for folder in self._folders)

    @cached_property
    def _folders(self) -> tuple[Path, ...]:
        from jupyter_core.paths import jupyter_path

        return tuple(Path(folder) for folder in jupyter_path("kernels"))

    @cached_property
    def _all(self) -> frozenset[str]:
        from jupyter_client.kernelspec import KernelSpecManager

        return frozenset(KernelSpecManager().find_kernel_specs())
