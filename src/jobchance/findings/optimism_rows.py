"""The rows behind the figures on caseworker optimism: outcome and optimism known, with cell and unit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from jobchance.errors import DesignError, EstimationError
from jobchance.models.glm import fit_glm
from jobchance.panel.model import AnalysisPanel
from jobchance.results.vcov import Cluster

MIN_CASEWORKERS = 9  # three in each third


class Slope(NamedTuple):
    """Change in a column per standard deviation of optimism, with 95 per cent limits and p-value."""

    estimate: float
    conf_low: float
    conf_high: float
    p_value: float


def optimism_rows(panel: AnalysisPanel) -> pd.DataFrame:
    """All at-risk rows with outcome and optimism, with two more columns.

    `cell` is jobcentre x period as text (an unknown jobcentre is a cell of its own in each period), and
    `optimism_sd` is optimism in standard deviations over these rows, with mean 0.
    """
    rows = panel.frame.dropna(subset=["outcome", "optimism"])
    optimism = rows["optimism"].astype(float)
    jobcentre = rows["jobcentre_id"].astype(object).where(rows["jobcentre_id"].notna(), "unknown")
    return rows.assign(
        cell=jobcentre.astype(str) + " " + rows["period"].astype(str),
        optimism_sd=(optimism - optimism.mean()) / optimism.std(),
    )


def optimism_needs(panel: AnalysisPanel | None) -> tuple[str, ...]:
    """What is missing for any figure on optimism: outcomes, optimism, enough caseworkers; `()` if nothing."""
    if panel is None or not panel.frame["outcome"].notna().any():
        return ("need.outcome",)
    rows = optimism_rows(panel)
    if rows.empty or not rows["optimism"].std() > 0:
        return ("need.optimism",)
    return () if rows["caseworker_id"].nunique() >= MIN_CASEWORKERS else ("need.nine_caseworkers",)


def cell_slope(column: str, rows: pd.DataFrame) -> Slope:
    """Least squares of `column` on optimism with an indicator for each cell, clustered by caseworker.

    All NaN where the rows cannot carry it: the column does not vary, optimism does not vary within cells, or
    there are hardly more rows than cells.
    """
    try:
        fit = fit_glm(
            f"{column} ~ optimism_sd + C(cell)", rows, family="gaussian", vcov=Cluster("caseworker_id")
        )
    except (DesignError, EstimationError):
        return Slope(np.nan, np.nan, np.nan, np.nan)
    terms = fit.tidy()
    found = terms[terms["term"] == "optimism_sd"]
    if found.empty:  # the cells determine it
        return Slope(np.nan, np.nan, np.nan, np.nan)
    return Slope(*(float(found[name].iloc[0]) for name in Slope._fields))
