"""Scores by row of the Laplace (or quadrature) criterion, for clustered standard errors.

Letters as in `laplace.py`; v = M^{-1} Lambda'z of a row. The derivative of the criterion by an element (a, c)
of Lambda is a sum over rows of 2 W z_a v_c + k z_a u_c + r z_a b_c; sums of these parts over whole groups are
exact scores of the groups. White (1982), Econometrica 50, 1-25.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from jobchance.numerics.mixed import families, quadrature_kernels
from jobchance.numerics.mixed.jit import njit
from jobchance.numerics.mixed.kernels import leverage, outer_sums

if TYPE_CHECKING:
    from jobchance.numerics.mixed.laplace import LaplaceBlock, LaplaceProblem
    from jobchance.numerics.mixed.quadrature import Rule

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Ints = NDArray[np.int32]


def effective_scores(problem: LaplaceProblem, J: Floats, C: Floats, A: Floats) -> Floats:
    """Scores (n, k) of the coefficients with those of all other parameters projected out.

    With s the scores of (theta', tau, beta') and C their covariance, the coefficients move by A C s when a
    row is given more weight. Divided by their covariance A C A' this is a score whose sandwich is that of the
    whole system.

    Parameters
    ----------
    problem : LaplaceProblem
        At the optimum.
    J : array (K, number of tau)
        Thresholds are J tau.
    C : array (P, P)
        Covariance of (theta', tau, beta'); NaN for parameters on their boundary, which do not move.
    A : array (k, P)
        Coefficients from these parameters.
    """
    known = np.where(np.isnan(C), 0.0, C)
    moves = search_scores(problem, J) @ known @ A.T
    covariance = A @ known @ A.T
    scale = 1.0 / np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    made: Floats = ((moves * scale) @ linalg.pinvh(covariance * np.outer(scale, scale))) * scale
    return made


def search_scores(problem: LaplaceProblem, J: Floats) -> Floats:
    """Derivatives (n, P) by (theta', tau, beta') of the rows' parts of the log-likelihood, last evaluated."""
    right = np.sum(problem.pool.call("implicit", problem.inverse), axis=0)
    br = problem.arrow.solve(right)
    parts = problem.pool.call("row_scores", problem.ur, br, problem.inverse)
    n = sum(len(rows) for rows, *_ in parts)
    K = len(J)
    rest = parts[0][2].shape[1]
    products = np.empty((n, problem.slots.total, problem.slots.total))
    others = np.empty((n, rest))
    for rows, product, other in parts:
        products[rows], others[rows] = product, other
    by_theta, at = [], 0
    for template in problem.templates:
        a, b = template.places
        by_theta.append(products[:, at + a, at + b])
        at += template.m
    return -0.5 * np.hstack([*by_theta, others[:, :K] @ J, others[:, K:]])


def block_scores(block: LaplaceBlock, ur: Floats, br: Floats, inverse: Floats) -> tuple[Floats, Floats]:
    """Rows' parts of the derivatives: by Lambda (n, mt, mt); by thresholds and beta (n, K + p)."""
    b = block.block
    b1 = b.backward(block.t1, br[:, None])[:, :, 0]
    at = b.linear_predictor(np.zeros(b.n), b1, br)
    k = block.sv - block.W * at - 2.0 * block.r
    products = np.zeros((b.n, b.slots.total, b.slots.total))
    _row_products(
        block.W, k, block.r, b.index.start, b.index.r, b.rpos, b.z, b.zt, b.step, b.m1, b.first, b.last,
        b.ptr, b.idx, b.slot, b.layout.order, b.A, b.C, inverse, block.u1, ur, b1, br, products,
    )  # fmt: skip
    if block.rule is not None:
        _take_quadrature(block, block.rule, ur, products)
    return products, np.hstack([_by_threshold(block, at), block.X * k[:, None]])


