"""Rung: two caseworkers' answers about the same citizen."""

from __future__ import annotations

import numpy as np

from jobchance.identification.cards import Card, read_checks
from jobchance.identification.rungs.model import Ground, Rung, line_of
from jobchance.identification.two_rater import fit_two_rater


def two_raters(ground: Ground) -> Rung:
    """The second caseworker's answer, with what both caseworkers see in the citizen held fixed.

    The citizen's own score is the third measure where the panel has it, else both caseworkers are taken to
    use one scale.
    """
    scored = "citizen_score" in ground.every and ground.every["citizen_score"].notna().any()
    fit = fit_two_rater(ground.panel, proxy="citizen_score" if scored else None, thresholds=ground.thresholds)
    behind = fit.need_rows("The ladder")
    rows = behind.frame.iloc[np.asarray(behind.used)]
    line = line_of(fit, fit.terms[-1], rows=rows, unit="pp per step of the answer", population="two_raters")
    checks = read_checks(fit.diagnostics["checks"])
    return Rung(Card("two_raters", "case_level_two_raters", checks), line, {"two_raters": fit})
