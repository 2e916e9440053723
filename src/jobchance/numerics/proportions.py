"""Intervals for shares: Wilson for independent persons, Wilson on the effective sample for clustered rows.

Letters: x successes of n rows in G clusters, p = x/n, z or t the two-sided critical value.
Papers: Wilson (1927), Kott & Carr (1997), Dean & Pagano (2015).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats


@dataclass(frozen=True)
class Share:
    """A share with its interval; `n` counts rows and `n_clusters` independent units."""

    estimate: float
    conf_low: float
    conf_high: float
    std_error: float
    n: int
    n_clusters: int


def wilson_interval(x: float, n: float, *, critical: float) -> tuple[float, float]:
    """Wilson score interval `(p + c²/2n ± c·sqrt(p(1-p)/n + c²/4n²)) / (1 + c²/n)` for `x` of `n`.

    Parameters
    ----------
    x, n : float
        Successes and trials; `n` may be an effective (not whole) number.
    critical : float
        The two-sided critical value c (1.96 for 95 per cent and independent trials).

    Returns
    -------
    tuple of float
        Lower and upper limit in [0, 1]; both NaN if `n` is 0 or `critical` is not finite.

    Examples
    --------
    >>> low, high = wilson_interval(5, 50, critical=1.959964)
    >>> round(low, 4), round(high, 4)
    (0.0435, 0.2136)
    """
    if n <= 0 or not np.isfinite(critical):
        return float("nan"), float("nan")
    p = x / n
    square = critical**2
    centre = p + square / (2 * n)
    half = critical * np.sqrt(p * (1 - p) / n + square / (4 * n**2))
    low, high = (centre - half) / (1 + square / n), (centre + half) / (1 + square / n)
    return float(max(low, 0.0)), float(min(high, 1.0))


def share(y: ArrayLike, *, cluster: ArrayLike | None = None, level: float = 0.95) -> Share:
    """Share of ones with a Wilson interval, on the effective sample size when rows are clustered.

    Independent rows: the Wilson interval with a normal critical value. Clustered rows: the variance of p is
    `V = G/(G-1) · Σ_g (Σ_{i in g} (y_i - p))² / n²`, the design effect `d = V / (p(1-p)/n)`, the effective
    sample `n/max(d, 1)`, and the critical value is that of t with G - 1 degrees of freedom (Dean & Pagano
    2015). A design effect under 1 is not used to shorten the interval. With p = 0 or p = 1 no design effect
    can be estimated; the number of clusters then stands for the effective sample, the cautious choice.

    Parameters
    ----------
    y : array of shape (n,)
        Zeros and ones, without missing values.
    cluster : array of shape (n,), optional
        Cluster labels; None = every row is its own cluster.
    level : float
        Coverage, 0 < level < 1.

    Returns
    -------
    Share
        Estimate and interval; NaN throughout for an empty `y`, NaN limits for a single cluster.

    References
    ----------
    Wilson (1927), JASA 22; Kott & Carr (1997), J. Off. Stat. 13; Dean & Pagano (2015), JSSAM 3.

    Examples
    --------
    >>> share([1, 0, 0, 0]).estimate
    0.25
    """
    values = np.asarray(y, dtype=float)
    n = values.size
    if n == 0:
        nan = float("nan")
        return Share(nan, nan, nan, nan, 0, 0)
    p = float(values.mean())
    if cluster is None:
        critical = float(stats.norm.ppf(0.5 + level / 2))
        low, high = wilson_interval(p * n, n, critical=critical)
        return Share(p, low, high, float(np.sqrt(p * (1 - p) / n)), n, n)
    codes = np.unique(np.asarray(cluster), return_inverse=True)[1]
    n_clusters = int(codes.max()) + 1
    if n_clusters < 2:
        return Share(p, float("nan"), float("nan"), float("nan"), n, n_clusters)
    variance = clustered_variance_of_mean(values, codes)
    independent = p * (1 - p) / n
    effective = n / max(variance / independent, 1.0) if independent > 0 else float(n_clusters)
    critical = float(stats.t.ppf(0.5 + level / 2, n_clusters - 1))
    low, high = wilson_interval(p * effective, effective, critical=critical)
    return Share(p, low, high, float(np.sqrt(variance)), n, n_clusters)


def clustered_variance_of_mean(values: NDArray[np.float64], codes: NDArray[np.intp]) -> float:
    """Cluster-robust variance of a mean, `G/(G-1) · Σ_g (Σ_{i in g} (y_i - ȳ))² / n²`; `codes` are 0..G-1."""
    sums = np.bincount(codes, weights=values - values.mean())
    n_clusters = sums.size
    return float(n_clusters / (n_clusters - 1) * np.sum(sums**2) / values.size**2)


def mean_interval(
    y: ArrayLike, *, cluster: ArrayLike | None = None, level: float = 0.95
) -> tuple[float, float, float]:
    """Mean with a t interval from the cluster-robust variance (every row its own cluster when None).

    Parameters
    ----------
    y : array of shape (n,)
        Numbers without missing values, for example 0/1 differences or changes in scale points.
    cluster : array of shape (n,), optional
        Cluster labels.
    level : float
        Coverage.

    Returns
    -------
    tuple of float
        Mean, lower and upper limit; NaN limits with fewer than two clusters, NaN throughout if empty.

    Examples
    --------
    >>> mean_interval([1.0, 2.0, 3.0])[0]
    2.0
    """
    values = np.asarray(y, dtype=float)
    if values.size == 0:
        return float("nan"), float("nan"), float("nan")
    labels = np.arange(values.size) if cluster is None else np.asarray(cluster)
    codes = np.unique(labels, return_inverse=True)[1]
    mean = float(values.mean())
    n_clusters = int(codes.max()) + 1
    if n_clusters < 2:
        return mean, float("nan"), float("nan")
    half = float(stats.t.ppf(0.5 + level / 2, n_clusters - 1)) * np.sqrt(
        clustered_variance_of_mean(values, codes)
    )
    return mean, float(mean - half), float(mean + half)
