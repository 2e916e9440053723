"""Estimates of a linear mixed model: search over theta, then everything that follows from the optimum.

beta and sigma are profiled out. Satterthwaite degrees of freedom: 2 v^2 / (g'Ag) for a variance v of a
coefficient, g its derivative by (theta, log sigma) and A their asymptotic covariance (Giesbrecht & Burns
1985, Biometrics 41, 477-486).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from jobchance.errors import EstimationError
from jobchance.numerics.mixed.block import RowIndex
from jobchance.numerics.mixed.estimate import (
    REACH,
    SWITCH,
    Approach,
    MixedEstimate,
    Remembered,
    accepted,
    covariance_of,
    level_shares,
    orthonormal,
    settle,
    singular_factors,
    user_factors,
    user_theta,
)
from jobchance.numerics.mixed.linear import LinearBlock, LinearProblem, LinearState
from jobchance.numerics.mixed.modes import Finished, effects_by_factor, finish_block
from jobchance.numerics.mixed.pool import LocalPool
from jobchance.numerics.mixed.problem import Arrangement, Factor, arrange_factors, build_blocks
from jobchance.numerics.mixed.search import Optimum, minimise

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

CENTRAL = 10_000
EXACT = 1e-26  # share of the outcome's square under which residuals are rounding


class LinearRows(LinearBlock):
    """A block of a linear model that remembers which rows of the data it holds."""

    own: Codes

    def eliminated_diagonal(self) -> Floats:
        """Sum of the diagonal of M^{-1} over the block's eliminated levels, by column."""
        width = self.block.slots.widths[0]
        return self.inverse_diagonal.sum(axis=0) if self.block.m1 else np.zeros(width)

    def explained(self, ur: Floats) -> tuple[Codes, Floats]:
        """Rows of the data, and Z Lambda x for the solutions x of the columns of X."""
        u1, nothing = self.effects(ur), np.zeros(self.block.n)
        made = [
            self.block.linear_predictor(
                nothing, np.ascontiguousarray(u1[:, :, c]), np.ascontiguousarray(ur[:, c])
            )
            for c in range(ur.shape[1] - 1)
        ]
        return self.own, np.column_stack([nothing[:, None], *made])[:, 1:]

    def finish(self, Q: Floats, xr: Floats, inverse: Floats) -> Finished:
        """Random part and modes at the last theta."""
        u1 = (self.effects(xr) @ Q)[:, :, -1]
        return finish_block(self.block, self.own, u1, (xr @ Q)[:, -1], inverse)


@dataclass(frozen=True, eq=False)
class LinearUnits:
    """Units of the search: columns X K, (outcome - offset - X K centre) / unit, weights times `stretch`."""

    K: Floats
    centre: Floats
    unit: float
    stretch: float


def estimate_linear(
    factors: Sequence[Factor],
    X: Floats,
    y: Floats,
    *,
    w: Floats,
    offset: Floats,
    restricted: bool,
) -> MixedEstimate:
    """REML or ML estimates of y = offset + X beta + Z b + e.

    Raises
    ------
    EstimationError
        Covariates are nearly collinear, or explain the outcome exactly.
    """
    arrangement = arrange_factors(factors)
    n = len(y)
    stretch = weight_scale(X, y - offset, w)
    w = stretch * w
    Q, K = orthonormal(X, w)
    centre = Q.T @ (w * (y - offset)) / n
    rest = y - offset - Q @ centre
    unit = float(np.sqrt(np.sum(w * rest**2) / n))
    if not unit**2 * n > EXACT * float(np.sum(w * (y - offset) ** 2)):
        raise EstimationError(
            "The covariates explain the outcome exactly: nothing is left to estimate variances from."
        )
    D = np.column_stack([Q, rest / unit])

    def make(index: RowIndex, z: Floats, own: Codes) -> LinearRows:
        made = LinearRows(index, z, arrangement.slots, arrangement.partition, D=D[own], w=w[own])
        made.own = own
        return made

    problem = LinearProblem(
        LocalPool(build_blocks(factors, arrangement, make)),
        arrangement.partition.layout,
        arrangement.slots,
        arrangement.templates,
        restricted=restricted,
    )
    made, finished = solve_linear(problem, arrangement, factors, LinearUnits(K, centre, unit, stretch))
    assert made.sigma is not None, "a linear model has a residual"
    random = np.empty(n)
    for part in finished:
        random[part.rows] = unit * part.random
    linear = offset + X @ made.coefficients
    weight = w * (y - linear) / (stretch * made.sigma**2)
    return replace(made, linear=linear, random=random, scores=partial(_scores, problem, X, K, weight))


