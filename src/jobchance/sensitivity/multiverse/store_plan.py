"""What a run is made of: specification, data, software. A run goes on only where all of it is the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info

from jobchance.compute.versions import installed_versions
from jobchance.errors import SpecError
from jobchance.sensitivity.multiverse.store_files import write_whole

FORMAT = 1
_SOFTWARE = ("python", "jobchance", "numpy", "scipy", "numba", "pandas")


@dataclass(frozen=True)
class Plan:
    """A run before it begins.

    Parameters
    ----------
    name : str
        Name of the multiverse, for readers.
    spec : str
        Fingerprint of the specification file's content.
    data : str
        Fingerprint of the study or panel.
    versions : mapping
        Version by package, of those that decide the numbers.
    processors : str
        Kind of processor that the numerical libraries run on; it decides the last digits.
    keys : tuple of str
        Keys of the specifications, in order.
    chunking : str
        Fingerprint of which specifications are worked on together.
    """

    name: str
    spec: str
    data: str
    versions: Mapping[str, str]
    processors: str
    keys: tuple[str, ...]
    chunking: str

    def write(self, path: Path) -> None:
        """Write the plan whole or not at all."""
        document = {"format": FORMAT, **asdict(self), "versions": dict(self.versions)}
        write_whole(path, (json.dumps(document, indent=1, sort_keys=True) + "\n").encode())


def read_plan(path: Path) -> Plan:
    """Read a plan.

    Raises
    ------
    SpecError
        The file is damaged or of another format.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        if document.pop("format") != FORMAT:
            raise ValueError
        return Plan(**{**document, "keys": tuple(document["keys"])})
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SpecError(
            f"{path} cannot be read: it is damaged or was written by another version. Run into a new folder."
        ) from None


def require_same(earlier: Plan, now: Plan) -> bool:
    """Refuse to go on with a run whose numbers would not fit together.

    Returns
    -------
    bool
        Whether the kind of processor is the same too.

    Raises
    ------
    SpecError
        Specification, data or software changed; all that changed is named.
    """
    changed = []
    same_specification = (earlier.spec, earlier.keys) == (now.spec, now.keys)
    if not same_specification:
        changed.append(
            f"the specification ({len(earlier.keys)} specifications then, {len(now.keys)} now, "
            f"{len(set(earlier.keys) & set(now.keys))} of them in both)"
        )
    if earlier.data != now.data:
        changed.append("the data")
    for package in sorted(set(earlier.versions) | set(now.versions)):
        then, today = earlier.versions.get(package, "none"), now.versions.get(package, "none")
        if then != today:
            changed.append(f"{package} ({then} then, {today} now)")
    if same_specification and earlier.chunking != now.chunking:
        changed.append("the way specifications are put together")
    if changed:
        raise SpecError(
            f"This folder's run cannot go on: since it began, {'; '.join(changed)} changed, and its rows "
            "would not belong together. Put back what changed, or run into a new folder. Nothing was touched."
        )
    return earlier.processors == now.processors


def software() -> dict[str, str]:
    """Versions of what decides the numbers."""
    installed = installed_versions()
    return {package: installed[package] for package in _SOFTWARE}


def processors() -> str:
    """Kinds of processor that the loaded linear algebra has chosen its instructions for."""
    kinds = {str(pool.get("architecture", "")) for pool in threadpool_info() if pool["user_api"] == "blas"}
    return "+".join(sorted(kinds - {""}))
