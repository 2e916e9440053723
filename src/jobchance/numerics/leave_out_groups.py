"""Least squares without one group of rows, from the cross-products of the groups alone.

Letters: X (n, k), y (n,), g the group of each row; A = X'X, c = X'y and A_g, c_g their parts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

_DEPENDENT = 1e-10


def without_each_group(X: Floats, y: Floats, groups: Codes, *, place: int) -> Floats:
    """One coefficient without each group in turn: `(A - A_g)^{-1} (c - c_g)`, shape (G,).

    The columns are scaled first. Where the other columns are no longer independent without a group (a dummy
    variable of that group), the coefficient is still found; it is NaN where the rows left do not determine
    it.

    Examples
    --------
    >>> X, y = np.array([[1.0], [1.0], [1.0]]), np.array([0.0, 3.0, 9.0])
    >>> without_each_group(X, y, np.array([0, 1, 2]), place=0).round(9).tolist()
    [6.0, 4.5, 1.5]
    """
    n_groups = int(groups.max()) + 1
    scale = np.sqrt(np.sum(X**2, axis=0))
    Z = X / np.where(scale > 0, scale, 1.0)
    order = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[order], np.arange(n_groups + 1))
    A, c = Z.T @ Z, Z.T @ y
    out = np.empty(n_groups)
    for g in range(n_groups):
        rows = order[starts[g] : starts[g + 1]]
        own, target = Z[rows], y[rows]
        out[g] = _coefficient(A - own.T @ own, c - own.T @ target, place) / scale[place]
    return out


def _coefficient(A: Floats, c: Floats, place: int) -> float:
    """Element `place` of the solution of A b = c, after the other columns have been taken out."""
    others = np.arange(len(c)) != place
    B, d = A[np.ix_(others, others)], A[others, place]
    solved = np.linalg.lstsq(B, np.column_stack([d, c[others]]), rcond=_DEPENDENT)[0]
    left = A[place, place] - d @ solved[:, 0]
    return float((c[place] - d @ solved[:, 1]) / left) if left > _DEPENDENT else float("nan")