def _scores(problem: LinearProblem, X: Floats, K: Floats, weight: Floats) -> Floats:
    """Rows of V^{-1} X times the residual of the fixed part: right also for clusters that cut groups."""
    made = X.copy()
    for rows, explained in problem.pool.call("explained", problem.xr):
        made[rows] -= linalg.solve_triangular(K, explained.T, trans=1).T
    return made * weight[:, None]


def solve_linear(
    problem: LinearProblem, arrangement: Arrangement, factors: Sequence[Factor], units: LinearUnits
) -> tuple[MixedEstimate, list[Finished]]:
    """Estimates without anything by row, and what the blocks know of their rows and levels."""
    K, unit, stretch = units.K, units.unit, units.stretch
    objective = _objective(problem)
    found = accepted(search_linear(problem, objective, arrangement, factors))
    theta, fixed, signs = settle(arrangement, found.x)
    state: LinearState = objective(theta)[2]  # the blocks now stand at theta
    joint, df = _uncertainty(found, state, problem, fixed, signs)
    thetas, G = user_theta(arrangement, theta)
    finished: list[Finished] = problem.pool.call("finish", problem.Q, problem.xr, problem.inverse)
    effects = effects_by_factor(
        arrangement,
        [factors[i].n_levels for i in arrangement.order],
        user_factors(arrangement, theta),
        finished=finished,
        ur=(problem.xr @ problem.Q)[:, -1],
        inverse=problem.inverse,
    )
    back = np.argsort(arrangement.order)
    sigma2 = state.sigma2 * unit**2
    covariance = sigma2 * K @ state.cov_unscaled @ K.T
    criterion = (
        state.value
        + 2 * problem.df * np.log(unit)
        - (2 * float(np.log(np.abs(np.diag(K))).sum()) if problem.restricted else 0.0)
    )
    made = MixedEstimate(
        theta=tuple(np.sqrt(stretch) * theta for theta in thetas),
        sigma=float(np.sqrt(sigma2 / stretch)),
        coefficients=K @ (units.centre + unit * state.beta),
        covariance=covariance,
        joint=_joint(joint, np.sqrt(stretch) * G, covariance),
        df=_term_df(df, state, K),
        criterion=criterion,
        loglik=-criterion / 2,
        modes=tuple(unit * effects[i][0] for i in back),
        mode_covariances=tuple(sigma2 * effects[i][1] for i in back),
        linear=np.zeros(0),
        random=np.zeros(0),
        scores=np.zeros((0, len(K))),
        singular=singular_factors(arrangement, theta),
        converged=found.converged,
        distance=found.distance,
        n_evaluations=problem.n_evaluations,
        message=found.message,
        runaway=bool(found.runaway),
        flat=found.flat,
        criterion_error=0.0 if problem.arrow.exact else problem.arrow.logdet_error,
        n_free=len(K),
    )
    return made, finished


def weight_scale(X: Floats, y: Floats, w: Floats) -> float:
    """Factor that makes weights about 1 where residuals are: theta, relative to sigma, is then moderate."""
    if np.ptp(w) == 0:
        return 1.0 / float(w[0])
    Q, _ = orthonormal(X, w)
    rest = y - Q @ (Q.T @ (w * y)) / len(y)
    weighted = float(rest @ (w * rest))
    return float(rest @ rest) / weighted if weighted > 0 else 1.0


