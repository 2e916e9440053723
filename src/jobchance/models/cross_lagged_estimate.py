"""One cross-lagged model at its optimum, and likelihood ratios between models of the same cases."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.errors import EstimationError
from jobchance.models.cross_lagged_data import Cases
from jobchance.models.cross_lagged_layout import Choices, Layout, make_layout, start_values
from jobchance.numerics.sem import (
    Implied,
    Optimum,
    Structure,
    case_scores,
    implied,
    information,
    inverse,
    maximise,
)
from jobchance.numerics.sem_measures import Saturated, score_trace
from jobchance.results.parts import Floats

_SHARES = (0.5, 0.1, 0.9)
"""Shares of the long-lag covariance that the search puts into random intercepts at its starts."""
COMPARISONS = ("comparison", "small", "large", "loglik_small", "loglik_large", "statistic", "df", "p_value")


@dataclass(frozen=True, eq=False)
class Estimate:
    """A model at its optimum."""

    cases: Cases
    layout: Layout
    structure: Structure
    optimum: Optimum

    @property
    def at(self) -> Implied:
        """Implied moments."""
        return implied(self.structure, self.optimum.theta)

    @property
    def bread(self) -> Floats:
        """Inverse of the observed information."""
        made = inverse(self.optimum.information)
        assert made is not None, "an optimum that was kept has a definite information"
        return made

    @property
    def model_cov(self) -> Floats:
        """Inverse information: expected for complete data, observed where values are missing."""
        if not self.cases.patterns.complete:
            return self.bread
        theta = self.optimum.theta
        made = inverse(information(self.structure, self.cases.patterns, theta, expected=True))
        return self.bread if made is None else made

    def scores(self) -> Floats:
        """Scores of the cases (n, q)."""
        cases = self.cases
        assert cases.values is not None, "published moments have no cases"
        assert cases.codes is not None, "published moments have no cases"
        return case_scores(self.structure, cases.patterns, self.optimum.theta, cases.values, cases.codes)

    def trace(self) -> float:
        """Scaling of the likelihood ratio; the number of parameters for published moments."""
        cases = self.cases
        if cases.values is None or cases.codes is None:
            return math.nan
        return score_trace(self.structure, cases.patterns, self.optimum, cases.values, cases.codes)


def estimate(cases: Cases, choices: Choices, best: Saturated) -> Estimate:
    """The first proper optimum that a start leads to, or the best of the improper ones.

    Raises
    ------
    EstimationError
        No start leads to an optimum with a positive definite information.
    """
    layout = make_layout(cases.names, choices)
    structure = layout.structure
    found = []
    for share in _SHARES if choices.random_intercepts else _SHARES[:1]:
        start = start_values(layout, cases.patterns, best.mu, best.sigma, share)
        found.append(Estimate(cases, layout, structure, maximise(structure, cases.patterns, start)))
        if found[-1].optimum.converged and not improper(found[-1]):
            # A proper optimum; improper ones are doubted first.
            break
    kept = [one for one in found if one.optimum.converged]
    if not kept:
        raise EstimationError(
            f"The cross-lagged model has no clear optimum: from none of {len(found)} starts did the search "
            "end where the information is positive definite. Use fewer free parameters (lags='equal', "
            "residuals='equal'), more waves, or random_intercepts=False."
        )
    return max(kept, key=lambda one: one.optimum.loglik)


def comparisons(made: Estimate, best: Saturated) -> pd.DataFrame:
    """Likelihood ratios of the model against its neighbours: equal lags, no random intercepts.

    Columns `comparison small large loglik_small loglik_large statistic df p_value scale scaled_statistic
    scaled_p_value`; the scaled statistic (Satorra and Bentler 2001; Yuan and Bentler 2000) allows for data
    that are not normal and is NaN for published moments.
    """
    mine, rows = made.layout.choices, []
    other = replace(mine, lags="free" if mine.lags == "equal" else "equal")
    if made.cases.names.waves > 2:
        rows.append(_compare("equal_lags", made, _try(made, other, best), large_first=mine.lags == "free"))
        other = replace(mine, random_intercepts=not mine.random_intercepts)
        neighbour = _try(made, other, best)
        rows.append(_compare("no_random_intercepts", made, neighbour, large_first=mine.random_intercepts))
    return pd.DataFrame(rows, columns=[*COMPARISONS, "scale", "scaled_statistic", "scaled_p_value"])


def _try(made: Estimate, choices: Choices, best: Saturated) -> Estimate | None:
    """Another model of the same cases, or `None` where it has no optimum."""
    try:
        return estimate(made.cases, choices, best)
    except EstimationError:
        return None


def _compare(name: str, mine: Estimate, other: Estimate | None, *, large_first: bool) -> list[object]:
    """A row of `comparisons`."""
    small, large = ("equal", "free") if name == "equal_lags" else ("CLPM", "RI-CLPM")
    if other is None:
        return [name, small, large, *[math.nan] * 8]
    big, little = (mine, other) if large_first else (other, mine)
    statistic = max(2 * (big.optimum.loglik - little.optimum.loglik), 0.0)
    df = len(big.optimum.theta) - len(little.optimum.theta)
    scale = (big.trace() - little.trace()) / df
    scaled = statistic / scale if scale > 0 else math.nan
    p_values = [float(stats.chi2.sf(value, df)) for value in (statistic, scaled)]
    logliks = [little.optimum.loglik, big.optimum.loglik]
    return [name, small, large, *logliks, statistic, float(df), p_values[0], scale, scaled, p_values[1]]


def scaled_chisq(made: Estimate, best: Saturated, measures: Mapping[str, float]) -> dict[str, float]:
    """Chi-squared of the model that allows for data that are not normal; nothing for published moments."""
    cases, df = made.cases, measures["df"]
    if cases.values is None or cases.codes is None or not df:
        return {}
    full = score_trace(best.structure, cases.patterns, best.optimum, cases.values, cases.codes)
    scale = (full - made.trace()) / df
    scaled = measures["chisq"] / scale if scale > 0 else math.nan
    return {
        "chisq_scale": scale,
        "chisq_scaled": scaled,
        "p_scaled": float(stats.chi2.sf(scaled, df)),
    }


def improper(made: Estimate) -> tuple[str, ...]:
    """Parts whose covariance matrix is not positive definite: variances below zero, correlations beyond 1."""
    names, T, at = made.layout.names, made.cases.names.waves, made.at
    psi = np.tensordot(made.optimum.theta, made.structure.of_psi, 1)
    parts = []
    if made.layout.choices.random_intercepts and not _definite(at.phi):
        parts.append("random intercepts")
    waves = [t for t in range(T) if not _definite(psi[np.ix_([t, T + t], [t, T + t])])]
    parts += [f"{'residuals of ' if t else ''}{names.x[t]}, {names.y[t]}" for t in waves]
    return tuple(parts)


def _definite(matrix: Floats) -> bool:
    """Whether a covariance matrix is positive definite, beyond rounding."""
    diagonal = np.diag(matrix)
    if (diagonal <= 0).any():
        return False
    scale = 1 / np.sqrt(diagonal)
    return bool(np.linalg.eigvalsh(matrix * np.outer(scale, scale))[0] > 1e-8)
