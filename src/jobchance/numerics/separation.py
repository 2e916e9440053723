"""Does a binary or count model have no finite maximum? Decided exactly, by a linear programme.

Letters: X (n, k), y (n,), beta a direction in which the likelihood never falls.
Konis (2007), Linear programming algorithms for detecting separated data; Albert & Anderson (1984);
Correia, Guimaraes & Zylkin (2019) for counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from jobchance.errors import EstimationError

Floats = NDArray[np.float64]

NAMED_LEVELS = 20  # a column with more has levels that may say who somebody is
SHOWN = 8


@dataclass(frozen=True)
class Separation:
    """A direction without a finite optimum.

    Parameters
    ----------
    columns : tuple of int
        Columns of X that separate on their own; if none does, those that make up the direction.
    n_rows : int
        Rows whose outcome that direction predicts without error.
    """

    columns: tuple[int, ...]
    n_rows: int


def find_separation(X: Floats, y: Floats, *, family: str) -> Separation | None:
    """The direction that separates the outcomes, or `None` if a finite optimum exists.

    Binomial: some beta has x'beta >= 0 where y = 1 and <= 0 where y = 0, not all equal to 0. Poisson:
    x'beta = 0 where y > 0 and <= 0 where y = 0, not all equal to 0.

    Raises
    ------
    EstimationError
        The linear programme could not be solved.
    """
    length = np.abs(X).max(axis=0)
    scaled = X / np.where(length > 0, length, 1.0)
    free = np.ones(len(y), dtype=bool) if family == "binomial" else y == 0
    toward = scaled[free] * np.where(y[free] > 0, 1.0, -1.0)[:, None]
    if not len(toward):
        return None
    rows, times = np.unique(toward, axis=0, return_counts=True)
    fixed = np.unique(scaled[~free], axis=0) if not free.all() else None
    result = optimize.linprog(
        -(times / times.sum()) @ rows,
        A_ub=-rows,
        b_ub=np.zeros(len(rows)),
        A_eq=fixed,
        b_eq=None if fixed is None else np.zeros(len(fixed)),
        bounds=(-1, 1),
        method="highs",
    )
    if result.x is None:
        raise EstimationError("Whether the outcome is separated could not be decided; leave out rare levels.")
    reach = toward @ result.x
    if reach.max() < 1e-4 or reach.min() < -1e-5:
        return None
    columns = [int(j) for j in np.flatnonzero(np.abs(result.x) > 1e-5)]
    alone = [j for j in columns if family == "binomial" and _separates_alone(X[:, j], y)]
    return Separation(tuple(alone or columns), int(np.sum(reach > 1e-5)))


def name_terms(terms: Sequence[str], chosen: Sequence[int]) -> str:
    """Terms for a message: no level of a column of identifiers, or of one with many levels, is named.

    Parameters
    ----------
    terms : sequence of str
        All terms of the model, levels as `column[level]`.
    chosen : sequence of int
        Those to name.

    Returns
    -------
    str
        At most eight names; `caseworker_id (2 of 14 levels)` for levels that are not named.

    Examples
    --------
    >>> name_terms(["age", "sex[man]", "worker_id[w1]", "worker_id[w2]"], [0, 1, 2])
    'age, sex[man], worker_id (1 of 2 levels)'
    """
    hidden = [_without_levels(term) for term in terms]
    levels = {name: hidden.count(name) for name in hidden}
    shown: dict[str, int] = {}
    for j in chosen:
        name = hidden[j]
        known = name == terms[j] or not (_is_identifier(name) or levels[name] > NAMED_LEVELS)
        key = terms[j] if known else name
        shown[key] = shown.get(key, 0) + (not known)
    words = [f"{name} ({n} of {levels[name]} levels)" if n else name for name, n in shown.items()]
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return ", ".join(words[:SHOWN]) + more


def _without_levels(term: str) -> str:
    """The columns of a term, without the levels in brackets."""
    return re.sub(r"\[.*?\](?=:|$)", "", term, flags=re.DOTALL)


def _is_identifier(name: str) -> bool:
    return any(re.search(r"(^|_)id\W*$", part, flags=re.IGNORECASE) for part in name.split(":"))


def _separates_alone(x: Floats, y: Floats) -> bool:
    """Whether one column that varies has all its values for y = 1 on one side of those for y = 0."""
    zero, one = x[y == 0], x[y == 1]
    if np.ptp(x) == 0 or not len(zero) or not len(one):
        return False
    return bool(one.min() >= zero.max() or one.max() <= zero.min())
