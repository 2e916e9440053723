"""`predictions`: average predictions of a fit, also at values set in all rows, with standard errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from jobchance.design.build import group_codes
from jobchance.design.columns import require_columns
from jobchance.effects.averages import (
    Question,
    Random,
    Rowwise,
    ask,
    average,
    check_variable,
    complete,
    critical_value,
    degrees_of_freedom,
    predict_rows,
    quantities,
    rows_of,
    shown,
    standard_error,
    with_value,
)
from jobchance.errors import SpecError
from jobchance.options import check_option
from jobchance.results.fit import Fit
from jobchance.results.prediction import is_ordinal

MAX_CELLS = 10_000


def predictions(
    fit: Fit,
    *,
    data: pd.DataFrame | None = None,
    at: Mapping[str, Any] | None = None,
    by: str | Sequence[str] | None = None,
    level: float = 0.95,
    random: Random = "integrated",
    scale: str | None = None,
) -> pd.DataFrame:
    r"""Average predictions on the scale of the outcome (a share, for a 0/1 outcome).

    Every row is predicted and the predictions are averaged: `mean_i mu(x_i)`. With `at`, the columns named
    are first set to the values given in *all* rows (Stata's `margins, at()`); with `by`, averages are taken
    within groups of rows as they are. Standard errors are those of the delta method from the fit's
    covariance; the rows are taken as given.

    Random effects behind a curved link are integrated over, :math:`\mu = E\,h(\eta + e),\ e \sim N(0, v)`
    with :math:`v = \sum z'\Sigma z`: the share of a population of persons and caseworkers, not that of one in
    the middle. The delta method then runs over coefficients, thresholds and variances together.

    Parameters
    ----------
    fit : Fit
        A fit that holds its design, without absorbed effects.
    data : DataFrame or None
        Rows to average over; `None` is the rows used in the fit. Incomplete rows are left out. If the fit is
        weighted (`fit_glm(weights=)`), they must have the column of its weights.
    at : mapping of str to value or sequence of values, or None
        Values to set, all combinations of them: `{"belief": [1, 2, 3, 4, 5]}`.
    by : str, sequence of str or None
        Columns of the data that form groups; rows with a missing group are left out.
    level : float
        Confidence level; intervals are symmetric and may reach outside 0 to 1.
    random : {"integrated", False}
        Random effects integrated over (default) or at zero. Without random effects, and in linear models,
        both are the same.
    scale : {"probability", "outcome"} or None
        Ordinal fits: one row for each level of the outcome (`None`, `"probability"`), or the expected score
        (`"outcome"`; scores are the numbers that the levels are, else 1, 2, 3, ...).

    Returns
    -------
    DataFrame
        Columns of `at` and `by`, `level` (ordinal), then `estimate std_error df conf_low conf_high N_rows`,
        and `random_effects` behind a curved link: `"integrated"` or `"at zero"`, and which variance
        parameters were held fixed at their boundary (singular fits). `df` is the harmonic mean of the terms'
        degrees of freedom, weighted by their shares of the variance. Averages of a weighted fit are weighted
        like it, `sum_i w_i mu(x_i) / sum_i w_i`, and `weighted_by` names the column; `N_rows` counts rows.

    Raises
    ------
    SpecError
        A column of `at` is not in the model, or weights its rows; absorbed effects; the fit has no rows
        (after `from_dict`) and no data are given; `random="integrated"` with other standard errors than the
        model's.
    FormulaError
        The data lack columns.
    DesignError
        No complete row, a level that the fit has not seen, or weights that are not above 0.

    Notes
    -----
    An average prediction at set values describes the fitted model. It is not what would happen if somebody
    set that value, unless the design identifies this.

    References
    ----------
    Lane & Nelder (1982), Biometrics 38, 613-621.

    Examples
    --------
    >>> data = pd.DataFrame({"job": [0, 1, 0, 1, 1, 0], "belief": [1, 5, 2, 4, 2, 3]})
    >>> from jobchance.models.glm import fit_glm
    >>> fit = fit_glm("job ~ belief", data, family="binomial", link="identity", vcov="model")
    >>> predictions(fit, at={"belief": [1, 5]})["estimate"].round(3).tolist()
    [0.077, 1.0]
    """
    question = ask(fit, random)
    if fit.spec.get("absorbed"):
        raise SpecError("This fit has absorbed effects, so it knows no level; comparisons() needs none.")
    unit = _scale(fit, scale)
    critical_value(np.inf, level)
    frame = rows_of(fit, data)
    groups = [by] if isinstance(by, str) else list(by or ())
    if is_ordinal(fit) and "level" in (*groups, *(at or ())):
        raise SpecError("The column level of the result names the outcome's levels: rename that of the data.")
    require_columns(groups, frame)
    mask = complete(question, frame) & frame[groups].notna().all(axis=1).to_numpy(dtype=bool)
    frame = frame.loc[mask]
    records = []
    for setting in _settings(at or {}):
        changed = frame
        for variable, value in setting.items():
            changed = with_value(changed, check_variable("at", variable, question), value)
        rowwise = predict_rows(question, changed)
        made = _averages(question, rowwise, frame, groups, unit=unit, level=level)
        records += [setting | record for record in made]
    return pd.DataFrame(records)


def _scale(fit: Fit, scale: str | None) -> str:
    """The scale asked for; only an ordinal fit has two."""
    if not is_ordinal(fit):
        if scale is not None:
            raise SpecError(f"scale= is for ordinal fits; this one is {fit.model}, which has one scale.")
        return "outcome"
    return check_option("scale", scale or "probability", ("probability", "outcome"))


def _settings(at: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All combinations of the values of `at`."""
    many = (list, tuple, range, np.ndarray, pd.Series)
    values = [list(value) if isinstance(value, many) else [value] for value in at.values()]
    if any(not v for v in values) or np.prod([len(v) for v in values], dtype=float) > MAX_CELLS:
        raise SpecError(f"at= needs from 1 to {MAX_CELLS} combinations of values.")
    return [dict(zip(at, cell, strict=True)) for cell in product(*values)]


def _averages(
    question: Question,
    rowwise: Rowwise,
    frame: pd.DataFrame,
    groups: Sequence[str],
    *,
    unit: str,
    level: float,
) -> list[dict[str, Any]]:
    """One record per group (and level of an ordinal outcome): average, standard error, interval, rows."""
    codes = np.zeros(len(frame), dtype=np.int64)
    if groups:
        codes, _ = group_codes(groups, frame)
    names = quantities(question, unit)[0]
    records = []
    for code in np.unique(codes):
        mine = codes == code
        first = frame.iloc[int(np.flatnonzero(mine)[0])]
        made = shown(question, unit, average(question, rowwise, mine))
        for name, estimate, gradient in zip(names, made.values, made.gradient, strict=True):
            error, df = standard_error(question, gradient), degrees_of_freedom(question, gradient)
            reach = critical_value(df, level) * error
            records.append(
                {group: first[group] for group in groups}
                | ({} if name is None else {"level": name})
                | {"estimate": float(estimate), "std_error": error, "df": df}
                | {"conf_low": estimate - reach, "conf_high": estimate + reach, "N_rows": int(mine.sum())}
                | question.labels
            )
    return records
