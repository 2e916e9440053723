"""Omitted variable bias in terms of partial R2 (Cinelli & Hazlett 2020, J. R. Statist. Soc. B 82, 39-67).

Letters: t and df of the exposure's coefficient, f = t / sqrt(df) its partial Cohen's f; Z a confounder that
was left out, r2dz = R2 of Z with the exposure given the covariates, r2yz = R2 of Z with the outcome given
exposure and covariates; kd, ky how many times as strong as a benchmark covariate Z is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def partial_r2(t: ArrayLike, df: float) -> Floats:
    """Partial R2 of one coefficient from its t-value, t^2 / (t^2 + df)."""
    squared = np.asarray(t, dtype=float) ** 2
    return np.asarray(squared / (squared + df))


def robustness(f: float, *, q: float = 1.0, critical: float = 0.0, df: float = np.inf) -> float:
    """Robustness value: r2yz = r2dz that takes the share `q` of the estimate away.

    Parameters
    ----------
    f : float
        Partial f of the exposure with the outcome.
    q : float
        Share of the estimate, 1 for all of it.
    critical : float
        Critical t-value with df - 1 degrees of freedom: the estimate need only lose its significance
        (equation 20). 0 asks for the estimate itself (equation 18).
    df : float
        Degrees of freedom of the model.

    Returns
    -------
    float
        Between 0 and 1; 0 where no confounder is needed.
    """
    fq = q * abs(f)
    at = critical / np.sqrt(df - 1) if critical else 0.0
    gap = fq - at
    if gap <= 0:
        return 0.0
    if at > 0 and fq > 1 / at:
        # the worst confounder of that strength is then no longer the one with r2yz = r2dz
        return float((fq**2 - at**2) / (1 + fq**2))
    return float((np.sqrt(gap**4 + 4 * gap**2) - gap**2) / 2)


def extreme_robustness(f: float, *, q: float = 1.0, critical: float = 0.0, df: float = np.inf) -> float:
    """Smallest r2dz that takes the share `q` away where Z explains all that is left of the outcome."""
    fq = q * abs(f)
    at = critical / np.sqrt(df - 1) if critical else 0.0
    return float(max((fq**2 - at**2) / (1 + fq**2), 0.0))


def bias(std_error: float, df: float, r2dz: ArrayLike, r2yz: ArrayLike) -> Floats:
    """Size of the bias, se sqrt(df) sqrt(r2yz r2dz / (1 - r2dz)) (equation 14)."""
    d, y = np.asarray(r2dz, dtype=float), np.asarray(r2yz, dtype=float)
    return np.asarray(std_error * np.sqrt(df) * np.sqrt(y * d / (1 - d)))


def adjusted_std_error(std_error: float, df: float, r2dz: ArrayLike, r2yz: ArrayLike) -> Floats:
    """Standard error with Z too: se sqrt((1 - r2yz) / (1 - r2dz) df / (df - 1)) (equation 15)."""
    d, y = np.asarray(r2dz, dtype=float), np.asarray(r2yz, dtype=float)
    return np.asarray(std_error * np.sqrt((1 - y) / (1 - d) * df / (df - 1)))


def benchmark_bound(r2dx: float, r2yx: float, *, kd: float, ky: float) -> tuple[float, float]:
    """Strength of a confounder `kd` and `ky` times as strong as a benchmark covariate (section 4.4).

    Parameters
    ----------
    r2dx : float
        Partial R2 of the benchmark with the exposure.
    r2yx : float
        Partial R2 of the benchmark with the outcome given the exposure.
    kd, ky : float
        How many times as strong.

    Returns
    -------
    r2dz, r2yz : float
        NaN for a strength that no confounder can have; `r2yz` above 1 is impossible too and left to the
        caller, who may want to say so.
    """
    fd = r2dx / (1 - r2dx) if r2dx < 1 else np.inf
    r2dz = kd * fd
    if r2dz >= 1:
        return np.nan, np.nan
    # correlation of Z with the benchmark given the exposure, which collider conditioning brings about
    r2zx = kd * r2dx**2 / ((1 - kd * r2dx) * (1 - r2dx)) if kd * r2dx < 1 else np.inf
    if r2zx >= 1:
        return float(r2dz), np.nan
    eta = (np.sqrt(ky) + np.sqrt(r2zx)) / np.sqrt(1 - r2zx)
    return float(r2dz), float(eta**2 * r2yx / (1 - r2yx)) if r2yx < 1 else np.inf


def residual(y: Floats, X: Floats) -> Floats:
    """What least squares on the columns of `X` (n, k) leaves of `y` (n,) or (n, c)."""
    if X.shape[1] == 0:
        return y
    Q, _ = np.linalg.qr(X)
    left = y - Q @ (Q.T @ y)
    return np.asarray(left - Q @ (Q.T @ left))


def set_partial_r2(y: Floats, others: Floats, chosen: Floats) -> float:
    """Partial R2 of columns with `y`, given the columns `others`; NaN where nothing is left of `y`."""
    before = residual(y, others)
    after = residual(y, np.column_stack([others, chosen]))
    total = float(before @ before)
    return 1 - float(after @ after) / total if total > 1e-12 * float(y @ y) else float("nan")
