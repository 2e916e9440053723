"""Frames to draw a meta-analysis from: its studies with their weights, and the fitted line of a moderator."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.errors import SpecError
from jobchance.results.fit import Fit
from jobchance.results.parts import Floats


def study_table(fit: Fit, *, level: float = 0.95) -> pd.DataFrame:
    """Studies used: `study estimate std_error conf_low conf_high weight`, then the moderators.

    Intervals are those of each study alone (normal); weights 1/(v_i + tau2) add up to one.

    Raises
    ------
    SpecError
        The fit was not made by `meta_analysis`, or has no rows.
    """
    _require_meta(fit, "study_table")
    rows = fit.need_rows("study_table")
    used = rows.frame.iloc[rows.used]
    spread = np.sqrt(used["variance"])
    reach = stats.norm.ppf((1 + level) / 2) * spread
    weight = 1 / (used["variance"] + fit.statistics["tau2"])
    table = pd.DataFrame(
        {
            "study": used.index.astype(str),
            "estimate": used["estimate"].to_numpy(),
            "std_error": spread.to_numpy(),
            "conf_low": (used["estimate"] - reach).to_numpy(),
            "conf_high": (used["estimate"] + reach).to_numpy(),
            "weight": (weight / weight.sum()).to_numpy(),
        }
    )
    moderators = used.drop(columns=["estimate", "variance"]).reset_index(drop=True)
    return pd.concat([table, moderators], axis=1)


def fitted_line(fit: Fit, values: Floats, *, level: float = 0.95) -> pd.DataFrame:
    """Mean effect at values of the single moderator, with intervals: `value estimate conf_low conf_high`.

    Raises
    ------
    SpecError
        The fit does not have exactly one numeric moderator.
    """
    _require_meta(fit, "fitted_line")
    if len(fit.terms) != 2 or fit.predictor is None:
        raise SpecError("fitted_line needs a meta-regression on one numeric moderator.")
    X = np.column_stack([np.ones(len(values)), values])
    mean = X @ fit.estimates
    spread = np.sqrt(np.sum(X @ fit.covariance * X, axis=1))
    reach = stats.t.ppf((1 + level) / 2, fit.df.iloc[0]) * spread
    return pd.DataFrame(
        {"value": values, "estimate": mean, "conf_low": mean - reach, "conf_high": mean + reach}
    )


def _require_meta(fit: Fit, what: str) -> None:
    if "knapp_hartung" not in fit.spec:
        raise SpecError(f"{what} needs a fit made by meta_analysis.")
