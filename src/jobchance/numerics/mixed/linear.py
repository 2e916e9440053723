"""Linear mixed models: the profiled ML or REML criterion with its exact gradient.

Letters of Bates, Maechler, Bolker & Walker (2015), J. Stat. Softw. 67(1): y = X beta + Z Lambda u + e with
e ~ N(0, sigma^2 / w), u ~ N(0, sigma^2 I), and M = I + Lambda'Z'WZ Lambda. The criterion is
log|M| (+ log|X'V^{-1}X| for REML) + df (1 + log(2 pi pw / df)) - sum log w, with pw the penalised weighted
residual sum of squares at its minimum and df = n - p (REML) or n (ML); beta and sigma are profiled out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from jobchance.errors import EstimationError
from jobchance.numerics.mixed import kernels
from jobchance.numerics.mixed.arrow import Layout
from jobchance.numerics.mixed.block import Block, CellBlock, RowIndex, Slots
from jobchance.numerics.mixed.iterative import schur_complement
from jobchance.numerics.mixed.partition import Partition
from jobchance.numerics.mixed.pool import Pool
from jobchance.numerics.mixed.relative import Template, relative_factors

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Moments:
    """What a block adds to the problem once: rows, sum of log weights, [X y]'W[X y]."""

    n: int
    log_weights: float
    gram: Floats


@dataclass(frozen=True, eq=False)
class LinearParts:
    """What a block adds at one theta: sum log|I + A_i|, [X y]'V^{-1}[X y] and right side before S is solved.

    `store` holds its part of S where that could not be added in place.
    """

    logdet: float
    gram: Floats
    right: Floats
    store: Floats | None


class LinearBlock:
    """Rows of a linear model; after construction only codes, weights and sums are held, not X and y."""

    def __init__(
        self,
        index: RowIndex,
        z: Floats,
        slots: Slots,
        partition: Partition,
        *,
        D: Floats,
        w: Floats,
    ) -> None:
        self.block = (CellBlock if len(z) == 1 else Block)(index, z, slots, partition.layout)
        self.columns = [*([partition.moved_places] if not self.block.m1 else []), *partition.places]
        self.widths = slots.widths[1:] if self.block.m1 else slots.widths
        k = D.shape[1]
        self.G1, self.U0 = np.zeros((*self.block.shape1, k)), np.zeros((partition.layout.q, k))
        kernels.cross_sums(D, w, index.start, index.r, self.block.z, self.block.step, self.G1, self.U0)
        self.moments = Moments(len(w), float(np.log(w).sum()), (D * w[:, None]).T @ D)
        self.w = self.block.sum(w) if isinstance(self.block, CellBlock) else w

    def sums(self, factors: list[Floats], into: Floats | None) -> LinearParts:
        """Eliminate the block's levels at Lambda and add to S."""
        block = self.block
        block.set_factor(block.slots.joined(factors))
        store = np.zeros(block.layout.size) if into is None else into
        logdet = block.weigh(self.w, store)
        made = None if into is not None else store
        right = self._scaled(factors)
        if not block.m1:
            return LinearParts(logdet, np.zeros((self.U0.shape[1],) * 2), right, made)
        self.t1 = block.forward(np.einsum("iak,ab->ibk", self.G1, factors[0]), right)
        flat = self.t1.reshape(-1, self.t1.shape[2])
        return LinearParts(logdet, -flat.T @ flat, right, made)

    def describe(self) -> Moments:
        """What the block adds once."""
        return self.moments

    def _scaled(self, factors: list[Floats]) -> Floats:
        """Lambda' times the raw sums of the remaining columns."""
        mine = factors if not self.block.m1 else factors[1:]
        right = np.zeros_like(self.U0)
        for columns, factor in zip(self.columns, mine, strict=True):
            right[columns] = np.einsum("lak,ab->lbk", self.U0[columns], factor)
        return right

    def effects(self, xr: Floats) -> Floats:
        """Effects of the eliminated levels (q1, m1, k) from those of the remaining columns."""
        if not self.block.m1:
            return np.zeros((1, 0, xr.shape[1]))
        self.x1 = self.block.backward(self.t1, xr)
        return self.x1

    def gradient(self, xr: Floats, Q: Floats, weight: Floats, inverse: Floats) -> Floats:
        """Part of the criterion's derivative by the elements of Lambda (mt, mt).

        `xr` are the solutions for [X y], `Q` takes [X y] to (X R^{-1}, residual), `weight` are the factors of
        each of these columns in the criterion.
        """
        block = self.block
        x1, x = _times(self.effects(xr), Q), xr @ Q
        _, T, self.inverse_diagonal = block.leverage(self.w, inverse)
        T *= 2.0
        kernels.fitted_outer(
            self.w, block.index.start, block.index.r, block.z, block.zt, block.step, x1, x, -weight,
            block.first, block.last, T,
        )  # fmt: skip
        if block.m1:
            m1 = block.m1
            T[:m1, :m1] += _inner(_times(self.G1, Q * weight), x1)
        raw, at = self.U0 @ (Q * weight), block.m1
        for columns, width in zip(self.columns, self.widths, strict=True):
            T[at : at + width, at : at + width] += _inner(raw[columns], x[columns])
            at += width
        return T