def _by_threshold(block: LaplaceBlock, at: Floats) -> Floats:
    """Rows' parts (n, K) of the derivative by the thresholds."""
    n, K = len(block.y), len(block.alpha)
    if not K:
        return np.zeros((n, 0))
    la, lb, ra, rb, wa, wb = (np.zeros(n) for _ in range(6))
    families.threshold_derivatives(
        block.family, block.eta, block.y, block.alpha, block.w, la, lb, ra, rb, wa, wb
    )
    if block.rule is not None:
        la, lb = block.beyond.mean_la, block.beyond.mean_lb
    made, answer, rows = np.zeros((n, K + 2)), block.y.astype(np.int64), np.arange(n)
    made[rows, answer + 1] = -2.0 * la + block.c * wa + at * ra
    made[rows, answer] = -2.0 * lb + block.c * wb + at * rb
    return made[:, 1:-1]


def _take_quadrature(block: LaplaceBlock, rule: Rule, ur: Floats, products: Floats) -> None:
    """Take what quadrature adds to the derivative by Lambda; a level's part stands at its first row."""
    b = block.block
    u = ur[block.own[block.levels[:-1]]] if block.own.size else block.u1
    _level_corrections(
        block.family, block.eta, block.y, block.w, block.alpha, block.W, block.levels, b.z, b.zt, b.step,
        np.ascontiguousarray(u), rule.nodes, rule.log_weights, len(block.y) if len(block.alpha) else 0,
        products,
    )  # fmt: skip


@njit
def _row_products(
    W: Floats,
    k: Floats,
    r: Floats,
    start: Codes,
    columns: Ints,
    rpos: Ints,
    z: Floats,
    zt: Floats,
    step: int,
    m1: int,
    first: Codes,
    last: Codes,
    ptr: Codes,
    idx: Ints,
    slot: Codes,
    order: int,
    A: Floats,
    C: Floats,
    V: Floats,
    u1: Floats,
    ur: Floats,
    b1: Floats,
    br: Floats,
    products: Floats,
) -> None:
    """Fill `products` (n, mt, mt): the sums of `leverage` and `outer_sums`, one row at a time."""
    c, diagonal = np.empty(len(W)), np.empty((1, m1))
    bounds = np.empty(2, np.int64)
    at = 0
    for i in range(len(start) - 1):
        lists, few = ptr[i : i + 2], ptr[i + 1] - ptr[i]
        for s in range(start[i], start[i + 1]):
            bounds[0], bounds[1] = s, s + 1
            leverage(
                W, bounds, rpos, z, zt, step, m1, first, last, lists, idx, slot[at:], order,
                A[i : i + 1], C, V, c, products[s], diagonal,
            )  # fmt: skip
            products[s] *= 2.0
            outer_sums(k, bounds, columns, z, step, u1[i : i + 1], ur, first, last, products[s])
            outer_sums(r, bounds, columns, z, step, b1[i : i + 1], br, first, last, products[s])
        at += few * (few + 1) // 2


@njit
def _level_corrections(
    family: int,
    eta: Floats,
    y: Floats,
    w: Floats,
    alpha: Floats,
    W: Floats,
    start: Codes,
    z: Floats,
    zt: Floats,
    step: int,
    u: Floats,
    nodes: Floats,
    log_weights: Floats,
    n_cut: int,
    products: Floats,
) -> None:
    """Take twice the derivative by Lambda of each level's correction from `products` at its first row."""
    m = u.shape[1]
    mean_r, bend, by_u = np.empty(len(y)), np.empty(len(y)), np.empty((1, m))
    mean_la, mean_lb = np.empty(n_cut), np.empty(n_cut)
    for i in range(len(start) - 1):
        T = np.zeros((m, m))
        quadrature_kernels.correct(
            family, eta, y, w, alpha, W, start[i : i + 2], z, zt, step, u[i : i + 1], nodes, log_weights,
            mean_r, bend, by_u, T, mean_la, mean_lb,
        )  # fmt: skip
        products[start[i], :m, :m] -= 2.0 * T
