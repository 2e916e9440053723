"""Tests after linear GMM: overidentification, validity of a group of instruments, serial correlation.

Letters as in `numerics.gmm`; V is the covariance of the coefficients that goes with the step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from jobchance.errors import EstimationError
from jobchance.numerics.gmm import Codes, Floats, Moments, Solution, Step, one_step


@dataclass(frozen=True)
class Statistic:
    """Statistic, degrees of freedom (NaN: normal) and p-value; all NaN where the test cannot be made."""

    statistic: float
    df: float
    p_value: float


NOT_MADE = Statistic(math.nan, math.nan, math.nan)


def overidentification(problem: Moments, step: Step, A: Floats, variance: float = 1.0) -> Statistic:
    """Form g'A g / variance against chi-square with L - K degrees of freedom (Sargan 1958, Hansen 1982)."""
    g = step.total(problem)
    return chi_square(float(g @ A @ g) / variance, problem.Z.shape[1] - problem.X.shape[1])


def hansen_difference(
    problem: Moments, solution: Solution, suspect: NDArray[np.bool_]
) -> tuple[Statistic, Statistic]:
    """Hansen test without the suspect instruments, and the difference that they make.

    Both use S of the full problem, so that the difference cannot be negative (Hayashi 2000, p. 220).
    """
    keep = ~suspect
    L, K = int(keep.sum()), problem.X.shape[1]
    if L < K or not suspect.any():
        return NOT_MADE, NOT_MADE
    try:
        reduced = one_step(problem, solution.M.T @ solution.M, keep)
    except EstimationError:
        return NOT_MADE, NOT_MADE
    g = reduced.total(problem)[keep]
    without = float(g @ reduced.A @ g)
    full = overidentification(problem, solution.second, solution.second.A)
    return chi_square(without, L - K), chi_square(full.statistic - without, int(suspect.sum()))


def chi_square(statistic: float, df: int) -> Statistic:
    """A chi-square statistic; without degrees of freedom there is nothing to test."""
    if df <= 0:
        return NOT_MADE
    return Statistic(statistic, float(df), float(stats.chi2.sf(statistic, df)))


@dataclass(frozen=True, eq=False)
class Differences:
    """Rows in first differences for the test of serial correlation: y, X, entity and period of each."""

    y: Floats
    X: Floats
    entity: Codes
    period: Codes


def serial_correlation(
    problem: Moments,
    step: Step,
    V: Floats,
    rows: Differences,
    *,
    order: int,
    counted: NDArray[np.bool_] | None = None,
) -> Statistic:
    """m-statistic of Arellano & Bond (1991, eq. 8): differenced residuals against their own lag.

    sum_i w_i'v_i over its standard deviation, w the residuals `order` periods before, 0 where there is none:
    Var = sum (w_i'v_i)^2 - 2 w'X B X'Z A sum Z_i'u_i v_i'w_i + w'X V X'w. Normal with no correlation.
    `counted` (n,) leaves rows out of the residuals u in the middle term, as plm does with level rows.
    """
    v = rows.y - rows.X @ step.beta
    w = _lagged(v, rows, order)
    if not w.any():
        return NOT_MADE
    products = np.bincount(rows.entity, weights=w * v, minlength=problem.n_entities)
    wX = w @ rows.X
    u = step.u if counted is None else np.where(counted, step.u, 0.0)
    along = problem.by_entity(u).T @ products
    variance = products @ products - 2 * wX @ (step.B @ (problem.zx.T @ (step.A @ along))) + wX @ V @ wX
    if not variance > 0:
        return NOT_MADE
    z = float(products.sum() / math.sqrt(variance))
    return Statistic(z, math.nan, float(2 * stats.norm.sf(abs(z))))


def _lagged(v: Floats, rows: Differences, order: int) -> Floats:
    """The value of the same entity `order` periods before; 0 where there is none."""
    span = int(rows.period.max()) + 1
    place = np.full((int(rows.entity.max()) + 1) * span, -1, dtype=np.int64)
    place[rows.entity * span + rows.period] = np.arange(len(v))
    before = rows.period - order
    at = np.where(before >= 0, place[rows.entity * span + np.maximum(before, 0)], -1)
    return np.where(at >= 0, v[at], 0.0)