def _times(effects: Floats, Q: Floats) -> Floats:
    """Effects (levels, m, k) times Q as one product: numpy's stacked products of small matrices are slow."""
    return (effects.reshape(-1, effects.shape[2]) @ Q).reshape(effects.shape)


def _inner(a: Floats, b: Floats) -> Floats:
    """Sum over levels and columns of a (levels, m, k) by b: (m, m)."""
    if a.shape[1] == 1:
        return np.full((1, 1), float(np.vdot(a, b)))
    return np.tensordot(a, b, axes=([0, 2], [0, 2]))


@dataclass(frozen=True, eq=False)
class LinearState:
    """Everything known at one theta.

    `beta` and `cov_unscaled` (relative to sigma^2) belong to the columns of X given.
    """

    theta: Floats
    value: float
    gradient: Floats
    pw: float
    sigma2: float
    beta: Floats
    cov_unscaled: Floats


class LinearProblem:
    """Criterion of a linear mixed model as a function of theta.

    Parameters
    ----------
    pool : Pool of LinearBlock
        All rows.
    layout : Layout
        Places in S.
    slots, templates : Slots, tuple of Template
        The factors in engine order.
    restricted : bool
        REML, else ML.
    """

    def __init__(
        self,
        pool: Pool,
        layout: Layout,
        slots: Slots,
        templates: tuple[Template, ...],
        *,
        restricted: bool,
    ) -> None:
        self.pool, self.slots, self.templates = pool, slots, templates
        self.arrow = schur_complement(layout)
        moments: list[Moments] = pool.call("describe")
        self.n = sum(m.n for m in moments)
        self.log_weights = sum(m.log_weights for m in moments)
        self.gram = np.sum([m.gram for m in moments], axis=0)
        self.p = len(self.gram) - 1
        self.df = self.n - self.p if restricted else self.n
        self.restricted = restricted
        self.n_evaluations = 0

    def evaluate(self, theta: Floats) -> LinearState:
        """Criterion, gradient and profiled estimates at theta."""
        self.n_evaluations += 1
        p, arrow = self.p, self.arrow
        factors = relative_factors(self.templates, theta)
        arrow.clear()
        parts: list[LinearParts] = self.pool.call(
            "sums", factors, arrow.store if self.pool.shares_memory else None
        )
        arrow.add([part.store for part in parts])
        arrow.factor()
        right = np.sum([part.right for part in parts], axis=0)
        xr = arrow.solve(right)
        gram = self.gram + np.sum([part.gram for part in parts], axis=0) - right.T @ xr
        R, beta, pw = _regress(gram, self.gram[-1, -1])
        logdet = sum(part.logdet for part in parts) + arrow.logdet
        value = logdet + self.df * (1.0 + math.log(2.0 * math.pi * pw / self.df)) - self.log_weights
        Ri = linalg.solve_triangular(R, np.eye(p)) if p else np.zeros((0, 0))
        Q = np.zeros((p + 1, p + 1))
        Q[:p, :p], Q[:p, p], Q[p, p] = Ri, -beta, 1.0
        weight = np.full(p + 1, -2.0 if self.restricted else 0.0)
        weight[p] = -2.0 * self.df / pw
        if self.restricted:
            value += 2.0 * float(np.log(np.abs(np.diag(R))).sum())
        inverse = arrow.inverse()
        T = np.sum(self.pool.call("gradient", xr, Q, weight, inverse), axis=0)
        made = [t.gather(G) for t, G in zip(self.templates, self.slots.split(T), strict=True)]
        self.inverse, self.xr, self.Q = inverse, xr, Q
        return LinearState(theta, value, np.concatenate(made), pw, pw / self.df, beta, Ri @ Ri.T)


def _regress(gram: Floats, total: float) -> tuple[Floats, Floats, float]:
    """Upper Cholesky factor of X'V^{-1}X, beta, and the penalised residual sum of squares."""
    try:
        R = linalg.cholesky(gram[:-1, :-1]) if len(gram) > 1 else np.zeros((0, 0))
    except linalg.LinAlgError as error:
        raise EstimationError(
            "X'V^{-1}X is not positive definite: covariates are nearly collinear."
        ) from error
    z = linalg.solve_triangular(R, gram[:-1, -1], trans=1) if len(R) else np.zeros(0)
    beta = linalg.solve_triangular(R, z) if len(R) else z
    pw = float(gram[-1, -1] - z @ z)
    if not pw > 1e-13 * total:
        raise EstimationError(
            "The random effects explain the outcome (almost) fully, no residual variance is left to find; "
            "check that the outcome varies within groups."
        )
    return R, beta, pw
