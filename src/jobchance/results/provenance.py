"""What a fit was made with: versions and the question, never the data, the clock or the machine."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import version


def provenance(formula: str | None, *packages: str) -> dict[str, str]:
    """Versions of Python, of this package and of `packages`, and the formula as it was written.

    Parameters
    ----------
    formula : str or None
        `None` where the model has none.
    *packages : str
        Distributions that did the arithmetic, such as `"linearmodels"`.
    """
    made = {"python": platform.python_version()}
    made |= {name: _version(name) for name in ("jobchance", "numpy", "scipy", "pandas", *packages)}
    return made if formula is None else made | {"formula": formula}


@cache
def _version(name: str) -> str:
    """Installed version of a distribution; reading it from disk takes longer than a small fit."""
    return version(name)
