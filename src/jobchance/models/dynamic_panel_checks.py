"""Tests of a dynamic panel, as statistics of the fit and as one table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.numerics.gmm import Floats, Moments, Solution, Step, symmetric_inverse
from jobchance.numerics.gmm_checks import (
    NOT_MADE,
    Differences,
    Statistic,
    chi_square,
    hansen_difference,
    overidentification,
    serial_correlation,
)


@dataclass(frozen=True, eq=False)
class Checks:
    """Numbers by name for `Fit.statistics`, and the table `test statistic df p_value`."""

    statistics: dict[str, float]
    frame: pd.DataFrame


def run_checks(
    problem: Moments,
    solution: Solution,
    step: Step,
    cov: Floats,
    *,
    differences: Differences,
    variance: float,
    groups: NDArray[np.str_],
    effects: NDArray[np.bool_],
    level: NDArray[np.bool_],
) -> Checks:
    """All tests of one fit; `effects` marks coefficients that the Wald test leaves out, `level` level rows.

    In a system `m1_plm` and `m2_plm` are what plm prints: it leaves out how the moments of the level rows go
    together with the product of residuals. The full variance is that of `m1` and `m2`.
    """
    made = {f"m{order}": serial_correlation(problem, step, cov, differences, order=order) for order in (1, 2)}
    if level.any():
        made |= {
            f"m{order}_plm": serial_correlation(problem, step, cov, differences, order=order, counted=~level)
            for order in (1, 2)
        }
    made["hansen"] = overidentification(problem, solution.second, solution.second.A)
    made["sargan"] = overidentification(problem, solution.first, solution.first.A, variance)
    made["sargan_robust"] = overidentification(problem, step, solution.second.A)
    suspect = np.char.startswith(groups, "differences of ")
    if suspect.any():
        without, by = hansen_difference(problem, solution, suspect)
        made |= {"hansen_without_levels": without, "hansen_levels": by}
    made["wald"] = _wald(step.beta[~effects], cov[np.ix_(~effects, ~effects)])
    numbers: dict[str, float] = {}
    for name, test in made.items():
        numbers[name] = test.statistic
        if not name.startswith("m"):
            numbers[f"{name}_df"] = test.df
        numbers[f"{name}_p"] = test.p_value
    table = [
        {"test": name, "statistic": t.statistic, "df": t.df, "p_value": t.p_value} for name, t in made.items()
    ]
    return Checks(numbers, pd.DataFrame(table))


def _wald(beta: Floats, cov: Floats) -> Statistic:
    """All covariates together against zero."""
    inverse, singular = symmetric_inverse(cov)
    return NOT_MADE if singular else chi_square(float(beta @ inverse @ beta), len(beta))
