"""`hazard_incidence` and `hazard_contrast`: probabilities from a hazard model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.design.columns import is_categorical
from jobchance.errors import SpecError
from jobchance.models.hazard_paths import (
    HazardModel,
    average_curve,
    complete_starts,
    first_rows,
    read_model,
)
from jobchance.options import check_option
from jobchance.results.fit import Fit
from jobchance.results.parts import Floats

STARTS = ("first", "all")


def hazard_incidence(
    fit: Fit,
    rows: pd.DataFrame | None = None,
    *,
    at: Mapping[str, Any] | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    r"""Cumulative incidence of every exit by period: the share that has left by it, in a population.

    .. math:: F_k(t) = \frac1n \sum_i \sum_{s \le t} h_{ik}(s) \prod_{r < s} \{1 - \sum_j h_{ij}(r)\}

    with the covariates of each person's first row held through all periods of the fit. With one exit this is
    1 minus the survivor function. Periods are whole: exits of one period are simultaneous, and no order is
    invented for them.

    Parameters
    ----------
    fit : Fit
        Of `fit_hazard`.
    rows : DataFrame or None
        Person-period rows to average over (their first rows). `None`: the rows of the fit.
    at : mapping or None
        Columns set to a value in all rows: `{"belief": 4}`.
    level : float
        Confidence level.

    Returns
    -------
    DataFrame
        One row per exit and period: `cause period estimate std_error conf_low conf_high N_rows`. Standard
        errors by the delta method from the covariance of the fit (clustered, if the fit is), the rows taken
        as given; intervals are symmetric. Frailty is integrated over.

    Raises
    ------
    SpecError
        Not a fit of `fit_hazard`; a column of `at` that the fit does not read; one cause of several.
    DesignError
        No complete row.

    Examples
    --------
    >>> data = pd.DataFrame({"id": [1, 1, 2, 2, 3, 4, 4], "t": [0, 1, 0, 1, 0, 0, 1]})
    >>> data["event"] = [0, 1, 0, 0, 1, 0, 1]
    >>> from jobchance.models.hazard import fit_hazard
    >>> fit = fit_hazard("event ~ 0", data, link="logit", entity="id", time="t", vcov="model")
    >>> hazard_incidence(fit)["estimate"].round(3).tolist()
    [0.25, 0.75]
    """
    model = _asked(fit, "hazard_incidence")
    z = _critical(level)
    for name in at or {}:
        check_option("at", name, model.layout.used_columns)
    starts = first_rows(model, _rows(fit, rows, "hazard_incidence"))
    n_periods = len(model.periods)
    if not n_periods:
        raise SpecError("hazard_incidence needs the periods of the fit: give time= to fit_hazard.")
    starts = starts.assign(**dict(at or {}), **{str(model.time): model.periods[0]})
    starts = starts.loc[complete_starts(model, starts, n_periods)]
    curve = average_curve(model, starts, n_periods=n_periods, at=range(n_periods), from_first=True)
    records = []
    for k, cause in enumerate(model.causes):
        for t, period in enumerate(model.periods):
            value, error = float(curve.values[t, k]), _error(model, curve.gradient[t, k])
            records.append(
                {"cause": cause, "period": period, "estimate": value, "std_error": error}
                | {"conf_low": value - z * error, "conf_high": value + z * error, "N_rows": len(starts)}
            )
    return pd.DataFrame(records)


def hazard_contrast(
    fit: Fit,
    variable: str,
    rows: pd.DataFrame | None = None,
    *,
    step: float = 1.0,
    horizon_periods: int = 4,
    starts: str = "first",
    level: float = 0.95,
) -> pd.DataFrame:
    r"""Average difference in P(exit within some periods) when `variable` is `step` higher from now on.

    .. math:: \frac1n \sum_i \{P_i(x + step) - P_i(x)\}, \qquad P_i = 1 - \prod_{s < H} \{1 - h_i(s)\}

    (with several exits the cumulative incidence of each). The other covariates stay as in the starting row.

    Parameters
    ----------
    fit : Fit
        Of `fit_hazard`.
    variable : str
        A numeric column of the formula.
    rows : DataFrame or None
        Person-period rows; `None` takes those of the fit.
    step : float
        How much higher.
    horizon_periods : int
        Number of periods H; four quarters are 52 weeks.
    starts : {"first", "all"}
        Paths start at each person's first row, or at every row that leaves room for H periods.
    level : float
        Confidence level.

    Returns
    -------
    DataFrame
        One row per exit: `cause variable step periods estimate std_error statistic p_value conf_low
        conf_high`, the same `_pp` in percentage points, `baseline compared` (the two average probabilities),
        `relative_change relative_low relative_high` (compared / baseline - 1), `N_rows`, and `reading`:
        `"association"`, whatever the model; only a design makes it an effect.

    Raises
    ------
    SpecError
        Not a fit of `fit_hazard`; a variable that the fit does not read, that is the period, or that is not
        numeric; a step of 0; a horizon longer than the fit.
    DesignError
        No complete starting row.

    Notes
    -----
    The rows are taken as given: the standard error (delta method) is that of the coefficients. A caseworker
    who foresees who gets a job has a belief that is associated with the hazard without moving it.

    Examples
    --------
    >>> data = pd.DataFrame({"id": range(8), "quarter": 0, "belief": [1, 1, 1, 1, 2, 2, 2, 2]})
    >>> data["event"] = [0, 0, 0, 1, 0, 0, 1, 1]
    >>> from jobchance.models.hazard import fit_hazard
    >>> fit = fit_hazard("event ~ belief", data, entity="id", baseline="none", vcov="model")
    >>> first = hazard_contrast(fit, "belief", data[data["belief"] == 1], horizon_periods=1).iloc[0]
    >>> round(float(first["estimate"]), 3), first["reading"]
    (0.25, 'association')
    """
    model = _asked(fit, "hazard_contrast")
    z = _critical(level)
    check_option("starts", starts, STARTS)
    check_option("variable", variable, [c for c in model.layout.used_columns if c != model.time])
    _check_step(step, horizon_periods, model)
    given = _rows(fit, rows, "hazard_contrast")
    chosen = first_rows(model, given) if starts == "first" else given
    if is_categorical(chosen, variable):
        raise SpecError(
            f"variable={variable!r} is not numeric, so it has no step; see hazard_incidence(at=)."
        )
    chosen = chosen.loc[complete_starts(model, chosen, horizon_periods)]
    last = [horizon_periods - 1]
    low = average_curve(model, chosen, n_periods=horizon_periods, at=last)
    raised = chosen.assign(**{variable: chosen[variable].astype(float) + step})
    high = average_curve(model, raised, n_periods=horizon_periods, at=last)
    records = []
    for k, cause in enumerate(model.causes):
        base, other = float(low.values[0, k]), float(high.values[0, k])
        gap, error = other - base, _error(model, high.gradient[0, k] - low.gradient[0, k])
        ratio = math.log(other / base)
        spread = _error(model, high.gradient[0, k] / other - low.gradient[0, k] / base)
        test = gap / error if error > 0 else math.nan
        bounds = {
            "estimate": gap,
            "std_error": error,
            "conf_low": gap - z * error,
            "conf_high": gap + z * error,
        }
        records.append(
            {"cause": cause, "variable": variable, "step": step, "periods": horizon_periods}
            | bounds
            | {"statistic": test, "p_value": float(2 * stats.norm.sf(abs(test)))}
            | {f"{name}_pp": 100 * value for name, value in bounds.items()}
            | {"baseline": base, "compared": other, "relative_change": math.expm1(ratio)}
            | {
                "relative_low": math.expm1(ratio - z * spread),
                "relative_high": math.expm1(ratio + z * spread),
            }
            | {"N_rows": len(chosen), "reading": "association"}
        )
    return pd.DataFrame(records)


def _asked(fit: Fit, what: str) -> HazardModel:
    """The model of a fit, refused where its hazards are only some of those that end the time at risk."""
    model = read_model(fit, what)
    if fit.spec["hazard"]["one_of_several"]:
        raise SpecError(
            f"{what}: the fit has the hazard of {model.causes[0]} alone, and its probability depends on the "
            "hazards of the other exits too. Fit all of them: fit_hazard without cause=."
        )
    return model


def _rows(fit: Fit, rows: pd.DataFrame | None, what: str) -> pd.DataFrame:
    """The rows given, or those of the fit."""
    if rows is not None:
        return rows
    behind = fit.need_rows(f"{what} without rows")
    return behind.frame.iloc[behind.used]


def _check_step(step: float, horizon_periods: int, model: HazardModel) -> None:
    """Refuse a step of zero and a horizon that the fit does not reach."""
    if not isinstance(step, int | float | np.number) or not math.isfinite(step) or step == 0:
        raise SpecError(f"step={step!r} must be a number other than 0.")
    whole = isinstance(horizon_periods, int | np.integer) and not isinstance(horizon_periods, bool)
    longest = len(model.periods) or 10_000
    if not whole or not 1 <= horizon_periods <= longest:
        raise SpecError(f"horizon_periods={horizon_periods!r} must be a whole number from 1 to {longest}.")


def _critical(level: float) -> float:
    """Half-width of an interval in standard errors."""
    if not isinstance(level, int | float | np.number) or not 0 < level < 1:
        raise SpecError(f"level={level!r} must lie between 0 and 1, such as 0.95.")
    return float(stats.norm.ppf((1 + level) / 2))


def _error(model: HazardModel, gradient: Floats) -> float:
    """Delta method."""
    variance = float(gradient @ model.covariance @ gradient)
    return math.sqrt(variance) if variance >= 0 else math.nan
