"""Agreement of raters beyond chance: quadratically weighted kappa and the intraclass correlation ICC(A,1).

Letters: `x`, `y` the two raters' values of one target; `D` mean squared difference; `E` its expectation for
independent raters with these margins; `n` targets, `k` raters; mean squares `MSR MSC MSE` of targets, raters
and rest, as in McGraw & Wong (1996).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import f as f_distribution
from scipy.stats import t as t_distribution

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """A coefficient with its interval; `n` counts targets, `n_clusters` independent units.

    `std_error` is NaN where the interval does not rest on one.
    """

    estimate: float
    conf_low: float
    conf_high: float
    std_error: float
    n: int
    n_clusters: int


def weighted_kappa(
    first: ArrayLike, second: ArrayLike, *, cluster: ArrayLike | None = None, level: float = 0.95
) -> Agreement:
    r"""Kappa with quadratic weights of two raters, with a clustered interval.

    .. math:: \kappa = 1 - \frac{D}{E}, \quad D = \frac1n \sum (x - y)^2, \quad
              E = s_x^2 + s_y^2 + (\bar x - \bar y)^2

    with variances by `n`. Steps count by their numbers, so equal distances between the steps are assumed.
    The standard error is the delta method: influences summed within clusters, squared, and multiplied by
    `G / (G - 1)`; with every target its own cluster it is the large-sample standard error of Fleiss, Cohen &
    Everitt (1969) times `sqrt(n / (n - 1))`. The interval is symmetric in `artanh(kappa)`, with `G - 1`
    degrees of freedom.

    Parameters
    ----------
    first, second : array, shape (n,)
        The two raters' numbers for the same targets; no missing values.
    cluster : array, shape (n,), optional
        Dependence between targets, for example the citizen; None = independent.
    level : float
        Coverage of the interval.

    Returns
    -------
    Agreement
        NaN where both raters always gave one and the same number, so that chance agreement is complete.

    Raises
    ------
    ValueError
        Empty input, arrays of different lengths, or missing values.

    References
    ----------
    Cohen (1968), Psychological Bulletin 70, 213-220; Fleiss, Cohen & Everitt (1969), ibid. 72, 323-327.

    Examples
    --------
    >>> round(weighted_kappa([1, 2, 3, 4], [1, 2, 3, 3]).estimate, 4)
    0.875
    """
    x, y = _pairs(first, second)
    kappa, influence = _kappa(x, y)
    index, n_clusters = _clusters(cluster, len(x))
    return _delta_interval(kappa, influence, index, n_clusters, level=level)


def icc_agreement(ratings: ArrayLike, *, cluster: ArrayLike | None = None, level: float = 0.95) -> Agreement:
    r"""Intraclass correlation ICC(A,1): absolute agreement of single ratings, targets and raters random.

    .. math:: \frac{MSR - MSE}{MSR + (k-1) MSE + \frac kn (MSC - MSE)}

    from the two-way analysis of variance without replication; also known as ICC(2,1). For independent
    targets the interval is McGraw & Wong's F interval with Satterthwaite degrees of freedom. With clusters
    and two raters it is the delta-method interval of `weighted_kappa`, which has the same influences up to
    terms of order `1/n`, put around the intraclass correlation.

    Parameters
    ----------
    ratings : array, shape (n, k)
        Complete ratings of `n` >= 2 targets by `k` >= 2 raters.
    cluster : array, shape (n,), optional
        Dependence between targets; None = independent. Only for two raters.
    level : float
        Coverage of the interval.

    Returns
    -------
    Agreement
        NaN where the ratings do not vary at all; may be negative.

    Raises
    ------
    ValueError
        Fewer than two targets or raters, missing values, or clusters with more than two raters.

    References
    ----------
    Shrout & Fleiss (1979), Psychological Bulletin 86, 420-428; McGraw & Wong (1996), Psychological Methods
    1, 30-46, tables 4 and 7.

    Examples
    --------
    >>> table = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> round(icc_agreement(table).estimate, 4)
    0.2898
    """
    X = np.asarray(ratings, dtype=np.float64)
    if X.ndim != 2 or min(X.shape) < 2 or np.isnan(X).any():
        raise ValueError("ratings must be complete, with at least two targets and two raters")
    n, k = X.shape
    MSR, MSC, MSE = _mean_squares(X)
    spread = MSR + (k - 1) * MSE + k / n * (MSC - MSE)
    icc = (MSR - MSE) / spread if spread > 0 else np.nan
    if cluster is None:
        low, high = _mcgraw_wong(MSR, MSC, MSE, icc=icc, shape=(n, k), level=level)
        return Agreement(float(icc), low, high, np.nan, n, n)
    if k != 2:
        raise ValueError("clusters are for two raters only")
    _, influence = _kappa(X[:, 0], X[:, 1])
    index, n_clusters = _clusters(cluster, n)
    return _delta_interval(float(icc), influence, index, n_clusters, level=level)


def _pairs(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1 or len(x) == 0 or np.isnan(x).any() or np.isnan(y).any():
        raise ValueError("the two raters' values must be complete arrays of one length, not empty")
    return x, y


def _clusters(cluster: ArrayLike | None, n: int) -> tuple[NDArray[np.int64], int]:
    """Cluster index from 0 of each target, and the number of clusters."""
    if cluster is None:
        return np.arange(n, dtype=np.int64), n
    _, index = np.unique(np.asarray(cluster), return_inverse=True)
    if len(index) != n:
        raise ValueError("cluster must have one entry per target")
    return index.astype(np.int64), int(index.max()) + 1


def _kappa(x: Floats, y: Floats) -> tuple[float, Floats]:
    """Quadratic kappa and the influence of each target on it, shape (n,)."""
    squared = (x - y) ** 2
    D = squared.mean()
    E = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    if E <= 0:
        return np.nan, np.full(len(x), np.nan)
    on_D = squared - D
    on_E = (x - y.mean()) ** 2 + y.var() + (y - x.mean()) ** 2 + x.var() - 2 * E
    return float(1 - D / E), -on_D / E + D * on_E / E**2


def _delta_interval(
    estimate: float, influence: Floats, index: NDArray[np.int64], n_clusters: int, *, level: float
) -> Agreement:
    """Interval on the scale of Fisher's z from clustered influences."""
    n = len(influence)
    if n_clusters < 2 or np.isnan(influence).any() or not abs(estimate) < 1:
        return Agreement(estimate, np.nan, np.nan, np.nan, n, n_clusters)
    sums = np.bincount(index, weights=influence, minlength=n_clusters)
    se = float(np.sqrt(n_clusters / (n_clusters - 1) * (sums**2).sum()) / n)
    reach = t_distribution.ppf(0.5 + level / 2, n_clusters - 1) * se / (1 - estimate**2)
    low, high = np.tanh(np.arctanh(estimate) + np.array([-reach, reach]))
    return Agreement(estimate, float(low), float(high), se, n, n_clusters)


