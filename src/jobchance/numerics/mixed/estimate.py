"""What an estimated mixed model is made of, and the algebra shared by the linear and the Laplace estimates.

theta' are the parameters of the search (scaled columns, engine order), theta those of the user (columns as
given, factors in the order of the formula).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from jobchance.errors import EstimationError
from jobchance.numerics.mixed.laplace import LaplaceProblem
from jobchance.numerics.mixed.linear import LinearProblem
from jobchance.numerics.mixed.modes import remaining_covariances
from jobchance.numerics.mixed.optimum import Optimum
from jobchance.numerics.mixed.problem import Arrangement, Factor
from jobchance.numerics.mixed.relative import relative_factors, split_theta

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]

ZERO = 1e-5
NEAR = 1e-6
START = 0.5
APPROACHES = 2
# The Hessian is measured where this little decrease is left, and holds within so many standard errors: those
# are right to 1e-4 only this close to the optimum.
SWITCH = 1e-8
REACH = 1e-4


@dataclass(frozen=True, eq=False)
class MixedEstimate:
    """A fitted mixed model as arrays.

    Parameters
    ----------
    theta : tuple of arrays
        Free elements of Lambda_f of each factor; relative to sigma for the linear model.
    sigma : float or None
        Residual standard deviation of the linear model.
    coefficients : array (k,)
        Thresholds, then beta.
    covariance : array (k, k)
        Their covariance.
    joint : array
        Covariance of (theta, log sigma for the linear model, coefficients); NaN for theta on its boundary.
    df : array (k,)
        Satterthwaite degrees of freedom (linear), else infinite.
    criterion, loglik : float
        What was minimised; the (restricted) log-likelihood.
    modes, mode_covariances : tuples of arrays (levels, m) and (levels, m, m)
        Conditional modes and covariances by factor.
    linear, random : array (n,)
        Fixed part with offset, and random part, of the linear predictor.
    scores : array (n, k) or function that gives it
        Rows' derivatives of the log-likelihood by the coefficients, that by theta projected out.
    singular : tuple of bool
        For each factor, whether Lambda_f has lost rank.
    converged : bool
        Proved by gradient and Hessian.
    distance : float
        Standard errors between the estimates and the optimum.
    n_evaluations : int
        Evaluations of criterion and gradient.
    message : str
        What was proved, or what is wrong.
    runaway : bool
        The likelihood rises without end.
    flat : int
        Directions in which the criterion does not bend: parameters that the data do not tell apart.
    criterion_error : float
        Standard error of the criterion where its determinant is iterative, else 0.
    n_free : int
        Free parameters among the coefficients: fewer than coefficients where thresholds are structured.
    """

    theta: tuple[Floats, ...]
    sigma: float | None
    coefficients: Floats
    covariance: Floats
    joint: Floats
    df: Floats
    criterion: float
    loglik: float
    modes: tuple[Floats, ...]
    mode_covariances: tuple[Floats, ...]
    linear: Floats
    random: Floats
    scores: Floats | Callable[[], Floats]
    singular: tuple[bool, ...]
    converged: bool
    distance: float
    n_evaluations: int
    message: str
    runaway: bool
    flat: int
    criterion_error: float
    n_free: int


def orthonormal(X: Floats, w: Floats) -> tuple[Floats, Floats]:
    """Q = X K with Q'WQ = n I, and K (p, p) upper triangular: Cholesky factors, twice."""
    n, p = X.shape
    K, Q = np.eye(p), X
    for _ in range(2):
        gram = (Q * w[:, None]).T @ Q
        length = np.sqrt(np.diag(gram))
        try:
            R = linalg.cholesky(gram / np.outer(length, length))
        except linalg.LinAlgError as error:
            raise EstimationError(
                "Covariates are nearly collinear: leave some out or centre them."
            ) from error
        step = np.sqrt(n) * linalg.solve_triangular(R, np.eye(p)) / length[:, None]
        Q, K = Q @ step, K @ step
        if p == 0 or np.diag(R).min() > 0.1:
            break
    return Q, K


