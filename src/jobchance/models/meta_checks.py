"""How far a meta-analysis hangs on single studies, and on studies that may be missing."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from jobchance.errors import DesignError, SpecError
from jobchance.models.meta import meta_analysis
from jobchance.numerics.meta import Floats, estimate_tau2, trim_and_fill, weighted
from jobchance.results.fit import Fit


def fill_missing_studies(fit: Fit) -> Fit:
    """Trim-and-fill: add the mirror images of studies that seem to be missing, and fit again.

    The number is estimated by L0 (Duval & Tweedie 2000), the side by the sign of the regression on the
    standard error; `statistics` of the new fit also holds `n_filled`, and its spec `side`. A sensitivity
    analysis: heterogeneity that follows the size of studies looks the same as missing studies.

    Raises
    ------
    SpecError
        The fit has moderators, or no rows.
    DesignError
        Fewer than three studies, or all variances are equal.
    """
    y, v, X = _material(fit, "fill_missing_studies")
    if X.shape[1] != 1:
        raise SpecError("fill_missing_studies needs a meta-analysis without moderators.")
    if len(y) < 3 or float(np.ptp(v)) == 0:
        raise DesignError(
            "fill_missing_studies needs at least three studies with different variances: otherwise large and "
            "small studies, and so the side where some may be missing, cannot be told apart."
        )
    n_filled, side, filled_y, filled_v = trim_and_fill(y, v, method=str(fit.spec["method"]))
    made = meta_analysis(
        filled_y, filled_v, method=str(fit.spec["method"]), knapp_hartung=bool(fit.spec["knapp_hartung"])
    )
    note = f"{n_filled} mirror images of studies were added on the {side} (L0); no data stand behind them."
    return replace(
        made,
        statistics=dict(made.statistics) | {"n_filled": float(n_filled)},
        spec=dict(made.spec) | {"side": side},
        remarks=(*made.remarks, note),
    )


def leave_one_study_out(fit: Fit) -> pd.DataFrame:
    """Fit without each study in turn: `study estimate std_error tau2 Q cook_distance`.

    `estimate` and `std_error` are those of the first coefficient, Q is that of tau2 = 0, and
    `cook_distance` is the shift of all coefficients in the metric of the full fit's covariance.

    Raises
    ------
    SpecError
        The fit has no rows.
    DesignError
        Too few studies remain.
    """
    y, v, X = _material(fit, "leave_one_study_out")
    if len(y) - 1 <= X.shape[1]:
        raise DesignError("Too few studies remain when one is left out.")
    rows = fit.need_rows("leave_one_study_out")
    precision = np.linalg.inv(fit.covariance)
    records = []
    for i in range(len(y)):
        keep = np.arange(len(y)) != i
        tau2, _ = estimate_tau2(y[keep], v[keep], X[keep], method=str(fit.spec["method"]))
        at = weighted(y[keep], v[keep], X[keep], tau2)
        shift = fit.estimates - at.beta
        records.append(
            {
                "study": rows.frame.index[rows.used[i]],
                "estimate": at.beta[0],
                "std_error": math.sqrt(at.cov[0, 0]),
                "tau2": tau2,
                "Q": weighted(y[keep], v[keep], X[keep], 0.0).rss,
                "cook_distance": float(shift @ precision @ shift),
            }
        )
    return pd.DataFrame(records)


def _material(fit: Fit, what: str) -> tuple[Floats, Floats, Floats]:
    """Estimates, variances and design of the studies used."""
    rows = fit.need_rows(what)
    if "knapp_hartung" not in fit.spec or fit.predictor is None:
        raise SpecError(f"{what} needs a fit made by meta_analysis.")
    used = rows.frame.iloc[rows.used]
    return rows.outcome, used["variance"].to_numpy(dtype=float), fit.predictor.matrix(used)
