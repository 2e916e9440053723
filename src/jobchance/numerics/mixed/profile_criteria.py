"""-2 log-likelihood of a mixed model in the user's parameters, with its gradient; for profiles.

x = (theta, log sigma) of a linear model, beta at its best, or x = (theta, tau, beta) of others. Letters as in
`linear.py` and `laplace.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from jobchance.numerics.mixed.block import RowIndex
from jobchance.numerics.mixed.estimate import orthonormal, user_theta
from jobchance.numerics.mixed.laplace import LaplaceBlock, LaplaceProblem
from jobchance.numerics.mixed.linear import LinearBlock, LinearProblem
from jobchance.numerics.mixed.pool import LocalPool
from jobchance.numerics.mixed.problem import Arrangement, Factor, arrange_factors, build_blocks

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

WIDE = 0.5


@dataclass(frozen=True, eq=False)
class Rowed:
    """The rows of a model.

    Parameters
    ----------
    factors : sequence of Factor
        In the order of the formula.
    X, y, w, offset : arrays
        Fixed columns, outcome, prior weights, offset.
    """

    factors: Sequence[Factor]
    X: Floats
    y: Floats
    w: Floats
    offset: Floats


class Criterion(Protocol):
    """D with its gradient and the estimates.

    Parameters
    ----------
    x : array (P,)
        The estimates.
    covariance : array (P, P)
        About their covariance.
    minimum : float
        D there.
    """

    x: Floats
    covariance: Floats
    minimum: float

    @property
    def sigma_at(self) -> int | None:
        """Place of log sigma in x; None where there is none."""
        ...

    def evaluate(self, x: Floats) -> tuple[float, Floats]:
        """D and its gradient."""
        ...


class LaplaceCriterion:
    """D of a generalised linear or ordinal mixed model, without the constant.

    Parameters
    ----------
    rows : Rowed
        The rows.
    family, n_quad : int
        Family code and quadrature points.
    J : array (K, number of tau)
        Thresholds are J tau.
    x, covariance : arrays
        Estimates of (theta, thresholds and beta) and their covariance, NaN at a boundary.
    """

    def __init__(
        self, rows: Rowed, x: Floats, covariance: Floats, *, family: int, n_quad: int, J: Floats
    ) -> None:
        arrangement = arrange_factors(rows.factors)

        def make(index: RowIndex, z: Floats, own: Codes) -> LaplaceBlock:
            return LaplaceBlock(
                index,
                z,
                arrangement.slots,
                arrangement.partition.layout,
                family=family,
                X=np.ascontiguousarray(rows.X[own]),
                y=rows.y[own],
                w=rows.w[own],
                offset=rows.offset[own],
                n_quad=n_quad,
            )

        self.problem = LaplaceProblem(
            LocalPool(build_blocks(rows.factors, arrangement, make)),
            arrangement.partition.layout,
            arrangement.slots,
            arrangement.templates,
        )
        self.J, self.inverse = J, _to_search(arrangement)
        self.k = len(self.inverse)
        back = linalg.block_diag(
            np.eye(self.k), np.linalg.pinv(J) if len(J) else np.zeros((0, 0)), np.eye(rows.X.shape[1])
        )
        self.x = back @ x
        self.covariance = back @ _filled(covariance, rows.factors) @ back.T
        self.minimum = self.evaluate(self.x)[0]

    @property
    def sigma_at(self) -> int | None:
        """No sigma."""
        return None

    def evaluate(self, x: Floats) -> tuple[float, Floats]:
        """D and its gradient."""
        k, t = self.k, self.J.shape[1]
        state = self.problem.evaluate(self.inverse @ x[:k], self.J @ x[k : k + t], x[k + t :])
        return state.value, np.concatenate(
            [self.inverse.T @ state.by_theta, self.J.T @ state.by_alpha, state.by_beta]
        )

    def contrast(self, term: int) -> Floats:
        """Derivative (P,) of coefficient `term`, thresholds first."""
        made, K, t = np.zeros(len(self.x)), *self.J.shape
        if term < K:
            made[self.k : self.k + t] = self.J[term]
        else:
            made[self.k + t + term - K] = 1.0
        return made


class LinearCriterion:
    """D of a linear mixed model; `hold` fixes one coefficient, which else is at its best.

    Parameters
    ----------
    rows : Rowed
        The rows.
    x, covariance : arrays
        Maximum likelihood estimates of (theta, log sigma) and their covariance, NaN at a boundary.
    """

    def __init__(self, rows: Rowed, x: Floats, covariance: Floats) -> None:
        arrangement = arrange_factors(rows.factors)
        Q, K = orthonormal(rows.X, rows.w)
        self.K, self.centre = K, Q.T @ (rows.w * (rows.y - rows.offset)) / len(rows.y)
        rest = rows.y - rows.offset - Q @ self.centre
        self.unit = float(np.sqrt(np.mean(rows.w * rest**2)))
        D = np.column_stack([Q, rest / self.unit])

        def make(index: RowIndex, z: Floats, own: Codes) -> LinearBlock:
            return LinearBlock(index, z, arrangement.slots, arrangement.partition, D=D[own], w=rows.w[own])

        self.problem = LinearProblem(
            LocalPool(build_blocks(rows.factors, arrangement, make)),
            arrangement.partition.layout,
            arrangement.slots,
            arrangement.templates,
            restricted=False,
        )
        self.inverse = _to_search(arrangement)
        self.x, self.covariance = x, _filled(covariance, rows.factors)
        self.minimum = self.evaluate(x)[0]

    @property
    def sigma_at(self) -> int | None:
        """Log sigma is the last."""
        return len(self.x) - 1

    def evaluate(self, x: Floats) -> tuple[float, Floats]:
        """D and its gradient by (theta, log sigma), beta at its best."""
        state = self.problem.evaluate(self.inverse @ x[:-1])
        n, sigma2 = self.problem.n, math.exp(2.0 * x[-1]) / self.unit**2
        value = state.value + n * (math.log(n * sigma2 / state.pw) - 1.0) + state.pw / sigma2
        by_theta = self._by_theta(state.beta, 1.0 / sigma2)
        by_sigma = 2.0 * n - 2.0 * state.pw / sigma2
        return value + 2.0 * n * math.log(self.unit), np.append(self.inverse.T @ by_theta, by_sigma)

    def hold(self, term: int, v: float, theta: Floats) -> tuple[float, Floats]:
        """D and its gradient by theta; coefficient `term` is v, sigma and the others at their best."""
        state = self.problem.evaluate(self.inverse @ theta)
        a, n = self.unit * self.K[term], self.problem.n
        along = state.cov_unscaled @ a
        away = (v - float(self.K[term] @ self.centre) - float(a @ state.beta)) / float(a @ along)
        pw = state.pw + away**2 * float(a @ along)
        value = state.value + n * math.log(pw / state.pw) + 2.0 * n * math.log(self.unit)
        return value, self.inverse.T @ self._by_theta(state.beta + away * along, n / pw)

    def _by_theta(self, beta: Floats, precision: float) -> Floats:
        """Derivative by theta' of log|M| + precision pw, pw the penalised squares at these coefficients."""
        problem = self.problem
        p = problem.p
        Q, weight = problem.Q.copy(), np.zeros(p + 1)
        Q[:p, p], weight[p] = -beta, -2.0 * precision
        T = np.sum(problem.pool.call("gradient", problem.xr, Q, weight, problem.inverse), axis=0)
        made = [t.gather(G) for t, G in zip(problem.templates, problem.slots.split(T), strict=True)]
        return np.concatenate(made)


def _to_search(arrangement: Arrangement) -> Floats:
    """Matrix from theta to theta'."""
    k = sum(t.n_theta for t in arrangement.templates)
    return np.asarray(np.linalg.inv(user_theta(arrangement, np.zeros(k))[1]), dtype=np.float64)


def _filled(covariance: Floats, factors: Sequence[Factor]) -> Floats:
    """Covariance with a guess for parameters of random effects that have none."""
    made = np.where(np.isnan(covariance), 0.0, covariance)
    guess = np.concatenate([np.full(f.template.n_theta, WIDE**2 / f.n_levels) for f in factors])
    gone = np.isnan(np.diag(covariance))[: len(guess)]
    made[np.flatnonzero(gone), np.flatnonzero(gone)] = guess[gone]
    return np.asarray(made, dtype=np.float64)
