"""Many noisy effects: interval for their spread, shrinkage, robust intervals, how far they can be ranked.

Letters: d_j = a_j + e_j with a_j of variance v and e_j of variance s2_j; w_j = v / (v + s2_j); n_jc rows of
unit j in cell c; s2 variance of a row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import norm

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

_ROOT = math.sqrt(2 * math.pi)


@dataclass(frozen=True, eq=False)
class Ranking:
    """What can be said of the order of units; counts and shares only.

    Parameters
    ----------
    pairs_ordered : float
        Share of pairs whose difference is told from zero, all pairs together at the level.
    above_median, below_median : int
        Units whose interval of ranks lies wholly above or below the middle rank.
    median_width : float
        Median number of ranks in a unit's interval.
    critical : float
        Critical value of the differences in their standard errors.
    """

    pairs_ordered: float
    above_median: int
    below_median: int
    median_width: float
    critical: float


def pair_variance_terms(*, unit: Codes, cell: Codes) -> tuple[float, float, float]:
    r"""Coefficients of the variance of a mean product over pairs of rows of one unit in one cell.

    .. math:: \mathrm{Var} = c_0 s^4 + c_1 v s^2 + c_2 v^2, \quad
       c_0 = \frac{2 \sum n_{jc} (n_{jc} - 1)}{N^2}, \quad
       c_1 = \frac{4 \sum n_{jc} (n_{jc} - 1)^2}{N^2}, \quad
       c_2 = \frac{2 \sum_j \{\sum_c n_{jc} (n_{jc} - 1)\}^2}{N^2}

    with N the number of ordered pairs, for normal effects and independent rows with one variance.
    """
    width = int(cell.max()) + 1
    groups, n = np.unique(unit * width + cell, return_counts=True)
    pairs = n * (n - 1.0)
    by_unit = np.bincount(groups // width, weights=pairs)
    total = pairs.sum()
    return (
        float(2 * total / total**2),
        float(4 * (n * (n - 1.0) ** 2).sum() / total**2),
        float(2 * (by_unit**2).sum() / total**2),
    )


def variance_interval(
    estimate: float, s2: float, terms: tuple[float, float, float], *, level: float = 0.95
) -> tuple[float, float]:
    """All variances v >= 0 that a two-sided normal test does not reject, its variance taken at v.

    Both limits are 0 where even v = 0 is rejected from below.

    Examples
    --------
    >>> low, high = variance_interval(0.0, 1.0, (0.01, 0.0, 0.0))
    >>> low, round(high, 3)
    (0.0, 0.196)
    """
    c0, c1, c2 = terms
    z = float(norm.ppf((1 + level) / 2))
    # (estimate - v)^2 = z^2 (c0 s4 + c1 s2 v + c2 v^2)
    a, b = 1 - z**2 * c2, -2 * estimate - z**2 * c1 * s2
    c = estimate**2 - z**2 * c0 * s2**2
    root = b**2 - 4 * a * c
    if a <= 0:  # too few units for an upper limit
        low = (-b - np.sqrt(max(root, 0.0))) / (2 * a) if c > 0 > a and estimate > 0 else 0.0
        return max(float(low), 0.0), float("inf")
    if root < 0:
        return 0.0, 0.0
    limits = (-b + np.array([-1.0, 1.0]) * np.sqrt(root)) / (2 * a)
    return max(float(limits[0]), 0.0), max(float(limits[1]), 0.0)


def shrink(d: Floats, s2: Floats, v: float) -> tuple[Floats, Floats]:
    """Posterior means `w d` and standard deviations `sqrt(w s2)` around zero, for a variance v >= 0."""
    w = v / (v + s2) if v > 0 else np.zeros_like(s2)
    return w * d, np.sqrt(w * s2)


def robust_reach(s2: Floats, v: float, *, level: float = 0.95) -> Floats:
    """Half-widths of intervals around the posterior means that cover on average whatever the effects' law.

    Armstrong, Kolesar & Plagborg-Moller (2022), Econometrica 90, 2567-2602, with the second moment only.
    """
    w = v / (v + s2)
    value = np.array([_robust_critical(round(float(m2), 10), level) for m2 in s2 / v])
    value *= w * np.sqrt(s2)
    return value


@lru_cache(maxsize=4096)
def _robust_critical(m2: float, level: float) -> float:
    """Smallest chi whose worst non-coverage, over laws of the bias with second moment m2, is 1 - level."""
    alpha = 1 - level
    high = float(np.sqrt((1 + m2) / alpha))  # Chebyshev
    return float(brentq(lambda chi: _worst(m2, chi) - alpha, float(norm.ppf(1 - alpha / 2)) - 1e-9, high))


def _worst(m2: float, chi: float) -> float:
    """Least concave majorant, over squared bias t, of the non-coverage at t, at m2."""
    if m2 == 0 or chi < np.sqrt(3):
        return _outside(m2, chi)
    touch = _touching(chi)
    if m2 >= touch:
        return _outside(m2, chi)
    start = _outside(0.0, chi)
    return start + m2 / touch * (_outside(touch, chi) - start)


def _outside(t: float, chi: float) -> float:
    """P(|Z + sqrt(t)| > chi)."""
    b = math.sqrt(t)
    return float(ndtr(b - chi) + ndtr(-chi - b))


def _touching(chi: float) -> float:
    """Squared bias at which a line from the non-coverage without bias touches the curve."""

    def gap(t: float) -> float:
        b = math.sqrt(t)
        slope = (math.exp(-((chi - b) ** 2) / 2) - math.exp(-((chi + b) ** 2) / 2)) / (2 * b * _ROOT)
        return _outside(t, chi) - _outside(0.0, chi) - t * slope

    low, high = 1e-6, chi**2
    while gap(high) < 0:
        high *= 2
    return float(brentq(gap, low, high)) if gap(low) < 0 else low


def rank_units(d: Floats, s2: Floats, *, level: float = 0.95, draws: int = 500, seed: int = 0) -> Ranking:
    """Intervals of ranks from differences of all pairs, simultaneous over pairs.

    A unit's lowest rank is one more than the units told to be above it. Mogstad, Romano, Shaikh & Wilhelm
    (2024), Review of Economic Studies 91, 476-518, with normal noise of known variance.
    """
    J = len(d)
    rng = np.random.default_rng(seed)
    spread = np.sqrt(s2[:, None] + s2[None, :])
    np.fill_diagonal(spread, np.inf)
    largest = np.empty(draws)
    for k in range(draws):
        e = np.sqrt(s2) * rng.normal(size=J)
        largest[k] = (np.subtract.outer(e, e) / spread).max()
    critical = float(np.quantile(largest, level))
    told = np.subtract.outer(d, d) > critical * spread
    best = 1 + told.sum(axis=0)  # units told to be above
    worst = J - told.sum(axis=1)
    middle = (J + 1) / 2
    return Ranking(
        pairs_ordered=float(told.sum() / (J * (J - 1) / 2)),
        above_median=int((worst < middle).sum()),
        below_median=int((best > middle).sum()),
        median_width=float(np.median(worst - best + 1)),
        critical=critical,
    )
