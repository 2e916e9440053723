"""The estimates of F90: the outcome at high against low beliefs, by how those lost are treated."""

from __future__ import annotations

from functools import partial

import pandas as pd

from jobchance.findings.context import cluster_column, counts
from jobchance.models.glm import fit_glm
from jobchance.panel.model import AnalysisPanel
from jobchance.results.fit import Fit
from jobchance.results.vcov import Cluster
from jobchance.sensitivity.attrition_fit import weighted_fit
from jobchance.sensitivity.attrition_weights import attrition_weights
from jobchance.sensitivity.bounds import manski_bounds
from jobchance.sensitivity.delta import delta_adjustment
from jobchance.sensitivity.imputation import multiple_imputation

METHODS = ("unweighted", "weighted", "imputed", "delta_down", "delta_up", "bounds")
DELTA = 10.0  # percentage points
_FORMULA = "outcome ~ high"
_AIDS = ("citizen_belief", "citizen_score", "relation_weeks", "wave")


def estimate_record(
    method: str,
    panel: AnalysisPanel,
    *,
    low: tuple[float, ...],
    high: tuple[float, ...],
    imputations: int,
    seed: int,
) -> tuple[dict[str, float], tuple[int, int]]:
    """Estimate or bounds of one method with interval; numbers of citizens and of events.

    The panel has a column `high`: 1 for high, 0 for low beliefs, missing otherwise.
    """
    both = panel.frame.dropna(subset=["high"])
    known = both.dropna(subset=["outcome"])
    cluster = Cluster(cluster_column(panel.frame) or "citizen_id")
    if method == "unweighted":
        return _point(fit_glm(_FORMULA, known, family="gaussian", vcov=cluster)), _sample(known)
    if method == "weighted":
        return _point(weighted_fit(_FORMULA, attrition_weights(panel), vcov=cluster)), _sample(known)
    if method == "imputed":
        fit = multiple_imputation(
            panel,
            partial(_grouped_fit, low=low, high=high, cluster=cluster),
            impute=["belief"],
            outcome="outcome",
            using=[c for c in _AIDS if c in panel.frame and panel.frame[c].notna().any()],
            imputations=imputations,
            seed=seed,
        )
        return _point(fit), _sample(panel.frame.dropna(subset=["outcome"]))
    if method == "bounds":
        fit = manski_bounds(both["outcome"], both["high"], cluster=both[cluster.columns[0]])
        ends = {"lower": float(fit.params["lower"]), "upper": float(fit.params["upper"])}
        return ends | {name: fit.statistics[name] for name in ("conf_low", "conf_high")}, _sample(both)
    delta = -DELTA if method == "delta_down" else DELTA
    made = delta_adjustment(
        both,
        _FORMULA,
        term="high",
        deltas=[delta],
        only=both["high"] == 1,
        vcov=cluster,
        imputations=imputations,
        seed=seed,
    )
    row = made.frame[made.frame["delta"] != 0].to_dict("records")[0]
    return {name: float(row[name]) for name in ("estimate", "conf_low", "conf_high")}, _sample(both)


def _point(fit: Fit) -> dict[str, float]:
    """The coefficient of `high` with its interval."""
    interval = fit.conf_int().loc[["high"]].to_dict("records")[0]
    ends = {name: float(interval[name]) for name in ("conf_low", "conf_high")}
    return {"estimate": float(fit.params["high"])} | ends


def _sample(rows: pd.DataFrame) -> tuple[int, int]:
    """Citizens, and citizens with the event."""
    found = counts(rows, outcome="outcome")
    return found["N_citizens"], found["N_events"]


def _grouped_fit(
    completed: pd.DataFrame, *, low: tuple[float, ...], high: tuple[float, ...], cluster: Cluster
) -> Fit:
    """The regression on a completed data set, groups made from its beliefs."""
    group = completed["belief"].map(dict.fromkeys(low, 0.0) | dict.fromkeys(high, 1.0))
    rows = completed.assign(high=group).dropna(subset=["high"])
    return fit_glm(_FORMULA, rows, family="gaussian", vcov=cluster)
