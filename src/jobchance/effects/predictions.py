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
    Rowwise,
    check_variable,
    complete,
    critical_value,
    degrees_of_freedom,
    layout_of,
    predict_rows,
    rows_of,
    standard_error,
    with_value,
)
from jobchance.errors import SpecError
from jobchance.results.fit import Fit

MAX_CELLS = 10_000


def predictions(
    fit: Fit,
    *,
    data: pd.DataFrame | None = None,
    at: Mapping[str, Any] | None = None,
    by: str | Sequence[str] | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Average predictions on the scale of the outcome (a share, for a 0/1 outcome).

    Every row is predicted and the predictions are averaged: `mean_i mu(x_i)`. With `at`, the columns named
    are first set to the values given in *all* rows (Stata's `margins, at()`); with `by`, averages are taken
    within groups of rows as they are. Standard errors are those of the delta method from the fit's
    covariance; the rows are taken as given.

    Parameters
    ----------
    fit : Fit
        A fit that holds its design, without absorbed effects.
    data : DataFrame or None
        Rows to average over; `None` is the rows used in the fit. Incomplete rows are left out.
    at : mapping of str to value or sequence of values, or None
        Values to set, all combinations of them: `{"belief": [1, 2, 3, 4, 5]}`.
    by : str, sequence of str or None
        Columns of the data that form groups; rows with a missing group are left out.
    level : float
        Confidence level; intervals are symmetric and may reach outside 0 to 1.

    Returns
    -------
    DataFrame
        Columns of `at` and `by`, then `estimate std_error df conf_low conf_high N_rows`.

    Raises
    ------
    SpecError
        A column of `at` is not in the model; absorbed effects; random effects behind a curved link; the fit
        has no rows (after `from_dict`) and no data are given.
    DesignError
        No complete row, or a level that the fit has not seen.

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
    layout = layout_of(fit)
    if fit.spec.get("absorbed"):
        raise SpecError("This fit has absorbed effects, so it knows no level; comparisons() needs none.")
    reach = critical_value(degrees_of_freedom(fit), level)
    frame = rows_of(fit, data)
    groups = [by] if isinstance(by, str) else list(by or ())
    require_columns(groups, frame)
    mask = complete(layout, frame) & frame[groups].notna().all(axis=1).to_numpy(dtype=bool)
    frame = frame.loc[mask]
    records = []
    for setting in _settings(at or {}, layout.used_columns):
        changed = frame
        for variable, value in setting.items():
            changed = with_value(changed, check_variable("at", variable, layout), value)
        rowwise = predict_rows(fit, layout, changed)
        records += [setting | record for record in _averages(fit, rowwise, frame, groups, reach)]
    return pd.DataFrame(records)


def _settings(at: Mapping[str, Any], known: Sequence[str]) -> list[dict[str, Any]]:
    """All combinations of the values of `at`."""
    many = (list, tuple, range, np.ndarray, pd.Series)
    values = [list(value) if isinstance(value, many) else [value] for value in at.values()]
    if any(not v for v in values) or np.prod([len(v) for v in values], dtype=float) > MAX_CELLS:
        raise SpecError(f"at= needs from 1 to {MAX_CELLS} combinations of values.")
    return [dict(zip(at, cell, strict=True)) for cell in product(*values)]


def _averages(
    fit: Fit, rowwise: Rowwise, frame: pd.DataFrame, groups: Sequence[str], reach: float
) -> list[dict[str, Any]]:
    """One record per group: average, standard error, interval, rows."""
    codes = np.zeros(len(frame), dtype=np.int64)
    if groups:
        codes, _ = group_codes(groups, frame)
    records = []
    for code in np.unique(codes):
        mine = codes == code
        estimate = float(rowwise.mu[mine].mean())
        error = standard_error(fit, rowwise.gradient[mine].mean(axis=0))
        first = frame.iloc[int(np.flatnonzero(mine)[0])]
        records.append(
            {group: first[group] for group in groups}
            | {
                "estimate": estimate,
                "std_error": error,
                "df": degrees_of_freedom(fit),
                "conf_low": estimate - reach * error,
                "conf_high": estimate + reach * error,
                "N_rows": int(mine.sum()),
            }
        )
    return records
