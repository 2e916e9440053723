"""`fit_cross_lagged`: cross-lagged panel models with and without random intercepts, by maximum likelihood."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

from jobchance.errors import DesignError, SpecError
from jobchance.models.cross_lagged_data import Cases, Moments, read_cases
from jobchance.models.cross_lagged_estimate import Estimate, comparisons, estimate, improper, scaled_chisq
from jobchance.models.cross_lagged_layout import Choices
from jobchance.models.cross_lagged_standardised import cross_lag_tests, standardise
from jobchance.numerics.sem_measures import fit_measures, saturated
from jobchance.options import check_option
from jobchance.results.covariance import covariance
from jobchance.results.fit import Fit
from jobchance.results.parts import Floats, Rows, Sample
from jobchance.results.provenance import provenance
from jobchance.results.vcov import Vcov, check_vcov, vcov_columns

OVER_WAVES = ("free", "equal")
MISSING = ("fiml", "listwise")
NAMES = {True: "RI-CLPM (cross-lagged panel with random intercepts)", False: "CLPM (cross-lagged panel)"}


def fit_cross_lagged(
    data: pd.DataFrame | Moments,
    *,
    x: str | Sequence[str],
    y: str | Sequence[str],
    random_intercepts: bool = True,
    entity: str = "citizen_id",
    time: str = "wave",
    waves: Sequence[Hashable] | None = None,
    lags: str = "free",
    means: str = "free",
    residuals: str = "free",
    missing: str = "fiml",
    vcov: Vcov = "model",
) -> Fit:
    r"""Estimate which of two variables goes before the other, within entities.

    .. math::
        x_{it} = \mu_{xt} + \xi_i + w^x_{it}, \quad y_{it} = \mu_{yt} + \eta_i + w^y_{it}, \quad
        \begin{pmatrix} w^x_{it} \\ w^y_{it} \end{pmatrix} = B_t
        \begin{pmatrix} w^x_{i,t-1} \\ w^y_{i,t-1} \end{pmatrix} + e_{it}

    The random intercepts :math:`\xi_i, \eta_i` (RI-CLPM) hold what is stable in an entity, so that the lags
    speak of deviations from its own level. Without them (CLPM) lags mix both. A lag is the coefficient of
    what was there a wave before; it is an effect only if nothing that changes over time moves both.

    Parameters
    ----------
    data : DataFrame or Moments
        Long (one row per entity and time), wide (one row per entity), or published moments.
    x, y : str or sequence of str
        One column each of long data; for wide data and moments the variable of every wave, in order.
    random_intercepts : bool
        `True` RI-CLPM, at least 3 waves; `False` CLPM, at least 2.
    entity, time : str
        Columns of long data.
    waves : sequence or None
        Values of `time` to use. `None`: the first 5 that have both variables for at least 50 entities (a
        tenth, if fewer) who had them the wave before too.
    lags, means : {"free", "equal"}
        Whether lags and means may differ from wave to wave.
    residuals : {"free", "equal"}
        The same of residual variances and covariances from the second wave on; the first wave's are free.
    missing : {"fiml", "listwise"}
        Full-information likelihood of whatever is observed (missing at random given what is observed), or
        only entities with everything.
    vcov : "model", Robust or Cluster
        `"model"`: inverse expected information for complete data, observed where values are missing.
        `Robust` and `Cluster` sum the scores of entities; a cluster must hold all waves of its entities.

    Returns
    -------
    Fit
        Terms: lags `wy2~wx1` (outcome~predictor; `y2~x1` without random intercepts, `y~x` with equal lags),
        `RIx~~RIx RIy~~RIy RIx~~RIy`, (residual) variances and covariances `wx1~~wy1` (`ex~~ey` where
        equal), means `x1~1` (not intercepts). `statistics`: `chisq df p cfi tli rmsea rmsea_low rmsea_high
        srmr`, for data with rows `chisq_scaled` (not normal; `chisq_scale` its divisor, `p_scaled`), the
        difference between the standardised directions (`cross_lag_difference`, `_se`, `_p`), and with free
        lags `cross_lag_wald`, a joint test over the waves. `diagnostics["standardised"]`: lags
        and correlations on a common scale, with standard errors of the kind asked for.
        `diagnostics["comparisons"]`: likelihood ratios against equal (free) lags and the model without
        (with) random intercepts, also scaled for data that are not normal. `is_singular`: a variance below
        zero or a correlation beyond 1; they are reported as they come, never cut.

    Raises
    ------
    SpecError
        Unknown options; `x` and `y` that do not go together; standard errors that moments do not allow.
    FormulaError
        Columns are absent.
    DesignError
        Too few waves or entities, repeated rows, columns that are not numbers or do not vary, pairs never
        observed together, variables that determine each other, entities spread over clusters.
    EstimationError
        No optimum with a positive definite information was found.

    Notes
    -----
    Not done: measurement error (it is in the deviations, and pulls their lags towards zero), more than two
    variables, lags beyond one wave, growth, links other than linear.
    With random intercepts the ratio against the CLPM is chi-squared with 3 degrees of freedom because
    variances may go below zero; a one-sided test would have a smaller p-value.

    References
    ----------
    Hamaker, Kuiper & Grasman (2015), Psychological Methods 20, 102-116; Mulder & Hamaker (2021), Structural
    Equation Modeling 28, 638-648; Arbuckle (1996) on full information; Satorra & Bentler (2001),
    Psychometrika 66, 507-514, and Yuan & Bentler (2000) on scaled ratios.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> level, x, y = rng.normal(size=400), [rng.normal(size=400)], [rng.normal(size=400)]
    >>> for _ in range(3):
    ...     x, y = [*x, rng.normal(size=400)], [*y, 0.5 * x[-1] + rng.normal(size=400)]
    >>> wide = pd.DataFrame({f"x{t + 1}": x[t] + level for t in range(4)})
    >>> wide = wide.assign(**{f"y{t + 1}": y[t] + level for t in range(4)})
    >>> fit = fit_cross_lagged(wide, x=["x1", "x2", "x3", "x4"], y=["y1", "y2", "y3", "y4"], lags="equal")
    >>> bool(fit.params["y~x"] > 0.4), bool(abs(fit.params["x~y"]) < 0.1)
    (True, True)
    """
    for name, value, allowed in (
        ("lags", lags, OVER_WAVES),
        ("means", means, OVER_WAVES),
        ("residuals", residuals, OVER_WAVES),
        ("missing", missing, MISSING),
    ):
        check_option(name, value, allowed)
    kind = check_vcov(vcov)
    if isinstance(data, Moments) and kind != "model":
        raise SpecError("Moments have no rows, so vcov='model' is the only kind of standard error.")
    cases = read_cases(
        data,
        x=x,
        y=y,
        entity=entity,
        time=time,
        waves=waves,
        listwise=missing == "listwise",
        clusters=vcov_columns(kind),
        least_waves=3 if random_intercepts else 2,
    )
    choices = Choices(random_intercepts, lags, means, residuals)
    return _fit(cases, choices, kind, missing, entity=entity)


def _fit(cases: Cases, choices: Choices, kind: Vcov, missing: str, *, entity: str) -> Fit:
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
        sample=Sample(cases.patterns.n, {entity: cases.patterns.n, "waves": names.waves}, cases.dropped),
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
