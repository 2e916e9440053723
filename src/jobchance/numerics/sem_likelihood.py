"""Normal log-likelihood of patterns, with first and second derivatives by the moments mu (p,), Sigma (p, p).

P is the inverse of a pattern's Sigma, d = mean - mu, T = S + dd', u = Pd. Derivatives by Sigma are taken
element by element as if Sigma were not symmetric; the chain rule with symmetric dSigma puts that right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.sem_patterns import Codes, Patterns

Floats = NDArray[np.float64]
_LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True, eq=False)
class Slope:
    """Log-likelihood and its gradient by Sigma (p, p) and mu (p,)."""

    loglik: float
    by_sigma: Floats
    by_mu: Floats


@dataclass(frozen=True, eq=False)
class Curvature:
    """Minus the second derivative by Sigma-Sigma (p*p, p*p), Sigma-mu (p*p, p) and mu-mu (p, p)."""

    sigma: Floats
    cross: Floats
    mu: Floats


def loglik(patterns: Patterns, mu: Floats, sigma: Floats) -> float:
    """Log-likelihood; minus infinity where Sigma of a pattern is not positive definite."""
    total = 0.0
    for part in patterns.parts:
        o = part.observed
        try:
            factor = np.linalg.cholesky(sigma[np.ix_(o, o)])
        except np.linalg.LinAlgError:
            return -math.inf
        d = part.mean - mu[o]
        spread = np.linalg.solve(factor, np.column_stack([d, part.covariance]))
        trace = float(np.trace(np.linalg.solve(factor, spread[:, 1:].T)))
        logdet = 2 * float(np.log(np.diag(factor)).sum())
        total -= part.n / 2 * (len(o) * _LOG_2PI + logdet + trace + float(spread[:, 0] @ spread[:, 0]))
    return total


def slope(patterns: Patterns, mu: Floats, sigma: Floats) -> Slope:
    """Log-likelihood and gradient by the moments."""
    p = patterns.p
    by_sigma, by_mu = np.zeros((p, p)), np.zeros(p)
    for part in patterns.parts:
        o = part.observed
        P = np.linalg.inv(sigma[np.ix_(o, o)])
        d = part.mean - mu[o]
        T = part.covariance + np.outer(d, d)
        by_sigma[np.ix_(o, o)] += part.n / 2 * (P @ T @ P - P)
        by_mu[o] += part.n * (P @ d)
    return Slope(loglik(patterns, mu, sigma), by_sigma, by_mu)


def curvature(patterns: Patterns, mu: Floats, sigma: Floats, *, expected: bool) -> Curvature:
    """Observed or expected information about the moments, given which values are missing."""
    p = patterns.p
    of_sigma, cross, of_mu = np.zeros((p * p, p * p)), np.zeros((p * p, p)), np.zeros((p, p))
    for part in patterns.parts:
        o = part.observed
        P = np.linalg.inv(sigma[np.ix_(o, o)])
        cells = (o[:, None] * p + o).reshape(-1)
        d = part.mean - mu[o]
        of_mu[np.ix_(o, o)] += part.n * P
        if expected:
            of_sigma[np.ix_(cells, cells)] += part.n / 2 * np.kron(P, P)
            continue
        PTP = P @ (part.covariance + np.outer(d, d)) @ P
        both = (np.kron(PTP, P) + np.kron(P, PTP)) / 2
        of_sigma[np.ix_(cells, cells)] += part.n * (both - np.kron(P, P) / 2)
        u = (P @ d)[:, None]
        cross[np.ix_(cells, o)] += part.n * (np.kron(u, P) + np.kron(P, u)) / 2
    return Curvature(of_sigma, cross, of_mu)


def case_slopes(
    values: Floats, codes: Codes, patterns: Patterns, mu: Floats, sigma: Floats
) -> tuple[Floats, Floats]:
    """By case: u (n, p), zero where missing, and by pattern: P (patterns, p, p), zero where missing.

    The score of a case by a parameter is `u' dSigma u / 2 - tr(P dSigma) / 2 + u' dmu`.
    """
    u = np.zeros(values.shape)
    inverses = np.zeros((len(patterns.parts), patterns.p, patterns.p))
    for i, part in enumerate(patterns.parts):
        o = part.observed
        inverses[i][np.ix_(o, o)] = P = np.linalg.inv(sigma[np.ix_(o, o)])
        mine = np.flatnonzero(codes == i)
        u[np.ix_(mine, o)] = (values[np.ix_(mine, o)] - mu[o]) @ P
    return u, inverses
