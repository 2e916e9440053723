"""Average predictions under counterfactual values, with their derivative by the coefficients.

Letters: X (n, k) design matrix of the rows averaged over, eta = X beta, mu = inverse link of eta.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.design.columns import Floats, Mask, level_text, require_columns
from jobchance.design.layout import Layout
from jobchance.errors import DesignError, SpecError
from jobchance.numerics.links import get_link
from jobchance.options import check_option
from jobchance.results.fit import Fit


@dataclass(frozen=True, eq=False)
class Rowwise:
    """Predictions of complete rows.

    Parameters
    ----------
    mu : array (m,)
        Predictions on the scale of the outcome.
    gradient : array (m, k)
        Their derivative by the coefficients.
    matrix : array (m, k)
        Design matrix.
    """

    mu: Floats
    gradient: Floats
    matrix: Floats


def layout_of(fit: Fit) -> Layout:
    """The remembered design of a fit.

    Raises
    ------
    SpecError
        The fit has none, or has random effects behind a curved link, over which these averages are not
        taken.
    """
    if not isinstance(fit.predictor, Layout):
        raise SpecError(f"The fit ({fit.model}) does not hold a design, so nothing can be predicted from it.")
    if fit.variance_components is not None and link_name(fit) != "identity":
        raise SpecError(
            "The fit has random effects and a curved link. Average predictions must then be averaged over "
            "the random effects too, which is not done here."
        )
    return fit.predictor


def link_name(fit: Fit) -> str:
    """Name of the fit's link."""
    return str(fit.spec.get("link", "identity"))


def rows_of(fit: Fit, data: pd.DataFrame | None) -> pd.DataFrame:
    """The rows to average over: `data`, or the rows used in the fit."""
    if data is not None:
        require_columns((), data)
        return data
    rows = fit.need_rows("Averaging without data")
    return rows.frame.iloc[rows.used]


def check_variable(name: str, variable: str, layout: Layout) -> str:
    """`variable`, if the fit's formula has a column of that name; `name` is the argument's."""
    return check_option(name, variable, layout.used_columns)


def complete(layout: Layout, data: pd.DataFrame) -> Mask:
    """Rows without a missing value in a column that the fit uses.

    Raises
    ------
    DesignError
        No row is complete.
    """
    used = list(layout.used_columns)
    require_columns(used, data)
    mask: Mask = np.asarray(data[used].notna().all(axis=1), dtype=bool)
    if not mask.any():
        raise DesignError(f"None of {len(data)} rows is complete in the columns that the fit uses.")
    return mask


def predict_rows(fit: Fit, layout: Layout, data: pd.DataFrame) -> Rowwise:
    """Predictions of complete rows and their derivative, the random effects at zero."""
    X = layout.matrix(data)
    link = get_link(link_name(fit))
    eta = X @ fit.estimates
    return Rowwise(link.inverse(eta), X * link.derivative(eta)[:, None], X)


def with_value(data: pd.DataFrame, variable: str, value: Any) -> pd.DataFrame:
    """The data with one column set to a value in all rows; a level may be given as its text."""
    text = level_text(value)
    known = {level_text(v): v for v in data[variable].dropna().unique()}
    return data.assign(**{variable: known.get(text, value)})


def standard_error(fit: Fit, gradient: Floats) -> float:
    """Delta method: `sqrt(g' V g)` with the covariance of the fit (clustered, if the fit is)."""
    variance = float(gradient @ fit.covariance @ gradient)
    return float(np.sqrt(variance)) if variance >= 0 else np.nan


def degrees_of_freedom(fit: Fit) -> float:
    """Degrees of freedom of the reference distribution; the smallest where terms differ."""
    return float(fit.df.min())


def critical_value(df: float, level: float) -> float:
    """Half-width of an interval in standard errors.

    Raises
    ------
    SpecError
        `level` is not between 0 and 1.
    """
    if not isinstance(level, int | float | np.number) or not 0 < level < 1:
        raise SpecError(f"level={level!r} must lie between 0 and 1, such as 0.95.")
    return float(stats.t.ppf((1 + level) / 2, df))
