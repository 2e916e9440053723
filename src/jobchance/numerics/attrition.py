"""Inverse-probability weights over waves: sums over earlier waves, truncation, effective size, balance.

Letters: w (n,) weights, x (n, q) covariates. Rows are sorted by person and wave; `first` marks a person's
first row.
Robins, Rotnitzky & Zhao (1995), JASA 90, 106-121; Cole & Hernan (2008), Am. J. Epidemiol. 168, 656-664.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def sum_before(values: Floats, first: Mask) -> Floats:
    """Sum over a person's earlier rows, 0 in the first; `values` is (n,) or (n, q)."""
    total = np.cumsum(values, axis=0)
    before = total - values
    start = np.maximum.accumulate(np.where(first, np.arange(len(first)), 0))
    out: Floats = before - before[start]
    return out


def truncate(weights: Floats, low: float, high: float) -> tuple[Floats, Mask]:
    """Weights moved to their quantiles `low` and `high`, and which were moved; NaN stay."""
    known = weights[~np.isnan(weights)]
    bottom, top = np.quantile(known, [low, high])
    moved = (weights < bottom) | (weights > top)
    return np.clip(weights, bottom, top), moved


def effective_size(weights: Floats) -> float:
    """Rows of equal weight that would be as informative: (sum w)^2 / sum w^2 (Kish)."""
    return float(weights.sum() ** 2 / np.sum(weights**2)) if len(weights) else 0.0


def smd(x: Floats, target: Mask, kept: Mask, weights: Floats) -> tuple[Floats, Floats]:
    """Standardised mean differences kept less target, before and after weighting; columns of x (n, q).

    The standard deviation is that of the target. Columns that do not vary there give 0.
    """
    base = x[target]
    mean, sd = base.mean(axis=0), base.std(axis=0)
    scale = np.where(sd > 1e-12 * (np.abs(mean) + 1), sd, np.inf)
    w = weights[kept]
    after = (x[kept] * w[:, None]).sum(axis=0) / w.sum()
    return (x[kept].mean(axis=0) - mean) / scale, (after - mean) / scale
