"""Does a binary or count model have no finite maximum? Decided exactly, by a linear programme.

Letters: X (n, k), y (n,), beta a direction in which the likelihood never falls.
Konis (2007), Linear programming algorithms for detecting separated data; Albert & Anderson (1984);
Correia, Guimaraes & Zylkin (2019) for counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from jobchance.errors import EstimationError

Floats = NDArray[np.float64]


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


def _separates_alone(x: Floats, y: Floats) -> bool:
    """Whether one column that varies has all its values for y = 1 on one side of those for y = 0."""
    zero, one = x[y == 0], x[y == 1]
    if np.ptp(x) == 0 or not len(zero) or not len(one):
        return False
    return bool(one.min() >= zero.max() or one.max() <= zero.min())
