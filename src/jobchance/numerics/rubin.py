"""Rubin's rules: several estimates from imputed data become one, with the uncertainty of what was missing.

Letters of van Buuren (2018), Flexible Imputation of Missing Data, section 2.3: m imputations, Qbar mean
estimate, Ubar mean covariance, B covariance of the estimates between imputations, T = Ubar + (1 + 1/m) B.
Barnard & Rubin (1999), Biometrika 86, 948-955.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pooled:
    """Pooled estimates and how much the missing values add.

    Parameters
    ----------
    estimates : array (k,)
        Qbar.
    within, between, total : array (k, k)
        Ubar, B and T.
    increase : array (k,)
        Relative increase in variance, (1 + 1/m) B / Ubar.
    share : array (k,)
        lambda, the share of the total variance that is due to what is missing, (1 + 1/m) B / T.
    df : array (k,)
        Degrees of freedom of Barnard and Rubin; `inf` where nothing limits them.
    fmi : array (k,)
        Fraction of missing information, (r + 2/(df + 3)) / (r + 1), with r the relative increase.
    """

    estimates: Floats
    within: Floats
    between: Floats
    total: Floats
    increase: Floats
    share: Floats
    df: Floats
    fmi: Floats


def pool(estimates: Floats, covariances: Floats, df_complete: Floats) -> Pooled:
    """Pool m estimates (m, k) with covariances (m, k, k); `df_complete` (k,) are those of complete data."""
    m = len(estimates)
    mean = estimates.mean(axis=0)
    within = covariances.mean(axis=0)
    away = estimates - mean
    between = away.T @ away / (m - 1)
    total = within + (1 + 1 / m) * between
    u, b, t = np.diag(within), np.diag(between), np.diag(total)
    with np.errstate(divide="ignore", invalid="ignore"):
        increase = (1 + 1 / m) * b / u
        share = (1 + 1 / m) * b / t
    df = barnard_rubin(m, share, df_complete)
    fmi = (increase + 2 / (df + 3)) / (increase + 1)
    return Pooled(mean, within, between, total, increase, share, df, fmi)


def barnard_rubin(m: int, share: Floats, df_complete: Floats) -> Floats:
    """Degrees of freedom from m, lambda and those of complete data (Rubin's where these are infinite)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        old = (m - 1) / share**2
        observed = (df_complete + 1) / (df_complete + 3) * df_complete * (1 - share)
        both = 1 / (1 / old + 1 / observed)
    return np.where(np.isinf(df_complete), old, both)
