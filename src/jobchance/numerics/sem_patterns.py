"""Sufficient statistics of multivariate normal data with holes: counts, means and covariances by pattern.

Letters: n cases, p variables, K patterns; a pattern is the set of variables that its cases have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Patterns:
    """All cases by pattern.

    `have` (K, p) says which variables; `count` (K,) cases; `mean` (K, p) and `covariance` (K, p, p), with
    divisor `count`, are zero where a variable is missing.
    """

    have: NDArray[np.bool_]
    count: Codes
    mean: Floats
    covariance: Floats

    @property
    def p(self) -> int:
        """Variables."""
        return int(self.have.shape[1])

    @property
    def n(self) -> int:
        """Cases."""
        return int(self.count.sum())

    @property
    def complete(self) -> bool:
        """Whether every case has every variable."""
        return bool(self.have.all())

    @property
    def coverage(self) -> Codes:
        """Cases (p, p) that have both variables of a pair."""
        counts: Codes = (self.have * self.count[:, None]).T @ self.have
        return counts


def from_moments(covariance: Floats, means: Floats, n: int) -> Patterns:
    """One complete pattern from a covariance (p, p) with divisor n and means (p,)."""
    return Patterns(np.ones((1, len(means)), dtype=bool), np.array([n]), means[None], covariance[None])


def from_cases(values: Floats) -> tuple[Patterns, Codes]:
    """Patterns of the cases (n, p), NaN where missing, and the pattern of each case."""
    have, codes = np.unique(~np.isnan(values), axis=0, return_inverse=True)
    codes = codes.reshape(-1).astype(np.int64)
    count, p = np.bincount(codes), values.shape[1]
    mean, covariance = np.zeros(have.shape), np.zeros((len(have), p, p))
    filled = np.where(have[codes], values, 0.0)
    order = np.split(np.argsort(codes, kind="stable"), np.cumsum(count)[:-1])
    for i, cases in enumerate(order):
        block = filled[cases]
        mean[i] = block.mean(axis=0)
        centred = block - mean[i]
        covariance[i] = centred.T @ centred / len(cases)
    return Patterns(have, count.astype(np.int64), mean, covariance), codes


def univariate(patterns: Patterns) -> tuple[Floats, Floats]:
    """Mean and variance (divisor: its cases) of every variable by itself."""
    weights = patterns.have * patterns.count[:, None] / np.diag(patterns.coverage)
    mean = (weights * patterns.mean).sum(axis=0)
    within = np.diagonal(patterns.covariance, axis1=1, axis2=2)
    return mean, (weights * (within + (patterns.mean - mean) ** 2)).sum(axis=0)