def start_theta(arrangement: Arrangement) -> Floats:
    """Lambda' = I / 2 for every factor."""
    return np.concatenate([np.where(t.diagonal, START, 0.0) for t in arrangement.templates])


class Approach:
    """Start of the search near the optimum, by Schall's fixed point (1991, Biometrika 78, 719-727).

    With d effective levels, theta^2 is multiplied by u'u / (sigma^2 d) = 1 - theta g / (2 d). Only diagonals
    move. `theta` is the start, `scale` about the standard errors there: theta / sqrt(2 d share) with the
    share d / levels.

    Parameters
    ----------
    gradient : function
        Derivative of the criterion at theta'.
    shares : function
        d over the number of levels, for each element of theta', where `gradient` was last asked.
    """

    def __init__(
        self,
        gradient: Callable[[Floats], Floats],
        shares: Callable[[], Floats],
        arrangement: Arrangement,
        factors: Sequence[Factor],
    ) -> None:
        diagonal = np.concatenate([t.diagonal for t in arrangement.templates])
        mine = [factors[i] for i in arrangement.order]
        levels = np.concatenate([np.full(f.template.n_theta, float(f.n_levels)) for f in mine])
        theta = start_theta(arrangement)
        for _ in range(APPROACHES):
            slope = gradient(theta)
            share = np.maximum(shares(), 0.02)
            growth = np.clip(1.0 - theta * slope / (2.0 * levels * share), 0.04, 25.0)
            theta = np.where(diagonal, theta * np.sqrt(growth), theta)
        self.theta = theta
        self.scale = _row_sizes(arrangement, theta) / (share * np.sqrt(2.0 * levels))


def level_shares(problem: LinearProblem | LaplaceProblem, arrangement: Arrangement) -> Floats:
    """1 - mean diagonal of M^{-1} by column of Lambda'_f, for each element of theta', after an evaluation."""
    layout, inverse = arrangement.partition.layout, problem.inverse
    sums = np.sum(problem.pool.call("eliminated_diagonal"), axis=0)
    moved = arrangement.partition.moved_places
    counts, made = len(arrangement.partition.moved), []
    for f, places in enumerate([moved, *arrangement.partition.places]):
        found = np.einsum("laa->a", remaining_covariances(places, inverse, layout))
        mean = (found + sums) / counts if f == 0 else found / len(places)
        made.append((1.0 - mean)[arrangement.templates[f].places[1]])
    return np.concatenate(made)


def _row_sizes(arrangement: Arrangement, theta: Floats) -> Floats:
    """The diagonal element in the row of each element of theta', at least 0.02."""
    sizes = []
    ends = np.cumsum([0, *[t.n_theta for t in arrangement.templates]])
    for t, first, last in zip(arrangement.templates, ends[:-1], ends[1:], strict=True):
        made = np.abs(theta[first:last])
        row = np.zeros(t.m)
        row[t.places[0][t.diagonal]] = made[t.diagonal]
        sizes.append(np.maximum(row[t.places[0]], 0.02))
    return np.concatenate(sizes)


class Remembered:
    """An objective that gives its last value again when asked at the same point."""

    def __init__(self, objective: Callable[[Floats], tuple[Any, ...]]) -> None:
        self.objective = objective
        self.x: Floats | None = None
        self.made: tuple[Any, ...] = ()

    def __call__(self, x: Floats) -> tuple[Any, ...]:
        """Value and gradient at x."""
        if self.x is None or not np.array_equal(x, self.x):
            self.made = self.objective(x)
            self.x = x.copy()
        return self.made


def accepted(found: Optimum) -> Optimum:
    """The optimum, converged also where rounding stopped the search within `NEAR` standard errors of it.

    Large counts and variances have criteria whose last digits no search can see.
    """
    near = not found.runaway and found.distance <= NEAR and bool((found.eigenvalues > -1e-3).all())
    return replace(found, converged=True) if near and not found.converged else found


