"""Versions of what decides the numbers, here and on workers elsewhere."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from jobchance.errors import SpecError

_PACKAGES = ("jobchance", "numpy", "scipy", "numba", "pandas", "pyarrow", "duckdb", "dask", "distributed")


def installed_versions() -> dict[str, str]:
    """Return the version of Python and of every package that a task's numbers or its journey rest on."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def check_versions(elsewhere: Mapping[str, Mapping[str, str]]) -> None:
    """Raise `SpecError` with every difference between this process and the places given by name.

    Parameters
    ----------
    elsewhere : mapping
        Versions by place (`scheduler`, `worker`) and package; packages that a place does not name pass.
    """
    here = installed_versions()
    lines = []
    for name, expected in here.items():
        seen: dict[str, int] = {}
        for versions in elsewhere.values():
            if (other := versions.get(name, expected)) != expected:
                seen[other] = seen.get(other, 0) + 1
        lines += [f"{name} {expected} here, {other} at {n} of {len(elsewhere)}" for other, n in seen.items()]
    if lines:
        raise SpecError(
            "The Dask cluster has other versions than this process, so numbers could differ: "
            + "; ".join(lines)
            + ". Start scheduler and workers from the same environment as this process."
        )
