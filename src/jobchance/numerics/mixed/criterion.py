"""The criterion of a mixed model at given parameters, without a search: for checking what an estimate claims.

Columns and theta are those of the user: nothing is scaled or made orthogonal but X of the linear model, whose
log|X'V^{-1}X| needs it. Distances are in standard errors: sqrt(s'I^{-1}s) with score s and information I, 0
at the optimum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.mixed import families
from jobchance.numerics.mixed.block import RowIndex
from jobchance.numerics.mixed.estimate import orthonormal
from jobchance.numerics.mixed.laplace import LaplaceBlock, LaplaceProblem
from jobchance.numerics.mixed.linear import LinearBlock, LinearProblem
from jobchance.numerics.mixed.pool import LocalPool
from jobchance.numerics.mixed.problem import Arrangement, Factor, arrange_factors, build_blocks

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Criterion:
    """Log-likelihood (restricted for REML) at the parameters given, and their distance from the optimum."""

    loglik: float
    distance: float


def linear_criterion(
    factors: Sequence[Factor],
    X: Floats,
    y: Floats,
    *,
    w: Floats,
    offset: Floats,
    restricted: bool,
    theta: Sequence[Floats],
    sigma: float,
    coefficients: Floats,
    theta_covariance: Floats,
) -> Criterion:
    """The linear model at theta (by factor), sigma and beta.

    The restricted likelihood has no beta in it; that of the estimate is taken as its maximum, so that a wrong
    beta lowers the value as it does under maximum likelihood.
    """
    arrangement = _plain(factors)
    Q, K = orthonormal(X, w)
    rest = y - offset - X @ coefficients
    unit = float(np.sqrt(np.mean(w * rest**2)))
    D = np.column_stack([Q, rest / unit])

    def make(index: RowIndex, z: Floats, rows: Codes) -> LinearBlock:
        return LinearBlock(index, z, arrangement.slots, arrangement.partition, D=D[rows], w=w[rows])

    problem = LinearProblem(
        LocalPool(build_blocks(factors, arrangement, make)),
        arrangement.partition.layout,
        arrangement.slots,
        arrangement.templates,
        restricted=restricted,
    )
    state = problem.evaluate(_engine(arrangement, theta))
    df, variance = problem.df, (sigma / unit) ** 2
    # What the distance of beta from its optimum adds to the sum of squares, in units of the residual.
    astray = float(state.beta @ np.linalg.solve(state.cov_unscaled, state.beta))
    value = state.value - df * (1.0 + np.log(2.0 * np.pi * state.pw / df))
    value += df * np.log(2.0 * np.pi * sigma**2) + (state.pw + astray) / variance
    value -= 2.0 * float(np.log(np.abs(np.diag(K))).sum()) if restricted else 0.0
    gradient = _given(arrangement, factors, state.gradient)
    spread = float(gradient @ _known(theta_covariance) @ gradient) / 4.0
    wide = 2.0 * df * np.log(sigma / (unit * np.sqrt(state.pw / df))) ** 2
    return Criterion(-value / 2.0, float(np.sqrt(max(spread, 0.0) + wide + astray / variance)))


def laplace_criterion(
    factors: Sequence[Factor],
    X: Floats,
    y: Floats,
    *,
    family: int,
    w: Floats,
    offset: Floats,
    n_quad: int,
    theta: Sequence[Floats],
    alpha: Floats,
    beta: Floats,
    covariance: Floats,
) -> Criterion:
    """Laplace approximation, or quadrature, at theta (by factor), thresholds and beta.

    `covariance` is that of all of them in this order; NaN marks parameters on their boundary.
    """
    arrangement = _plain(factors)

    def make(index: RowIndex, z: Floats, rows: Codes) -> LaplaceBlock:
        return LaplaceBlock(
            index,
            z,
            arrangement.slots,
            arrangement.partition.layout,
            family=family,
            X=np.ascontiguousarray(X[rows]),
            y=y[rows],
            w=w[rows],
            offset=offset[rows],
            n_quad=n_quad,
        )

    problem = LaplaceProblem(
        LocalPool(build_blocks(factors, arrangement, make)),
        arrangement.partition.layout,
        arrangement.slots,
        arrangement.templates,
    )
    state = problem.evaluate(_engine(arrangement, theta), alpha, beta)
    by_theta = _given(arrangement, factors, state.by_theta)
    gradient = np.concatenate([by_theta, state.by_alpha, state.by_beta])
    distance = float(gradient @ _known(covariance) @ gradient) / 4.0
    loglik = -state.value / 2.0 + families.loglik_constant(family, y, w)
    return Criterion(loglik, float(np.sqrt(max(distance, 0.0))))


def _plain(factors: Sequence[Factor]) -> Arrangement:
    """Engine order and places, with the columns as they are."""
    made = arrange_factors(factors)
    return replace(made, scaling=tuple(np.eye(len(T)) for T in made.scaling))


def _engine(arrangement: Arrangement, theta: Sequence[Floats]) -> Floats:
    """Theta by factor as one array in engine order."""
    return np.concatenate([theta[i] for i in arrangement.order])


def _given(arrangement: Arrangement, factors: Sequence[Factor], gradient: Floats) -> Floats:
    """A derivative in engine order, in the order of the factors given."""
    ends = np.cumsum([factors[i].template.n_theta for i in arrangement.order])[:-1]
    parts = np.split(gradient, ends)
    return np.concatenate([parts[i] for i in np.argsort(arrangement.order)])


def _known(covariance: Floats) -> Floats:
    """Covariance with 0 for parameters that are held on their boundary."""
    return np.where(np.isnan(covariance), 0.0, covariance)
