"""Linear mixed model with one grouping factor, by profiled REML or ML with an exact gradient.

Letters of Bates, Maechler, Bolker & Walker (2015), J. Stat. Softw. 67(1): y = X beta + Z b + e,
b_i = Lambda u_i, u_i ~ N(0, sigma2 I), e ~ N(0, sigma2 I); Lambda lower triangular (q, q), its
entries are theta. n rows, p coefficients, m groups, q random terms. The groups enter through cross-products
only, O(n (p + q)^2) once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

from jobchance.errors import DesignError, EstimationError

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

SINGULAR = 1e-4  # lme4's tolerance for a singular fit; here for random terms scaled to unit mean square
_GRADIENT = 1e-5  # largest scaled gradient of the criterion at an accepted optimum
_STARTS = (1.0, 0.2, 3.0)


@dataclass(frozen=True, eq=False)
class OneFactor:
    """Estimates of a linear mixed model with one grouping factor.

    `cov_random` is the covariance (q, q) of the random effects, in the units of the outcome; `modes` and
    `mode_cov` are conditional modes (m, q) and their conditional covariances (m, q, q); `weighted_residual`
    is V^{-1}(y - X beta) with V relative to sigma2.
    """

    beta: Floats
    cov: Floats
    sigma2: float
    theta: Floats
    cov_random: Floats
    criterion: float
    loglik: float
    is_singular: bool
    gradient: float
    modes: Floats
    mode_cov: Floats
    weighted_residual: Floats


@dataclass(frozen=True, eq=False)
class _Sums:
    """Cross-products by group of the scaled problem: X has orthonormal columns, y is its residual on X."""

    n: int
    p: int
    gram: Floats  # Z'Z, (m, q, q)
    zx: Floats  # (m, q, p)
    zy: Floats  # (m, q)
    yy: float


@dataclass(frozen=True, eq=False)
class _State:
    """Everything that is known at one Lambda."""

    delta: Floats
    information: Floats
    r2: float
    criterion: float
    slope: Floats  # derivative of the criterion by the covariance Lambda Lambda', (q, q)
    factor: Floats  # Lambda K^{-1} Lambda', (m, q, q), with K = I + Lambda' Z'Z Lambda


def fit_one_factor(
    X: Floats, y: Floats, Z: Floats, codes: Codes, *, restricted: bool = True, correlated: bool = True
) -> OneFactor:
    """Maximise the (restricted) likelihood.

    One random term: every sign change of the derivative by the variance ratio is bracketed on a grid and
    solved, and the best of these and zero is taken. Several: L-BFGS-B from several starts with the exact
    gradient, then Newton steps; the gradient of the solution is checked, not the optimiser's word.

    Parameters
    ----------
    X, y, Z : arrays (n, p), (n,), (n, q)
        Fixed design of full column rank, outcome, random design of each row.
    codes : integer array (n,)
        Group of each row, 0..m-1.
    restricted : bool
        REML (else ML).
    correlated : bool
        Whether the random terms of a group are correlated.

    Returns
    -------
    OneFactor

    Raises
    ------
    DesignError
        X has linearly dependent columns, no residual rows, or the outcome has no residual variation.
    EstimationError
        No optimum with a vanishing gradient was found.
    """
    q_matrix, r_matrix = _orthonormal(X, n=len(y))
    offset = q_matrix.T @ y
    residual = y - q_matrix @ offset
    if not np.any(np.abs(residual) > 1e-10 * max(1.0, float(np.abs(y).max()))):
        raise DesignError("The outcome has no variation beyond the fixed terms.")
    scale = np.sqrt(np.mean(Z**2, axis=0))
    if not np.all(scale > 0):
        raise DesignError("A random term is zero in every row.")
    sums = _cross_products(q_matrix, residual, Z / scale, codes)
    lower = _optimum(sums, restricted=restricted, correlated=correlated)
    state = _evaluate(sums, lower, restricted=restricted)
    return _assemble(
        sums,
        state,
        lower,
        scale,
        r_matrix,
        offset,
        (X, y, Z, codes),
        restricted=restricted,
        correlated=correlated,
    )


def _orthonormal(X: Floats, *, n: int) -> tuple[Floats, Floats]:
    """QR of the fixed design."""
    if n <= X.shape[1]:
        raise DesignError(f"{n} rows cannot carry {X.shape[1]} coefficients and a variance.")
    q_matrix, r_matrix = linalg.qr(X, mode="economic")
    diagonal = np.abs(np.diag(r_matrix))
    norms = np.sqrt(np.sum(X**2, axis=0))
    if np.any(diagonal <= 1e-10 * norms):
        raise DesignError("The fixed terms are linearly dependent.")
    return np.asarray(q_matrix, dtype=float), np.asarray(r_matrix, dtype=float)


def _cross_products(X: Floats, y: Floats, Z: Floats, codes: Codes) -> _Sums:
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
    return _Sums(len(y), p, gram, zx, zy, float(y @ y))


def _evaluate(sums: _Sums, lower: Floats, *, restricted: bool) -> _State:
    """Profiled criterion and its derivative by the covariance of the random effects at one Lambda."""
    q = lower.shape[0]
    k_matrix = np.eye(q) + lower.T @ sums.gram @ lower
    factor = lower @ np.linalg.solve(k_matrix, np.broadcast_to(lower.T, k_matrix.shape))
    f_zx, f_zy = factor @ sums.zx, np.einsum("mab,mb->ma", factor, sums.zy)
    information = np.eye(sums.p) - np.einsum("mqi,mqj->ij", sums.zx, f_zx)
    gradient_at_zero = -np.einsum("mqi,mq->i", sums.zx, f_zy)
    delta = np.linalg.solve(information, gradient_at_zero)
    r2 = sums.yy - float(np.sum(sums.zy * f_zy)) - float(gradient_at_zero @ delta)
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
    return _State(delta, information, r2, criterion, slope, factor)


def _optimum(sums: _Sums, *, restricted: bool, correlated: bool) -> Floats:
    """Lambda (q, q) at the optimum."""
    q = sums.zy.shape[1]
    if q == 1:
        return _one_term(sums, restricted=restricted)
    index = np.tril_indices(q) if correlated else (np.arange(q), np.arange(q))

    def matrix(theta: Floats) -> Floats:
        lower = np.zeros((q, q))
        lower[index] = theta
        return lower

    def objective(theta: Floats) -> tuple[float, Floats]:
        state = _evaluate(sums, matrix(theta), restricted=restricted)
        return state.criterion, (2 * state.slope @ matrix(theta))[index]

    return matrix(_several_terms(objective, diagonal=index[0] == index[1]))


def _one_term(sums: _Sums, *, restricted: bool) -> Floats:
    """Lambda for one random term: roots of the derivative by the variance ratio, or zero."""

    def at(ratio: float) -> _State:
        return _evaluate(sums, np.array([[math.sqrt(ratio)]]), restricted=restricted)

    def slope(ratio: float) -> float:
        return float(at(ratio).slope[0, 0])

    grid = [0.0, *np.geomspace(1e-8, 1e8, 120)]
    values = [slope(ratio) for ratio in grid]
    roots = [
        float(optimize.brentq(slope, low, high, xtol=1e-300, rtol=1e-14))
        for low, high, at_low, at_high in zip(grid[:-1], grid[1:], values[:-1], values[1:], strict=True)
        if at_low < 0 <= at_high
    ]
    if values[-1] < 0:
        raise EstimationError(
            "The variance between groups has no upper bound: rows of the same group hardly differ. "
            "Check that the outcome varies within groups."
        )
    best = min([0.0, *roots], key=lambda ratio: at(ratio).criterion)
    return np.array([[math.sqrt(best)]])


def _several_terms(
    objective: Callable[[Floats], tuple[float, Floats]], *, diagonal: NDArray[np.bool_]
) -> Floats:
    """Theta at the optimum: best of several starts, then Newton steps on the parameters off the bound."""
    bounds = [(0.0, None) if d else (None, None) for d in diagonal]
    runs = [
        optimize.fmin_l_bfgs_b(
            objective, start * diagonal.astype(float), bounds=bounds, factr=10.0, pgtol=1e-8, maxiter=2_000
        )
        for start in _STARTS
    ]
    theta = np.asarray(min(runs, key=lambda run: float(run[1]))[0], dtype=float)
    for _ in range(20):
        free = ~(diagonal & (theta < 1e-7))
        theta = np.where(free, theta, 0.0)
        value, gradient = objective(theta)
        if not free.any() or np.abs(gradient[free]).max() < 1e-9:
            break
        step = _newton_step(objective, theta, gradient, free)
        while step.any() and objective(_bounded(theta - step, diagonal))[0] > value + 1e-12 * abs(value):
            step = np.where(np.abs(step) > 1e-14, step / 2, 0.0)
        theta = _bounded(theta - step, diagonal)
    _, gradient = objective(theta)
    free = ~(diagonal & (theta < 1e-7))
    if free.any() and np.abs(gradient[free]).max() > _GRADIENT:
        raise EstimationError(
            "The variances of the random effects could not be estimated: the gradient does not vanish. "
            "Centre the slope variables, or leave out a random slope."
        )
    return theta


def _newton_step(
    objective: Callable[[Floats], tuple[float, Floats]],
    theta: Floats,
    gradient: Floats,
    free: NDArray[np.bool_],
) -> Floats:
    """Newton step on the free parameters, from a Hessian by central differences of the exact gradient."""
    where = np.flatnonzero(free)
    hessian = np.empty((len(where), len(where)))
    for column, j in enumerate(where):
        width = 1e-5 * max(1.0, abs(theta[j]))
        ends = [objective(theta + sign * width * (np.arange(len(theta)) == j))[1] for sign in (1, -1)]
        hessian[:, column] = (ends[0] - ends[1])[where] / (2 * width)
    hessian = (hessian + hessian.T) / 2
    values, vectors = np.linalg.eigh(hessian)
    safe = np.maximum(np.abs(values), 1e-8 * max(float(np.abs(values).max()), 1e-300))
    step = np.zeros_like(theta)
    step[where] = vectors @ ((vectors.T @ gradient[where]) / safe)
    return step


def _bounded(theta: Floats, diagonal: NDArray[np.bool_]) -> Floats:
    """Theta with a non-negative diagonal of Lambda."""
    out: Floats = np.where(diagonal, np.maximum(theta, 0.0), theta)
    return out


def _assemble(
    sums: _Sums,
    state: _State,
    lower: Floats,
    scale: Floats,
    r_matrix: Floats,
    offset: Floats,
    data: tuple[Floats, Floats, Floats, Codes],
    *,
    restricted: bool,
    correlated: bool,
) -> OneFactor:
    """Back to the units of the data."""
    X, y, Z, codes = data
    sigma2 = state.r2 / (sums.n - sums.p if restricted else sums.n)
    inverse = linalg.solve_triangular(r_matrix, np.eye(sums.p))
    beta = inverse @ (offset + state.delta)
    cov = sigma2 * inverse @ np.linalg.inv(state.information) @ inverse.T
    factor = state.factor / np.outer(scale, scale)
    residual = y - X @ beta
    z_residual = np.column_stack([np.bincount(codes, weights=z * residual) for z in Z.T])
    modes = np.einsum("mab,mb->ma", factor, z_residual)
    criterion = state.criterion
    if restricted:  # log|X'V^-1 X| of the data's own X, which the orthonormal one lacks
        criterion += 2 * float(np.sum(np.log(np.abs(np.diag(r_matrix)))))
    lower_data = lower / scale[:, None]
    free = np.tril(np.ones_like(lower, dtype=bool)) if correlated else np.eye(len(lower), dtype=bool)
    gradient = np.where(free, 2 * state.slope @ lower, 0.0)
    gradient = np.where(np.eye(len(lower), dtype=bool) & (lower <= 0), np.minimum(gradient, 0.0), gradient)
    return OneFactor(
        beta=beta,
        cov=(cov + cov.T) / 2,
        sigma2=sigma2,
        theta=lower_data[np.tril_indices(len(scale))],
        cov_random=sigma2 * lower_data @ lower_data.T,
        criterion=criterion,
        loglik=-criterion / 2,
        is_singular=bool(np.linalg.svd(lower, compute_uv=False).min() < SINGULAR),
        gradient=float(np.abs(gradient).max()),
        modes=modes,
        mode_cov=sigma2 * factor,
        weighted_residual=residual - np.sum(Z * modes[codes], axis=1),
    )
