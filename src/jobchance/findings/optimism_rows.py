"""The rows behind the figures on caseworker optimism: outcome and optimism known, with cell and unit."""

from __future__ import annotations

import pandas as pd

from jobchance.panel.model import AnalysisPanel

MIN_CASEWORKERS = 9  # three in each third


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
    return () if rows["caseworker_id"].nunique() >= MIN_CASEWORKERS else ("need.caseworkers",)
