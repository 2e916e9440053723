"""Sufficient statistics of multivariate normal data with holes: counts, means and covariances by pattern.

Letters: n cases, p variables; a pattern is the set of variables that its cases have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pattern:
    """Cases that have the same variables: positions of these (k,), count, mean (k,), covariance (k, k).

    The covariance has divisor `n`.
    """

    observed: Codes
    n: int
    mean: Floats
    covariance: Floats


@dataclass(frozen=True, eq=False)
class Patterns:
    """All cases by pattern; `p` is the number of variables in all."""

    parts: Sequence[Pattern]
    p: int

    @property
    def n(self) -> int:
        """Cases."""
        return sum(part.n for part in self.parts)

    @property
    def complete(self) -> bool:
        """Whether every case has every variable."""
        return len(self.parts) == 1 and len(self.parts[0].observed) == self.p

    @property
    def coverage(self) -> Codes:
        """Cases (p, p) that have both variables of a pair."""
        counts = np.zeros((self.p, self.p), dtype=np.int64)
        for part in self.parts:
            counts[np.ix_(part.observed, part.observed)] += part.n
        return counts


def from_moments(covariance: Floats, means: Floats, n: int) -> Patterns:
    """One complete pattern from a covariance (p, p) with divisor n and means (p,)."""
    p = len(means)
    return Patterns((Pattern(np.arange(p), n, means, covariance),), p)


def from_cases(values: Floats) -> tuple[Patterns, Codes]:
    """Patterns of the cases (n, p), NaN where missing, and the pattern of each case.

    Every case must have at least one variable.
    """
    have = ~np.isnan(values)
    found, codes = np.unique(have, axis=0, return_inverse=True)
    codes = codes.reshape(-1)
    parts = []
    for i, row in enumerate(found):
        observed = np.flatnonzero(row)
        assert len(observed), "cases without any value are left out before"
        block = values[codes == i][:, observed]
        mean = block.mean(axis=0)
        centred = block - mean
        parts.append(Pattern(observed, len(block), mean, centred.T @ centred / len(block)))
    return Patterns(tuple(parts), values.shape[1]), codes.astype(np.int64)


def univariate(patterns: Patterns) -> tuple[Floats, Floats, Codes]:
    """Mean, variance (divisor: its cases) and cases of every variable by itself."""
    total, square = np.zeros(patterns.p), np.zeros(patterns.p)
    count = np.diag(patterns.coverage).copy()
    for part in patterns.parts:
        total[part.observed] += part.n * part.mean
    mean = total / count
    for part in patterns.parts:
        off = part.mean - mean[part.observed]
        square[part.observed] += part.n * (np.diag(part.covariance) + off**2)
    return mean, square / count, count
