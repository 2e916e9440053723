"""Criterion of a linear mixed model with one grouping factor, from cross-products by group.

Letters of Bates, Maechler, Bolker & Walker (2015), J. Stat. Softw. 67(1), as in `one_factor`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchance.errors import EstimationError

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

UNBOUNDED = (
    "The variance between groups has no upper bound: the random effects explain the outcome (almost) fully. "
    "Check that the outcome varies within groups."
)


@dataclass(frozen=True, eq=False)
class Sums:
    """Cross-products by group of the scaled problem: X has orthonormal columns, y is its residual on X."""

    n: int
    p: int
    gram: Floats  # Z'Z, (m, q, q)
    zx: Floats  # (m, q, p)
    zy: Floats  # (m, q)
    yy: float


@dataclass(frozen=True, eq=False)
class State:
    """Everything that is known at one Lambda."""

    delta: Floats
    information: Floats
    r2: float
    criterion: float
    slope: Floats  # derivative of the criterion by the covariance Lambda Lambda', (q, q)
    factor: Floats  # Lambda K^{-1} Lambda', (m, q, q), with K = I + Lambda' Z'Z Lambda


def cross_products(X: Floats, y: Floats, Z: Floats, codes: Codes) -> Sums:
    """Sums by group, columns at a time, so that no (n, q, p) array is made."""
    m, q, p = int(codes.max()) + 1, Z.shape[1], X.shape[1]

    def by_group(values: Floats) -> Floats:
        return np.bincount(codes, weights=values, minlength=m).astype(float)

    gram = np.empty((m, q, q))
    zx = np.empty((m, q, p))
    zy = np.empty((m, q))
    for a in range(q):
        zy[:, a] = by_group(Z[:, a] * y)
        for b in range(q):
            gram[:, a, b] = by_group(Z[:, a] * Z[:, b])
        for j in range(p):
            zx[:, a, j] = by_group(Z[:, a] * X[:, j])
    return Sums(len(y), p, gram, zx, zy, float(y @ y))


def evaluate(sums: Sums, lower: Floats, *, restricted: bool) -> State:
    """Profiled criterion and its derivative by the covariance of the random effects at one Lambda."""
    q = lower.shape[0]
    k_matrix = np.eye(q) + lower.T @ sums.gram @ lower
    factor = lower @ np.linalg.solve(k_matrix, np.broadcast_to(lower.T, k_matrix.shape))
    f_zx, f_zy = factor @ sums.zx, np.einsum("mab,mb->ma", factor, sums.zy)
    information = np.eye(sums.p) - np.einsum("mqi,mqj->ij", sums.zx, f_zx)
    gradient_at_zero = -np.einsum("mqi,mq->i", sums.zx, f_zy)
    delta = np.linalg.solve(information, gradient_at_zero)
    r2 = sums.yy - float(np.sum(sums.zy * f_zy)) - float(gradient_at_zero @ delta)
    if r2 <= 1e-14 * sums.yy:
        raise EstimationError(UNBOUNDED)
    df = sums.n - sums.p if restricted else sums.n
    log_det = float(np.linalg.slogdet(k_matrix)[1].sum())
    if restricted:
        log_det += float(np.linalg.slogdet(information)[1])
    criterion = log_det + df * (1 + math.log(2 * math.pi * r2 / df))

    m_i = sums.gram - sums.gram @ factor @ sums.gram
    n_i = sums.zx - sums.gram @ f_zx
    u_i = sums.zy - np.einsum("mab,mb->ma", sums.gram, f_zy) - n_i @ delta
    slope = m_i.sum(axis=0) - df / r2 * (u_i.T @ u_i)
    if restricted:
        slope = slope - np.einsum("mai,ij,mbj->ab", n_i, np.linalg.inv(information), n_i)
    return State(delta, information, r2, criterion, slope, factor)
