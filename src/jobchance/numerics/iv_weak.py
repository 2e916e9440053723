"""What stays valid when instruments are weak: effective F, rank test, Anderson-Rubin test and confidence set.

Letters: Q (n, L) orthonormal instruments given the controls; g = Q'u their moments with u = y - D b; V the
covariance of g; c the critical value of g'V^{-1}g.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, stats

Floats = NDArray[np.float64]

BIAS = 0.10


def effective_f(first: Floats, V: Floats) -> tuple[float, float]:
    """Effective first-stage F of Montiel Olea & Pflueger, and its critical value at 5 per cent.

    F = g'g / tr V with g = Q'D. Above the critical value the Nagar bias of 2SLS is at most a tenth of the
    worst case; the value is the simplified one (their section 3.2: Patnaik's approximation with x = 1/tau).

    Parameters
    ----------
    first : array (L,)
        Coefficients of the endogenous variable on Q.
    V : array (L, L)
        Their covariance, robust or clustered.

    References
    ----------
    Montiel Olea & Pflueger (2013), J. Bus. Econ. Statist. 31, 358-369.

    Examples
    --------
    >>> F, critical = effective_f(np.array([5.0]), np.array([[1.0]]))
    >>> F, round(critical, 1)
    (25.0, 23.1)
    """
    trace, largest = float(np.trace(V)), float(np.linalg.eigvalsh(V)[-1])
    x = 1 / BIAS
    k = trace**2 * (1 + 2 * x) / (float(np.sum(V**2)) + 2 * x * trace * largest)
    critical = float(stats.ncx2.ppf(0.95, k, x * k)) / k
    return float(first @ first) / trace, critical


def rank_wald(Pi: Floats, V: Floats, scale: Floats) -> float:
    """Wald statistic of Kleibergen and Paap that Pi (L, m) has rank m - 1; chi-squared, df = L - m + 1.

    Parameters
    ----------
    Pi : array (L, m)
        Coefficients of the endogenous variables on Q.
    V : array (L m, L m)
        Covariance of Pi, column by column.
    scale : array (m, m)
        D'D once the controls are removed.

    References
    ----------
    Kleibergen & Paap (2006), J. Econometrics 133, 97-126.
    """
    m = Pi.shape[1]
    root = np.linalg.inv(np.linalg.cholesky(scale)).T
    U, _, Vt = np.linalg.svd(Pi @ root)
    left, right = U[:, m - 1 :], root @ Vt[m - 1]
    weights = np.kron(right[:, None], left)
    value = left.T @ Pi @ right
    return float(value @ np.linalg.solve(weights.T @ V @ weights, value))


def anderson_rubin(b: float, g_y: Floats, g_d: Floats, V: Floats) -> float:
    """g'V^{-1}g at b, with V (2L, 2L) the covariance of the moments of y and D."""
    at = np.array([1.0, -b])
    L = len(g_y)
    blocks = V.reshape(2, L, 2, L)
    middle = np.einsum("i,iajb,j->ab", at, blocks, at)
    g = g_y - b * g_d
    return float(g @ np.linalg.solve(middle, g))


def anderson_rubin_set(g_y: Floats, g_d: Floats, V: Floats, c: float) -> list[tuple[float, float]]:
    """All b with g'V^{-1}g <= c, as intervals in rising order; their ends may be infinite.

    The ends are real roots of det(V(b) - g(b)g(b)'/c) = 0, a quadratic eigenvalue problem in b, so no grid is
    searched. With one instrument this is a quadratic inequality.

    Parameters
    ----------
    g_y, g_d : array (L,)
        Moments of the outcome and of the endogenous variable.
    V : array (2L, 2L)
        Their covariance.
    c : float
        Critical value.

    Examples
    --------
    >>> anderson_rubin_set(np.array([2.0]), np.array([10.0]), np.eye(2), 3.84)  # doctest: +ELLIPSIS
    [(0.0..., 0.4...)]
    """
    L = len(g_y)
    unit = float(np.sqrt(np.trace(V[:L, :L]) / np.trace(V[L:, L:])))
    scale = np.repeat([1.0, unit], L)
    V, g_d = V * np.outer(scale, scale), g_d * unit
    size = np.sqrt(np.trace(V[:L, :L]) / L)
    V, g_y, g_d = V / size**2, g_y / size, g_d / size
    points = _roots(g_y, g_d, V, c)
    edges = np.concatenate([[-np.inf], points, [np.inf]])
    inside = [anderson_rubin(_between(*ends), g_y, g_d, V) <= c for ends in pairwise(edges)]
    parts: list[tuple[float, float]] = []
    for (low, high), member in zip(pairwise(edges), inside, strict=True):
        if member and parts and parts[-1][1] == low * unit:
            parts[-1] = (parts[-1][0], float(high * unit))
        elif member:
            parts.append((float(low * unit), float(high * unit)))
    return parts


def _roots(g_y: Floats, g_d: Floats, V: Floats, c: float) -> Floats:
    """Real parts of all finite eigenvalues, sorted: every true end is among them, and others do no harm."""
    L = len(g_y)
    blocks = V.reshape(2, L, 2, L)
    constant = blocks[0, :, 0] - np.outer(g_y, g_y) / c
    cross = blocks[0, :, 1] + blocks[1, :, 0] - (np.outer(g_y, g_d) + np.outer(g_d, g_y)) / c
    square = blocks[1, :, 1] - np.outer(g_d, g_d) / c
    zero, one = np.zeros((L, L)), np.eye(L)
    left = np.block([[zero, one], [-constant, cross]])
    right = np.block([[one, zero], [zero, square]])
    numerator, denominator = linalg.eig(left, right, right=False, homogeneous_eigvals=True)
    finite = np.abs(denominator) > 1e-13 * np.abs(numerator)
    roots = np.real(numerator[finite] / denominator[finite])
    return np.unique(roots[np.isfinite(roots)])


def _between(low: float, high: float) -> float:
    """A point strictly between two ends, one of which may be infinite."""
    if np.isinf(low) and np.isinf(high):
        return 0.0
    if np.isinf(low):
        return high - 1.0 - abs(high)
    return low + 1.0 + abs(low) if np.isinf(high) else (low + high) / 2