def _mean_squares(X: Floats) -> tuple[float, float, float]:
    """Mean squares of targets, raters and rest."""
    n, k = X.shape
    target, rater, grand = X.mean(axis=1), X.mean(axis=0), X.mean()
    rest = X - target[:, None] - rater + grand
    return (
        float(k * ((target - grand) ** 2).sum() / (n - 1)),
        float(n * ((rater - grand) ** 2).sum() / (k - 1)),
        float((rest**2).sum() / ((n - 1) * (k - 1))),
    )


def _mcgraw_wong(
    MSR: float, MSC: float, MSE: float, *, icc: float, shape: tuple[int, int], level: float
) -> tuple[float, float]:
    """F interval of ICC(A,1), McGraw & Wong (1996), table 7."""
    n, k = shape
    if np.isnan(icc) or MSE <= 0 or icc >= 1:
        return np.nan, np.nan
    a = k * icc / (n * (1 - icc))
    b = 1 + k * icc * (n - 1) / (n * (1 - icc))
    v = (a * MSC + b * MSE) ** 2 / ((a * MSC) ** 2 / (k - 1) + (b * MSE) ** 2 / ((n - 1) * (k - 1)))
    upper = 0.5 + level / 2
    F_low = f_distribution.ppf(upper, n - 1, v)
    F_high = f_distribution.ppf(upper, v, n - 1)
    others = k * MSC + (k * n - k - n) * MSE
    low = n * (MSR - F_low * MSE) / (F_low * others + n * MSR)
    high = n * (F_high * MSR - MSE) / (others + n * F_high * MSR)
    return float(low), float(high)
