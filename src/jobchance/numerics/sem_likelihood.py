"""Normal log-likelihood of patterns, with first and second derivatives by the moments mu (p,), Sigma (p, p).

By pattern: P the inverse of its Sigma, d = mean - mu, T = S + dd', u = Pd, all (K, ...) and zero where a
variable is missing. Derivatives by Sigma are taken element by element as if it were not symmetric; the chain
rule with symmetric dSigma puts that right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.sem_patterns import Patterns

Floats = NDArray[np.float64]
_LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True, eq=False)
class Slope:
    """Gradient by Sigma (p, p) and mu (p,)."""

    by_sigma: Floats
    by_mu: Floats


@dataclass(frozen=True, eq=False)
class Curvature:
    """Minus the second derivative by Sigma-Sigma (p*p, p*p), Sigma-mu (p*p, p) and mu-mu (p, p).

    Rows and columns of Sigma may be swapped between the two sides: symmetric dSigma do not see it.
    """

    sigma: Floats
    cross: Floats
    mu: Floats


def loglik(patterns: Patterns, mu: Floats, sigma: Floats) -> float:
    """Log-likelihood; minus infinity where Sigma of a pattern is not positive definite."""
    try:
        factor = np.linalg.cholesky(_blocks(patterns, sigma))
    except np.linalg.LinAlgError:
        return -math.inf
    d = _deviation(patterns, mu)
    T = patterns.covariance + d[:, :, None] * d[:, None, :]
    half = np.linalg.solve(factor, T)
    traces = np.trace(np.linalg.solve(factor, half.transpose(0, 2, 1)), axis1=1, axis2=2)
    logdets = 2 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    sizes = patterns.have.sum(axis=1)
    return -float(patterns.count @ (sizes * _LOG_2PI + logdets + traces)) / 2


def slope(patterns: Patterns, mu: Floats, sigma: Floats) -> Slope:
    """Gradient by the moments."""
    P, n, d = inverses(patterns, sigma), patterns.count, _deviation(patterns, mu)
    T = patterns.covariance + d[:, :, None] * d[:, None, :]
    return Slope(np.tensordot(n, P @ T @ P - P, 1) / 2, n @ (P @ d[:, :, None])[:, :, 0])


def curvature(patterns: Patterns, mu: Floats, sigma: Floats, *, expected: bool) -> Curvature:
    """Observed or expected information about the moments, given which values are missing."""
    p, n = patterns.p, patterns.count
    P = inverses(patterns, sigma)
    flat = P.reshape(len(P), -1)
    of_mu = np.tensordot(n, P, 1)
    if expected:
        return Curvature(_kron(flat, n[:, None] * flat / 2, p), np.zeros((p * p, p)), of_mu)
    d = _deviation(patterns, mu)
    T = patterns.covariance + d[:, :, None] * d[:, None, :]
    weighted = n[:, None] * (P @ T @ P - P / 2).reshape(len(P), -1)
    u = n[:, None] * (P @ d[:, :, None])[:, :, 0]
    cross = (u.T @ flat).reshape(p * p, p)
    return Curvature(_kron(flat, weighted, p), cross, of_mu)


def inverses(patterns: Patterns, sigma: Floats) -> Floats:
    """P (K, p, p)."""
    both = patterns.have[:, :, None] & patterns.have[:, None, :]
    return np.where(both, np.linalg.inv(_blocks(patterns, sigma)), 0.0)


def _blocks(patterns: Patterns, sigma: Floats) -> Floats:
    """Sigma of each pattern, with rows of the identity for what is missing: these add nothing."""
    both = patterns.have[:, :, None] & patterns.have[:, None, :]
    return np.where(both, sigma, np.eye(patterns.p))


def _deviation(patterns: Patterns, mu: Floats) -> Floats:
    """Deviations d (K, p)."""
    return np.where(patterns.have, patterns.mean - mu, 0.0)


def _kron(left: Floats, right: Floats, p: int) -> Floats:
    """Sum over patterns of the Kronecker products (p*p, p*p) of matrices given flat (K, p*p)."""
    made: Floats = (left.T @ right).reshape(p, p, p, p).transpose(0, 2, 1, 3).reshape(p * p, p * p)
    return made
