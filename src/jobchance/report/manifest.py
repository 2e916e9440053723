"""What a reader needs to make a report again: inputs' hashes, versions, seed, policy and counts; no data."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version

from jobchance.report.output import Output

_PACKAGES = ("numpy", "scipy", "pandas", "statsmodels", "linearmodels", "matplotlib", "formulaic", "openpyxl")


def software() -> dict[str, str]:
    """Versions of Python, of this package and of what computes, draws and writes."""
    packages = {name: version(name) for name in _PACKAGES}
    return {"jobchance": version("jobchance"), "python": platform.python_version(), **packages}


def output_entries(outputs: Iterable[Output]) -> list[dict[str, str]]:
    """One record per output: id, name, files, estimand and disclosure class."""
    return [
        {
            "id": o.id,
            "name": o.name,
            "estimand": o.estimand,
            "disclosure_class": o.disclosure_class,
            "files": f"figures/{o.stem}.png figures/{o.stem}.csv figures/{o.stem}.json",
        }
        for o in outputs
    ]


def manifest_document(
    *,
    function: str,
    arguments: Mapping[str, object],
    study: Mapping[str, object],
    policy: Mapping[str, object],
    counts: Mapping[str, int],
    outputs: Iterable[Output],
    not_drawn: Iterable[Mapping[str, object]],
    withheld: Iterable[Mapping[str, object]],
) -> dict[str, object]:
    """The manifest as a plain document, ready for JSON; carries no clock, path or row."""
    return {
        "function": function,
        "arguments": dict(arguments),
        "study": dict(study),
        "software": software(),
        "policy": dict(policy),
        "counts": dict(counts),
        "outputs": output_entries(outputs),
        "not_drawn": [dict(n) for n in not_drawn],
        "withheld": [dict(w) for w in withheld],
    }
