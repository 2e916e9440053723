"""Two shares against each other: difference and ratio with cluster-robust intervals.

Letters: `p1`, `p0` the shares; `V` their 2 x 2 cluster-robust covariance; `t` the critical value, G - 1 df.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student

from jobchance.numerics.sandwich import cluster_covariance


@dataclass(frozen=True)
class ShareContrast:
    """`p1 - p0` and `p1 / p0` with their limits; NaN where not defined."""

    difference: float
    difference_low: float
    difference_high: float
    ratio: float
    ratio_low: float
    ratio_high: float


def contrast_shares(
    y: ArrayLike, upper: ArrayLike, *, cluster: ArrayLike | None = None, level: float = 0.95
) -> ShareContrast:
    r"""Difference and ratio of the share of ones in the rows `upper` and in the other rows.

    .. math:: (p_1 - p_0) \pm t \sqrt{V_{11} + V_{00} - 2 V_{10}}, \qquad
              \frac{p_1}{p_0} \exp\Big( \pm t \sqrt{V_{11}/p_1^2 + V_{00}/p_0^2 - 2 V_{10}/(p_1 p_0)} \Big)

    `V` is the sandwich of the regression of `y` on one indicator per side, with the conventions of
    `cluster_covariance`, so a cluster with rows on both sides keeps its dependence.

    Parameters
    ----------
    y : array of shape (n,)
        Zeros and ones, without missing values.
    upper : array of bool, shape (n,)
        Rows of `p1`; the others are those of `p0`. Both sides need rows.
    cluster : array of shape (n,), optional
        Cluster labels; `None` = every row is its own cluster.
    level : float
        Coverage.

    Returns
    -------
    ShareContrast
        Limits are NaN with fewer than two clusters or too few rows; the ratio is NaN if `p0` is 0 and its
        limits are NaN if `p1` is 0.

    Examples
    --------
    >>> found = contrast_shares([1, 1, 0, 0, 1, 0, 0, 0], [True] * 4 + [False] * 4)
    >>> found.difference, found.ratio
    (0.25, 2.0)
    """
    values, above = np.asarray(y, dtype=float), np.asarray(upper, dtype=bool)
    X = np.column_stack([above, ~above]).astype(float)
    sizes = X.sum(axis=0)
    if (sizes == 0).any():
        raise ValueError("both sides of a contrast need rows")
    p1, p0 = (X.T @ values) / sizes
    labels = np.arange(len(values)) if cluster is None else np.asarray(cluster)
    codes = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    n_clusters = int(codes.max()) + 1
    difference, ratio = float(p1 - p0), float(p1 / p0) if p0 > 0 else float("nan")
    if n_clusters < 2 or len(values) <= 2:
        nan = float("nan")
        return ShareContrast(difference, nan, nan, ratio, nan, nan)
    scores = X * (values - X @ [p1, p0])[:, None]
    V = cluster_covariance(np.diag(1 / sizes), scores, [codes], n=len(values), k=2).cov
    critical = float(student.ppf(0.5 + level / 2, n_clusters - 1))
    half = critical * float(np.sqrt(max(V[0, 0] + V[1, 1] - 2 * V[0, 1], 0.0)))
    factor = float("nan")
    if p1 > 0 and p0 > 0:
        log_variance = V[0, 0] / p1**2 + V[1, 1] / p0**2 - 2 * V[0, 1] / (p1 * p0)
        factor = float(np.exp(critical * np.sqrt(max(log_variance, 0.0))))
    return ShareContrast(
        difference, difference - half, difference + half, ratio, ratio / factor, ratio * factor
    )
