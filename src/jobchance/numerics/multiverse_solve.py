"""Least squares on a subset of columns from the triangle of all of them.

Letters: X (n, P) all columns, y among them, X = QR, R (m, P), m <= P, found once; a regression on k columns
then costs O(m k^2), whatever n is. Columns of R have the lengths and angles of those of X, so that nothing is
lost against a QR of the k columns themselves (no cross-products are inverted).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.linalg import TOLERANCE
from jobchance.numerics.mixed.jit import njit

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

BLOCK_ROWS = 1024


@dataclass(frozen=True, eq=False)
class Subset:
    """Least squares of one column on some of the others.

    Parameters
    ----------
    kept : integer array (k,)
        Columns with a coefficient, in the order asked for.
    beta : array (k,)
        Coefficients.
    bread : array (k, k)
        Inverse of X'X.
    ssr : float
        Sum of squared residuals.
    least_kept, most_dropped : float
        Share of its length that the kept column nearest to dependence has left beside those before it, and
        that the dropped column farthest from it has (1 and 0 where there is none).
    """

    kept: Codes
    beta: Floats
    bread: Floats
    ssr: float
    least_kept: float
    most_dropped: float


def triangle(X: Floats) -> Floats:
    """R (m, P) of a thin QR, by blocks of rows that fit in the cache; columns may be dependent."""
    n, P = X.shape
    step = max(4 * P, BLOCK_ROWS)
    blocks = [np.asarray(np.linalg.qr(X[i : i + step], mode="r")) for i in range(0, n, step)]
    while len(blocks) > 1:  # in pairs, always the same ones
        pairs = [blocks[i : i + 8] for i in range(0, len(blocks), 8)]
        blocks = [np.asarray(np.linalg.qr(np.vstack(pair), mode="r")) for pair in pairs]
    return np.ascontiguousarray(blocks[0])


def solve_subset(R: Floats, columns: Codes, outcome: int, *, tolerance: float = TOLERANCE) -> Subset:
    """Regress column `outcome` on `columns`, leaving out those that earlier ones determine.

    A column goes by the rule of `numerics.linalg.independent_columns`: less than `tolerance` of its length is
    left beside the columns kept before it.

    Parameters
    ----------
    R : array (m, P)
        From `triangle`.
    columns : integer array (k,)
        Columns to regress on, in order.
    outcome : int
        The column to explain.
    tolerance : float
        Share of a column's length.

    Returns
    -------
    Subset

    Examples
    --------
    >>> X = np.array([[1.0, 0.0, 1.0], [1.0, 1.0, 3.0], [1.0, 2.0, 5.0]])
    >>> solve_subset(triangle(X), np.array([0, 1]), 2).beta.round(9).tolist()
    [1.0, 2.0]
    """
    picked = np.asarray(columns, dtype=np.int64)
    n_kept, kept, beta, bread, ssr, least, most = _regress(R, picked, outcome, tolerance)
    k = int(n_kept)
    return Subset(picked[kept[:k]], beta[:k], bread[:k, :k], float(ssr), float(least), float(most))


@njit
def _regress(
    R: Floats, columns: Codes, outcome: int, tolerance: float
) -> tuple[int, Codes, Floats, Floats, float, float, float]:
    """Gram-Schmidt, each step done twice, and back substitution; see `solve_subset`."""
    m, p = R.shape[0], len(columns)
    basis, T = np.zeros((p, m)), np.zeros((p, p))
    lengths, kept, onto = np.zeros(p), np.zeros(p, np.int64), np.zeros(p)
    k, least, most = 0, 1.0, 0.0
    for c in range(p):
        rest = R[:, columns[c]].copy()
        length = np.sqrt(np.sum(rest * rest))
        if length > 0:
            rest /= length
        _project(basis, k, rest, onto)
        left = np.sqrt(np.sum(rest * rest))
        if left > tolerance:
            for i in range(k):
                T[i, k] = onto[i]
            T[k, k] = left
            basis[k] = rest / left
            lengths[k], kept[k] = length, c
            least = min(least, left)
            k += 1
        else:
            most = max(most, left)
    rest = R[:, outcome].copy()
    _project(basis, k, rest, onto)
    inverse = _inverse_triangle(T, k)
    beta, bread = np.zeros(p), np.zeros((p, p))
    for i in range(k):
        for j in range(i, k):
            beta[i] += inverse[i, j] * onto[j]
            for both in range(j, k):
                bread[i, j] += inverse[i, both] * inverse[j, both]
        beta[i] /= lengths[i]
    for i in range(k):
        for j in range(i, k):
            bread[i, j] /= lengths[i] * lengths[j]
            bread[j, i] = bread[i, j]
    return k, kept, beta, bread, np.sum(rest * rest), least, most


@njit
def _project(basis: Floats, k: int, rest: Floats, onto: Floats) -> None:
    """Take what the first k rows of `basis` explain out of `rest`, twice; coefficients to `onto`."""
    m = len(rest)
    for i in range(k):
        onto[i] = 0.0
    for _ in range(2):
        step = np.zeros(k)
        for i in range(k):
            total = 0.0
            for r in range(m):
                total += basis[i, r] * rest[r]
            step[i] = total
            onto[i] += total
        for i in range(k):
            for r in range(m):
                rest[r] -= step[i] * basis[i, r]


@njit
def _inverse_triangle(T: Floats, k: int) -> Floats:
    """Inverse of the upper triangle T[:k, :k]."""
    out = np.zeros((k, k))
    for j in range(k):
        out[j, j] = 1.0 / T[j, j]
        for i in range(j - 1, -1, -1):
            total = 0.0
            for between in range(i + 1, j + 1):
                total += T[i, between] * out[between, j]
            out[i, j] = -total / T[i, i]
    return out
