"""Rung: how much caseworkers differ, with chance taken out. It says nothing about belief, so it is capped."""

from __future__ import annotations

import numpy as np

from jobchance.identification.cards import SUGGESTIVE, Card, read_checks
from jobchance.identification.rungs.model import Ground, Line, Rung, counts_of
from jobchance.identification.value_added import value_added


def spread(ground: Ground) -> Rung:
    """Standard deviation of caseworkers' effects; zero where the variance is estimated below zero."""
    fit = value_added(
        ground.panel, rows="relationships", covariates=ground.covariates, thresholds=ground.thresholds
    )
    found = fit.statistics
    sd = float(np.nan_to_num(found["sd_pp"], nan=0.0))
    variance_se = float(fit.std_errors.iloc[0])
    line = Line(
        estimate=sd,
        # delta method, which has no meaning at zero
        std_error=100**2 * variance_se / (2 * sd) if sd > 0 else float("nan"),
        df=float(fit.df.iloc[0]),
        unit="pp, sd between caseworkers",
        population="relationships",
        conf_low=float(found["sd_pp_low"]),
        conf_high=float(found["sd_pp_high"]),
        p_value=float(found["p_value"]),
        **counts_of(fit),
    )
    checks = read_checks(fit.diagnostics["checks"])
    return Rung(Card("value_added", "spread", checks, ceiling=SUGGESTIVE), line, {"value_added": fit})