def settle(arrangement: Arrangement, theta: Floats) -> tuple[Floats, Mask, Floats]:
    """Theta' with non-negative diagonals and exact zeros; which elements are on the boundary; their signs.

    A column of Lambda_f whose diagonal is zero carries no effect of its own. The signs turn theta' of the
    search to the one returned.
    """
    parts, fixed, turned = [], [], []
    for template, part in zip(arrangement.templates, split_theta(arrangement.templates, theta), strict=True):
        made, signs = template.canonical(part)
        _, columns = template.places
        gone = template.diagonal & (np.abs(made) < ZERO)
        parts.append(np.where(gone, 0.0, made))
        fixed.append(gone)
        turned.append(signs[columns])
    return np.concatenate(parts), np.concatenate(fixed), np.concatenate(turned)


def covariance_of(hessian: Floats, fixed: Mask) -> Floats:
    """2 H^{-1} over the parameters that are free; NaN for the others.

    Directions in which H does not bend (they arise where Lambda has lost rank) get no variance.
    """
    k = len(hessian)
    out = np.full((k, k), np.nan)
    free = np.flatnonzero(~np.concatenate([fixed, np.zeros(k - len(fixed), dtype=bool)]))
    H = hessian[np.ix_(free, free)]
    if not np.isfinite(H).all():
        return out
    scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diag(H)), 1e-300))
    values, vectors = linalg.eigh((H + H.T) / 2 * np.outer(scale, scale)) if len(H) else (np.zeros(0), H)
    bent = values > 1e-9 * max(float(values.max(initial=0.0)), 1e-300)
    half = (vectors[:, bent] / np.sqrt(values[bent])) * scale[:, None]
    out[np.ix_(free, free)] = 2.0 * half @ half.T
    return out


def satterthwaite(variances: Callable[[Floats], Floats], theta: Floats, covariance: Floats) -> Floats:
    """Degrees of freedom 2 v^2 / (g'Cg) of variances v that depend on theta', g their derivatives.

    `covariance` (k, k) is that of theta', NaN where an element is on its boundary: it is then taken as known.
    Forward differences of a hundredth of a standard error; `variances` is asked at theta' last.
    """
    free = np.flatnonzero(np.isfinite(np.diag(covariance)) & (np.diag(covariance) > 0))
    steps = 0.01 * np.sqrt(np.diag(covariance)[free])
    moved = [
        variances(theta + step * (np.arange(len(theta)) == j)) for j, step in zip(free, steps, strict=True)
    ]
    v = variances(theta)
    slopes = (np.array(moved).reshape(len(free), len(v)) - v) / steps[:, None]
    noise = np.einsum("ki,kl,li->i", slopes, covariance[np.ix_(free, free)], slopes)
    with np.errstate(divide="ignore"):
        return np.where(noise > 0, np.maximum(2.0 * v**2 / noise, 1.0), np.inf)


def user_theta(arrangement: Arrangement, theta: Floats) -> tuple[list[Floats], Floats]:
    """Theta of each factor in the order of the formula, and the matrix from theta' to all of it."""
    G = arrangement.theta_scaling
    parts = split_theta(arrangement.templates, G @ theta)
    ends = np.cumsum([0, *[t.n_theta for t in arrangement.templates]])
    back = np.argsort(arrangement.order)
    rows = np.concatenate([np.arange(ends[i], ends[i + 1]) for i in back])
    return [parts[i] for i in back], G[rows]


def user_factors(arrangement: Arrangement, theta: Floats) -> list[Floats]:
    """T Lambda' of each factor in engine order."""
    made = relative_factors(arrangement.templates, theta)
    return [T @ L for T, L in zip(arrangement.scaling, made, strict=True)]


def singular_factors(arrangement: Arrangement, theta: Floats) -> tuple[bool, ...]:
    """In the order of the formula: whether Lambda'_f has (numerically) lost rank."""
    lost = [
        bool((np.abs(np.diag(L)) <= ZERO * max(1.0, float(np.abs(L).max()))).any())
        for L in relative_factors(arrangement.templates, theta)
    ]
    return tuple(lost[i] for i in np.argsort(arrangement.order))
