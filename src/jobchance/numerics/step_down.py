"""p-values of several hypotheses together: thresholds in steps, and the largest statistic under the null.

Letters: m hypotheses, p (m,) their p-values, t (m,) statistics, T (B, m) draws of them under the null.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TIE = 1e-10  # a draw within this relative distance of the statistic counts as at least as extreme


def bonferroni(p: Floats) -> Floats:
    """`min(1, m p)`."""
    return np.minimum(1.0, len(p) * p)


def holm(p: Floats) -> Floats:
    """Holm (1979): `max_{j<=i} (m - j + 1) p_(j)`; holds under any dependence."""
    factors = np.arange(len(p), 0, -1)
    return _ordered(p, lambda q: np.maximum.accumulate(factors * q))


def hochberg(p: Floats) -> Floats:
    """Hochberg (1988): `min_{j>=i} (m - j + 1) p_(j)`; needs independence or positive dependence."""
    factors = np.arange(len(p), 0, -1)
    return _ordered(p, lambda q: np.minimum.accumulate((factors * q)[::-1])[::-1])


def benjamini_hochberg(p: Floats) -> Floats:
    """Benjamini & Hochberg (1995): `min_{j>=i} m p_(j) / j`, the false discovery rate."""
    factors = len(p) / np.arange(1, len(p) + 1)
    return _ordered(p, lambda q: np.minimum.accumulate((factors * q)[::-1])[::-1])


def benjamini_yekutieli(p: Floats) -> Floats:
    """Benjamini & Yekutieli (2001): as Benjamini-Hochberg times `sum 1/j`, under any dependence."""
    harmonic = float(np.sum(1 / np.arange(1, len(p) + 1)))
    factors = harmonic * len(p) / np.arange(1, len(p) + 1)
    return _ordered(p, lambda q: np.minimum.accumulate((factors * q)[::-1])[::-1])


def step_down_max(t: Floats, T: Floats) -> Floats:
    """Romano & Wolf (2005, 2016): step by step against the largest statistic of the hypotheses still open.

    `p_(i) = max_{j<=i} (1 + #{b: max_{k>=j} |T_bk| >= |t_(j)|}) / (1 + B)`, hypotheses in falling order of
    |t|.

    Examples
    --------
    >>> draws = np.array([[1.0, 0.5], [0.2, 3.0], [0.1, 0.1]])
    >>> step_down_max(np.array([2.0, 0.3]), draws).tolist()
    [0.5, 0.75]
    """
    order = np.argsort(-np.abs(t), kind="stable")
    size = np.abs(T[:, order])
    largest = np.maximum.accumulate(size[:, ::-1], axis=1)[:, ::-1]
    reached = (largest >= np.abs(t)[order] * (1 - TIE)).sum(axis=0)
    p = (1 + reached) / (1 + len(T))
    out = np.empty(len(t))
    out[order] = np.maximum.accumulate(p)
    return out


def _ordered(p: Floats, rule: Callable[[Floats], Floats]) -> Floats:
    """Apply a rule to the rising p-values, cap at 1, and put them back in place."""
    order = np.argsort(p, kind="stable")
    out = np.empty(len(p))
    out[order] = np.minimum(1.0, rule(p[order]))
    return out
