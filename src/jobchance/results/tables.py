"""The frames of a fit: `tidy`, `glance`, `augment`, random effects; the same columns for every estimator."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from jobchance.errors import SpecError
from jobchance.results import prediction
from jobchance.results.parts import RandomPart
from jobchance.results.variance import components, group_names, n_random_parameters

if TYPE_CHECKING:
    from jobchance.results.fit import Fit

TIDY_COLUMNS = [
    "model",
    "effect",
    "group",
    "level",
    "term",
    "estimate",
    "std_error",
    "statistic",
    "df",
    "p_value",
    "conf_low",
    "conf_high",
]
GLANCE_COLUMNS = [
    "model",
    "outcome",
    "nobs",
    "df_resid",
    "loglik",
    "criterion",
    "aic",
    "bic",
    "r2",
    "sigma",
    "icc",
    "tau2",
    "vcov",
    "n_clusters",
    "n_dropped",
    "n_singletons",
    "converged",
    "is_singular",
]


def tidy(fit: Fit, *, level: float) -> pd.DataFrame:
    """One row per coefficient and variance component; see `Fit.tidy`."""
    interval = fit.conf_int(level)
    fixed = pd.DataFrame(
        {
            "model": fit.model,
            "effect": "fixed",
            "group": None,
            "level": None,
            "term": list(fit.terms),
            "estimate": fit.params.to_numpy(),
            "std_error": fit.std_errors.to_numpy(),
            "statistic": fit.statistic.to_numpy(),
            "df": fit.df.to_numpy(),
            "p_value": fit.pvalues.to_numpy(),
            "conf_low": interval["conf_low"].to_numpy(),
            "conf_high": interval["conf_high"].to_numpy(),
        }
    )
    rows = fixed.to_dict("records") + _variance_rows(fit, level)
    frame = pd.DataFrame(rows, columns=TIDY_COLUMNS)
    numbers = TIDY_COLUMNS[5:]
    return frame.astype(dict.fromkeys(numbers, "float64") | dict.fromkeys(TIDY_COLUMNS[:5], "object"))


def _variance_rows(fit: Fit, level: float) -> list[dict[str, object]]:
    """Standard deviations and correlations of random effects as tidy rows."""
    rows: list[dict[str, object]] = []
    for part in components(fit):
        low, high = part.interval(level)
        rows.append(
            {
                "model": fit.model,
                "effect": "variance",
                "group": part.group,
                "term": f"{part.kind}__{part.term}",
                "estimate": part.estimate,
                "std_error": part.std_error,
                "conf_low": low,
                "conf_high": high,
            }
        )
    return rows


def glance(fit: Fit) -> pd.DataFrame:
    """One row about the whole fit; see `Fit.glance`.

    `aic` and `bic` count coefficients, variances, correlations and `n_scale`; they are missing without a
    likelihood, and for REML fits they compare only models with the same coefficients.
    """
    n_params = len(fit.terms) + n_random_parameters(fit) + fit.n_scale
    deviance = None if fit.loglik is None else -2 * fit.loglik
    values = {
        "model": fit.model,
        "outcome": fit.outcome,
        "nobs": fit.nobs,
        "df_resid": fit.statistics.get("df_resid"),
        "loglik": fit.loglik,
        "criterion": fit.criterion,
        "aic": None if deviance is None else deviance + 2 * n_params,
        "bic": None if deviance is None else deviance + math.log(fit.nobs) * n_params,
        "r2": fit.statistics.get("r2"),
        "sigma": fit.statistics.get("sigma"),
        "icc": fit.statistics.get("icc"),
        "tau2": fit.statistics.get("tau2"),
        "vcov": fit.inference.label,
        "n_clusters": min(fit.inference.clusters.values(), default=None),
        "n_dropped": sum(fit.sample.dropped.values()),
        "n_singletons": fit.sample.n_singletons,
        "converged": fit.converged,
        "is_singular": fit.is_singular,
    }
    frame = pd.DataFrame([values], columns=GLANCE_COLUMNS)
    numbers = [c for c in GLANCE_COLUMNS if c not in ("model", "outcome", "vcov", "converged", "is_singular")]
    return frame.astype(dict.fromkeys(numbers, "float64"))


def augment(fit: Fit) -> pd.DataFrame:
    """Outcome, fitted values and residuals of the rows used; see `Fit.augment`."""
    rows = fit.need_rows("augment")
    outcome, fitted, fixed = rows.outcome, rows.fitted, rows.fitted_fixed
    if fit.spec.get("family") == "ordinal":
        scores = prediction.level_scores(fit)
        outcome = scores[outcome.astype(np.int64)]
        fitted, fixed = (np.asarray(fit.predict(random=random)) @ scores for random in (True, False))
    return pd.DataFrame(
        {"outcome": outcome, "fitted": fitted, "fitted_fixed": fixed, "residual": outcome - fitted},
        index=rows.frame.index[rows.used],
    )


def random_effects(fit: Fit, group: str) -> pd.DataFrame:
    """Conditional modes of one grouping factor; see `Fit.random_effects`."""
    groups = group_names(fit)
    if group not in groups:
        known = ", ".join(groups) if groups else "none, this model has no random effects"
        raise SpecError(f"group={group!r} is not a grouping factor of this fit. Its factors: {known}.")
    parts = [part for part in fit.random if part.group == group]
    if parts:
        return pd.concat([_part_frame(part) for part in parts], ignore_index=True)
    raise SpecError(
        f"The random effects of {group!r} are not stored with this fit, since they name its levels: fit the "
        "model again, or store it with to_dict(random_effects=True) where that is allowed."
    )


def _part_frame(part: RandomPart) -> pd.DataFrame:
    """Conditional modes of one random term."""
    n, q = part.modes.shape
    return pd.DataFrame(
        {
            "group": part.group,
            "level": np.repeat(np.array(part.levels, dtype=object), q),
            "term": np.tile(np.array(part.terms, dtype=object), n),
            "estimate": part.modes.ravel(),
            "std_error": part.mode_sds.ravel(),
        }
    )
