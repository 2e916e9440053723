"""Where the criterion of a linear mixed model with one grouping factor is smallest.

Letters of Bates, Maechler, Bolker & Walker (2015), J. Stat. Softw. 67(1), as in `one_factor`; the variance
ratio is the square of Lambda for a single random term.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from jobchance.errors import EstimationError
from jobchance.numerics.one_factor_criterion import UNBOUNDED, Floats, Sums, evaluate

_GRADIENT = 1e-5  # largest scaled gradient of the criterion at an accepted optimum
_STARTS = (1.0, 0.2, 3.0)
_LARGEST = 1e4  # standard deviation of a random term over that of the residual


def optimum(sums: Sums, *, restricted: bool, correlated: bool) -> Floats:
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
        state = evaluate(sums, matrix(theta), restricted=restricted)
        return state.criterion, (2 * state.slope @ matrix(theta))[index]

    return matrix(_several_terms(objective, diagonal=index[0] == index[1]))


def _one_term(sums: Sums, *, restricted: bool) -> Floats:
    """Lambda for one random term: roots of the derivative by the variance ratio, or zero."""
    pooled = _pool_equal_groups(sums)

    def criterion(ratio: float) -> float:
        return _at_ratio(pooled, ratio, restricted=restricted)[0]

    def slope(ratio: float) -> float:
        return _at_ratio(pooled, ratio, restricted=restricted)[1]

    grid = [0.0, *np.geomspace(1e-8, _LARGEST**2, 120)]
    values = [slope(ratio) for ratio in grid]
    roots = [
        float(optimize.brentq(slope, low, high, xtol=1e-300, rtol=1e-14))
        for low, high, at_low, at_high in zip(grid[:-1], grid[1:], values[:-1], values[1:], strict=True)
        if at_low < 0 <= at_high
    ]
    if values[-1] < 0:
        raise EstimationError(UNBOUNDED)
    return np.array([[math.sqrt(min([0.0, *roots], key=criterion))]])


@dataclass(frozen=True, eq=False)
class _Pooled:
    """Cross-products of one random term, summed over the u groups that share a value of Z'Z.

    A random intercept has as few values as there are group sizes, so the search costs next to nothing.
    """

    n: int
    p: int
    gram: Floats  # (u,)
    count: Floats  # (u,)
    xx: Floats  # sums of (Z'X)(Z'X)', (u, p, p)
    xy: Floats  # (u, p)
    yy: Floats  # (u,)
    total: float  # y'y


def _pool_equal_groups(sums: Sums) -> _Pooled:
    """Sums over groups with the same Z'Z."""
    gram, where = np.unique(sums.gram[:, 0, 0], return_inverse=True)
    zx, zy, u = sums.zx[:, 0, :], sums.zy[:, 0], len(gram)

    def pool(values: Floats) -> Floats:
        return np.bincount(where, weights=values, minlength=u).astype(float)

    p = sums.p
    xx = np.stack([pool(zx[:, a] * zx[:, b]) for a in range(p) for b in range(p)], axis=1)
    xy = np.stack([pool(zx[:, a] * zy) for a in range(p)], axis=1)
    return _Pooled(sums.n, p, gram, pool(np.ones_like(zy)), xx.reshape(u, p, p), xy, pool(zy**2), sums.yy)


def _at_ratio(pooled: _Pooled, ratio: float, *, restricted: bool) -> tuple[float, float]:
    """Profiled criterion and its derivative by the variance ratio, for one random term."""
    shrunk = 1 / (1 + ratio * pooled.gram)
    factor = ratio * shrunk
    information = np.eye(pooled.p) - np.tensordot(factor, pooled.xx, axes=1)
    score = -factor @ pooled.xy
    delta = np.linalg.solve(information, score)
    r2 = pooled.total - float(factor @ pooled.yy) - float(score @ delta)
    df = pooled.n - pooled.p if restricted else pooled.n
    value = -float(pooled.count @ np.log(shrunk)) + df * (1 + math.log(2 * math.pi * r2 / df))
    left = pooled.yy - 2 * pooled.xy @ delta + pooled.xx @ delta @ delta
    slope = float(pooled.count @ (pooled.gram * shrunk)) - df / r2 * float(shrunk**2 @ left)
    if restricted:
        value += float(np.linalg.slogdet(information)[1])
        spread = np.tensordot(shrunk**2, pooled.xx, axes=1)
        slope -= float(np.trace(np.linalg.solve(information, spread)))
    return value, slope


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
    if np.abs(theta).max() > _LARGEST:
        raise EstimationError(UNBOUNDED)
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
