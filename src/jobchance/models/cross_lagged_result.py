"""From the optimum of a cross-lagged model to a `Fit`."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobchance.errors import DesignError
from jobchance.models.cross_lagged_data import Cases
from jobchance.models.cross_lagged_estimate import Estimate, comparisons, estimate, improper, scaled_chisq
from jobchance.models.cross_lagged_layout import Choices
from jobchance.models.cross_lagged_standardised import cross_lag_tests, standardise
from jobchance.numerics.sem_measures import fit_measures, saturated
from jobchance.results.covariance import covariance
from jobchance.results.fit import Fit
from jobchance.results.parts import Floats, Rows, Sample
from jobchance.results.provenance import provenance
from jobchance.results.vcov import Vcov

NAMES = {True: "RI-CLPM (cross-lagged panel with random intercepts)", False: "CLPM (cross-lagged panel)"}


def assemble(cases: Cases, choices: Choices, kind: Vcov, missing: str, *, unit: str) -> Fit:
    """The model of these cases as a `Fit`."""
    best = saturated(cases.patterns)
    if not best.optimum.converged:
        raise DesignError(
            "Means and covariances of the variables are not determined: one variable is a sum of others, or "
            "too few entities have some of them together. Use fewer waves or other variables."
        )
    made = estimate(cases, choices, best)
    rows = None if cases.values is None else _rows(made)
    label = _label(cases)
    if rows is None:
        cov, inference = covariance(_no_rows(made, label), "model")
    else:
        cov, inference = covariance(rows, kind)
    standardised = standardise(made.layout, made.structure, made.optimum.theta, cov)
    measures = fit_measures(cases.patterns, made.optimum, made.at.mu, made.at.sigma, best)
    names = cases.names
    return Fit(
        model=NAMES[choices.random_intercepts],
        outcome=names.stem_y,
        terms=made.layout.terms,
        estimates=made.optimum.theta,
        covariance=cov,
        inference=inference,
        sample=Sample(cases.patterns.n, {unit: cases.patterns.n, "waves": names.waves}, cases.dropped),
        spec={
            "x": list(names.x),
            "y": list(names.y),
            "random_intercepts": choices.random_intercepts,
            "lags": choices.lags,
            "means": choices.means,
            "residuals": choices.residuals,
            "missing": missing,
        },
        loglik=made.optimum.loglik,
        criterion=-2 * made.optimum.loglik,
        is_singular=bool(improper(made)),
        statistics=measures
        | scaled_chisq(made, best, measures)
        | cross_lag_tests(standardised, made.layout)
        | {"n_patterns": float(len(cases.patterns.have)), "distance": made.optimum.distance},
        conventions=_conventions(inference.label),
        remarks=(*_remarks(made, measures), *cases.remarks),
        diagnostics={"standardised": standardised.frame, "comparisons": comparisons(made, best)},
        provenance=provenance(None),
        rows=rows,
    )


def _label(cases: Cases) -> str:
    """What the model's standard errors rest on."""
    which = "expected" if cases.patterns.complete else "observed"
    return f"from the model ({which} information, normal data)"


def _rows(made: Estimate) -> Rows:
    """The entities behind the fit; outcome is y in the last wave, fitted by all that was observed before."""
    cases, at = made.cases, made.at
    assert cases.values is not None, "published moments have no rows"
    assert cases.codes is not None, "published moments have no rows"
    assert cases.frame is not None, "published moments have no rows"
    assert cases.used is not None, "published moments have no rows"
    n, q = len(cases.values), len(made.optimum.theta)
    return Rows(
        frame=cases.frame,
        used=cases.used,
        outcome=cases.values[:, -1],
        fitted=_forecast(cases, at.mu, at.sigma),
        fitted_fixed=np.full(n, at.mu[-1]),
        scores=made.scores,
        bread=made.bread,
        model_cov=made.model_cov,
        df_resid=float("inf"),
        k=q,
        uses_t=False,
        model_label=_label(cases),
    )


def _no_rows(made: Estimate, label: str) -> Rows:
    """The covariance of published moments, which have no rows."""
    none, q = np.zeros(0), len(made.optimum.theta)
    return Rows(
        frame=pd.DataFrame(),
        used=np.zeros(0, dtype=np.int64),
        outcome=none,
        fitted=none,
        fitted_fixed=none,
        scores=np.zeros((0, q)),
        bread=made.bread,
        model_cov=made.model_cov,
        df_resid=float("inf"),
        k=q,
        model_label=label,
    )


def _forecast(cases: Cases, mu: Floats, sigma: Floats) -> Floats:
    """Expected y of the last wave given what the entity has in the waves before."""
    assert cases.values is not None, "published moments have no rows"
    last = cases.names.waves - 1
    made = np.full(len(cases.values), mu[-1])
    for i, have in enumerate(cases.patterns.have):
        before = np.flatnonzero(have & (np.arange(len(mu)) % cases.names.waves != last))
        if len(before):
            weights = np.linalg.solve(sigma[np.ix_(before, before)], sigma[before, -1])
            mine = np.flatnonzero(cases.codes == i)
            made[mine] += (cases.values[np.ix_(mine, before)] - mu[before]) @ weights
    return made


def _conventions(label: str) -> dict[str, str]:
    """Choices that other software makes differently."""
    return {
        "likelihood": "normal, covariance with divisor n",
        "bread of robust standard errors": "inverse observed information",
        "rmsea": "per entity (divisor n), 90% interval",
        "ratio against no random intercepts": "chi-squared with 3 degrees of freedom: variances may go below "
        "zero, so no mixture (chi-bar-squared) is needed; a one-sided test would have a smaller p",
        "srmr": "covariances and means, by the saturated standard deviations",
        "standardised": "by the standard deviations of the inside parts as the model implies them; errors "
        + label,
        "augment": "the outcome is y in the last wave, fitted by all waves before it",
    }


def _remarks(made: Estimate, measures: dict[str, float]) -> tuple[str, ...]:
    """What a reader must know about this model."""
    remarks = []
    parts = improper(made)
    if parts:
        remarks.append(
            f"Improper solution: the covariance matrix of {'; '.join(parts)} is not positive definite (a "
            "variance below zero or a correlation beyond 1). The estimates are reported as they come; the "
            "data do not support that part of the model."
        )
    if not made.layout.choices.random_intercepts:
        remarks.append(
            "Without random intercepts the lags mix lasting differences between entities with changes within "
            "them."
        )
    if measures["df"] == 0:
        remarks.append("The model has as many parameters as moments: its fit cannot be tested.")
    return tuple(remarks)
