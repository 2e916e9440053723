"""`comparisons`: average differences between predictions at two values of one variable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.design.columns import Floats, is_categorical, level_codes, level_text, numeric_values
from jobchance.effects.averages import (
    Question,
    Random,
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
from jobchance.effects.weighting import mean
from jobchance.errors import SpecError
from jobchance.options import check_option
from jobchance.results.fit import Fit
from jobchance.results.prediction import is_ordinal, link_name

MEASURES = {
    "probability": "average difference in probability",
    "outcome": "average difference",
    "odds_ratio": "odds ratio",
}
COLUMNS = [
    "measure",
    "variable",
    "contrast",
    "estimate",
    "std_error",
    "statistic",
    "df",
    "p_value",
    "conf_low",
    "conf_high",
    "estimate_pp",
    "conf_low_pp",
    "conf_high_pp",
    "baseline",
    "compared",
    "relative_change",
    "relative_low",
    "relative_high",
    "odds_ratio",
    "odds_ratio_low",
    "odds_ratio_high",
    "N_rows",
]


@dataclass(frozen=True, eq=False)
class _Pair:
    """Averages of one quantity at two values, and what the delta method needs to compare them."""

    level: str | None
    low: float
    high: float
    low_gradient: Floats
    high_gradient: Floats
    log_odds: float
    log_odds_gradient: Floats


def comparisons(
    fit: Fit,
    variable: str,
    *,
    data: pd.DataFrame | None = None,
    contrast: float | tuple[Any, Any] | None = None,
    scale: str | None = None,
    level: float = 0.95,
    random: Random = "integrated",
) -> pd.DataFrame:
    """Average difference in the prediction between two values of `variable`, other columns as they are.

    Each row is predicted twice, at both values, and the differences are averaged:
    `mean_i [mu(x_i, high) - mu(x_i, low)]`: an exact difference, not a derivative. Standard errors by the
    delta method from the fit's covariance (clustered, if the fit is); the rows are taken as given. Random
    effects behind a curved link are integrated over (see `predictions`), so that a difference in percentage
    points is one in a population; the delta method then runs over coefficients, thresholds and variances.

    Parameters
    ----------
    fit : Fit
        A fit that holds its design.
    variable : str
        A column of the fit's formula.
    data : DataFrame or None
        Rows to average over; `None` is the rows used in the fit. Incomplete rows are left out. If the fit is
        weighted (`fit_glm(weights=)`), they must have the column of its weights.
    contrast : number, pair or None
        `None`: a numeric column from its value to one more, or from 0 to 1 if it has no other values; a
        categorical one from its reference level to each other level. A number: from the value to that much
        more. A pair `(low, high)`: from the first to the second value in all rows.
    scale : {"probability", "outcome", "odds_ratio"} or None
        What `estimate` is. `None`: `"probability"` for a binomial fit and, level by level, for an ordinal
        one, else `"outcome"`; an ordinal outcome's is its expected score. The odds ratio is `exp(mean_i
        [eta_i(high) - eta_i(low)])`, for logit fits; without interactions it is the same for all rows. With
        random effects it holds between rows of the same person and caseworker; ordinal: it is that of a
        higher answer.
    level : float
        Confidence level.
    random : {"integrated", False}
        Random effects integrated over (default) or at zero. Without random effects, and in linear models,
        both are the same.

    Returns
    -------
    DataFrame
        One row per contrast. `estimate` with `std_error statistic df p_value conf_low conf_high` (for odds
        ratios the test is on the log scale); `estimate_pp` and its interval in percentage points (binomial
        fits on the probability scale); `baseline` and `compared`, the two average predictions;
        `relative_change` = compared / baseline - 1 with its interval (where both are positive);
        `odds_ratio` with its interval (logit fits); `N_rows`. Ordinal fits on the probability scale have a
        row per `level`. Behind a curved link `random_effects` says how they were treated, and which variance
        parameters were held fixed at their boundary. `df` is the harmonic mean of the terms' degrees of
        freedom, weighted by their shares of the variance. Averages of a weighted fit are weighted like it,
        `sum_i w_i [...] / sum_i w_i`, and `weighted_by` names the column; `N_rows` counts rows.

    Raises
    ------
    SpecError
        The variable is not in the model, or weights its rows; the contrast or scale does not fit it; the fit
        has no rows and no data are given; `random="integrated"` with other standard errors than the model's.
    FormulaError
        The data lack columns.
    DesignError
        No complete row, a level that the fit has not seen, or weights that are not above 0.

    Notes
    -----
    An average difference describes the fitted model: an association, unless the design identifies more.

    References
    ----------
    Gelman & Pardoe (2007), Sociological Methodology 37, 23-51; Lane & Nelder (1982), Biometrics 38.

    Examples
    --------
    >>> data = pd.DataFrame({"job": [0, 1, 0, 1, 1, 0], "belief": [1, 5, 2, 4, 2, 3]})
    >>> from jobchance.models.glm import fit_glm
    >>> fit = fit_glm("job ~ belief", data, family="binomial", link="identity", vcov="model")
    >>> comparisons(fit, "belief")[["contrast", "estimate_pp"]].round(1).values.tolist()
    [['+1', 23.1]]
    """
    question = ask(fit, random)
    check_variable("variable", variable, question)
    measure = _scale(fit, scale)
    critical_value(np.inf, level)
    frame = rows_of(fit, data)
    frame = frame.loc[complete(question, frame)]
    records = []
    for label, low, high in _contrasts(question, frame, variable, contrast):
        for pair in _compare(question, low, high, measure):
            record = {"variable": variable, "contrast": label, "N_rows": len(frame), "level": pair.level}
            records.append(record | question.labels | _record(question, pair, measure, level))
    return pd.DataFrame(records, columns=_columns(question, measure))


def _columns(question: Question, measure: str) -> list[str]:
    """`COLUMNS`, with the outcome's level, the treatment of random effects and weights where these matter."""
    made = list(COLUMNS)
    if is_ordinal(question.fit) and measure == "probability":
        made.insert(made.index("contrast") + 1, "level")
    return [*made, *question.labels]


def _scale(fit: Fit, scale: str | None) -> str:
    """The scale asked for, checked against the fit."""
    binomial = fit.spec.get("family") in ("binomial", "ordinal")
    chosen = check_option("scale", scale or ("probability" if binomial else "outcome"), MEASURES)
    if chosen == "probability" and not binomial:
        raise SpecError(f'scale="probability" needs a binomial or ordinal fit; this one is {fit.model}.')
    if chosen == "odds_ratio" and link_name(fit) != "logit":
        raise SpecError(f'scale="odds_ratio" needs a logit fit; this one is {fit.model}.')
    return chosen


def _contrasts(
    question: Question, frame: pd.DataFrame, variable: str, contrast: object
) -> list[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Label, and the data at the low and at the high value, of each contrast."""
    if isinstance(contrast, tuple | list):
        if len(contrast) != 2:
            raise SpecError(f"contrast= has {len(contrast)} values; a pair (low, high) has 2.")
        pairs = [(contrast[0], contrast[1])]
    elif _is_coded(question, frame, variable):
        if contrast is not None:
            raise SpecError(f"{variable} is categorical: contrast= is None or a pair of its levels.")
        levels = question.layout.categorical_levels(variable) or level_codes(frame, variable)[1]
        pairs = [(levels[0], other) for other in levels[1:]]
    elif contrast is None and set(np.unique(numeric_values(frame, variable))) <= {0.0, 1.0}:
        pairs = [(0, 1)]
    else:
        return [_step(frame, variable, contrast)]
    return [_swap(frame, variable, low, high) for low, high in pairs]


def _swap(
    frame: pd.DataFrame, variable: str, low: object, high: object
) -> tuple[str, pd.DataFrame, pd.DataFrame]:
    """From one value in all rows to another."""
    label = f"{level_text(high)} vs {level_text(low)}"
    return label, with_value(frame, variable, low), with_value(frame, variable, high)


def _is_coded(question: Question, frame: pd.DataFrame, variable: str) -> bool:
    """Whether the fit or the data treat a column as levels."""
    return question.layout.categorical_levels(variable) is not None or is_categorical(frame, variable)


def _step(frame: pd.DataFrame, variable: str, contrast: object) -> tuple[str, pd.DataFrame, pd.DataFrame]:
    """From the value of each row to `contrast` (one) more."""
    step = 1.0 if contrast is None else contrast
    if isinstance(step, bool) or not isinstance(step, int | float | np.number) or not np.isfinite(step):
        raise SpecError(f"contrast= for {variable} is a number (a step), a pair (low, high), or None.")
    more = frame.assign(**{variable: numeric_values(frame, variable) + float(step)})
    return f"{'+' if step >= 0 else ''}{level_text(step)}", frame, more


def _compare(question: Question, low: pd.DataFrame, high: pd.DataFrame, scale: str) -> list[_Pair]:
    """Averages at both values, level by level for an ordinal outcome."""
    a, b = predict_rows(question, low), predict_rows(question, high)
    before, after = (shown(question, scale, average(question, rows)) for rows in (a, b))
    shift = np.zeros(len(question.covariance))
    shift[len(shift) - a.matrix.shape[1] :] = mean(b.matrix - a.matrix, a.weights)
    return [
        _Pair(
            level=name,
            low=float(before.values[i]),
            high=float(after.values[i]),
            low_gradient=before.gradient[i],
            high_gradient=after.gradient[i],
            log_odds=float(mean(b.eta - a.eta, a.weights)),
            log_odds_gradient=shift,
        )
        for i, name in enumerate(quantities(question, scale)[0])
    ]


def _record(question: Question, pair: _Pair, scale: str, level: float) -> dict[str, object]:
    """All numbers of one contrast."""
    fit = question.fit
    change = pair.log_odds_gradient if scale == "odds_ratio" else pair.high_gradient - pair.low_gradient
    df = degrees_of_freedom(question, change)
    reach = critical_value(df, level)
    odds = _odds_ratio(question, pair, level)
    difference = pair.high - pair.low
    error = standard_error(question, pair.high_gradient - pair.low_gradient)
    estimate, low, high = difference, difference - reach * error, difference + reach * error
    statistic = difference / error if error > 0 else np.nan
    if scale == "odds_ratio":
        log_error = standard_error(question, pair.log_odds_gradient)
        estimate, low, high = odds
        error, statistic = estimate * log_error, pair.log_odds / log_error if log_error > 0 else np.nan
    points = 100.0 if scale == "probability" else np.nan
    absolute = not fit.spec.get("absorbed")
    relative = _relative(question, pair, level) if absolute else (np.nan,) * 3
    return {
        "measure": _measure(fit, scale),
        "estimate": estimate,
        "std_error": error,
        "statistic": statistic,
        "df": df,
        "p_value": float(2 * stats.t.sf(abs(statistic), df)),
        "conf_low": low,
        "conf_high": high,
        "estimate_pp": points * estimate,
        "conf_low_pp": points * low,
        "conf_high_pp": points * high,
        "baseline": pair.low if absolute else np.nan,
        "compared": pair.high if absolute else np.nan,
        **dict(zip(("relative_change", "relative_low", "relative_high"), relative, strict=True)),
        **dict(zip(("odds_ratio", "odds_ratio_low", "odds_ratio_high"), odds, strict=True)),
    }


def _measure(fit: Fit, scale: str) -> str:
    """The measure in words."""
    return (
        "average difference in expected score" if is_ordinal(fit) and scale == "outcome" else MEASURES[scale]
    )


def _odds_ratio(question: Question, pair: _Pair, level: float) -> tuple[float, float, float]:
    """Odds ratio and its interval, missing unless the link is logit."""
    if link_name(question.fit) != "logit":
        return np.nan, np.nan, np.nan
    error = standard_error(question, pair.log_odds_gradient)
    reach = critical_value(degrees_of_freedom(question, pair.log_odds_gradient), level)
    low, middle, high = np.exp(pair.log_odds + reach * error * np.array([-1.0, 0.0, 1.0]))
    return float(middle), float(low), float(high)


def _relative(question: Question, pair: _Pair, level: float) -> tuple[float, float, float]:
    """Relative change and its interval from the log of the ratio, missing unless both are positive."""
    if pair.low <= 0 or pair.high <= 0:
        return np.nan, np.nan, np.nan
    log_ratio = np.log(pair.high / pair.low)
    gradient = pair.high_gradient / pair.high - pair.low_gradient / pair.low
    error = standard_error(question, gradient)
    reach = critical_value(degrees_of_freedom(question, gradient), level)
    low, middle, high = np.exp(log_ratio + reach * error * np.array([-1.0, 0.0, 1.0])) - 1
    return float(middle), float(low), float(high)
