"""Linear generalised method of moments on transformed panel rows, in one and two steps.

Letters: y (n,), X (n, K) transformed rows, Z (n, L) instruments, T (n, m) the transformation of the m level
rows, H = T T' the covariance of T e for independent e; u residuals, g = Z'u moments, A weights,
B = (X'Z A Z'X)^{-1}, S = sum over entities of Z_i'u_i u_i'Z_i. Papers: Arellano & Bond (1991, Rev. Econ.
Stud. 58, 277-297), Blundell & Bond (1998, J. Econometrics 87, 115-143), Windmeijer (2005, same 126, 25-51).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from jobchance.errors import EstimationError

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

SINGULAR = 1e-12
ZERO = 1e-13
CUT = float(np.sqrt(np.finfo(float).eps))


@dataclass(frozen=True, eq=False)
class Moments:
    """Rows, instruments and transformation of one problem; entities are coded 0..N-1 by row."""

    y: Floats
    X: Floats
    Z: sparse.csr_matrix
    T: sparse.csr_matrix
    entity: Codes
    n_entities: int

    @property
    def zx(self) -> Floats:
        """Z'X (L, K)."""
        return np.asarray(self.Z.T @ self.X)

    @property
    def zy(self) -> Floats:
        """Z'y (L,)."""
        return np.asarray(self.Z.T @ self.y)

    def totals(self, rows: Floats) -> Floats:
        """Sums over the rows of each entity, (N, columns)."""
        n = len(rows)
        one = sparse.csr_matrix((np.ones(n), (self.entity, np.arange(n))), shape=(self.n_entities, n))
        return np.asarray(one @ rows)

    def by_entity(self, u: Floats) -> Floats:
        """Z_i'u_i of every entity, (N, L)."""
        n = len(u)
        scaled = sparse.csr_matrix((u, (self.entity, np.arange(n))), shape=(self.n_entities, n))
        return np.asarray((scaled @ self.Z).toarray())


@dataclass(frozen=True, eq=False)
class Step:
    """One step: coefficients, B, weights, residuals, and whether the weights are a generalised inverse."""

    beta: Floats
    B: Floats
    A: Floats
    u: Floats
    singular: bool

    def total(self, problem: Moments) -> Floats:
        """Moments g = Z'u (L,)."""
        return np.asarray(problem.Z.T @ self.u)


@dataclass(frozen=True, eq=False)
class Solution:
    """Both steps with what their covariances need.

    `M` (N, L) has the moments Z_i'u_i of the first step by entity; `sandwich` is the robust covariance of the
    first step; `corrected` is Windmeijer's covariance of the second.
    """

    first: Step
    second: Step
    M: Floats
    sandwich: Floats
    corrected: Floats


def solve_two_steps(problem: Moments) -> Solution:
    """Both steps of linear GMM.

    beta = B X'Z A Z'y with A = (sum Z_i'H_i Z_i)^{-1} in the first step and A = S^{-1}, from the residuals of
    the first, in the second. A singular matrix is replaced by its generalised inverse.

    Raises
    ------
    EstimationError
        The instruments do not tell the coefficients apart.
    """
    first = one_step(problem, (problem.Z.T @ (_row_covariance(problem.T) @ problem.Z)).toarray())
    M = problem.by_entity(first.u)
    S = M.T @ M
    second = one_step(problem, S)
    half = first.B @ problem.zx.T @ first.A
    sandwich = half @ S @ half.T
    return Solution(first, second, M, sandwich, _windmeijer(problem, second, M, sandwich))


def _row_covariance(T: sparse.csr_matrix) -> sparse.csr_matrix:
    """H = T T', without the rounding that orthogonal rows leave where zeros belong."""
    H = sparse.csr_matrix(T @ T.T)
    H.data[np.abs(H.data) < ZERO] = 0.0
    H.eliminate_zeros()
    return H


def one_step(problem: Moments, S: Floats, keep: NDArray[np.bool_] | None = None) -> Step:
    """Coefficients with weights S^{-1}; `keep` (L,) leaves instruments out."""
    ZX, Zy = problem.zx, problem.zy
    if keep is not None:
        ZX, Zy, S = ZX[keep], Zy[keep], S[np.ix_(keep, keep)]
    A, singular = symmetric_inverse(S)
    B, unidentified = symmetric_inverse(ZX.T @ A @ ZX)
    if unidentified:
        raise EstimationError(
            "The instruments do not tell the coefficients apart: Z'X has less than full rank. "
            "Use more lags as instruments or fewer covariates, or take large constants off the variables."
        )
    beta = B @ (ZX.T @ (A @ Zy))
    return Step(beta, B, A, problem.y - problem.X @ beta, singular)


def symmetric_inverse(S: Floats) -> tuple[Floats, bool]:
    """Inverse of a covariance and whether it had to be the generalised one (Moore-Penrose).

    Singularity is judged on the matrix scaled to a unit diagonal, so units do not matter; the generalised
    inverse is that of the matrix as it stands, without eigenvalues below sqrt(epsilon) of the largest.
    """
    size = np.sqrt(np.abs(np.diag(S)))
    scale = np.where(size > 0, size, 1.0)
    values, vectors = np.linalg.eigh(S / np.outer(scale, scale))
    if values[0] > SINGULAR * values[-1]:
        vectors = vectors / scale[:, None]
        return (vectors / values) @ vectors.T, False
    values, vectors = np.linalg.eigh(S)
    kept = values > CUT * values[-1]
    vectors = vectors[:, kept]
    return (vectors / values[kept]) @ vectors.T, True


def _windmeijer(problem: Moments, second: Step, M: Floats, sandwich: Floats) -> Floats:
    """V = B + D B + B D' + D V1 D', D the derivative of the second step in the first's coefficients."""
    a = second.A @ second.total(problem)
    of_entity = M @ a
    of_row = np.asarray(problem.Z @ a)
    inner = np.asarray(problem.Z.T @ (problem.X * of_entity[problem.entity][:, None]))
    inner = inner + M.T @ problem.totals(problem.X * of_row[:, None])
    D = second.B @ problem.zx.T @ second.A @ inner
    cross = D @ second.B
    return np.asarray(second.B + cross + cross.T + D @ sandwich @ D.T)
