"""Rung: a change of caseworker, to a more or a less optimistic one, for reasons outside the case."""

from __future__ import annotations

import numpy as np

from jobchance.identification.cards import Assumption, Card, read_checks
from jobchance.identification.rungs.model import Ground, Rung, line_of
from jobchance.identification.switch_movers import mover_contrast


def shift(ground: Ground) -> Rung:
    """The contrast of movers; the citizen's own score joins the covariates of the balance test."""
    fit = mover_contrast(ground.panel, covariates=ground.covariates, thresholds=ground.thresholds)
    behind = fit.need_rows("The ladder")
    rows = behind.frame.iloc[np.asarray(behind.used)]
    line = line_of(fit, "optimism_change", rows=rows, unit="pp per sd of optimism", population="switchers")
    checks = read_checks(fit.diagnostics["checks"])
    card = Card("shift", "dispositional_movers", (*checks, Assumption("no_interference", "stated")))
    return Rung(card, line, {"movers": fit})
