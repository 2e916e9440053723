"""The wild cluster bootstrap of one coefficient of least squares, restricted (WCR) or not (WCU).

Letters: x the covariate less what the other columns and absorbed effects explain, S = x'x, e residuals,
theta = beta - tau with tau the null; the residuals under the null are e + theta x. A draw v has numerator
n(theta) = sum_g v_g x_g'(e + theta x)_g / S and variance sum of f_d |K_d v|^2 / S^2 over the dimensions d of
the clusters, so that five numbers of a draw give its t for every tau. Cameron, Gelbach & Miller (2008), Rev.
Econ. Statist. 90, 414-427; Roodman, MacKinnon, Nielsen & Webb (2019), Stata J. 19, 4-60.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.wild_sums import Operator, Removed, operator, removed
from jobchance.numerics.wild_weights import weight_blocks

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Term:
    """One term of a clustered variance: clusters of the rows, and signed small-sample factor."""

    codes: Codes
    factor: float


@dataclass(frozen=True, eq=False)
class LinearDraws:
    """What each draw (b,) needs: numerator `n0 + theta n1`, variance `v0 + 2 theta v01 + theta^2 v11`."""

    n0: Floats
    n1: Floats
    v0: Floats
    v01: Floats
    v11: Floats

    def t(self, theta: float) -> Floats:
        """Studentised draws with residuals e + theta x; NaN where the variance is not positive."""
        variance = self.v0 + theta * (2 * self.v01 + theta * self.v11)
        with np.errstate(invalid="ignore", divide="ignore"):
            out = (self.n0 + theta * self.n1) / np.sqrt(variance)
        return np.where(variance > 0, out, np.nan)


def exposure_alone(X: Floats, place: int) -> Floats:
    """Column `place` of X less what the others explain; twice, against rounding errors."""
    others = np.delete(X, place, axis=1)
    out = X[:, place]
    if others.shape[1]:
        Q = np.linalg.qr(others / np.linalg.norm(others, axis=0))[0]
        for _ in range(2):
            out = out - Q @ (Q.T @ out)
    return out


def linear_draws(
    X: Floats,
    residual: Floats,
    place: int,
    *,
    factors: Sequence[Codes],
    terms: Sequence[Term],
    outer: Codes,
    weights: str,
    draws: int,
    seed: int | np.random.SeedSequence,
) -> LinearDraws:
    """Draws for coefficient `place` of X (n, k), absorbed `factors` removed from X and the residuals (n,).

    `terms` are the clusters of the variance, `outer` those whose rows share a multiplier.
    """
    x = exposure_alone(X, place)
    S = float(x @ x)
    gone = removed(X, factors)
    G = int(outer.max()) + 1
    a0 = np.bincount(outer, weights=x * residual, minlength=G) / S
    a1 = np.bincount(outer, weights=x * x, minlength=G) / S
    pairs = [_operators(x, residual, term, outer, gone) for term in terms]
    scales = [term.factor / S**2 for term in terms]
    made = [_block(v, S, a0, a1, pairs, scales) for v in weight_blocks(weights, G, draws, seed)]
    return LinearDraws(*(np.concatenate(parts) for parts in zip(*made, strict=True)))


def _operators(
    x: Floats, residual: Floats, term: Term, outer: Codes, gone: Removed
) -> tuple[Operator, Operator]:
    """Cluster scores from the residuals, and from x."""
    inner = outer if np.array_equal(term.codes, outer) else term.codes
    return operator(x, residual, inner, outer, gone), operator(x, x, inner, outer, gone)


def _block(
    v: Floats,
    S: float,
    a0: Floats,
    a1: Floats,
    pairs: Sequence[tuple[Operator, Operator]],
    scales: Sequence[float],
) -> tuple[Floats, ...]:
    """The five numbers of a block of draws (G, b)."""
    v0, v01, v11 = np.zeros((3, v.shape[1]))
    for (first, second), scale in zip(pairs, scales, strict=True):
        s0, s1 = first(v), second(v)
        v0 += scale * np.einsum("hb,hb->b", s0, s0)
        v01 += scale * np.einsum("hb,hb->b", s0, s1)
        v11 += scale * np.einsum("hb,hb->b", s1, s1)
    # Signs that leave the data as they are make these exactly zero; their rounding errors, times a far null,
    # would part a draw from the t that it equals.
    n0 = _settled(a0 @ v, np.abs(a0) @ np.abs(v), _ROUNDING)
    largest = sum(abs(scale) for scale in scales) * float(a1 @ a1) * S**2 * np.max(v**2, axis=0)
    moves = np.abs(v11) > _ROUNDING**2 * largest
    return n0, a1 @ v, v0, np.where(moves, v01, 0.0), np.where(moves, v11, 0.0)


def _settled(values: Floats, size: Floats, tolerance: float) -> Floats:
    """Values with those that are rounding errors of terms of a size at zero."""
    return np.where(np.abs(values) > tolerance * size, values, 0.0)