def _objective(problem: LinearProblem) -> Remembered:
    """Criterion, gradient and state as a function of theta'."""

    def evaluate(theta: Floats) -> tuple[float, Floats, LinearState]:
        state = problem.evaluate(theta)
        return state.value, state.gradient, state

    return Remembered(evaluate)


def search_linear(
    problem: LinearProblem, objective: Remembered, arrangement: Arrangement, factors: Sequence[Factor]
) -> Optimum:
    """Minimise the criterion over theta'."""
    start = Approach(
        lambda theta: np.asarray(objective(theta)[1]),
        lambda: level_shares(problem, arrangement),
        arrangement,
        factors,
    )
    return minimise(
        objective,
        start.theta,
        scale=start.scale,
        differences="central" if problem.n <= CENTRAL else "forward",
        switch=SWITCH,
        reach=REACH,
    )


def _uncertainty(
    found: Optimum, state: LinearState, problem: LinearProblem, fixed: NDArray[np.bool_], signs: Floats
) -> tuple[Floats, Floats]:
    """Covariance of (theta', log sigma), and the derivatives (k + 1, p, p) of cov(beta) / sigma^2 by them.

    With s = log sigma the criterion is L(theta) + 2 df s + pw(theta) exp(-2s): its second derivatives by s
    are 4 df and -2 pw_theta / sigma^2, and the Hessian of the search is that with s profiled out.
    """
    k, p = len(fixed), problem.p
    slope, change = np.zeros(k), np.zeros((k + 1, p, p))
    for j in range(k):
        ends = [(probe.step, probe.point.extra) for probe in found.probes if probe.index == j]
        if len(ends) == 1:
            ends.append((0.0, found.base.extra))
        if len(ends) == 2:
            (a, high), (b, low) = ends
            slope[j] = (high.pw - low.pw) / (a - b) * signs[j]
            change[j] = (high.cov_unscaled - low.cov_unscaled) / (a - b) * signs[j]
    change[k] = 2.0 * state.cov_unscaled
    C = covariance_of(found.hessian * np.outer(signs, signs), fixed)
    h, bend = -2.0 * slope / state.sigma2, 4.0 * problem.df
    free = ~fixed
    joint = np.full((k + 1, k + 1), np.nan)
    joint[:k, :k] = C
    across = -C[np.ix_(free, free)] @ h[free] / bend
    joint[k, :k][free] = joint[:k, k][free] = across
    joint[k, k] = 2.0 / bend - across @ h[free] / bend
    used = np.append(free, True)
    return joint, np.einsum("kab,kl,lcd->abcd", change[used], joint[np.ix_(used, used)], change[used])


def _term_df(spread: Floats, state: LinearState, K: Floats) -> Floats:
    """Satterthwaite degrees of freedom by coefficient; `spread` is the covariance of cov(beta) / sigma^2."""
    v = np.einsum("ia,ab,ib->i", K, state.cov_unscaled, K)
    noise = np.einsum("ia,ib,ic,id,abcd->i", K, K, K, K, spread, optimize=True)
    with np.errstate(divide="ignore"):
        return np.where(noise > 0, 2.0 * v**2 / noise, np.inf)


def _joint(parameters: Floats, G: Floats, covariance: Floats) -> Floats:
    """Covariance of (theta, log sigma, beta); beta is asymptotically independent of the others."""
    k, p = len(G), len(covariance)
    out = np.zeros((k + 1 + p, k + 1 + p))
    gone = np.isnan(np.diag(parameters))
    J = np.zeros((k + 1, k + 1))
    J[:k, :k], J[k, k] = G, 1.0
    made = J @ np.where(np.isnan(parameters), 0.0, parameters) @ J.T
    lost = (np.abs(J) @ gone.astype(float)) > 0
    made[lost], made[:, lost] = np.nan, np.nan
    out[: k + 1, : k + 1], out[k + 1 :, k + 1 :] = made, covariance
    return out
