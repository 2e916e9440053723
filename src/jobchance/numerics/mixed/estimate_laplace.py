"""Estimates of generalised linear and ordinal mixed models: joint search over theta, thresholds and beta.

Thresholds are alpha = J tau. Search coordinates are theta', tau and beta' of orthonormal columns; the joint
Hessian at the optimum gives all standard errors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from jobchance.numerics.mixed import families
from jobchance.numerics.mixed.block import RowIndex
from jobchance.numerics.mixed.estimate import (
    REACH,
    SWITCH,
    ZERO,
    Approach,
    MixedEstimate,
    Remembered,
    accepted,
    covariance_of,
    level_shares,
    orthonormal,
    satterthwaite,
    settle,
    singular_factors,
    start_theta,
    user_factors,
    user_theta,
)
from jobchance.numerics.mixed.laplace import LaplaceProblem, LaplaceState
from jobchance.numerics.mixed.modes import Finished, effects_by_factor, finish_block
from jobchance.numerics.mixed.pool import LocalPool
from jobchance.numerics.mixed.problem import Arrangement, Factor, arrange_factors, build_blocks
from jobchance.numerics.mixed.scores import block_scores, effective_scores
from jobchance.numerics.mixed.search import Optimum, minimise
from jobchance.numerics.mixed.start import StartBlock, start_values
from jobchance.numerics.separation import find_separation

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

Thresholds = Literal["free", "symmetric", "equidistant"]
CENTRAL = 10_000
ELSEWHERE = 2.0  # size of theta' from which a variance found to be zero is looked for once more
# Variance of the latent scale over that of the link's own law: Zeger, Liang & Albert (1988, Biometrics 44,
# 1049-1060).
_ATTENUATION = {
    families.BINOMIAL_LOGIT: 0.346,
    families.BINOMIAL_PROBIT: 1.0,
    families.BINOMIAL_CLOGLOG: 0.608,
    families.POISSON_LOG: 0.0,
    families.ORDINAL_LOGIT: 0.346,
    families.ORDINAL_PROBIT: 1.0,
    families.ORDINAL_CLOGLOG: 0.608,
}


class LaplaceRows(StartBlock):
    """A block that remembers which rows of the data it holds and gives its part of the information."""

    given: Codes

    def information(self, J: Floats) -> tuple[Floats, Floats]:
        """Part of the information about (tau, beta') at fixed theta, random effects integrated out.

        Returns the block's matrix, and the right side that is left for S. D are the derivatives of r.
        """
        D = -self.W[:, None] * self.X
        made = -D.T @ self.X
        if len(J):
            upper, lower, ra, rb, both = self._threshold_rows(J)
            by_tau = ra[:, None] * upper + rb[:, None] * lower
            own = (upper * (ra - both)[:, None]).T @ upper + (lower * (rb - both)[:, None]).T @ lower
            across = (upper * both[:, None]).T @ lower
            made = np.block([[own + across + across.T, -by_tau.T @ self.X], [-self.X.T @ by_tau, made]])
            D = np.hstack([by_tau, D])
        sums = [self.block.transpose_sums(np.ascontiguousarray(column)) for column in D.T]
        g1 = np.stack([one for one, _ in sums], axis=2) if sums else np.zeros((*self.block.shape1, 0))
        right = np.stack([rest for _, rest in sums], axis=1) if sums else np.zeros((self.block.layout.q, 0))
        flat = self.block.forward(np.ascontiguousarray(g1), right).reshape(-1, D.shape[1])
        return made - flat.T @ flat, right

    def _threshold_rows(self, J: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Rows of J at the upper and lower threshold of each row, dr by them, and (dl/da)(dl/db) / w."""
        la, lb, ra, rb, wa, wb = (np.zeros(len(self.y)) for _ in range(6))
        families.threshold_derivatives(
            self.family, self.eta, self.y, self.alpha, self.w, la, lb, ra, rb, wa, wb
        )
        k, nothing = self.y.astype(np.int64), np.zeros((1, J.shape[1]))
        return np.vstack([J, nothing])[k], np.vstack([nothing, J])[k], ra, rb, la * lb / self.w

    def eliminated_diagonal(self) -> Floats:
        """Sum of the diagonal of M^{-1} over the block's eliminated levels, by column."""
        width = self.block.slots.widths[0]
        return self.inverse_diagonal.sum(axis=0) if self.block.m1 else np.zeros(width)

    def finish(self, ur: Floats, inverse: Floats) -> Finished:
        """Random part and modes at the last parameters."""
        return finish_block(self.block, self.given, self.u1, ur, inverse)

    def row_scores(self, ur: Floats, br: Floats, inverse: Floats) -> tuple[Codes, Floats, Floats]:
        """Rows of the data and their parts of the criterion's derivatives; see `block_scores`."""
        return self.given, *block_scores(self, ur, br, inverse)


def threshold_basis(K: int, kind: Thresholds) -> Floats:
    """J (K, number of free parameters) of the thresholds alpha = J tau."""
    if kind == "free":
        return np.eye(K)
    if kind == "equidistant":
        return np.column_stack([np.ones(K), np.arange(K)]) if K > 1 else np.ones((1, 1))
    half = K // 2
    made = np.zeros((K, 1 + half))
    made[:, 0] = 1.0
    for j in range(half):
        made[j, 1 + j], made[K - 1 - j, 1 + j] = -1.0, 1.0
    return made


@dataclass(frozen=True, eq=False)
class LaplaceUnits:
    """What the search knows beside the blocks: thresholds J tau, columns (X - centre) K, all rows' facts.

    Parameters
    ----------
    family : int
        Family code.
    J : array (K, number of tau)
        Basis of the thresholds.
    K : array (p, p)
        From columns of X, less `centre`, to those of the search.
    centre : array (p,)
        Weighted means of X for ordinal outcomes, else 0.
    n : int
        Number of rows.
    constant : float
        Part of the log-likelihood that depends on y and w alone.
    separated : function
        Whether covariates separate the outcomes.
    """

    family: int
    J: Floats
    K: Floats
    centre: Floats
    n: int
    constant: float
    separated: Callable[[], bool]


def estimate_laplace(
    factors: Sequence[Factor],
    X: Floats,
    y: Floats,
    *,
    family: int,
    w: Floats,
    offset: Floats,
    n_levels: int = 0,
    thresholds: Thresholds = "free",
    n_quad: int = 1,
) -> MixedEstimate:
    """Maximum likelihood estimates by the Laplace approximation, or quadrature over the eliminated factor."""
    arrangement = arrange_factors(factors)
    J = threshold_basis(n_levels - 1, thresholds) if n_levels else np.zeros((0, 0))
    ordinal = n_levels > 0
    centre = np.average(X, axis=0, weights=w) if ordinal else np.zeros(X.shape[1])
    Q, K = orthonormal(X - centre, np.ones(len(y)))

    def make(index: RowIndex, z: Floats, own: Codes) -> LaplaceRows:
        made = LaplaceRows(
            index,
            z,
            arrangement.slots,
            arrangement.partition.layout,
            family=family,
            X=np.ascontiguousarray(Q[own]),
            y=y[own],
            w=w[own],
            offset=offset[own],
            n_quad=n_quad,
        )
        made.given = own
        return made

    problem = LaplaceProblem(
        LocalPool(build_blocks(factors, arrangement, make)),
        arrangement.partition.layout,
        arrangement.slots,
        arrangement.templates,
    )
    kind = "poisson" if family == families.POISSON_LOG else "binomial"
    units = LaplaceUnits(
        family, J, K, centre, len(y), families.loglik_constant(family, y, w),
        lambda: not ordinal and find_separation(X, y, family=kind) is not None,
    )  # fmt: skip
    made, finished, C, A = solve_laplace(problem, arrangement, factors, units)
    random = np.empty(len(y))
    for part in finished:
        random[part.rows] = part.random
    linear = offset + X @ made.coefficients[len(J) :]
    return replace(made, linear=linear, random=random, scores=partial(effective_scores, problem, J, C, A))


def solve_laplace(
    problem: LaplaceProblem, arrangement: Arrangement, factors: Sequence[Factor], units: LaplaceUnits
) -> tuple[MixedEstimate, list[Finished], Floats, Floats]:
    """Estimates without anything by row, what the blocks know, and what `effective_scores` needs.

    The last two are the covariance of (theta', tau, beta') and the matrix from these to the coefficients.
    """
    J, K = units.J, units.K
    start = start_values(problem.pool, units.family, J, units.separated)
    found = _search(problem, arrangement, factors, start, units)
    k = len(start_theta(arrangement))
    theta, fixed, signs = settle(arrangement, found.x[:k])
    tau, beta = found.x[k : k + J.shape[1]], found.x[k + J.shape[1] :]
    turn = np.concatenate([signs, np.ones(len(found.x) - k)])
    C = covariance_of(found.hessian * np.outer(turn, turn), fixed)
    thetas, G = user_theta(arrangement, theta)
    L = _coefficient_map(J, K, units.centre)
    A = linalg.block_diag(G, L)

    states: list[LaplaceState] = []

    def variances(at: Floats) -> Floats:
        """Variances of the coefficients with theta' held at `at`."""
        states.append(problem.evaluate(at, J @ tau, beta))
        return np.asarray(np.einsum("ia,ab,ib->i", L, linalg.inv(_information(problem, J)), L))

    df = satterthwaite(variances, theta, C[:k, :k])
    state = states[-1]  # at theta, where the blocks now stand
    joint = _transformed(A, C)
    finished: list[Finished] = problem.pool.call("finish", problem.ur, problem.inverse)
    effects = effects_by_factor(
        arrangement,
        [factors[i].n_levels for i in arrangement.order],
        user_factors(arrangement, theta),
        finished=finished,
        ur=problem.ur,
        inverse=problem.inverse,
    )
    back = np.argsort(arrangement.order)
    loglik = -state.value / 2 + units.constant
    coefficients = A[len(G) :, k:] @ np.concatenate([tau, beta])
    made = MixedEstimate(
        theta=tuple(thetas),
        sigma=None,
        coefficients=coefficients,
        covariance=joint[len(G) :, len(G) :],
        joint=joint,
        df=df,
        criterion=-2 * loglik,
        loglik=loglik,
        modes=tuple(effects[i][0] for i in back),
        mode_covariances=tuple(effects[i][1] for i in back),
        linear=np.zeros(0),
        random=np.zeros(0),
        scores=np.zeros((0, len(coefficients))),
        singular=singular_factors(arrangement, theta),
        converged=found.converged,
        distance=found.distance,
        n_evaluations=problem.n_evaluations,
        message=found.message,
        runaway=bool(found.runaway),
        flat=found.flat,
        criterion_error=0.0 if problem.arrow.exact else problem.arrow.logdet_error,
        n_free=J.shape[1] + len(K),
    )
    return made, finished, C, A[len(G) :]


def _coefficient_map(J: Floats, K: Floats, centre: Floats) -> Floats:
    """Matrix from (tau, beta') to (alpha, beta) of the columns as given."""
    n_alpha, n_tau = J.shape
    made = np.zeros((n_alpha + len(K), n_tau + len(K)))
    made[:n_alpha, :n_tau] = J
    made[:n_alpha, n_tau:] = centre @ K
    made[n_alpha:, n_tau:] = K
    return made


def _transformed(A: Floats, C: Floats) -> Floats:
    """A C A', NaN where a row of A meets a parameter without variance."""
    gone = np.isnan(np.diag(C))
    made = A @ np.where(np.isnan(C), 0.0, C) @ A.T
    lost = (np.abs(A) @ gone.astype(float)) > 0
    made[lost], made[:, lost] = np.nan, np.nan
    return made


def _search(
    problem: LaplaceProblem,
    arrangement: Arrangement,
    factors: Sequence[Factor],
    start: Floats,
    units: LaplaceUnits,
) -> Optimum:
    """Minimise the criterion over (theta', tau, beta')."""
    J = units.J
    k, t = len(start_theta(arrangement)), J.shape[1]

    def evaluate(x: Floats) -> tuple[float, Floats]:
        state = problem.evaluate(x[:k], J @ x[k : k + t], x[k + t :])
        return state.value, np.concatenate([state.by_theta, J.T @ state.by_alpha, state.by_beta])

    objective = Remembered(evaluate)
    stretch = _ATTENUATION[units.family]

    def at(theta: Floats) -> Floats:
        """Point with the coefficients of the model without random effects, stretched to conditional ones."""
        return np.concatenate([theta, start * np.sqrt(1.0 + stretch * theta @ theta)])

    begin = Approach(
        lambda theta: np.asarray(objective(at(theta))[1][:k]),
        lambda: level_shares(problem, arrangement),
        arrangement,
        factors,
    )
    objective(at(begin.theta))
    root = linalg.cholesky(linalg.inv(_information(problem, J)), lower=True)
    search = partial(
        minimise,
        objective,
        scale=linalg.block_diag(np.diag(begin.scale), root),
        differences="central" if units.n <= CENTRAL else "forward",
        switch=SWITCH,
        reach=REACH,
    )
    found = search(at(begin.theta))
    diagonal = np.concatenate([t.diagonal for t in arrangement.templates])
    lost = diagonal & (np.abs(found.x[:k]) < ZERO)
    if found.runaway or not lost.any():
        return accepted(found)
    # With few events the Laplace likelihood can have a second maximum away from zero: look there too.
    again = found.x.copy()
    again[:k][lost] = ELSEWHERE
    other = search(again)
    better = other.converged and other.value < found.value - 1e-6
    return accepted(other if better else found)


def _information(problem: LaplaceProblem, J: Floats) -> Floats:
    """About the information on (tau, beta') at the present point, random effects integrated out."""
    parts = problem.pool.call("information", J)
    right = np.sum([part[1] for part in parts], axis=0)
    made = np.sum([part[0] for part in parts], axis=0) - right.T @ problem.arrow.solve(right)
    made = np.asarray(made + made.T) / 2
    ridge: Floats = 1e-8 * np.trace(made) / max(len(made), 1) * np.eye(len(made))
    return made + ridge
