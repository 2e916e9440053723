"""Two tests for designs with many raters: a joint score test by cluster, and leftover differences of raters.

Letters: s_g scores of cluster g, q columns, G clusters; v residual, j rater, c cell, n counts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2
from scipy.stats import f as fisher

from jobchance.numerics.sandwich import cluster_sums

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

CLUSTERS_PER_COLUMN = 5


class ChiOrF(NamedTuple):
    """Statistic, its degrees of freedom and its p-value; NaN where the test cannot run."""

    statistic: float
    df: float
    p_value: float


def score_test(scores: Floats, codes: Codes) -> ChiOrF:
    r"""Test that all scores have mean zero, when rows of one cluster depend on each other.

    .. math:: L = s'\Big(\sum_g s_g s_g'\Big)^{-1} s, \qquad F = \frac{L}{G - L}\,\frac{G - q}{q}
              \sim F(q, G - q)

    The variance is that under the null hypothesis. The clustered Wald test, whose variance is that of the
    unrestricted fit, rejects true hypotheses several times too often with few clusters per column.

    Parameters
    ----------
    scores : array (n, q)
        Linearly independent columns.
    codes : integer array (n,)
        Clusters 0..G-1.

    Returns
    -------
    ChiOrF
        F, q and p; NaN with fewer than five clusters per column.

    Examples
    --------
    >>> rows = np.array([[1.0], [-1.0], [2.0], [-2.0], [1.0], [-1.0]])
    >>> score_test(rows, np.arange(6)).p_value
    1.0
    """
    G, q = int(codes.max()) + 1, scores.shape[1]
    if q == 0 or CLUSTERS_PER_COLUMN * q > G:
        return ChiOrF(float("nan"), float(q), float("nan"))
    sums = cluster_sums(scores, codes, n_clusters=G)
    total = sums.sum(axis=0)
    L = float(total @ np.linalg.solve(sums.T @ sums, total))
    F = L / (G - L) * (G - q) / q
    return ChiOrF(F, float(q), float(fisher.sf(F, q, G - q)))


def leftover_test(v: Floats, *, rater: Codes, cell: Codes, n_fitted: int) -> ChiOrF:
    r"""Test that residuals of different rows with one rater do not go together.

    .. math:: T = \sum_j \frac{1}{n_j} \Big\{ \Big(\sum_{i \in j} v_i\Big)^2
              - \sum_{i \in j} v_i^2 \frac{1 - n_{jc}/n_c}{1 - 1/n_c} \Big\}, \qquad
              \hat V = 2 \sum_j \frac{1}{n_j^2} \sum_{i \ne k \in j} v_i^2 v_k^2

    The second sum is what the squares and the subtracted cell means add under the null hypothesis, so T has
    mean zero whatever the variances of the rows. `sqrt(2K) T / sqrt(V) + K` is held against chi-square(K).

    Parameters
    ----------
    v : array (n,)
        Residuals without their cell means; every cell has at least two rows.
    rater, cell : integer arrays (n,)
        Codes without gaps.
    n_fitted : int
        Coefficients that have been fitted to differences between raters.

    Returns
    -------
    ChiOrF
        K = J - 1 - `n_fitted` for J raters; one-sided.

    References
    ----------
    Chao, Hausman, Newey, Swanson & Woutersen (2014), Journal of Econometrics 178, 15-21: the test of
    overidentifying restrictions with many instruments and unequal variances.

    Examples
    --------
    >>> v = np.array([1.0, 1, -1, -1])
    >>> leftover_test(v, rater=np.array([0, 0, 1, 1]), cell=np.zeros(4, dtype=int), n_fitted=0).df
    1.0
    """
    J, C = int(rater.max()) + 1, int(cell.max()) + 1
    n_j, n_c = np.bincount(rater, minlength=J), np.bincount(cell, minlength=C)
    _, group = np.unique(rater * C + cell, return_inverse=True)
    n_jc = np.bincount(group)[group]
    squares = v**2
    expected = squares * (1 - n_jc / n_c[cell]) / (1 - 1 / n_c[cell])

    def total(values: Floats) -> Floats:
        return np.bincount(rater, weights=values, minlength=J).astype(np.float64)

    T = float(np.sum((total(v) ** 2 - total(expected)) / n_j))
    V = 2 * float(np.sum((total(squares) ** 2 - total(squares**2)) / n_j**2))
    K = float(J - 1 - n_fitted)
    if K <= 0 or V <= 0:
        return ChiOrF(float("nan"), K, float("nan"))
    statistic = float(np.sqrt(2 * K / V) * T + K)
    return ChiOrF(statistic, K, float(chi2.sf(statistic, K)))
