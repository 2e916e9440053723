"""Rungs: the caseworker's optimism about other citizens, and the answer that it moves."""

from __future__ import annotations

import numpy as np

from jobchance.identification.cards import Card, read_checks
from jobchance.identification.leniency import fit_leniency
from jobchance.identification.rungs.model import Ground, Rung, line_of
from jobchance.results.fit import Fit


def reduced_form(ground: Ground) -> Rung:
    """The outcome on the disposition of the caseworker, within jobcentre and period."""
    fit = _fitted(ground, "reduced_form")
    return _rung(ground, fit, "leniency", "dispositional", "pp per sd of optimism", {"reduced_form": fit})


def instrumental(ground: Ground) -> Rung:
    """The answer about this citizen, instrumented by optimism about others; LIML and UJIVE stand beside."""
    fits = {method: _fitted(ground, method) for method in ("2sls", "ujive")}
    return _rung(ground, fits["2sls"], "leniency_iv", "case_level_iv", "pp per step of the answer", fits)


def _fitted(ground: Ground, method: str) -> Fit:
    return fit_leniency(
        ground.panel,
        outcome="outcome",
        method=method,
        covariates=ground.covariates,
        thresholds=ground.thresholds,
    )


def _rung(ground: Ground, fit: Fit, name: str, estimand: str, unit: str, fits: dict[str, Fit]) -> Rung:
    behind = fit.need_rows("The ladder")
    rows = behind.frame.iloc[np.asarray(behind.used)]
    line = line_of(fit, fit.terms[0], rows=rows, unit=unit, population="relationships")
    return Rung(Card(name, estimand, read_checks(fit.diagnostics["checks"])), line, fits)
