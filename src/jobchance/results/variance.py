"""Standard errors of standard deviations and correlations, and the variance that random effects give a row.

Sigma = s^2 Lambda Lambda' for one random term, s the residual standard deviation of a linear model and 1
otherwise; theta are the free elements of Lambda, z the row's values of the effects that vary. Delta method
from `Fit.joint`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from jobchance.results.parts import Codes, Floats, RandomStructure

if TYPE_CHECKING:
    from jobchance.results.fit import Fit

LOG_SIGMA = "log(sigma)"
_ONE = 1 - 1e-10


@dataclass(frozen=True)
class Component:
    """A standard deviation (`"sd"`) or correlation (`"cor"`) with its standard error, NaN on the boundary."""

    group: str
    term: str
    kind: str
    estimate: float
    std_error: float = math.nan

    def interval(self, level: float) -> tuple[float, float]:
        """Normal on the scale of the log (sd) or of Fisher's z (correlation): limits are possible values."""
        reach = float(stats.norm.ppf((1 + level) / 2)) * self.std_error
        if not reach > 0:
            return math.nan, math.nan
        if self.kind == "sd":
            factor = math.exp(min(reach / self.estimate, 700.0))
            return self.estimate / factor, self.estimate * factor
        reach, z = reach / (1 - self.estimate**2), math.atanh(self.estimate)
        return math.tanh(z - reach), math.tanh(z + reach)


def components(fit: Fit) -> tuple[Component, ...]:
    """Standard deviations of each term and then its correlations, term by term; the residual last."""
    if fit.variance_components is None:
        return ()
    if not fit.structure:
        return _without_errors(fit.variance_components)
    made: list[Component] = []
    for term, places in zip(fit.structure, theta_places(fit), strict=True):
        made += _term_components(fit, term, places)
    if fit.joint is not None and LOG_SIGMA in fit.joint.names:
        at = fit.joint.names.index(LOG_SIGMA)
        sigma = _scale(fit)
        made.append(Component("Residual", "residual", "sd", sigma, _error(fit, [at], np.array([sigma]))))
    return tuple(made)


def group_names(fit: Fit) -> list[str]:
    """Grouping factors with random effects, in the order of the variance components."""
    if fit.variance_components is None:
        return []
    names = fit.variance_components["group"].tolist()
    return [name for name in dict.fromkeys(names) if name != "Residual"]


def theta_places(fit: Fit) -> list[Codes]:
    """Where the parameters of each term of `fit.structure` stand in `fit.joint`: grouping by grouping."""
    places: dict[int, Codes] = {}
    start = 0
    for group in dict.fromkeys(term.group for term in fit.structure):
        for i, term in enumerate(fit.structure):
            if term.group == group:
                places[i] = np.arange(start, start + len(term.theta))
                start += len(term.theta)
    return [places[i] for i in range(len(fit.structure))]


def n_random_parameters(fit: Fit) -> int:
    """Free variances and correlations, the residual variance included."""
    components_ = fit.variance_components
    if components_ is None:
        return 0
    if not fit.structure:
        return len(components_)
    return sum(len(term.theta) for term in fit.structure) + int((components_["group"] == "Residual").sum())


@dataclass(frozen=True, eq=False)
class RowVariance:
    """Variance (n,) of each row's random part, and its derivative (n, k) by theta, ordered as `Fit.joint`."""

    values: Floats
    gradient: Floats


def row_variance(
    fit: Fit, data: pd.DataFrame, *, only: Sequence[NDArray[np.bool_]] | None = None
) -> RowVariance:
    """V = sum over terms of z' Sigma z; `only` says for each term in which rows to count it.

    A row with a missing value of an effect that varies is NaN.
    """
    places = theta_places(fit)
    values = np.zeros(len(data))
    gradient = np.zeros((len(data), sum(map(len, places))))
    scale = _scale(fit)
    for i, (term, place) in enumerate(zip(fit.structure, places, strict=True)):
        z = np.ones((len(data), 1)) if term.predictor is None else term.predictor.matrix(data)
        if only is not None:
            z = np.where(only[i][:, None], z, 0.0)
        half = scale * z @ term.relative_factor()
        values += (half**2).sum(axis=1)
        rows, columns = term.places
        gradient[:, place] = 2.0 * scale * z[:, rows] * half[:, columns]
    return RowVariance(values, gradient)


def _scale(fit: Fit) -> float:
    """Residual standard deviation of a linear model, else 1."""
    if fit.joint is None or LOG_SIGMA not in fit.joint.names:
        return 1.0
    return float(np.exp(fit.joint.estimates[fit.joint.names.index(LOG_SIGMA)]))


def _term_components(fit: Fit, term: RandomStructure, places: Codes) -> list[Component]:
    """Standard deviations and correlations of one term."""
    L, scale = term.relative_factor(), _scale(fit)
    lengths = np.linalg.norm(L, axis=1)
    rows, columns = term.places
    linear = fit.joint is not None and LOG_SIGMA in fit.joint.names
    made = []
    for i, name in enumerate(term.columns):
        sd = float(scale * lengths[i])
        by_theta = np.where(rows == i, scale * L[i, columns], 0.0) / (lengths[i] or np.nan)
        where, slope = list(places), by_theta
        if linear and fit.joint is not None:
            where, slope = [*where, fit.joint.names.index(LOG_SIGMA)], np.append(by_theta, sd)
        made.append(Component(term.group, name, "sd", sd, _error(fit, where, slope)))
    for i, j in correlated_pairs(term):
        n = lengths[i] * lengths[j]
        r = float(L[i] @ L[j] / n) if n > 0 else math.nan
        by_theta = np.where(
            rows == i, L[j, columns] / (n or np.nan) - r * L[i, columns] / (lengths[i] or np.nan) ** 2, 0.0
        )
        by_theta += np.where(
            rows == j, L[i, columns] / (n or np.nan) - r * L[j, columns] / (lengths[j] or np.nan) ** 2, 0.0
        )
        error = _error(fit, list(places), by_theta) if abs(r) < _ONE else math.nan
        made.append(Component(term.group, f"{term.columns[i]}.{term.columns[j]}", "cor", r, error))
    return made


def correlated_pairs(term: RandomStructure) -> list[tuple[int, int]]:
    """Pairs (i, j), i < j, of effects that the model lets correlate."""
    pairs, start = [], 0
    for size in term.sizes:
        pairs += [(start + i, start + j) for i in range(size) for j in range(i + 1, size)]
        start += size
    return pairs


def _error(fit: Fit, places: Sequence[int], slope: Floats) -> float:
    """sqrt(g' V g); NaN where a parameter that matters sits on its boundary or nothing matters."""
    if fit.joint is None:
        return math.nan
    g = np.zeros(len(fit.joint.names))
    g[list(places)] = slope
    matters = g != 0
    V = fit.joint.covariance[np.ix_(matters, matters)]
    variance = float(g[matters] @ V @ g[matters]) if matters.any() else math.nan
    return math.sqrt(variance) if variance > 0 else math.nan


def _without_errors(frame: pd.DataFrame) -> tuple[Component, ...]:
    """Components of a fit that keeps no joint covariance."""
    return tuple(
        Component(str(row["group"]), str(row["term"]), "sd", float(row["sd"]))
        for row in frame.to_dict("records")
        if not pd.isna(row["sd"])
    )
