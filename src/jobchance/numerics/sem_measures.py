"""How well a covariance structure fits: against the saturated and the independence model.

Letters: X chi-squared statistic, f its degrees of freedom, p variables. Bentler (1990); Steiger (1990);
Yuan & Bentler (2000) for the scaled statistic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from jobchance.numerics.sem import Optimum, Structure, case_scores, implied, inverse, maximise
from jobchance.numerics.sem_likelihood import loglik
from jobchance.numerics.sem_patterns import Codes, Patterns, univariate

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Saturated:
    """Free means and covariances: moments (p,) and (p, p), log-likelihood, and its own structure."""

    mu: Floats
    sigma: Floats
    loglik: float
    structure: Structure
    optimum: Optimum


def saturated(patterns: Patterns) -> Saturated:
    """The model that fits best: means and covariances free, by maximum likelihood over the patterns."""
    p = patterns.p
    rows, columns = np.tril_indices(p)
    q = len(rows) + p
    of_psi, of_mu = np.zeros((q, p, p)), np.zeros((q, p))
    of_psi[np.arange(len(rows)), rows, columns] = of_psi[np.arange(len(rows)), columns, rows] = 1
    of_mu[len(rows) + np.arange(p), np.arange(p)] = 1
    structure = Structure(np.zeros((p, 0)), np.zeros((q, p, p)), of_psi, np.zeros((q, 0, 0)), of_mu)
    mean, variance = univariate(patterns)
    if patterns.complete:
        mean, start = patterns.mean[0], patterns.covariance[0]
    else:
        start = np.diag(variance)
    optimum = maximise(structure, patterns, np.concatenate([start[rows, columns], mean]))
    at = implied(structure, optimum.theta)
    return Saturated(at.mu, at.sigma, optimum.loglik, structure, optimum)


def fit_measures(
    patterns: Patterns, optimum: Optimum, mu: Floats, sigma: Floats, best: Saturated
) -> dict[str, float]:
    """Chi-squared, its degrees of freedom and p-value, CFI, TLI, RMSEA with 90% interval, SRMR."""
    p, n = patterns.p, patterns.n
    df = p * (p + 3) // 2 - len(optimum.theta)
    chisq = max(2 * (best.loglik - optimum.loglik), 0.0)
    mean, variance = univariate(patterns)
    df_base = p * (p - 1) // 2
    chisq_base = 2 * (best.loglik - loglik(patterns, mean, np.diag(variance)))
    excess, excess_base = max(chisq - df, 0.0), max(chisq_base - df_base, chisq - df, 0.0)
    low, high = _rmsea_interval(chisq, df, n)
    return {
        "chisq": chisq,
        "df": float(df),
        "p": float(stats.chi2.sf(chisq, df)) if df else math.nan,
        "cfi": 1 - excess / excess_base if excess_base > 0 else 1.0,
        "tli": _tli(chisq, df, chisq_base, df_base),
        "rmsea": math.sqrt(excess / (df * n)) if df else 0.0,
        "rmsea_low": low,
        "rmsea_high": high,
        "srmr": _srmr(mu, sigma, best),
        "chisq_baseline": chisq_base,
        "df_baseline": float(df_base),
        "loglik_saturated": best.loglik,
    }


def score_trace(
    structure: Structure, patterns: Patterns, optimum: Optimum, values: Floats, codes: Codes
) -> float:
    """tr(S'S I^{-1}), the number of parameters under normality; scales likelihood ratios (Yuan & Bentler)."""
    bread = inverse(optimum.information)
    if bread is None:
        return math.nan
    scores = case_scores(structure, patterns, optimum.theta, values, codes)
    return float(np.sum((scores @ bread) * scores))


def _tli(chisq: float, df: int, chisq_base: float, df_base: int) -> float:
    """Tucker-Lewis index; 1 for a model that is saturated."""
    if df == 0:
        return 1.0
    base = chisq_base / df_base
    return (base - chisq / df) / (base - 1)


def _rmsea_interval(chisq: float, df: int, n: int) -> tuple[float, float]:
    """90% interval: noncentralities at which the statistic is the 95th and the 5th percentile."""
    if df == 0:
        return 0.0, 0.0

    def bound(tail: float) -> float:
        def excess(nc: float) -> float:
            return float(stats.ncx2.cdf(chisq, df, nc) if nc > 0 else stats.chi2.cdf(chisq, df)) - tail

        if excess(0.0) <= 0:
            return 0.0
        top = max(4.0 * chisq, 4.0 * df, 20.0)
        return math.sqrt(float(optimize.brentq(excess, 0.0, top)) / (n * df))

    return bound(0.95), bound(0.05)


def _srmr(mu: Floats, sigma: Floats, best: Saturated) -> float:
    """Standardised root mean square residual of covariances and means, by the saturated deviations."""
    sd = np.sqrt(np.diag(best.sigma))
    lower = np.tril_indices(len(sd))
    off = ((best.sigma - sigma) / np.outer(sd, sd))[lower]
    means = (best.mu - mu) / sd
    return math.sqrt((float(off @ off) + float(means @ means)) / (len(off) + len(means)))
