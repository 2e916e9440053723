"""Meta-analysis: weighted least squares with an additive between-study variance.

Letters: y = estimates (k,), v = their sampling variances, X = moderators with intercept (k, p),
W = 1/(v + tau2), P = W - WX(X'WX)^{-1}X'W. Viechtbauer (2005), J. Educ. Behav. Statist. 30, 261-293;
Viechtbauer (2007), Statist. Med. 26, 37-52 (Q-profile); Duval & Tweedie (2000), Biometrics 56, 455-463 (L0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

Floats = NDArray[np.float64]

METHODS = ("reml", "ml", "dl", "ee")


@dataclass(frozen=True, eq=False)
class Weighted:
    """Weighted least squares at one value of tau2."""

    beta: Floats
    cov: Floats
    weights: Floats
    rss: float
    trace_p: float
    trace_pp: float
    ypp_y: float
    log_det_information: float


def weighted(y: Floats, v: Floats, X: Floats, tau2: float) -> Weighted:
    """Coefficients and the quantities of the likelihood at `tau2`."""
    w = 1 / (v + tau2)
    information = X.T @ (w[:, None] * X)
    cov: Floats = np.asarray(np.linalg.inv(information), dtype=float)
    beta = cov @ (X.T @ (w * y))
    residual = w * (y - X @ beta)  # = P y
    squared = cov @ (X.T @ ((w**2)[:, None] * X))
    cubed = cov @ (X.T @ ((w**3)[:, None] * X))
    return Weighted(
        beta=beta,
        cov=cov,
        weights=w,
        rss=float(y @ residual),
        trace_p=float(w.sum() - np.trace(squared)),
        trace_pp=float(np.sum(w**2) - 2 * np.trace(cubed) + np.trace(squared @ squared)),
        ypp_y=float(residual @ residual),
        log_det_information=float(np.linalg.slogdet(information)[1]),
    )


def loglik(y: Floats, v: Floats, X: Floats, tau2: float, *, restricted: bool) -> float:
    """Log-likelihood, or the restricted one with the term `log|X'X|/2` (as metafor has it)."""
    k, p = X.shape
    at = weighted(y, v, X, tau2)
    value: float = -0.5 * (float(np.sum(np.log(v + tau2))) + at.rss)
    if not restricted:
        return float(value - 0.5 * k * math.log(2 * math.pi))
    log_det = float(np.linalg.slogdet(X.T @ X)[1])
    constant = (k - p) * math.log(2 * math.pi) + at.log_det_information - log_det
    return float(value - 0.5 * constant)


def estimate_tau2(y: Floats, v: Floats, X: Floats, *, method: str) -> tuple[float, float]:
    """Between-study variance and its standard error (NaN where there is none).

    `reml` and `ml` are solved to machine precision: every sign change of the score on a fine grid is
    bracketed, and the root (or zero) with the highest likelihood is taken, so that a second maximum cannot
    be mistaken for the first. `dl` is DerSimonian & Laird (1986); `ee` is zero by assumption.
    """
    if method == "ee":
        return 0.0, math.nan
    if method == "dl":
        return _dersimonian_laird(y, v, X), math.nan
    restricted = method == "reml"

    def score(tau2: float) -> float:
        at = weighted(y, v, X, tau2)
        return at.ypp_y - (at.trace_p if restricted else float(at.weights.sum()))

    top = 10 * (float(np.var(y)) + float(v.max()))
    grid = np.concatenate([[0.0], np.geomspace(1e-9 * top, top, 80)])
    values = [score(t) for t in grid]
    roots = [
        float(optimize.brentq(score, low, high, xtol=1e-15, rtol=1e-14))
        for low, high, at_low, at_high in zip(grid[:-1], grid[1:], values[:-1], values[1:], strict=True)
        if at_low > 0 >= at_high
    ]
    best = max([0.0, *roots], key=lambda tau2: loglik(y, v, X, tau2, restricted=restricted))
    at = weighted(y, v, X, best)
    return best, math.sqrt(2 / (at.trace_pp if restricted else float(np.sum(at.weights**2))))


def heterogeneity(v: Floats, X: Floats, tau2: float) -> tuple[float, float]:
    """I2 (in per cent) and H2 at `tau2`, from the typical sampling variance (Higgins & Thompson 2002)."""
    k, p = X.shape
    typical = (k - p) / weighted(np.zeros(k), v, X, 0.0).trace_p
    return 100 * tau2 / (tau2 + typical), tau2 / typical + 1


def q_profile(y: Floats, v: Floats, X: Floats, *, level: float) -> tuple[float, float]:
    """Confidence interval of tau2 by inverting the generalised Q statistic; NaN, NaN if it is empty."""
    k, p = X.shape
    high, low = (float(stats.chi2.ppf((1 + sign * level) / 2, k - p)) for sign in (1, -1))
    if weighted(y, v, X, 0.0).rss < low:
        return math.nan, math.nan
    return _q_root(y, v, X, high), _q_root(y, v, X, low)


def trim_and_fill(y: Floats, v: Floats, *, method: str) -> tuple[int, str, Floats, Floats]:
    """Number of studies missing on one side (L0), the side, and the data with their mirror images added."""
    ones = np.ones((len(y), 1))
    slope = weighted(y, v, np.column_stack([ones, np.sqrt(v)]), _tau2_on_precision(y, v, method)).beta[1]
    side, sign = ("right", -1.0) if slope < 0 else ("left", 1.0)
    order = np.argsort(sign * y, kind="stable")
    ordered, variances = sign * y[order], v[order]
    k, missing, before = len(y), 0, -1
    while missing != before:
        before = missing
        kept = slice(0, k - missing)
        tau2, _ = estimate_tau2(ordered[kept], variances[kept], ones[kept], method=method)
        centre = float(weighted(ordered[kept], variances[kept], ones[kept], tau2).beta[0])
        ranks = stats.rankdata(np.abs(ordered - centre), method="ordinal")
        positive = float(np.sum(ranks[ordered > centre]))
        missing = max(0, round((4 * positive - k * (k + 1)) / (2 * k - 1)))
    mirrored = 2 * centre - ordered[k - missing :]
    return missing, side, np.concatenate([y, sign * mirrored]), np.concatenate([v, variances[k - missing :]])


def _tau2_on_precision(y: Floats, v: Floats, method: str) -> float:
    """Between-study variance of the regression on the standard error, which decides the side."""
    return estimate_tau2(y, v, np.column_stack([np.ones(len(y)), np.sqrt(v)]), method=method)[0]


def _dersimonian_laird(y: Floats, v: Floats, X: Floats) -> float:
    """Moment estimator: (Q - (k - p)) / tr(P) at tau2 = 0, not below zero."""
    k, p = X.shape
    at = weighted(y, v, X, 0.0)
    return max(0.0, float(at.rss - (k - p)) / at.trace_p)


def _q_root(y: Floats, v: Floats, X: Floats, target: float) -> float:
    """The tau2 at which the generalised Q equals `target`; zero where it is smaller already at zero."""

    def excess(tau2: float) -> float:
        return float(weighted(y, v, X, tau2).rss - target)

    if excess(0.0) <= 0:
        return 0.0
    top = float(v.max())
    while excess(top) > 0:
        top *= 4
    root: float = optimize.brentq(excess, 0.0, top, xtol=1e-15, rtol=1e-14)
    return root
