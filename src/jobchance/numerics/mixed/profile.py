"""Profile likelihood of one parameter of a mixed model: the criterion minimised over all the others.

D is -2 log-likelihood (ML). A parameter v is held fixed by a chart t -> x(v, t) of all parameters x, smooth
also where a standard deviation is zero. Limits solve D(v) - min D = q. Venzon & Moolgavkar (1988), Appl.
Statist. 37, 87-94; Bates et al. (2015), J. Stat. Softw. 67(1), section 5.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

from jobchance.errors import EstimationError
from jobchance.numerics.mixed.profile_charts import Chart, Target, chart_of
from jobchance.numerics.mixed.profile_criteria import Criterion

Floats = NDArray[np.float64]

FLAT = 1e-3
GRADIENT = 1e-4
BETTER = 1e-4
EXPANSION = 1.7
MAX_EXPANSIONS = 40
PRECISION = 1e-6


@dataclass(frozen=True)
class Limits:
    """Profile limits of one parameter; `at_bound` says which lie on the edge of what it may be."""

    low: float
    high: float
    at_bound: tuple[bool, bool]


def profile_limits(criterion: Criterion, target: Target, *, quantile: float) -> Limits:
    """Both limits, where the profile has risen by `quantile`.

    Parameters
    ----------
    criterion : Criterion
        D and its gradient, with the estimates.
    target : Target
        The parameter.
    quantile : float
        Rise of D, such as 3.84.

    Raises
    ------
    EstimationError
        The minimum was not found at a fixed value, or lies below that of the estimates.
    """
    profile = _Profile(criterion, chart_of(criterion, target))
    ends = [_limit(profile, side, quantile) for side in (-1.0, 1.0)]
    (low, low_bound), (high, high_bound) = ends
    return Limits(low, high, (low_bound, high_bound))


class _Profile:
    """D minimised at a fixed value of one parameter, started from the last point found."""

    def __init__(self, criterion: Criterion, chart: Chart) -> None:
        self.criterion, self.chart = criterion, chart
        self.start = chart.start
        _, E = chart.place(chart.value, chart.start)
        H = E.T @ linalg.pinvh(criterion.covariance) @ E
        size = 1.0 / np.sqrt(np.maximum(np.diag(H), 1e-300))
        values, vectors = linalg.eigh(H * np.outer(size, size)) if len(H) else (np.zeros(0), H)
        self.L = (vectors / np.sqrt(2.0 * np.maximum(values, FLAT))) * size[:, None]

    def __call__(self, v: float) -> float:
        """Smallest D at the value v, less that of the estimates."""
        at, x = self.start, np.zeros(len(self.start))
        if not len(x):
            return self._value(v, at)[0] - self.criterion.minimum

        def objective(s: Floats) -> tuple[float, Floats]:
            value, gradient = self._value(v, at + self.L @ s)
            return value, self.L.T @ gradient

        found = optimize.minimize(objective, x, jac=True, method="BFGS", options={"gtol": GRADIENT})
        if not np.abs(found.jac).max() < 100 * GRADIENT:
            raise EstimationError("The profile was not found: the likelihood is irregular at a fixed value.")
        self.start = at + self.L @ found.x
        rise = float(found.fun) - self.criterion.minimum
        if rise < -BETTER:
            raise EstimationError(
                "A better fit was found while profiling: the estimates are not the optimum."
            )
        return rise

    def _value(self, v: float, t: Floats) -> tuple[float, Floats]:
        """D and its gradient by t."""
        x, E = self.chart.place(v, t)
        value, gradient = self.chart.evaluate(v, x)
        return value, E.T @ gradient


def _limit(profile: _Profile, side: float, quantile: float) -> tuple[float, bool]:
    """One limit, and whether it is the bound of the parameter."""
    chart = profile.chart
    bound = chart.bounds[0] if side < 0 else chart.bounds[1]
    profile.start = chart.start
    inner, reach = chart.value, math.sqrt(quantile) * chart.error
    if inner == bound:
        return bound, True
    for _ in range(MAX_EXPANSIONS):
        outer = chart.value + side * reach
        beyond = (outer - bound) * side >= 0
        if beyond:
            outer = bound if chart.closed else (inner + bound) / 2
        if profile(outer) >= quantile:
            root = _root(lambda v: profile(v) - quantile, inner, outer)
            return root, False
        if beyond and chart.closed:
            return bound, True
        inner, reach = outer, reach * EXPANSION
    return side * math.inf, False


def _root(function: Callable[[float], float], inner: float, outer: float) -> float:
    """Where the function is zero between two values."""
    return float(optimize.brentq(function, inner, outer, xtol=PRECISION * abs(outer - inner), rtol=1e-12))
